/** tfjs-convgrad/webgl: the plugin for the webgl backend alone, without the kernels of the others. */
import { WEBGL } from '../kernels/webgl.js';
import { serve } from './served.js';

serve('webgl', WEBGL);
export * from './plugin.js';

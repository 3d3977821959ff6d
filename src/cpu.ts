/** tfjs-convgrad/cpu: the plugin for the cpu backend alone, without the kernels of the others. */
import { CPU } from '../kernels/cpu.js';
import { serve } from './served.js';

serve('cpu', CPU);
export * from './configure.js';
export * from './plugin.js';

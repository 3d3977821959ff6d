/** tfjs-convgrad/wasm: the plugin for the wasm backend alone, without the kernels of the others. */
import { WASM } from '../kernels/wasm.js';
import { serve } from './served.js';

serve('wasm', WASM);
export * from './configure.js';
export * from './plugin.js';
export * from './shared_wasm.js';

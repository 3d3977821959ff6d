/** tfjs-convgrad: convolution and pooling kernels for TensorFlow.js, with gradients that are right. */
import './cpu.js';
import './wasm.js';
import './webgl.js';

export * from './configure.js';
export * from './plugin.js';
export * from './shared_wasm.js';

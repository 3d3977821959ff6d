/** tfjs-convgrad: convolution and pooling kernels for TensorFlow.js, with gradients that are right. */
export type { ActivationName } from '../kernels/conv2d/activation.js';
export type { DataFormat, DimRoundingMode, ExplicitPadding, Padding } from '../kernels/geometry.js';
export { type BackendInfo, backendInfo, type BackendOptions, configure } from './configure.js';
export type { CpuPath, CpuInfo, CpuOptions } from '../kernels/runtime/options.js';
export { install, type Installation, type InstallOptions, type Replaced } from './install.js';
export {
  avgPool,
  type AvgPoolOptions,
  conv2d,
  type Conv2DOptions,
  maxPool,
  type MaxPoolOptions,
} from './ops.js';

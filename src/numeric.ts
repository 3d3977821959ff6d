/**
 * The numeric functions alone, without tfjs. They take typed arrays and a geometry, and write typed arrays. If inputs
 * and results are Float64Array, the results have float64 precision. Published as "tfjs-convgrad/numeric".
 */
export type { Floats, Numbers } from '../kernels/arrays.js';
export {
  type ConvGeometry,
  convGeometry,
  type ConvOptions,
  type DataFormat,
  depthwiseGeometry,
  type DimRoundingMode,
  type ExplicitPadding,
  type Geometry,
  type Padding,
  type Pair,
  type PoolGeometry,
  poolGeometry,
  type PoolOptions,
  type WindowOptions,
  withDyShape,
} from '../kernels/geometry.js';
export { biasGrad } from '../kernels/conv2d/definition.js';
export * as conv2dDefinition from '../kernels/conv2d/definition.js';
export { conv2d, conv2dBackpropFilter, conv2dBackpropInput, im2col } from '../kernels/conv2d/plain/im2col.js';
export {
  conv2d as depthwiseConv2d,
  conv2dBackpropFilter as depthwiseConv2dBackpropFilter,
  conv2dBackpropInput as depthwiseConv2dBackpropInput,
} from '../kernels/depthwise_conv2d/definition.js';
export { hwioToOihw, oihwToHwio } from '../kernels/conv2d/layout.js';
export { type ActivationName, activations } from '../kernels/conv2d/activation.js';
export { maxPool, maxPoolGrad } from '../kernels/max_pool/definition.js';
export { avgPool, avgPoolGrad } from '../kernels/avg_pool/definition.js';
export {
  batchNorm,
  batchNormGrad,
  type BatchNormGradients,
  type BatchNormParameters,
} from '../kernels/batch_norm/definition.js';

/**
 * The numeric functions alone, without tfjs. They take typed arrays and a geometry, and write typed arrays. If inputs
 * and results are Float64Array, the results have float64 precision. Published as "tfjs-convgrad/numeric".
 */
import * as geometry from '../kernels/geometry.js';
import type {
  ConvGeometry,
  ConvOptions,
  Pair,
  PoolGeometry,
  PoolOptions,
  WindowOptions,
} from '../kernels/geometry.js';
import { readOptions } from '../kernels/known.js';

export type { Floats, Numbers } from '../kernels/arrays.js';
export {
  type ConvGeometry,
  type ConvOptions,
  type DataFormat,
  type DimRoundingMode,
  type ExplicitPadding,
  type Geometry,
  type Padding,
  type Pair,
  type PoolGeometry,
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

const WINDOW_OPTIONS = ['strides', 'pad', 'dilations', 'dataFormat', 'dimRoundingMode'] as const;

/**
 * Geometry of a 2-D convolution.
 * @param inShape [batch, height, width, channels], or [batch, channels, height, width] for NCHW
 * @param filterShape [filterHeight, filterWidth, inChannels / groups, outChannels]
 * @throws Error that names the argument, its value and what is allowed
 */
export function convGeometry(
  inShape: readonly number[],
  filterShape: readonly number[],
  options: ConvOptions = {},
): ConvGeometry {
  const known = readOptions('convGeometry', options, [...WINDOW_OPTIONS, 'groups']);
  return geometry.convGeometry(inShape, filterShape, known);
}

/**
 * Geometry of a depthwise 2-D convolution: a convolution in which each channel of x is a group.
 * @param inShape [batch, height, width, channels], or [batch, channels, height, width] for NCHW
 * @param filterShape [filterHeight, filterWidth, channels, multiplier], in memory the same as [.., 1, channels * multiplier]
 * @throws Error that names the argument, its value and what is allowed
 */
export function depthwiseGeometry(
  inShape: readonly number[],
  filterShape: readonly number[],
  options: WindowOptions = {},
): ConvGeometry {
  const known = readOptions('depthwiseGeometry', options, WINDOW_OPTIONS);
  return geometry.depthwiseGeometry(inShape, filterShape, known);
}

/**
 * Geometry of 2-D pooling.
 * @param inShape [batch, height, width, channels], or [batch, channels, height, width] for NCHW
 * @param filterSize height and width of the window: a number or a pair
 * @throws Error that names the argument, its value and what is allowed
 */
export function poolGeometry(
  inShape: readonly number[],
  filterSize: Pair,
  options: PoolOptions = {},
): PoolGeometry {
  const known = readOptions('poolGeometry', options, [...WINDOW_OPTIONS, 'countIncludePad', 'identityIf1x1']);
  return geometry.poolGeometry(inShape, filterSize, known);
}

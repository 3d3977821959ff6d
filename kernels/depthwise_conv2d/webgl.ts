/** tfjs 'webgl' kernels of depthwise convolution: those of convolution, with a geometry whose groups are single channels. */
import type { NamedAttrMap, TensorInfo } from '@tensorflow/tfjs-core';
import { convKernels } from '../conv2d/webgl.js';
import { depthwiseGeometry } from '../geometry.js';

/** The kernels DepthwiseConv2dNative and FusedDepthwiseConv2D. y: [batch, outHeight, outWidth, inChannels * multiplier] */
export const {
  forward: depthwiseConv2d,
  backpropInput: depthwiseConv2dBackpropInput,
  backpropFilter: depthwiseConv2dBackpropFilter,
} = convKernels(depthwiseGeometry);

/**
 * Whether tfjs's own kernel is faster, and right: with a multiplier above 1 only the simple programs serve here.
 * inputs and attrs are those of any of the kernels.
 */
export function isSlower(
  { filter }: Readonly<Record<string, TensorInfo | undefined>>,
  { filterShape, dataFormat = 'NHWC', pad, dilations = 1, dimRoundingMode, activation }: NamedAttrMap,
): boolean {
  const [, , channels, multiplier] = filter?.shape ?? (filterShape as number[]);
  return (
    channels > 1 &&
    multiplier > 1 &&
    dataFormat === 'NHWC' &&
    (pad === 'same' || pad === 'valid') &&
    [dilations].flat().every((dilation) => dilation === 1) &&
    !dimRoundingMode &&
    activation !== 'tanh'
  );
}

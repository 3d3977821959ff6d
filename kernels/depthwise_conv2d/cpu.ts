/**
 * tfjs 'cpu' and 'wasm' kernels of depthwise convolution: those of convolution, with a geometry whose groups are single channels.
 * inputs and attrs are those of tfjs. In the gradients `dataFormat` is added. conv2d/paths.ts calls the numeric functions.
 */
import { convKernels } from '../conv2d/cpu.js';
import { depthwiseGeometry } from '../geometry.js';

/** The kernels DepthwiseConv2dNative and FusedDepthwiseConv2D. y: [batch, outHeight, outWidth, inChannels * multiplier] */
export const {
  forward: depthwiseConv2d,
  backpropInput: depthwiseConv2dBackpropInput,
  backpropFilter: depthwiseConv2dBackpropFilter,
} = convKernels(depthwiseGeometry);

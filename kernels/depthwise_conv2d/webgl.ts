/** tfjs 'webgl' kernels of depthwise convolution: those of convolution, with a geometry whose groups are single channels. */
import { convKernels } from '../conv2d/webgl.js';
import { depthwiseGeometry } from '../geometry.js';

/** The kernels DepthwiseConv2dNative and FusedDepthwiseConv2D. y: [batch, outHeight, outWidth, inChannels * multiplier] */
export const {
  forward: depthwiseConv2d,
  backpropInput: depthwiseConv2dBackpropInput,
  backpropFilter: depthwiseConv2dBackpropFilter,
} = convKernels('DepthwiseConv2dNative', depthwiseGeometry);

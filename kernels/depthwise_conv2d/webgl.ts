/** tfjs 'webgl' kernels of depthwise convolution: those of convolution, with the geometry of one group for each channel. */
import { convKernels } from '../conv2d/webgl.js';
import { depthwiseGeometry } from '../geometry.js';

export const { conv2d, fusedConv2d, conv2dBackpropInput, conv2dBackpropFilter } =
  convKernels(depthwiseGeometry);

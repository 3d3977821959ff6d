/** The gradients of depthwise convolution. It is linear in x and in filter, so they are those of convolution: see conv2d/gradient.ts. */
import { gradientsOf } from '../conv2d/gradient.js';

export const depthwiseGradients = gradientsOf('DepthwiseConv2dNative');

/** The gradients of depthwise convolution. As for convolution, its three kernels differentiate into each other. */
import { gradientsOfKernels } from '../conv2d/gradient.js';
import type { GradConfigs } from '../runtime/gradients.js';

export const depthwiseGradients: GradConfigs = (prefix) =>
  gradientsOfKernels(`${prefix}DepthwiseConv2dNative`);

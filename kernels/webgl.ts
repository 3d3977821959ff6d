/** The kernels on the webgl backend. */
import * as avgPool from './avg_pool/webgl.js';
import * as conv2d from './conv2d/webgl.js';
import { isFasterOnWebgl } from './depthwise_conv2d/builtin.js';
import * as depthwise from './depthwise_conv2d/webgl.js';
import * as maxPool from './max_pool/webgl.js';
import type { KernelTable } from './registry.js';

export const WEBGL: KernelTable = {
  kernels: {
    Conv2D: conv2d.conv2d,
    FusedConv2D: conv2d.conv2d,
    Conv2DBackpropInput: conv2d.conv2dBackpropInput,
    Conv2DBackpropFilter: conv2d.conv2dBackpropFilter,
    DepthwiseConv2dNative: depthwise.depthwiseConv2d,
    FusedDepthwiseConv2D: depthwise.depthwiseConv2d,
    DepthwiseConv2dNativeBackpropInput: depthwise.depthwiseConv2dBackpropInput,
    DepthwiseConv2dNativeBackpropFilter: depthwise.depthwiseConv2dBackpropFilter,
    MaxPool: maxPool.maxPool,
    MaxPoolGrad: maxPool.maxPoolGrad,
    MaxPoolWithArgmax: maxPool.maxPoolWithArgmax,
    AvgPool: avgPool.avgPool,
    AvgPoolGrad: avgPool.avgPoolGrad,
  },
  leftToBuiltin: { depthwiseConv2d: isFasterOnWebgl },
};

/** The kernels on the cpu backend. */
import * as avgPool from './avg_pool/cpu.js';
import * as batchNorm from './batch_norm/cpu.js';
import * as conv2d from './conv2d/cpu.js';
import * as depthwise from './depthwise_conv2d/cpu.js';
import { elementwiseKernels } from './elementwise/cpu.js';
import * as matMul from './mat_mul/cpu.js';
import * as maxPool from './max_pool/cpu.js';
import type { KernelName, KernelTable } from './registry.js';
import type { Kernel } from './runtime/tensors.js';
import * as sum from './sum/cpu.js';

/** Those that serve on wasm, too. */
export const sharedKernels = {
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
  FusedBatchNorm: batchNorm.batchNorm,
  BatchNormSums: batchNorm.batchNormSums,
  BatchMatMul: matMul.batchMatMul,
  _FusedMatMul: matMul.fusedMatMul,
};

/** tfjs's own Identity is as good here. */
const kernels: Record<Exclude<KernelName, 'Identity'>, Kernel> = {
  ...sharedKernels,
  ...elementwiseKernels,
  Sum: sum.sum,
  Mean: sum.mean,
};

export const CPU: KernelTable = {
  kernels,
  leftToBuiltin: { elementwise: hasOtherDtype, sum: hasOtherDtype },
};

function hasOtherDtype(inputs: Readonly<Record<string, { dtype: string } | undefined>>): boolean {
  for (const name in inputs) if (inputs[name] && inputs[name].dtype !== 'float32') return true;
  return false;
}

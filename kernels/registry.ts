/**
 * The one table, kernel name x backend -> function, and the gradients.
 *
 * Each function is used twice:
 *
 *   src/install.ts  puts it in place of the tfjs kernel of that name
 *   src/ops.ts      registers it for our own ops, under the name with OWN in front, beside the tfjs kernels
 */
import type { GradConfig, NamedAttrMap, TensorInfo } from '@tensorflow/tfjs-core';
import * as avgPoolCpu from './avg_pool/cpu.js';
import * as avgPoolWebgl from './avg_pool/webgl.js';
import { avgPoolGradients } from './avg_pool/gradient.js';
import * as batchNormCpu from './batch_norm/cpu.js';
import { batchNormGradients } from './batch_norm/gradient.js';
import * as conv2dCpu from './conv2d/cpu.js';
import * as conv2dWebgl from './conv2d/webgl.js';
import { convGradients, fusedGradientOf } from './conv2d/gradient.js';
import { isFasterOnWasm, isFasterOnWebgl } from './depthwise_conv2d/builtin.js';
import * as depthwiseCpu from './depthwise_conv2d/cpu.js';
import * as depthwiseWebgl from './depthwise_conv2d/webgl.js';
import { depthwiseGradients } from './depthwise_conv2d/gradient.js';
import { elementwiseKernels } from './elementwise/cpu.js';
import { elementwiseGradients } from './elementwise/gradient.js';
import * as matMulCpu from './mat_mul/cpu.js';
import { fusedMatMulGradient, matMulGradients } from './mat_mul/gradient.js';
import * as maxPoolCpu from './max_pool/cpu.js';
import { maxPoolGradients } from './max_pool/gradient.js';
import * as maxPoolWebgl from './max_pool/webgl.js';
import type { FusedGradient } from './runtime/gradients.js';
import * as sumCpu from './sum/cpu.js';
import { afterMoves, type Kernel } from './runtime/tensors.js';

export const OWN = 'Convgrad';

export const BACKENDS = ['cpu', 'wasm', 'webgl'] as const;
export type BackendName = (typeof BACKENDS)[number];
type OnBackends = { readonly [name in BackendName]?: Kernel };

/** A kernel on each backend. On wasm that of cpu serves: see runtime/tensors.ts. Without one for webgl, tfjs's own stays there. */
function onBackends(cpu: Kernel, webgl?: Kernel): OnBackends {
  return { cpu, wasm: afterMoves(cpu), ...(webgl && { webgl }) };
}

/** What belongs together: the kernels of an op and of its gradients, and which kernel differentiates into which. */
const OPS = {
  conv2d: {
    kernels: {
      Conv2D: onBackends(conv2dCpu.conv2d, conv2dWebgl.conv2d),
      FusedConv2D: onBackends(conv2dCpu.conv2d, conv2dWebgl.conv2d),
      Conv2DBackpropInput: onBackends(conv2dCpu.conv2dBackpropInput, conv2dWebgl.conv2dBackpropInput),
      Conv2DBackpropFilter: onBackends(conv2dCpu.conv2dBackpropFilter, conv2dWebgl.conv2dBackpropFilter),
    },
    gradients: convGradients,
  },
  depthwiseConv2d: {
    kernels: {
      DepthwiseConv2dNative: onBackends(depthwiseCpu.depthwiseConv2d, depthwiseWebgl.depthwiseConv2d),
      FusedDepthwiseConv2D: onBackends(depthwiseCpu.depthwiseConv2d, depthwiseWebgl.depthwiseConv2d),
      DepthwiseConv2dNativeBackpropInput: onBackends(
        depthwiseCpu.depthwiseConv2dBackpropInput,
        depthwiseWebgl.depthwiseConv2dBackpropInput,
      ),
      DepthwiseConv2dNativeBackpropFilter: onBackends(
        depthwiseCpu.depthwiseConv2dBackpropFilter,
        depthwiseWebgl.depthwiseConv2dBackpropFilter,
      ),
    },
    gradients: depthwiseGradients,
  },
  maxPool: {
    kernels: {
      MaxPool: onBackends(maxPoolCpu.maxPool, maxPoolWebgl.maxPool),
      MaxPoolGrad: onBackends(maxPoolCpu.maxPoolGrad, maxPoolWebgl.maxPoolGrad),
      MaxPoolWithArgmax: onBackends(maxPoolCpu.maxPoolWithArgmax, maxPoolWebgl.maxPoolWithArgmax),
    },
    gradients: maxPoolGradients,
  },
  avgPool: {
    kernels: {
      AvgPool: onBackends(avgPoolCpu.avgPool, avgPoolWebgl.avgPool),
      AvgPoolGrad: onBackends(avgPoolCpu.avgPoolGrad, avgPoolWebgl.avgPoolGrad),
    },
    gradients: avgPoolGradients,
  },
  batchNorm: {
    kernels: {
      FusedBatchNorm: onBackends(batchNormCpu.batchNorm),
      BatchNormSums: onBackends(batchNormCpu.batchNormSums),
    },
    gradients: batchNormGradients,
  },
  matMul: {
    kernels: {
      BatchMatMul: onBackends(matMulCpu.batchMatMul),
      _FusedMatMul: onBackends(matMulCpu.fusedMatMul),
    },
    gradients: matMulGradients,
  },
  elementwise: { kernels: elementwiseKernels, gradients: elementwiseGradients },
  // tfjs's own gradients of sums serve.
  sum: { kernels: { Sum: { cpu: sumCpu.sum }, Mean: { cpu: sumCpu.mean } }, gradients: () => [] },
};
export type OpName = keyof typeof OPS;
export const OP_NAMES = Object.keys(OPS) as OpName[];

export type KernelName = { [op in OpName]: keyof (typeof OPS)[op]['kernels'] }[OpName];
export const KERNELS = Object.assign({}, ...Object.values(OPS).map(({ kernels }) => kernels)) as Readonly<
  Record<KernelName, OnBackends>
>;
export const KERNEL_NAMES = Object.keys(KERNELS) as KernelName[];

/** The names of the kernels that there are on the backend, of all ops or of some. */
export function kernelNamesOn(backendName: BackendName, ops: readonly OpName[] = OP_NAMES): KernelName[] {
  const names = ops.flatMap((op) => Object.keys(OPS[op].kernels) as KernelName[]);
  return names.filter((name) => KERNELS[name][backendName]);
}

type Inputs = Readonly<Record<string, TensorInfo | undefined>>;
type Left = (inputs: Inputs, attrs: NamedAttrMap) => boolean;

/**
 * For which inputs and attributes tfjs's own kernels serve in place of ours: where ours take no such inputs, or where tfjs's are right
 * too, and faster.
 */
const LEFT_TO_BUILTIN: { readonly [op in OpName]?: { readonly [name in BackendName]?: Left } } = {
  depthwiseConv2d: { wasm: isFasterOnWasm, webgl: isFasterOnWebgl },
  elementwise: { cpu: hasOtherDtype },
  sum: { cpu: hasOtherDtype },
};

/** Of LEFT_TO_BUILTIN, what holds for the kernel. Undefined if tfjs's serves for none. */
export function leftToBuiltin(name: KernelName, backendName: BackendName): Left | undefined {
  const op = OP_NAMES.find((op) => name in OPS[op].kernels)!;
  return LEFT_TO_BUILTIN[op]?.[backendName];
}

function hasOtherDtype(inputs: Inputs): boolean {
  for (const name in inputs) if (inputs[name] && inputs[name].dtype !== 'float32') return true;
  return false;
}

/** Attributes that the kernels get only in place of tfjs's kernels. */
export const DROP_IN_ATTRS: { [name in KernelName]?: NamedAttrMap } = {
  MaxPool: { identityIf1x1: true },
  MaxPoolGrad: { identityIf1x1: true },
  AvgPool: { identityIf1x1: true },
  AvgPoolGrad: { identityIf1x1: true },
};

/** The gradients that the kernels of fused ops offer in place of tfjs's kernels. */
export const FUSED_GRADIENTS: { readonly [name in KernelName]?: FusedGradient } = {
  FusedConv2D: fusedGradientOf('fusedConv2d__op', 'Conv2D'),
  FusedDepthwiseConv2D: fusedGradientOf('fusedDepthwiseConv2d__op', 'DepthwiseConv2dNative'),
  _FusedMatMul: fusedMatMulGradient,
};

/** The gradients of the kernels whose names start with `prefix`: '' or OWN. */
export function gradients(prefix: string, ops: readonly OpName[] = OP_NAMES): GradConfig[] {
  return ops.flatMap((op) => OPS[op].gradients(prefix));
}

/**
 * The ops: the names of their kernels, and their gradients. The functions stand in one table for each backend, cpu.ts, wasm.ts and
 * webgl.ts, so that a program carries only those of the backends that it serves.
 *
 * Each function is used twice:
 *
 *   src/install.ts  puts it in place of the tfjs kernel of that name
 *   src/ops.ts      registers it for our own ops, under the name with OWN in front, beside the tfjs kernels
 */
import type { GradConfig, NamedAttrMap, TensorInfo } from '@tensorflow/tfjs-core';
import { avgPoolGradients } from './avg_pool/gradient.js';
import { batchNormGradients } from './batch_norm/gradient.js';
import { convGradients, fusedGradientOf } from './conv2d/gradient.js';
import { depthwiseGradients } from './depthwise_conv2d/gradient.js';
import { elementwiseGradients } from './elementwise/gradient.js';
import { fusedMatMulGradient, matMulGradients } from './mat_mul/gradient.js';
import { maxPoolGradients } from './max_pool/gradient.js';
import type { FusedGradient, GradConfigs } from './runtime/gradients.js';
import type { Kernel } from './runtime/tensors.js';

export const OWN = 'Convgrad';

export const BACKENDS = ['cpu', 'wasm', 'webgl'] as const;
export type BackendName = (typeof BACKENDS)[number];

/** What belongs together: the kernels of an op and of its gradients, and which kernel differentiates into which. */
const OPS = {
  conv2d: {
    kernels: ['Conv2D', 'FusedConv2D', 'Conv2DBackpropInput', 'Conv2DBackpropFilter'],
    gradients: convGradients,
  },
  depthwiseConv2d: {
    kernels: [
      'DepthwiseConv2dNative',
      'FusedDepthwiseConv2D',
      'DepthwiseConv2dNativeBackpropInput',
      'DepthwiseConv2dNativeBackpropFilter',
    ],
    gradients: depthwiseGradients,
  },
  maxPool: { kernels: ['MaxPool', 'MaxPoolGrad', 'MaxPoolWithArgmax'], gradients: maxPoolGradients },
  avgPool: { kernels: ['AvgPool', 'AvgPoolGrad'], gradients: avgPoolGradients },
  batchNorm: { kernels: ['FusedBatchNorm', 'BatchNormSums'], gradients: batchNormGradients },
  matMul: { kernels: ['BatchMatMul', '_FusedMatMul'], gradients: matMulGradients },
  elementwise: {
    kernels: [
      'Relu',
      'Relu6',
      'ClipByValue',
      'Step',
      'ReluGrad',
      'Relu6Grad',
      'ClipByValueGrad',
      'Add',
      'Sub',
      'Multiply',
      'RealDiv',
    ],
    gradients: elementwiseGradients,
  },
  // tfjs's own gradients of these serve.
  sum: { kernels: ['Sum', 'Mean'], gradients: () => [] },
  identity: { kernels: ['Identity'], gradients: () => [] },
} as const satisfies Record<string, { kernels: readonly string[]; gradients: GradConfigs }>;
export type OpName = keyof typeof OPS;
export const OP_NAMES = Object.keys(OPS) as OpName[];

export type KernelName = (typeof OPS)[OpName]['kernels'][number];
export const KERNEL_NAMES: readonly KernelName[] = OP_NAMES.flatMap((op) => OPS[op].kernels);

type Inputs = Readonly<Record<string, TensorInfo | undefined>>;
type Left = (inputs: Inputs, attrs: NamedAttrMap) => boolean;

/** The kernels on one backend. Where there is none, tfjs's own stays. */
export interface KernelTable {
  readonly kernels: { readonly [name in KernelName]?: Kernel };
  /**
   * For which inputs and attributes tfjs's own kernels of an op serve in place of ours: where ours take no such inputs, or where
   * tfjs's are right too, and faster.
   */
  readonly leftToBuiltin?: { readonly [op in OpName]?: Left };
}

/** The names of the kernels in the table, of all ops or of some. */
export function kernelNamesIn({ kernels }: KernelTable, ops: readonly OpName[] = OP_NAMES): KernelName[] {
  return ops.flatMap((op) => OPS[op].kernels as readonly KernelName[]).filter((name) => kernels[name]);
}

/** Of the table's leftToBuiltin, what holds for the kernel. Undefined if tfjs's serves for none. */
export function leftToBuiltin({ leftToBuiltin }: KernelTable, name: KernelName): Left | undefined {
  const op = OP_NAMES.find((op) => (OPS[op].kernels as readonly string[]).includes(name))!;
  return leftToBuiltin?.[op];
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

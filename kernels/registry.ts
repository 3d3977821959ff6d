/**
 * The one table, kernel name x backend -> function, and the gradients.
 *
 * Each function is used twice:
 *
 *   src/install.ts  puts it in place of the tfjs kernel of that name
 *   src/ops.ts      registers it for our own ops, under the name with OWN in front, beside the tfjs kernels
 */
import type { GradConfig, NamedAttrMap } from '@tensorflow/tfjs-core';
import * as avgPoolCpu from './avg_pool/cpu.js';
import * as avgPoolWebgl from './avg_pool/webgl.js';
import { avgPoolGradients } from './avg_pool/gradient.js';
import * as conv2dCpu from './conv2d/cpu.js';
import * as conv2dWebgl from './conv2d/webgl.js';
import { convGradients } from './conv2d/gradient.js';
import * as maxPoolCpu from './max_pool/cpu.js';
import * as maxPoolWebgl from './max_pool/webgl.js';
import { maxPoolGradients } from './max_pool/gradient.js';
import type { Kernel } from './runtime/tensors.js';

export const OWN = 'Convgrad';

export const BACKENDS = ['cpu', 'wasm', 'webgl'] as const;
export type BackendName = (typeof BACKENDS)[number];

export const KERNELS = {
  Conv2D: { cpu: conv2dCpu.conv2d, wasm: conv2dCpu.conv2d, webgl: conv2dWebgl.conv2d },
  FusedConv2D: { cpu: conv2dCpu.fusedConv2d, wasm: conv2dCpu.fusedConv2d, webgl: conv2dWebgl.fusedConv2d },
  Conv2DBackpropInput: {
    cpu: conv2dCpu.conv2dBackpropInput,
    wasm: conv2dCpu.conv2dBackpropInput,
    webgl: conv2dWebgl.conv2dBackpropInput,
  },
  Conv2DBackpropFilter: {
    cpu: conv2dCpu.conv2dBackpropFilter,
    wasm: conv2dCpu.conv2dBackpropFilter,
    webgl: conv2dWebgl.conv2dBackpropFilter,
  },
  MaxPool: { cpu: maxPoolCpu.maxPool, wasm: maxPoolCpu.maxPool, webgl: maxPoolWebgl.maxPool },
  MaxPoolGrad: { cpu: maxPoolCpu.maxPoolGrad, wasm: maxPoolCpu.maxPoolGrad, webgl: maxPoolWebgl.maxPoolGrad },
  MaxPoolWithArgmax: {
    cpu: maxPoolCpu.maxPoolWithArgmax,
    wasm: maxPoolCpu.maxPoolWithArgmax,
    webgl: maxPoolWebgl.maxPoolWithArgmax,
  },
  AvgPool: { cpu: avgPoolCpu.avgPool, wasm: avgPoolCpu.avgPool, webgl: avgPoolWebgl.avgPool },
  AvgPoolGrad: { cpu: avgPoolCpu.avgPoolGrad, wasm: avgPoolCpu.avgPoolGrad, webgl: avgPoolWebgl.avgPoolGrad },
} satisfies Record<string, Record<BackendName, Kernel>>;
export type KernelName = keyof typeof KERNELS;
export const KERNEL_NAMES = Object.keys(KERNELS) as KernelName[];

/** Attributes that the kernels get only in place of tfjs's kernels. */
export const DROP_IN_ATTRS: { [name in KernelName]?: NamedAttrMap } = {
  MaxPool: { identityIf1x1: true },
  MaxPoolGrad: { identityIf1x1: true },
  AvgPool: { identityIf1x1: true },
  AvgPoolGrad: { identityIf1x1: true },
};

/** The gradients of the kernels whose names start with `prefix`: '' or OWN. */
export function gradients(prefix: string): GradConfig[] {
  return [...convGradients(prefix), ...maxPoolGradients(prefix), ...avgPoolGradients(prefix)];
}

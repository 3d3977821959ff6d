/** The kernels on the wasm backend: those of cpu, and some of its own. See runtime/tensors.ts. */
import { sharedKernels } from './cpu.js';
import { isFasterOnWasm } from './depthwise_conv2d/builtin.js';
import { activationKernels } from './elementwise/cpu.js';
import { identity } from './identity/wasm.js';
import type { KernelTable } from './registry.js';
import { afterMoves } from './runtime/tensors.js';
import * as sum from './sum/wasm.js';

const kernels = {
  ...sharedKernels,
  ...activationKernels,
  Sum: sum.sum,
  Mean: sum.mean,
  Identity: identity,
};
const entries = Object.entries(kernels).map(([name, kernel]) => [name, afterMoves(kernel)]);

export const WASM: KernelTable = {
  kernels: Object.fromEntries(entries) as KernelTable['kernels'],
  // tfjs's own activations are faster. Their gradients are ours, as tfjs has no kernels of them.
  leftToBuiltin: { depthwiseConv2d: isFasterOnWasm, elementwise: ({ dy }) => dy === undefined, sum: sum.isLeft },
};

/** The kernels on the wasm backend: those of cpu, and some of its own. See runtime/tensors.ts. */
import { sharedKernels } from './cpu.js';
import { isFasterOnWasm } from './depthwise_conv2d/builtin.js';
import { activationKernels } from './elementwise/cpu.js';
import { identity, isLeft } from './identity/wasm.js';
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
  leftToBuiltin: {
    depthwiseConv2d: isFasterOnWasm,
    // tfjs's own activations are faster. It has no kernels of their gradients.
    elementwise: ({ dy }) => dy === undefined,
    sum: sum.isLeft,
    identity: isLeft,
  },
};

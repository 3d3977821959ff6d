/** The kernels on the wasm backend: those of cpu. See runtime/tensors.ts. */
import { sharedKernels } from './cpu.js';
import { isFasterOnWasm } from './depthwise_conv2d/builtin.js';
import type { KernelTable } from './registry.js';
import { afterMoves } from './runtime/tensors.js';

const entries = Object.entries(sharedKernels).map(([name, kernel]) => [name, afterMoves(kernel)]);

export const WASM: KernelTable = {
  kernels: Object.fromEntries(entries) as KernelTable['kernels'],
  leftToBuiltin: { depthwiseConv2d: isFasterOnWasm },
};

/** The one table, backend x kernel name -> function. */
import { CPU } from './cpu.js';
import {
  type BackendName,
  kernelNamesIn,
  type KernelName,
  type KernelTable,
  type OpName,
} from './registry.js';
import { WASM } from './wasm.js';
import { WEBGL } from './webgl.js';

export const KERNELS: Readonly<Record<BackendName, KernelTable>> = { cpu: CPU, wasm: WASM, webgl: WEBGL };

/** The names of the kernels that there are on the backend, of all ops or of some. */
export function kernelNamesOn(backendName: BackendName, ops?: readonly OpName[]): KernelName[] {
  return kernelNamesIn(KERNELS[backendName], ops);
}

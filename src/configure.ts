/** Options for how the kernels compute, and a report of how they do. */
import { engine } from '@tensorflow/tfjs-core';
import { readOptions } from '../kernels/known.js';
import { configureCpu, type CpuInfo, cpuInfo, type CpuOptions } from '../kernels/runtime/options.js';
export type { CpuInfo, CpuOptions, CpuPath } from '../kernels/runtime/options.js';
import { heapOf } from '../kernels/runtime/tensors.js';

/** Options of each backend. */
export interface BackendOptions {
  /** The kernels on wasm follow these, too. */
  cpu?: CpuOptions;
}

/** How each backend computes. */
export interface BackendInfo {
  /** Of the kernels on cpu and on wasm. */
  cpu: CpuInfo;
  /** Undefined if the backend has not been started. */
  wasm?: WasmInfo;
}

export interface WasmInfo {
  /** The path that serves on wasm, as in `cpu`. */
  serving: CpuInfo['serving'];
  /** The kernels read and write tensors where they lie in tfjs's memory. Otherwise they work on copies, which is right, but slower. */
  inPlace: boolean;
  /** Why they work on copies. */
  reason?: string;
}

/**
 * Changes how the kernels compute, from their next run on, whether they are installed or not. Options that are not
 * given keep their values.
 * @throws Error, and changes nothing, if an option's value is not allowed, or if this engine cannot run the path. The
 *   error names the option, its value and the allowed values, or the reason.
 */
export function configure(options: BackendOptions): void {
  const { cpu = {} } = readOptions('configure()', options, ['cpu']);
  configureCpu(readOptions("configure()'s cpu", cpu, ['path', 'winograd']));
}

/** Says which implementation serves on each backend, and why a faster one does not. */
export function backendInfo(): BackendInfo {
  const cpu = cpuInfo();
  const { wasm: backend } = engine().registry; // findBackend would start it
  return backend ? { cpu, wasm: wasmInfo(cpu, backend) } : { cpu };
}

function wasmInfo({ serving }: CpuInfo, backend: object): WasmInfo {
  if (heapOf(backend)) return { serving, inPlace: true };
  const reason = 'this version of @tensorflow/tfjs-backend-wasm keeps its memory where it is not found';
  return { serving, inPlace: false, reason };
}

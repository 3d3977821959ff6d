/** Options for how the kernels compute, and a report of how they do. */
import { engine } from '@tensorflow/tfjs-core';
import { readOptions } from '../kernels/known.js';
import { configureCpu, type CpuInfo, cpuInfo, type CpuOptions } from '../kernels/runtime/options.js';
export type { CpuInfo, CpuOptions, CpuPath } from '../kernels/runtime/options.js';
import { heapOf } from '../kernels/runtime/tensors.js';
import {
  checkThreads,
  setThreads,
  type ThreadsInfo,
  threadsInfo,
} from '../kernels/runtime/threads/threads.js';
export type { ThreadsInfo } from '../kernels/runtime/threads/threads.js';

/** Options of each backend. */
export interface BackendOptions {
  /** The kernels on wasm follow these, too. */
  cpu?: CpuOptions;
  /**
   * How many threads share the work of the kernels on `cpu` and on `wasm`: this one, and workers. 'auto' takes as many as there are
   * cores, at most eight. The default is 1. The results are the same, to the bit, for every number.
   *
   * In Node it needs version 20.16, in a browser a page that is cross-origin isolated. `backendInfo` says why threads do not serve.
   */
  threads?: number | 'auto';
  /**
   * In browsers: the address of `tfjs-convgrad/dist/worker.js`, where a Content-Security-Policy forbids workers from `blob:`. The plugin
   * brings the worker along otherwise.
   */
  workerUrl?: string | URL;
}

/** How each backend computes. */
export interface BackendInfo {
  /** Of the kernels on cpu and on wasm. */
  cpu: CpuInfo;
  /** Of the kernels on cpu and on wasm. */
  threads: ThreadsInfo;
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
 * @returns a promise, which resolves when the threads that `threads` asks for have started, or cannot. The kernels need not wait for it.
 */
export function configure(options: BackendOptions): Promise<void> {
  const {
    cpu = {},
    threads,
    workerUrl,
  } = readOptions('configure()', options, ['cpu', 'threads', 'workerUrl']);
  if (threads !== undefined) checkThreads(threads);
  configureCpu(readOptions("configure()'s cpu", cpu, ['path', 'winograd']));
  if (threads === undefined) return Promise.resolve();
  const { wasm } = engine().registry; // findBackend would start it
  return setThreads({ threads, workerUrl: workerUrl?.toString() }, wasm && heapOf(wasm));
}

/** Says which implementation serves on each backend, and why a faster one does not. */
export function backendInfo(): BackendInfo {
  const cpu = cpuInfo();
  const { wasm: backend } = engine().registry; // findBackend would start it
  const threads = threadsInfo();
  return backend ? { cpu, threads, wasm: wasmInfo(cpu, backend) } : { cpu, threads };
}

function wasmInfo({ serving }: CpuInfo, backend: object): WasmInfo {
  if (heapOf(backend)) return { serving, inPlace: true };
  const reason = 'this version of @tensorflow/tfjs-backend-wasm keeps its memory where it is not found';
  return { serving, inPlace: false, reason };
}

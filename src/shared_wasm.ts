/**
 * tfjs's wasm backend on memory that threads share, in Node.
 *
 * @tensorflow/tfjs-backend-wasm brings a build for threads, whose memory is shared. tfjs takes it only in pages that are cross-origin
 * isolated. In Node a flag is in its way, and so are its workers, which start from `blob:`. If tfjs computes by one thread, it never
 * gives them work. So workers that do nothing stand in for them while the backend starts. The workers of the plugin then compute on
 * tfjs's memory, and nothing is copied.
 */
import {
  engine,
  env,
  findBackendFactory,
  getBackend,
  registerBackend,
  removeBackend,
  setBackend,
  version_core,
} from '@tensorflow/tfjs-core';
import { shown } from '../kernels/known.js';
import { isShared } from '../kernels/runtime/simd/modules.js';
import { heapOf } from '../kernels/runtime/tensors.js';

/** What is used of the package @tensorflow/tfjs-backend-wasm. */
export interface WasmPackage {
  setThreadsCount(count: number): void;
}

const FLAG = 'WASM_HAS_MULTITHREAD_SUPPORT';
/** In milliseconds: how long the backend may take to start. */
const DEADLINE = 30_000;

/**
 * Starts tfjs's `wasm` backend, and makes it the current one. In Node its memory is one that threads share: with
 * `configure({ threads })` nothing is copied, and more kernels are shared out. tfjs's own kernels run on one thread there. Elsewhere it
 * is the same as `setBackend('wasm')`; pages that are cross-origin isolated have such a memory by themselves.
 *
 *     import * as wasm from '@tensorflow/tfjs-backend-wasm';
 *     await startSharedWasm(wasm);
 *
 * @param wasm the package @tensorflow/tfjs-backend-wasm
 * @throws Error, and the backend that was current is so again, if `wasm` is something else, if the backend has started on a memory that
 *   is not shared, or if this version of tfjs does not start on one
 */
export async function startSharedWasm(wasm: WasmPackage): Promise<void> {
  checkPackage(wasm);
  const { wasm: started } = engine().registry;
  if (!env().getBool('IS_NODE') || (started && hasSharedMemory(started))) {
    if (await setBackend('wasm')) return;
    throw new Error("tfjs-convgrad: tfjs's wasm backend does not start here.");
  }
  if (started) {
    throw new Error(
      'tfjs-convgrad: the wasm backend has started already, on memory that is not shared. Call startSharedWasm() before setBackend().',
    );
  }
  starting ??= startOnSharedMemory(wasm).finally(() => (starting = undefined));
  if (await starting) return;
  throw new Error(
    `tfjs-convgrad: tfjs ${version_core}'s wasm backend does not start on shared memory here. With setBackend('wasm') it may start without.`,
  );
}

/** Calls side by side share one start. */
let starting: Promise<boolean> | undefined;

function checkPackage(wasm: WasmPackage): void {
  if (typeof wasm?.setThreadsCount !== 'function') {
    throw new Error(
      `tfjs-convgrad: startSharedWasm() needs the package @tensorflow/tfjs-backend-wasm, but it got ${shown(wasm)}.`,
    );
  }
  if (!findBackendFactory('wasm')) {
    throw new Error(
      'tfjs-convgrad: there is no wasm backend. The package that startSharedWasm() got may use another copy of @tensorflow/tfjs-core.',
    );
  }
}

/** Returns whether it has started. If not, all is as it was, but tfjs has one thread. */
async function startOnSharedMemory(wasm: WasmPackage): Promise<boolean> {
  const last = getBackend() as string | undefined;
  const before = await env().getAsync(FLAG);
  const restoreWorker = standInForWorkers();
  let hasStarted = false;
  try {
    wasm.setThreadsCount(1);
    env().set(FLAG, true);
    hasStarted = (await inTime(setBackend('wasm'))) && hasSharedMemory(engine().registry.wasm);
  } finally {
    env().set(FLAG, before);
    restoreWorker();
    if (!hasStarted) await goBackTo(last);
  }
  return hasStarted;
}

/** Ends a backend whose memory is not shared, and a start that is not over: tfjs would wait for it, whatever backend is current. */
async function goBackTo(last: string | undefined): Promise<void> {
  const { factory, priority } = engine().registryFactory.wasm;
  removeBackend('wasm');
  registerBackend('wasm', factory, priority);
  if (last) await setBackend(last);
}

function hasSharedMemory(backend: object): boolean {
  const heap = heapOf(backend);
  return heap !== undefined && isShared(heap.memory);
}

/** Resolves to false if the promise takes too long. */
function inTime(promise: Promise<boolean>): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => resolve(false), DEADLINE);
    promise.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}

/**
 * Emscripten's glue code sets the global Worker to that of Node, makes workers of it, and waits until all of them say that they are
 * loaded. Returns a function that puts the global Worker back.
 */
function standInForWorkers(): () => void {
  const before = Object.getOwnPropertyDescriptor(globalThis, 'Worker');
  Object.defineProperty(globalThis, 'Worker', { get: () => IdleWorker, set: () => undefined, configurable: true }); // prettier-ignore
  return () => {
    if (before) Object.defineProperty(globalThis, 'Worker', before);
    else delete (globalThis as { Worker?: unknown }).Worker;
  };
}

/** Says that it has loaded, and does nothing. */
class IdleWorker {
  onmessage?: (event: { data: { cmd: string } }) => void;
  postMessage({ cmd }: { cmd: string }): void {
    if (cmd === 'load') queueMicrotask(() => this.onmessage?.({ data: { cmd: 'loaded' } }));
  }
  on(): void {}
  unref(): void {}
  terminate(): void {}
}

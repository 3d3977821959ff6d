/**
 * The backends that this program serves: those whose entry it imports. A backend may also be a copy of one of them under another name:
 * made by tf.copyRegisteredKernels, 'rn-webgl' of React Native, webgl on a canvas of one's own.
 */
import { engine, getKernel, type KernelConfig, type KernelFunc } from '@tensorflow/tfjs-core';
import { BACKENDS, type BackendName, kernelNamesIn, type KernelTable } from '../kernels/registry.js';

const tables: Partial<Record<BackendName, KernelTable>> = {};

/** The entries call this. */
export function serve(name: BackendName, table: KernelTable): void {
  tables[name] = table;
}

export function servedNames(): BackendName[] {
  return BACKENDS.filter((name) => tables[name]);
}

/** The kernels for the backend of this name. Undefined if it is no backend that is served, nor a copy of one. */
export function tableOf(backendName: string): KernelTable | undefined {
  const kind = kindOf(backendName);
  return kind && tables[kind];
}

/** The registered backends that are copies of served ones. */
export function copies(): string[] {
  return engine()
    .backendNames()
    .filter((name) => !(BACKENDS as readonly string[]).includes(name) && tableOf(name));
}

/** Kernels -> the backend that they are written for: tfjs's own as they were met, and ours. */
const kinds = new WeakMap<KernelFunc, BackendName>();

/** Remembers for which backend a kernel is written. So a copy of it tells what the copy's backend is. */
export function remember({ kernelFunc }: Pick<KernelConfig, 'kernelFunc'>, kind: BackendName): void {
  kinds.set(kernelFunc, kind);
}

/** Which backend it is, or is a copy of: by its name, by its kernels, or, if it has been started, by its parts. */
export function kindOf(backendName: string): BackendName | undefined {
  const known = BACKENDS.find((name) => name === backendName);
  return known ?? kindOfKernels(backendName) ?? kindOfInstance(engine().registry[backendName]);
}

function kindOfKernels(backendName: string): BackendName | undefined {
  for (const kind of servedNames()) {
    for (const kernelName of kernelNamesIn(tables[kind]!)) {
      const original = getKernel(kernelName, kind);
      if (original && !kinds.has(original.kernelFunc)) remember(original, kind);
      const kernel = getKernel(kernelName, backendName);
      const found = kernel && kinds.get(kernel.kernelFunc);
      if (found) return found;
    }
  }
  return undefined;
}

function kindOfInstance(backend: object | undefined): BackendName | undefined {
  if (!backend) return undefined;
  if ('gpgpu' in backend) return 'webgl';
  if ('typedArrayFromHeap' in backend) return 'wasm';
  return 'bufferSync' in backend && 'blockSize' in backend ? 'cpu' : undefined;
}

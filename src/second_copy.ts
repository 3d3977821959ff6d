/**
 * Notices when a second copy of a backend's package is loaded. It registers all its kernels over those that are there, and tfjs tells
 * nobody. Another who registers some kernels of their own over ours is no such copy.
 */
import { getKernelsForBackend, type KernelConfig } from '@tensorflow/tfjs-core';

type Registry = Map<string, KernelConfig>;

/** tfjs's own map of kernels, which all copies of tfjs-core share. Undefined where this version of tfjs keeps it elsewhere. */
function kernelRegistry(): Registry | undefined {
  const { _tfGlobals } = globalThis as { _tfGlobals?: Map<string, unknown> };
  const registry = _tfGlobals?.get('kernelRegistry');
  return registry instanceof Map ? (registry as Registry) : undefined;
}

/**
 * Calls `replaced` with the backend's name as soon as more than half of its kernels have been registered again without a pause, and
 * then after each that follows.
 * @returns a function that ends this
 */
export function onSecondCopy(replaced: (backendName: string) => void): () => void {
  const registry = kernelRegistry();
  if (!registry) return () => {};
  const again = new Map<string, Set<string>>();
  const before = registry.set;
  const set: Registry['set'] = (key, config) => {
    const isNew = registry.get(key) === undefined;
    before.call(registry, key, config);
    if (!isNew) noteAgain(again, config, replaced);
    return registry;
  };
  registry.set = set;
  return () => {
    again.clear();
    if (registry.set === set) registry.set = before;
  };
}

function noteAgain(
  again: Map<string, Set<string>>,
  { backendName, kernelName }: KernelConfig,
  replaced: (backendName: string) => void,
): void {
  if (again.size === 0) queueMicrotask(() => again.clear());
  const names = again.get(backendName) ?? new Set();
  again.set(backendName, names.add(kernelName));
  if (2 * names.size > getKernelsForBackend(backendName).length) replaced(backendName);
}

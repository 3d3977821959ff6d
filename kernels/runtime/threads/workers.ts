/** Workers, in Node and in browsers: how one is started, and how it tells that it has started or ended. */
import { WORKER, type WorkerData } from './worker.js';

/** A worker that runs. */
export interface Started {
  stop(): void;
}

/** What is used of Node. The library is written for engines that may lack it. */
interface NodeModules {
  'node:os': { availableParallelism?(): number };
  'node:worker_threads': { Worker: new (source: string, options: object) => NodeWorker };
}

interface NodeWorker {
  once(event: 'message' | 'error' | 'exit', listener: (value: unknown) => void): void;
  unref(): void;
  terminate(): unknown;
}

/** Undefined where this is not Node. Bundlers see no import. */
function nodeModule<Name extends keyof NodeModules>(name: Name): NodeModules[Name] | undefined {
  const { process } = globalThis as {
    process?: { getBuiltinModule?(name: Name): NodeModules[Name] | undefined };
  };
  return process?.getBuiltinModule?.(name);
}

/** Node has no global Worker of its own, but others may have made one. */
const isWeb = () => !nodeModule('node:worker_threads') && typeof Worker === 'function';

/** Why no worker can share memory with this thread; undefined if one can. */
export function whyNoWorkers(): string | undefined {
  const { crossOriginIsolated } = globalThis as { crossOriginIsolated?: boolean };
  if (typeof SharedArrayBuffer === 'undefined' || crossOriginIsolated === false)
    return 'memory cannot be shared: the page is not cross-origin isolated';
  if (!isWeb() && !nodeModule('node:worker_threads'))
    return 'there are no workers: Node 20.16 or later has them';
  return undefined;
}

/** The processor's cores, as far as the engine tells. */
export function coreCount(): number {
  const { navigator } = globalThis as { navigator?: { hardwareConcurrency?: number } };
  return nodeModule('node:os')?.availableParallelism?.() ?? navigator?.hardwareConcurrency ?? 1;
}

/**
 * Starts a worker.
 * @param url in browsers: of a file with the worker's source. Without it, the source that the plugin carries is taken.
 * @param onStart called when it is ready for jobs
 * @param onEnd called when it has ended by itself, with the reason
 * @throws Error if the engine refuses
 */
export function startWorker(
  data: WorkerData,
  url: string | undefined,
  onStart: () => void,
  onEnd: (reason: string) => void,
): Started {
  return isWeb() ? startWebWorker(data, url, onStart, onEnd) : startNodeWorker(data, onStart, onEnd);
}

function startWebWorker(
  data: WorkerData,
  url: string | undefined,
  onStart: () => void,
  onEnd: (reason: string) => void,
): Started {
  const address = url ?? URL.createObjectURL(new Blob([WORKER], { type: 'text/javascript' }));
  const worker = new Worker(address);
  worker.onmessage = () => {
    if (!url) URL.revokeObjectURL(address);
    onStart();
  };
  worker.onerror = (event) => {
    event.preventDefault(); // the reason is in backendInfo()
    const refused = url
      ? `the worker ${url} does not load`
      : 'a worker from blob: does not load: a Content-Security-Policy may forbid it. See workerUrl';
    onEnd(event.message || refused);
  };
  worker.postMessage(data);
  return { stop: () => worker.terminate() };
}

/** Once it has started, it does not keep the process alive. */
function startNodeWorker(data: WorkerData, onStart: () => void, onEnd: (reason: string) => void): Started {
  const { Worker: NodeWorker } = nodeModule('node:worker_threads')!;
  // Flags and NODE_OPTIONS of this process may load files that a worker does not need.
  const worker = new NodeWorker(WORKER, { eval: true, workerData: data, execArgv: [], env: {} });
  worker.once('message', () => {
    worker.unref();
    onStart();
  });
  worker.once('error', (error) => onEnd((error as Error).message));
  worker.once('exit', (code) => onEnd(`a worker has ended, with code ${String(code)}`));
  return { stop: () => void worker.terminate() };
}

/** Workers, in Node and in browsers: how one is started, and how it tells that it has started or ended. */
import { WORKER, type WorkerData } from './worker.js';

/** A worker that runs. */
export interface Started {
  stop(): void;
}

type NodeThreads = typeof import('node:worker_threads');

/** Undefined where this is not Node. Bundlers leave this alone, as it imports nothing. */
function nodeModule<T>(name: string): T | undefined {
  const { process } = globalThis as { process?: { getBuiltinModule?(name: string): T } };
  return process?.getBuiltinModule?.(name);
}

const isWeb = () => typeof Worker === 'function';

/** Why no worker can share memory with this thread; undefined if one can. */
export function whyNoWorkers(): string | undefined {
  if (
    typeof SharedArrayBuffer === 'undefined' ||
    (globalThis as { crossOriginIsolated?: boolean }).crossOriginIsolated === false
  )
    return 'memory cannot be shared: the page is not cross-origin isolated';
  if (!isWeb() && !nodeModule('node:worker_threads'))
    return 'there are no workers: Node 20.16 or later has them';
  return undefined;
}

/** The processor's cores, as far as the engine tells. */
export function coreCount(): number {
  const os = nodeModule<typeof import('node:os')>('node:os');
  return (
    os?.availableParallelism?.() ??
    (globalThis as { navigator?: Navigator }).navigator?.hardwareConcurrency ??
    1
  );
}

/**
 * Starts a worker.
 * @param url of a file with the worker's source, for pages whose Content-Security-Policy forbids the embedded one
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
  const embedded = url ? undefined : URL.createObjectURL(new Blob([WORKER], { type: 'text/javascript' }));
  const forget = () => embedded && URL.revokeObjectURL(embedded);
  const worker = new Worker(url ?? embedded!);
  worker.onmessage = () => {
    forget();
    onStart();
  };
  worker.onerror = (event) => {
    forget();
    event.preventDefault();
    const refused = `the worker${url ? ` ${url}` : ''} does not start: ${embedded ? 'a Content-Security-Policy may forbid blob: as worker-src' : 'the file may be missing'}`;
    onEnd(event.message || refused);
  };
  worker.postMessage(data);
  return { stop: () => worker.terminate() };
}

/** It does not keep the process alive once it has started. */
function startNodeWorker(data: WorkerData, onStart: () => void, onEnd: (reason: string) => void): Started {
  const { Worker: NodeWorker } = nodeModule<NodeThreads>('node:worker_threads')!;
  // Flags and NODE_OPTIONS of this process may load files that a worker does not need.
  const worker = new NodeWorker(WORKER, { eval: true, workerData: data, execArgv: [], env: {} });
  worker.once('message', () => {
    worker.unref();
    onStart();
  });
  worker.once('error', (error: Error) => onEnd(error.message));
  worker.once('exit', (code) => onEnd(`a worker has ended, with code ${code}`));
  return { stop: () => void worker.terminate() };
}

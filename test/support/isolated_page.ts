/**
 * Runs in a page that is cross-origin isolated, where tfjs's wasm backend takes its build with threads, whose memory is shared. Gives
 * the results of the plugin there, and on cpu.
 */
import * as tf from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-core/dist/register_all_gradients.js';
import '@tensorflow/tfjs-backend-cpu';
import { getThreadsCount, setWasmPaths } from '@tensorflow/tfjs-backend-wasm';
import { heapOf } from '../../kernels/runtime/tensors.js';
import { poolFor, setThreads } from '../../kernels/runtime/threads/threads.js';
import { backendInfo, type BackendInfo, install } from '../../src/index.js';
import { integers } from '../../src/verify/data.js';
import { threadedOps } from './threaded_ops.js';

export interface Isolated {
  isolated: boolean;
  threads: number;
  wasm: BackendInfo['wasm'];
  /** Name of an op -> results on cpu and on wasm, by one thread and by two. */
  results: Record<string, Record<'cpu' | 'wasm' | 'cpu, two threads' | 'wasm, two threads', number[]>>;
  /** The plugin's own threads on cpu and on wasm, in the second half of the results. */
  pools: { cpu?: number; wasm?: number };
  /** The jobs that they have done. */
  jobs: { cpu: number; wasm: number };
}

/** Whole numbers are exact. */
const OPS = threadedOps(integers);

type Results = Isolated['results'];

/** The results of all ops, and how often `poolFor` ran a job. */
async function resultsOn(
  backend: 'cpu' | 'wasm',
  results: Results,
  label: keyof Results[string],
): Promise<void> {
  if (!(await tf.setBackend(backend))) throw new Error(`${backend} does not start`);
  for (const [name, op] of Object.entries(OPS)) {
    results[name] ??= {} as Results[string];
    results[name][label] = tf.tidy(() => op().flatMap((y) => Array.from(y.dataSync())));
  }
}

/** Counts the jobs of the active backend's pool. */
function counted(jobs: Isolated['jobs'], backend: 'cpu' | 'wasm'): number | undefined {
  const pool = poolFor(heapOf(tf.backend()));
  if (!pool) return undefined;
  const { run } = pool;
  pool.run = (...args) => {
    jobs[backend]++;
    return run(...args);
  };
  return pool.threads();
}

export async function run(): Promise<Isolated> {
  setWasmPaths('/wasm/');
  install();
  const results: Results = {};
  await resultsOn('cpu', results, 'cpu');
  await resultsOn('wasm', results, 'wasm');
  await setThreads({ threads: 2, leastWork: 1 }, heapOf(tf.backend()));
  const [jobs, pools]: [Isolated['jobs'], Isolated['pools']] = [{ cpu: 0, wasm: 0 }, {}];
  pools.wasm = counted(jobs, 'wasm');
  await resultsOn('wasm', results, 'wasm, two threads');
  await tf.setBackend('cpu');
  pools.cpu = counted(jobs, 'cpu');
  await resultsOn('cpu', results, 'cpu, two threads');
  const { wasm } = backendInfo();
  return { isolated: crossOriginIsolated, threads: getThreadsCount(), wasm, results, pools, jobs };
}

declare const send: (message: { message: Isolated } | { done: true }) => Promise<unknown>;
void run().then(async (result) => {
  await send({ message: result });
  await send({ done: true });
});

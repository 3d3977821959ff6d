/**
 * A program for a process of its own: tfjs's wasm backend starts once. It plays the scene that its argument names, and prints what it
 * finds as JSON in its last line. Then it must end by itself.
 */
import os from 'node:os';
import { Worker, workerData } from 'node:worker_threads';
import * as tf from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-core/dist/register_all_gradients.js';
import '@tensorflow/tfjs-backend-cpu';
import * as wasm from '@tensorflow/tfjs-backend-wasm';
import { heapOf } from '../../kernels/runtime/tensors.js';
import { poolFor, setThreads } from '../../kernels/runtime/threads/threads.js';
import { backendInfo, configure, install, startSharedWasm } from '../../src/index.js';
import { floats } from '../../src/verify/data.js';
import { threadedOps } from './threaded_ops.js';

const FLAG = 'WASM_HAS_MULTITHREAD_SUPPORT';

wasm.setWasmPaths('node_modules/@tensorflow/tfjs-backend-wasm/dist/');

/** Kernels of tfjs alone. */
const OF_TFJS: ReturnType<typeof threadedOps> = {
  relu: () => [tf.relu(fractions([7, 301]))],
  add: () => [tf.add(fractions([7, 301]), fractions([301], 2))],
  softmax: () => [tf.softmax(fractions([7, 301]))],
  sum: () => [tf.sum(fractions([70, 301]), 1)],
  transpose: () => [tf.transpose(fractions([70, 301]))],
  'conv2d of tfjs': () => [
    tf.conv2d(
      fractions([2, 30, 31, 8]) as tf.Tensor4D,
      fractions([3, 3, 8, 12], 2) as tf.Tensor4D,
      1,
      'same',
    ),
  ],
  'matMul of tfjs': () => [tf.matMul(fractions([40, 70]), fractions([70, 50], 2))],
};

function fractions(shape: number[], seed = 1): tf.Tensor {
  return tf.tensor(Float32Array.from(floats(tf.util.sizeFromShape(shape), seed)), shape);
}

/** The bits of all results, by the names of the ops. */
function bitsOf(ops: ReturnType<typeof threadedOps>): Record<string, string[]> {
  const bits = (y: tf.Tensor) => Buffer.from((y.dataSync() as Float32Array).buffer).toString('base64');
  return Object.fromEntries(Object.entries(ops).map(([name, op]) => [name, tf.tidy(() => op().map(bits))]));
}

/** By tfjs alone, and with the plugin. */
function results(): Results {
  const builtin = bitsOf(OF_TFJS);
  const { uninstall } = install();
  const plugin = bitsOf(threadedOps(floats));
  uninstall();
  return { ...builtin, ...plugin };
}

/** What startSharedWasm() may not change for good. */
async function surroundings(): Promise<Surroundings> {
  const { value, get } = Object.getOwnPropertyDescriptor(globalThis, 'Worker') ?? {};
  const worker = get ? 'a getter' : value === undefined ? 'none' : String(value);
  return { worker, flag: await tf.env().getAsync(FLAG), backend: tf.getBackend(), sum: sum() };
}

/** Whether the current backend computes. */
function sum(): number | string {
  if (!tf.getBackend()) return 'there is no backend';
  try {
    return tf.tidy(() => tf.add(1, 2).dataSync()[0]);
  } catch (error) {
    return (error as Error).message;
  }
}

const isShared = () =>
  Object.prototype.toString.call(heapOf(tf.backend())?.memory.buffer) === '[object SharedArrayBuffer]';

/** Tries to start, and tells what is so before and after. */
async function attempt(start: () => Promise<unknown> = () => startSharedWasm(wasm)): Promise<Attempt> {
  const before = await surroundings();
  const error = await start().then(
    () => undefined,
    (error: Error) => error.message,
  );
  const started = 'wasm' in tf.engine().registry;
  return { before, error, after: await surroundings(), started, isShared: started && isShared() };
}

/** An attempt that fails, and what setBackend() does then. */
async function failing(
  start?: () => Promise<unknown>,
): Promise<Attempt & { later: boolean; sum: number | string }> {
  const failed = await attempt(start);
  return { ...failed, later: await tf.setBackend('wasm'), sum: sum() };
}

function replaceFactory(factory: () => Promise<tf.KernelBackend>): void {
  tf.removeBackend('wasm');
  tf.registerBackend('wasm', factory);
}

const SCENES = {
  async plain() {
    await tf.setBackend('wasm');
    return { isShared: isShared(), results: results() };
  },

  async shared() {
    await startSharedWasm(wasm);
    await configure({ threads: 3 });
    const [info, ofTfjs] = [backendInfo(), wasm.getThreadsCount()];
    const { memory } = heapOf(tf.backend())!;
    const pool = {
      threads: poolFor(heapOf(tf.backend()))?.threads(),
      isHere: poolFor(heapOf(tf.backend()))?.memory === memory,
    };
    const configured = results();
    // All work is shared out now, however little it is.
    await setThreads({ threads: 3, leastWork: 1 }, heapOf(tf.backend()));
    const own = poolFor(heapOf(tf.backend()))!;
    const { run } = own;
    let jobs = 0;
    own.run = (...args) => {
      jobs++;
      return run(...args);
    };
    const before = tf.memory();
    const data = tf.engine().backend.numDataIds();
    const all = results();
    const leaks = tf.engine().backend.numDataIds() - data;
    return {
      ...{ isShared: isShared(), info, ofTfjs, pool, configured, results: all, jobs },
      memory: [before, tf.memory()],
      leaks,
    };
  },

  start: () => attempt(),

  /** There is a Worker already, as a value or as a getter. */
  async workerBefore() {
    Object.defineProperty(globalThis, 'Worker', { value: 'mine', configurable: true, writable: true });
    return attempt();
  },
  async getterBefore() {
    Object.defineProperty(globalThis, 'Worker', { get: () => 'mine', configurable: true });
    return attempt();
  },
  async flagBefore() {
    tf.env().set(FLAG, true);
    return attempt();
  },

  async refused() {
    const errors: (string | undefined)[] = [];
    const refuse = async (wasm: unknown) =>
      errors.push((await attempt(() => startSharedWasm(wasm as never))).error);
    for (const other of [undefined, null, {}, 'wasm', tf.setBackend, [1]]) await refuse(other);
    tf.removeBackend('wasm');
    await refuse(wasm);
    return errors;
  },

  async tooLate() {
    await tf.setBackend('wasm');
    await tf.setBackend('cpu');
    return attempt();
  },

  async twice() {
    const first = await attempt();
    const backend = tf.backend();
    await tf.setBackend('cpu');
    const second = await attempt();
    return { first, second, same: tf.backend() === backend };
  },

  sideBySide: () =>
    attempt(() => Promise.all([startSharedWasm(wasm), startSharedWasm(wasm), startSharedWasm(wasm)])),

  /** setBackend() is under way. */
  async amidStart() {
    const other = tf.setBackend('wasm');
    await startSharedWasm(wasm);
    return { other: await other, isShared: isShared(), sum: sum() };
  },

  /** Threads are asked for while the stand-in of Worker is there. */
  async threadsAmidStart() {
    const start = startSharedWasm(wasm);
    await tf.env().getAsync('WASM_HAS_MULTITHREAD_SUPPORT');
    const isThere = 'Worker' in globalThis;
    await Promise.all([start, configure({ threads: 2 })]);
    return { isThere, ...backendInfo().threads };
  },

  async noBackendBefore() {
    tf.removeBackend('cpu');
    tf.env().set('WASM_HAS_SIMD_SUPPORT', false);
    return failing();
  },

  async noSimd() {
    tf.env().set('WASM_HAS_SIMD_SUPPORT', false);
    const first = await attempt();
    return { first, ...(await failing()) };
  },

  noFile() {
    wasm.setWasmPaths('/nowhere/');
    return attempt();
  },

  factoryFails: () => {
    const factory = tf.findBackendFactory('wasm') as () => Promise<tf.KernelBackend>;
    let calls = 0;
    replaceFactory(() => (calls++ === 0 ? Promise.reject(new Error('bad luck')) : factory()));
    return failing();
  },

  /** A kernel's setup throws, once the backend has started. */
  setupThrows: () => {
    let calls = 0;
    const setupFunc = () => {
      if (calls++ === 0) throw new Error('bad luck');
    };
    tf.registerKernel({ kernelName: 'Mine', backendName: 'wasm', kernelFunc: () => [], setupFunc });
    return failing();
  },

  neverStarts: () => {
    const factory = tf.findBackendFactory('wasm') as () => Promise<tf.KernelBackend>;
    let calls = 0;
    replaceFactory(() => (calls++ === 0 ? new Promise(() => undefined) : factory()));
    const { setTimeout: original } = globalThis;
    const soon = (done: () => void, milliseconds: number) => original(done, milliseconds / 1000);
    return failing(async () => {
      globalThis.setTimeout = soon as typeof setTimeout;
      try {
        await startSharedWasm(wasm);
      } finally {
        globalThis.setTimeout = original;
      }
    });
  },

  /** As in a page that is not cross-origin isolated. */
  async elsewhere() {
    await tf.env().getAsync(FLAG);
    tf.env().set('IS_NODE', false);
    return attempt();
  },
  async failsElsewhere() {
    tf.env().set('IS_NODE', false);
    replaceFactory(() => Promise.reject(new Error('bad luck')));
    const error = await startSharedWasm(wasm).catch((error: Error) => error.message);
    return { error };
  },
};

interface Surroundings {
  worker: string;
  flag: unknown;
  backend: string;
  sum: number | string;
}
export interface Attempt {
  before: Surroundings;
  error?: string;
  after: Surroundings;
  started: boolean;
  isShared: boolean;
}
type Results = Record<string, string[]>;
export type Scenes = { [Name in keyof typeof SCENES]: Awaited<ReturnType<(typeof SCENES)[Name]>> };

async function main(scene: keyof Scenes): Promise<void> {
  os.cpus = () => Array(16).fill({}); // with four or more, tfjs would take threads of its own
  await tf.setBackend('cpu');
  console.log(JSON.stringify(await SCENES[scene]()));
}

const [, file, scene, where] = process.argv;
if (where === 'worker' && !workerData) new Worker(file, { argv: [scene, where], workerData: 'worker' });
else void main(scene as keyof Scenes);

/**
 * Runs in a page that is cross-origin isolated, where tfjs's wasm backend takes its build with threads, whose memory is shared. Gives
 * the results of the plugin there, and on cpu.
 */
import * as tf from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-core/dist/register_all_gradients.js';
import '@tensorflow/tfjs-backend-cpu';
import { getThreadsCount, setWasmPaths } from '@tensorflow/tfjs-backend-wasm';
import { sizeOf } from '../../kernels/geometry.js';
import { backendInfo, type BackendInfo, install } from '../../src/index.js';
import { integers } from '../../src/verify/data.js';

export interface Isolated {
  isolated: boolean;
  threads: number;
  wasm: BackendInfo['wasm'];
  /** Name of an op -> results on cpu and on wasm. */
  results: Record<string, { cpu: number[]; wasm: number[] }>;
}

type T4 = tf.Tensor4D;
const numbers = (seed: number, shape: [number, number, number, number]) =>
  tf.tensor4d(Float32Array.from(integers(sizeOf(shape), seed)), shape);
const sumOf = (y: tf.Tensor) => tf.sum(y) as tf.Scalar;

/** Each is large enough for the WebAssembly kernels. Whole numbers are exact. */
const OPS: Record<string, () => tf.Tensor[]> = {
  conv2d: () => [tf.conv2d(numbers(1, [1, 20, 21, 8]), numbers(2, [3, 3, 8, 12]), 2, 'same')],
  'conv2d by Winograd': () => [tf.conv2d(numbers(1, [1, 24, 24, 16]), numbers(2, [3, 3, 16, 16]), 1, 'same')],
  'conv2d 1x1': () => [tf.conv2d(numbers(1, [2, 12, 12, 16]), numbers(2, [1, 1, 16, 24]), 1, 'same')],
  'gradients of conv2d': () =>
    tf.grads((x, filter) => sumOf(tf.square(tf.conv2d(x as T4, filter as T4, 1, 'same'))))([
      numbers(1, [2, 14, 15, 4]),
      numbers(2, [3, 3, 4, 8]),
    ]),
  maxPool: () => [tf.maxPool(numbers(1, [2, 24, 25, 8]), 3, 2, 'same')],
  'gradient of maxPool': () => [
    tf.grad((x) => sumOf(tf.square(tf.maxPool(x as T4, 3, 2, 'same'))))(numbers(1, [2, 24, 25, 8])),
  ],
  'gradient of avgPool': () => [
    tf.grad((x) => sumOf(tf.avgPool(x as T4, 2, 2, 'same')))(numbers(1, [2, 24, 25, 8])),
  ],
};

export async function run(): Promise<Isolated> {
  setWasmPaths('/wasm/');
  install();
  const results: Isolated['results'] = {};
  for (const backend of ['cpu', 'wasm'] as const) {
    if (!(await tf.setBackend(backend))) throw new Error(`${backend} does not start`);
    for (const [name, op] of Object.entries(OPS)) {
      results[name] ??= { cpu: [], wasm: [] };
      results[name][backend] = tf.tidy(() => op().flatMap((y) => Array.from(y.dataSync())));
    }
  }
  return { isolated: crossOriginIsolated, threads: getThreadsCount(), wasm: backendInfo().wasm, results };
}

declare const send: (message: { message: Isolated } | { done: true }) => Promise<unknown>;
void run().then(async (result) => {
  await send({ message: result });
  await send({ done: true });
});

/**
 * Functions that have right gradients, but are hard for differences: many kinks within every step, waves shorter than steps,
 * jumps, a pole, underflow. The checker may say 'unsure' for them, but must never say 'wrong'.
 */
import * as tf from '@tensorflow/tfjs-core';
import type { OpCase } from './ops.js';

type T2 = tf.Tensor2D;

const normal = (...shapes: number[][]) => (seed: number) =>
  shapes.map((shape, i) => tf.randomNormal(shape, 0, 1, 'float32', 1 + 100 * seed + i)); // prettier-ignore
const uniform = (low: number, high: number, shape: number[]) => (seed: number) => [
  tf.randomUniform(shape, low, high, 'float32', 1 + 100 * seed),
];
const waves = (frequency: number): OpCase => ({
  name: `sin(${frequency} x)`,
  f: (x: tf.Tensor) => tf.sin(tf.mul(x, frequency)),
  inputs: uniform(-1, 1, [5]),
});

/** The mean square of two dense layers with relu between them. */
export const network = (relu: (x: tf.Tensor) => tf.Tensor) => (x: T2, a: T2, b: T2) =>
  tf.mean(tf.square(tf.matMul(relu(tf.matMul(x, a)), b)));

/** For webgl, where each element takes dozens of round trips to the GPU. */
export const smallNetworkInputs = normal([4, 5], [5, 6], [6, 2]);

export const roughCases: readonly OpCase[] = [
  { name: 'network with relu', f: network(tf.relu), inputs: normal([8, 10], [10, 20], [20, 3]) },
  {
    name: 'sum(leakyRelu(x)), 600 x',
    f: (x: tf.Tensor) => tf.sum(tf.leakyRelu(x, 0.1)),
    inputs: normal([600]),
  },
  {
    name: 'sum(clipByValue(x)), 1000 x',
    f: (x: tf.Tensor) => tf.sum(tf.clipByValue(x, -0.5, 0.5)),
    inputs: uniform(-1, 1, [1000]),
  },
  {
    name: 'losses.absoluteDifference, 500',
    f: (x: tf.Tensor, y: tf.Tensor) => tf.losses.absoluteDifference(y, x),
    inputs: normal([500], [500]),
  },
  ...[300, 1000, 5000, 1e6].map(waves),
  {
    name: '4 x (1 - x), 12 times',
    f: (x: tf.Tensor) =>
      Array.from({ length: 12 }).reduce<tf.Tensor>((y) => tf.mul(4, tf.mul(y, tf.sub(1, y))), x),
    inputs: uniform(0.1, 0.9, [4]),
  },
  {
    name: '1000 x - floor(1000 x)',
    f: (x: tf.Tensor) => tf.sub(tf.mul(x, 1000), tf.floor(tf.mul(x, 1000))),
    inputs: uniform(-1, 1, [4]),
  },
  {
    name: '1 / x, far nearer to 0 than 1',
    f: (x: tf.Tensor) => tf.reciprocal(tf.sub(x, 0.499)),
    inputs: uniform(0.4995, 0.5005, [2]),
  },
  { name: 'x^2, which underflows', f: (x: tf.Tensor) => tf.square(x), inputs: uniform(1e-30, 2e-30, [3]) },
];

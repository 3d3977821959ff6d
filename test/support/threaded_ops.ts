/** Ops of tfjs that the plugin shares out among threads, in memory that is shared. Each is large enough for the WebAssembly kernels. */
import * as tf from '@tensorflow/tfjs-core';

type T4 = tf.Tensor4D;
type Shape4 = [number, number, number, number];

const sumOf = (y: tf.Tensor) => tf.sum(y) as tf.Scalar;

/** @param values of a size, for a seed */
export function threadedOps(
  values: (size: number, seed: number) => ArrayLike<number>,
): Record<string, () => tf.Tensor[]> {
  const numbers = (seed: number, shape: Shape4) =>
    tf.tensor4d(Float32Array.from(values(tf.util.sizeFromShape(shape), seed)), shape);
  const matrix = (seed: number, shape: [number, number]) =>
    tf.reshape(numbers(seed, [1, 1, ...shape]), shape);
  return {
    conv2d: () => [tf.conv2d(numbers(1, [1, 20, 21, 8]), numbers(2, [3, 3, 8, 12]), 2, 'same')],
    'conv2d by Winograd': () => [
      tf.conv2d(numbers(1, [1, 24, 24, 16]), numbers(2, [3, 3, 16, 16]), 1, 'same'),
    ],
    'conv2d 1x1': () => [tf.conv2d(numbers(1, [2, 12, 12, 16]), numbers(2, [1, 1, 16, 24]), 1, 'same')],
    'gradients of conv2d': () =>
      tf.grads((x, filter) => sumOf(tf.square(tf.conv2d(x as T4, filter as T4, 1, 'same'))))([
        numbers(1, [2, 14, 15, 4]),
        numbers(2, [3, 3, 4, 8]),
      ]),
    depthwiseConv2d: () => [
      tf.depthwiseConv2d(numbers(1, [2, 20, 20, 24]), numbers(2, [3, 3, 24, 1]), 1, 'same'),
    ],
    'gradients of depthwiseConv2d': () =>
      tf.grads((x, filter) => sumOf(tf.square(tf.depthwiseConv2d(x as T4, filter as T4, 1, 'same'))))([
        numbers(1, [2, 14, 15, 8]),
        numbers(2, [3, 3, 8, 1]),
      ]),
    maxPool: () => [tf.maxPool(numbers(1, [2, 24, 25, 8]), 3, 2, 'same')],
    'gradient of maxPool': () => [
      tf.grad((x) => sumOf(tf.square(tf.maxPool(x as T4, 3, 2, 'same'))))(numbers(1, [2, 24, 25, 8])),
    ],
    'gradient of avgPool': () => [
      tf.grad((x) => sumOf(tf.avgPool(x as T4, 2, 2, 'same')))(numbers(1, [2, 24, 25, 8])),
    ],
    matMul: () => [tf.matMul(matrix(1, [40, 70]), matrix(2, [70, 50]))],
    'gradients of matMul': () =>
      tf.grads((a, b) => sumOf(tf.square(tf.matMul(a, b))))([matrix(1, [40, 70]), matrix(2, [70, 50])]),
  };
}

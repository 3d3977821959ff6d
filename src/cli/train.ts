/**
 * Worked example C: a whole CNN and its backward pass, on 28x28 digits. Seeded weights and batches in a fixed order:
 * two runs see the same numbers, so that their losses can be compared step by step whatever kernels compute them.
 */
import * as tf from '@tensorflow/tfjs-core';
import * as layers from '@tensorflow/tfjs-layers';
import { SIDE, type Digits } from './mnist.js';

const CLASSES = 10;
const MOMENTUM = 0.9;
/** Decays fast, for a run of a few dozen steps; by the step alone, so that a shorter run sees the same rates. */
const learningRate = (step: number): number => 0.03 * 0.97 ** step;

export interface TrainOptions {
  steps: number;
  batch: number;
  digits: Digits;
  /** digits kept from training, on which the accuracy is measured at the end */
  heldOut?: Digits;
  seed: number;
  onStep?: (step: number, loss: number) => void;
}

export interface TrainResult {
  losses: number[];
  msPerStep: number[];
  /** share of the held-out digits that were recognized */
  accuracy?: number;
}

export async function train(options: TrainOptions): Promise<TrainResult> {
  const { steps, batch, digits, heldOut, seed, onStep } = options;
  if (steps * batch > digits.count)
    throw new Error(`${steps} batches of ${batch} need more than ${digits.count} digits`);
  const optimizer = tf.train.momentum(learningRate(0), MOMENTUM);
  const model = cnn(seed);
  model.compile({ optimizer, loss: 'categoricalCrossentropy' });
  const result: TrainResult = { losses: [], msPerStep: [] };
  for (let step = 0; step < steps; step++) {
    const [x, y] = batchOf(digits, step * batch, batch);
    optimizer.setLearningRate(learningRate(step));
    const start = performance.now();
    const loss = (await model.trainOnBatch(x, y)) as number;
    result.msPerStep.push(performance.now() - start);
    result.losses.push(loss);
    tf.dispose([x, y]);
    onStep?.(step, loss);
  }
  if (heldOut) result.accuracy = accuracy(model, heldOut);
  model.dispose();
  optimizer.dispose();
  tf.SGDOptimizer.prototype.dispose.call(optimizer); // the learning rate, which momentum's own dispose forgets
  return result;
}

/** (28, 28, 1) -> (28, 28, 32) -> (14, 14, 32) -> 6272 -> 512 -> 10 */
function cnn(seed: number): layers.Sequential {
  const initializer = (offset: number) => layers.initializers.heNormal({ seed: seed + offset });
  return layers.sequential({
    layers: [
      layers.layers.conv2d({
        inputShape: [SIDE, SIDE, 1],
        filters: 32,
        kernelSize: 3,
        padding: 'same',
        activation: 'relu',
        kernelInitializer: initializer(0),
      }),
      layers.layers.maxPooling2d({ poolSize: 2 }),
      layers.layers.flatten(),
      layers.layers.dense({ units: 512, activation: 'relu', kernelInitializer: initializer(1) }),
      layers.layers.dense({ units: CLASSES, activation: 'softmax', kernelInitializer: initializer(2) }),
    ],
  });
}

function batchOf(digits: Digits, from: number, batch: number): [tf.Tensor, tf.Tensor] {
  const images = digits.images.subarray(from * SIDE * SIDE, (from + batch) * SIDE * SIDE);
  const labels = digits.labels.subarray(from, from + batch);
  return [
    tf.tensor4d(images, [batch, SIDE, SIDE, 1]),
    tf.tidy(() => tf.oneHot(tf.tensor1d(labels, 'int32'), CLASSES)),
  ];
}

function accuracy(model: layers.Sequential, { images, labels, count }: Digits): number {
  const predicted = tf.tidy(() => {
    const x = tf.tensor4d(images, [count, SIDE, SIDE, 1]);
    return tf.argMax(model.predict(x) as tf.Tensor, 1).dataSync();
  });
  return labels.filter((label, i) => label === predicted[i]).length / count;
}

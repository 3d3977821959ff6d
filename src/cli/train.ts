/**
 * Worked example C: a whole CNN and its backward pass, on 28x28 digits. Weights are seeded, and batches have a fixed
 * order. So two runs see the same numbers: whatever kernels compute the losses, they can be compared step by step.
 */
import * as tf from '@tensorflow/tfjs-core';
import * as layers from '@tensorflow/tfjs-layers';
import { type KernelTime, timeByKernel } from './by-kernel.js';
import { SIDE, type Digits } from './mnist.js';

const CLASSES = 10;
const MOMENTUM = 0.9;
/** Decays fast, for a few dozen steps. It depends on the step alone, so that a shorter run has the same rates. */
const learningRate = (step: number): number => 0.03 * 0.97 ** step;

export interface TrainOptions {
  steps: number;
  batch: number;
  digits: Digits;
  /** Digits that are not trained on. At the end the accuracy is measured on them. */
  heldOut?: Digits;
  seed: number;
  onStep?: (step: number, loss: number) => void;
}

export interface TrainResult {
  losses: number[];
  msPerStep: number[];
  /** Where the time of one more step went. */
  kernels: KernelTime[];
  /** Share of the held-out digits that were recognized. */
  accuracy?: number;
}

export async function train(options: TrainOptions): Promise<TrainResult> {
  const { steps, batch, digits, heldOut, seed, onStep } = options;
  if (steps * batch > digits.count)
    throw new Error(
      `steps * batch is ${steps} * ${batch}, but it must be at most ${digits.count}, the number of digits.`,
    );
  const trainer = trainerOf(digits, batch, seed);
  const result: TrainResult = { losses: [], msPerStep: [], kernels: [] };
  for (let step = 0; step < steps; step++) {
    const start = performance.now();
    const loss = await trainer.step(step);
    result.msPerStep.push(performance.now() - start);
    result.losses.push(loss);
    onStep?.(step, loss);
  }
  if (heldOut) result.accuracy = trainer.accuracy(heldOut);
  result.kernels = await timeByKernel(() => trainer.step(0));
  trainer.dispose();
  return result;
}

/** The CNN and its optimizer. Their start depends on the seed alone. */
interface Trainer {
  /** Trains on batch number `step`, and resolves to the loss. */
  step(step: number): Promise<number>;
  accuracy(heldOut: Digits): number;
  dispose(): void;
}

export function trainerOf(digits: Digits, batch: number, seed: number): Trainer {
  const optimizer = tf.train.momentum(learningRate(0), MOMENTUM);
  const model = cnn(seed);
  model.compile({ optimizer, loss: 'categoricalCrossentropy' });
  return {
    async step(step) {
      const [x, y] = batchOf(digits, step * batch, batch);
      optimizer.setLearningRate(learningRate(step));
      try {
        return (await model.trainOnBatch(x, y)) as number;
      } finally {
        tf.dispose([x, y]);
      }
    },
    accuracy: (heldOut) => accuracy(model, heldOut),
    dispose() {
      model.dispose();
      optimizer.dispose();
      tf.SGDOptimizer.prototype.dispose.call(optimizer); // disposes of the learning rate; momentum's own forgets it
    },
  };
}

/** [28, 28, 1] -> [28, 28, 32] -> [14, 14, 32] -> [6272] -> [512] -> [10] */
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

/**
 * Trains a model of tf.layers with grouped convolutions in Node, saves it to files, loads it again and predicts with it.
 *
 * An image has two channels. Each shows stripes, either across or down, and noise. The class says how the stripes lie in both: 0 to 3.
 * With two groups, each channel gets filters of its own.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-backend-cpu';
import { initializers, layers, loadLayersModel, sequential } from '@tensorflow/tfjs-layers';
import { averagePooling2d, conv2d } from 'tfjs-convgrad/layers';

await tf.setBackend('cpu');

const SIZE = 12;
const random = randomNumbers(1);
const train = stripes(128);
const test = stripes(64);

const kernelInitializer = (seed) => initializers.heNormal({ seed });
const model = sequential({
  layers: [
    conv2d({
      name: 'grouped',
      filters: 8,
      kernelSize: 3,
      groups: 2,
      padding: [[1, 1], [1, 1]], // prettier-ignore
      activation: 'relu',
      kernelInitializer: kernelInitializer(1),
      inputShape: [SIZE, SIZE, 2],
    }),
    conv2d({
      name: 'halved',
      filters: 8,
      kernelSize: 3,
      groups: 2,
      strides: 2,
      dilationRate: 2,
      padding: 2,
      activation: 'relu',
      kernelInitializer: kernelInitializer(2),
    }),
    averagePooling2d({ name: 'pooled', poolSize: 3, padding: 1, countIncludePad: true }),
    layers.flatten(),
    layers.dense({ units: 4, activation: 'softmax', kernelInitializer: kernelInitializer(3) }),
  ],
});
model.summary();
model.compile({ optimizer: tf.train.adam(0.01), loss: 'categoricalCrossentropy', metrics: ['accuracy'] });
await model.fit(train.x, train.y, {
  epochs: 8,
  shuffle: false,
  verbose: 0,
  callbacks: {
    onEpochEnd: (epoch, { loss, acc }) =>
      console.log(`epoch ${epoch + 1}  loss ${loss.toFixed(4)}  accuracy ${percent(acc)}`),
  },
});

const folder = mkdtempSync(join(tmpdir(), 'layers-groups-'));
await model.save(toFiles(folder));
const loaded = await loadLayersModel(fromFiles(folder));
rmSync(folder, { recursive: true });

const [before, after] = [model, loaded].map((m) => m.predict(test.x));
const isSame = before.dataSync().every((value, i) => value === after.dataSync()[i]);
const accuracy = tf
  .mean(tf.cast(tf.equal(tf.argMax(after, 1), tf.argMax(test.y, 1)), 'float32'))
  .dataSync()[0];
console.log(`accuracy of the loaded model on ${test.x.shape[0]} other images: ${percent(accuracy)}`);
console.log(isSame ? 'It predicts what the saved model did.' : 'It predicts something else.');
if (!isSame || accuracy < 0.9) process.exitCode = 1;

/** Images and their classes, one-hot. */
function stripes(count) {
  const pixels = new Float32Array(count * SIZE * SIZE * 2);
  const classes = new Int32Array(count);
  for (let i = 0, at = 0; i < count; i++) {
    const isDown = [random() < 0.5, random() < 0.5];
    const start = Math.floor(4 * random());
    classes[i] = 2 * Number(isDown[0]) + Number(isDown[1]);
    for (let row = 0; row < SIZE; row++) {
      for (let col = 0; col < SIZE; col++) {
        for (const down of isDown) {
          const isStripe = (start + (down ? col : row)) % 4 < 2;
          pixels[at++] = Number(isStripe) + random() - 1;
        }
      }
    }
  }
  return {
    x: tf.tensor4d(pixels, [count, SIZE, SIZE, 2]),
    y: tf.oneHot(tf.tensor1d(classes, 'int32'), 4),
  };
}

/** The files that tf.loadLayersModel('model.json') reads in a browser: model.json and weights.bin. */
function toFiles(folder) {
  return tf.io.withSaveHandler(async (artifacts) => {
    const { modelTopology, weightSpecs, weightData, format, generatedBy, convertedBy } = artifacts;
    const weightsManifest = [{ paths: ['weights.bin'], weights: weightSpecs }];
    const json = { modelTopology, format, generatedBy, convertedBy, weightsManifest };
    writeFileSync(join(folder, 'model.json'), JSON.stringify(json));
    writeFileSync(join(folder, 'weights.bin'), new Uint8Array(tf.io.CompositeArrayBuffer.join(weightData)));
    return { modelArtifactsInfo: tf.io.getModelArtifactsInfoForJSON(artifacts) };
  });
}

function fromFiles(folder) {
  const { modelTopology, weightsManifest } = JSON.parse(readFileSync(join(folder, 'model.json'), 'utf8'));
  const weightData = Uint8Array.from(readFileSync(join(folder, 'weights.bin'))).buffer;
  return tf.io.fromMemory({ modelTopology, weightSpecs: weightsManifest[0].weights, weightData });
}

/** Numbers from 0 to 1, the same in every run. */
function randomNumbers(seed) {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

function percent(share) {
  return `${(100 * share).toFixed(1)}%`;
}

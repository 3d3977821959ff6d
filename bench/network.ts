/**
 * `npm run bench:network`: times a training step and a prediction of a small CNN in Node, on cpu and wasm, with tfjs's own kernels
 * and with the plugin's.
 *
 *   28x28x1 -> 3x3 conv 32, relu -> max pool 2 -> 3x3 conv 64, relu -> max pool 2 -> dense 128, relu -> dense 10, softmax
 *
 * The times are medians in milliseconds, for batches of 32. The losses of the first steps are compared before anything is timed.
 */
import { cpus } from 'node:os';
import * as tf from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-backend-cpu';
import '@tensorflow/tfjs-backend-wasm';
import * as tfl from '@tensorflow/tfjs-layers';
import { install } from '../src/index.js';
import { integers } from '../src/verify/data.js';
import { median } from '../src/verify/time.js';

const BATCH = 32;
const RUNS = 9;
/** If the first run takes more milliseconds than this, there are three runs. */
const PATIENCE = 2000;

function network(): tfl.Sequential {
  const { conv2d, maxPooling2d, flatten, dense } = tfl.layers;
  const seeded = (seed: number) => tfl.initializers.glorotNormal({ seed });
  const model = tfl.sequential({
    layers: [
      conv2d({ inputShape: [28, 28, 1], filters: 32, kernelSize: 3, padding: 'same', activation: 'relu', kernelInitializer: seeded(1) }), // prettier-ignore
      maxPooling2d({ poolSize: 2 }),
      conv2d({
        filters: 64,
        kernelSize: 3,
        padding: 'same',
        activation: 'relu',
        kernelInitializer: seeded(2),
      }),
      maxPooling2d({ poolSize: 2 }),
      flatten(),
      dense({ units: 128, activation: 'relu', kernelInitializer: seeded(3) }),
      dense({ units: 10, activation: 'softmax', kernelInitializer: seeded(4) }),
    ],
  });
  model.compile({ optimizer: tf.train.sgd(0.01), loss: 'categoricalCrossentropy' });
  return model;
}

interface Row {
  backend: string;
  plugin: boolean;
  /** Of the first steps; undefined if tfjs cannot train there. */
  losses?: number[];
  step?: number;
  prediction: number;
}

async function measure(backend: string, plugin: boolean): Promise<Row> {
  await tf.setBackend(backend);
  const installation = plugin ? install() : undefined;
  const model = network();
  const x = tf.tensor4d(Float32Array.from(integers(BATCH * 28 * 28, 1)), [BATCH, 28, 28, 1]);
  const labels = Array.from({ length: BATCH }, (_, i) => i % 10);
  const y = tf.oneHot(tf.tensor1d(labels, 'int32'), 10);
  const step = async () => (await model.trainOnBatch(x, y)) as number;
  const losses = await twice(step).catch(() => undefined); // on wasm, tfjs cannot train
  const row = {
    backend,
    plugin,
    losses,
    step: losses && (await timed(step)),
    prediction: await timed(async () => {
      const result = model.predict(x) as tf.Tensor;
      await result.data();
      result.dispose();
    }),
  };
  installation?.uninstall();
  return row;
}

async function twice(step: () => Promise<number>): Promise<number[]> {
  return [await step(), await step()];
}

async function timed(run: () => Promise<unknown>): Promise<number> {
  const times: number[] = [];
  while (times.length < (times[0] > PATIENCE ? 3 : RUNS)) {
    const start = performance.now();
    await run();
    times.push(performance.now() - start);
  }
  return median(times);
}

const rows: Row[] = [];
for (const backend of ['cpu', 'wasm']) {
  for (const plugin of [false, true]) rows.push(await measure(backend, plugin));
}
const [first, ...others] = rows.flatMap(({ losses }) => (losses ? [losses] : []));
for (const losses of others) {
  if (losses.some((loss, i) => Math.abs(loss - first[i]) > 1e-4 * Math.abs(first[i])))
    throw new Error(`The losses of the first steps differ: ${first} and ${losses}.`);
}
console.log(`${cpus()[0].model}, Node ${process.version}, tfjs ${tf.version_core}; milliseconds.

| backend | plugin | training step | prediction |
| ------- | ------ | ------------: | ---------: |
${rows.map(({ backend, plugin, step, prediction }) => `| \`${backend}\` | ${plugin ? 'yes' : 'no'} | ${step?.toFixed(0) ?? 'throws'} | ${prediction.toFixed(0)} |`).join('\n')}`);

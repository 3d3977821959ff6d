/**
 * Whole CNNs, and how a training step and a prediction of each are timed, in Node or in a browser: on cpu and wasm, with tfjs's own
 * kernels and with the plugin's. The variants alternate. Predictions and the losses of the first steps are compared before anything
 * is timed.
 */
import * as tf from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-backend-cpu';
import '@tensorflow/tfjs-backend-wasm';
import * as tfl from '@tensorflow/tfjs-layers';
import { sizeOf } from '../kernels/geometry.js';
import { install } from '../src/index.js';
import { integers } from '../src/verify/data.js';
import { compare } from '../src/verify/exact.js';
import { median } from '../src/verify/time.js';

interface Network {
  name: string;
  /** [batch, height, width, channels] of the input. The output has ten classes. */
  input: [number, number, number, number];
  apply(x: tfl.SymbolicTensor, layer: Layers): tfl.SymbolicTensor;
  /** tfjs's own kernels on cpu would take minutes for a step. */
  isLarge?: boolean;
}

/** Layers with weights that are the same in every variant. */
interface Layers {
  conv(filters: number, kernelSize: number, options?: object): Layer;
  depthwise(kernelSize: number, options?: object): Layer;
  dense(units: number, activation: 'relu' | 'softmax'): Layer;
  maxPool(): Layer;
  batchNorm(): Layer;
}
type Layer = (x: tfl.SymbolicTensor) => tfl.SymbolicTensor;

/** Filters and strides of the 13 blocks. */
const MOBILE_NET_V1 = [
  [64, 1],
  [128, 2],
  [128, 1],
  [256, 2],
  [256, 1],
  [512, 2],
  ...Array.from({ length: 5 }, () => [512, 1]),
  [1024, 2],
  [1024, 1],
];

export const NETWORKS: Network[] = [
  {
    name: 'LeNet, 28x28x1: convolution 3x3 (32), 2 dense layers (512, 10)',
    input: [32, 28, 28, 1],
    apply(x, { conv, maxPool, dense }) {
      x = maxPool()(conv(32, 3, { activation: 'relu' })(x));
      return dense(10, 'softmax')(dense(512, 'relu')(flat(x)));
    },
  },
  {
    name: 'small CNN, 28x28x1: 2 convolutions 3x3 (32, 64), 2 dense layers (128, 10)',
    input: [32, 28, 28, 1],
    apply(x, { conv, maxPool, dense }) {
      for (const filters of [32, 64]) x = maxPool()(conv(filters, 3, { activation: 'relu' })(x));
      return dense(10, 'softmax')(dense(128, 'relu')(flat(x)));
    },
  },
  {
    name: 'LeNet-5, 28x28x1',
    input: [32, 28, 28, 1],
    apply(x, { conv, maxPool, dense }) {
      x = maxPool()(conv(6, 5, { activation: 'relu' })(x));
      x = maxPool()(conv(16, 5, { activation: 'relu', padding: 'valid' })(x));
      return dense(10, 'softmax')(dense(84, 'relu')(dense(120, 'relu')(flat(x))));
    },
  },
  {
    name: 'VGG-like, 32x32x3: 7 convolutions 3x3 (64 to 256)',
    input: [8, 32, 32, 3],
    isLarge: true,
    apply(x, { conv, maxPool, dense }) {
      for (const block of [[64, 64], [128, 128], [256, 256, 256]]) {
        for (const filters of block) x = conv(filters, 3, { activation: 'relu' })(x);
        x = maxPool()(x);
      }
      return dense(10, 'softmax')(flat(x));
    }, // prettier-ignore
  },
  {
    name: 'ResNet-18, 64x64x3',
    input: [4, 64, 64, 3],
    isLarge: true,
    apply(x, { conv, batchNorm, maxPool, dense }) {
      const relu: Layer = (y) => tfl.layers.reLU().apply(y) as tfl.SymbolicTensor;
      const normed = (filters: number, size: number, strides: number): Layer => {
        const layer = conv(filters, size, { strides, useBias: false });
        return (y) => batchNorm()(layer(y));
      };
      x = maxPool()(relu(normed(64, 7, 2)(x)));
      for (const filters of [64, 128, 256, 512]) {
        for (const first of [true, false]) {
          const strides = first && filters > 64 ? 2 : 1;
          const branch = normed(filters, 3, 1)(relu(normed(filters, 3, strides)(x)));
          const shortcut = strides === 1 ? x : normed(filters, 1, strides)(x);
          x = relu(tfl.layers.add().apply([branch, shortcut]) as tfl.SymbolicTensor);
        }
      }
      const pooled = tfl.layers.globalAveragePooling2d({}).apply(x) as tfl.SymbolicTensor;
      return dense(10, 'softmax')(pooled);
    },
  },
  {
    name: 'MobileNetV1 0.5, 96x96x3',
    input: [4, 96, 96, 3],
    isLarge: true,
    apply(x, { conv, depthwise, batchNorm, dense }) {
      const normed = (layer: Layer): Layer => {
        const relu6 = tfl.layers.reLU({ maxValue: 6 });
        return (y) => relu6.apply(batchNorm()(layer(y))) as tfl.SymbolicTensor;
      };
      x = normed(conv(16, 3, { strides: 2, useBias: false }))(x);
      for (const [filters, strides] of MOBILE_NET_V1) {
        x = normed(depthwise(3, { strides, useBias: false }))(x);
        x = normed(conv(filters / 2, 1, { useBias: false }))(x);
      }
      return dense(10, 'softmax')(tfl.layers.globalAveragePooling2d({}).apply(x) as tfl.SymbolicTensor);
    },
  },
];

const flat: Layer = (x) => tfl.layers.flatten().apply(x) as tfl.SymbolicTensor;

export function modelOf({ input, apply }: Network): tfl.LayersModel {
  let seed = 0;
  const seeded = () => tfl.initializers.glorotNormal({ seed: ++seed });
  const of = (layer: tfl.layers.Layer): Layer => {
    return (x) => layer.apply(x) as tfl.SymbolicTensor;
  };
  const inputs = tfl.input({ shape: input.slice(1) });
  const outputs = apply(inputs, {
    conv: (filters, kernelSize, options) =>
      of(
        tfl.layers.conv2d({ filters, kernelSize, padding: 'same', kernelInitializer: seeded(), ...options }),
      ),
    depthwise: (kernelSize, options) =>
      of(
        tfl.layers.depthwiseConv2d({
          kernelSize,
          padding: 'same',
          depthwiseInitializer: seeded(),
          ...options,
        }),
      ),
    dense: (units, activation) => of(tfl.layers.dense({ units, activation, kernelInitializer: seeded() })),
    maxPool: () => of(tfl.layers.maxPooling2d({ poolSize: 2 })),
    batchNorm: () => of(tfl.layers.batchNormalization()),
  });
  const model = tfl.model({ inputs, outputs });
  model.compile({ optimizer: tf.train.sgd(0.001), loss: 'categoricalCrossentropy' });
  return model;
}

interface Variant {
  backend: string;
  plugin: boolean;
  /** Runs on the variant's backend and kernels. */
  within<T>(work: () => Promise<T>): Promise<T>;
  predict(): Promise<Float32Array>;
  step(): Promise<number>;
  predictions: number[];
  /** Empty if tfjs cannot train there. */
  steps: number[];
}

async function variantOf(network: Network, backend: string, plugin: boolean): Promise<Variant> {
  const within: Variant['within'] = async (work) => {
    await tf.setBackend(backend);
    const installation = plugin ? install() : undefined;
    try {
      return await work();
    } finally {
      installation?.uninstall();
    }
  };
  await tf.setBackend(backend);
  const model = modelOf(network);
  const x = tf.tensor(Float32Array.from(integers(sizeOf(network.input), 1)), network.input);
  const labels = Array.from({ length: network.input[0] }, (_, i) => i % 10);
  const y = tf.oneHot(tf.tensor1d(labels, 'int32'), 10);
  const predict = async () => {
    const result = model.predictOnBatch(x) as tf.Tensor;
    const values = (await result.data()) as Float32Array;
    result.dispose();
    return values;
  };
  const step = async () => (await model.trainOnBatch(x, y)) as number;
  return { backend, plugin, within, predict, step, predictions: [], steps: [] };
}

const LEAST_ROUNDS = 3;
const ROUNDS = 15;
/** In milliseconds. No round begins after this time. */
const PATIENCE = 30_000;

async function measure(network: Network): Promise<Variant[]> {
  const variants: Variant[] = [];
  for (const backend of ['cpu', 'wasm']) {
    for (const plugin of [false, true]) {
      if (backend === 'cpu' && !plugin && network.isLarge) continue;
      variants.push(await variantOf(network, backend, plugin));
    }
  }
  await check('predictions', variants, ({ predict }) => predict());
  const trainable = variants.filter(({ backend, plugin }) => backend === 'cpu' || plugin);
  await check('losses', trainable, async ({ step }) => [await step(), await step()]);
  const start = performance.now();
  for (let round = 0; round < ROUNDS; round++) {
    if (round >= LEAST_ROUNDS && performance.now() - start > PATIENCE) break;
    for (const { within, predict, predictions } of variants) await within(() => timed(predict, predictions));
    for (const { within, step, steps } of trainable) await within(() => timed(step, steps));
  }
  return variants;
}

/** @throws Error if the variants' values differ by more than 1e-4 of the largest value */
async function check(
  what: string,
  variants: readonly Variant[],
  valuesOf: (variant: Variant) => Promise<ArrayLike<number>>,
): Promise<void> {
  let first: ArrayLike<number> | undefined;
  for (const variant of variants) {
    const values = await variant.within(() => valuesOf(variant));
    first ??= values;
    const bound = 1e-4 * Math.max(...Array.from(first, Math.abs));
    if (compare(values, first, () => bound).error > 1) {
      throw new Error(`The ${what} of ${variant.backend} differ: ${first} and ${values}.`);
    }
  }
}

async function timed(run: () => Promise<unknown>, times: number[]): Promise<void> {
  const start = performance.now();
  await run();
  times.push(performance.now() - start);
}

export interface Row {
  network: string;
  batch: number;
  backend: string;
  plugin: boolean;
  /** Milliseconds, medians. A step is undefined if tfjs cannot train there. */
  step?: number;
  prediction: number;
}

/** Measures the networks whose names contain `asked`. */
export async function measureNetworks(asked: string, onRow: (row: Row) => void): Promise<void> {
  for (const network of NETWORKS.filter(({ name }) => name.includes(asked))) {
    for (const { backend, plugin, steps, predictions } of await measure(network)) {
      const step = steps.length > 0 ? median(steps) : undefined;
      const [batch] = network.input;
      onRow({ network: network.name, batch, backend, plugin, step, prediction: median(predictions) });
    }
  }
}

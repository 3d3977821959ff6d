/**
 * Whole CNNs, and how a training step and a prediction of each are timed, in Node or in a browser: on cpu and wasm, with tfjs's own
 * kernels, with the plugin's convolution and pooling alone, and with all kernels of the plugin; or with all of them, by several numbers
 * of threads, for which wasm starts on memory that they share. The variants alternate. Predictions and the losses of the first steps are
 * compared before anything is timed.
 */
import * as tf from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-backend-cpu';
import * as wasm from '@tensorflow/tfjs-backend-wasm';
import * as tfl from '@tensorflow/tfjs-layers';
import { sizeOf } from '../kernels/geometry.js';
import { backendInfo, configure, install, startSharedWasm } from '../src/index.js';
import { integers } from '../src/verify/data.js';
import { type KernelTime, timeByKernel } from '../src/cli/by-kernel.js';
import { compare } from '../src/verify/exact.js';
import { median } from '../src/verify/time.js';
import { type Graph, GRAPHS, MOBILE_NET_V1, prepared } from '../test/support/graphs.js';

/** A model of tf.layers. It predicts and trains. */
interface Network {
  name: string;
  /** [batch, height, width, channels] of the input. The output has ten classes. */
  input: [number, number, number, number];
  apply(x: tfl.SymbolicTensor, layer: Layers): tfl.SymbolicTensor;
  /** tfjs's own kernels on cpu would take minutes for a step. */
  isLarge?: boolean;
  /**
   * Whether rounding decides on which side of relu6's kinks some of its millions of values lie. Then only the first losses are
   * compared. With tanh in the place of relu6 all gradients of cpu and wasm agree to 1.2e-5 of the largest.
   */
  isKinked?: boolean;
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

const NETWORKS: Network[] = [
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
    isKinked: true,
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

function modelOf({ input, apply }: Network): tfl.LayersModel {
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

/** What is asked of the plugin: nothing, its first kernels, or all. */
const PLUGINS = {
  no: undefined,
  'conv, pool': { ops: ['conv2d', 'maxPool', 'avgPool'] },
  yes: {},
};
type Plugin = keyof typeof PLUGINS;

/** What is timed: the work that a network or a graph does. */
interface Work {
  predict(): Promise<Float32Array>;
  /** Absent for a graph. */
  step?: () => Promise<number>;
}

interface Variant extends Work {
  backend: string;
  plugin: Plugin;
  threads: number;
  /** Runs on the variant's backend and kernels. */
  within<T>(work: () => Promise<T>): Promise<T>;
  predictions: number[];
  /** Empty if tfjs cannot train there. */
  steps: number[];
}

async function variantOf(
  network: Network | Graph,
  backend: string,
  plugin: Plugin,
  threads: number,
  isTrained: boolean,
): Promise<Variant> {
  const within: Variant['within'] = async (work) => {
    await tf.setBackend(backend);
    await useThreads(threads);
    const options = PLUGINS[plugin];
    const installation = options && install(options);
    try {
      return await work();
    } finally {
      installation?.uninstall();
    }
  };
  await tf.setBackend(backend);
  const { predict, step } = 'apply' in network ? workOfNetwork(network) : workOfGraph(network);
  const times = { predictions: [], steps: [] };
  return { backend, plugin, threads, within, predict, step: isTrained ? step : undefined, ...times };
}

/** @throws Error if they do not serve */
async function useThreads(threads: number): Promise<void> {
  if (backendInfo().threads.asked === threads) return;
  await configure({ threads });
  const { serving, reason } = backendInfo().threads;
  if (serving !== threads) throw new Error(`${threads} threads do not serve: ${reason}`);
}

function workOfNetwork(network: Network): Work {
  const model = modelOf(network);
  const x = inputOf(network);
  const labels = Array.from({ length: network.input[0] }, (_, i) => i % 10);
  const y = tf.oneHot(tf.tensor1d(labels, 'int32'), 10);
  return {
    predict: () => valuesOf([model.predictOnBatch(x) as tf.Tensor]),
    step: async () => (await model.trainOnBatch(x, y)) as number,
  };
}

function workOfGraph(graph: Graph): Work {
  const { predict } = prepared(graph);
  const x = inputOf(graph);
  return { predict: () => valuesOf(predict(x)) };
}

function inputOf({ input }: Network | Graph): tf.Tensor4D {
  return tf.tensor(Float32Array.from(integers(sizeOf(input), 1)), input);
}

/** The values of all outputs of a prediction, which are disposed of. */
async function valuesOf(outputs: tf.Tensor[]): Promise<Float32Array> {
  const values = await Promise.all(outputs.map((output) => output.data()));
  tf.dispose(outputs);
  return Float32Array.from(values.flatMap((part) => Array.from(part)));
}

/** Milliseconds for which each variant predicts, and then trains, before it is timed. Then the engine has compiled its loops. */
const WARM_UP = 1500;
/** Milliseconds for which a variant runs before each time that is taken, if its memory is new. */
const REWARM = 200;
const LEAST_ROUNDS = 3;
const ROUNDS = 15;
/** In milliseconds. No round begins after this time. */
const PATIENCE = 30_000;

/** All variants, which have been compared. */
async function variantsOf(network: Network | Graph, threads?: readonly number[]): Promise<Variant[]> {
  if (threads) await startSharedWasm(wasm);
  const isSlow = 'isLarge' in network && network.isLarge;
  const variants: Variant[] = [];
  for (const backend of ['cpu', 'wasm']) {
    for (const count of threads ?? []) variants.push(await variantOf(network, backend, 'yes', count, true));
    for (const plugin of threads ? [] : (Object.keys(PLUGINS) as Plugin[])) {
      if (backend === 'cpu' && plugin === 'no' && isSlow) continue;
      const isDepthwise = network.name.includes('MobileNet');
      const isTrained = backend === 'cpu' || (isDepthwise ? plugin === 'yes' : plugin !== 'no');
      variants.push(await variantOf(network, backend, plugin, 1, isTrained));
    }
  }
  await check('predictions', variants, ({ predict }) => predict());
  const trained = variants.filter(({ step }) => step);
  const isKinked = 'isKinked' in network && network.isKinked;
  const losses = async ({ step }: Variant) => [await step!(), ...(isKinked ? [] : [await step!()])];
  await check('losses', trained, losses);
  return variants;
}

async function measure(network: Network | Graph, threads?: readonly number[]): Promise<Variant[]> {
  const variants = await variantsOf(network, threads);
  for (const variant of variants) await warmUp(variant);
  const again = threads ? REWARM : 0; // another number of threads has another memory
  const start = performance.now();
  for (let round = 0; round < ROUNDS; round++) {
    if (round >= LEAST_ROUNDS && performance.now() - start > PATIENCE) break;
    for (const { within, predict, predictions } of variants) {
      await within(() => timed(predict, predictions, again));
    }
    for (const { within, step, steps } of variants) if (step) await within(() => timed(step, steps, again));
  }
  return variants;
}

async function warmUp({ within, predict, step }: Variant): Promise<void> {
  for (const run of [predict, ...(step ? [step] : [])]) {
    const start = performance.now();
    await within(async () => {
      do await run();
      while (performance.now() - start < WARM_UP);
    });
  }
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

/** Times a run, after runs for about so many milliseconds. */
async function timed(run: () => Promise<unknown>, times: number[], before: number): Promise<void> {
  const end = performance.now() + before;
  while (performance.now() < end) await run();
  const start = performance.now();
  await run();
  times.push(performance.now() - start);
}

export interface Row {
  network: string;
  batch: number;
  backend: string;
  plugin: string;
  threads: number;
  /** Milliseconds, medians. A step is undefined if tfjs cannot train there, and for a graph. */
  step?: number;
  prediction: number;
}

/** The networks and graphs whose names contain `asked`. */
function chosen(asked: string): (Network | Graph)[] {
  return [...NETWORKS, ...GRAPHS].filter(({ name }) => name.includes(asked));
}

/** Measures the networks and graphs whose names contain `asked`. @param threads numbers of threads, to compare these */
export async function measureNetworks(
  asked: string,
  threads: readonly number[] | undefined,
  onRow: (row: Row) => void,
): Promise<void> {
  for (const network of chosen(asked)) {
    for (const { backend, plugin, threads: count, steps, predictions } of await measure(network, threads)) {
      const step = steps.length > 0 ? median(steps) : undefined;
      const [batch] = network.input;
      const prediction = median(predictions);
      onRow({ network: network.name, batch, backend, plugin, threads: count, step, prediction });
    }
  }
}

export interface Breakdown {
  network: string;
  backend: string;
  plugin: string;
  threads: number;
  work: 'training step' | 'prediction';
  kernels: KernelTime[];
}

/** Where the time of one step and of one prediction goes. */
export async function measureKernels(
  asked: string,
  threads: readonly number[] | undefined,
  onBreakdown: (breakdown: Breakdown) => void,
): Promise<void> {
  for (const network of chosen(asked)) {
    for (const variant of await variantsOf(network, threads)) {
      await warmUp(variant);
      const { backend, plugin, threads: count, within, predict, step } = variant;
      const works = { 'training step': step, prediction: predict };
      for (const [work, run] of Object.entries(works) as [Breakdown['work'], () => Promise<unknown>][]) {
        if (!run) continue;
        await within(async () => {
          onBreakdown({
            network: network.name,
            backend,
            plugin,
            threads: count,
            work,
            kernels: await timeByKernel(run),
          });
        });
      }
    }
  }
}

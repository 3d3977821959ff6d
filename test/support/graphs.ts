/**
 * Four graphs as they are shipped: batch normalization is folded into the convolutions, and bias and activation are fused into them.
 * Their weights are random.
 *
 *   MobileNetV1   Howard et al. 2017, width 0.5
 *   MobileNetV2   Sandler et al. 2018, width 0.5
 *   BlazeFace     like Bazarevsky et al. 2019: 5x5 depthwise blocks with shortcuts, which max pooling and zero channels fit
 *   PoseNet       like Papandreou et al. 2018 on MobileNetV1, width 0.5, output stride 16: the last blocks are dilated; four heads
 */
import * as tf from '@tensorflow/tfjs-core';
import { floats } from '../../src/verify/data.js';
import { sizeOf } from '../../kernels/geometry.js';

type T4 = tf.Tensor4D;
type Activation = 'linear' | 'relu' | 'relu6';

export interface Graph {
  name: string;
  /** [batch, height, width, channels] of x */
  input: [number, number, number, number];
  run(x: T4, layers: GraphLayers): tf.Tensor[];
}

/** Layers with a bias. Each has its own weights, which are made in the first run and used again in the next ones. */
interface GraphLayers {
  conv(x: T4, filters: number, size: number, strides?: number, activation?: Activation): T4;
  depthwise(x: T4, size: number, strides?: number, activation?: Activation, dilation?: number): T4;
  dense(x: tf.Tensor2D, units: number): tf.Tensor2D;
}

export const GRAPHS: readonly Graph[] = [
  { name: 'MobileNetV1 0.5, 224x224x3', input: [1, 224, 224, 3], run: mobileNetV1 },
  { name: 'MobileNetV2 0.5, 224x224x3', input: [1, 224, 224, 3], run: mobileNetV2 },
  { name: 'BlazeFace-like, 128x128x3', input: [1, 128, 128, 3], run: blazeFace },
  { name: 'PoseNet-like, 257x257x3', input: [1, 257, 257, 3], run: poseNet },
];

/** Makes a weight. A result of its layer is a sum of so many terms. `index` counts the graph's weights. */
export type MakeWeight = (shape: readonly number[], terms: number, index: number) => Float32Array;

/**
 * The graph as a function of its input. It has the same weights at every run, and by default in every process. Dispose of `weights`
 * at the end.
 */
export function prepared({ run }: Graph, make: MakeWeight = fractions) {
  const weights: tf.Tensor[] = [];
  return {
    weights,
    predict: (x: T4): tf.Tensor[] => tf.tidy(() => run(x, layersOf(weights, make))),
  };
}

/** Random numbers whose products sum to about the size of their inputs. */
function fractions(shape: readonly number[], terms: number, index: number): Float32Array {
  const scale = Math.sqrt(6 / terms);
  return Float32Array.from(floats(sizeOf(shape), 1 + index), (value) => value * scale);
}

function layersOf(weights: tf.Tensor[], make: MakeWeight): GraphLayers {
  let next = 0;
  const weight = <R extends tf.Rank>(shape: tf.ShapeMap[R], terms: number): tf.Tensor<R> => {
    const i = next++;
    weights[i] ??= tf.keep(tf.tensor(make(shape, terms, i), shape));
    return weights[i] as tf.Tensor<R>;
  };
  return {
    conv: (x, filters, size, strides = 1, activation = 'relu6') =>
      tf.fused.conv2d({
        x,
        filter: weight<tf.Rank.R4>([size, size, x.shape[3], filters], size * size * x.shape[3]),
        strides,
        pad: 'same',
        bias: weight<tf.Rank.R1>([filters], 100),
        activation,
      }),
    depthwise: (x, size, strides = 1, activation = 'relu6', dilations = 1) =>
      tf.fused.depthwiseConv2d({
        x,
        filter: weight<tf.Rank.R4>([size, size, x.shape[3], 1], size * size),
        strides,
        pad: 'same',
        dilations,
        bias: weight<tf.Rank.R1>([x.shape[3]], 100),
        activation,
      }),
    dense: (x, units) =>
      tf.fused.matMul({
        a: x,
        b: weight<tf.Rank.R2>([x.shape[1], units], x.shape[1]),
        bias: weight<tf.Rank.R1>([units], 100),
      }) as tf.Tensor2D,
  };
}

const globalAverage = (x: T4) => tf.mean(x, [1, 2]) as tf.Tensor2D;

function mobileNetV1(x: T4, { conv, depthwise, dense }: GraphLayers): tf.Tensor[] {
  x = conv(x, 16, 3, 2);
  for (const [filters, strides] of MOBILE_NET_V1) x = conv(depthwise(x, 3, strides), filters / 2, 1);
  return [tf.softmax(dense(globalAverage(x), 1000))];
}

/** Filters and strides of the 13 blocks of MobileNetV1. */
export const MOBILE_NET_V1: readonly [number, number][] = [
  [64, 1],
  [128, 2],
  [128, 1],
  [256, 2],
  [256, 1],
  [512, 2],
  [512, 1],
  [512, 1],
  [512, 1],
  [512, 1],
  [512, 1],
  [1024, 2],
  [1024, 1],
];

/** Expansion, filters, blocks and strides of each stage of MobileNetV2. */
const MOBILE_NET_V2: readonly [number, number, number, number][] = [
  [1, 8, 1, 1],
  [6, 16, 2, 2],
  [6, 16, 3, 2],
  [6, 32, 4, 2],
  [6, 48, 3, 1],
  [6, 80, 3, 2],
  [6, 160, 1, 1],
];

function mobileNetV2(x: T4, { conv, depthwise, dense }: GraphLayers): tf.Tensor[] {
  x = conv(x, 16, 3, 2);
  for (const [expansion, filters, blocks, strides] of MOBILE_NET_V2) {
    for (let block = 0; block < blocks; block++) {
      const step = block === 0 ? strides : 1;
      const wide = expansion === 1 ? x : conv(x, expansion * x.shape[3], 1);
      const narrow = conv(depthwise(wide, 3, step), filters, 1, 1, 'linear');
      x = step === 1 && x.shape[3] === filters ? tf.add(x, narrow) : narrow;
    }
  }
  return [tf.softmax(dense(globalAverage(conv(x, 1280, 1)), 1000))];
}

/** Filters and strides of each block of BlazeFace. */
const BLAZE_FACE: readonly [number, number][] = [
  [24, 1],
  [24, 1],
  [48, 2],
  [48, 1],
  [48, 1],
  [96, 2],
  [96, 1],
  [96, 1],
  [96, 2],
  [96, 1],
  [96, 1],
];

function blazeFace(x: T4, { conv, depthwise }: GraphLayers): tf.Tensor[] {
  x = conv(x, 24, 5, 2, 'relu');
  for (const [filters, strides] of BLAZE_FACE) {
    const branch = conv(depthwise(x, 5, strides, 'linear'), filters, 1, 1, 'linear');
    const pooled = strides === 2 ? tf.maxPool(x, 2, 2, 'same') : x;
    const missing = filters - x.shape[3];
    const shortcut = missing > 0 ? tf.pad4d(pooled, [[0, 0], [0, 0], [0, 0], [0, missing]]) : pooled; // prettier-ignore
    x = tf.relu(tf.add<T4>(branch, shortcut));
  }
  return [conv(x, 6, 1, 1, 'linear'), conv(x, 96, 1, 1, 'linear')];
}

function poseNet(x: T4, { conv, depthwise }: GraphLayers): tf.Tensor[] {
  x = conv(x, 16, 3, 2);
  let stride = 2;
  for (const [filters, strides] of MOBILE_NET_V1) {
    const atEnd = stride === 16;
    if (!atEnd) stride *= strides;
    const dilation = atEnd && filters === 1024 && strides === 1 ? 2 : 1;
    x = conv(depthwise(x, 3, atEnd ? 1 : strides, 'relu6', dilation), filters / 2, 1);
  }
  return [tf.sigmoid(conv(x, 17, 1, 1, 'linear')), ...[34, 32, 32].map((n) => conv(x, n, 1, 1, 'linear'))];
}

/** Ops with a bug planted in their gradients. For each of them the checker must say 'wrong'. */
import * as tf from '@tensorflow/tfjs-core';
import { floats, integers } from '../../src/verify/data.js';
import type { Differentiable } from '../../src/verify/index.js';

type T4 = tf.Tensor4D;

export interface Planted {
  bug: string;
  f: Differentiable;
  shapes: number[][];
  /** Whether f is exact on whole numbers. */
  exact: boolean;
  /** The bug may be too small to be seen through rounding errors. */
  needsExact?: boolean;
}

const shapes = [[2, 3, 3, 1], [3, 3, 1, 2]]; // prettier-ignore

/** conv2d. `change` changes its gradients. */
const conv = (
  bug: string,
  change: (dx: T4, dFilter: T4, dy: T4, x: T4, filter: T4) => tf.Tensor[],
): Planted => ({
  bug,
  shapes,
  exact: true,
  f: (x: T4, filter: T4) =>
    tf.customGrad((...inputs) => {
      const [x, filter] = inputs as unknown as T4[];
      const gradFunc = (dy: tf.Tensor) => {
        const [dx, dFilter] = convGrads(x, filter, dy as T4);
        return change(dx, dFilter, dy as T4, x, filter);
      };
      return { value: convolve(x, filter), gradFunc };
    })(x, filter),
});

const convolve = (x: T4, filter: T4) => tf.conv2d(x, filter, 1, 'same');
const window = { strides: 1, pad: 'same', dataFormat: 'NHWC', dimRoundingMode: undefined };
/** Gradients are computed by the kernels, because tfjs cannot take a gradient within a gradient function. */
const run = (name: string, inputs: Record<string, tf.Tensor>, attrs: object) =>
  tf.engine().runKernel(name, inputs, attrs as tf.NamedAttrMap) as T4;
const convGrads = (x: T4, filter: T4, dy: T4) => [
  run('Conv2DBackpropInput', { dy, filter }, { ...window, inputShape: x.shape }),
  run('Conv2DBackpropFilter', { x, dy }, { ...window, filterShape: filter.shape }),
];
const firstOfBatch = (t: T4) => tf.slice(t, [0], [1]);

export const planted: readonly Planted[] = [
  conv('sign of dx', (dx, dFilter) => [tf.neg(dx), dFilter]),
  conv('transposed filter in dx', (_, dFilter, dy, x, filter) => [
    convGrads(x, tf.transpose(filter, [1, 0, 2, 3]), dy)[0],
    dFilter,
  ]),
  conv('off-by-one pad in dx', (dx, dFilter) => {
    const [batch, height, width, channels] = dx.shape;
    const shifted = tf.pad(dx, [[0, 0], [1, 0], [0, 0], [0, 0]]); // prettier-ignore
    return [tf.slice(shifted, [0, 0, 0, 0], [batch, height, width, channels]), dFilter];
  }),
  conv('missing batch sum in dFilter', (dx, _, dy, x, filter) => [
    dx,
    convGrads(firstOfBatch(x), filter, firstOfBatch(dy))[1],
  ]),
  conv('dropped last row of dx', (dx, dFilter) => {
    const rows = dx.shape[1] - 1;
    const kept = tf.slice(dx, [0, 0, 0, 0], [-1, rows, -1, -1]);
    return [tf.pad(kept, [[0, 0], [0, 1], [0, 0], [0, 0]]), dFilter]; // prettier-ignore
  }),
  conv('1% scale of dFilter', (dx, dFilter) => [dx, tf.mul(dFilter, 1.01)]),
  { ...conv('dx scaled by 1.0001', (dx, dFilter) => [tf.mul(dx, 1.0001), dFilter]), needsExact: true },
  {
    bug: 'wrong divisor of average pooling',
    shapes: [[1, 5, 5, 2]],
    exact: false,
    f: (x: T4) =>
      tf.customGrad((...inputs) => {
        const [x] = inputs as unknown as T4[];
        const attrs = { filterSize: 3, strides: 1, pad: 'valid' };
        const gradFunc = (dy: tf.Tensor) => tf.mul(run('AvgPoolGrad', { dy, input: x }, attrs), 9 / 8);
        return { value: tf.avgPool(x, 3, 1, 'valid'), gradFunc };
      })(x),
  },
];

/** Inputs in [-1, 1), or whole numbers. */
export function inputsFor({ shapes }: Planted, seed: number, whole: boolean): tf.Tensor[] {
  const make = whole ? integers : floats;
  return shapes.map((shape, i) =>
    tf.tensor(Float32Array.from(make(tf.util.sizeFromShape(shape), 1000 * seed + i)), shape),
  );
}

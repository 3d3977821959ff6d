/** A state computed by the plugin's kernels, in float32, on a backend of tfjs. */
import * as tf from '@tensorflow/tfjs-core';
import { avgPool, conv2d, maxPool } from '../../src/index.js';
import {
  geometryOf,
  groupedFilter,
  groupsOf,
  isPool,
  padding,
  rounding,
  type State,
  xShape,
} from './state.js';

export type Computed = { [name in 'y' | 'dx' | 'dFilter' | 'dBias']?: Float32Array };

/** @throws Error if the backend does not start */
export async function onBackend(backendName: string, state: State): Promise<Computed> {
  if (!(await tf.setBackend(backendName).catch(() => false)))
    throw new Error(`${backendName} does not start here`);
  const tensors = tf.tidy(() => gradients(state));
  const entries = Object.entries(tensors).map(async ([name, tensor]) => [name, await tensor.data()] as const);
  const computed = Object.fromEntries(await Promise.all(entries));
  tf.dispose(tensors);
  return computed;
}

function gradients(s: State): { [name: string]: tf.Tensor } {
  const { op, strides, dilations, dataFormat, countIncludePad, filterHeight, filterWidth } = s;
  const options = { strides, pad: padding(s), dilations, dataFormat, dimRoundingMode: rounding(s) };
  const x = tf.tensor4d(s.x, xShape(s) as [number, number, number, number]);
  const dy = tf.tensor(s.dy, [...geometryOf(s).outShape]);
  if (isPool(op)) {
    const size = [filterHeight, filterWidth];
    const pool = (t: tf.Tensor) =>
      op === 'maxPool'
        ? maxPool(t as tf.Tensor4D, size, options)
        : avgPool(t as tf.Tensor4D, size, { ...options, countIncludePad });
    return { y: pool(x), dx: tf.grad(pool)(x, dy) };
  }
  const groups = groupsOf(s);
  const filter = tf.tensor(s.filter, groupedFilter(s));
  const bias = tf.tensor1d(s.bias);
  const conv = (...[t, f, b]: tf.Tensor[]) =>
    conv2d(t as tf.Tensor4D, f as tf.Tensor4D, { ...options, groups, bias: b });
  const [dx, dFilter, dBias] = tf.grads(conv)([x, filter, bias], dy);
  return { y: conv(x, filter, bias), dx, dFilter, dBias };
}

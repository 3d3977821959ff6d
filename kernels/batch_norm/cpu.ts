/**
 * tfjs 'cpu' and 'wasm' kernels of batch normalization: TensorInfo -> arrays -> numeric function -> TensorInfo.
 * inputs and attrs are those of tfjs.
 */
import type { TensorInfo } from '@tensorflow/tfjs-core';
import type { Floats } from '../arrays.js';
import { sizeOf } from '../geometry.js';
import { simdFor } from '../runtime/options.js';
import { withSimd } from '../runtime/simd/instance.js';
import type { SimdLevel } from '../runtime/simd/modules.js';
import { heapOf, type Kernel, makeResult, makeTensor, readFloats } from '../runtime/tensors.js';
import * as numeric from './definition.js';
import { channelsOf, EPSILON, spread } from './parameters.js';
import * as simd from './simd.js';

/** If x has fewer values than this, the definition is as fast. */
const LEAST_VALUES = 1 << 8;
/** If x has fewer pixels than this, the parameters are not worth repeating. */
const LEAST_PIXELS = 4;

/** y: x's shape. mean, variance, offset and scale broadcast to x. offset and scale may be absent: they are 0 and 1 then. */
export const batchNorm: Kernel = ({ inputs, attrs, backend }) => {
  dropAbsent(inputs);
  const { x, ...parameters } = inputs;
  const shapes = Object.entries(parameters).map(([name, { shape }]) => [name, shape] as const);
  const channels = channelsOf(x.shape, Object.fromEntries(shapes));
  const read = (name: string, otherwise = NaN): Floats =>
    name in parameters
      ? spread(readFloats(backend, name, parameters[name]), parameters[name].shape, x.shape, channels)
      : new Float32Array(channels).fill(otherwise);
  return makeResult(backend, x.shape, (y) => {
    const values = readFloats(backend, 'x', x);
    const p = {
      mean: read('mean'),
      variance: read('variance'),
      offset: read('offset', 0),
      scale: read('scale', 1),
      epsilon: (attrs.varianceEpsilon as number | undefined) ?? EPSILON,
    };
    const level = levelFor(values, channels);
    if (level) {
      withSimd(level, (w) => simd.batchNorm(w, values as Float32Array, p, y()), heapOf(backend));
    } else numeric.batchNorm(values, p, y());
  });
};

/**
 * The sums from which the gradients by the parameters are made: [2, channels].
 * inputs: dy and x, of one shape, whose last dimension is channels; mean: [channels]
 */
export const batchNormSums: Kernel = ({ inputs, backend }) => {
  const { dy, x, mean } = inputs;
  const channels = sizeOf(mean.shape);
  if (dy.shape.join() !== x.shape.join() || mean.shape.join() !== x.shape.slice(-1).join()) {
    throw new Error(
      `tfjs-convgrad: dy is of shape [${dy.shape}] and mean of shape [${mean.shape}], ` +
        `but x is of shape [${x.shape}]: dy must be of x's shape, mean of its last dimension's.`,
    );
  }
  const sums = new Float32Array(2 * channels);
  const [dyValues, xValues] = [readFloats(backend, 'dy', dy), readFloats(backend, 'x', x)];
  const means = readFloats(backend, 'mean', mean);
  const level = dyValues instanceof Float32Array ? levelFor(xValues, channels) : undefined;
  if (level) {
    const [dyFloats, xFloats] = [dyValues as Float32Array, xValues as Float32Array];
    withSimd(level, (w) => simd.batchNormSums(w, dyFloats, xFloats, means, sums), heapOf(backend));
  } else numeric.batchNormSums(dyValues, xValues, means, sums);
  return makeTensor(backend, [2, channels], 'float32', sums);
};

/** The SIMD build that serves, if one does. */
function levelFor(x: Floats, channels: number): SimdLevel | undefined {
  const isLarge = x.length >= LEAST_VALUES && x.length >= LEAST_PIXELS * channels;
  return x instanceof Float32Array && x.length > 0 ? simdFor(isLarge) : undefined;
}

/**
 * tf.batchNorm names inputs that are absent. The engine, which records `inputs` as soon as the kernel has run, cannot differentiate
 * through a name without a tensor.
 */
function dropAbsent(inputs: Record<string, TensorInfo | undefined>): void {
  for (const name of Object.keys(inputs)) if (!inputs[name]) delete inputs[name];
}

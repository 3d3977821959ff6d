/**
 * What may follow a convolution in the same kernel: first a bias, then an activation, both elementwise.
 *
 *   z = conv2d(x, filter) + bias;  y = activation(z);  dz = dy * slope(z)
 *
 * The formulas are those of tfjs's own kernels: Relu, Relu6, Elu, LeakyRelu, Prelu, Sigmoid, Tanh. The slopes are
 * those of their gradients, at the kinks too:
 *
 *   relu              0 at 0
 *   relu6             0 at 0 and 1 at 6
 *   leakyrelu, prelu  alpha at 0
 */
import type { Floats, Numbers } from '../arrays.js';
import { broadcastSteps, forEachRun } from '../broadcast.js';
import type { DataFormat } from '../geometry.js';
import { shown } from '../known.js';

interface Activation {
  /** @param alpha slope of leakyrelu and prelu below 0. The others ignore it. */
  value(z: number, alpha: number): number;
  slope(z: number, alpha: number): number;
}

const sigmoid = (z: number) => 1 / (1 + Math.exp(-z));

export const activations = {
  linear: { value: (z) => z, slope: () => 1 },
  relu: { value: (z) => Math.max(0, z), slope: (z) => (z > 0 ? 1 : 0) },
  relu6: { value: (z) => Math.min(Math.max(0, z), 6), slope: (z) => (z > 0 && z <= 6 ? 1 : 0) },
  elu: { value: (z) => (z >= 0 ? z : Math.exp(z) - 1), slope: (z) => (z >= 0 ? 1 : Math.exp(z)) },
  leakyrelu: { value: (z, alpha) => (z < 0 ? alpha * z : z), slope: (z, alpha) => (z > 0 ? 1 : alpha) },
  prelu: { value: (z, alpha) => (z < 0 ? alpha * z : z), slope: (z, alpha) => (z > 0 ? 1 : alpha) },
  sigmoid: { value: sigmoid, slope: (z) => sigmoid(z) * (1 - sigmoid(z)) },
  tanh: { value: Math.tanh, slope: (z) => 1 - Math.tanh(z) ** 2 },
} satisfies Record<string, Activation>;

export type ActivationName = keyof typeof activations;

/** A tensor that is broadcast to the output: its values, and one step for each of the four dimensions. */
export interface Broadcast {
  readonly values: Floats;
  readonly steps: readonly number[];
}

const NAMES = Object.keys(activations);

/** @throws Error if the name is not one of `activations`, if prelu's weights are missing, or if the alpha of leakyrelu is no number */
export function checkActivation(activation: string, weights: unknown, alpha: unknown): void {
  if (!NAMES.includes(activation)) {
    const given = typeof activation === 'string' ? activation : shown(activation);
    throw new Error(`tfjs-convgrad: activation is ${given}, but it must be one of ${NAMES.join(', ')}.`);
  }
  if (!Number.isFinite(alpha)) {
    throw new Error(`tfjs-convgrad: leakyreluAlpha is ${shown(alpha)}, but it must be a finite number.`);
  }
  if (activation === 'prelu' && !weights) {
    throw new Error(
      "tfjs-convgrad: preluActivationWeights is missing, but activation 'prelu' needs it: a tensor that broadcasts to y.",
    );
  }
}

/**
 * The shape of a tensor in the four dimensions of the output. It is aligned from the last dimension, as in
 * elementwise ops. With NCHW a tensor of one dimension lies along the channels, as in tfjs.
 * @throws Error if a size is neither 1 nor the size of the output
 */
export function alignedShape(
  name: string,
  shape: readonly number[],
  outShape: readonly number[],
  dataFormat: DataFormat = 'NHWC',
): number[] {
  const channels = dataFormat === 'NCHW' && shape.length === 1 ? [shape[0], 1, 1] : shape;
  const sizes = [1, 1, 1, 1, ...channels].slice(-4);
  if (shape.length > 4 || sizes.some((size, i) => size !== 1 && size !== outShape[i])) {
    throw new Error(
      `tfjs-convgrad: ${name} is of shape [${shape}], but it must broadcast to the output's, [${outShape}].`,
    );
  }
  return sizes;
}

/** A tensor that repeats along the output's dimensions in which it has a size of 1. See `alignedShape`. */
export function broadcast(
  name: string,
  values: Floats,
  shape: readonly number[],
  outShape: readonly number[],
  dataFormat?: DataFormat,
): Broadcast {
  return { values, steps: broadcastSteps(alignedShape(name, shape, outShape, dataFormat), 4) };
}

/** The same number everywhere. */
export function constant(value: number): Broadcast {
  return { values: Float64Array.of(value), steps: [0, 0, 0, 0] };
}

/**
 * y = activation(y + bias), in place.
 * @param alpha slope of leakyrelu and prelu below 0
 */
export function addBiasAndActivate(
  y: Numbers,
  outShape: readonly number[],
  bias: Broadcast,
  activation: ActivationName,
  alpha: Broadcast,
): void {
  const { value } = activations[activation] as Activation;
  forEachRun(outShape, [bias.steps, alpha.steps], (at, starts, count, steps) => {
    for (let i = 0; i < count; i++) {
      const z = y[at + i] + bias.values[starts[0] + i * steps[0]];
      y[at + i] = value(z, alpha.values[starts[1] + i * steps[1]]);
    }
  });
}

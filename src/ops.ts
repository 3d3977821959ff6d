/**
 * conv2d, maxPool and avgPool, with options that tfjs's ops lack. They run kernels under names of their own, which the
 * first call registers. So they work beside the built-ins, with or without `install()`.
 */
import {
  add,
  engine,
  getBackend,
  getGradient,
  getKernel,
  type KernelFunc,
  type NamedAttrMap,
  type NamedTensorMap,
  op,
  registerGradient,
  registerKernel,
  reshape,
  Tensor,
  tensor,
  type Tensor3D,
  type Tensor4D,
  type TensorLike,
} from '@tensorflow/tfjs-core';
import { type ActivationName, alignedShape, checkActivation } from '../kernels/conv2d/activation.js';
import type { ConvOptions, Pair, PoolOptions } from '../kernels/geometry.js';
import { run } from '../kernels/runtime/gradients.js';
import { gradients, kernelNamesIn, type KernelName, OWN } from '../kernels/registry.js';
import { bringGradients } from '../kernels/runtime/tfjs_gradients.js';
import { activate } from '../kernels/conv2d/activation_gradient.js';
import { readOptions, shown } from '../kernels/known.js';
import { servedNames, tableOf } from './served.js';
import { warnIfUntested } from './tfjs_version.js';

/** Options of conv2d: bias and activation, and the window's options. */
export interface Conv2DOptions extends ConvOptions {
  /** Added to the convolution. Its shape is [outChannels], or any shape that broadcasts to y's. Default: no bias. */
  bias?: Tensor | TensorLike;
  /** Applied to the sum: linear, relu, relu6, elu, leakyrelu, prelu, sigmoid or tanh. Default: 'linear'. */
  activation?: ActivationName;
  /** Slopes of prelu below 0, required for prelu. Their shape is [outChannels], or any shape that broadcasts to y's. */
  preluActivationWeights?: Tensor | TensorLike;
  /** Slope of leakyrelu below 0. Default: 0.2. */
  leakyreluAlpha?: number;
}

/** Options of maxPool: strides, pad, dilations, dataFormat, dimRoundingMode. */
export type MaxPoolOptions = Omit<PoolOptions, 'countIncludePad' | 'identityIf1x1'>;
/** Options of avgPool: strides, pad, dilations, dataFormat, dimRoundingMode, countIncludePad. */
export type AvgPoolOptions = Omit<PoolOptions, 'identityIf1x1'>;

const WINDOW_OPTIONS = ['strides', 'pad', 'dilations', 'dataFormat', 'dimRoundingMode'] as const;

/**
 * 2-D convolution (cross-correlation). It has gradients of any order, also in the bias and through the activation.
 *
 * Options that tf.conv2d lacks:
 *   - bias, activation and groups;
 *   - strides together with dilations;
 *   - explicit pads in both layouts;
 *   - dimRoundingMode 'exact', which refuses strides that do not divide.
 * @param x float32, [batch, height, width, inChannels] or [height, width, inChannels]; in NCHW channels precede height
 * @param filter float32, [filterHeight, filterWidth, inChannels / groups, outChannels]
 * @returns float32, [batch, outHeight, outWidth, outChannels], in x's layout and rank
 * @throws Error naming the argument, its value and the allowed values; or if the active backend is not supported
 */
export const conv2d = /* @__PURE__ */ op({ convgradConv2d_ });

/**
 * 2-D max pooling, with gradients of any order. If maxima are equal, the first in row-major order wins. NaN is skipped.
 *
 * Options that tf.maxPool lacks: dataFormat, dilations, dimRoundingMode 'exact'.
 * @param x [batch, height, width, channels] or [height, width, channels]; in NCHW channels precede height
 * @param filterSize size of the window, a number or [height, width]; also the default of the option strides
 * @returns [batch, outHeight, outWidth, channels], in x's layout, rank and dtype
 * @throws Error naming the argument, its value and the allowed values; or if the active backend is not supported
 */
export const maxPool = /* @__PURE__ */ op({ convgradMaxPool_ });

/**
 * 2-D average pooling, with gradients of any order. Each sum is divided by the number of the window's cells that lie in
 * x, unless countIncludePad is true.
 *
 * Options that tf.avgPool lacks: countIncludePad, dataFormat, dilations, dimRoundingMode 'exact'.
 * @param x float32, [batch, height, width, channels] or [height, width, channels]; in NCHW channels precede height
 * @param filterSize size of the window, a number or [height, width]; also the default of the option strides
 * @returns float32, [batch, outHeight, outWidth, channels], in x's layout and rank
 * @throws Error naming the argument, its value and the allowed values; or if the active backend is not supported
 */
export const avgPool = /* @__PURE__ */ op({ convgradAvgPool_ });

function convgradConv2d_<T extends Tensor3D | Tensor4D>(
  x: T | TensorLike,
  filter: Tensor4D | TensorLike,
  options: Conv2DOptions = {},
): T {
  const {
    bias,
    preluActivationWeights,
    activation = 'linear',
    leakyreluAlpha = 0.2,
    ...attrs
  } = readOptions('conv2d', options, [
    ...WINDOW_OPTIONS,
    'groups',
    'bias',
    'activation',
    'preluActivationWeights',
    'leakyreluAlpha',
  ]);
  checkActivation(activation, preluActivationWeights, leakyreluAlpha);
  const inputs = { x: toFloats('x', x), filter: toFloats('filter', filter) };
  const extras = {
    ...(bias != null && { bias: toFloats('bias', bias) }),
    ...(preluActivationWeights != null && {
      preluActivationWeights: toFloats('preluActivationWeights', preluActivationWeights),
    }),
  };
  const isRecorded = engine().state.gradientDepth > 0;
  if (!isRecorded) {
    const fusedAttrs = { ...attrs, activation, leakyreluAlpha };
    return batched(inputs.x, (x4D) =>
      runOwn('FusedConv2D', { ...inputs, ...extras, x: x4D }, fusedAttrs),
    ) as T;
  }
  // While a gradient is recorded, each step is an op of its own, so that tfjs differentiates each step.
  return batched(inputs.x, (x4D) => {
    const y = runOwn('Conv2D', { ...inputs, x: x4D }, attrs);
    const aligned = (name: keyof typeof extras) => {
      const t = extras[name];
      return t && reshape(t, alignedShape(name, t.shape, y.shape, attrs.dataFormat));
    };
    const bias = aligned('bias');
    const z = bias ? add(y, bias) : y;
    return activate(activation, z, aligned('preluActivationWeights'), leakyreluAlpha);
  }) as T;
}

function convgradMaxPool_<T extends Tensor3D | Tensor4D>(
  x: T | TensorLike,
  filterSize: Pair,
  options: MaxPoolOptions = {},
): T {
  const attrs = { ...readOptions('maxPool', options, WINDOW_OPTIONS), filterSize };
  return batched(toTensor('x', x), (x4D) => runOwn('MaxPool', { x: x4D }, attrs)) as T;
}

function convgradAvgPool_<T extends Tensor3D | Tensor4D>(
  x: T | TensorLike,
  filterSize: Pair,
  options: AvgPoolOptions = {},
): T {
  const attrs = { ...readOptions('avgPool', options, [...WINDOW_OPTIONS, 'countIncludePad']), filterSize };
  return batched(toFloats('x', x), (x4D) => runOwn('AvgPool', { x: x4D }, attrs)) as T;
}

/** Applies f to x as a batch. If x has rank 3, f gets a batch of one, and the result has rank 3 again. */
function batched(x: Tensor, f: (x4D: Tensor) => Tensor): Tensor {
  if (x.rank !== 3) return f(x);
  const y = f(reshape(x, [1, ...x.shape]));
  return reshape(y, y.shape.slice(1));
}

/** @throws Error if the value is no tensor that can be read, nor numbers of which one can be made */
function toTensor(name: string, value: Tensor | TensorLike): Tensor {
  const refuse = (given: string, why = '') => {
    throw new Error(
      `tfjs-convgrad: ${name} is ${given}, but it must be a tensor, or a nested array of numbers.${why}`,
    );
  };
  if (value instanceof Tensor) return value.isDisposed ? refuse('a disposed tensor') : value;
  try {
    return tensor(value);
  } catch (error) {
    return refuse(shown(value), ` ${(error as Error).message}`);
  }
}

function toFloats(name: string, value: Tensor | TensorLike): Tensor {
  const t = toTensor(name, value);
  if (t.dtype !== 'float32') {
    throw new Error(`tfjs-convgrad: ${name} is of dtype ${t.dtype}, but it must be float32.`);
  }
  return t;
}

function runOwn(kernelName: KernelName, inputs: NamedTensorMap, attrs: object): Tensor {
  const backendName = getBackend();
  if (!getKernel(OWN + kernelName, backendName)) registerOwn([backendName]);
  return run(OWN + kernelName, inputs, attrs as NamedAttrMap);
}

const ownGradients = /* @__PURE__ */ gradients(OWN);

/**
 * Registers our kernels on the backends, and the gradients, where they are not registered yet. Nobody replaces these: the names are our
 * own.
 * @throws Error if a backend is not served
 */
export function registerOwn(backendNames: readonly string[] = servedNames()): void {
  for (const backendName of backendNames) {
    const table = tableOf(backendName);
    if (!table) {
      throw new Error(
        `tfjs-convgrad: the active backend is '${backendName}', but only these are supported, and copies of them: ${servedNames().join(', ')}.`,
      );
    }
    for (const name of kernelNamesIn(table)) {
      const kernelName = OWN + name;
      if (getKernel(kernelName, backendName)) continue;
      registerKernel({ kernelName, backendName, kernelFunc: table.kernels[name] as KernelFunc });
    }
  }
  warnIfUntested();
  for (const gradient of ownGradients) {
    if (!getGradient(gradient.kernelName)) registerGradient(gradient);
  }
  bringGradients();
}

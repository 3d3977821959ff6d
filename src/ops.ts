/**
 * conv2d, maxPool and avgPool with what tfjs's ops lack. They run kernels under names of their own, registered at the
 * first call, so they work beside the built-ins, with or without `install()`.
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
import { BACKENDS, gradients, KERNEL_NAMES, KERNELS, type KernelName, OWN } from '../kernels/registry.js';
import { activate } from '../kernels/conv2d/activation_gradient.js';

export interface Conv2DOptions extends ConvOptions {
  /** Added to the convolution: [outChannels], or what broadcasts to y. */
  bias?: Tensor | TensorLike;
  /** Applied to the sum: linear, relu, relu6, elu, leakyrelu, prelu, sigmoid or tanh. Default 'linear'. */
  activation?: ActivationName;
  /** prelu's slopes below 0: [outChannels], or what broadcasts to y. */
  preluActivationWeights?: Tensor | TensorLike;
  /** leakyrelu's slope below 0. Default 0.2. */
  leakyreluAlpha?: number;
}

export type MaxPoolOptions = Omit<PoolOptions, 'countIncludePad' | 'identityIf1x1'>;
export type AvgPoolOptions = Omit<PoolOptions, 'identityIf1x1'>;

/**
 * 2-D convolution (cross-correlation), with its gradients of any order, through bias and activation too.
 *
 * Besides what tf.conv2d knows: bias, activation, groups, strides with dilations, explicit pads in both layouts, and
 * dimRoundingMode 'exact', which refuses strides that do not divide.
 * @param x [batch, height, width, inChannels] or [height, width, inChannels]; for NCHW channels come before height
 * @param filter [filterHeight, filterWidth, inChannels / groups, outChannels]
 * @returns [batch, outHeight, outWidth, outChannels], in x's layout and rank
 * @throws Error naming the argument, what it was and what is allowed
 */
export const conv2d = /* @__PURE__ */ op({ convgradConv2d_ });

/**
 * 2-D max pooling, with its gradients of any order. Of equal maxima the first in row-major order wins; NaN is skipped.
 *
 * Besides what tf.maxPool knows: dataFormat, dilations, dimRoundingMode 'exact'.
 * @param x [batch, height, width, channels] or [height, width, channels]; for NCHW channels come before height
 * @param filterSize height and width of the window; also the default of strides
 * @returns [batch, outHeight, outWidth, channels], in x's layout, rank and dtype
 * @throws Error naming the argument, what it was and what is allowed
 */
export const maxPool = /* @__PURE__ */ op({ convgradMaxPool_ });

/**
 * 2-D average pooling, with its gradients of any order. It divides by the number of cells that lie in x.
 *
 * Besides what tf.avgPool knows: countIncludePad, dataFormat, dilations, dimRoundingMode 'exact'.
 * @param x [batch, height, width, channels] or [height, width, channels]; for NCHW channels come before height
 * @param filterSize height and width of the window; also the default of strides
 * @returns [batch, outHeight, outWidth, channels], in x's layout and rank
 * @throws Error naming the argument, what it was and what is allowed
 */
export const avgPool = /* @__PURE__ */ op({ convgradAvgPool_ });

function convgradConv2d_<T extends Tensor3D | Tensor4D>(
  x: T | TensorLike,
  filter: Tensor4D | TensorLike,
  options: Conv2DOptions = {},
): T {
  const { bias, preluActivationWeights, activation = 'linear', leakyreluAlpha = 0.2, ...attrs } = options;
  checkActivation(activation, preluActivationWeights);
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
  // While a gradient is recorded each step is an op of its own, so that each is differentiated.
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
  return batched(toTensor(x), (x4D) => runOwn('MaxPool', { x: x4D }, { ...options, filterSize })) as T;
}

function convgradAvgPool_<T extends Tensor3D | Tensor4D>(
  x: T | TensorLike,
  filterSize: Pair,
  options: AvgPoolOptions = {},
): T {
  return batched(toFloats('x', x), (x4D) => runOwn('AvgPool', { x: x4D }, { ...options, filterSize })) as T;
}

/** f of x as a batch; an x of rank 3 is a batch of one, and so is the result. */
function batched(x: Tensor, f: (x4D: Tensor) => Tensor): Tensor {
  if (x.rank !== 3) return f(x);
  const y = f(reshape(x, [1, ...x.shape]));
  return reshape(y, y.shape.slice(1));
}

function toTensor(value: Tensor | TensorLike): Tensor {
  return value instanceof Tensor ? value : tensor(value);
}

function toFloats(name: string, value: Tensor | TensorLike): Tensor {
  const t = toTensor(value);
  if (t.dtype !== 'float32') {
    throw new Error(`tfjs-convgrad: ${name} is of dtype ${t.dtype}, but it must be float32.`);
  }
  return t;
}

function runOwn(kernelName: KernelName, inputs: NamedTensorMap, attrs: object): Tensor {
  registerOwn();
  const backendName = getBackend();
  if (!getKernel(OWN + kernelName, backendName)) {
    throw new Error(
      `tfjs-convgrad: the active backend is '${backendName}', but only these are supported: ${BACKENDS.join(', ')}.`,
    );
  }
  return run(OWN + kernelName, inputs, attrs as NamedAttrMap);
}

const ownGradients = /* @__PURE__ */ gradients(OWN);

/** Registers what is not registered yet; nothing can have replaced it, the names being our own. */
export function registerOwn(): void {
  for (const backendName of BACKENDS) {
    for (const name of KERNEL_NAMES) {
      const kernelName = OWN + name;
      if (getKernel(kernelName, backendName)) continue;
      registerKernel({ kernelName, backendName, kernelFunc: KERNELS[name][backendName] as KernelFunc });
    }
  }
  for (const gradient of ownGradients) {
    if (!getGradient(gradient.kernelName)) registerGradient(gradient);
  }
}

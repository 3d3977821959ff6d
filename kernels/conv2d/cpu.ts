/**
 * tfjs 'cpu' kernels of convolution: TensorInfo -> arrays -> numeric function -> TensorInfo.
 * inputs and attrs are tfjs's own, and besides `groups`, and `dilations` in the gradients too.
 */
import type { TensorInfo } from '@tensorflow/tfjs-core';
import { type ConvGeometry, convGeometry, sizeOf, withDyShape } from '../geometry.js';
import { type Kernel, makeTensor, readFloats } from '../tensors.js';
import { addBiasAndActivate, type Broadcast, broadcast, checkActivation, constant } from './activation.js';
import type { ConvAttrs, FusedAttrs } from './attrs.js';
import * as definition from './definition.js';
import { TILE } from './gemm.js';
import * as im2col from './im2col.js';
import * as thin from './thin.js';

/** y: [batch, outHeight, outWidth, outChannels] */
export const conv2d: Kernel = (args) =>
  fusedConv2d({ ...args, attrs: { ...args.attrs, activation: 'linear' } });

/** y = activation(conv2d(x, filter) + bias); bias and preluActivationWeights broadcast to y. */
export const fusedConv2d: Kernel = ({ inputs, attrs, backend }) => {
  const { x, filter, bias, preluActivationWeights } = inputs;
  const { leakyreluAlpha, activation: given, ...options } = attrs as unknown as FusedAttrs;
  const activation = given ?? 'linear';
  checkActivation(activation, preluActivationWeights);
  const g = convGeometry(x.shape, filter.shape, options);
  const spread = (name: string, tensor: TensorInfo): Broadcast =>
    broadcast(name, readFloats(backend, name, tensor), tensor.shape, g.outShape, g.dataFormat);
  const add = bias ? spread('bias', bias) : undefined;
  const alpha =
    activation === 'prelu'
      ? spread('preluActivationWeights', preluActivationWeights)
      : constant(leakyreluAlpha ?? 0.2);

  const [xValues, filterValues] = [readFloats(backend, 'x', x), readFloats(backend, 'filter', filter)];
  const y = roundedOnce(g.outShape, (sums) => numeric(g).conv2d(xValues, filterValues, g, sums));
  if (add || activation !== 'linear') {
    addBiasAndActivate(y, g.outShape, add ?? constant(0), activation, alpha);
  }
  return makeTensor(backend, g.outShape, 'float32', y);
};

/** dx: attrs.inputShape */
export const conv2dBackpropInput: Kernel = ({ inputs, attrs, backend }) => {
  const { dy, filter } = inputs;
  const { inputShape, ...options } = attrs as unknown as ConvAttrs;
  const g = withDyShape(convGeometry(inputShape, filter.shape, options), dy.shape);
  const [dyValues, filterValues] = [readFloats(backend, 'dy', dy), readFloats(backend, 'filter', filter)];
  const dx = roundedOnce(inputShape, (sums) =>
    numeric(g).conv2dBackpropInput(dyValues, filterValues, g, sums),
  );
  return makeTensor(backend, inputShape, 'float32', dx);
};

/** dFilter: attrs.filterShape */
export const conv2dBackpropFilter: Kernel = ({ inputs, attrs, backend }) => {
  const { x, dy } = inputs;
  const { filterShape, ...options } = attrs as unknown as ConvAttrs;
  const g = withDyShape(convGeometry(x.shape, filterShape, options), dy.shape);
  const [xValues, dyValues] = [readFloats(backend, 'x', x), readFloats(backend, 'dy', dy)];
  const dFilter = roundedOnce(filterShape, (sums) =>
    numeric(g).conv2dBackpropFilter(xValues, dyValues, g, sums),
  );
  return makeTensor(backend, filterShape, 'float32', dFilter);
};

/** A result that is summed in float64 and rounded to float32 at the end. */
function roundedOnce(shape: readonly number[], write: (sums: Float64Array) => void): Float32Array {
  const sums = new Float64Array(sizeOf(shape));
  write(sums);
  return new Float32Array(sums);
}

type Path = Pick<typeof definition, 'conv2d' | 'conv2dBackpropInput' | 'conv2dBackpropFilter'>;

/** The fastest of three paths with the same results: a matrix of few columns or few rows does not pay for packing. */
function numeric(g: ConvGeometry): Path {
  if (g.outChannels === g.groups) return definition;
  return g.outHeight * g.outWidth < TILE ? thin : im2col;
}

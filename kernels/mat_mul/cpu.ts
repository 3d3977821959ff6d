/**
 * tfjs 'cpu' and 'wasm' kernels of matrix products: TensorInfo -> arrays -> numeric function -> TensorInfo.
 * inputs and attrs are those of tfjs.
 */
import type { DataType, TensorInfo } from '@tensorflow/tfjs-core';
import type { Numbers } from '../arrays.js';
import {
  addBiasAndActivate,
  type ActivationName,
  type Broadcast,
  broadcast,
  constant,
} from '../conv2d/activation.js';
import { readFusedAttrs } from '../conv2d/attrs.js';
import { epilogueOf } from '../conv2d/cpu.js';
import { sizeOf } from '../geometry.js';
import { isSimd } from '../runtime/options.js';
import { heapOf, type Kernel, makeResult, readFloats, readNumbers } from '../runtime/tensors.js';
import { matMulGeometry } from './geometry.js';
import { matMul, pathOf } from './paths.js';

/** y = activation(a * b + bias): [...batch, rows, cols], of the type of a. bias and preluActivationWeights broadcast to y. */
export const fusedMatMul: Kernel = ({ inputs, attrs, backend }) => {
  const { a, b, bias, preluActivationWeights } = inputs;
  const { transposeA, transposeB } = attrs as { transposeA?: boolean; transposeB?: boolean };
  const { activation, leakyreluAlpha } = readFusedAttrs(attrs, preluActivationWeights);
  const g = matMulGeometry(a.shape, b.shape, transposeA, transposeB);
  const image = inFourDimensions(g.outShape);
  const spread = (name: string, tensor: TensorInfo): Broadcast =>
    broadcast(name, readFloats(backend, name, tensor), tensor.shape, image);
  const add = () => (bias ? spread('bias', bias) : undefined);
  const write = (y: () => Numbers) => {
    const [aValues, bValues] = [readNumbers(backend, 'a', a), readNumbers(backend, 'b', b)];
    const path = pathOf(g, aValues, bValues);
    const epilogue = isSimd(path) ? epilogueOf(add(), activation) : undefined;
    matMul(path, aValues, bValues, g, y(), heapOf(backend), epilogue);
    if (epilogue || (!bias && activation === 'linear')) return;
    const alpha =
      activation === 'prelu'
        ? spread('preluActivationWeights', preluActivationWeights)
        : constant(leakyreluAlpha);
    addBiasAndActivate(y(), image, add() ?? constant(0), activation, alpha);
  };
  return makeResult<Numbers>(backend, g.outShape, write, typeOf(a.dtype, activation));
};

/** The same, as the kernel BatchMatMul has no bias, and no activation among its attributes. */
export const batchMatMul: Kernel = fusedMatMul;

/** As in tfjs, where the kernels of these two activations make float32 of every type. */
function typeOf(dtype: DataType, activation: ActivationName): DataType {
  return activation === 'leakyrelu' || activation === 'prelu' ? 'float32' : dtype;
}

/** A shape of four dimensions: what precedes the last three becomes one. */
function inFourDimensions(shape: readonly number[]): number[] {
  const padded = [1, 1, ...shape];
  return [sizeOf(padded.slice(0, -3)), ...padded.slice(-3)];
}

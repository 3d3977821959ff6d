/**
 * tfjs 'cpu' and 'wasm' kernels of matrix products: TensorInfo -> arrays -> numeric function -> TensorInfo.
 * inputs and attrs are those of tfjs.
 */
import type { DataType } from '@tensorflow/tfjs-core';
import type { Numbers } from '../arrays.js';
import type { ActivationName } from '../conv2d/activation.js';
import { fusedOf } from '../conv2d/fused.js';
import { sizeOf } from '../geometry.js';
import { isSimd } from '../runtime/options.js';
import { heapOf, type Kernel, makeResult, readNumbers } from '../runtime/tensors.js';
import { matMulGeometry } from './geometry.js';
import { matMul, pathOf } from './paths.js';

/** y = activation(a * b + bias): [...batch, rows, cols], of the type of a. bias and preluActivationWeights broadcast to y. */
export const fusedMatMul: Kernel = ({ inputs, attrs, backend }) => {
  const { a, b } = inputs;
  const { transposeA, transposeB } = attrs as { transposeA?: boolean; transposeB?: boolean };
  const fused = fusedOf({ inputs, attrs, backend });
  const g = matMulGeometry(a.shape, b.shape, transposeA, transposeB);
  const image = inFourDimensions(g.outShape);
  const write = (y: () => Numbers) => {
    const [aValues, bValues] = [readNumbers(backend, 'a', a), readNumbers(backend, 'b', b)];
    const path = pathOf(g, aValues, bValues);
    fused.write(y, image, 'NHWC', isSimd(path), (epilogue) =>
      matMul(path, aValues, bValues, g, y(), heapOf(backend), epilogue),
    );
  };
  return makeResult<Numbers>(backend, g.outShape, write, typeOf(a.dtype, fused.activation));
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

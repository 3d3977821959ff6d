/**
 * The gradients of matrix products. y is linear in a and in b. So BatchMatMul differentiates into itself:
 *
 *   y = a * b      da = dy * transpose(b)      db = transpose(a) * dy
 *
 * If an operand is transposed, so is its gradient: da = b * transpose(dy), db = transpose(dy) * a. A matrix that is broadcast takes
 * part in several products. Its gradient is the sum of theirs.
 */
import { type GradFunc, reshape, type Tensor } from '@tensorflow/tfjs-core';
import { type FusedGradient, type GradConfigs, run, sumTo } from '../runtime/gradients.js';

export const matMulGradients: GradConfigs = (prefix) => {
  const kernelName = `${prefix}BatchMatMul`;
  const product = (a: Tensor, b: Tensor, transposeA: boolean, transposeB: boolean) =>
    run(kernelName, { a, b }, { transposeA, transposeB });
  const gradFunc: GradFunc = (given, [a, b], attrs) => {
    const dy = given as Tensor;
    const [isA, isB] = [Boolean(attrs.transposeA), Boolean(attrs.transposeB)];
    const da = () => (isA ? product(b, dy, isB, true) : product(dy, b, false, !isB));
    const db = () => (isB ? product(dy, a, true, isA) : product(a, dy, !isA, false));
    return { a: () => sumTo(da(), a.shape), b: () => sumTo(db(), b.shape) };
  };
  return [{ kernelName, inputsToSave: ['a', 'b'], gradFunc }];
};

/** Replaces a closure that does not sum over what is broadcast. */
export const fusedMatMulGradient: FusedGradient = {
  scope: 'fusedMatMul__op',
  unfused: 'BatchMatMul',
  gradFunc:
    (attrs, matMulGradient) =>
    (dy, [a, b, savedY, bias]) => {
      const dy3D = reshape(dy, savedY.shape); // tf.fused.matMul gives its kernel a single batch dimension
      const { a: da, b: db } = matMulGradient(dy3D, [a, b], attrs);
      return { 0: da, 1: db, ...(bias && { 2: () => sumTo(dy3D, bias.shape) }) };
    },
};

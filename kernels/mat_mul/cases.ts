/** Named cases of matrix products, pure data. */
import type { ActivationName } from '../conv2d/activation.js';

export interface MatMulCase {
  name: string;
  /** [...batch, rows, depth], or [..., depth, rows] if it is transposed. */
  a: readonly number[];
  /** [...batch, depth, cols], or [..., cols, depth] if it is transposed. */
  b: readonly number[];
  transposeA?: boolean;
  transposeB?: boolean;
  /** Shape of the bias. A case that has an activation is a case of _FusedMatMul. */
  bias?: readonly number[];
  activation?: ActivationName;
  /** Shape of the weights of prelu. */
  preluActivationWeights?: readonly number[];
  leakyreluAlpha?: number;
}

export const matMulCases: readonly MatMulCase[] = [
  { name: 'rank 2', a: [5, 7], b: [7, 9] },
  { name: 'rank 2, b transposed', a: [5, 7], b: [9, 7], transposeB: true },
  { name: 'rank 2, a transposed', a: [7, 5], b: [7, 9], transposeA: true },
  { name: 'rank 2, both transposed', a: [7, 5], b: [9, 7], transposeA: true, transposeB: true },
  { name: 'whole tiles', a: [8, 12], b: [12, 16] },
  { name: 'more than a block', a: [133, 300], b: [300, 261] },
  { name: 'more than a block, both transposed', a: [300, 133], b: [261, 300], transposeA: true, transposeB: true },
  { name: 'a row', a: [1, 40], b: [40, 67] },
  { name: 'a row, b transposed', a: [1, 42], b: [67, 42], transposeB: true },
  { name: 'a column', a: [66, 41], b: [41, 1] },
  { name: 'a column, a transposed', a: [41, 66], b: [41, 1], transposeA: true },
  { name: 'a few columns', a: [70, 38], b: [38, 3] },
  { name: 'a few rows', a: [3, 39], b: [39, 60] },
  { name: 'a few rows, both transposed', a: [38, 3], b: [62, 38], transposeA: true, transposeB: true },
  { name: 'inner product', a: [1, 77], b: [77, 1] },
  { name: 'outer product', a: [33, 1], b: [1, 70] },
  { name: 'batch', a: [3, 5, 6], b: [3, 6, 4] },
  { name: 'batch, both transposed', a: [3, 6, 5], b: [3, 4, 6], transposeA: true, transposeB: true },
  { name: 'batch times one matrix', a: [3, 5, 6], b: [1, 6, 4] },
  { name: 'transposed batch times one matrix', a: [3, 6, 5], b: [1, 6, 4], transposeA: true },
  { name: 'one matrix times a batch', a: [1, 5, 6], b: [3, 6, 4] },
  { name: 'rank 3 times rank 2', a: [3, 5, 6], b: [6, 4] },
  { name: 'rank 2 times rank 4, b transposed', a: [5, 6], b: [2, 3, 4, 6], transposeB: true },
  { name: 'rank 4, both batches are broadcast', a: [2, 1, 5, 6], b: [3, 6, 4] },
  { name: 'rank 4, the last batch dimension is broadcast', a: [2, 1, 5, 6], b: [2, 3, 6, 4] },
  { name: 'rank 5', a: [2, 3, 2, 4, 5], b: [2, 3, 2, 5, 3] },
  { name: 'no rows', a: [0, 4], b: [4, 3] },
  { name: 'no columns', a: [3, 4], b: [4, 0] },
  { name: 'an empty batch', a: [0, 3, 4], b: [0, 4, 3] },
  { name: 'no depth', a: [3, 0], b: [0, 4] },
  { name: 'bias', a: [1, 5, 7], b: [1, 7, 9], bias: [9], activation: 'linear' },
  { name: 'bias, relu', a: [1, 12, 20], b: [1, 20, 16], bias: [16], activation: 'relu' },
  { name: 'bias, relu6, both transposed', a: [1, 20, 12], b: [1, 17, 20], transposeA: true, transposeB: true, bias: [17], activation: 'relu6' },
  { name: 'a row, bias, relu', a: [1, 1, 300], b: [1, 300, 67], bias: [67], activation: 'relu' },
  { name: 'a row, b transposed, bias, relu', a: [1, 1, 300], b: [1, 130, 300], transposeB: true, bias: [130], activation: 'relu' },
  { name: 'a few columns, bias, relu', a: [1, 65, 66], b: [1, 66, 3], bias: [3], activation: 'relu' },
  { name: 'a column, a transposed, bias', a: [1, 40, 66], b: [1, 40, 1], transposeA: true, bias: [1], activation: 'relu' },
  { name: 'more than a block, bias, relu6', a: [1, 30, 520], b: [1, 520, 270], bias: [270], activation: 'relu6' },
  { name: 'batch times one matrix, bias, relu', a: [3, 5, 6], b: [1, 6, 4], bias: [4], activation: 'relu' },
  { name: 'scalar bias, relu', a: [2, 5, 6], b: [2, 6, 4], bias: [], activation: 'relu' },
  { name: 'bias of every cell', a: [2, 5, 6], b: [2, 6, 4], bias: [2, 5, 4], activation: 'linear' },
  { name: 'bias of every row', a: [2, 5, 6], b: [2, 6, 4], bias: [5, 1], activation: 'relu' },
  { name: 'bias, elu', a: [1, 5, 6], b: [1, 6, 4], bias: [4], activation: 'elu' },
  { name: 'bias, leakyrelu', a: [1, 5, 6], b: [1, 6, 4], bias: [4], activation: 'leakyrelu', leakyreluAlpha: 0.25 },
  { name: 'bias, prelu', a: [1, 5, 6], b: [1, 6, 4], bias: [4], activation: 'prelu', preluActivationWeights: [4] },
  { name: 'bias, sigmoid', a: [1, 5, 6], b: [1, 6, 4], bias: [4], activation: 'sigmoid' },
  { name: 'tanh', a: [1, 5, 6], b: [1, 6, 4], activation: 'tanh' },
]; // prettier-ignore

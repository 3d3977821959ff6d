/**
 * tfjs 'wasm' kernels of sums and means over the first dimensions: the gradient of a bias, and the statistics of batch normalization.
 * Where other dimensions stay, tfjs's own transpose x first. They serve for all other sums, but leave sums of nothing unwritten.
 */
import type { NamedAttrMap, TensorInfo } from '@tensorflow/tfjs-core';
import { batchNormSums } from '../batch_norm/simd.js';
import { sizeOf } from '../geometry.js';
import { simdFor } from '../runtime/options.js';
import { withSimd } from '../runtime/simd/instance.js';
import { heapOf, type Kernel, makeResult, readFloat32 } from '../runtime/tensors.js';
import * as cpu from './cpu.js';

/** With fewer values tfjs's own kernels are as fast. */
const LEAST_VALUES = 1024;
/** More columns take more scratch memory than a sum is worth. */
const MOST_COLUMNS = 1 << 16;

/** Whether tfjs's own kernel serves. */
export function isLeft(
  { x }: Readonly<Record<string, TensorInfo | undefined>>,
  attrs: NamedAttrMap,
): boolean {
  return sizeOf(x!.shape) > 0 && !isByColumns(x!, attrs);
}

/** Whether the sums are those of the columns of a matrix, and large enough to gain by it. */
function isByColumns(x: TensorInfo, attrs: NamedAttrMap): boolean {
  const { axes } = cpu.planOf(x, attrs, false);
  return (
    x.dtype === 'float32' &&
    simdFor(true) !== undefined &&
    axes.length > 0 &&
    axes.every((d) => d < axes.length) &&
    sizeOf(x.shape) >= LEAST_VALUES &&
    sizeOf(x.shape.slice(axes.length)) <= MOST_COLUMNS
  );
}

function over(isMean: boolean, plain: Kernel): Kernel {
  return (args) => {
    const { inputs: { x }, attrs, backend } = args; // prettier-ignore
    const { outShape, divisor } = cpu.planOf(x, attrs, isMean);
    if (sizeOf(x.shape) === 0) {
      return makeResult(backend, outShape, (y) => y().fill(0), isMean ? 'float32' : x.dtype);
    }
    if (!isByColumns(x, attrs)) return plain(args);
    const columns = sizeOf(outShape);
    return makeResult(backend, outShape, (y) => {
      const values = readFloat32(backend, 'x', x);
      const sums = new Float32Array(2 * columns); // the second half are sums of squares
      const zeros = new Float32Array(columns);
      withSimd(simdFor(true)!, (w) => batchNormSums(w, values, values, zeros, sums), heapOf(backend));
      const result = y();
      for (let i = 0; i < columns; i++) result[i] = sums[i] / divisor;
    });
  };
}

export const sum = over(false, cpu.sum);
export const mean = over(true, cpu.mean);

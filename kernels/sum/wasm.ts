/**
 * tfjs 'wasm' kernels of sums and means over the first dimensions: the gradient of a bias, and the statistics of batch normalization.
 * Where other dimensions stay, tfjs's own transpose x first. They serve for all other sums, but leave sums of nothing unwritten.
 */
import type { NamedAttrMap, TensorInfo } from '@tensorflow/tfjs-core';
import { batchNormSums } from '../batch_norm/simd.js';
import { sizeOf } from '../geometry.js';
import { simdFor } from '../runtime/options.js';
import { withSimd } from '../runtime/simd/instance.js';
import type { SimdLevel } from '../runtime/simd/modules.js';
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
  return sizeOf(x!.shape) > 0 && !levelFor(x!, cpu.planOf(x!, attrs, false).axes);
}

/** The SIMD build that serves, if the sums are those of the columns of a matrix, and large enough to gain by it. */
function levelFor({ shape, dtype }: TensorInfo, axes: readonly number[]): SimdLevel | undefined {
  const isByColumns =
    dtype === 'float32' &&
    axes.length > 0 &&
    axes.every((d) => d < axes.length) &&
    sizeOf(shape) >= LEAST_VALUES &&
    sizeOf(shape.slice(axes.length)) <= MOST_COLUMNS;
  return isByColumns ? simdFor(true) : undefined;
}

function over(isMean: boolean, plain: Kernel): Kernel {
  return (args) => {
    const { inputs: { x }, attrs, backend } = args; // prettier-ignore
    const { axes, outShape, divisor } = cpu.planOf(x, attrs, isMean);
    if (sizeOf(x.shape) === 0) {
      return makeResult(backend, outShape, (y) => y().fill(0), isMean ? 'float32' : x.dtype);
    }
    const level = levelFor(x, axes);
    if (!level) return plain(args);
    const columns = sizeOf(outShape);
    return makeResult(backend, outShape, (y) => {
      const values = readFloat32(backend, 'x', x);
      const sums = new Float32Array(2 * columns); // the second half are sums of squares
      const zeros = new Float32Array(columns);
      withSimd(level, (w) => batchNormSums(w, values, values, zeros, sums), heapOf(backend));
      const result = y();
      for (let i = 0; i < columns; i++) result[i] = sums[i] / divisor;
    });
  };
}

export const sum = over(false, cpu.sum);
export const mean = over(true, cpu.mean);

/** tfjs 'cpu' kernels of sums and means, for float32: TensorInfo -> arrays -> numeric function -> TensorInfo. */
import type { NamedAttrMap, TensorInfo } from '@tensorflow/tfjs-core';
import { sizeOf } from '../geometry.js';
import { type Kernel, makeResult, readFloat32 } from '../runtime/tensors.js';
import { axesOf, countOf, summedShape } from './definition.js';
import { sum as sumOf } from './loops.js';

/** Over which axes, the result's shape, and the number by which the sums are divided. */
export function planOf({ shape }: TensorInfo, { axis, keepDims }: NamedAttrMap, isMean: boolean) {
  const axes = axesOf(axis as number | number[] | null | undefined, shape.length);
  const kept = summedShape(shape, axes);
  return {
    axes,
    outShape: keepDims ? kept : kept.filter((_, d) => !axes.includes(d)),
    divisor: isMean ? countOf(shape, axes) : 1,
  };
}

/** y = x's sums, or means: of x's shape without the axes or, with attrs.keepDims, with a size of 1 there */
function over(isMean: boolean): Kernel {
  return ({ inputs: { x }, attrs, backend }) => {
    const { axes, outShape, divisor } = planOf(x, attrs, isMean);
    return makeResult(backend, outShape, (y) => {
      const sums = new Float64Array(sizeOf(outShape));
      sumOf(readFloat32(backend, 'x', x), x.shape, axes, sums);
      const result = y();
      for (let i = 0; i < sums.length; i++) result[i] = sums[i] / divisor;
    });
  };
}

export const sum: Kernel = over(false);
export const mean: Kernel = over(true);

/** tfjs 'cpu' kernels of sums and means, for float32: TensorInfo -> arrays -> numeric function -> TensorInfo. */
import { sizeOf } from '../geometry.js';
import { type Kernel, makeResult, readFloat32 } from '../runtime/tensors.js';
import { axesOf, countOf, summedShape } from './definition.js';
import { sum as sumOf } from './loops.js';

/** y = x's sums, or means: of x's shape without the axes or, with attrs.keepDims, with a size of 1 there */
function over(isMean: boolean): Kernel {
  return ({ inputs: { x }, attrs, backend }) => {
    const axes = axesOf(attrs.axis as number | number[] | undefined, x.shape.length);
    const kept = summedShape(x.shape, axes);
    const shape = attrs.keepDims ? kept : kept.filter((_, d) => !axes.includes(d));
    const values = readFloat32(backend, 'x', x);
    const divisor = isMean ? countOf(x.shape, axes) : 1;
    return makeResult(backend, shape, (y) => {
      const sums = new Float64Array(sizeOf(shape));
      sumOf(values, x.shape, axes, sums);
      const result = y();
      for (let i = 0; i < sums.length; i++) result[i] = sums[i] / divisor;
    });
  };
}

export const sum: Kernel = over(false);
export const mean: Kernel = over(true);

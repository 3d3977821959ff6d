/**
 * tfjs 'cpu' and 'wasm' kernels of max pooling: TensorInfo -> arrays -> numeric function -> TensorInfo.
 * inputs and attrs are those of tfjs. The attributes `dilations` and `dataFormat` are added.
 */
import type { Numbers } from '../arrays.js';
import { type PoolGeometry, sizeOf, withDyShape } from '../geometry.js';
import {
  checkNumbers,
  type Kernel,
  makeResult,
  makeTensor,
  poolGeometryOf,
  readFloats,
  readNumbers,
} from '../runtime/tensors.js';
import { poolBySimd } from '../runtime/simd/pooling.js';
import * as numeric from './definition.js';
import * as simd from './simd.js';

/** y: [batch, outHeight, outWidth, channels], of x's dtype */
export const maxPool: Kernel = ({ inputs, attrs, backend }) => {
  const { x } = inputs;
  const g = poolGeometryOf(x, attrs);
  checkNumbers('x', x);
  return makeResult<Numbers>(
    backend,
    g.outShape,
    (y) => {
      const values = readNumbers(backend, 'x', x);
      const done = poolBySimd(
        g,
        [values],
        (instance, [floats]) => !simd.maxPool(instance, floats, g, y as Float32Array),
      );
      if (!done) numeric.maxPool(values, g, y, new Int32Array(y.length));
    },
    x.dtype,
  );
};

/**
 * [y, indexes]: both of y's shape. indexes is int32. An index is into the flat x, or into one image of x. It is -1
 * for a window without cells.
 */
export const maxPoolWithArgmax: Kernel = ({ inputs, attrs, backend }) => {
  const { x } = inputs;
  const g = poolGeometryOf(x, attrs);
  const { y, positions } = maxima(readNumbers(backend, 'x', x), g, sizeOf(g.outShape));
  const indexes = attrs.includeBatchInIndex
    ? positions
    : positions.map((p) => (p === -1 ? -1 : p % g.x.batch));
  return [makeTensor(backend, g.outShape, x.dtype, y), makeTensor(backend, g.outShape, 'int32', indexes)];
};

/** dx: the shape of `input`. tfjs also passes `output`, which is not needed. */
export const maxPoolGrad: Kernel = ({ inputs, attrs, backend }) => {
  const { dy, input } = inputs;
  const g = withDyShape(poolGeometryOf(input, attrs), dy.shape);
  return makeResult(backend, input.shape, (dx) => {
    const x = readNumbers(backend, 'input', input);
    const dyValues = readFloats(backend, 'dy', dy);
    const done = poolBySimd(
      g,
      [x, dyValues],
      (instance, [xFloats, dyFloats]) => !simd.maxPoolGrad(instance, xFloats, dyFloats, g, dx),
    );
    if (!done) numeric.maxPoolGrad(dyValues, maxima(x, g, sizeOf(dy.shape)).positions, dx);
  });
};

function maxima(x: Numbers, g: PoolGeometry, size: number): { y: Numbers; positions: Int32Array } {
  const y = new (x.constructor as new (size: number) => Numbers)(size);
  const positions = new Int32Array(size);
  numeric.maxPool(x, g, y, positions);
  return { y, positions };
}

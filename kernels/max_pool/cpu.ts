/**
 * tfjs 'cpu' and 'wasm' kernels of max pooling: TensorInfo -> arrays -> numeric function -> TensorInfo.
 * inputs and attrs are those of tfjs. The attributes `dilations` and `dataFormat` are added.
 */
import type { KernelBackend } from '@tensorflow/tfjs-core';
import type { Numbers } from '../arrays.js';
import { type PoolGeometry, sizeOf, withDyShape } from '../geometry.js';
import {
  checkNumbers,
  heapOf,
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
      const done = poolBySimd(
        g,
        [readNumbers(backend, 'x', x)],
        (instance, [values]) => !simd.maxPool(instance, values, g, y() as Float32Array),
        heapOf(backend),
      );
      if (!done) numeric.maxPool(readNumbers(backend, 'x', x), g, y(), new Int32Array(sizeOf(g.outShape)));
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
  const values = makeTensor(backend, g.outShape, x.dtype, y);
  try {
    return [values, makeTensor(backend, g.outShape, 'int32', indexes)];
  } catch (error) {
    (backend as KernelBackend).disposeData(values.dataId);
    throw error;
  }
};

/** dx: the shape of `input`. tfjs also passes `output`, which is not needed. */
export const maxPoolGrad: Kernel = ({ inputs, attrs, backend }) => {
  const { dy, input } = inputs;
  const g = withDyShape(poolGeometryOf(input, attrs), dy.shape);
  return makeResult(backend, input.shape, (dx) => {
    const read = () => [readNumbers(backend, 'input', input), readFloats(backend, 'dy', dy)] as const;
    const done = poolBySimd(
      g,
      read(),
      (instance, [x, dyValues]) => !simd.maxPoolGrad(instance, x, dyValues, g, dx()),
      heapOf(backend),
    );
    if (done) return;
    const [x, dyValues] = read();
    numeric.maxPoolGrad(dyValues, maxima(x, g, sizeOf(dy.shape)).positions, dx());
  });
};

function maxima(x: Numbers, g: PoolGeometry, size: number): { y: Numbers; positions: Int32Array } {
  const y = new (x.constructor as new (size: number) => Numbers)(size);
  const positions = new Int32Array(size);
  numeric.maxPool(x, g, y, positions);
  return { y, positions };
}

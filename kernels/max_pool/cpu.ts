/**
 * tfjs 'cpu' kernels of max pooling: TensorInfo -> arrays -> numeric function -> TensorInfo.
 * inputs and attrs are tfjs's own, and besides `dilations` and `dataFormat`.
 */
import type { Numbers } from '../arrays.js';
import { type PoolGeometry, sizeOf, withDyShape } from '../geometry.js';
import { type Kernel, makeTensor, poolGeometryOf, readFloats, readNumbers } from '../tensors.js';
import * as numeric from './definition.js';

/** y: [batch, outHeight, outWidth, channels], of x's dtype */
export const maxPool: Kernel = ({ inputs, attrs, backend }) => {
  const { x } = inputs;
  const g = poolGeometryOf(x, attrs);
  const { y } = maxima(readNumbers(backend, 'x', x), g, sizeOf(g.outShape));
  return makeTensor(backend, g.outShape, x.dtype, y);
};

/** [y, indexes]: of y's shape; indexes int32, into x flattened, or into one image of it, -1 for no cell at all. */
export const maxPoolWithArgmax: Kernel = ({ inputs, attrs, backend }) => {
  const { x } = inputs;
  const g = poolGeometryOf(x, attrs);
  const { y, positions } = maxima(readNumbers(backend, 'x', x), g, sizeOf(g.outShape));
  const indexes = attrs.includeBatchInIndex
    ? positions
    : positions.map((p) => (p === -1 ? -1 : p % g.x.batch));
  return [makeTensor(backend, g.outShape, x.dtype, y), makeTensor(backend, g.outShape, 'int32', indexes)];
};

/** dx: the shape of `input`; the input `output` that tfjs passes along is not needed. */
export const maxPoolGrad: Kernel = ({ inputs, attrs, backend }) => {
  const { dy, input } = inputs;
  const g = withDyShape(poolGeometryOf(input, attrs), dy.shape);
  const { positions } = maxima(readNumbers(backend, 'input', input), g, sizeOf(dy.shape));
  const dx = new Float32Array(sizeOf(input.shape));
  numeric.maxPoolGrad(readFloats(backend, 'dy', dy), positions, dx);
  return makeTensor(backend, input.shape, 'float32', dx);
};

function maxima(x: Numbers, g: PoolGeometry, size: number): { y: Numbers; positions: Int32Array } {
  const y = new (x.constructor as new (size: number) => Numbers)(size);
  const positions = new Int32Array(size);
  numeric.maxPool(x, g, y, positions);
  return { y, positions };
}

/**
 * tfjs 'cpu' kernels of average pooling: TensorInfo -> arrays -> numeric function -> TensorInfo.
 * inputs and attrs are tfjs's own, and besides `dilations`, `dataFormat` and `countIncludePad`.
 */
import { sizeOf, withDyShape } from '../geometry.js';
import { type Kernel, makeTensor, poolGeometryOf, readFloats } from '../tensors.js';
import * as numeric from './definition.js';

/** y: [batch, outHeight, outWidth, channels] */
export const avgPool: Kernel = ({ inputs, attrs, backend }) => {
  const { x } = inputs;
  const g = poolGeometryOf(x, attrs);
  const y = new Float32Array(sizeOf(g.outShape));
  numeric.avgPool(readFloats(backend, 'x', x), g, y);
  return makeTensor(backend, g.outShape, 'float32', y);
};

/** dx: the shape of `input`, whose values are not needed */
export const avgPoolGrad: Kernel = ({ inputs, attrs, backend }) => {
  const { dy, input } = inputs;
  const g = withDyShape(poolGeometryOf(input, attrs), dy.shape);
  const dx = new Float32Array(sizeOf(input.shape));
  numeric.avgPoolGrad(readFloats(backend, 'dy', dy), g, dx);
  return makeTensor(backend, input.shape, 'float32', dx);
};

/**
 * tfjs 'cpu' kernels of average pooling: TensorInfo -> arrays -> numeric function -> TensorInfo.
 * inputs and attrs are tfjs's own, and besides `dilations`, `dataFormat` and `countIncludePad`.
 */
import type { NamedAttrMap, TensorInfo } from '@tensorflow/tfjs-core';
import {
  type Pair,
  type PoolGeometry,
  poolGeometry,
  type PoolOptions,
  sizeOf,
  withDyShape,
} from '../geometry.js';
import { type Kernel, makeTensor, readFloats } from '../tensors.js';
import * as numeric from './definition.js';

/** y: [batch, outHeight, outWidth, channels] */
export const avgPool: Kernel = ({ inputs, attrs, backend }) => {
  const { x } = inputs;
  const g = geometry(x, attrs);
  const y = new Float32Array(sizeOf(g.outShape));
  numeric.avgPool(readFloats(backend, 'x', x), g, y);
  return makeTensor(backend, g.outShape, 'float32', y);
};

/** dx: the shape of `input`, whose values are not needed */
export const avgPoolGrad: Kernel = ({ inputs, attrs, backend }) => {
  const { dy, input } = inputs;
  const g = withDyShape(geometry(input, attrs), dy.shape);
  const dx = new Float32Array(sizeOf(input.shape));
  numeric.avgPoolGrad(readFloats(backend, 'dy', dy), g, dx);
  return makeTensor(backend, input.shape, 'float32', dx);
};

function geometry(x: TensorInfo, attrs: NamedAttrMap): PoolGeometry {
  return poolGeometry(x.shape, attrs.filterSize as Pair, attrs as PoolOptions);
}

/**
 * tfjs 'cpu' and 'wasm' kernels of average pooling: TensorInfo -> arrays -> numeric function -> TensorInfo.
 * inputs and attrs are those of tfjs. The attributes `dilations`, `dataFormat` and `countIncludePad` are added.
 */
import { withDyShape } from '../geometry.js';
import type { Simd } from '../runtime/simd/instance.js';
import { heapOf, type Kernel, makeResult, poolGeometryOf, readFloats } from '../runtime/tensors.js';
import { poolBySimd } from '../runtime/simd/pooling.js';
import * as numeric from './definition.js';
import * as simd from './simd.js';

/** y: [batch, outHeight, outWidth, channels] */
export const avgPool: Kernel = ({ inputs, attrs, backend }) => {
  const { x } = inputs;
  const g = poolGeometryOf(x, attrs);
  return makeResult(backend, g.outShape, (y) => {
    const values = readFloats(backend, 'x', x);
    const work = (instance: Simd, [floats]: Float32Array[]) => {
      simd.avgPool(instance, floats, g, y());
      return true;
    };
    if (!poolBySimd(g, [values], work, heapOf(backend))) numeric.avgPool(values, g, y());
  });
};

/** dx: the shape of `input`. The values of `input` are not needed. */
export const avgPoolGrad: Kernel = ({ inputs, attrs, backend }) => {
  const { dy, input } = inputs;
  const g = withDyShape(poolGeometryOf(input, attrs), dy.shape);
  return makeResult(backend, input.shape, (dx) => {
    const dyValues = readFloats(backend, 'dy', dy);
    const work = (instance: Simd, [floats]: Float32Array[]) => {
      simd.avgPoolGrad(instance, floats, g, dx());
      return true;
    };
    if (!poolBySimd(g, [dyValues], work, heapOf(backend))) numeric.avgPoolGrad(dyValues, g, dx());
  });
};

/**
 * tfjs 'webgl' kernels of max pooling: the definition (definition.ts), one fragment for each element of the result.
 *
 *   y[b, oy, ox, c]  searches its window for the first maximum; NaN is skipped as long as there is anything else
 *   dx[b, iy, ix, c] sums the dy of those windows that see the cell, and whose maximum's tap is the one that sees it
 *
 * The taps, fy * filterWidth + fx, are small whole numbers, exact in every texture. Flat indexes and int32 values live
 * in float textures: exact up to 2^24, and up to 2^11 where textures hold half floats.
 */
import type { MathBackendWebGL } from '@tensorflow/tfjs-backend-webgl';
import type { DataType, TensorInfo } from '@tensorflow/tfjs-core';
import { type PoolGeometry, withDyShape } from '../geometry.js';
import { type Kernel, poolGeometryOf } from '../tensors.js';
import { runShader, stepsOf, windowUniforms } from '../webgl.js';

/** y: [batch, outHeight, outWidth, channels], of x's dtype */
export const maxPool: Kernel = ({ inputs: { x }, attrs, backend }) =>
  search(backend, x, poolGeometryOf(x, attrs), x.dtype, 'tap < 0 ? nothing : maximum');

/** [y, indexes]: of y's shape; indexes int32, into x flattened, or into one image of it, -1 for no cell at all. */
export const maxPoolWithArgmax: Kernel = ({ inputs: { x }, attrs, backend }) => {
  const g = poolGeometryOf(x, attrs);
  const index = attrs.includeBatchInIndex ? 'at' : 'at - y.x * xSteps.x';
  return [
    search(backend, x, g, x.dtype, 'tap < 0 ? nothing : maximum'),
    search(backend, x, g, 'int32', `tap < 0 ? -1. : float(${index})`),
  ];
};

/** dx: the shape of `input`; the input `output` that tfjs passes along is not needed. */
export const maxPoolGrad: Kernel = ({ inputs: { dy, input }, attrs, backend }) => {
  const g = poolGeometryOf(input, attrs);
  const taps = search(backend, input, g, 'float32', 'float(tap)');
  const dx = runShader(
    backend as MathBackendWebGL,
    { dy, taps },
    { ...windowUniforms(g), dySteps: stepsOf(withDyShape(g, dy.shape).y) },
    input.shape,
    'float32',
    `
    void main() {
      ivec4 x = coordsOf(getOutputCoords(), xSteps, xSize);
      float sum = 0.;
      for (int fy = 0; fy < filterSize.x; fy++) {
        int oy = positionOf(x.y + pads.x - fy * dilations.x, strides.x, ySize.y);
        if (oy < 0) continue;
        for (int fx = 0; fx < filterSize.y; fx++) {
          int ox = positionOf(x.z + pads.y - fx * dilations.y, strides.y, ySize.z);
          if (ox < 0) continue;
          ivec4 y = ivec4(x.x, oy, ox, x.w);
          float tap = getTaps(indexOf(y, ySteps));
          if (tap == float(fy * filterSize.y + fx)) sum += getDy(indexOf(y, dySteps));
        }
      }
      setOutput(sum);
    }`,
  );
  (backend as MathBackendWebGL).disposeIntermediateTensorInfo(taps);
  return dx;
};

/** For each window: its maximum, the tap it is under (-1: the window lies wholly in padding), and where it is in x. */
function search(
  backend: object,
  x: TensorInfo,
  g: PoolGeometry,
  dtype: DataType,
  result: string,
): TensorInfo {
  return runShader(
    backend as MathBackendWebGL,
    { x },
    { ...windowUniforms(g), nothing: x.dtype === 'int32' ? -(2 ** 31) : x.dtype === 'bool' ? 0 : -Infinity },
    g.outShape,
    dtype,
    `
    void main() {
      ivec4 y = coordsOf(getOutputCoords(), ySteps, ySize);
      ivec2 corner = y.yz * strides - pads;
      float maximum = 0.;
      int tap = -1;
      int at = -1;
      for (int fy = 0; fy < filterSize.x; fy++) {
        int iy = corner.x + fy * dilations.x;
        if (iy < 0 || iy >= xSize.y) continue;
        for (int fx = 0; fx < filterSize.y; fx++) {
          int ix = corner.y + fx * dilations.y;
          if (ix < 0 || ix >= xSize.z) continue;
          int index = indexOf(ivec4(y.x, iy, ix, y.w), xSteps);
          float value = getX(index);
          if (tap < 0 || value > maximum || (isnan(maximum) && !isnan(value))) {
            maximum = value;
            tap = fy * filterSize.y + fx;
            at = index;
          }
        }
      }
      setOutput(${result});
    }`,
  );
}

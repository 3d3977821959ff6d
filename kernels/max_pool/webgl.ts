/**
 * tfjs 'webgl' kernels of max pooling: TensorInfo -> program -> TensorInfo.
 *
 *   webgl/packed.ts      the fast programs, for NHWC
 *   webgl/simple.ts      the programs for everything else
 *   webgl/remembered.ts  the taps that the forward pass keeps for the gradient
 *
 * packed.ts and simple.ts have two programs each. The search finds the maximum of each window and the tap that it lies under.
 * The gradient reads these taps.
 *
 * The number of a tap is fy * filterWidth + fx. Such small whole numbers are exact in every texture. Flat indexes and
 * int32 values are kept in float textures. They are exact up to 2^24, and up to 2^11 where textures hold half floats.
 */
import { engine } from '@tensorflow/tfjs-core';
import { withDyShape } from '../geometry.js';
import { poolGeometryOf } from '../runtime/tensors.js';
import { isPacked } from '../runtime/webgl/pooling.js';
import { webglKernel } from '../runtime/webgl/kernel.js';
import { packedMaxPoolGrad, packedSearch } from './webgl/packed.js';
import { forgetDisposed, recall, remember } from './webgl/remembered.js';
import { simpleMaxPoolGrad, simpleSearch } from './webgl/simple.js';

/** y: [batch, outHeight, outWidth, channels], of x's dtype */
export const maxPool = webglKernel('MaxPool', ({ inputs: { x }, attrs, backend }) => {
  const g = poolGeometryOf(x, attrs);
  if (!isPacked(backend, g, x)) return simpleSearch(backend, x, g, [x.dtype, 'y'])[0];
  forgetDisposed(backend);
  if (engine().state.gradientDepth === 0) return packedSearch(backend, x, g, [x.dtype, 'y'])[0];
  const [y, taps] = packedSearch(backend, x, g, [x.dtype, 'y'], ['float32', 'taps']);
  remember(backend, x, g, y, taps);
  return y;
});

/**
 * [y, indexes]: both of y's shape. indexes is int32. An index is into the flat x, or into one image of x. It is -1
 * for a window without cells.
 */
export const maxPoolWithArgmax = webglKernel('MaxPoolWithArgmax', ({ inputs: { x }, attrs, backend }) => {
  const g = poolGeometryOf(x, attrs);
  const search = isPacked(backend, g, x) ? packedSearch : simpleSearch;
  const indexes = attrs.includeBatchInIndex ? 'batchIndexes' : 'indexes';
  return search(backend, x, g, [x.dtype, 'y'], ['int32', indexes]);
});

/** dx: the shape of `input`. An `output` that our forward pass made tells where the maxima are. */
export const maxPoolGrad = webglKernel('MaxPoolGrad', ({ inputs: { dy, input, output }, attrs, backend }) => {
  const g = poolGeometryOf(input, attrs);
  const dyGeometry = withDyShape(g, dy.shape);
  const packed = isPacked(backend, g, input, dy);
  const search = packed ? packedSearch : simpleSearch;
  const known = packed ? recall(backend, input, g, output) : undefined;
  const taps = known ?? search(backend, input, g, ['float32', 'taps'])[0];
  try {
    return packed
      ? packedMaxPoolGrad(backend, g, dy, taps)
      : simpleMaxPoolGrad(backend, g, dyGeometry.y, dy, taps);
  } finally {
    backend.disposeIntermediateTensorInfo(taps);
  }
});

/**
 * 2-D max pooling and its gradient by WebAssembly SIMD. The results are those of definition.ts, in NHWC and float32.
 * Each strip of x is read once. The gradient finds the maximum and its first cell while the strip is in the cache.
 *
 * Both functions return true if they give up. Then y or dx is of no use, and the definition has to serve. They give
 * up on a window that has no maximum above -Infinity: a window of NaN alone, of -Infinity alone, or of padding alone.
 */
import type { PoolGeometry } from '../geometry.js';
import { poolBackward, poolForward } from '../runtime/simd/pooling.js';
import type { Simd } from '../runtime/simd/instance.js';

export function maxPool(simd: Simd, x: Float32Array, g: PoolGeometry, y: Float32Array): boolean {
  return poolForward(simd, x, g, y, -Infinity, (at) => simd.maxPool(at));
}

export function maxPoolGrad(
  simd: Simd,
  x: Float32Array,
  dy: Float32Array,
  g: PoolGeometry,
  dx: Float32Array,
): boolean {
  return poolBackward(simd, x, dy, g, dx, -Infinity, (at) => simd.maxPoolGrad(at));
}

/**
 * 2-D max pooling and its gradient by WebAssembly SIMD: the same results as definition.ts, in NHWC and float32. Each
 * strip of x is read once; the gradient finds the maximum and its first cell while the strip is in the cache.
 *
 * Both return true to give up, with y or dx of no use: a window without a maximum above -Infinity (only NaN, only
 * -Infinity, or only padding) needs the definition's care.
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

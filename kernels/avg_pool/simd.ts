/**
 * 2-D average pooling and its gradient by WebAssembly SIMD. The results are those of definition.ts, to rounding, in
 * NHWC and float32. Each strip of x is read once. If a window lies wholly in padding, its sum is divided by Infinity, which gives
 * 0.
 */
import type { PoolGeometry } from '../geometry.js';
import { poolBackward, poolForward } from '../runtime/simd/pooling.js';
import type { Simd } from '../runtime/simd/instance.js';
import type { Rectangle } from '../runtime/simd/strips.js';
import { divisor } from './definition.js';

export function avgPool(simd: Simd, x: Float32Array, g: PoolGeometry, y: Float32Array): void {
  poolForward(simd, x, g, y, 0, (at, strip) => {
    writeCounts(simd, at.counts, g, strip);
    simd.avgPool(at);
    return false;
  });
}

export function avgPoolGrad(simd: Simd, dy: Float32Array, g: PoolGeometry, dx: Float32Array): void {
  poolBackward(simd, undefined, dy, g, dx, 0, (at, strip) => {
    writeCounts(simd, at.counts, g, strip);
    simd.avgPoolGrad(at);
    return false;
  });
}

function writeCounts({ f32 }: Simd, at: number, g: PoolGeometry, strip: Rectangle): void {
  let i = at / 4;
  for (let b = 0; b < strip.images; b++) {
    for (let row = strip.row; row < strip.row + strip.rows; row++) {
      for (let col = strip.col; col < strip.col + strip.cols; col++) {
        const n = divisor(g, row * g.strideHeight - g.padTop, col * g.strideWidth - g.padLeft);
        f32[i++] = n === 0 ? Infinity : n;
      }
    }
  }
}

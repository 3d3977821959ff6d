/**
 * 2-D max pooling and its gradient.
 *
 *   y[b, oy, ox, c] = max over fy, fx of x[b, oy * strideHeight - padTop + fy * dilationHeight, ix alike, c]
 *   dx[cell]        = sum of dy over the windows whose maximum is that cell
 *
 * x: [batch, inHeight, inWidth, channels], y: [batch, outHeight, outWidth, channels]; NCHW differs only in its steps.
 * Of equal maxima the first in row-major order wins. NaN is skipped; a window of nothing but NaN gives NaN, and its
 * gradient goes to its first cell. Padding is never a maximum: a window that lies wholly in it gives -Infinity (the
 * smallest int32 for int32) and has no gradient.
 */
import type { Floats, Numbers } from '../arrays.js';
import { endTap, firstTap, type PoolGeometry } from '../geometry.js';

/**
 * y = maxPool(x), and where each maximum lies. Every cell of both that belongs to a window is written, and -1 to
 * the positions of cells that do not (there are some only where the steps of y are those of a larger dy).
 * @param positions [size of y] index into the flat x, -1 for a window wholly in padding
 */
export function maxPool(x: Numbers, g: PoolGeometry, y: Numbers, positions: Int32Array): void {
  positions.fill(-1);
  const nothing = y instanceof Int32Array ? -(2 ** 31) : -Infinity;
  for (let b = 0; b < g.batchSize; b++) {
    for (let oy = 0; oy < g.outHeight; oy++) {
      const top = oy * g.strideHeight - g.padTop;
      const fyEnd = endTap(top, g.dilationHeight, g.filterHeight, g.inHeight);
      for (let ox = 0; ox < g.outWidth; ox++) {
        const left = ox * g.strideWidth - g.padLeft;
        const fxEnd = endTap(left, g.dilationWidth, g.filterWidth, g.inWidth);
        for (let c = 0; c < g.outChannels; c++) {
          const x0 = b * g.x.batch + c * g.x.channel;
          let max = NaN;
          let position = -1;
          for (let fy = firstTap(top, g.dilationHeight); fy < fyEnd; fy++) {
            const iy = top + fy * g.dilationHeight;
            for (let fx = firstTap(left, g.dilationWidth); fx < fxEnd; fx++) {
              const ix = left + fx * g.dilationWidth;
              const xi = x0 + iy * g.x.row + ix * g.x.col;
              const value = x[xi];
              if (position === -1 || value > max || (Number.isNaN(max) && !Number.isNaN(value))) {
                max = value;
                position = xi;
              }
            }
          }
          const yi = b * g.y.batch + oy * g.y.row + ox * g.y.col + c * g.y.channel;
          y[yi] = position === -1 ? nothing : max;
          positions[yi] = position;
        }
      }
    }
  }
}

/**
 * dx = sum over all y of dy * d y / d x. Every cell of dx is written.
 * @param positions [size of dy] of the maxima, as `maxPool` gives them
 */
export function maxPoolGrad(dy: Floats, positions: Int32Array, dx: Floats): void {
  dx.fill(0);
  for (let yi = 0; yi < positions.length; yi++) {
    if (positions[yi] !== -1) dx[positions[yi]] += dy[yi];
  }
}

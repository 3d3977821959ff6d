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
import { firstInside, type PoolGeometry } from '../geometry.js';

/**
 * y = maxPool(x), and where each maximum lies. Every cell of both that belongs to a window is written, and -1 to
 * the positions of cells that do not (there are some only where the steps of y are those of a larger dy).
 * @param positions [size of y] index into the flat x, -1 for a window wholly in padding
 */
export function maxPool(x: Numbers, g: PoolGeometry, y: Numbers, positions: Int32Array): void {
  positions.fill(-1);
  const nothing = y instanceof Int32Array ? -(2 ** 31) : -Infinity;
  const { batchSize, inHeight, inWidth, outHeight, outWidth, outChannels, padTop, padLeft } = g;
  const { strideHeight, strideWidth, dilationHeight, dilationWidth } = g;
  const { effectiveFilterHeight, effectiveFilterWidth } = g;
  const { batch: xBatch, row: xRow, col: xCol, channel: xChannel } = g.x;
  const { batch: yBatch, row: yRow, col: yCol, channel: yChannel } = g.y;
  for (let b = 0; b < batchSize; b++) {
    for (let oy = 0; oy < outHeight; oy++) {
      const top = oy * strideHeight - padTop;
      const iyStart = firstInside(top, dilationHeight);
      const iyEnd = Math.min(inHeight, top + effectiveFilterHeight);
      for (let ox = 0; ox < outWidth; ox++) {
        const left = ox * strideWidth - padLeft;
        const ixStart = firstInside(left, dilationWidth);
        const ixEnd = Math.min(inWidth, left + effectiveFilterWidth);
        for (let c = 0; c < outChannels; c++) {
          let max = NaN;
          let position = -1;
          for (let iy = iyStart; iy < iyEnd; iy += dilationHeight) {
            for (let ix = ixStart; ix < ixEnd; ix += dilationWidth) {
              const xi = b * xBatch + iy * xRow + ix * xCol + c * xChannel;
              const value = x[xi];
              if (value > max || position === -1 || (Number.isNaN(max) && !Number.isNaN(value))) {
                max = value;
                position = xi;
              }
            }
          }
          const yi = b * yBatch + oy * yRow + ox * yCol + c * yChannel;
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

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
import { forEachWindow, type PoolGeometry, tapSteps } from '../geometry.js';

/**
 * y = maxPool(x), and where each maximum lies. Every cell of both that belongs to a window is written, and -1 to
 * the positions of cells that do not (there are some only where the steps of y are those of a larger dy).
 * @param positions [size of y] index into the flat x, -1 for a window wholly in padding
 */
export function maxPool(x: Numbers, g: PoolGeometry, y: Numbers, positions: Int32Array): void {
  positions.fill(-1);
  const nothing = y instanceof Int32Array ? -(2 ** 31) : -Infinity;
  const { rowStep, colStep, channelStep } = tapSteps(g);
  const yChannel = g.y.channel;
  const channels = g.outChannels;
  forEachWindow(g, (xi, yi, rows, cols) => {
    for (let c = 0; c < channels; c++) {
      let max = NaN;
      let position = -1;
      let first = xi + c * channelStep;
      for (let row = 0; row < rows; row++, first += rowStep) {
        for (let col = 0; col < cols; col++) {
          const at = first + col * colStep;
          const value = x[at];
          if (value > max || position === -1 || (Number.isNaN(max) && !Number.isNaN(value))) {
            max = value;
            position = at;
          }
        }
      }
      y[yi + c * yChannel] = position === -1 ? nothing : max;
      positions[yi + c * yChannel] = position;
    }
  });
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

/**
 * 2-D max pooling and its gradient.
 *
 *   y[b, oy, ox, c] = max over fy, fx of x[b, oy * strideHeight - padTop + fy * dilationHeight, ix alike, c]
 *   dx[cell]        = sum of dy over the windows whose maximum is that cell
 *
 * x: [batch, inHeight, inWidth, channels], y: [batch, outHeight, outWidth, channels]. NCHW differs only in its steps.
 *
 *   Equal maxima   The first one in row-major order wins.
 *   NaN            It is skipped. A window of NaN alone gives NaN. The gradient of that window goes to its first cell.
 *   Padding        It is never a maximum. A window wholly in padding gives -Infinity, or for int32 the smallest int32.
 *                  It has no gradient.
 *
 * docs/learn/c-whole-cnn.md goes through the formulas with numbers.
 */
import type { Floats, Numbers } from '../arrays.js';
import { forEachWindow, type PoolGeometry, tapSteps } from '../geometry.js';

/**
 * y = maxPool(x), and the position of each maximum. Every cell of y and positions that belongs to a window is
 * written. If the steps of y are those of a larger dy, some cells belong to no window. Their positions are -1.
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
 * @param positions [size of dy] positions of the maxima, as `maxPool` writes them
 */
export function maxPoolGrad(dy: Floats, positions: Int32Array, dx: Floats): void {
  dx.fill(0);
  for (let yi = 0; yi < positions.length; yi++) {
    if (positions[yi] !== -1) dx[positions[yi]] += dy[yi];
  }
}

/**
 * 2-D average pooling and its gradient.
 *
 *   y[b, oy, ox, c] = sum over fy, fx of x[b, oy * strideHeight - padTop + fy * dilationHeight, ix alike, c] / n
 *   dx[cell]        = sum of dy / n over the windows that hold the cell
 *
 * x: [batch, inHeight, inWidth, channels], y: [batch, outHeight, outWidth, channels]; NCHW differs only in its steps.
 * n counts the window's cells that lie in x, or, with countIncludePad, in the padded x (cells that 'ceil' adds past
 * the padding never count, as in PyTorch). A window wholly in padding gives 0 and has no gradient.
 */
import type { Floats, Numbers } from '../arrays.js';
import { endTap, firstTap, type PoolGeometry } from '../geometry.js';

/** y = avgPool(x). Every cell of y is written. */
export function avgPool(x: Numbers, g: PoolGeometry, y: Numbers): void {
  for (let b = 0; b < g.batchSize; b++) {
    for (let oy = 0; oy < g.outHeight; oy++) {
      const top = oy * g.strideHeight - g.padTop;
      const fyEnd = endTap(top, g.dilationHeight, g.filterHeight, g.inHeight);
      for (let ox = 0; ox < g.outWidth; ox++) {
        const left = ox * g.strideWidth - g.padLeft;
        const fxEnd = endTap(left, g.dilationWidth, g.filterWidth, g.inWidth);
        const n = divisor(g, top, left);
        for (let c = 0; c < g.outChannels; c++) {
          const x0 = b * g.x.batch + c * g.x.channel;
          let sum = 0;
          for (let fy = firstTap(top, g.dilationHeight); fy < fyEnd; fy++) {
            const iy = top + fy * g.dilationHeight;
            for (let fx = firstTap(left, g.dilationWidth); fx < fxEnd; fx++) {
              const ix = left + fx * g.dilationWidth;
              sum += x[x0 + iy * g.x.row + ix * g.x.col];
            }
          }
          y[b * g.y.batch + oy * g.y.row + ox * g.y.col + c * g.y.channel] = n === 0 ? 0 : sum / n;
        }
      }
    }
  }
}

/** dx = sum over all y of dy * d y / d x. Every cell of dx is written. */
export function avgPoolGrad(dy: Floats, g: PoolGeometry, dx: Floats): void {
  dx.fill(0);
  for (let b = 0; b < g.batchSize; b++) {
    for (let oy = 0; oy < g.outHeight; oy++) {
      const top = oy * g.strideHeight - g.padTop;
      const fyEnd = endTap(top, g.dilationHeight, g.filterHeight, g.inHeight);
      for (let ox = 0; ox < g.outWidth; ox++) {
        const left = ox * g.strideWidth - g.padLeft;
        const fxEnd = endTap(left, g.dilationWidth, g.filterWidth, g.inWidth);
        const n = divisor(g, top, left);
        for (let c = 0; c < g.outChannels; c++) {
          const x0 = b * g.x.batch + c * g.x.channel;
          const share = dy[b * g.y.batch + oy * g.y.row + ox * g.y.col + c * g.y.channel] / n;
          for (let fy = firstTap(top, g.dilationHeight); fy < fyEnd; fy++) {
            const iy = top + fy * g.dilationHeight;
            for (let fx = firstTap(left, g.dilationWidth); fx < fxEnd; fx++) {
              const ix = left + fx * g.dilationWidth;
              dx[x0 + iy * g.x.row + ix * g.x.col] += share;
            }
          }
        }
      }
    }
  }
}

/** n of the window whose first tap is at row `top` and column `left`; the one divisor of forward and gradient. */
function divisor(g: PoolGeometry, top: number, left: number): number {
  const p = g.countIncludePad
    ? { top: g.padTop, bottom: g.padBottom, left: g.padLeft, right: g.padRight }
    : noPad;
  const rows = taps(top + p.top, g.dilationHeight, g.filterHeight, g.inHeight + p.top + p.bottom);
  const cols = taps(left + p.left, g.dilationWidth, g.filterWidth, g.inWidth + p.left + p.right);
  return rows * cols;
}

const noPad = { top: 0, bottom: 0, left: 0, right: 0 };

/** Number of taps that lie in [0, size) for a window that starts at `start`. */
function taps(start: number, dilation: number, filterSize: number, size: number): number {
  return Math.max(0, endTap(start, dilation, filterSize, size) - firstTap(start, dilation));
}

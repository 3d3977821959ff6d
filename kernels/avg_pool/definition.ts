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
import { firstInside, type PoolGeometry } from '../geometry.js';

/** y = avgPool(x). Every cell of y is written. */
export function avgPool(x: Numbers, g: PoolGeometry, y: Numbers): void {
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
        const n = divisor(g, top, left);
        for (let c = 0; c < outChannels; c++) {
          const yi = b * yBatch + oy * yRow + ox * yCol + c * yChannel;
          let sum = 0;
          for (let iy = iyStart; iy < iyEnd; iy += dilationHeight) {
            for (let ix = ixStart; ix < ixEnd; ix += dilationWidth) {
              sum += x[b * xBatch + iy * xRow + ix * xCol + c * xChannel];
            }
          }
          y[yi] = n === 0 ? 0 : sum / n;
        }
      }
    }
  }
}

/** dx = sum over all y of dy * d y / d x. Every cell of dx is written. */
export function avgPoolGrad(dy: Floats, g: PoolGeometry, dx: Floats): void {
  dx.fill(0);
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
        const n = divisor(g, top, left);
        for (let c = 0; c < outChannels; c++) {
          const yi = b * yBatch + oy * yRow + ox * yCol + c * yChannel;
          const share = dy[yi] / n;
          for (let iy = iyStart; iy < iyEnd; iy += dilationHeight) {
            for (let ix = ixStart; ix < ixEnd; ix += dilationWidth) {
              dx[b * xBatch + iy * xRow + ix * xCol + c * xChannel] += share;
            }
          }
        }
      }
    }
  }
}

/** n of the window whose first tap is at row `top` and column `left`; the one divisor of forward and gradient. */
export function divisor(g: PoolGeometry, top: number, left: number): number {
  const p = g.countIncludePad
    ? { top: g.padTop, bottom: g.padBottom, left: g.padLeft, right: g.padRight }
    : noPad;
  const rows = taps(top + p.top, g.effectiveFilterHeight, g.dilationHeight, g.inHeight + p.top + p.bottom);
  const cols = taps(left + p.left, g.effectiveFilterWidth, g.dilationWidth, g.inWidth + p.left + p.right);
  return rows * cols;
}

const noPad = { top: 0, bottom: 0, left: 0, right: 0 };

/** Number of taps that lie in [0, size) for a window that starts at `start`. */
function taps(start: number, effectiveFilterSize: number, dilation: number, size: number): number {
  const end = Math.min(size, start + effectiveFilterSize);
  return Math.max(0, Math.ceil((end - firstInside(start, dilation)) / dilation));
}

/**
 * 2-D average pooling and its gradient.
 *
 *   y[b, oy, ox, c] = sum over fy, fx of x[b, oy * strideHeight - padTop + fy * dilationHeight, ix alike, c] / n
 *   dx[cell]        = sum of dy / n over the windows that hold the cell
 *
 * x: [batch, inHeight, inWidth, channels], y: [batch, outHeight, outWidth, channels]. NCHW differs only in its steps.
 *
 * n is the number of the window's cells that lie in x. With countIncludePad it is the number of cells in the padded
 * x. Cells that 'ceil' adds past the padding never count, as in PyTorch. A window wholly in padding gives 0 and has
 * no gradient.
 *
 * docs/learn/c-whole-cnn.md goes through the formulas with numbers.
 */
import type { Floats, Numbers } from '../arrays.js';
import { forEachWindow, type PoolGeometry, tapSteps, windowAt } from '../geometry.js';

/** y = avgPool(x). Every cell of y is written. */
export function avgPool(x: Numbers, g: PoolGeometry, y: Numbers): void {
  const { rowStep, colStep, channelStep } = tapSteps(g);
  const yChannel = g.y.channel;
  const channels = g.outChannels;
  forEachWindow(g, (xi, yi, rows, cols, top, left) => {
    const n = divisor(g, top, left);
    for (let c = 0; c < channels; c++) {
      let sum = 0;
      let at = xi + c * channelStep;
      for (let row = 0; row < rows; row++, at += rowStep) {
        for (let col = 0; col < cols; col++) sum += x[at + col * colStep];
      }
      y[yi + c * yChannel] = n === 0 ? 0 : sum / n;
    }
  });
}

/** dx = sum over all y of dy * d y / d x. Every cell of dx is written. */
export function avgPoolGrad(dy: Floats, g: PoolGeometry, dx: Floats): void {
  const { rowStep, colStep, channelStep } = tapSteps(g);
  const yChannel = g.y.channel;
  const channels = g.outChannels;
  dx.fill(0);
  forEachWindow(g, (xi, yi, rows, cols, top, left) => {
    const n = divisor(g, top, left);
    for (let c = 0; c < channels; c++) {
      const share = dy[yi + c * yChannel] / n;
      let at = xi + c * channelStep;
      for (let row = 0; row < rows; row++, at += rowStep) {
        for (let col = 0; col < cols; col++) dx[at + col * colStep] += share;
      }
    }
  });
}

/** n of the window whose first tap is at row `top` and column `left`. The op and its gradient both divide by it. */
export function divisor(g: PoolGeometry, top: number, left: number): number {
  const p = g.countIncludePad
    ? { top: g.padTop, bottom: g.padBottom, left: g.padLeft, right: g.padRight }
    : noPad;
  const rows = windowAt(
    top + p.top,
    g.effectiveFilterHeight,
    g.dilationHeight,
    g.inHeight + p.top + p.bottom,
  );
  const cols = windowAt(left + p.left, g.effectiveFilterWidth, g.dilationWidth, g.inWidth + p.left + p.right);
  return rows.count * cols.count;
}

const noPad = { top: 0, bottom: 0, left: 0, right: 0 };

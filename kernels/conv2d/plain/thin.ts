/**
 * 2-D convolution and its gradients for output images of only a few pixels, as at the end of a network. There the
 * filter is larger than all other arrays. The functions take one pixel after the other. So they read the filter once,
 * in its own order, and never pack it.
 *
 *   y[oc]                += x[tap, ic] * filter[tap, ic, oc]
 *   dx[tap, ic]          += sum over oc of dy[oc] * filter[tap, ic, oc]
 *   dFilter[tap, ic, oc] += x[tap, ic] * dy[oc]
 *
 * Shapes, signatures and results are those of definition.ts, the results to rounding.
 */
import type { Floats } from '../../arrays.js';
import type { ConvGeometry } from '../../geometry.js';
import { tapOffsets } from './im2col.js';

/** y = conv2d(x, filter). Every cell of y is written. */
export function conv2d(x: Floats, filter: Floats, g: ConvGeometry, y: Floats): void {
  const step = g.y.channel;
  y.fill(0);
  forEachChannel(g, (xi, f0, y0, count) => {
    const value = x[xi];
    for (let oc = 0; oc < count; oc++) y[y0 + oc * step] += value * filter[f0 + oc];
  });
}

/** dx = sum over all y of dy * d y / d x. Every cell of dx is written. */
export function conv2dBackpropInput(dy: Floats, filter: Floats, g: ConvGeometry, dx: Floats): void {
  const step = g.y.channel;
  dx.fill(0);
  forEachChannel(g, (xi, f0, y0, count) => {
    let sum = 0;
    for (let oc = 0; oc < count; oc++) sum += dy[y0 + oc * step] * filter[f0 + oc];
    dx[xi] += sum;
  });
}

/** dFilter = sum over all y of dy * d y / d filter, summed over the batch. Every cell of dFilter is written. */
export function conv2dBackpropFilter(x: Floats, dy: Floats, g: ConvGeometry, dFilter: Floats): void {
  const step = g.y.channel;
  dFilter.fill(0);
  forEachChannel(g, (xi, f0, y0, count) => {
    const value = x[xi];
    for (let oc = 0; oc < count; oc++) dFilter[f0 + oc] += value * dy[y0 + oc * step];
  });
}

/**
 * Calls visit(xi, f0, y0, count) for every input cell under every window. x[xi] meets filter[f0] and the `count` - 1
 * cells after it. The results belong to y[y0] and the `count` - 1 output channels after it.
 */
function forEachChannel(
  g: ConvGeometry,
  visit: (xi: number, f0: number, y0: number, count: number) => void,
): void {
  const { batchSize, outWidth, outChannels, groups } = g;
  const { batch: xBatch, channel: xChannel } = g.x;
  const { batch: yBatch, row: yRow, col: yCol, channel: yChannel } = g.y;
  const inPerGroup = g.inChannels / groups;
  const outPerGroup = outChannels / groups;
  const taps = g.filterHeight * g.filterWidth;
  const offsets = tapOffsets(g, 0, g.outHeight * outWidth);
  for (let b = 0; b < batchSize; b++) {
    for (let i = 0; i < offsets.length; i++) {
      if (offsets[i] < 0) continue; // in the padding
      const tap = i % taps;
      const pixel = (i - tap) / taps;
      const ox = pixel % outWidth;
      const yi = b * yBatch + ((pixel - ox) / outWidth) * yRow + ox * yCol;
      for (let group = 0; group < groups; group++) {
        const x0 = b * xBatch + offsets[i] + group * inPerGroup * xChannel;
        const f0 = tap * inPerGroup * outChannels + group * outPerGroup;
        const y0 = yi + group * outPerGroup * yChannel;
        for (let ic = 0; ic < inPerGroup; ic++) {
          visit(x0 + ic * xChannel, f0 + ic * outChannels, y0, outPerGroup);
        }
      }
    }
  }
}

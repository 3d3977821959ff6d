/**
 * Depthwise 2-D convolution and its two gradients as plain loops. Each channel is convolved on its own.
 *
 *   y[b, oy, ox, c * multiplier + q] = sum over fy, fx of x[b, iy, ix, c] * filter[fy, fx, c, q]
 *   iy = oy * strideHeight - padTop + fy * dilationHeight, and ix alike; cells outside x count as 0
 *
 *   x       [batch, inHeight, inWidth, channels]
 *   filter  [filterHeight, filterWidth, channels, multiplier]
 *   y       [batch, outHeight, outWidth, channels * multiplier]
 *
 * NCHW differs only in its steps. It is a convolution whose groups are single channels: the functions have the names, the signatures
 * and the geometry of conv2d/definition.ts, and the channels in the innermost loop, along which all three arrays lie in NHWC.
 *
 * As there, y is a sum of products x * filter, and the same triples of cells give both gradients.
 *
 * Source: Chollet, "Xception: Deep Learning with Depthwise Separable Convolutions", 2017.
 */
import type { Floats } from '../arrays.js';
import { type ConvGeometry, forEachWindow, tapSteps } from '../geometry.js';

/** y = depthwiseConv2d(x, filter). Every cell of y is written. */
export function conv2d(x: Floats, filter: Floats, g: ConvGeometry, y: Floats): void {
  const { inChannels, multiplier, xChannel, yChannel } = channelsOf(g);
  y.fill(0);
  forEachTap(g, (xi, fi, yi) => {
    for (let c = 0; c < inChannels; c++, xi += xChannel) {
      for (let q = 0; q < multiplier; q++, fi++, yi += yChannel) y[yi] += x[xi] * filter[fi];
    }
  });
}

/** dx = sum over all y of dy * d y / d x. Every cell of dx is written. */
export function conv2dBackpropInput(dy: Floats, filter: Floats, g: ConvGeometry, dx: Floats): void {
  const { inChannels, multiplier, xChannel, yChannel } = channelsOf(g);
  dx.fill(0);
  forEachTap(g, (xi, fi, yi) => {
    for (let c = 0; c < inChannels; c++, xi += xChannel) {
      for (let q = 0; q < multiplier; q++, fi++, yi += yChannel) dx[xi] += dy[yi] * filter[fi];
    }
  });
}

/** dFilter = sum over all y of dy * d y / d filter, summed over the batch. Every cell of dFilter is written. */
export function conv2dBackpropFilter(x: Floats, dy: Floats, g: ConvGeometry, dFilter: Floats): void {
  const { inChannels, multiplier, xChannel, yChannel } = channelsOf(g);
  dFilter.fill(0);
  forEachTap(g, (xi, fi, yi) => {
    for (let c = 0; c < inChannels; c++, xi += xChannel) {
      for (let q = 0; q < multiplier; q++, fi++, yi += yChannel) dFilter[fi] += x[xi] * dy[yi];
    }
  });
}

function channelsOf({ inChannels, outChannels, x, y }: ConvGeometry) {
  return { inChannels, multiplier: outChannels / inChannels, xChannel: x.channel, yChannel: y.channel };
}

/** Calls visit(xi, fi, yi) for each window and each of its taps that lies in x: tap fi sees x[xi] and adds to y[yi], in channel 0. */
function forEachTap(g: ConvGeometry, visit: (xi: number, fi: number, yi: number) => void): void {
  const { filterWidth, outChannels, dilationHeight, dilationWidth } = g;
  const { rowStep, colStep } = tapSteps(g);
  forEachWindow(g, (xi, yi, rows, cols, top, left) => {
    const firstRow = Math.max(0, Math.ceil(-top / dilationHeight));
    const firstCol = Math.max(0, Math.ceil(-left / dilationWidth));
    for (let row = 0; row < rows; row++) {
      for (let col = 0; col < cols; col++) {
        const tap = (firstRow + row) * filterWidth + firstCol + col;
        visit(xi + row * rowStep + col * colStep, tap * outChannels, yi);
      }
    }
  });
}

/**
 * Depthwise 2-D convolution and its two gradients as plain loops: each channel is convolved on its own, with `multiplier` filters.
 *
 *   y[b, oy, ox, c * multiplier + m] = sum over fy, fx of x[b, iy, ix, c] * filter[fy, fx, c, m]
 *   iy = oy * strideHeight - padTop + fy * dilationHeight, and ix alike; cells outside x count as 0
 *
 *   x       [batch, inHeight, inWidth, inChannels]
 *   filter  [filterHeight, filterWidth, inChannels, multiplier]
 *   y       [batch, outHeight, outWidth, inChannels * multiplier]
 *
 * The geometry is that of a convolution with a group for each input channel: see `depthwiseGeometry`. ../conv2d/definition.ts computes
 * the same. Here the channels are innermost, so that the loops go through memory in order.
 *
 * Source: Howard et al., "MobileNets", 2017; Chollet, "Xception", 2017.
 */
import type { Floats } from '../arrays.js';
import type { ConvGeometry } from '../geometry.js';

/** y = depthwiseConv2d(x, filter). Every cell of y is written. */
export function conv2d(x: Floats, filter: Floats, g: ConvGeometry, y: Floats): void {
  const { inChannels, multiplier, xStep, yStep } = channelsOf(g);
  y.fill(0);
  forEachTap(g, (xi, fi, yi) => {
    for (let c = 0; c < inChannels; c++, xi += xStep) {
      for (let m = 0; m < multiplier; m++, fi++, yi += yStep) y[yi] += x[xi] * filter[fi];
    }
  });
}

/** dx = sum over all y of dy * d y / d x. Every cell of dx is written. */
export function conv2dBackpropInput(dy: Floats, filter: Floats, g: ConvGeometry, dx: Floats): void {
  const { inChannels, multiplier, xStep, yStep } = channelsOf(g);
  dx.fill(0);
  forEachTap(g, (xi, fi, yi) => {
    for (let c = 0; c < inChannels; c++, xi += xStep) {
      for (let m = 0; m < multiplier; m++, fi++, yi += yStep) dx[xi] += dy[yi] * filter[fi];
    }
  });
}

/** dFilter = sum over all y of dy * d y / d filter, summed over the batch. Every cell of dFilter is written. */
export function conv2dBackpropFilter(x: Floats, dy: Floats, g: ConvGeometry, dFilter: Floats): void {
  const { inChannels, multiplier, xStep, yStep } = channelsOf(g);
  dFilter.fill(0);
  forEachTap(g, (xi, fi, yi) => {
    for (let c = 0; c < inChannels; c++, xi += xStep) {
      for (let m = 0; m < multiplier; m++, fi++, yi += yStep) dFilter[fi] += x[xi] * dy[yi];
    }
  });
}

/** Filters for each channel, and the distances between channels in x and in y. */
function channelsOf({ inChannels, outChannels, x, y }: ConvGeometry) {
  return { inChannels, multiplier: outChannels / inChannels, xStep: x.channel, yStep: y.channel };
}

/**
 * Calls visit(xi, fi, yi) for each pixel of y and each tap that lies in x. x[xi], filter[fi] and y[yi] are those of channel 0.
 */
function forEachTap(g: ConvGeometry, visit: (xi: number, fi: number, yi: number) => void): void {
  for (let b = 0; b < g.batchSize; b++) {
    for (let oy = 0; oy < g.outHeight; oy++) {
      for (let ox = 0; ox < g.outWidth; ox++) {
        const yi = b * g.y.batch + oy * g.y.row + ox * g.y.col;
        for (let fy = 0; fy < g.filterHeight; fy++) {
          const iy = oy * g.strideHeight - g.padTop + fy * g.dilationHeight;
          if (iy < 0 || iy >= g.inHeight) continue;
          for (let fx = 0; fx < g.filterWidth; fx++) {
            const ix = ox * g.strideWidth - g.padLeft + fx * g.dilationWidth;
            if (ix < 0 || ix >= g.inWidth) continue;
            const xi = b * g.x.batch + iy * g.x.row + ix * g.x.col;
            visit(xi, (fy * g.filterWidth + fx) * g.outChannels, yi);
          }
        }
      }
    }
  }
}

/**
 * 2-D convolution and its two gradients, as plain loops: the definition every other path is held against.
 *
 *   y[b, oy, ox, oc] = sum over fy, fx, ic of x[b, iy, ix, ic] * filter[fy, fx, ic, oc]
 *   iy = oy * strideHeight - padTop + fy * dilationHeight, and ix alike; cells outside x count as 0
 *
 * (cross-correlation: the window is not flipped). x: [batch, inHeight, inWidth, inChannels], filter: [filterHeight,
 * filterWidth, inChannels / groups, outChannels], y: [batch, outHeight, outWidth, outChannels]; NCHW differs only in
 * its steps. With groups, output channel oc sees the input channels of its own group.
 *
 * y is a sum of products x * filter, one for each triple of cells (xi, fi, yi) that `forEachTap` visits, an input
 * cell with all output channels at a time. Since each product is linear in both factors, the same triples give both
 * gradients: only the roles of the three arrays change.
 *
 * Source: Dumoulin & Visin, "A guide to convolution arithmetic for deep learning", 2016.
 */
import type { Floats } from '../arrays.js';
import type { ConvGeometry } from '../geometry.js';

/** y = conv2d(x, filter). Every cell of y is written. */
export function conv2d(x: Floats, filter: Floats, g: ConvGeometry, y: Floats): void {
  const step = g.y.channel;
  y.fill(0);
  forEachTap(g, (xi, f0, f1, yi) => {
    for (let fi = f0; fi < f1; fi++, yi += step) y[yi] += x[xi] * filter[fi];
  });
}

/** dx = sum over all y of dy * d y / d x. Every cell of dx is written. */
export function conv2dBackpropInput(dy: Floats, filter: Floats, g: ConvGeometry, dx: Floats): void {
  const step = g.y.channel;
  dx.fill(0);
  forEachTap(g, (xi, f0, f1, yi) => {
    for (let fi = f0; fi < f1; fi++, yi += step) dx[xi] += dy[yi] * filter[fi];
  });
}

/** dFilter = sum over all y of dy * d y / d filter, summed over the batch. Every cell of dFilter is written. */
export function conv2dBackpropFilter(x: Floats, dy: Floats, g: ConvGeometry, dFilter: Floats): void {
  const step = g.y.channel;
  dFilter.fill(0);
  forEachTap(g, (xi, f0, f1, yi) => {
    for (let fi = f0; fi < f1; fi++, yi += step) dFilter[fi] += x[xi] * dy[yi];
  });
}

/** dBias[oc] = sum of dy over batch, height and width. dBias: [outChannels]. Every cell of dBias is written. */
export function biasGrad(dy: Floats, g: ConvGeometry, dBias: Floats): void {
  dBias.fill(0);
  for (let b = 0; b < g.batchSize; b++) {
    for (let oy = 0; oy < g.outHeight; oy++) {
      for (let ox = 0; ox < g.outWidth; ox++) {
        const yi = b * g.y.batch + oy * g.y.row + ox * g.y.col;
        for (let oc = 0; oc < g.outChannels; oc++) {
          dBias[oc] += dy[yi + oc * g.y.channel];
        }
      }
    }
  }
}

/**
 * Calls visit(xi, f0, f1, y0) for every input cell under every window: x[xi] is multiplied by filter[f0] up to but
 * without filter[f1], for y[y0] and on along the channels of y.
 */
function forEachTap(g: ConvGeometry, visit: (xi: number, f0: number, f1: number, y0: number) => void): void {
  const { batchSize, inHeight, inWidth, inChannels, outHeight, outWidth, outChannels, groups } = g;
  const {
    filterHeight,
    filterWidth,
    strideHeight,
    strideWidth,
    dilationHeight,
    dilationWidth,
    padTop,
    padLeft,
  } = g;
  const { batch: xBatch, row: xRow, col: xCol, channel: xChannel } = g.x;
  const { batch: yBatch, row: yRow, col: yCol, channel: yChannel } = g.y;
  const inPerGroup = inChannels / groups;
  const outPerGroup = outChannels / groups;
  for (let b = 0; b < batchSize; b++) {
    for (let oy = 0; oy < outHeight; oy++) {
      for (let ox = 0; ox < outWidth; ox++) {
        const yi = b * yBatch + oy * yRow + ox * yCol;
        for (let fy = 0; fy < filterHeight; fy++) {
          const iy = oy * strideHeight - padTop + fy * dilationHeight;
          if (iy < 0 || iy >= inHeight) continue;
          for (let fx = 0; fx < filterWidth; fx++) {
            const ix = ox * strideWidth - padLeft + fx * dilationWidth;
            if (ix < 0 || ix >= inWidth) continue;
            const xi = b * xBatch + iy * xRow + ix * xCol;
            for (let c = 0; c < inChannels; c++) {
              const group = (c / inPerGroup) | 0;
              const f0 = ((fy * filterWidth + fx) * inPerGroup + (c - group * inPerGroup)) * outChannels + group * outPerGroup; // prettier-ignore
              visit(xi + c * xChannel, f0, f0 + outPerGroup, yi + group * outPerGroup * yChannel);
            }
          }
        }
      }
    }
  }
}

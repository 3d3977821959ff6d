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
 * y is a sum of products x * filter, one for each triple of cells that `forEachTap` visits. Since each product is
 * linear in both factors, the same triples give both gradients: only the roles of the three arrays change.
 *
 * Source: Dumoulin & Visin, "A guide to convolution arithmetic for deep learning", 2016.
 */
import type { Floats } from '../arrays.js';
import { type ConvGeometry, endTap, firstTap } from '../geometry.js';

/** y = conv2d(x, filter). Every cell of y is written. */
export function conv2d(x: Floats, filter: Floats, g: ConvGeometry, y: Floats): void {
  y.fill(0);
  forEachTap(g, (xi, fi, yi) => {
    y[yi] += x[xi] * filter[fi];
  });
}

/** dx = sum over all y of dy * d y / d x. Every cell of dx is written. */
export function conv2dBackpropInput(dy: Floats, filter: Floats, g: ConvGeometry, dx: Floats): void {
  dx.fill(0);
  forEachTap(g, (xi, fi, yi) => {
    dx[xi] += dy[yi] * filter[fi];
  });
}

/** dFilter = sum over all y of dy * d y / d filter, summed over the batch. Every cell of dFilter is written. */
export function conv2dBackpropFilter(x: Floats, dy: Floats, g: ConvGeometry, dFilter: Floats): void {
  dFilter.fill(0);
  forEachTap(g, (xi, fi, yi) => {
    dFilter[fi] += x[xi] * dy[yi];
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

/** Calls visit(index in x, index in filter, index in y) for every product that a convolution sums. */
function forEachTap(g: ConvGeometry, visit: (xi: number, fi: number, yi: number) => void): void {
  const inPerGroup = g.inChannels / g.groups;
  const outPerGroup = g.outChannels / g.groups;
  for (let b = 0; b < g.batchSize; b++) {
    for (let oy = 0; oy < g.outHeight; oy++) {
      const top = oy * g.strideHeight - g.padTop;
      const fyEnd = endTap(top, g.dilationHeight, g.filterHeight, g.inHeight);
      for (let ox = 0; ox < g.outWidth; ox++) {
        const left = ox * g.strideWidth - g.padLeft;
        const fxEnd = endTap(left, g.dilationWidth, g.filterWidth, g.inWidth);
        const y0 = b * g.y.batch + oy * g.y.row + ox * g.y.col;
        for (let fy = firstTap(top, g.dilationHeight); fy < fyEnd; fy++) {
          const iy = top + fy * g.dilationHeight;
          for (let fx = firstTap(left, g.dilationWidth); fx < fxEnd; fx++) {
            const ix = left + fx * g.dilationWidth;
            const x0 = b * g.x.batch + iy * g.x.row + ix * g.x.col;
            for (let ic = 0; ic < inPerGroup; ic++) {
              const f0 = ((fy * g.filterWidth + fx) * inPerGroup + ic) * g.outChannels;
              for (let oc = 0; oc < g.outChannels; oc++) {
                const group = Math.floor(oc / outPerGroup);
                visit(x0 + (group * inPerGroup + ic) * g.x.channel, f0 + oc, y0 + oc * g.y.channel);
              }
            }
          }
        }
      }
    }
  }
}

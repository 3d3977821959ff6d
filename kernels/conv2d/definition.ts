/**
 * 2-D convolution and its two gradients as plain loops. All other paths are compared with this definition.
 *
 *   y[b, oy, ox, oc] = sum over fy, fx, ic of x[b, iy, ix, ic] * filter[fy, fx, ic, oc]
 *   iy = oy * strideHeight - padTop + fy * dilationHeight, and ix alike; cells outside x count as 0
 *
 *   x       [batch, inHeight, inWidth, inChannels]
 *   filter  [filterHeight, filterWidth, inChannels / groups, outChannels]
 *   y       [batch, outHeight, outWidth, outChannels]
 *
 * This is cross-correlation: the window is not flipped. NCHW differs only in its steps. With groups, output channel
 * oc sees the input channels of its own group.
 *
 * y is a sum of products x * filter. There is one product for each triple of cells of x, filter and y. `forEachRun`
 * visits the triples, one row of windows at a time. Each product is linear in both factors. So the same triples give
 * both gradients, and only the roles of the three arrays change.
 *
 * docs/learn/a-one-channel.md goes through the formulas with numbers.
 *
 * Source: Dumoulin & Visin, "A guide to convolution arithmetic for deep learning", 2016.
 */
import type { Floats } from '../arrays.js';
import type { ConvGeometry } from '../geometry.js';

/** y = conv2d(x, filter). Every cell of y is written. */
export function conv2d(x: Floats, filter: Floats, g: ConvGeometry, y: Floats): void {
  const { xStep, yStep } = runSteps(g);
  y.fill(0);
  forEachRun(g, (x0, fi, y0, count) => {
    const weight = filter[fi];
    for (let i = 0; i < count; i++) y[y0 + i * yStep] += x[x0 + i * xStep] * weight;
  });
}

/** dx = sum over all y of dy * d y / d x. Every cell of dx is written. */
export function conv2dBackpropInput(dy: Floats, filter: Floats, g: ConvGeometry, dx: Floats): void {
  const { xStep, yStep } = runSteps(g);
  dx.fill(0);
  forEachRun(g, (x0, fi, y0, count) => {
    const weight = filter[fi];
    for (let i = 0; i < count; i++) dx[x0 + i * xStep] += dy[y0 + i * yStep] * weight;
  });
}

/** dFilter = sum over all y of dy * d y / d filter, summed over the batch. Every cell of dFilter is written. */
export function conv2dBackpropFilter(x: Floats, dy: Floats, g: ConvGeometry, dFilter: Floats): void {
  const { xStep, yStep } = runSteps(g);
  dFilter.fill(0);
  forEachRun(g, (x0, fi, y0, count) => {
    let sum = 0;
    for (let i = 0; i < count; i++) sum += x[x0 + i * xStep] * dy[y0 + i * yStep];
    dFilter[fi] += sum;
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

/** Distances in x and in y between neighbouring windows of a row. */
function runSteps(g: ConvGeometry) {
  return { xStep: g.strideWidth * g.x.col, yStep: g.y.col };
}

/**
 * Calls visit(x0, fi, y0, count) for every row of windows, filter cell fi and channel. `count` neighbouring windows
 * see x through this filter cell. The first of them sees x[x0] and adds to y[y0]. The others follow at `runSteps`.
 */
function forEachRun(
  g: ConvGeometry,
  visit: (x0: number, fi: number, y0: number, count: number) => void,
): void {
  const { batchSize, inHeight, inWidth, outHeight, outWidth, outChannels, groups, padTop, padLeft } = g;
  const { filterHeight, filterWidth, strideHeight, strideWidth, dilationHeight, dilationWidth } = g;
  const { batch: xBatch, row: xRow, col: xCol, channel: xChannel } = g.x;
  const { batch: yBatch, row: yRow, col: yCol, channel: yChannel } = g.y;
  const inPerGroup = g.inChannels / groups;
  const outPerGroup = outChannels / groups;
  for (let b = 0; b < batchSize; b++) {
    for (let oy = 0; oy < outHeight; oy++) {
      for (let fy = 0; fy < filterHeight; fy++) {
        const iy = oy * strideHeight - padTop + fy * dilationHeight;
        if (iy < 0 || iy >= inHeight) continue;
        for (let fx = 0; fx < filterWidth; fx++) {
          // This tap lies inside x for the windows from ox to oxEnd.
          const left = fx * dilationWidth - padLeft;
          const ox = Math.max(0, Math.ceil(-left / strideWidth));
          const oxEnd = Math.min(outWidth, Math.ceil((inWidth - left) / strideWidth));
          if (ox >= oxEnd) continue;
          const x0 = b * xBatch + iy * xRow + (ox * strideWidth + left) * xCol;
          const y0 = b * yBatch + oy * yRow + ox * yCol;
          let fi = (fy * filterWidth + fx) * inPerGroup * outChannels;
          for (let ic = 0; ic < inPerGroup; ic++) {
            for (let oc = 0; oc < outChannels; oc++, fi++) {
              const group = (oc / outPerGroup) | 0;
              visit(x0 + (group * inPerGroup + ic) * xChannel, fi, y0 + oc * yChannel, oxEnd - ox);
            }
          }
        }
      }
    }
  }
}

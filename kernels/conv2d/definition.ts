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
 * y is a sum of products x * filter, one for each triple of cells of x, filter and y; `forEachTap` visits them, the
 * channels of a group at a time. Since each product is linear in both factors, the same triples give both gradients:
 * only the roles of the three arrays change.
 *
 * Source: Dumoulin & Visin, "A guide to convolution arithmetic for deep learning", 2016.
 */
import type { Floats } from '../arrays.js';
import type { ConvGeometry } from '../geometry.js';

/** y = conv2d(x, filter). Every cell of y is written. */
export function conv2d(x: Floats, filter: Floats, g: ConvGeometry, y: Floats): void {
  const { inPerGroup, outPerGroup, xStep, fStep, yStep } = loops(g);
  y.fill(0);
  forEachTap(g, (x0, f0, y0) => {
    for (let oc = 0; oc < outPerGroup; oc++) {
      let sum = 0;
      for (let ic = 0; ic < inPerGroup; ic++) sum += x[x0 + ic * xStep] * filter[f0 + ic * fStep + oc];
      y[y0 + oc * yStep] += sum;
    }
  });
}

/** dx = sum over all y of dy * d y / d x. Every cell of dx is written. */
export function conv2dBackpropInput(dy: Floats, filter: Floats, g: ConvGeometry, dx: Floats): void {
  const { inPerGroup, outPerGroup, xStep, fStep, yStep } = loops(g);
  dx.fill(0);
  forEachTap(g, (x0, f0, y0) => {
    for (let oc = 0; oc < outPerGroup; oc++) {
      const dyValue = dy[y0 + oc * yStep];
      for (let ic = 0; ic < inPerGroup; ic++) dx[x0 + ic * xStep] += dyValue * filter[f0 + ic * fStep + oc];
    }
  });
}

/** dFilter = sum over all y of dy * d y / d filter, summed over the batch. Every cell of dFilter is written. */
export function conv2dBackpropFilter(x: Floats, dy: Floats, g: ConvGeometry, dFilter: Floats): void {
  const { inPerGroup, outPerGroup, xStep, fStep, yStep } = loops(g);
  dFilter.fill(0);
  forEachTap(g, (x0, f0, y0) => {
    for (let oc = 0; oc < outPerGroup; oc++) {
      const dyValue = dy[y0 + oc * yStep];
      for (let ic = 0; ic < inPerGroup; ic++) dFilter[f0 + ic * fStep + oc] += x[x0 + ic * xStep] * dyValue;
    }
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

/** Channels of a group, and how far apart neighbouring ones lie in x, filter and y. */
function loops(g: ConvGeometry) {
  return {
    inPerGroup: g.inChannels / g.groups,
    outPerGroup: g.outChannels / g.groups,
    xStep: g.x.channel,
    fStep: g.outChannels,
    yStep: g.y.channel,
  };
}

/**
 * Calls visit(x0, f0, y0) for every tap of every window that lies in x, and every group: with the places of the
 * group's first channels in x, filter and y.
 */
function forEachTap(g: ConvGeometry, visit: (x0: number, f0: number, y0: number) => void): void {
  const { batchSize, inHeight, inWidth, outHeight, outWidth, outChannels, groups, padTop, padLeft } = g;
  const { filterHeight, filterWidth, strideHeight, strideWidth, dilationHeight, dilationWidth } = g;
  const { batch: xBatch, row: xRow, col: xCol, channel: xChannel } = g.x;
  const { batch: yBatch, row: yRow, col: yCol, channel: yChannel } = g.y;
  const inPerGroup = g.inChannels / groups;
  const outPerGroup = outChannels / groups;
  for (let b = 0; b < batchSize; b++) {
    for (let oy = 0; oy < outHeight; oy++) {
      for (let ox = 0; ox < outWidth; ox++) {
        for (let fy = 0; fy < filterHeight; fy++) {
          const iy = oy * strideHeight - padTop + fy * dilationHeight;
          if (iy < 0 || iy >= inHeight) continue;
          for (let fx = 0; fx < filterWidth; fx++) {
            const ix = ox * strideWidth - padLeft + fx * dilationWidth;
            if (ix < 0 || ix >= inWidth) continue;
            for (let group = 0; group < groups; group++) {
              visit(
                b * xBatch + iy * xRow + ix * xCol + group * inPerGroup * xChannel,
                (fy * filterWidth + fx) * inPerGroup * outChannels + group * outPerGroup,
                b * yBatch + oy * yRow + ox * yCol + group * outPerGroup * yChannel,
              );
            }
          }
        }
      }
    }
  }
}

/**
 * 2-D convolution and its gradients as matrix products over patches: the fast path without WebAssembly.
 *
 *   forward  y       [pixels, outChannels] = patches * filter          filter as [K, outChannels]
 *   filter   dFilter [K, outChannels]      = transpose(patches) * dy   summed over all pixels of all images
 *   input    patches of dx [pixels, K]     = dy * transpose(filter)    then added where each patch came from
 *
 * patches [pixels, K] has a row for each output pixel. The row holds the K input cells under the pixel's window, in
 * the order of the filter, and 0 in the padding. K = filterHeight * filterWidth * (inChannels / groups).
 *
 * Shapes, signatures and results are those of definition.ts, the results to rounding. The functions work on blocks of
 * pixels. So their memory does not grow with the image or the batch. A filter value of Infinity or NaN over padding
 * is multiplied by the 0 there and gives NaN. The definition skips it (docs/deviations.md, row 14).
 *
 * docs/learn/b-im2col.md goes through the products with numbers.
 *
 * Source: Chellapilla, Puri & Simard, "High performance convolutional neural networks for document processing", 2006.
 */
import type { Floats } from '../../arrays.js';
import type { ConvGeometry, Steps } from '../../geometry.js';
import { multiplyPanels, packPanels, panelCount, TILE } from '../../runtime/plain/gemm.js';

/** Number of values, about, in a block of patches: 1 MiB, which stays in the second-level cache. */
const BLOCK_SIZE = 1 << 17;

/** y = conv2d(x, filter). Every cell of y is written. */
export function conv2d(x: Floats, filter: Floats, g: ConvGeometry, y: Floats): void {
  const { K, inPerGroup, outPerGroup, blockRows } = blocking(g);
  const a = panelBuffer(blockRows, K);
  const b = packedFilter(filter, g, false);
  forEachBlock(g, g.y, blockRows, (offsets, rows, group, x0, y0) => {
    gatherRowPanels(x, x0, g.x.channel, offsets, rows, inPerGroup, a);
    multiplyPanels(a, b[group], rows, outPerGroup, K, y, y0, g.y.col, g.y.channel, false);
  });
}

/** dx = sum over all y of dy * d y / d x. Every cell of dx is written. */
export function conv2dBackpropInput(dy: Floats, filter: Floats, g: ConvGeometry, dx: Floats): void {
  const { K, inPerGroup, outPerGroup, blockRows } = blocking(g);
  const patches = new Float64Array(blockRows * K);
  const a = panelBuffer(blockRows, outPerGroup);
  const b = packedFilter(filter, g, true);
  const [dense, y] = denseDy(dy, g);
  dx.fill(0);
  forEachBlock(g, y, blockRows, (offsets, rows, group, x0, y0) => {
    packPanels(dense, y0, rows, outPerGroup, y.col, y.channel, a);
    multiplyPanels(a, b[group], rows, K, outPerGroup, patches, 0, K, 1, false);
    scatter(patches, offsets, inPerGroup, dx, x0, g.x.channel);
  });
}

/** dFilter = sum over all y of dy * d y / d filter, summed over the batch. Every cell of dFilter is written. */
export function conv2dBackpropFilter(x: Floats, dy: Floats, g: ConvGeometry, dFilter: Floats): void {
  const { K, inPerGroup, outPerGroup, blockRows } = blocking(g);
  const a = panelBuffer(K, blockRows);
  const b = panelBuffer(outPerGroup, blockRows);
  const sums = new Float64Array(K * g.outChannels);
  const [dense, y] = denseDy(dy, g);
  forEachBlock(g, y, blockRows, (offsets, rows, group, x0, y0) => {
    gatherColumnPanels(x, x0, g.x.channel, offsets, rows, inPerGroup, a);
    packPanels(dense, y0, outPerGroup, rows, y.channel, y.col, b);
    multiplyPanels(a, b, K, outPerGroup, rows, sums, group * outPerGroup, g.outChannels, 1, true);
  });
  dFilter.set(sums);
}

/**
 * The whole patch matrix of x, for readers who want to see it: [batch * outHeight * outWidth, filterHeight *
 * filterWidth * inChannels], in row-major order, with 0 in the padding.
 */
export function im2col(x: Floats, g: ConvGeometry): Float64Array {
  const pixels = g.outHeight * g.outWidth;
  const offsets = tapOffsets(g, 0, pixels);
  const patches = new Float64Array(g.batchSize * offsets.length * g.inChannels);
  let i = 0;
  for (let image = 0; image < g.batchSize; image++) {
    for (const offset of offsets) {
      for (let c = 0; c < g.inChannels; c++, i++) {
        patches[i] = offset < 0 ? 0 : x[image * g.x.batch + offset + c * g.x.channel];
      }
    }
  }
  return patches;
}

function blocking(g: ConvGeometry) {
  const inPerGroup = g.inChannels / g.groups;
  const K = g.filterHeight * g.filterWidth * inPerGroup;
  const fitting = Math.max(TILE, Math.floor(BLOCK_SIZE / Math.max(1, K) / TILE) * TILE);
  const blockRows = Math.min(fitting, g.outHeight * g.outWidth);
  return { K, inPerGroup, outPerGroup: g.outChannels / g.groups, blockRows };
}

function panelBuffer(rows: number, depth: number): Float64Array {
  return new Float64Array(panelCount(rows) * TILE * depth);
}

/** For each group, its part of the filter [K, outPerGroup]: in panels of output channels, or if transposed, of K. */
function packedFilter(filter: Floats, g: ConvGeometry, transposed: boolean): Float64Array[] {
  const { K, outPerGroup } = blocking(g);
  return Array.from({ length: g.groups }, (_, group) => {
    const [rows, depth] = transposed ? [K, outPerGroup] : [outPerGroup, K];
    const [rowStep, depthStep] = transposed ? [g.outChannels, 1] : [1, g.outChannels];
    const panels = panelBuffer(rows, depth);
    packPanels(filter, group * outPerGroup, rows, depth, rowStep, depthStep, panels);
    return panels;
  });
}

/**
 * dy without the rows and columns past the output, and its steps. Its pixels lie at equal distances. Most often it is
 * dy itself.
 */
function denseDy(dy: Floats, g: ConvGeometry): [Floats, Steps] {
  const { batch, row, col, channel } = g.y;
  if (row === g.outWidth * col) return [dy, g.y];
  const { batchSize, outHeight, outWidth, outChannels } = g;
  const dense = new Float64Array(batchSize * outHeight * outWidth * outChannels);
  let i = 0;
  for (let b = 0; b < batchSize; b++) {
    for (let oy = 0; oy < outHeight; oy++) {
      for (let ox = 0; ox < outWidth; ox++) {
        for (let oc = 0; oc < outChannels; oc++) {
          dense[i++] = dy[b * batch + oy * row + ox * col + oc * channel];
        }
      }
    }
  }
  const pixelSteps = { col: outChannels, row: outWidth * outChannels, channel: 1 };
  return [dense, { ...pixelSteps, batch: outHeight * pixelSteps.row }];
}

/**
 * Calls visit for every block of output pixels, of every image and every group of channels.
 *
 *   offsets  where the taps of the block's windows lie: see `tapOffsets`
 *   rows     number of pixels in the block
 *   x0       index of the image's first cell in x, in the group's first channel
 *   y0       index of the block's first pixel in an array of steps y, in the group's first channel
 */
function forEachBlock(
  g: ConvGeometry,
  y: Steps,
  blockRows: number,
  visit: (offsets: Int32Array, rows: number, group: number, x0: number, y0: number) => void,
): void {
  const { inPerGroup, outPerGroup } = blocking(g);
  const pixels = g.outHeight * g.outWidth;
  for (let p0 = 0; p0 < pixels; p0 += blockRows) {
    const rows = Math.min(blockRows, pixels - p0);
    const offsets = tapOffsets(g, p0, rows);
    for (let image = 0; image < g.batchSize; image++) {
      for (let group = 0; group < g.groups; group++) {
        const x0 = image * g.x.batch + group * inPerGroup * g.x.channel;
        const y0 = image * y.batch + p0 * y.col + group * outPerGroup * y.channel;
        visit(offsets, rows, group, x0, y0);
      }
    }
  }
}

/** Offset of each tap of each window in its image: [rows, filterHeight * filterWidth]. It is -1 in the padding. */
export function tapOffsets(g: ConvGeometry, p0: number, rows: number): Int32Array {
  const offsets = new Int32Array(rows * g.filterHeight * g.filterWidth);
  let i = 0;
  for (let p = p0; p < p0 + rows; p++) {
    const top = Math.floor(p / g.outWidth) * g.strideHeight - g.padTop;
    const left = (p % g.outWidth) * g.strideWidth - g.padLeft;
    for (let fy = 0; fy < g.filterHeight; fy++) {
      const iy = top + fy * g.dilationHeight;
      for (let fx = 0; fx < g.filterWidth; fx++) {
        const ix = left + fx * g.dilationWidth;
        const inside = iy >= 0 && iy < g.inHeight && ix >= 0 && ix < g.inWidth;
        offsets[i++] = inside ? iy * g.x.row + ix * g.x.col : -1;
      }
    }
  }
  return offsets;
}

// Two functions gather patches. One function with the order as an argument slows grouped convolutions by a tenth.

/** The block's patches as panels of pixels. packPanels would give the same, but from a matrix that is not made here. */
function gatherRowPanels(
  x: Floats,
  x0: number,
  channelStep: number,
  offsets: Int32Array,
  rows: number,
  channels: number,
  panels: Float64Array,
): void {
  const taps = offsets.length / rows;
  const K = taps * channels;
  for (let r = 0; r < rows; r++) {
    let to = (r - (r % TILE)) * K + (r % TILE);
    for (let t = r * taps; t < (r + 1) * taps; t++) {
      const inside = offsets[t] >= 0;
      let from = x0 + offsets[t];
      for (let c = 0; c < channels; c++, from += channelStep, to += TILE) {
        panels[to] = inside ? x[from] : 0;
      }
    }
  }
}

/** The transposed patches of the block as panels of K. */
function gatherColumnPanels(
  x: Floats,
  x0: number,
  channelStep: number,
  offsets: Int32Array,
  rows: number,
  channels: number,
  panels: Float64Array,
): void {
  const taps = offsets.length / rows;
  const nextPanel = (rows - 1) * TILE;
  for (let r = 0; r < rows; r++) {
    let to = r * TILE;
    for (let t = r * taps; t < (r + 1) * taps; t++) {
      const inside = offsets[t] >= 0;
      let from = x0 + offsets[t];
      for (let c = 0; c < channels; c++, from += channelStep) {
        panels[to++] = inside ? x[from] : 0;
        if (to % TILE === 0) to += nextPanel;
      }
    }
  }
}

/** dx[x0 + offset of the tap + c * channelStep] += patches[tap, c]. Taps in the padding are skipped. */
function scatter(
  patches: Float64Array,
  offsets: Int32Array,
  channels: number,
  dx: Floats,
  x0: number,
  channelStep: number,
): void {
  for (let t = 0; t < offsets.length; t++) {
    if (offsets[t] < 0) continue;
    let at = x0 + offsets[t];
    for (let i = t * channels; i < (t + 1) * channels; i++, at += channelStep) {
      dx[at] += patches[i];
    }
  }
}

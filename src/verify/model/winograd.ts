/**
 * What Winograd's algorithm may add to the rounding errors of a convolution. This plugin's kernels take it on `cpu` and `wasm`.
 *
 * An output of a tile is off by at most (C + r) u transpose(|A|) [ sum over channels of (|G| |g| transpose(|G|)) * (transpose(|B|) |d|
 * |B|) ] |A|: see kernels/conv2d/simd/winograd.ts. That is a sum of products |g| |d| of a tap and a cell of the tile's patch, with
 * factors of at most FACTOR for all schemes but `winograd: 4`. So
 *
 *   |error| <= (terms + r) u FACTOR * sum over channels of (sum of |taps|) * (sum of |cells| of the patch)
 *
 * It is larger than the direct bound. Unlike that, it is not 0 where the window holds nothing but zeros and the rest of the tile does not.
 */
import type { Floats } from '../../../kernels/arrays.js';
import type { ConvGeometry } from '../../../kernels/geometry.js';
import { UNIT } from '../rounded.js';

const FACTOR = 4;
/** The most roundings in the transforms of a scheme. */
const ROUNDINGS = 16;
/** A tile of outputs reaches over at most this many neighbours of an output, on each side. */
const REACH = 3;

/**
 * @param of what is computed: y from x and filter, dx from dy and filter, dFilter from x and dy
 * @returns the bound of an element of the result
 */
export function winogradBound(
  of: 'forward' | 'input' | 'filter',
  g: ConvGeometry,
  a: Floats,
  b: Floats,
): (index: number) => number {
  const longer = Math.max(g.filterHeight, g.filterWidth);
  if (longer < 2) return () => 0;
  return of === 'filter' ? boundOfFilter(g, a, b) : boundOfImage(of === 'input', g, a, b);
}

/** The bound of y, or of dx: there the roles of the two images, and of the two channels of a filter, change. */
function boundOfImage(isInput: boolean, g: ConvGeometry, source: Floats, filter: Floats) {
  const { filterHeight, filterWidth, inChannels, outChannels } = g;
  const channels = isInput ? outChannels : inChannels;
  const taps = new Float64Array(inChannels * outChannels);
  for (let i = 0; i < filter.length; i++) taps[i % taps.length] += Math.abs(filter[i]);
  const terms = filterHeight * filterWidth * channels;
  const [image, from] = isInput ? [g.x, g.y] : [g.y, g.x];
  const width = isInput ? g.inWidth : g.outWidth;
  const height = isInput ? g.inHeight : g.outHeight;
  const rows = reach(isInput, g.outHeight, g.inHeight, g.strideHeight, g.padTop, g.effectiveFilterHeight);
  const cols = reach(isInput, g.outWidth, g.inWidth, g.strideWidth, g.padLeft, g.effectiveFilterWidth);
  /** By pixel: the sums of |cells| of each channel. They are needed for few pixels. */
  const patches = new Map<number, Float64Array>();
  return (index: number): number => {
    const [b, row, col, c] = positionOf(index, image, g.dataFormat);
    const pixel = (b * height + row) * width + col;
    let sums = patches.get(pixel);
    if (!sums) {
      sums = new Float64Array(channels);
      const [top, bottom] = rows(row);
      const [left, right] = cols(col);
      for (let i = top; i <= bottom; i++) {
        for (let j = left; j <= right; j++) {
          for (let k = 0; k < channels; k++) sums[k] += Math.abs(source[b * from.batch + i * from.row + j * from.col + k * from.channel]); // prettier-ignore
        }
      }
      patches.set(pixel, sums);
    }
    let sum = 0;
    for (let k = 0; k < channels; k++) sum += sums[k] * (isInput ? taps[c * outChannels + k] : taps[k * outChannels + c]); // prettier-ignore
    return (terms + ROUNDINGS) * UNIT * FACTOR * sum;
  };
}

/** Image, row, column and channel of an element. */
function positionOf(
  index: number,
  steps: ConvGeometry['x'],
  dataFormat: ConvGeometry['dataFormat'],
): number[] {
  const { batch, row, col, channel } = steps;
  const rest = index % batch;
  const [b, c] = [Math.floor(index / batch), dataFormat === 'NHWC' ? rest % col : Math.floor(rest / channel)];
  const inPlane = dataFormat === 'NHWC' ? rest : rest % channel;
  return [b, Math.floor(inPlane / row), Math.floor((inPlane % row) / col), c];
}

/** The first and the last cell of the source that a tile around an output position meets, along one axis. */
function reach(isInput: boolean, out: number, size: number, stride: number, pad: number, window: number) {
  const within = (low: number, high: number, size: number): [number, number] => [Math.max(0, low), Math.min(size - 1, high)]; // prettier-ignore
  if (!isInput) {
    return (o: number) => within((o - REACH) * stride - pad, (o + REACH) * stride - pad + window - 1, size);
  }
  return (i: number) =>
    within(Math.ceil((i - REACH * stride + pad - window + 1) / stride), Math.floor((i + REACH * stride + pad) / stride), out); // prettier-ignore
}

/** The bound of dFilter: its sum goes over tiles of 4 x 4 outputs, which hold those of 2 x 2. */
function boundOfFilter(g: ConvGeometry, x: Floats, dy: Floats) {
  const { inChannels, outChannels } = g;
  const side = 4;
  const sums = new Float64Array(inChannels * outChannels);
  const [xs, ds] = [new Float64Array(inChannels), new Float64Array(outChannels)];
  for (let b = 0; b < g.batchSize; b++) {
    for (let top = 0; top < g.outHeight; top += side) {
      for (let left = 0; left < g.outWidth; left += side) {
        const bottom = Math.min(g.outHeight, top + side);
        const right = Math.min(g.outWidth, left + side);
        boxSums(ds, dy, g.y, b, [top, bottom], [left, right]);
        const row = top * g.strideHeight - g.padTop;
        const col = left * g.strideWidth - g.padLeft;
        const lastRow = (top + side - 1) * g.strideHeight - g.padTop + g.effectiveFilterHeight;
        const lastCol = (left + side - 1) * g.strideWidth - g.padLeft + g.effectiveFilterWidth;
        boxSums(xs, x, g.x, b, [Math.max(0, row), Math.min(g.inHeight, lastRow)], [Math.max(0, col), Math.min(g.inWidth, lastCol)]); // prettier-ignore
        for (let i = 0; i < inChannels; i++) {
          for (let o = 0; o < outChannels; o++) sums[i * outChannels + o] += xs[i] * ds[o];
        }
      }
    }
  }
  const terms = g.batchSize * g.outHeight * g.outWidth;
  return (index: number) => (terms + ROUNDINGS) * UNIT * FACTOR * sums[index % sums.length];
}

/** sums[channel] = the sum of |cells| of the box. */
function boxSums(
  sums: Float64Array,
  values: Floats,
  steps: ConvGeometry['x'],
  b: number,
  [top, bottom]: readonly number[],
  [left, right]: readonly number[],
): void {
  sums.fill(0);
  for (let i = top; i < bottom; i++) {
    for (let j = left; j < right; j++) {
      const at = b * steps.batch + i * steps.row + j * steps.col;
      for (let k = 0; k < sums.length; k++) sums[k] += Math.abs(values[at + k * steps.channel]);
    }
  }
}

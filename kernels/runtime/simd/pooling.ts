/**
 * Pooling in strips of windows: the part that max and average pooling by WebAssembly share. x: [batch, inHeight, inWidth, channels],
 * y: [batch, outHeight, outWidth, channels]. The layout is NHWC.
 */
import type { Numbers } from '../../arrays.js';
import { simdFor } from '../options.js';
import { type PoolGeometry, sizeOf } from '../../geometry.js';
import type { Heap } from '../heap.js';
import { dataOf, type Simd, withSimd } from './instance.js';
import {
  type Axes,
  copyOut,
  fitsCache,
  forwardAxes,
  type Grid,
  type Image,
  inputImage,
  inside,
  largest,
  liesInMemory,
  outputImage,
  planStrips,
  positionsIn,
  positionsInside,
  type Rectangle,
  sourceRegion,
  targetRegion,
  windowOf,
  writeGrid,
} from './strips.js';

/** If all windows together have fewer cells than this, the definition is faster. */
const LEAST_CELLS = 1 << 12;

/** Calls `work` with an instance and the inputs, or returns undefined if the definition is to serve. */
export function poolBySimd<T>(
  g: PoolGeometry,
  inputs: readonly Numbers[],
  work: (simd: Simd, inputs: Float32Array[]) => T,
  heap?: Heap,
): T | undefined {
  const cells = sizeOf(g.outShape) * g.filterHeight * g.filterWidth;
  const level = simdFor(cells >= LEAST_CELLS);
  if (!level || g.dataFormat !== 'NHWC' || !inputs.every((values) => values instanceof Float32Array))
    return undefined;
  return withSimd(level, (simd) => work(simd, inputs as Float32Array[]), heap);
}

/** The arguments of a strip's micro-kernel: addresses of the arrays that it reads and writes, and counts. */
export interface StripAddresses {
  /** For each window: where it starts in x and dx, where its output lies in y and dy, and its divisor. */
  readonly pixels: number;
  readonly outs: number;
  readonly counts: number;
  readonly pixelCount: number;
  readonly taps: number;
  readonly tapCount: number;
  readonly channels: number;
  readonly x: number;
  readonly dx: number;
  readonly y: number;
  readonly dy: number;
}

/** Runs the micro-kernel on a strip of windows. Returns true to give up. */
type Run = (at: StripAddresses, strip: Rectangle) => boolean;

/** Writes y, strip by strip. Returns true if `run` has given up. */
export function poolForward(
  simd: Simd,
  x: Float32Array,
  g: PoolGeometry,
  y: Float32Array,
  padding: number,
  run: Run,
): boolean {
  const [source, target] = [inputImage(dataOf(simd, x), g), outputImage(dataOf(simd, y), g)];
  const axes = forwardAxes(g);
  const strips = stripsOf(source, axes);
  const writes = liesInMemory(target);
  const at = place(simd, g, strips, axes, { x: true, y: !writes, dx: false });
  for (const strip of strips) {
    const window = windowOf(strip, axes);
    const from = sourceRegion(simd, source, window, holds(source, window), at.x, padding);
    const to = targetRegion(target, strip, writes, at.y);
    writeTables(simd, at, g, strip, from, to);
    if (run({ ...at, x: from.address, y: to.address, pixelCount: positionsIn(strip) }, strip)) return true;
    if (!writes) copyOut(simd, to, target, strip);
  }
  return false;
}

/**
 * Writes dx. `run` adds the shares of a strip's windows to the cells at `dx`. Returns true if it has given up.
 * @param x undefined if the gradient does not depend on it
 */
export function poolBackward(
  simd: Simd,
  x: Float32Array | undefined,
  dy: Float32Array,
  g: PoolGeometry,
  dx: Float32Array,
  padding: number,
  run: Run,
): boolean {
  const input = x && inputImage(dataOf(simd, x), g);
  const [source, target] = [outputImage(dataOf(simd, dy), g), inputImage(dataOf(simd, dx), g)];
  const axes = forwardAxes(g);
  const strips = stripsOf(target, axes);
  const reads = liesInMemory(source);
  const at = place(simd, g, strips, axes, { x: x !== undefined, y: !reads, dx: true });
  const { start, array } = target.data;
  (array ?? simd.f32).fill(0, start, start + sizeOf(g.inShape));
  for (const strip of strips) {
    const window = windowOf(strip, axes);
    const stays = holds(target, window) && (!input || holds(input, window));
    const read = (image: Image, to: number) => sourceRegion(simd, image, window, stays, to, padding);
    const from = sourceRegion(simd, source, strip, reads, at.dy);
    const to = read(target, at.dx);
    writeTables(simd, at, g, strip, to, from);
    const addresses = { x: input ? read(input, at.x).address : 0, dx: to.address, dy: from.address };
    if (run({ ...at, ...addresses, pixelCount: positionsIn(strip) }, strip)) return true;
    if (!stays) {
      const part = inside(target, window);
      const skipped = ((part.row - window.row) * window.cols + part.col - window.col) * g.inChannels;
      copyOut(simd, { ...to, address: to.address + 4 * skipped }, target, part);
    }
  }
  return false;
}

/** All windows, in strips. If the image lies in place, then those that reach padding, which need a copy, have strips of their own. */
function stripsOf(image: Image, axes: Axes): Rectangle[] {
  const { images, channels } = image;
  const { rows, cols } = axes;
  const [top, bottom] = positionsInside(rows, image.height);
  const [left, right] = positionsInside(cols, image.width);
  const split = liesInMemory(image) && top < bottom && left < right;
  const bands = split
    ? [
        [0, top, 0, cols.size],
        [top, bottom, 0, left],
        [top, bottom, left, right],
        [top, bottom, right, cols.size],
        [bottom, rows.size, 0, cols.size],
      ]
    : [[0, rows.size, 0, cols.size]];
  return bands
    .filter(([row, rowEnd, col, colEnd]) => row < rowEnd && col < colEnd)
    .flatMap(([row, rowEnd, col, colEnd]) => {
      const band = { rows: { ...rows, size: rowEnd - row }, cols: { ...cols, size: colEnd - col } };
      const strips = planStrips(band, images, [1, 1], (strip) => fitsCache(strip, band, channels, channels));
      return strips.map((strip) => ({ ...strip, row: strip.row + row, col: strip.col + col }));
    });
}

/** Whether the image lies in memory, and the whole window in it. */
function holds(image: Image, window: Rectangle): boolean {
  return liesInMemory(image) && positionsIn(inside(image, window)) === positionsIn(window);
}

function place(
  simd: Simd,
  g: PoolGeometry,
  strips: readonly Rectangle[],
  axes: Axes,
  copied: { readonly x: boolean; readonly y: boolean; readonly dx: boolean },
): StripAddresses {
  const most = largest(strips, axes);
  const tapCount = g.filterHeight * g.filterWidth;
  const source = 4 * most.source * g.inChannels;
  const [pixels, outs, counts, taps, x, dx, y] = simd.place(
    4 * most.target,
    4 * most.target,
    4 * most.target,
    4 * tapCount,
    copied.x ? source : 0,
    copied.dx ? source : 0,
    copied.y ? 4 * most.target * g.inChannels : 0,
  );
  return { pixels, outs, counts, pixelCount: 0, taps, tapCount, channels: g.inChannels, x, dx, y, dy: y };
}

function writeTables(
  { i32 }: Simd,
  at: StripAddresses,
  g: PoolGeometry,
  strip: Rectangle,
  input: Grid,
  output: Grid,
): void {
  const cell = 4 * g.inChannels;
  const row = cell * input.cols;
  const { filterHeight, filterWidth, dilationHeight, dilationWidth, strideHeight, strideWidth } = g;
  const counts = [strip.images, strip.rows, strip.cols] as const;
  const outRow = cell * output.cols;
  writeGrid(
    i32,
    at.taps / 4,
    [1, filterHeight, filterWidth],
    [0, dilationHeight * row, dilationWidth * cell],
  );
  writeGrid(i32, at.pixels / 4, counts, [input.rows * row, strideHeight * row, strideWidth * cell]);
  writeGrid(i32, at.outs / 4, counts, [output.rows * outRow, outRow, cell]);
}

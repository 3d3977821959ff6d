/**
 * Pooling in strips: the part that max and average pooling by WebAssembly share. x: [batch, inHeight, inWidth, channels],
 * y: [batch, outHeight, outWidth, channels]. The layout is NHWC, and the number of channels is a multiple of 4.
 */
import type { Numbers } from '../../arrays.js';
import { simdFor } from '../options.js';
import { type PoolGeometry, sizeOf, type Steps } from '../../geometry.js';
import { type Simd, withSimd } from './instance.js';
import {
  type Axes,
  copyIn,
  copyOut,
  fitsCache,
  forwardAxis,
  identityAxis,
  type Image,
  largest,
  planStrips,
  positionsIn,
  type Rectangle,
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
): T | undefined {
  const cells = sizeOf(g.outShape) * g.filterHeight * g.filterWidth;
  const level = simdFor(cells >= LEAST_CELLS);
  const fitting = g.x.channel === 1 && g.inChannels % 4 === 0;
  if (!level || !fitting || !inputs.every((values) => values instanceof Float32Array)) return undefined;
  return withSimd(level, (simd) => work(simd, inputs as Float32Array[]));
}

/** The arguments of a strip's micro-kernel: addresses of the arrays that it reads and writes, and counts. */
export interface StripAddresses {
  /** For each window: where it starts in x and dx, and its divisor. */
  readonly pixels: number;
  readonly counts: number;
  readonly pixelCount: number;
  readonly taps: number;
  readonly tapCount: number;
  readonly channels: number;
  readonly x: number;
  readonly dx: number;
  /** One address, of y or of dy. */
  readonly y: number;
  readonly dy: number;
}

/** Writes y, strip by strip. `run` returns true to give up. */
export function poolForward(
  simd: Simd,
  x: Float32Array,
  g: PoolGeometry,
  y: Float32Array,
  padding: number,
  run: (at: StripAddresses, strip: Rectangle) => boolean,
): boolean {
  const axes = poolAxes(g);
  const strips = planStrips(axes, g.batchSize, [1, 1], (strip) =>
    fitsCache(strip, axes, g.inChannels, g.inChannels),
  );
  const at = place(simd, g, strips, axes, false);
  for (const strip of strips) {
    const window = windowOf(strip, axes);
    copyIn(simd.f32, at.x / 4, imageOf(x, g, 'in'), window, padding);
    writeTables(simd, at, g, strip, window);
    if (run({ ...at, pixelCount: positionsIn(strip) }, strip)) return true;
    copyOut(simd.f32, at.y / 4, strip, imageOf(y, g, 'out'), strip);
  }
  return false;
}

/**
 * Writes dx, strip by strip. `run` adds the shares of all windows that reach into a strip to the cells at `dx`. It returns true to
 * give up. Otherwise every cell of dx is written.
 * @param x undefined if the gradient does not depend on it
 */
export function poolBackward(
  simd: Simd,
  x: Float32Array | undefined,
  dy: Float32Array,
  g: PoolGeometry,
  dx: Float32Array,
  padding: number,
  run: (at: StripAddresses, strip: Rectangle) => boolean,
): boolean {
  const axes = poolAxes(g);
  const rows = { rows: identityAxis(g.inHeight), cols: identityAxis(g.inWidth) };
  const pieces = planStrips(rows, g.batchSize, [1, g.inWidth], (piece) =>
    fitsCache(windowsOver(piece, g), axes, g.inChannels, g.inChannels),
  );
  const strips = pieces.map((piece) => windowsOver(piece, g));
  const at = place(simd, g, strips, axes, true);
  for (const [i, strip] of strips.entries()) {
    const window = windowOf(strip, axes);
    const part = overlap(window, pieces[i]);
    const isEmpty = positionsIn(strip) === 0;
    if (isEmpty || positionsIn(part) < positionsIn(pieces[i])) clear(dx, g, pieces[i]);
    if (isEmpty) continue;
    const size = positionsIn(window) * g.inChannels;
    if (x) copyIn(simd.f32, at.x / 4, imageOf(x, g, 'in'), window, padding);
    copyIn(simd.f32, at.y / 4, imageOf(dy, g, 'out'), strip);
    simd.f32.fill(0, at.dx / 4, at.dx / 4 + size);
    writeTables(simd, at, g, strip, window);
    if (run({ ...at, pixelCount: positionsIn(strip) }, strip)) return true;
    const skipped = ((part.row - window.row) * window.cols + part.col - window.col) * g.inChannels;
    copyOut(simd.f32, at.dx / 4 + skipped, window, imageOf(dx, g, 'in'), part);
  }
  return false;
}

/** dx = 0 in the piece, which has all columns, and all rows if it has several images. */
function clear(
  dx: Float32Array,
  { inHeight, x }: PoolGeometry,
  { image, images, row, rows }: Rectangle,
): void {
  const first = (image * inHeight + row) * x.row;
  dx.fill(0, first, first + images * rows * x.row);
}

/** The windows that reach a row of the piece. The piece has all columns. */
function windowsOver(piece: Rectangle, g: PoolGeometry): Rectangle {
  const first = Math.ceil((piece.row + g.padTop - g.effectiveFilterHeight + 1) / g.strideHeight);
  const last = Math.floor((piece.row + piece.rows - 1 + g.padTop) / g.strideHeight);
  const row = Math.max(0, first);
  const rows = Math.max(0, Math.min(g.outHeight - 1, last) - row + 1);
  return { image: piece.image, images: piece.images, row, rows, col: 0, cols: g.outWidth };
}

/** The cells of the window that lie in the piece. */
function overlap(window: Rectangle, piece: Rectangle): Rectangle {
  const row = Math.max(window.row, piece.row);
  const col = Math.max(window.col, 0);
  return {
    image: piece.image,
    images: piece.images,
    row,
    rows: Math.max(0, Math.min(window.row + window.rows, piece.row + piece.rows) - row),
    col,
    cols: Math.max(0, Math.min(window.col + window.cols, piece.cols) - col),
  };
}

function place(
  simd: Simd,
  g: PoolGeometry,
  strips: readonly Rectangle[],
  axes: Axes,
  backward: boolean,
): StripAddresses {
  const most = largest(strips, axes);
  const tapCount = g.filterHeight * g.filterWidth;
  const [pixels, counts, taps, x, dx, y] = simd.place(
    4 * most.target,
    4 * most.target,
    4 * tapCount,
    4 * most.source * g.inChannels,
    backward ? 4 * most.source * g.inChannels : 0,
    4 * most.target * g.inChannels,
  );
  return { pixels, counts, pixelCount: 0, taps, tapCount, channels: g.inChannels, x, dx, y, dy: y };
}

function writeTables(
  { i32 }: Simd,
  at: StripAddresses,
  g: PoolGeometry,
  strip: Rectangle,
  window: Rectangle,
): void {
  const cell = 4 * g.inChannels;
  const row = cell * window.cols;
  const { filterHeight, filterWidth, dilationHeight, dilationWidth, strideHeight, strideWidth } = g;
  writeGrid(
    i32,
    at.taps / 4,
    [1, filterHeight, filterWidth],
    [0, dilationHeight * row, dilationWidth * cell],
  );
  writeGrid(
    i32,
    at.pixels / 4,
    [strip.images, strip.rows, strip.cols],
    [window.rows * row, strideHeight * row, strideWidth * cell],
  );
}

function poolAxes(g: PoolGeometry): Axes {
  return {
    rows: forwardAxis(g.outHeight, g.filterHeight, g.strideHeight, g.dilationHeight, g.padTop),
    cols: forwardAxis(g.outWidth, g.filterWidth, g.strideWidth, g.dilationWidth, g.padLeft),
  };
}

function imageOf(values: Float32Array, g: PoolGeometry, side: 'in' | 'out'): Image {
  const [height, width, steps]: [number, number, Steps] =
    side === 'in' ? [g.inHeight, g.inWidth, g.x] : [g.outHeight, g.outWidth, g.y];
  return { values, steps, images: g.batchSize, height, width, channel: 0, channels: g.inChannels };
}

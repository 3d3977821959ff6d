/**
 * Pooling in strips: the part that max and average pooling by WebAssembly share. x: [batch, inHeight, inWidth, channels],
 * y: [batch, outHeight, outWidth, channels]. The layout is NHWC, and the number of channels is a multiple of 4.
 */
import type { Numbers } from '../../arrays.js';
import { simdFor } from '../options.js';
import { type PoolGeometry, sizeOf, type Steps } from '../../geometry.js';
import { type Data, dataOf, type Heap, type Simd, withSimd } from './instance.js';
import {
  type Axes,
  copyIn,
  copyOut,
  fitsCache,
  forwardAxis,
  identityAxis,
  type Image,
  isReadInPlace,
  isUnbroken,
  largest,
  liesInPlace,
  planStrips,
  positionsIn,
  type Rectangle,
  type Grid,
  regionOf,
  wholeOf,
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
  const fitting = g.x.channel === 1 && g.inChannels % 4 === 0;
  if (!level || !fitting || !inputs.every((values) => values instanceof Float32Array)) return undefined;
  return withSimd(level, (simd) => work(simd, inputs as Float32Array[]), heap);
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
  const [source, target] = [imageOf(dataOf(simd, x), g, 'in'), imageOf(dataOf(simd, y), g, 'out')];
  const strips = stripsOf(axes, g);
  const reads = isReadInPlace(source, axes);
  const writes = isUnbroken(target, strips);
  const at = place(simd, g, strips, axes, { x: !reads, y: !writes, dx: false });
  for (const strip of strips) {
    const window = windowOf(strip, axes);
    const from = reads ? regionOf(source, window) : copyIn(simd, at.x, source, window, padding);
    const to = writes ? regionOf(target, strip) : { ...strip, address: at.y };
    writeTables(simd, at, g, strip, from);
    if (run({ ...at, x: from.address, y: to.address, pixelCount: positionsIn(strip) }, strip)) return true;
    if (!writes) copyOut(simd, to, target, strip);
  }
  return false;
}

/**
 * Writes dx. `run` adds the shares of all windows of a strip to the cells at `dx`. It returns true to give up. Otherwise every cell
 * of dx is written.
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
  const images = {
    x: x && imageOf(dataOf(simd, x), g, 'in'),
    dy: imageOf(dataOf(simd, dy), g, 'out'),
    dx: imageOf(dataOf(simd, dx), g, 'in'),
  };
  const axes = poolAxes(g);
  const strips = stripsOf(axes, g);
  const inPlace =
    isReadInPlace(images.dx, axes) && (!images.x || liesInPlace(images.x)) && isUnbroken(images.dy, strips);
  return inPlace
    ? backwardInPlace(simd, images, axes, strips, g, run)
    : backwardByPieces(simd, images, axes, g, padding, run);
}

interface BackwardImages {
  readonly x?: Image;
  readonly dy: Image;
  readonly dx: Image;
}

/** Without padding: strips of windows add to dx where it lies. */
function backwardInPlace(
  simd: Simd,
  { x, dy, dx }: BackwardImages,
  axes: Axes,
  strips: readonly Rectangle[],
  g: PoolGeometry,
  run: (at: StripAddresses, strip: Rectangle) => boolean,
): boolean {
  const at = place(simd, g, strips, axes, { x: false, y: false, dx: false });
  clear(simd, dx, wholeOf(dx));
  for (const strip of strips) {
    const window = windowOf(strip, axes);
    const to = regionOf(dx, window);
    writeTables(simd, at, g, strip, to);
    const addresses = {
      x: x ? regionOf(x, window).address : 0,
      dx: to.address,
      dy: regionOf(dy, strip).address,
      pixelCount: positionsIn(strip),
    };
    if (run({ ...at, ...addresses }, strip)) return true;
  }
  return false;
}

/** Piece by piece of dx. All windows that reach into a piece add to a copy of it, and then it is copied out. */
function backwardByPieces(
  simd: Simd,
  { x, dy, dx }: BackwardImages,
  axes: Axes,
  g: PoolGeometry,
  padding: number,
  run: (at: StripAddresses, strip: Rectangle) => boolean,
): boolean {
  const rows = { rows: identityAxis(g.inHeight), cols: identityAxis(g.inWidth) };
  const pieces = planStrips(rows, g.batchSize, [1, g.inWidth], (piece) =>
    fitsCache(windowsOver(piece, g), axes, g.inChannels, g.inChannels),
  );
  const strips = pieces.map((piece) => windowsOver(piece, g));
  const at = place(simd, g, strips, axes, { x: x !== undefined, y: true, dx: true });
  for (const [i, strip] of strips.entries()) {
    const window = windowOf(strip, axes);
    const part = overlap(window, pieces[i]);
    const isEmpty = positionsIn(strip) === 0;
    if (isEmpty || positionsIn(part) < positionsIn(pieces[i])) clear(simd, dx, pieces[i]);
    if (isEmpty) continue;
    const size = positionsIn(window) * g.inChannels;
    if (x) copyIn(simd, at.x, x, window, padding);
    copyIn(simd, at.dy, dy, strip);
    simd.f32.fill(0, at.dx / 4, at.dx / 4 + size);
    writeTables(simd, at, g, strip, window);
    if (run({ ...at, pixelCount: positionsIn(strip) }, strip)) return true;
    const skipped = ((part.row - window.row) * window.cols + part.col - window.col) * g.inChannels;
    copyOut(simd, { ...window, address: at.dx + 4 * skipped }, dx, part);
  }
  return false;
}

/** dx = 0 in the piece, which has all columns, and all rows if it has several images. */
function clear(simd: Simd, { data, steps }: Image, { image, images, row, rows }: Rectangle): void {
  const first = data.start + image * steps.batch + row * steps.row;
  (data.array ?? simd.f32).fill(0, first, first + images * rows * steps.row);
}

/** The windows in strips. */
function stripsOf(axes: Axes, { batchSize, inChannels }: PoolGeometry): Rectangle[] {
  return planStrips(axes, batchSize, [1, 1], (strip) => fitsCache(strip, axes, inChannels, inChannels));
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
  copies: { readonly x: boolean; readonly y: boolean; readonly dx: boolean },
): StripAddresses {
  const most = largest(strips, axes);
  const tapCount = g.filterHeight * g.filterWidth;
  const [source, target] = [4 * most.source * g.inChannels, 4 * most.target * g.inChannels];
  const [pixels, counts, taps, x, dx, y] = simd.place(
    4 * most.target,
    4 * most.target,
    4 * tapCount,
    copies.x ? source : 0,
    copies.dx ? source : 0,
    copies.y ? target : 0,
  );
  return { pixels, counts, pixelCount: 0, taps, tapCount, channels: g.inChannels, x, dx, y, dy: y };
}

function writeTables(
  { i32 }: Simd,
  at: StripAddresses,
  g: PoolGeometry,
  strip: Rectangle,
  window: Grid,
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

function imageOf(data: Data, g: PoolGeometry, side: 'in' | 'out'): Image {
  const [height, width, steps]: [number, number, Steps] =
    side === 'in' ? [g.inHeight, g.inWidth, g.x] : [g.outHeight, g.outWidth, g.y];
  return { data, steps, images: g.batchSize, height, width, channel: 0, channels: g.inChannels };
}

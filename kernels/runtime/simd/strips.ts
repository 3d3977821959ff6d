/**
 * Images in strips: which part of the source a part of the target needs, where it lies, and copies to and from scratch memory.
 *
 *   target position p reads the source positions base(p) + offset, for the offset of each tap in phase(p), along each axis
 *
 * A strip is a rectangle of target positions: some whole images, or some rows of one image, or some columns of a row if the image
 * is very wide. The strip's window is the rectangle of source positions that its taps reach, including padding. Copies of both are
 * dense: [images, rows, cols, channels of one group].
 */
import type { Geometry, Steps } from '../../geometry.js';
import { roundUp } from './calls.js';
import type { Data, Simd } from './instance.js';

export interface Tap {
  /** The row or column of the filter. */
  readonly index: number;
  readonly offset: number;
}

/** One axis, rows or columns: which source positions a target position reads. */
export interface Axis {
  readonly size: number;
  /** The taps of each phase, in ascending order of their offsets. Positions of one phase have the same taps. */
  readonly phases: readonly (readonly Tap[])[];
  /** The smallest and the largest offset. */
  readonly lowest: number;
  readonly highest: number;
  phase(position: number): number;
  base(position: number): number;
}

export interface Axes {
  readonly rows: Axis;
  readonly cols: Axis;
}

/** The axis by which y reads x: every position reads every tap. */
function forwardAxis(size: number, filterSize: number, stride: number, dilation: number, pad: number): Axis {
  const taps: Tap[] = [];
  for (let index = 0; index < filterSize; index++) taps.push({ index, offset: index * dilation - pad });
  return {
    size,
    phases: [taps],
    lowest: -pad,
    highest: (filterSize - 1) * dilation - pad,
    phase: () => 0,
    base: (p) => p * stride,
  };
}

/** The axis by which dx reads dy: position p of x lies under the taps whose distance from p + pad is a whole number of strides. */
function backwardAxis(size: number, filterSize: number, stride: number, dilation: number, pad: number): Axis {
  const phases = Array.from({ length: stride }, (): Tap[] => []);
  for (let index = filterSize - 1; index >= 0; index--) {
    const phase = (index * dilation) % stride;
    phases[phase].push({ index, offset: (phase - index * dilation) / stride });
  }
  const offsets = phases.flat().map(({ offset }) => offset);
  const base = (p: number) => Math.floor((p + pad) / stride);
  return {
    size,
    phases,
    lowest: Math.min(...offsets),
    highest: Math.max(...offsets),
    phase: (p) => p + pad - stride * base(p),
    base,
  };
}

/** By which positions of x the positions of y are computed. */
export function forwardAxes(g: Geometry): Axes {
  return {
    rows: forwardAxis(g.outHeight, g.filterHeight, g.strideHeight, g.dilationHeight, g.padTop),
    cols: forwardAxis(g.outWidth, g.filterWidth, g.strideWidth, g.dilationWidth, g.padLeft),
  };
}

/** By which positions of dy the positions of dx are computed. */
export function backwardAxes(g: Geometry): Axes {
  return {
    rows: backwardAxis(g.inHeight, g.filterHeight, g.strideHeight, g.dilationHeight, g.padTop),
    cols: backwardAxis(g.inWidth, g.filterWidth, g.strideWidth, g.dilationWidth, g.padLeft),
  };
}

/** The number of source positions from one target position to the next, if all positions are of one phase. */
export function strideOf({ base }: Axis): number {
  return base(1) - base(0);
}

export interface Rectangle {
  readonly image: number;
  readonly images: number;
  readonly row: number;
  readonly rows: number;
  readonly col: number;
  readonly cols: number;
}

export function positionsIn({ images, rows, cols }: Rectangle): number {
  return images * rows * cols;
}

export function wholeOf({ images, height: rows, width: cols }: Image): Rectangle {
  return { image: 0, images, row: 0, rows, col: 0, cols };
}

/** The source positions that the strip's taps reach. */
export function windowOf(strip: Rectangle, { rows, cols }: Axes): Rectangle {
  const [row, rowCount] = span(rows, strip.row, strip.rows);
  const [col, colCount] = span(cols, strip.col, strip.cols);
  return { image: strip.image, images: strip.images, row, rows: rowCount, col, cols: colCount };
}

/** The first source position that `count` target positions from `first` on reach, and the number of source positions. */
function span(axis: Axis, first: number, count: number): [number, number] {
  const start = axis.base(first) + axis.lowest;
  return [start, axis.base(first + count - 1) + axis.highest - start + 1];
}

/**
 * All positions, in strips. A strip is as large as `fits` allows, but at least one unit of rows and one of columns.
 */
export function planStrips(
  { rows, cols }: Axes,
  batchSize: number,
  [rowUnit, colUnit]: readonly [number, number],
  fits: (strip: Rectangle) => boolean,
): Rectangle[] {
  const strip = (images: number, rowCount: number, colCount: number): Rectangle => {
    return { image: 0, images, row: 0, rows: rowCount, col: 0, cols: colCount };
  };
  const colCount = evenPart(cols.size, colUnit, (n) => fits(strip(1, 1, n)));
  const rowCount = evenPart(rows.size, rowUnit, (n) => fits(strip(1, n, colCount)));
  const whole = rowCount >= rows.size && colCount >= cols.size;
  const images = whole ? evenPart(batchSize, 1, (n) => fits(strip(n, rowCount, colCount))) : 1;
  const strips: Rectangle[] = [];
  for (let image = 0; image < batchSize; image += images) {
    for (let row = 0; row < rows.size; row += rowCount) {
      for (let col = 0; col < cols.size; col += colCount) {
        strips.push({
          image,
          images: Math.min(images, batchSize - image),
          row,
          rows: Math.min(rowCount, rows.size - row),
          col,
          cols: Math.min(colCount, cols.size - col),
        });
      }
    }
  }
  return strips;
}

/** What is done with strip `i`, in place `at` of its scratch memory. Only `compute` may call micro-kernels. */
export interface StripWork {
  /** Copies its source in. */
  load?(i: number, at: number): void;
  /** Computes it. `meanwhile` is to run while workers compute. It does nothing if it is called again. */
  compute(i: number, at: number, meanwhile: () => void): void;
  /** Copies its result out. */
  store?(i: number, at: number): void;
}

/**
 * Two places would do. But a core writes slowly to lines that are in another core's cache. After so many strips, or so many bytes, they
 * are there no longer.
 */
const MOST_PLACES = { count: 8, bytes: 1 << 24 };

/** How many places of so many bytes the strips take in turn. */
export function placesFor({ threads }: Simd, strips: number, bytes: number): number {
  if (threads === 1) return 1;
  const most = Math.min(MOST_PLACES.count, Math.floor(MOST_PLACES.bytes / bytes));
  return Math.max(1, Math.min(strips, Math.max(2, most)));
}

/** In bytes: the size of a place for so many floats, in whole lines of the cache. */
export function placeSize(floats: number): number {
  return roundUp(4 * floats, 64);
}

/** Does the work of all strips. With threads, the calling one stores the last strip and loads the next one while workers compute. */
export function eachStrip(count: number, places: number, { load, compute, store }: StripWork): void {
  if (places === 1) {
    for (let i = 0; i < count; i++) {
      load?.(i, 0);
      compute(i, 0, nothing);
      store?.(i, 0);
    }
    return;
  }
  load?.(0, 0);
  for (let i = 0; i < count; i++) {
    let isDone = false;
    const meanwhile = () => {
      if (isDone) return;
      isDone = true;
      if (i > 0) store?.(i - 1, (i - 1) % places);
      if (i + 1 < count) load?.(i + 1, (i + 1) % places);
    };
    compute(i, i % places, meanwhile);
    meanwhile();
  }
  store?.(count - 1, (count - 1) % places);
}

const nothing = () => undefined;

/** In floats: a source and a result of this size fit into a second-level cache beside the panels of a filter. */
const STRIP_SIZE = 1 << 16;

/** Whether neither the strip's window nor the strip itself holds more than STRIP_SIZE values. */
export function fitsCache(
  strip: Rectangle,
  axes: Axes,
  sourceChannels: number,
  targetChannels: number,
): boolean {
  const source = positionsIn(windowOf(strip, axes)) * sourceChannels;
  return Math.max(source, positionsIn(strip) * targetChannels) <= STRIP_SIZE;
}

/** The cells of the largest window, the cells of the largest strip, and the largest number of rows of a strip. */
export function largest(strips: readonly Rectangle[], axes: Axes) {
  const most = { source: 0, target: 0, rows: 0 };
  for (const strip of strips) {
    most.source = Math.max(most.source, positionsIn(windowOf(strip, axes)));
    most.target = Math.max(most.target, positionsIn(strip));
    most.rows = Math.max(most.rows, strip.images * strip.rows);
  }
  return most;
}

/** The size of the parts into which `size` is cut: about equal, multiples of `unit`, and as large as `fits` allows. */
function evenPart(size: number, unit: number, fits: (part: number) => boolean): number {
  if (fits(size)) return size;
  const units = Math.ceil(size / unit);
  let [most, tooMany] = [1, units];
  while (tooMany - most > 1) {
    const middle = (most + tooMany) >> 1;
    if (fits(middle * unit)) most = middle;
    else tooMany = middle;
  }
  return Math.ceil(units / Math.ceil(units / most)) * unit;
}

/** at[i, j, k] = i * steps[0] + j * steps[1] + k * steps[2]: the addresses of a grid of cells, dense and in row-major order. */
export function writeGrid(
  i32: Int32Array,
  at: number,
  counts: readonly [number, number, number],
  steps: readonly [number, number, number],
): void {
  const [iEnd, jEnd, kEnd] = counts;
  const [iStep, jStep, kStep] = steps;
  for (let i = 0; i < iEnd; i++) {
    for (let j = 0; j < jEnd; j++) {
      let address = i * iStep + j * jStep;
      for (let k = 0; k < kEnd; k++, address += kStep) i32[at++] = address;
    }
  }
}

/** An image tensor, or some of its channels. */
export interface Image {
  readonly data: Data;
  readonly steps: Steps;
  readonly images: number;
  readonly height: number;
  readonly width: number;
  readonly channel: number;
  readonly channels: number;
}

/** x, or dx: the channels of one of `groups` groups. */
export function inputImage(data: Data, g: Geometry, group = 0, groups = 1): Image {
  const channels = g.inChannels / groups;
  const { batchSize: images, inHeight: height, inWidth: width, x: steps } = g;
  return { data, steps, images, height, width, channel: group * channels, channels };
}

/** y, or dy: the channels of one of `groups` groups. */
export function outputImage(data: Data, g: Geometry, group = 0, groups = 1): Image {
  const channels = g.outChannels / groups;
  const { batchSize: images, outHeight: height, outWidth: width, y: steps } = g;
  return { data, steps, images, height, width, channel: group * channels, channels };
}

/** The part of an image that, beside its axes, decides which algorithm serves. */
export type Extent = Pick<Image, 'images' | 'channels'>;

/** How cells lie in memory: the cell [image, row, col] comes (image * rows + row) * cols + col cells after the first one. */
export type Grid = Pick<Rectangle, 'rows' | 'cols'>;

/** Cells in memory. The first one is at `address`. */
export interface Region extends Grid {
  readonly address: number;
}

/** Whether micro-kernels can read and write the image where it lies: in their memory, with cells side by side, without other groups. */
export function liesInMemory({ data, steps, channels }: Image): boolean {
  return !data.array && channels > 0 && hasDenseCells(steps, channels);
}

/** Whether, beside that, no tap reaches outside of the image. Then no window needs a copy. */
export function isReadInPlace(image: Image, { rows, cols }: Axes): boolean {
  return liesInMemory(image) && staysInside(rows, image.height) && staysInside(cols, image.width);
}

function staysInside(axis: Axis, size: number): boolean {
  const [first, end] = positionsInside(axis, size);
  return first === 0 && end === axis.size;
}

/** The first and the end of the target positions whose taps all lie in a source of this size. */
export function positionsInside({ size, lowest, highest, base }: Axis, sourceSize: number): [number, number] {
  let [first, end] = [0, size];
  while (first < end && base(first) + lowest < 0) first++;
  while (end > first && base(end - 1) + highest >= sourceSize) end--;
  return [first, end];
}

/** The part of the rectangle that lies in the image. */
export function inside({ height, width }: Image, r: Rectangle): Rectangle {
  const row = Math.max(0, r.row);
  const col = Math.max(0, r.col);
  const rows = Math.max(0, Math.min(height, r.row + r.rows) - row);
  const cols = Math.max(0, Math.min(width, r.col + r.cols) - col);
  return { ...r, row, rows, col, cols };
}

/** Where the rectangle lies in an image that `liesInMemory`. */
export function regionOf(image: Image, r: Rectangle): Region {
  const { steps } = image;
  return {
    address: 4 * cellAt(image, r.image, r.row, r.col),
    rows: steps.batch / steps.row,
    cols: steps.row / steps.col,
  };
}

/** Index of the group's first channel of a cell, in the image's array. */
function cellAt({ data, steps, channel }: Image, image: number, row: number, col: number): number {
  return data.start + image * steps.batch + row * steps.row + col * steps.col + channel * steps.channel;
}

/** Whether micro-kernels that go from one cell to the next can read and write all strips where they lie. */
export function areContiguous(image: Image, strips: readonly Rectangle[]): boolean {
  if (!liesInMemory(image)) return false;
  const { rows, cols } = regionOf(image, wholeOf(image));
  return strips.every((strip) => strip.cols === cols && (strip.images === 1 || strip.rows === rows));
}

/** The window of the image: where it lies, or a copy at `scratch`, with `padding` around it. */
export function sourceRegion(
  simd: Simd,
  image: Image,
  window: Rectangle,
  inPlace: boolean,
  scratch: number,
  padding = 0,
): Region {
  return inPlace ? regionOf(image, window) : copyIn(simd, scratch, image, window, padding);
}

/** Where the results of the rectangle go: where they are to stay, or to `scratch`. */
export function targetRegion(image: Image, r: Rectangle, inPlace: boolean, scratch: number): Region {
  return inPlace ? regionOf(image, r) : { address: scratch, rows: r.rows, cols: r.cols };
}

/**
 * Copies the rectangle to `to`, and returns where it is. Outside of the image it is `padding`.
 * @param pitch in floats: from one cell of the copy to the next
 */
export function copyIn(
  simd: Simd,
  to: number,
  image: Image,
  r: Rectangle,
  padding = 0,
  pitch = image.channels,
): Region {
  const { data, steps, height, width, channels } = image;
  const { f32 } = simd;
  const values = data.array ?? f32;
  const rowLength = r.cols * pitch;
  const first = Math.min(r.cols, Math.max(0, -r.col));
  const cols = Math.max(0, Math.min(r.cols, width - r.col) - first);
  const [left, right] = [first * pitch, (first + cols) * pitch];
  const dense = hasDenseCells(steps, channels);
  let at = to / 4;
  for (let b = r.image; b < r.image + r.images; b++) {
    for (let row = r.row; row < r.row + r.rows; row++, at += rowLength) {
      if (row < 0 || row >= height || cols === 0) {
        fill(f32, padding, at, at + rowLength);
        continue;
      }
      fill(f32, padding, at, at + left);
      fill(f32, padding, at + right, at + rowLength);
      const from = cellAt(image, b, row, Math.max(0, r.col));
      if (dense) copyCells(values, from, cols, channels, f32, at + left, pitch);
      else gatherRow(values, from, steps, cols, channels, f32, at + left, pitch);
    }
  }
  return { address: to, rows: r.rows, cols: r.cols };
}

/**
 * The image's values in the rectangle = the first rows and columns of the region, which holds `channels` values per cell.
 */
export function copyOut({ f32 }: Simd, from: Region, image: Image, r: Rectangle): void {
  const { data, steps, channels } = image;
  const values = data.array ?? f32;
  const dense = hasDenseCells(steps, channels);
  const together = dense && r.cols === from.cols && steps.row === r.cols * channels;
  const rowLength = from.cols * channels;
  for (let b = 0; b < r.images; b++) {
    const first = cellAt(image, r.image + b, r.row, r.col);
    const start = from.address / 4 + b * from.rows * rowLength;
    if (together) copyRun(f32, start, r.rows * rowLength, values, first);
    for (let row = 0; row < r.rows && !together; row++) {
      const to = first + row * steps.row;
      if (dense) copyRun(f32, start + row * rowLength, r.cols * channels, values, to);
      else scatterRow(f32, start + row * rowLength, r.cols, channels, values, to, steps);
    }
  }
}

function hasDenseCells({ col, channel }: Steps, channels: number): boolean {
  return channel === 1 && col === channels;
}

/** In floats. For shorter runs a loop is faster than `set` and `fill`. */
const SHORT_RUN = 64;

function fill(to: Float32Array, value: number, start: number, end: number): void {
  if (end - start >= SHORT_RUN) to.fill(value, start, end);
  else for (let i = start; i < end; i++) to[i] = value;
}

function copyRun(from: Float32Array, start: number, length: number, to: Float32Array, at: number): void {
  if (length >= SHORT_RUN) to.set(from.subarray(start, start + length), at);
  else for (let i = 0; i < length; i++) to[at + i] = from[start + i];
}

/** Cells that lie side by side, to cells that lie `pitch` floats apart. */
function copyCells(
  from: Float32Array,
  start: number,
  cols: number,
  channels: number,
  to: Float32Array,
  at: number,
  pitch: number,
): void {
  const length = pitch === channels ? cols * channels : channels;
  const end = start + cols * channels;
  for (; start < end; start += length, at += pitch) copyRun(from, start, length, to, at);
}

function gatherRow(
  from: Float32Array,
  start: number,
  { col, channel }: Steps,
  cols: number,
  channels: number,
  to: Float32Array,
  at: number,
  pitch: number,
): void {
  for (let i = 0; i < cols; i++, start += col, at += pitch) {
    for (let c = 0; c < channels; c++) to[at + c] = from[start + c * channel];
  }
}

function scatterRow(
  from: Float32Array,
  at: number,
  cols: number,
  channels: number,
  to: Float32Array,
  start: number,
  { col, channel }: Steps,
): void {
  for (let i = 0; i < cols; i++, start += col) {
    for (let c = 0; c < channels; c++) to[start + c * channel] = from[at++];
  }
}

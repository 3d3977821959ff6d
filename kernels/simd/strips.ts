/**
 * Working through images in strips: which part of the source a part of the target needs, and copies between the arrays
 * of tensors and WebAssembly memory.
 *
 *   target position p is reached by the source position base(p) + offset of each tap in phase(p), along each axis
 *
 * A strip is a rectangle of target positions: some whole images, or some rows of one image, or, of very wide ones, some
 * columns of a row. Its window is the rectangle of source positions that its taps reach, padding included. In
 * WebAssembly memory both are dense: [images, rows, cols, channels of one group].
 */
import type { Steps } from '../geometry.js';

export interface Tap {
  /** Row, or column, of the filter. */
  readonly index: number;
  readonly offset: number;
}

/** Rows or columns: how target positions meet source positions. */
export interface Axis {
  readonly size: number;
  /** Positions of one phase have the same taps, ordered by offset. */
  readonly phases: readonly (readonly Tap[])[];
  phase(position: number): number;
  base(position: number): number;
}

/** y reads x: every tap at every position. */
export function forwardAxis(
  size: number,
  filterSize: number,
  stride: number,
  dilation: number,
  pad: number,
): Axis {
  const taps = Array.from({ length: filterSize }, (_, index) => ({ index, offset: index * dilation - pad }));
  return { size, phases: [taps], phase: () => 0, base: (p) => p * stride };
}

/** dx reads dy: position p of x lies under the taps whose distance from p + pad is a whole number of strides. */
export function backwardAxis(
  size: number,
  filterSize: number,
  stride: number,
  dilation: number,
  pad: number,
): Axis {
  const phases = Array.from({ length: stride }, (): Tap[] => []);
  for (let index = filterSize - 1; index >= 0; index--) {
    const phase = (index * dilation) % stride;
    phases[phase].push({ index, offset: (phase - index * dilation) / stride });
  }
  const base = (p: number) => Math.floor((p + pad) / stride);
  return { size, phases, phase: (p) => p + pad - stride * base(p), base };
}

/** Positions as they are. */
export function identityAxis(size: number): Axis {
  return { size, phases: [[{ index: 0, offset: 0 }]], phase: () => 0, base: (p) => p };
}

/** The smallest and the largest offset of an axis. */
export function reach({ phases }: Axis): [number, number] {
  const offsets = phases.flat().map(({ offset }) => offset);
  return offsets.length === 0 ? [0, 0] : [Math.min(...offsets), Math.max(...offsets)];
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

/** The source positions that the strip's taps reach. */
export function windowOf(strip: Rectangle, rows: Axis, cols: Axis): Rectangle {
  const [row, rowCount] = span(rows, strip.row, strip.rows);
  const [col, colCount] = span(cols, strip.col, strip.cols);
  return { image: strip.image, images: strip.images, row, rows: rowCount, col, cols: colCount };
}

/** The first source position and the number of them that `count` positions from `first` reach. */
function span(axis: Axis, first: number, count: number): [number, number] {
  const [low, high] = reach(axis);
  const start = axis.base(first) + low;
  return [start, axis.base(first + count - 1) + high - start + 1];
}

/**
 * All positions in strips whose source and target hold about `limit` floats at most, or a single row in pieces where even
 * that holds more.
 */
export function planStrips(
  rows: Axis,
  cols: Axis,
  batchSize: number,
  sourceChannels: number,
  targetChannels: number,
  limit: number,
): Rectangle[] {
  const fits = (images: number, rowCount: number, colCount: number) => {
    const source = span(rows, 0, rowCount)[1] * span(cols, 0, colCount)[1] * sourceChannels;
    return images * Math.max(source, rowCount * colCount * targetChannels) <= limit;
  };
  const colCount = evenPart(cols.size, cols.phases.length, (n) => fits(1, 1, n));
  const rowCount = evenPart(rows.size, rows.phases.length, (n) => fits(1, n, colCount));
  const whole = rowCount === rows.size && colCount === cols.size;
  const images = whole ? evenPart(batchSize, 1, (n) => fits(n, rowCount, colCount)) : 1;
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

/** Size of the parts that `size` falls into: about equal, multiples of `unit`, and as large as `fits` allows. */
function evenPart(size: number, unit: number, fits: (part: number) => boolean): number {
  let parts = 1;
  let part = size;
  while (part > unit && !fits(part)) {
    parts++;
    part = Math.ceil(size / parts / unit) * unit;
  }
  return Math.min(part, size);
}

/** One group's channels of an image tensor. */
export interface Image {
  readonly values: Float32Array;
  readonly steps: Steps;
  readonly height: number;
  readonly width: number;
  readonly channel: number;
  readonly channels: number;
}

/** to[images, rows, cols, channels] = the image's values in the rectangle, 0 outside of the image. */
export function copyIn(to: Float32Array, at: number, image: Image, r: Rectangle): void {
  const { values, steps, height, width, channel, channels } = image;
  const rowLength = r.cols * channels;
  const left = Math.min(r.cols, Math.max(0, -r.col)) * channels;
  const right = Math.max(left, Math.min(r.cols, width - r.col) * channels);
  const dense = steps.channel === 1 && steps.col === channels;
  for (let b = r.image; b < r.image + r.images; b++) {
    for (let row = r.row; row < r.row + r.rows; row++, at += rowLength) {
      if (row < 0 || row >= height || right === left) {
        to.fill(0, at, at + rowLength);
        continue;
      }
      if (left > 0) to.fill(0, at, at + left);
      if (right < rowLength) to.fill(0, at + right, at + rowLength);
      const first = Math.max(0, r.col);
      const from = b * steps.batch + row * steps.row + first * steps.col + channel * steps.channel;
      if (dense) copyRun(values, from, right - left, to, at + left);
      else gatherRow(values, from, steps, (right - left) / channels, channels, to, at + left);
    }
  }
}

/** The image's values in the rectangle = from[images, rows, pitch, channels], of whose `pitch` columns the first are meant. */
export function copyOut(from: Float32Array, at: number, pitch: number, image: Image, r: Rectangle): void {
  const { values, steps, channel, channels } = image;
  const dense = steps.channel === 1 && steps.col === channels;
  const whole = dense && r.cols === pitch && steps.row === pitch * channels;
  const rows = whole ? 1 : r.rows;
  const length = r.cols * channels * (r.rows / rows);
  for (let b = r.image; b < r.image + r.images; b++) {
    for (let row = r.row; row < r.row + rows; row++) {
      const to = b * steps.batch + row * steps.row + r.col * steps.col + channel * steps.channel;
      if (dense) copyRun(from, at, length, values, to);
      else scatterRow(from, at, r.cols, channels, values, to, steps);
      at += whole ? length : pitch * channels;
    }
  }
}

/** Below this a loop is faster than `set`. */
const SHORT_RUN = 64;

function copyRun(from: Float32Array, start: number, length: number, to: Float32Array, at: number): void {
  if (length >= SHORT_RUN) to.set(from.subarray(start, start + length), at);
  else for (let i = 0; i < length; i++) to[at + i] = from[start + i];
}

function gatherRow(
  from: Float32Array,
  start: number,
  { col, channel }: Steps,
  cols: number,
  channels: number,
  to: Float32Array,
  at: number,
): void {
  for (let i = 0; i < cols; i++, start += col) {
    for (let c = 0; c < channels; c++) to[at++] = from[start + c * channel];
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

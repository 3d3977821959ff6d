/**
 * Depthwise 2-D convolution and its gradients by WebAssembly SIMD, in float32. The functions have the shapes and signatures of
 * definition.ts.
 *
 *   forward  y[p]         = sum over taps of x[the tap's cell at p] * filter[tap], for each channel
 *   input    dx[p]        = sum over the taps that reach p of dy[their pixel] * filter[tap]
 *   filter   dFilter[tap] = sum over pixels of x[the tap's cell at p] * dy[p]
 *
 * - The work goes strip by strip. The micro-kernels read x and dy where they lie if they can, and otherwise a copy of the part of a
 *   strip. There is no padding: pixels at an edge have a list of only those taps that lie in the source. Pixels that have the same
 *   list are computed together. So a filter value of Infinity or NaN over padding is skipped.
 * - If dx has a stride, its positions fall into stride x stride phases. Different taps reach each phase, so no zeros are inserted.
 * - Cells that lie a multiple of 1 KB apart share a few sets of the first-level cache. So 3x3 taps, which keep three rows there, read
 *   them from a copy whose cells lie a line of the cache further apart.
 * - With a multiplier, the channels of x are repeated on their way into memory, and those of dx are added up on their way out. So the
 *   micro-kernels have outChannels channels on both sides.
 */
import { type Epilogue, PLAIN, writeBias } from '../runtime/simd/epilogue.js';
import { type ConvGeometry, sizeOf } from '../geometry.js';
import { type Data, dataOf, type Simd } from '../runtime/simd/instance.js';
import {
  type Axes,
  type Axis,
  backwardAxes,
  copyIn,
  copyOut,
  fitsCache,
  forwardAxes,
  type Image,
  inputImage,
  inside,
  largest,
  liesInMemory,
  outputImage,
  planStrips,
  positionsIn,
  type Rectangle,
  type Region,
  regionOf,
  sourceRegion,
  strideOf,
  type Tap,
  targetRegion,
  wholeOf,
  windowOf,
} from '../runtime/simd/strips.js';

/** Fewer pixels are no line that is worth its start. */
const SHORT_LINE = 4;

/** In floats: cells that lie a multiple of this apart are copied, and lie so much further apart in the copy. */
const CROWDED = 256;
const GAP = 16;

/** y = depthwiseConv2d(x, filter), through the epilogue. Every cell of y is written. */
export function conv2d(
  simd: Simd,
  x: Float32Array,
  filter: Float32Array,
  g: ConvGeometry,
  y: Float32Array,
  epilogue: Epilogue<Float32Array> = PLAIN,
): void {
  const [source, target] = [inputImage(dataOf(simd, x), g), outputImage(dataOf(simd, y), g)];
  const { lowest, highest, bias } = epilogue;
  const bounds = { lowest, highest, bias: bias && dataOf(simd, bias) };
  correlate(simd, source, target, forwardAxes(g), dataOf(simd, filter), g, bounds);
}

/** dx = sum over all y of dy * d y / d x. Every cell of dx is written. */
export function conv2dBackpropInput(
  simd: Simd,
  dy: Float32Array,
  filter: Float32Array,
  g: ConvGeometry,
  dx: Float32Array,
): void {
  const [source, target] = [outputImage(dataOf(simd, dy), g), inputImage(dataOf(simd, dx), g)];
  correlate(simd, source, target, backwardAxes(g), dataOf(simd, filter), g, PLAIN);
}

/** Writes every cell of the target. */
function correlate(
  simd: Simd,
  source: Image,
  target: Image,
  axes: Axes,
  filter: Data,
  g: ConvGeometry,
  epilogue: Epilogue,
): void {
  const { outChannels: channels, filterWidth } = g;
  const pitch = pitchOf(source, axes, channels);
  const [reads, writes] = [isInPlace(source, pitch), isInPlace(target, channels)];
  const strips = stripsOf(target, axes, channels, reads && writes);
  const most = { ...largest(strips, axes), lines: mostLines(strips) };
  const [taps, lines, outs, bias, copiedFilter, a, c, staging] = simd.place(
    8 * g.filterHeight * filterWidth,
    4 * most.lines,
    4 * most.lines,
    4 * channels,
    filter.array ? 4 * sizeOf(g.filterShape) : 0,
    reads ? 0 : 4 * most.source * pitch,
    writes ? 0 : 4 * most.target * channels,
    4 * Math.max(stagingSize(source, channels, most.source), stagingSize(target, channels, most.target)),
  );
  writeBias(simd, bias, channels, channels, epilogue);
  if (filter.array) simd.f32.set(filter.array, copiedFilter / 4);
  for (const strip of strips) {
    const part = inside(source, windowOf(strip, axes));
    const from = reads
      ? cells(regionOf(source, part), pitch)
      : copyWide(simd, source, part, channels, pitch, staging, a);
    const to = cells(targetRegion(target, strip, writes, c), channels);
    const colGroups = groupsOf(axes.cols, strip.col, strip.cols, part.col, source.width);
    for (const rows of groupsOf(axes.rows, strip.row, strip.rows, part.row, source.height)) {
      for (const cols of colGroups) {
        const span = writeLines(simd.i32, lines, outs, strip.images, rows, cols, from, to);
        // Written out field by field: to spread objects here would take longer than a small convolution.
        const call = {
          lines,
          outs,
          lineCount: span.lineCount,
          count: span.count,
          step: span.step,
          outStep: span.outStep,
          taps,
          tapCount: writeTaps(simd.i32, taps / 4, rows.taps, cols.taps, from, filterWidth, channels),
          channels,
          x: from.address,
          filter: filter.array ? copiedFilter : 4 * filter.start,
          bias,
          y: to.address,
          lowest: epilogue.lowest,
          highest: epilogue.highest,
        };
        if (isRolling(rows, cols, channels)) simd.depthwise3x3(call);
        else simd.depthwise(call);
      }
    }
    if (!writes) copyNarrow(simd, to, target, strip, channels, staging);
  }
}

/** dFilter = sum over all y of dy * d y / d filter, summed over the batch. Every cell of dFilter is written. */
export function conv2dBackpropFilter(
  simd: Simd,
  x: Float32Array,
  dy: Float32Array,
  g: ConvGeometry,
  dFilter: Float32Array,
): void {
  const [source, target] = [inputImage(dataOf(simd, x), g), outputImage(dataOf(simd, dy), g)];
  const result = dataOf(simd, dFilter);
  const axes = forwardAxes(g);
  const { outChannels: channels, filterWidth } = g;
  const size = sizeOf(g.filterShape);
  const pitch = pitchOf(source, axes, channels);
  const [reads, readsDy] = [isInPlace(source, pitch), isInPlace(target, channels)];
  const strips = stripsOf(target, axes, channels, reads && readsDy);
  const most = { ...largest(strips, axes), lines: mostLines(strips) };
  const [taps, lines, outs, sums, a, c, staging] = simd.place(
    8 * g.filterHeight * filterWidth,
    4 * most.lines,
    4 * most.lines,
    result.array ? 4 * size : 0,
    reads ? 0 : 4 * most.source * pitch,
    readsDy ? 0 : 4 * most.target * channels,
    4 * stagingSize(source, channels, most.source),
  );
  const to = result.array ? sums : 4 * result.start;
  simd.f32.fill(0, to / 4, to / 4 + size);
  for (const strip of strips) {
    const part = inside(source, windowOf(strip, axes));
    const from = reads
      ? cells(regionOf(source, part), pitch)
      : copyWide(simd, source, part, channels, pitch, staging, a);
    const dyFrom = cells(sourceRegion(simd, target, strip, readsDy, c), channels);
    const colGroups = groupsOf(axes.cols, strip.col, strip.cols, part.col, source.width);
    for (const rows of groupsOf(axes.rows, strip.row, strip.rows, part.row, source.height)) {
      for (const cols of colGroups) {
        const span = writeLines(simd.i32, lines, outs, strip.images, rows, cols, from, dyFrom);
        simd.depthwiseFilter({
          lines,
          outs,
          lineCount: span.lineCount,
          count: span.count,
          step: span.step,
          outStep: span.outStep,
          taps,
          tapCount: writeTaps(simd.i32, taps / 4, rows.taps, cols.taps, from, filterWidth, channels),
          channels,
          x: from.address,
          dy: dyFrom.address,
          dFilter: to,
        });
      }
    }
  }
  result.array?.set(simd.f32.subarray(to / 4, to / 4 + size));
}

/** The target in strips. It is a single one, or none for an empty target, where nothing has to be copied. */
function stripsOf(target: Image, axes: Axes, channels: number, isInPlace: boolean): Rectangle[] {
  if (isInPlace) return [wholeOf(target)].filter(positionsIn);
  return planStrips(axes, target.images, [1, 1], (strip) => fitsCache(strip, axes, channels, channels));
}

/** Cells as the micro-kernels read and write them. */
interface Cells extends Region {
  /** In floats: from one cell to the next. */
  readonly pitch: number;
}

function cells({ address, rows, cols }: Region, pitch: number): Cells {
  return { address, rows, cols, pitch };
}

/** In floats: from one cell of the source to the next, where the micro-kernels read it. */
function pitchOf({ channels }: Image, { rows, cols }: Axes, outChannels: number): number {
  const isRead3x3 = [rows, cols].every(({ phases }) => phases.length === 1 && phases[0].length === 3);
  const isCrowded = channels % CROWDED === 0 && isRead3x3 && strideOf(cols) === 1;
  return channels === outChannels && isCrowded ? channels + GAP : outChannels;
}

function mostLines(strips: readonly Rectangle[]): number {
  return strips.reduce((most, { images, rows, cols }) => Math.max(most, images * Math.max(rows, cols)), 0);
}

/** Positions along one axis under the same taps, evenly spaced. */
interface Group {
  /** Those of the positions' phase that lie in the source. */
  readonly taps: readonly Tap[];
  count: number;
  /** The base of the first position, counted from the first row or column of the source's part. It may lie outside. */
  readonly source: number;
  readonly sourceStep: number;
  /** The first position, counted from the first row or column of the strip. */
  readonly target: number;
  readonly targetStep: number;
}

/** The `count` positions from `first` on, by their taps. */
function groupsOf(
  axis: Axis,
  first: number,
  count: number,
  sourceFirst: number,
  sourceSize: number,
): Group[] {
  const groups: Group[] = [];
  const latest: Group[] = []; // of each phase: along the axis, a phase loses or gains taps at its ends, one after the other
  const targetStep = axis.phases.length;
  const sourceStep = axis.base(targetStep) - axis.base(0);
  for (let p = first; p < first + count; p++) {
    const phase = axis.phase(p);
    const base = axis.base(p);
    const taps = axis.phases[phase];
    let [start, end] = [0, taps.length];
    while (start < end && base + taps[start].offset < 0) start++;
    while (end > start && base + taps[end - 1].offset >= sourceSize) end--;
    const known = latest[phase] as Group | undefined;
    if (known && known.taps.length === end - start && known.taps[0] === taps[start]) {
      known.count++;
      continue;
    }
    const [source, target] = [base - sourceFirst, p - first];
    latest[phase] = { taps: taps.slice(start, end), count: 1, source, sourceStep, target, targetStep };
    groups.push(latest[phase]);
  }
  return groups;
}

/** The pixels of a group of rows and a group of columns, in lines along the longer of the two. */
function writeLines(
  i32: Int32Array,
  lines: number,
  outs: number,
  images: number,
  rows: Group,
  cols: Group,
  from: Cells,
  to: Cells,
) {
  const [cell, outCell] = [4 * from.pitch, 4 * to.pitch];
  const alongRows = cols.count < rows.count && cols.count < SHORT_LINE;
  const [across, along] = alongRows ? [cols, rows] : [rows, cols];
  const [step, outStep] = alongRows ? [cell * from.cols, outCell * to.cols] : [cell, outCell];
  const [lineStep, lineOutStep] = alongRows ? [cell, outCell] : [cell * from.cols, outCell * to.cols];
  let at = 0;
  for (let image = 0; image < images; image++) {
    const source = cell * ((image * from.rows + rows.source) * from.cols + cols.source);
    const target = outCell * ((image * to.rows + rows.target) * to.cols + cols.target);
    for (let i = 0; i < across.count; i++, at++) {
      i32[lines / 4 + at] = source + i * across.sourceStep * lineStep;
      i32[outs / 4 + at] = target + i * across.targetStep * lineOutStep;
    }
  }
  return {
    lineCount: at,
    count: along.count,
    step: along.sourceStep * step,
    outStep: along.targetStep * outStep,
  };
}

/** Whether the micro-kernel for 3x3 taps serves: the next pixel of a line is the next column of taps. */
function isRolling(rows: Group, cols: Group, channels: number): boolean {
  const isNext = (tap: Tap, i: number) => tap.offset === cols.taps[0].offset + i * cols.sourceStep;
  const is3x3 = rows.taps.length === 3 && cols.taps.length === 3;
  return is3x3 && channels >= 4 && cols.count >= SHORT_LINE && cols.taps.every(isNext);
}

/** Two entries for each tap: its distance from a pixel's base, and where it lies in the filter. Returns the number of taps. */
function writeTaps(
  i32: Int32Array,
  at: number,
  rows: readonly Tap[],
  cols: readonly Tap[],
  from: Cells,
  filterWidth: number,
  channels: number,
): number {
  for (const row of rows) {
    for (const col of cols) {
      i32[at++] = 4 * from.pitch * (row.offset * from.cols + col.offset);
      i32[at++] = 4 * channels * (row.index * filterWidth + col.index);
    }
  }
  return rows.length * cols.length;
}

/** Whether the micro-kernels can read and write the image where it lies, with `pitch` floats from one cell to the next. */
function isInPlace(image: Image, pitch: number): boolean {
  return liesInMemory(image) && image.channels === pitch;
}

/** In floats: what `copyWide` and `copyNarrow` need for so many cells. */
function stagingSize(image: Image, channels: number, cells: number): number {
  return image.channels === channels ? 0 : cells * image.channels;
}

/**
 * Copies a part of the image to `to`, with `channels` channels: those of the image are repeated, each beside itself. With a multiplier
 * the pitch is `channels`.
 */
function copyWide(
  simd: Simd,
  image: Image,
  part: Rectangle,
  channels: number,
  pitch: number,
  staging: number,
  to: number,
): Cells {
  if (image.channels === channels) return cells(copyIn(simd, to, image, part, 0, pitch), pitch);
  const region = copyIn(simd, staging, image, part);
  const { f32 } = simd;
  const multiplier = channels / image.channels;
  const start = staging / 4;
  const end = start + positionsIn(part) * image.channels;
  for (let i = start, j = to / 4; i < end; i++) {
    const value = f32[i];
    for (const last = j + multiplier; j < last; j++) f32[j] = value;
  }
  return cells({ ...region, address: to }, channels);
}

/** Copies a strip to the image. It has as many channels: those that lie side by side for one of the image's channels are added up. */
function copyNarrow(
  simd: Simd,
  from: Region,
  image: Image,
  strip: Rectangle,
  channels: number,
  staging: number,
): void {
  if (image.channels === channels) return copyOut(simd, from, image, strip);
  const { f32 } = simd;
  const multiplier = channels / image.channels;
  const start = staging / 4;
  const end = start + positionsIn(strip) * image.channels;
  for (let i = start, j = from.address / 4; i < end; i++) {
    let sum = 0;
    for (const last = j + multiplier; j < last; j++) sum += f32[j];
    f32[i] = sum;
  }
  copyOut(simd, { ...from, address: staging }, image, strip);
}

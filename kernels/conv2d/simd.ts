/**
 * 2-D convolution and its gradients by WebAssembly SIMD, in float32: the fast path.
 *
 *   forward  y[p]         = sum over taps of x[the tap's cell at p, :] * filter[tap]
 *   input    dx[p]        = sum over the taps that reach p of dy[their pixel, :] * transpose(filter[tap])
 *   filter   dFilter[tap] = sum over pixels of transpose(x[the tap's cell at p, :]) * dy[p, :]
 *
 * Same shapes and same signatures as definition.ts, for Float32Array. A strip of the source is copied into WebAssembly
 * memory with its padding around it, so that the micro-kernels (../simd/assembly) read every tap of every pixel where
 * it lies, without bounds checks and without gathering; the result is copied out while it is in the cache. Memory
 * holds one strip and the filter, whatever the size of batch and image. For dx with a stride, positions fall into
 * stride x stride phases that different taps reach: no zeros are inserted.
 *
 * A filter value of Infinity or NaN over padding is multiplied by 0 there and gives NaN (docs/deviations.md, row 14).
 */
import type { ConvGeometry } from '../geometry.js';
import { MR, NR, type Simd } from '../simd/runtime.js';
import {
  type Axis,
  backwardAxis,
  copyIn,
  copyOut,
  forwardAxis,
  identityAxis,
  type Image,
  planStrips,
  positionsIn,
  reach,
  type Rectangle,
  type Tap,
  windowOf,
} from '../simd/strips.js';

/** What the store does on its way: min(max(sum + bias, lowest), highest). */
export interface Epilogue {
  /** [outChannels]; none adds 0. */
  readonly bias?: Float32Array;
  readonly lowest: number;
  readonly highest: number;
}

const PLAIN: Epilogue = { lowest: -Infinity, highest: Infinity };

/** Floats of a strip: its source and its result fit a second-level cache beside the filter's panels. */
const STRIP_SIZE = 1 << 16;

/** y = conv2d(x, filter), through the epilogue. Every cell of y is written. */
export function conv2d(
  simd: Simd,
  x: Float32Array,
  filter: Float32Array,
  g: ConvGeometry,
  y: Float32Array,
  epilogue: Epilogue = PLAIN,
): void {
  const { rows, cols } = forwardAxes(g);
  for (let group = 0; group < g.groups; group++) {
    const [source, target] = [inputImage(x, g, group), outputImage(y, g, group)];
    correlate(simd, source, target, rows, cols, g.batchSize, groupFilter(filter, g, group, false), {
      ...epilogue,
      bias: epilogue.bias?.subarray(target.channel, target.channel + target.channels),
    });
  }
}

/** dx = sum over all y of dy * d y / d x. Every cell of dx is written. */
export function conv2dBackpropInput(
  simd: Simd,
  dy: Float32Array,
  filter: Float32Array,
  g: ConvGeometry,
  dx: Float32Array,
): void {
  const rows = backwardAxis(g.inHeight, g.filterHeight, g.strideHeight, g.dilationHeight, g.padTop);
  const cols = backwardAxis(g.inWidth, g.filterWidth, g.strideWidth, g.dilationWidth, g.padLeft);
  for (let group = 0; group < g.groups; group++) {
    const [source, target] = [outputImage(dy, g, group), inputImage(dx, g, group)];
    correlate(simd, source, target, rows, cols, g.batchSize, groupFilter(filter, g, group, true), PLAIN);
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
  const [inPerGroup, outPerGroup] = [g.inChannels / g.groups, g.outChannels / g.groups];
  const { rows, cols } = forwardAxes(g);
  const [dyRows, dyCols] = [identityAxis(g.outHeight), identityAxis(g.outWidth)];
  const taps = g.filterHeight * g.filterWidth * inPerGroup;
  const tapCount = roundUp(taps, MR);
  const width = roundUp(outPerGroup, NR);
  const strips = planStrips(rows, cols, g.batchSize, inPerGroup, width, STRIP_SIZE);
  const most = largest(strips, rows, cols);
  const [tapsAt, rowsAt, a, dense, panels, sums] = simd.place(
    4 * tapCount,
    4 * most.rows,
    4 * most.source * inPerGroup,
    4 * most.target * outPerGroup,
    4 * most.target * width,
    4 * tapCount * width,
  );
  for (let group = 0; group < g.groups; group++) {
    const [source, target] = [inputImage(x, g, group), outputImage(dy, g, group)];
    simd.f32.fill(0, sums / 4, sums / 4 + tapCount * width);
    for (const strip of strips) {
      const window = windowOf(strip, rows, cols);
      copyIn(simd.f32, a / 4, source, window);
      copyIn(simd.f32, dense / 4, target, windowOf(strip, dyRows, dyCols));
      const pixels = positionsIn(strip);
      simd.pack(dense, 4 * outPerGroup, 4, pixels, outPerGroup, panels, 4 * NR * pixels);
      writeFilterOffsets(simd.i32, tapsAt / 4, tapCount, rows, cols, inPerGroup, window);
      writeRowOffsets(simd.i32, rowsAt / 4, strip, rows, inPerGroup, window);
      simd.accumulate(
        tapsAt,
        tapCount,
        rowsAt,
        strip.images * strip.rows,
        strip.cols,
        4 * g.strideWidth * inPerGroup,
        a,
        panels,
        width / NR,
        sums,
        4 * width,
      );
    }
    if (width !== outPerGroup) simd.compact(sums, taps, 4 * outPerGroup, 4 * width);
    const result: Image = {
      values: dFilter,
      steps: { batch: 0, row: 0, col: g.outChannels, channel: 1 },
      height: 1,
      width: taps,
      channel: group * outPerGroup,
      channels: outPerGroup,
    };
    copyOut(simd.f32, sums / 4, taps, result, { image: 0, images: 1, row: 0, rows: 1, col: 0, cols: taps });
  }
}

/** One group's part of the filter, read as the matrix [source channels, target channels] of each tap. */
interface GroupFilter {
  readonly values: Float32Array;
  readonly filterWidth: number;
  /** Values from one tap's matrix to the next. */
  readonly tapSize: number;
  /** Where the group's part starts in a tap's matrix, and how to step through it, in values. */
  readonly start: number;
  readonly rowStep: number;
  readonly colStep: number;
}

/**
 * target[p] = sum over taps of source[base(p) + offset of the tap] * filter[tap], through the epilogue, strip by strip
 * and phase by phase.
 */
function correlate(
  simd: Simd,
  source: Image,
  target: Image,
  rows: Axis,
  cols: Axis,
  batchSize: number,
  filter: GroupFilter,
  epilogue: Epilogue,
): void {
  const width = roundUp(target.channels, NR);
  const strips = planStrips(rows, cols, batchSize, source.channels, width, STRIP_SIZE);
  const phases = phasesOf(rows, cols);
  const tapCount = phases.reduce((sum, { taps }) => sum + taps.length, 0);
  const most = largest(strips, rows, cols);
  const tableSize = most.target + MR * phases.length;
  const [staging, panels, bias, segments, pixels, outs, a, c] = simd.place(
    4 * filter.tapSize,
    4 * tapCount * source.channels * width,
    4 * width,
    4 * tapCount,
    4 * tableSize,
    4 * tableSize,
    4 * most.source * source.channels,
    4 * (most.target + 1) * width,
  );
  simd.f32.fill(0, bias / 4, bias / 4 + width);
  if (epilogue.bias) simd.f32.set(epilogue.bias, bias / 4);
  packFilter(simd, filter, phases, source.channels, target.channels, staging, panels);

  let tiles: Tiles[] = [];
  let tiled: Rectangle | undefined;
  for (const strip of strips) {
    const window = windowOf(strip, rows, cols);
    copyIn(simd.f32, a / 4, source, window);
    if (!tiled || !alike(tiled, strip, rows, cols)) {
      writeSegments(simd.i32, segments / 4, phases, rows, cols, source.channels, window);
      tiles = writeTiles(simd.i32, pixels / 4, outs / 4, phases, rows, cols, strip, window, source.channels, width);
      tiled = strip;
    }
    phases.forEach(({ firstTap, taps, run }, i) => {
      simd.multiply(
        4 * tiles[i].pixels,
        4 * tiles[i].outs,
        tiles[i].count,
        segments + 4 * firstTap,
        taps.length / run,
        run * source.channels,
        a,
        panels + 4 * firstTap * source.channels * width,
        width / NR,
        bias,
        c,
        epilogue.lowest !== -Infinity || epilogue.highest !== Infinity,
        epilogue.lowest,
        epilogue.highest,
      );
    });
    const positions = positionsIn(strip);
    if (width !== target.channels) simd.compact(c, positions, 4 * target.channels, 4 * width);
    copyOut(simd.f32, c / 4, strip.cols, target, strip);
  }
}

/** Positions that the same taps reach. */
interface Phase {
  readonly row: number;
  readonly col: number;
  /** In the order of the panels: ascending rows, then columns. */
  readonly taps: readonly { readonly row: Tap; readonly col: Tap }[];
  /** How many taps of a row lie side by side in the source, so that one segment holds them. */
  readonly run: number;
  /** Taps of all phases before. */
  readonly firstTap: number;
}

function phasesOf(rows: Axis, cols: Axis): Phase[] {
  const phases: Phase[] = [];
  let firstTap = 0;
  rows.phases.forEach((rowTaps, row) =>
    cols.phases.forEach((colTaps, col) => {
      const taps = rowTaps.flatMap((r) => colTaps.map((c) => ({ row: r, col: c })));
      const adjacent = colTaps.every((tap, i) => tap.offset === colTaps[0].offset + i);
      phases.push({ row, col, taps, run: adjacent ? Math.max(1, colTaps.length) : 1, firstTap });
      firstTap += taps.length;
    }),
  );
  return phases;
}

/** Panels of each phase, one phase behind the other: [target channels / NR][taps of the phase][source channels][NR]. */
function packFilter(
  simd: Simd,
  filter: GroupFilter,
  phases: readonly Phase[],
  depth: number,
  targetChannels: number,
  staging: number,
  panels: number,
): void {
  const { values, filterWidth, tapSize, start, rowStep, colStep } = filter;
  let to = panels;
  for (const { taps } of phases) {
    const panelStep = 4 * NR * depth * taps.length;
    taps.forEach(({ row, col }, i) => {
      const tap = row.index * filterWidth + col.index;
      simd.f32.set(values.subarray(tap * tapSize, (tap + 1) * tapSize), staging / 4);
      const src = staging + 4 * start;
      simd.pack(src, 4 * rowStep, 4 * colStep, depth, targetChannels, to + 4 * NR * depth * i, panelStep);
    });
    to += panelStep * Math.ceil(targetChannels / NR);
  }
}

/** Where, from its pixel's first cell, each segment of each phase starts: at[firstTap of the phase + segment]. */
function writeSegments(
  i32: Int32Array,
  at: number,
  phases: readonly Phase[],
  rows: Axis,
  cols: Axis,
  channels: number,
  window: Rectangle,
): void {
  for (const { taps, run, firstTap } of phases) {
    for (let i = 0; i < taps.length; i += run) {
      i32[at + firstTap + i / run] = 4 * channels * tapOffset(taps[i], rows, cols, window);
    }
  }
}

/** Cells of the window from a pixel's first cell to the tap's. */
function tapOffset({ row, col }: { row: Tap; col: Tap }, rows: Axis, cols: Axis, window: Rectangle): number {
  return (row.offset - reach(rows)[0]) * window.cols + col.offset - reach(cols)[0];
}

/** A phase's positions in a strip: indexes of its tables of `count` source and target addresses. */
interface Tiles {
  readonly pixels: number;
  readonly outs: number;
  readonly count: number;
}

/** Superfluous positions of a last tile read what the last one reads, and write past the strip. */
function writeTiles(
  i32: Int32Array,
  pixels: number,
  outs: number,
  phases: readonly Phase[],
  rows: Axis,
  cols: Axis,
  strip: Rectangle,
  window: Rectangle,
  channels: number,
  width: number,
): Tiles[] {
  const firstRow = rows.base(strip.row);
  const firstCol = cols.base(strip.col);
  return phases.map((phase) => {
    const stripRows = ofPhase(rows, phase.row, strip.row, strip.rows);
    const stripCols = ofPhase(cols, phase.col, strip.col, strip.cols);
    const colBases = stripCols.map((col) => cols.base(col) - firstCol);
    const [firstPixel, firstOut] = [pixels, outs];
    for (let b = 0; b < strip.images; b++) {
      for (const row of stripRows) {
        const from = (b * window.rows + rows.base(row) - firstRow) * window.cols;
        const to = (b * strip.rows + row - strip.row) * strip.cols - strip.col;
        for (let i = 0; i < stripCols.length; i++) {
          i32[pixels++] = 4 * channels * (from + colBases[i]);
          i32[outs++] = 4 * width * (to + stripCols[i]);
        }
      }
    }
    const count = roundUp(pixels - firstPixel, MR);
    while (pixels < firstPixel + count) {
      i32[pixels] = i32[pixels - 1];
      i32[outs++] = 4 * width * positionsIn(strip);
      pixels++;
    }
    return { pixels: firstPixel, outs: firstOut, count };
  });
}

function ofPhase(axis: Axis, phase: number, first: number, count: number): number[] {
  const positions: number[] = [];
  for (let p = first; p < first + count; p++) {
    if (axis.phase(p) === phase) positions.push(p);
  }
  return positions;
}

/** Whether two strips have the same tables. */
function alike(a: Rectangle, b: Rectangle, rows: Axis, cols: Axis): boolean {
  return (
    a.images === b.images &&
    a.rows === b.rows &&
    a.cols === b.cols &&
    rows.phase(a.row) === rows.phase(b.row) &&
    cols.phase(a.col) === cols.phase(b.col)
  );
}

/** at[k]: where, from a pixel's first cell, the value lies that filter cell k = [row, col, channel] meets. */
function writeFilterOffsets(
  i32: Int32Array,
  at: number,
  tapCount: number,
  rows: Axis,
  cols: Axis,
  channels: number,
  window: Rectangle,
): void {
  const end = at + tapCount;
  for (const row of rows.phases[0]) {
    for (const col of cols.phases[0]) {
      const cell = tapOffset({ row, col }, rows, cols, window) * channels;
      for (let c = 0; c < channels; c++) i32[at++] = 4 * (cell + c);
    }
  }
  i32.fill(0, at, end);
}

/** at[r]: where the first cell of the strip's row r lies in the window. */
function writeRowOffsets(
  i32: Int32Array,
  at: number,
  strip: Rectangle,
  rows: Axis,
  channels: number,
  window: Rectangle,
): void {
  for (let b = 0; b < strip.images; b++) {
    for (let row = 0; row < strip.rows; row++) {
      const cells = (b * window.rows + rows.base(row)) * window.cols;
      i32[at++] = 4 * channels * cells;
    }
  }
}

/** Cells of the largest window and of the largest strip, and the most rows of any strip. */
function largest(strips: readonly Rectangle[], rows: Axis, cols: Axis) {
  const most = { source: 0, target: 0, rows: 0 };
  for (const strip of strips) {
    most.source = Math.max(most.source, positionsIn(windowOf(strip, rows, cols)));
    most.target = Math.max(most.target, positionsIn(strip));
    most.rows = Math.max(most.rows, strip.images * strip.rows);
  }
  return most;
}

function forwardAxes(g: ConvGeometry): { rows: Axis; cols: Axis } {
  return {
    rows: forwardAxis(g.outHeight, g.filterHeight, g.strideHeight, g.dilationHeight, g.padTop),
    cols: forwardAxis(g.outWidth, g.filterWidth, g.strideWidth, g.dilationWidth, g.padLeft),
  };
}

/** The group's channels of x, or of dx. */
function inputImage(values: Float32Array, g: ConvGeometry, group: number): Image {
  const channels = g.inChannels / g.groups;
  return { values, steps: g.x, height: g.inHeight, width: g.inWidth, channel: group * channels, channels };
}

/** The group's channels of y, or of dy. */
function outputImage(values: Float32Array, g: ConvGeometry, group: number): Image {
  const channels = g.outChannels / g.groups;
  return { values, steps: g.y, height: g.outHeight, width: g.outWidth, channel: group * channels, channels };
}

function groupFilter(
  values: Float32Array,
  g: ConvGeometry,
  group: number,
  transposed: boolean,
): GroupFilter {
  return {
    values,
    filterWidth: g.filterWidth,
    tapSize: (g.inChannels / g.groups) * g.outChannels,
    start: (group * g.outChannels) / g.groups,
    rowStep: transposed ? 1 : g.outChannels,
    colStep: transposed ? g.outChannels : 1,
  };
}

function roundUp(n: number, multiple: number): number {
  return Math.ceil(n / multiple) * multiple;
}

/**
 * The product behind the forward pass and behind the gradient of the input, in WebAssembly:
 *
 *   target[p] = min(max(bias + sum over taps of source[base(p) + offset of the tap] * filter[tap], lowest), highest)
 *
 * source: [batch, height, width, source channels], filter: for each tap a matrix [source channels, target channels],
 * target: [batch, height, width, target channels]; all of one group.
 */
import { MR, NR, type Simd } from '../simd/runtime.js';
import {
  type Axes,
  type Axis,
  copyIn,
  copyOut,
  fitsCache,
  type Image,
  largest,
  planStrips,
  positionsIn,
  type Rectangle,
  type Tap,
  windowOf,
} from '../simd/strips.js';

/** What the store does on its way: min(max(sum + bias, lowest), highest). */
export interface Epilogue {
  /** [target channels]; none adds 0. */
  readonly bias?: Float32Array;
  readonly lowest: number;
  readonly highest: number;
}

/** One group's part of the filter, read as the matrix [source channels, target channels] of each tap. */
export interface GroupFilter {
  readonly values: Float32Array;
  readonly filterWidth: number;
  /** Values of one tap, all groups'. */
  readonly tapSize: number;
  /** Where the group's part starts in a tap, and how to step through it, in values. */
  readonly start: number;
  readonly rowStep: number;
  readonly colStep: number;
}

/** Every cell of the target is written, strip by strip; each strip phase by phase. */
export function correlate(
  simd: Simd,
  source: Image,
  target: Image,
  axes: Axes,
  filter: GroupFilter,
  epilogue: Epilogue,
): void {
  const width = roundUp(target.channels, NR);
  const phases = phasesOf(axes);
  const units = [axes.rows.phases.length, axes.cols.phases.length] as const;
  const strips = planStrips(axes, target.images, units, (strip) =>
    fitsCache(strip, axes, source.channels, width),
  );
  const most = largest(strips, axes);
  const tapCount = phases.reduce((sum, { taps }) => sum + taps.length, 0);
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
  writeBias(simd, bias, width, epilogue);
  for (const { taps, firstTap } of phases) {
    const to = panels + 4 * firstTap * source.channels * width;
    const tapStep = 4 * NR * source.channels;
    packTaps(
      simd,
      filter,
      taps,
      source.channels,
      target.channels,
      staging,
      to,
      tapStep,
      tapStep * taps.length,
    );
  }

  let counts: number[] = [];
  let tiled: Rectangle | undefined;
  for (const strip of strips) {
    const window = windowOf(strip, axes);
    copyIn(simd.f32, a / 4, source, window);
    if (!tiled || !alike(tiled, strip)) {
      writeSegments(simd.i32, segments / 4, phases, axes, window, 4 * source.channels);
      const steps = { source: 4 * source.channels, target: 4 * width };
      counts = writeTiles(simd.i32, pixels / 4, outs / 4, phases, axes, strip, window, steps);
      tiled = strip;
    }
    let tile = 0;
    phases.forEach(({ taps, firstTap, run }, i) => {
      simd.multiply(
        pixels + tile,
        outs + tile,
        counts[i],
        segments + 4 * firstTap,
        taps.length / run,
        run * source.channels,
        a,
        panels + 4 * firstTap * source.channels * width,
        width / NR,
        bias,
        c,
        isClamped(epilogue),
        epilogue.lowest,
        epilogue.highest,
      );
      tile += 4 * counts[i];
    });
    if (width !== target.channels) simd.compact(c, positionsIn(strip), 4 * target.channels, 4 * width);
    copyOut(simd.f32, c / 4, strip, target, strip);
  }
}

interface TapPair {
  readonly row: Tap;
  readonly col: Tap;
}

/** Positions that the same taps reach. */
interface Phase {
  readonly row: number;
  readonly col: number;
  /** In the order of the panels: ascending rows, then columns. */
  readonly taps: readonly TapPair[];
  /** How many taps of a row lie side by side in the source, so that one segment holds them. */
  readonly run: number;
  /** Taps of all phases before. */
  readonly firstTap: number;
}

function phasesOf({ rows, cols }: Axes): Phase[] {
  const phases: Phase[] = [];
  let firstTap = 0;
  rows.phases.forEach((rowTaps, row) =>
    cols.phases.forEach((colTaps, col) => {
      const taps = pairs(rowTaps, colTaps);
      const adjacent = colTaps.every(({ offset }, i) => offset === colTaps[0].offset + i);
      phases.push({ row, col, taps, run: adjacent ? Math.max(1, colTaps.length) : 1, firstTap });
      firstTap += taps.length;
    }),
  );
  return phases;
}

export function pairs(rowTaps: readonly Tap[], colTaps: readonly Tap[]): TapPair[] {
  return rowTaps.flatMap((row) => colTaps.map((col) => ({ row, col })));
}

/**
 * The taps' matrices in panels of target channels: [target channels / NR][taps][depth][NR], the cell of tap i, panel n
 * at to + i * tapStep + n * panelStep bytes. Staging holds one tap of all groups.
 */
export function packTaps(
  simd: Simd,
  { values, filterWidth, tapSize, start, rowStep, colStep }: GroupFilter,
  taps: readonly TapPair[],
  depth: number,
  targetChannels: number,
  staging: number,
  to: number,
  tapStep: number,
  panelStep: number,
): void {
  taps.forEach(({ row, col }, i) => {
    const tap = row.index * filterWidth + col.index;
    simd.f32.set(values.subarray(tap * tapSize, (tap + 1) * tapSize), staging / 4);
    const matrix = staging + 4 * start;
    simd.pack(matrix, 4 * rowStep, 4 * colStep, depth, targetChannels, to + i * tapStep, panelStep);
  });
}

export function writeBias({ f32 }: Simd, at: number, width: number, { bias }: Epilogue): void {
  f32.fill(0, at / 4, at / 4 + width);
  if (bias) f32.set(bias, at / 4);
}

function isClamped({ lowest, highest }: Epilogue): boolean {
  return lowest !== -Infinity || highest !== Infinity;
}

/** Where, from its pixel's first cell, each segment of each phase starts: at[firstTap of the phase + segment]. */
function writeSegments(
  i32: Int32Array,
  at: number,
  phases: readonly Phase[],
  axes: Axes,
  window: Rectangle,
  step: number,
): void {
  for (const { taps, run, firstTap } of phases) {
    for (let i = 0; i < taps.length; i += run) {
      i32[at + firstTap + i / run] = step * tapOffset(taps[i], axes, window);
    }
  }
}

/** Cells of the window from a pixel's first cell to the tap's. */
export function tapOffset({ row, col }: TapPair, { rows, cols }: Axes, window: Rectangle): number {
  return (row.offset - rows.lowest) * window.cols + col.offset - cols.lowest;
}

/**
 * Where each position of the strip reads, its pixel's first cell in the window, and where it is written in the strip;
 * phase after phase. Each is filled up to whole tiles by positions that read what the last one reads and write past
 * the strip.
 * @returns the number of positions of each phase
 */
function writeTiles(
  i32: Int32Array,
  pixels: number,
  outs: number,
  phases: readonly Phase[],
  { rows, cols }: Axes,
  strip: Rectangle,
  window: Rectangle,
  step: { readonly source: number; readonly target: number },
): number[] {
  const firstRow = rows.base(strip.row);
  const firstCol = cols.base(strip.col);
  return phases.map((phase) => {
    const stripRows = ofPhase(rows, phase.row, strip.row, strip.rows);
    const stripCols = ofPhase(cols, phase.col, strip.col, strip.cols);
    const colBases = stripCols.map((col) => cols.base(col) - firstCol);
    const first = pixels;
    for (let b = 0; b < strip.images; b++) {
      for (const row of stripRows) {
        const from = (b * window.rows + rows.base(row) - firstRow) * window.cols;
        const to = (b * strip.rows + row - strip.row) * strip.cols - strip.col;
        for (let i = 0; i < stripCols.length; i++) {
          i32[pixels++] = step.source * (from + colBases[i]);
          i32[outs++] = step.target * (to + stripCols[i]);
        }
      }
    }
    const count = roundUp(pixels - first, MR);
    for (; pixels < first + count; pixels++, outs++) {
      i32[pixels] = i32[pixels - 1];
      i32[outs] = step.target * positionsIn(strip);
    }
    return count;
  });
}

function ofPhase(axis: Axis, phase: number, first: number, count: number): number[] {
  const positions: number[] = [];
  for (let p = first; p < first + count; p++) {
    if (axis.phase(p) === phase) positions.push(p);
  }
  return positions;
}

/** Whether two strips have the same tables: each starts at a multiple of the number of phases, so in the same phase. */
function alike(a: Rectangle, b: Rectangle): boolean {
  return a.images === b.images && a.rows === b.rows && a.cols === b.cols;
}

export function roundUp(n: number, multiple: number): number {
  return Math.ceil(n / multiple) * multiple;
}

/**
 * The product that computes the forward pass and the gradient of the input, in WebAssembly:
 *
 *   target[p] = min(max(bias + sum over taps of source[base(p) + offset of the tap] * filter[tap], lowest), highest)
 *
 * source: [batch, height, width, source channels], filter: for each tap a matrix [source channels, target channels],
 * target: [batch, height, width, target channels]. All of them belong to one group.
 */
import { type Epilogue, isClamped, writeBias } from '../../runtime/simd/epilogue.js';
import { type Data, MR, NR, roundUp, type Simd } from '../../runtime/simd/instance.js';
import {
  type Axes,
  type Axis,
  copyOut,
  fitsCache,
  type Grid,
  type Image,
  isReadInPlace,
  largest,
  liesInMemory,
  planStrips,
  positionsIn,
  type Rectangle,
  sourceRegion,
  type Tap,
  targetRegion,
  windowOf,
} from '../../runtime/simd/strips.js';

/** One group's part of the filter, as a matrix [source channels, target channels] for each tap. */
export interface GroupFilter {
  readonly data: Data;
  readonly filterWidth: number;
  /** The number of values of one tap, of all groups. */
  readonly tapSize: number;
  /** Where the group's part starts in a tap, and its steps, in values. */
  readonly start: number;
  readonly rowStep: number;
  readonly colStep: number;
}

/** Up to this many target channels, `dot` is faster than `multiply`. */
const FEW = 5;

/** Writes every cell of the target: strip by strip, and each strip phase by phase. */
export function correlate(
  simd: Simd,
  source: Image,
  target: Image,
  axes: Axes,
  filter: GroupFilter,
  epilogue: Epilogue,
): void {
  const few = target.channels <= FEW && source.channels % 4 === 0;
  const width = few ? target.channels : roundUp(target.channels, NR);
  const phases = phasesOf(axes, source.channels);
  const units = [axes.rows.phases.length, axes.cols.phases.length] as const;
  const strips = planStrips(axes, target.images, units, (strip) =>
    fitsCache(strip, axes, source.channels, width),
  );
  const most = largest(strips, axes);
  const blocks = phases.flatMap((phase) => phase.blocks);
  const last = blocks[blocks.length - 1];
  // A single strip needs the panels of only one block at a time.
  const kept = strips.length > 1;
  const panelDepth = kept ? last.firstRow + last.depth : Math.max(...blocks.map(({ depth }) => depth));
  const tableSize = most.target + MR * phases.length;
  const reads = isReadInPlace(source, axes);
  const writes = liesInMemory(target) && width === target.channels;
  const [staging, panels, bias, segments, pixels, outs, a, c] = simd.place(
    few ? 0 : 4 * stagingSize(filter),
    4 * panelDepth * width,
    4 * width,
    4 * (last.firstSegment + segmentCount(last)),
    4 * tableSize,
    4 * tableSize,
    reads ? 0 : 4 * most.source * source.channels,
    writes ? 0 : 4 * most.target * width,
  );
  writeBias(simd, bias, target.channels, width, epilogue);
  const { lowest, highest } = epilogue;
  const product = few ? simd.dot : simd.multiply;

  let counts: number[] = [];
  let tiled: Rectangle | undefined;
  for (const strip of strips) {
    const window = windowOf(strip, axes);
    const from = sourceRegion(simd, source, window, reads, a);
    const to = targetRegion(target, strip, writes, c);
    if (!tiled || !alike(tiled, strip)) {
      writeSegments(simd.i32, segments / 4, phases, axes, from, source.channels);
      const steps = { source: 4 * source.channels, target: 4 * width };
      counts = writeTiles(simd.i32, pixels / 4, outs / 4, phases, axes, strip, from, to, steps);
      tiled = strip;
    }
    let tile = 0;
    phases.forEach(({ taps, blocks }, i) => {
      for (const block of blocks) {
        const at = panels + (kept ? 4 * block.firstRow * width : 0);
        if (strip === strips[0]) {
          if (few) packFew(simd, filter, taps, block, source.channels, target.channels, at);
          else packBlock(simd, filter, taps, block, source.channels, target.channels, staging, at);
        }
        const isLast = block === blocks[blocks.length - 1];
        product({
          pixels: pixels + tile,
          outs: outs + tile,
          pixelCount: counts[i],
          segments: segments + 4 * block.firstSegment,
          segmentCount: segmentCount(block),
          segmentLength: block.segmentLength,
          step: 4,
          a: from.address,
          panels: at,
          panelCount: few ? width : width / NR,
          bias,
          c: to.address,
          continued: block !== blocks[0],
          clamped: isLast && isClamped(epilogue),
          lowest,
          highest,
        });
      }
      tile += 4 * counts[i];
    });
    if (width !== target.channels) {
      simd.compact({ at: c, rows: positionsIn(strip), length: 4 * target.channels, step: 4 * width });
    }
    if (!writes) copyOut(simd, to, target, strip);
  }
}

export interface TapPair {
  readonly row: Tap;
  readonly col: Tap;
}

/** The positions that the same taps reach. */
interface Phase {
  readonly row: number;
  readonly col: number;
  /** In the order of the rows of the filter's matrix: by rows, then by columns, both ascending. */
  readonly taps: readonly TapPair[];
  readonly blocks: readonly Block[];
}

/** Some rows of a phase's filter matrix [taps * source channels, target channels], which are multiplied in one call. */
interface Block {
  readonly start: number;
  readonly depth: number;
  /** The number of rows whose values lie side by side in the source. */
  readonly segmentLength: number;
  /** The number of rows, and of segments, in all blocks before this one. */
  readonly firstRow: number;
  readonly firstSegment: number;
}

/** The number of a panel's rows that stay in the first-level cache, beside four pixels' values, while all pixels meet them. */
const BLOCK_DEPTH = 512;

function phasesOf({ rows, cols }: Axes, channels: number): Phase[] {
  const phases: Phase[] = [];
  let [firstRow, firstSegment] = [0, 0];
  rows.phases.forEach((rowTaps, row) =>
    cols.phases.forEach((colTaps, col) => {
      const taps = pairs(rowTaps, colTaps);
      const adjacent = colTaps.every(({ offset }, i) => offset === colTaps[0].offset + i);
      const runLength = (adjacent ? Math.max(1, colTaps.length) : 1) * channels;
      const blocks = partsOf(taps.length * channels, runLength).map(([start, depth, segmentLength]) => {
        const block = { start, depth, segmentLength, firstRow, firstSegment };
        firstRow += depth;
        firstSegment += segmentCount(block);
        return block;
      });
      phases.push({ row, col, taps, blocks });
    }),
  );
  return phases;
}

/** The start, depth and segment length of a block. */
export type Part = readonly [number, number, number];

/** Cuts `rows` rows, which come in runs of runLength, into blocks. A block is a part of a run, or some whole runs. */
export function partsOf(rows: number, runLength: number): Part[] {
  const parts: Part[] = [];
  if (runLength > BLOCK_DEPTH) {
    const length = roundUp(runLength / Math.ceil(runLength / BLOCK_DEPTH), 4);
    for (let run = 0; run < rows; run += runLength) {
      for (let start = 0; start < runLength; start += length) {
        const depth = Math.min(length, runLength - start);
        parts.push([run + start, depth, depth]);
      }
    }
  } else {
    const runs = rows / runLength;
    const together = Math.ceil(runs / Math.ceil(runs / Math.floor(BLOCK_DEPTH / runLength)));
    for (let run = 0; run < runs; run += together) {
      parts.push([run * runLength, Math.min(together, runs - run) * runLength, runLength]);
    }
  }
  return parts.length ? parts : [[0, 0, 1]];
}

function segmentCount({ depth, segmentLength }: Pick<Block, 'depth' | 'segmentLength'>): number {
  return depth / segmentLength;
}

export function pairs(rowTaps: readonly Tap[], colTaps: readonly Tap[]): TapPair[] {
  const taps: TapPair[] = [];
  for (const row of rowTaps) {
    for (const col of colTaps) taps.push({ row, col });
  }
  return taps;
}

/** The number of a filter's floats that are copied into WebAssembly memory and packed there at a time. */
const STAGED = 1 << 13;

/** The number of floats that `packTap` needs at `staging`. */
export function stagingSize({ data, rowStep, colStep }: GroupFilter): number {
  return data.array ? Math.min(data.array.length, STAGED + NR * Math.max(rowStep, colStep)) : 0;
}

/** Where the tap's matrix [source channels, target channels] starts in the filter's array. */
function startOf({ data, filterWidth, tapSize, start }: GroupFilter, { row, col }: TapPair): number {
  return data.start + (row.index * filterWidth + col.index) * tapSize + start;
}

/** Packs rows of a tap's matrix [source channels, target channels], and of taps that follow it, into panels. They start at `to` and lie panelStep bytes apart. */
function packTap(
  simd: Simd,
  filter: GroupFilter,
  tap: TapPair,
  firstRow: number,
  rows: number,
  columns: number,
  staging: number,
  to: number,
  panelStep: number,
): void {
  const { data, rowStep, colStep } = filter;
  const first = startOf(filter, tap) + firstRow * rowStep;
  const steps = { rowStep: 4 * rowStep, colStep: 4 * colStep };
  if (!data.array) {
    simd.pack({ src: 4 * first, ...steps, rows, cols: columns, to, panelStep });
    return;
  }
  const { array } = data;
  const part = (from: number, length: number) =>
    simd.f32.set(array.subarray(from, from + length), staging / 4);
  if (colStep === 1) {
    const together = Math.ceil(STAGED / rowStep);
    for (let r = 0; r < rows; r += together) {
      const count = Math.min(together, rows - r);
      part(first + r * rowStep, (count - 1) * rowStep + columns);
      const panel = to + 4 * NR * r;
      simd.pack({ src: staging, ...steps, rows: count, cols: columns, to: panel, panelStep });
    }
  } else {
    const together = roundUp(STAGED / colStep, NR);
    for (let c = 0; c < columns; c += together) {
      const count = Math.min(together, columns - c);
      part(first + c * colStep, (count - 1) * colStep + rows);
      const panel = to + (c / NR) * panelStep;
      simd.pack({ src: staging, ...steps, rows, cols: count, to: panel, panelStep });
    }
  }
}

/** Packs the block's rows into panels of target channels at `to`: [target channels / NR][depth][NR]. Rows without a tap are 0. */
export function packBlock(
  simd: Simd,
  filter: GroupFilter,
  taps: readonly (TapPair | undefined)[],
  { start, depth }: Pick<Block, 'start' | 'depth'>,
  channels: number,
  targetChannels: number,
  staging: number,
  to: number,
): void {
  const end = start + depth;
  for (let row = start; row < end;) {
    const tap = Math.floor(row / channels);
    const first = row - tap * channels;
    let last = tap;
    while ((last + 1) * channels < end && areAdjacent(filter, channels, taps[last], taps[last + 1])) last++;
    const rows = Math.min((last + 1) * channels, end) - row;
    const panel = to + 4 * NR * (row - start);
    const pair = taps[tap];
    if (pair) packTap(simd, filter, pair, first, rows, targetChannels, staging, panel, 4 * NR * depth);
    else clearRows(simd, panel, rows, targetChannels, 4 * NR * depth);
    row += rows;
  }
}

/** Whether the rows of the second tap's matrix follow those of the first one. */
function areAdjacent(filter: GroupFilter, channels: number, tap?: TapPair, next?: TapPair): boolean {
  const { tapSize, rowStep } = filter;
  if (!tap || !next || tapSize !== channels * rowStep) return false;
  return startOf(filter, next) === startOf(filter, tap) + tapSize;
}

/** Packs the block's rows for `dot`: [target channels][depth]. */
function packFew(
  { f32 }: Simd,
  filter: GroupFilter,
  taps: readonly TapPair[],
  { start, depth }: Block,
  channels: number,
  targetChannels: number,
  to: number,
): void {
  const { data, rowStep, colStep } = filter;
  const values = data.array ?? f32;
  let at = to / 4;
  for (let n = 0; n < targetChannels; n++) {
    for (let row = start; row < start + depth;) {
      const tap = Math.floor(row / channels);
      const first = row - tap * channels;
      const rows = Math.min(channels - first, start + depth - row);
      let from = startOf(filter, taps[tap]) + first * rowStep + n * colStep;
      for (let r = 0; r < rows; r++, from += rowStep) f32[at++] = values[from];
      row += rows;
    }
  }
}

function clearRows({ f32 }: Simd, panel: number, rows: number, columns: number, panelStep: number): void {
  for (let n = 0; n < columns; n += NR, panel += panelStep) f32.fill(0, panel / 4, panel / 4 + NR * rows);
}

/** at[i]: the distance from a pixel's first cell to the start of segment i. Segments are counted over all phases. */
function writeSegments(
  i32: Int32Array,
  at: number,
  phases: readonly Phase[],
  axes: Axes,
  window: Grid,
  channels: number,
): void {
  for (const { taps, blocks } of phases) {
    for (const { start, depth, segmentLength } of blocks) {
      for (let row = start; row < start + depth; row += segmentLength) {
        const tap = Math.floor(row / channels);
        i32[at++] = 4 * (channels * tapOffset(taps[tap], axes, window) + row - tap * channels);
      }
    }
  }
}

/** The distance from a pixel's first cell to the tap's cell, in cells of the window. */
export function tapOffset({ row, col }: TapPair, { rows, cols }: Axes, window: Grid): number {
  return (row.offset - rows.lowest) * window.cols + col.offset - cols.lowest;
}

/**
 * Writes two tables, phase after phase: `pixels`, where in the window each position of the strip has its first cell, and `outs`,
 * where in the strip its result goes. Each phase is filled up to whole tiles by its last position, which then is computed again.
 * `writeGrid` does not fit here: the positions of a phase may start anywhere in the strip, and the two tables are filled up
 * together.
 * @returns the number of positions of each phase
 */
function writeTiles(
  i32: Int32Array,
  pixels: number,
  outs: number,
  phases: readonly Phase[],
  { rows, cols }: Axes,
  strip: Rectangle,
  source: Grid,
  target: Grid,
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
        const from = (b * source.rows + rows.base(row) - firstRow) * source.cols;
        const to = (b * target.rows + row - strip.row) * target.cols - strip.col;
        for (let i = 0; i < stripCols.length; i++) {
          i32[pixels++] = step.source * (from + colBases[i]);
          i32[outs++] = step.target * (to + stripCols[i]);
        }
      }
    }
    const count = roundUp(pixels - first, MR);
    for (; pixels < first + count; pixels++, outs++) {
      i32[pixels] = i32[pixels - 1];
      i32[outs] = i32[outs - 1];
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

/** Whether two strips have the same tables. Every strip starts at a multiple of the number of phases, so in the same phase. */
export function alike(a: Rectangle, b: Rectangle): boolean {
  return a.images === b.images && a.rows === b.rows && a.cols === b.cols;
}

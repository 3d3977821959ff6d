/**
 * The product that computes the forward pass and the gradient of the input, in WebAssembly:
 *
 *   target[p] = min(max(bias + sum over taps of source[base(p) + offset of the tap] * filter[tap], lowest), highest)
 *
 * source: [batch, height, width, source channels], filter: for each tap a matrix [source channels, target channels],
 * target: [batch, height, width, target channels]. All of them belong to one group.
 */
import { type Epilogue, isClamped, writeBias } from '../../runtime/simd/epilogue.js';
import { MR, NR, roundUp } from '../../runtime/simd/calls.js';
import type { Data, Simd } from '../../runtime/simd/instance.js';
import {
  type Axes,
  type Axis,
  copyOut,
  eachStrip,
  fitsCache,
  type Grid,
  type Image,
  isReadInPlace,
  largest,
  liesInMemory,
  placesFor,
  placeSize,
  planStrips,
  positionsIn,
  type Rectangle,
  type Region,
  sourceRegion,
  type Tap,
  targetRegion,
  windowOf,
} from '../../runtime/simd/strips.js';
import type { StepOf } from '../../runtime/threads/cuts.js';
import { multiplyPacked } from '../../runtime/threads/steps.js';

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
  /** Whether there is no other group. */
  readonly isWhole: boolean;
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
  // A single strip of one thread needs the panels of only one block at a time.
  const kept = strips.length > 1 || simd.threads > 1;
  const panelDepth = kept ? last.firstRow + last.depth : Math.max(...blocks.map(({ depth }) => depth));
  const tableSize = most.target + MR * phases.length;
  const reads = isReadInPlace(source, axes);
  const writes = liesInMemory(target) && width === target.channels;
  const aSize = reads ? 0 : placeSize(most.source * source.channels);
  const cSize = writes ? 0 : placeSize(most.target * width);
  const places = placesFor(simd, strips.length, aSize + cSize);
  const [staging, panels, bias, segments, pixels, outs, aAt, cAt] = simd.place(
    few ? 0 : 4 * stagingSize(simd, filter),
    4 * panelDepth * width,
    4 * width,
    4 * (last.firstSegment + segmentCount(last)),
    4 * tableSize,
    4 * tableSize,
    places * aSize,
    places * cSize,
  );
  writeBias(simd, bias, target.channels, width, epilogue);
  const ready = few ? filter : staged(simd, filter, staging);
  const { lowest, highest } = epilogue;
  const panelCount = few ? width : width / NR;
  const from: Region[] = [];
  const to: Region[] = [];

  let counts: number[] = [];
  let tiled: Rectangle | undefined;
  eachStrip(strips.length, places, {
    load(i, at) {
      from[at] = sourceRegion(simd, source, windowOf(strips[i], axes), reads, aAt + at * aSize);
    },
    compute(i, at, meanwhile) {
      const strip = strips[i];
      to[at] = targetRegion(target, strip, writes, cAt + at * cSize);
      if (!tiled || !alike(tiled, strip)) {
        writeSegments(simd.i32, segments / 4, phases, axes, from[at], source.channels);
        const steps = { source: 4 * source.channels, target: 4 * width };
        counts = writeTiles(simd.i32, pixels / 4, outs / 4, phases, axes, strip, from[at], to[at], steps);
        tiled = strip;
      }
      const run = ({ count, packs, products, dots }: Job) => {
        if (few) simd.sequence('tiles', count, dots, meanwhile);
        else multiplyPacked(simd, panelCount, packs, 'tiles', count, products, meanwhile);
      };
      let tile = 0;
      const jobs: Job[] = [];
      phases.forEach(({ taps, blocks }, phase) => {
        let job = emptyJob(counts[phase]);
        for (const block of blocks) {
          const rows = panels + (kept ? 4 * block.firstRow * width : 0);
          if (i === 0) {
            if (few) packFew(simd, filter, taps, block, source.channels, target.channels, rows);
            else job.packs.push(...packBlock(simd, ready, taps, block, source.channels, target.channels, staging, rows)); // prettier-ignore
          }
          const isLast = block === blocks[blocks.length - 1];
          const call = {
            pixels: pixels + tile,
            outs: outs + tile,
            pixelCount: job.count,
            segments: segments + 4 * block.firstSegment,
            segmentCount: segmentCount(block),
            segmentLength: block.segmentLength,
            step: 4,
            a: from[at].address,
            panels: rows,
            panelCount,
            bias,
            c: to[at].address,
            continued: block !== blocks[0],
            clamped: isLast && isClamped(epilogue),
            lowest,
            highest,
          };
          if (few) job.dots.push(['dot', call]);
          else job.products.push(['multiply', call]);
          if (kept) continue;
          run(job);
          job = emptyJob(job.count);
        }
        if (kept) jobs.push(job);
        tile += 4 * job.count;
      });
      joined(jobs).forEach(run);
      if (width !== target.channels) {
        const { address } = to[at];
        simd.compact({ at: address, rows: positionsIn(strip), length: 4 * target.channels, step: 4 * width });
      }
    },
    store(i, at) {
      if (!writes) copyOut(simd, to[at], target, strips[i]);
    },
  });
}

/** What is to be done for the positions of a phase, or of all phases. */
interface Job {
  readonly count: number;
  readonly packs: StepOf<'pack'>[];
  readonly products: StepOf<'multiply'>[];
  /** Instead of products, for few target channels. */
  readonly dots: StepOf<'dot'>[];
}

function emptyJob(count: number): Job {
  return { count, packs: [], products: [], dots: [] };
}

/** One job for all phases, if they have the same number of positions, and nothing is left to pack. */
function joined(jobs: Job[]): Job[] {
  if (jobs.length < 2) return jobs;
  const { count } = jobs[0];
  if (!jobs.every((job) => job.count === count && job.packs.length === 0)) return jobs;
  const [products, dots] = [jobs.flatMap((job) => job.products), jobs.flatMap((job) => job.dots)];
  return [{ count, packs: [], products, dots }];
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

/** Whether threads can pack each part of the filter: it lies in memory, or `staged` copies it as a whole. */
export function isAtHand({ threads }: Simd, { data, isWhole }: GroupFilter): boolean {
  return !data.array || (threads > 1 && isWhole);
}

/** The number of floats that `staged` and `packBlock` need at `staging`. */
export function stagingSize(simd: Simd, filter: GroupFilter): number {
  const { data, rowStep, colStep } = filter;
  if (!data.array) return 0;
  const { length } = data.array;
  return isAtHand(simd, filter) ? length : Math.min(length, STAGED + NR * Math.max(rowStep, colStep));
}

/** The filter, with its values in memory if it `isAtHand`. */
export function staged(simd: Simd, filter: GroupFilter, staging: number): GroupFilter {
  const { array, start } = filter.data;
  if (!array || !isAtHand(simd, filter)) return filter;
  simd.f32.set(array, staging / 4);
  return { ...filter, data: { start: start + staging / 4 } };
}

/** Where the tap's matrix [source channels, target channels] starts in the filter's array. */
function startOf({ data, filterWidth, tapSize, start }: GroupFilter, { row, col }: TapPair): number {
  return data.start + (row.index * filterWidth + col.index) * tapSize + start;
}

/**
 * Packs rows of a tap's matrix [source channels, target channels], and of taps that follow it, into panels. They start at `to` and lie
 * panelStep bytes apart.
 * @returns what is left to do: if the filter lies in memory, all of it
 */
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
): StepOf<'pack'>[] {
  const { data, rowStep, colStep } = filter;
  const first = startOf(filter, tap) + firstRow * rowStep;
  const steps = { rowStep: 4 * rowStep, colStep: 4 * colStep };
  if (!data.array) return [['pack', { src: 4 * first, ...steps, rows, cols: columns, to, panelStep }]];
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
  return [];
}

/**
 * Packs the block's rows into panels of target channels at `to`: [target channels / NR][depth][NR]. Rows without a tap are 0.
 * @returns what is left to do, by panels
 */
export function packBlock(
  simd: Simd,
  filter: GroupFilter,
  taps: readonly (TapPair | undefined)[],
  { start, depth }: Pick<Block, 'start' | 'depth'>,
  channels: number,
  targetChannels: number,
  staging: number,
  to: number,
): StepOf<'pack'>[] {
  const end = start + depth;
  const steps: StepOf<'pack'>[] = [];
  for (let row = start; row < end;) {
    const tap = Math.floor(row / channels);
    const first = row - tap * channels;
    let last = tap;
    while ((last + 1) * channels < end && areAdjacent(filter, channels, taps[last], taps[last + 1])) last++;
    const rows = Math.min((last + 1) * channels, end) - row;
    const panel = to + 4 * NR * (row - start);
    const pair = taps[tap];
    if (pair)
      steps.push(...packTap(simd, filter, pair, first, rows, targetChannels, staging, panel, 4 * NR * depth)); // prettier-ignore
    else clearRows(simd, panel, rows, targetChannels, 4 * NR * depth);
    row += rows;
  }
  return steps;
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

/**
 * Convolution with fewer multiplications along a line, in WebAssembly: Winograd's F(3, 4) or F(4, 3). The line is the longer side
 * of the filter.
 *
 *   y = transpose(A) [ sum over rows across the line, pieces of taps and channels of (G g) * (transpose(B) d) ]
 *
 * for each tile of m = 3 or 4 neighbouring outputs. If taps of a row are a stride apart, neighbouring outputs read neighbouring
 * cells with them. Such taps are cut into pieces of r = 7 - m taps and of r - 1 taps.
 *
 * - g: the taps of a piece. d: the six source cells (five for r - 1 taps), a stride apart, that the piece meets for a tile. The
 *   matrices are in ../../runtime/simd/assembly/winograd_7.ts.
 * - For each channel, a piece of r taps takes 7 multiplications instead of 12, and one of r - 1 taps takes 6 instead of m (r - 1).
 * - A patch holds the transformed cells of all pieces. It serves every row of taps that meets it.
 *
 * Rounding has the bound of winograd.ts, with r = `ROUNDINGS`, and with the number of products of a cell (taps across the line times
 * pieces times channels) instead of C.
 *
 * - On random data the magnitude is 4 to 5 times that of the direct sum. At the edges of the image it is more.
 * - All constants are powers of two. Whole numbers stay exact as long as all sums, which are multiples of 1/4, stay below 2^22.
 * - An Infinity gives NaN in outputs of the tiles that meet it. A tile that reaches over the edge of the image may meet cells that
 *   no window reaches.
 *
 * Source: Winograd, "Arithmetic complexity of computations", 1980; Barabasz & Gregg, "Winograd convolution for DNNs: beyond
 * linear polynomials", 2019.
 */
import { MR, NR, roundUp } from '../../runtime/simd/calls.js';
import type { Simd } from '../../runtime/simd/instance.js';
import {
  type Axes,
  type Axis,
  copyIn,
  copyOut,
  eachStrip,
  type Extent,
  type Grid,
  type Image,
  largest,
  liesInMemory,
  placesFor,
  placeSize,
  type Rectangle,
  strideOf,
  type Tap,
  targetRegion,
  windowOf,
  writeGrid,
} from '../../runtime/simd/strips.js';
import { scratchSize, type StepOf } from '../../runtime/threads/cuts.js';
import { areMore } from '../../runtime/threads/steps.js';
import { type Epilogue, writeBias } from '../../runtime/simd/epilogue.js';
import {
  alike,
  type GroupFilter,
  packBlock,
  type Part,
  partsOf,
  staged,
  stagingSize,
  type TapPair,
} from './correlate.js';
import {
  isCutEvenly,
  isDense,
  MOST_HELD,
  planeStep,
  planTiles,
  type Tile,
  tilesIn,
  tilesOver,
  writeCorners,
} from './winograd.js';

/** r: 2 sums for g, 2 for d, 3 for M, and 1 for the bias. */
export const ROUNDINGS = 2 + 2 + 3 + 1;

/** The number of products of a piece of r taps. A piece of r - 1 taps does not need the last one. */
const CELLS = 7;

/**
 * With fewer tiles the transform of the filter costs more than it saves. With fewer products the transforms of patches and products
 * do. Here `products` is the number of rows of the filter's matrix times target channels, divided by the stride across the line.
 */
const LEAST = { tiles: 24, products: 1024 };
/** If many tiles reach over the edge, little is saved: the products must be at most this share of the direct sum's. */
const MOST_PRODUCTS = 0.78;

/** A line of taps, cut for tiles of m outputs. */
export interface Line {
  readonly along: keyof Axes;
  readonly across: keyof Axes;
  readonly m: 3 | 4;
  /** The taps of a piece, 7 - m. */
  readonly r: 4 | 3;
  /** Taps that are a stride apart: first the pieces of r taps, then those of r - 1. */
  readonly pieces: readonly (readonly Tap[])[];
}

const TILES = [
  { m: 3, r: 4 },
  { m: 4, r: 3 },
] as const;

/** The line of the problem's filter, if it has one that can be cut and is large enough to gain by it. */
export function lineFor(source: Extent, target: Extent, axes: Axes): Line | undefined {
  if (!isDense(axes.rows) || !isDense(axes.cols) || target.channels % NR !== 0) return undefined;
  const isHigh = axes.rows.phases[0].length > axes.cols.phases[0].length;
  const [along, across] = isHigh ? (['rows', 'cols'] as const) : (['cols', 'rows'] as const);
  const lines = TILES.flatMap((tile): Line[] => {
    const pieces = piecesOf(axes[along], tile.r);
    return pieces ? [{ along, across, ...tile, pieces }] : [];
  });
  const [line] = lines.sort((a, b) => productsOf(a, axes) - productsOf(b, axes));
  return line && gains(source, target, axes, line) ? line : undefined;
}

/** The number of products of a channel along the line, including tiles that reach over the edge. */
function productsOf({ along, m, pieces }: Line, axes: Axes): number {
  return Math.ceil(axes[along].size / m) * pieces.reduce((sum, { length }) => sum + length + m, 0);
}

/** Cuts the taps into pieces: first those of r taps, then as few of r - 1 as possible. Undefined if there are too few taps. */
function piecesOf(axis: Axis, r: number): Tap[][] | undefined {
  const pieces: Tap[][] = [];
  const stride = strideOf(axis);
  for (let first = 0; first < stride; first++) {
    const taps = axis.phases[0].filter((_, i) => i % stride === first);
    const count = Math.ceil(taps.length / r);
    const shorter = r * count - taps.length;
    if (shorter > count) return undefined;
    for (let i = 0; i < count; i++) pieces.push(taps.splice(0, i < count - shorter ? r : r - 1));
  }
  return pieces.sort((a, b) => b.length - a.length);
}

function gains(source: Extent, target: Extent, axes: Axes, line: Line): boolean {
  const [along, across] = [axes[line.along], axes[line.across]];
  const size = across.phases[0].length * line.pieces.length * source.channels * target.channels;
  return (
    productsOf(line, axes) <= MOST_PRODUCTS * along.size * along.phases[0].length &&
    tilesOver(target, axes, tileOf(line)) >= LEAST.tiles &&
    size >= LEAST.products * strideOf(across) &&
    CELLS * size <= MOST_HELD
  );
}

function tileOf({ along, m }: Line): Tile {
  return along === 'cols' ? [1, m] : [m, 1];
}

/** The same as `correlate`, for a line of the problem's filter. */
export function correlateByLine(
  simd: Simd,
  source: Image,
  target: Image,
  axes: Axes,
  filter: GroupFilter,
  epilogue: Epilogue,
  line: Line,
): void {
  const { along, across, r, pieces } = line;
  const width = target.channels;
  const strideAlong = strideOf(axes[along]);
  const tile = tileOf(line);
  const longest = pieces.filter(({ length }) => length === r);
  // The first six cells are summed over all pieces, the last one only over those of r taps.
  const [all, last] = [pieces, longest].map((some) => {
    const patch = some.length * source.channels;
    const depth = axes[across].phases[0].length * patch;
    return { patch, depth, blocks: partsOf(depth, depth) };
  });
  const perTile = CELLS * (all.patch * strideOf(axes[across]) + width);
  const { strips, whole, tileCount } = planTiles(axes, target.images, tile, perTile, simd.threads);
  const patchCount = patchesIn(whole[0], windowOf(whole[0], axes), line);
  const most = largest(whole, axes);
  const writes = liesInMemory(target) && isCutEvenly(axes, tile);
  const aSize = placeSize(most.source * source.channels + 4);
  const cSize = writes ? 0 : placeSize(most.target * width);
  const places = placesFor(simd, strips.length, aSize + cSize);
  const plane = {
    g: planeStep(Math.max(...all.blocks.map(([, depth]) => depth)) * width),
    u: planeStep(all.depth * width),
    v: planeStep(patchCount * all.patch),
    m: planeStep(tileCount * width),
  };
  const [staging, g, u, v, m, scratch, bias, none, outs, patches, starts, tiles, aAt, cAt, ...tables] =
    simd.place(
      4 * stagingSize(simd, filter),
      r * plane.g,
      CELLS * plane.u,
      CELLS * plane.v,
      CELLS * plane.m,
      scratchSize(simd),
      4 * width,
      4 * width,
      4 * tileCount,
      4 * patchCount,
      4 * pieces.length,
      4 * tileCount,
      places * aSize,
      places * cSize,
      ...[all, last].flatMap(({ blocks }) => [4 * blocks.length, 4 * tileCount]),
    );
  const sums = [
    { ...all, cell: 0, cells: CELLS - 1, segments: tables[0], firsts: tables[1] },
    { ...last, cell: CELLS - 1, cells: 1, segments: tables[2], firsts: tables[3] },
  ];
  writeBias(simd, bias, target.channels, width, epilogue);
  simd.f32.fill(0, none / 4, none / 4 + width);
  for (let t = 0; t < tileCount; t++) simd.i32[outs / 4 + t] = 4 * t * width;
  for (const { blocks, segments, firsts } of sums) {
    blocks.forEach(([start], i) => (simd.i32[segments / 4 + i] = 4 * start));
    simd.i32.fill(0, firsts / 4, firsts / 4 + tileCount);
  }
  const ready = staged(simd, filter, staging);
  const pack = (taps: ReturnType<typeof tapsAcross>, [start, depth]: Part, to: number) =>
    packBlock(simd, ready, taps, { start, depth }, source.channels, width, staging, to);
  const taps = Array.from({ length: r }, (_, i) => tapsAcross(pieces, i, axes, line));
  for (const block of all.blocks) {
    const [start, depth] = block;
    const packs = taps.flatMap((ith, i) => pack(ith, block, g + i * plane.g));
    const transform = {
      r,
      taps: g,
      tapStep: plane.g,
      size: 4 * depth * width,
      to: u + 4 * start * width,
      plane: plane.u,
    };
    simd.sequence('panels', width / NR, [...packs, ['lineFilter', transform]]);
  }
  const lastTaps = tapsAcross(longest, r - 1, axes, line);
  for (const block of last.blocks) {
    const to = u + (CELLS - 1) * plane.u + 4 * block[0] * width;
    simd.sequence('panels', width / NR, pack(lastTaps, block, to));
  }
  const { lowest, highest } = epilogue;
  const cell = 4 * source.channels;

  eachStrip(strips.length, places, {
    load(i, at) {
      copyIn(simd, aAt + at * aSize, source, windowOf(whole[i], axes));
    },
    compute(i, at, meanwhile) {
      const held = whole[i];
      const window = windowOf(held, axes);
      const count = tilesIn(strips[i], tile);
      const step = stepsIn(window)[along];
      const to = targetRegion(target, held, writes, cAt + at * cSize);
      if (i === 0 || !alike(held, whole[i - 1])) {
        writePatches(simd.i32, patches / 4, held, window, strideAlong, cell, line);
        writeCorners(simd.i32, tiles / 4, held, tile, to, 4 * width);
        for (const { firsts, patch } of sums) {
          writeFirsts(simd.i32, firsts / 4, held, window, strideOf(axes[across]), 4 * patch, line);
        }
        pieces.forEach(([{ offset }], k) => {
          simd.i32[starts / 4 + k] = cell * step * (offset - axes[along].lowest);
        });
      }
      simd.lineInput({
        patches,
        patchCount: patchesIn(held, window, line),
        pieces: starts,
        whole: longest.length,
        pieceCount: pieces.length,
        a: aAt + at * aSize,
        step: cell * step * strideAlong,
        channels: source.channels,
        to: v,
        last: v + (CELLS - 1) * plane.v,
        plane: plane.v,
        scratch,
      });
      const products = sums.flatMap(({ blocks, segments, firsts, cell: first, cells }) =>
        blocks.map(([start, depth], block): StepOf<'multiplyEach'> => [
          'multiplyEach',
          {
            count: cells,
            aStep: plane.v,
            panelsStep: plane.u,
            cStep: plane.m,
            pixels: firsts,
            outs,
            pixelCount: roundUp(count, MR),
            segments: segments + 4 * block,
            segmentCount: 1,
            segmentLength: depth,
            step: 4,
            a: v + first * plane.v,
            panels: u + first * plane.u + 4 * start * width,
            panelCount: width / NR,
            bias: none,
            c: m + first * plane.m,
            continued: block > 0,
          },
        ]),
      );
      const output: StepOf<'lineOutput'> = [
        'lineOutput',
        {
          m: line.m,
          from: m,
          plane: plane.m,
          tiles,
          tileCount: count,
          c: to.address,
          step: 4 * width * stepsIn(to)[along],
          channels: width,
          bias,
          lowest,
          highest,
        },
      ];
      if (areMore(width / NR, count)) {
        simd.sequence('panels', width / NR, products, meanwhile);
        simd.sequence('tiles', count, [output]);
      } else {
        simd.sequence('tiles', count, [...products, output], meanwhile);
      }
    },
    store(i, at) {
      if (!writes) copyOut(simd, targetRegion(target, whole[i], writes, cAt + at * cSize), target, strips[i]);
    },
  });
}

/** For every tap across the line: the i-th tap of each piece, or undefined if the piece is shorter. */
function tapsAcross(
  pieces: Line['pieces'],
  i: number,
  axes: Axes,
  { along, across }: Line,
): (TapPair | undefined)[] {
  return axes[across].phases[0].flatMap((tap) =>
    pieces.map(({ [i]: other }: readonly (Tap | undefined)[]) => {
      if (!other) return undefined;
      return along === 'cols' ? { row: tap, col: other } : { row: other, col: tap };
    }),
  );
}

/** The number of cells from one row of a rectangle to the next, and from one column to the next. */
function stepsIn({ cols }: Pick<Grid, 'cols'>): Record<keyof Axes, number> {
  return { rows: cols, cols: 1 };
}

/** Patches lie in the order [images, tiles along the line, cells across it], so that the taps across meet neighbouring patches. */
function patchesIn(held: Rectangle, window: Rectangle, { along, across, m }: Line): number {
  return held.images * (held[along] / m) * window[across];
}

/** at[patch]: where it starts in the window. */
function writePatches(
  i32: Int32Array,
  at: number,
  held: Rectangle,
  window: Rectangle,
  strideAlong: number,
  cell: number,
  { along, across, m }: Line,
): void {
  const steps = stepsIn(window);
  writeGrid(
    i32,
    at,
    [held.images, held[along] / m, window[across]],
    [cell * window.rows * window.cols, cell * m * strideAlong * steps[along], cell * steps[across]],
  );
}

/** at[tile]: where the first patch that the tile meets lies. Tiles have the order of `writeCorners`. A patch takes `step` bytes. */
function writeFirsts(
  i32: Int32Array,
  at: number,
  held: Rectangle,
  window: Rectangle,
  strideAcross: number,
  step: number,
  line: Line,
): void {
  const { along, across, m } = line;
  const [tileRows, tileCols] = tileOf(line);
  const [stepAlong, stepAcross] = [step * window[across], step * strideAcross];
  const [rowStep, colStep] = along === 'rows' ? [stepAlong, stepAcross] : [stepAcross, stepAlong];
  writeGrid(
    i32,
    at,
    [held.images, held.rows / tileRows, held.cols / tileCols],
    [stepAlong * (held[along] / m), rowStep, colStep],
  );
}

/**
 * 3 x 3 convolution with fewer multiplications, in WebAssembly: Winograd's F(2 x 2, 3 x 3) and F(4 x 4, 3 x 3).
 *
 *   y = transpose(A) [ sum over channels of (G g transpose(G)) * (transpose(B) d B) ] A     for each tile of m x m outputs
 *
 * d: a patch of (m + 2) x (m + 2) source cells. g: 3 x 3 taps. A tile takes n x n multiplications for each channel instead of 9 m^2:
 *
 *   m  n  used                                            times fewer   magnitude   matrices, in ../../runtime/simd/assembly
 *   2  4  by default                                      2.25          6 to 8      winograd_2x2.ts
 *   4  7  by default, if the image needs fewer products   2.94          13 to 26    winograd_7.ts
 *   4  6  only if configured                              4             20 to 300   winograd_4x4.ts
 *
 * Rounding. u = 2^-24, C is the number of source channels, and |.| is taken of every value of a matrix:
 *
 *   |computed y - y| <= (C + r) u * transpose(|A|) [ sum of (|G| |g| transpose(|G|)) * (transpose(|B|) |d| |B|) ] |A|
 *
 * to first order in u. Each product and each sum rounds once; the transforms and the bias round r times (`ROUNDINGS`).
 *
 * - The magnitude on the right is larger than that of the direct sum. The table says how many times on random data; at the edges
 *   of the image it is more.
 * - In the first two rows of the table the errors themselves are no larger than those of the direct sum, because the direct sum
 *   adds more products one after the other.
 * - The constants of the first two rows are powers of two. Whole numbers stay exact as long as all sums stay below 2^22 (m = 2,
 *   multiples of 1/4) or 2^20 (m = 4, multiples of 1/16). The constants of the last row are not powers of two.
 * - An Infinity in a patch, or a sum that overflows, gives NaN. For m = 2 it reaches the outputs whose windows hold it; for m = 4
 *   it reaches other outputs of the tile too.
 *
 * Source: Lavin & Gray, "Fast algorithms for convolutional neural networks", 2015; Higham, "Accuracy and Stability of
 * Numerical Algorithms", 2002, section 3.
 */
import type { WinogradTile } from '../../runtime/options.js';
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
  planStrips,
  positionsIn,
  type Rectangle,
  strideOf,
  targetRegion,
  windowOf,
  writeGrid,
} from '../../runtime/simd/strips.js';
import { scratchSize, type StepBy, type StepOf } from '../../runtime/threads/cuts.js';
import { areMore } from '../../runtime/threads/steps.js';
import { type Epilogue, writeBias } from '../../runtime/simd/epilogue.js';
import { type GroupFilter, isAtHand, packBlock, pairs, staged, stagingSize } from './correlate.js';

/** Rows and columns of a tile of outputs. */
export type Tile = readonly [number, number];

/** A tile of m x m outputs by n x n products. */
export interface Scheme {
  readonly m: 2 | 4;
  readonly n: 4 | 6 | 7;
}

const SCHEMES: Record<WinogradTile, Scheme[]> = {
  0: [],
  2: [
    { m: 2, n: 4 },
    { m: 4, n: 7 },
  ],
  4: [{ m: 4, n: 6 }],
};

/** The cost of a tile, in products. Transforms of 7 x 7 cells take longer, by the factor that was measured. */
export const COSTS = { 4: 16, 6: 36, 7: 49 * (8 / 7) } as const;

/**
 * r: the number of roundings of a value on its way through the transforms, plus 1 for the bias. Each transform has two passes. A
 * pass rounds
 *
 *   n = 4   g: 2 sums                             d: 1 sum                  M: 2 sums
 *   n = 6   g: a constant, a product and 2 sums   d: a product and 2 sums   M: 3 sums
 *   n = 7   g: 2 sums                             d: 2 sums                 M: 3 sums
 */
export const ROUNDINGS = { 4: 2 * (2 + 1 + 2) + 1, 6: 2 * (4 + 3 + 3) + 1, 7: 2 * (2 + 2 + 3) + 1 } as const;

/** The largest number of floats in a thread's share of the transformed patches and products of a strip. */
const STRIP_SIZE = 1 << 17;
/** A share may have this many tiles even if they are larger: each strip reads the whole transformed filter once. */
const STRIP_TILES = 64;
/** The largest number of floats, 16 MB, in a strip that has more tiles than one thread would take. */
const MOST_SHARED = 1 << 22;
/** The number of the transformed filter's floats that stay in a second-level cache while a strip meets them. */
const BLOCK_SIZE = 1 << 17;

/** The largest number of floats, 32 MB, in a transformed filter of 7 x 7 or 7 cells that is held for several strips. */
export const MOST_HELD = 1 << 23;

/** With fewer channels the transforms of patches and products cost more than they save; with fewer tiles that of the filter does. */
const LEAST = { channels: 16, tiles: 16 };

/** The scheme that serves the problem, if it is a 3 x 3 convolution of stride 1 without dilation, large enough to gain by it. */
export function schemeFor(
  source: Extent,
  target: Extent,
  axes: Axes,
  winograd: WinogradTile,
): Scheme | undefined {
  if (!isPlain3(axes) || source.channels % 4 !== 0) return undefined;
  const tiles = ({ m }: Scheme) => tilesOver(target, axes, [m, m]);
  const isHeavy = (scheme: Scheme) =>
    scheme.n === 7 && tiles(scheme) > STRIP_TILES && 49 * source.channels * target.channels > MOST_HELD;
  return SCHEMES[winograd]
    .filter((scheme) => isLarge(source, target, axes, [scheme.m, scheme.m], LEAST) && !isHeavy(scheme))
    .sort((a, b) => COSTS[a.n] * tiles(a) - COSTS[b.n] * tiles(b))[0];
}

/** Whether all positions have the same 3 x 3 taps, which lie side by side, and stride 1. */
export function isPlain3({ rows, cols }: Axes): boolean {
  return [rows, cols].every((axis) => isDense(axis) && strideOf(axis) === 1 && axis.phases[0].length === 3);
}

/** Whether all positions have the same taps, which lie side by side. */
export function isDense({ phases, lowest, highest }: Axis): boolean {
  return phases.length === 1 && highest - lowest === phases[0].length - 1;
}

/** Whether there are at least `least.channels` channels, and `least.tiles` tiles of these rows and columns. */
export function isLarge(
  source: Extent,
  target: Extent,
  axes: Axes,
  tile: Tile,
  least: { readonly channels: number; readonly tiles: number },
): boolean {
  const channels = Math.min(source.channels, target.channels);
  return channels >= least.channels && tilesOver(target, axes, tile) >= least.tiles;
}

/** The same as `correlate`, for a problem that a scheme serves. */
export function correlateByWinograd(
  simd: Simd,
  source: Image,
  target: Image,
  axes: Axes,
  filter: GroupFilter,
  epilogue: Epilogue,
  { m, n }: Scheme,
): void {
  const depth = source.channels;
  const width = roundUp(target.channels, NR);
  const tile: Tile = [m, m];
  const partWidth = Math.max(NR, NR * Math.floor(BLOCK_SIZE / (n * n * depth * NR)));
  // With many panels and few tiles, each thread packs, transforms and multiplies panels of its own.
  const byPanels =
    simd.threads > 1 &&
    areMore(width / NR, Math.min(simd.threads * STRIP_TILES, tilesOver(target, axes, tile)));
  const blockWidth = Math.min(width, partWidth * (byPanels ? simd.parts : 1));
  const { strips, whole, tileCount } = planTiles(
    axes,
    target.images,
    tile,
    n * n * (depth + blockWidth),
    simd.threads,
  );
  const most = largest(whole, axes);
  const writes = liesInMemory(target) && width === target.channels && isCutEvenly(axes, tile);
  const packWidth = byPanels && isAtHand(simd, filter) ? blockWidth : width;
  // A single strip needs only one block of the transformed filter at a time.
  const kept = strips.length > 1;
  const plane = {
    taps: planeStep(depth * packWidth),
    u: planeStep(depth * blockWidth),
    v: planeStep(tileCount * depth),
    m: planeStep(tileCount * blockWidth),
  };
  const blockCount = Math.ceil(width / blockWidth);
  const aSize = placeSize(most.source * depth);
  const cSize = writes ? 0 : placeSize(most.target * width);
  const places = placesFor(simd, strips.length, aSize + cSize);
  const [staging, taps, u, v, products, scratch, bias, none, zero, rows, outs, patches, tiles, aAt, cAt] =
    simd.place(
      4 * stagingSize(simd, filter),
      9 * plane.taps,
      n * n * plane.u * (kept ? blockCount : 1),
      n * n * plane.v,
      n * n * plane.m,
      scratchSize(simd),
      4 * width,
      4 * width,
      4,
      4 * tileCount,
      4 * tileCount,
      4 * tileCount,
      4 * tileCount,
      places * aSize,
      places * cSize,
    );
  writeBias(simd, bias, target.channels, width, epilogue);
  simd.f32.fill(0, none / 4, none / 4 + width);
  simd.i32[zero / 4] = 0;
  for (let t = 0; t < tileCount; t++) simd.i32[rows / 4 + t] = 4 * t * depth;
  const ready = staged(simd, filter, staging);
  const { lowest, highest } = epilogue;
  /** Packs columns of the filter from `first` on. */
  const pack = (first: number, count: number): StepOf<'pack'>[] => {
    const columns = { ...ready, start: ready.start + first * ready.colStep };
    const some = Math.min(count, target.channels - first);
    return pairs(axes.rows.phases[0], axes.cols.phases[0]).flatMap((tap, i) => {
      const to = taps + i * plane.taps;
      return packBlock(simd, columns, [tap], { start: 0, depth }, depth, some, staging, to);
    });
  };
  if (packWidth === width) simd.sequence('panels', width / NR, pack(0, width));

  eachStrip(strips.length, places, {
    load(i, at) {
      copyIn(simd, aAt + at * aSize, source, windowOf(whole[i], axes));
    },
    compute(i, at, meanwhile) {
      const held = whole[i];
      const window = windowOf(held, axes);
      const count = tilesIn(strips[i], tile);
      const to = targetRegion(target, held, writes, cAt + at * cSize);
      writeCorners(simd.i32, patches / 4, held, tile, window, 4 * depth);
      writeCorners(simd.i32, tiles / 4, held, tile, to, 4 * width);
      const input: StepOf<'winogradInput'> = [
        'winogradInput',
        {
          n,
          patches,
          patchCount: count,
          a: aAt + at * aSize,
          rowStep: 4 * window.cols * depth,
          channels: depth,
          to: v,
          plane: plane.v,
          scratch,
        },
      ];
      for (let block = 0; block < blockCount; block++) {
        const first = block * blockWidth;
        const columns = Math.min(blockWidth, width - first);
        const panels = u + (kept ? block * n * n * plane.u : 0);
        const from = taps + (packWidth === width ? 4 * depth * first : 0);
        const transform = { n, taps: from, tapStep: plane.taps, size: 4 * depth * columns, to: panels, plane: plane.u, scratch }; // prettier-ignore
        for (let t = 0; t < tileCount; t++) simd.i32[outs / 4 + t] = 4 * t * columns;
        const product: StepOf<'multiplyEach'> = [
          'multiplyEach',
          {
            count: n * n,
            aStep: plane.v,
            panelsStep: plane.u,
            cStep: plane.m,
            pixels: rows,
            outs,
            pixelCount: roundUp(count, MR),
            segments: zero,
            segmentCount: 1,
            segmentLength: depth,
            step: 4,
            a: v,
            panels,
            panelCount: columns / NR,
            bias: none,
            c: products,
            continued: false,
          },
        ];
        const output: StepOf<'winogradOutput'> = [
          'winogradOutput',
          {
            n,
            from: products,
            plane: plane.m,
            tiles,
            tileCount: count,
            c: to.address + 4 * first,
            rowStep: 4 * to.cols * width,
            colStep: 4 * width,
            channels: columns,
            bias: bias + 4 * first,
            lowest,
            highest,
            scratch,
          },
        ];
        if (byPanels) {
          const filters: StepBy<'panels'>[] = i > 0 ? [] : [['winogradFilter', transform]];
          if (i === 0 && packWidth !== width) filters.unshift(...pack(first, columns));
          if (block === 0) simd.sequence('tiles', count, [input]);
          simd.sequence('panels', columns / NR, [...filters, product], meanwhile);
          simd.sequence('tiles', count, [output]);
        } else {
          if (i === 0) simd.winogradFilter(transform);
          const steps: StepBy<'tiles'>[] = [product, output];
          simd.sequence('tiles', count, block === 0 ? [input, ...steps] : steps, meanwhile);
        }
      }
      if (width !== target.channels) {
        simd.compact({
          at: to.address,
          rows: positionsIn(held),
          length: 4 * target.channels,
          step: 4 * width,
        });
      }
    },
    store(i, at) {
      if (!writes) copyOut(simd, targetRegion(target, whole[i], writes, cAt + at * cSize), target, strips[i]);
    },
  });
}

/** The number of tiles of a whole problem. */
export function tilesOver({ images }: Extent, { rows, cols }: Axes, tile: Tile): number {
  return tilesIn({ images, rows: rows.size, cols: cols.size }, tile);
}

export function tilesIn(
  { images, rows, cols }: Pick<Rectangle, 'images' | 'rows' | 'cols'>,
  tile: Tile,
): number {
  return images * Math.ceil(rows / tile[0]) * Math.ceil(cols / tile[1]);
}

/** Whether no tile reaches over the edge of the target. */
export function isCutEvenly({ rows, cols }: Axes, tile: Tile): boolean {
  return rows.size % tile[0] === 0 && cols.size % tile[1] === 0;
}

/**
 * Cuts the problem into strips of tiles that take `tileSize` floats each.
 * @param threads share each strip. Not where tiles are summed: the order of sums is not to depend on it.
 * @returns `strips`; `whole`, the same with rows and columns rounded up to whole tiles; and `tileCount`, the largest number of tiles
 *   in a strip, rounded up to whole tiles of the micro-kernel
 */
export function planTiles(axes: Axes, images: number, tile: Tile, tileSize: number, threads = 1) {
  const fits = (tiles: number) => tiles <= STRIP_TILES || tiles * tileSize <= STRIP_SIZE;
  const strips = planStrips(axes, images, tile, (strip) => {
    const tiles = tilesIn(strip, tile);
    return fits(tiles) || (fits(tiles / threads) && tiles * tileSize <= MOST_SHARED);
  });
  const whole = strips.map((strip) => {
    return { ...strip, rows: roundUp(strip.rows, tile[0]), cols: roundUp(strip.cols, tile[1]) };
  });
  return { strips, whole, tileCount: roundUp(tilesIn(strips[0], tile), MR) }; // no strip is larger than the first
}

/** at[t]: where the first cell of tile t lies in a rectangle of these rows and columns. A cell takes `step` bytes. */
export function writeCorners(
  i32: Int32Array,
  at: number,
  held: Rectangle,
  [tileRows, tileCols]: Tile,
  { rows, cols }: Grid,
  step: number,
): void {
  writeGrid(
    i32,
    at,
    [held.images, held.rows / tileRows, held.cols / tileCols],
    [step * rows * cols, step * cols * tileRows, step * tileCols],
  );
}

/**
 * The distance in bytes from one plane of this many floats to the next. If it were a multiple of 4096 bytes, all planes would
 * compete for the same cache lines.
 */
export function planeStep(floats: number): number {
  return 4 * floats + 64;
}

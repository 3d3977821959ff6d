/**
 * The gradient of a 3 x 3 filter with fewer multiplications, in WebAssembly: Winograd's F(3 x 3, 2 x 2) and F(3 x 3, 4 x 4).
 *
 *   dFilter = transpose(A) [ sum over tiles of (transpose(B) d B) * (G dy transpose(G)) ] A
 *
 * for each source and target channel. dy: the gradients of a tile of m x m outputs. d: the (m + 2) x (m + 2) source cells that their
 * windows reach. The matrices are in ../../runtime/simd/assembly: winograd_gradient.ts for m = 2, winograd_7.ts for m = 4. A tile
 * takes n x n multiplications instead of 9 m^2: 16 instead of 36 for m = 2, 49 instead of 144 for m = 4.
 *
 * Rounding has the bound of winograd.ts, with T, the number of tiles of all images, instead of C, and r = `ROUNDINGS`. The sums of
 * strips are added too, but they are fewer than the tiles of the other strips.
 *
 * - On random data the magnitude is larger than that of the direct sum: for m = 2 by 4 times (the tap in the middle) to 9 times (the
 *   corners), for m = 4 by 16 to 20 times. In images of a few cells it is more.
 * - All constants are powers of two. Whole numbers stay exact as long as all sums stay below 2^22 (m = 2, multiples of 1/4) or
 *   2^20 (m = 4, multiples of 1/16).
 *
 * An Infinity in d or dy, or a sum that overflows, gives NaN or Infinity in the taps that meet it. It reaches other taps too
 *
 * - for m = 4,
 * - and for m = 2 at the edge of x: the first tap of a row reads d2 and the last tap reads d1, which cancel, and tiles that reach
 *   over the edge multiply cells by 0.
 *
 * Source: Winograd, "Arithmetic complexity of computations", 1980; Lavin & Gray, 2015.
 */
import { NR } from '../../runtime/simd/calls.js';
import type { Simd } from '../../runtime/simd/instance.js';
import {
  type Axes,
  copyIn,
  copyOut,
  eachStrip,
  type Extent,
  type Image,
  largest,
  liesInMemory,
  placesFor,
  placeSize,
  regionOf,
  wholeOf,
  windowOf,
} from '../../runtime/simd/strips.js';
import { scratchSize } from '../../runtime/threads/cuts.js';
import {
  COSTS,
  isLarge,
  isPlain3,
  planeStep,
  planTiles,
  type Tile,
  tilesIn,
  tilesOver,
  writeCorners,
} from './winograd.js';

/** A tile of m x m cells of dy, by n x n products. */
export interface GradientTile {
  readonly m: 2 | 4;
  readonly n: 4 | 7;
  /** With fewer channels or tiles the transforms cost as much as they save. */
  readonly least: { readonly channels: number; readonly tiles: number };
}

const TILES: GradientTile[] = [
  { m: 2, n: 4, least: { channels: 8, tiles: 9 } },
  { m: 4, n: 7, least: { channels: 8, tiles: 32 } },
];

/** r: each transform has two passes. A pass has, for d, dy and M, 1, 1 and 2 sums if n = 4, and 2, 2 and 3 sums if n = 7. */
export const ROUNDINGS = { 4: 2 * (1 + 1 + 2), 7: 2 * (2 + 2 + 3) } as const;

/** The largest number of floats in M, 16 MB. M is held as a whole. */
const MOST_SUMS = 1 << 22;
/** The number of floats of the gradient that are computed before they are copied out. */
const TAPS_SIZE = 1 << 17;

/** The tile that serves the gradient of a 3 x 3 filter of stride 1 without dilation, if the problem is large enough to gain by it. */
export function gradientTileFor(source: Extent, target: Extent, axes: Axes): GradientTile | undefined {
  const inGroups = source.channels % 4 === 0 && target.channels % NR === 0;
  if (!inGroups || !isPlain3(axes)) return undefined;
  const cost = ({ m, n }: GradientTile) => COSTS[n] * tilesOver(target, axes, [m, m]);
  return TILES.filter(
    ({ m, n, least }) =>
      n * n * source.channels * target.channels <= MOST_SUMS && isLarge(source, target, axes, [m, m], least),
  ).sort((a, b) => cost(a) - cost(b))[0];
}

/** Writes dFilter of one group by a tile. result: [3 * 3 * source channels, target channels] */
export function gradientByWinograd(
  simd: Simd,
  source: Image,
  target: Image,
  axes: Axes,
  result: Image,
  { m, n }: GradientTile,
): void {
  const [depth, width] = [source.channels, target.channels];
  const cells = n * n;
  const tile: Tile = [m, m];
  const perTile = cells * (depth + width);
  const { strips, whole, tileCount } = planTiles(axes, target.images, tile, perTile);
  const most = largest(whole, axes);
  const plane = {
    v: planeStep(tileCount * depth),
    w: planeStep(tileCount * width),
    m: planeStep(depth * width),
  };
  const writes = liesInMemory(result);
  /** Source channels whose taps are computed together. */
  const rows = Math.min(depth, Math.ceil(TAPS_SIZE / (9 * width)));
  const [aSize, dySize, tapsSize] = [most.source * depth, most.target * width, 9 * rows * width].map(
    placeSize,
  );
  const places = placesFor(simd, strips.length, aSize + dySize);
  const tapPlaces = placesFor(simd, Math.ceil(depth / rows), tapsSize);
  const [channelsAt, rowAt, scratch, v, w, sums, patches, tiles, aAt, dyAt, tapsAt] = simd.place(
    4 * depth,
    4,
    scratchSize(simd),
    cells * plane.v,
    cells * plane.w,
    cells * plane.m,
    4 * tileCount,
    4 * tileCount,
    places * aSize,
    places * dySize,
    writes ? 0 : tapPlaces * tapsSize,
  );
  for (let c = 0; c < depth; c++) simd.i32[channelsAt / 4 + c] = 4 * c;
  simd.i32[rowAt / 4] = 0;
  eachStrip(strips.length, places, {
    load(i, at) {
      copyIn(simd, aAt + at * aSize, source, windowOf(whole[i], axes));
      copyIn(simd, dyAt + at * dySize, target, whole[i]);
    },
    compute(i, at, meanwhile) {
      const held = whole[i];
      const window = windowOf(held, axes);
      const count = tilesIn(strips[i], tile);
      writeCorners(simd.i32, patches / 4, held, tile, window, 4 * depth);
      writeCorners(simd.i32, tiles / 4, held, tile, held, 4 * width);
      const input = {
        n,
        patches,
        patchCount: count,
        a: aAt + at * aSize,
        rowStep: 4 * window.cols * depth,
        channels: depth,
        to: v,
        plane: plane.v,
        scratch,
      };
      const gradients = {
        n,
        tiles,
        tileCount: count,
        dy: dyAt + at * dySize,
        rowStep: 4 * held.cols * width,
        channels: width,
        to: w,
        panelStep: 4 * NR * count,
        plane: plane.w,
        scratch,
      };
      simd.sequence('tiles', count, [['winogradInput', input], ['gradientTiles', gradients]]); // prettier-ignore
      const product = {
        count: cells,
        aStep: plane.v,
        panelsStep: plane.w,
        planeStep: plane.m,
        taps: channelsAt,
        tapCount: depth,
        rows: rowAt,
        rowCount: 1,
        cols: count,
        colStep: 4 * depth,
        a: v,
        panels: w,
        panelCount: width / NR,
        c: sums,
        cStep: 4 * width,
        continued: i > 0,
      };
      simd.sequence('planes', cells, [['accumulateEach', product]], meanwhile);
    },
  });

  const channelsOf = (i: number) => [i * rows, Math.min(depth, (i + 1) * rows)];
  eachStrip(Math.ceil(depth / rows), tapPlaces, {
    compute(i, at, meanwhile) {
      const [first, end] = channelsOf(i);
      const size = 4 * (end - first) * width;
      const tapStep = writes ? 4 * depth * width : size;
      const to = writes
        ? regionOf(result, wholeOf(result)).address + 4 * first * width
        : tapsAt + at * tapsSize;
      const call = { n, from: sums + 4 * first * width, plane: plane.m, size, to, tapStep, scratch };
      simd.sequence('vectors', size / 16, [['gradientTaps', call]], meanwhile);
    },
    store(i, at) {
      const [first, end] = channelsOf(i);
      const cols = end - first;
      for (let tap = 0; tap < 9 && !writes; tap++) {
        const from = { address: tapsAt + at * tapsSize + 4 * tap * cols * width, rows: 1, cols };
        copyOut(simd, from, result, { ...wholeOf(result), col: tap * depth + first, cols });
      }
    },
  });
}

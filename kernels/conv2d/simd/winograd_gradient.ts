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
import { NR, type Simd } from '../../runtime/simd/instance.js';
import {
  type Axes,
  copyIn,
  copyOut,
  type Extent,
  type Image,
  largest,
  liesInMemory,
  targetRegion,
  wholeOf,
  windowOf,
} from '../../runtime/simd/strips.js';
import { ALL_SCRATCH } from '../../runtime/threads/cuts.js';
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
  const [tapsAt, rowAt, scratch, v, w, sums, patches, tiles, a, dy, taps] = simd.place(
    4 * depth,
    4,
    ALL_SCRATCH,
    cells * plane.v,
    cells * plane.w,
    cells * plane.m,
    4 * tileCount,
    4 * tileCount,
    4 * most.source * depth,
    4 * most.target * width,
    writes ? 0 : 4 * 9 * depth * width,
  );
  for (let c = 0; c < depth; c++) simd.i32[tapsAt / 4 + c] = 4 * c;
  simd.i32[rowAt / 4] = 0;
  simd.f32.fill(0, sums / 4, (sums + cells * plane.m) / 4);
  strips.forEach((strip, i) => {
    const held = whole[i];
    const window = windowOf(held, axes);
    const count = tilesIn(strip, tile);
    copyIn(simd, a, source, window);
    copyIn(simd, dy, target, held);
    writeCorners(simd.i32, patches / 4, held, tile, window, 4 * depth);
    writeCorners(simd.i32, tiles / 4, held, tile, held, 4 * width);
    simd.winogradInput({
      n,
      patches,
      patchCount: count,
      a,
      rowStep: 4 * window.cols * depth,
      channels: depth,
      to: v,
      plane: plane.v,
      scratch,
    });
    simd.gradientTiles({
      n,
      tiles,
      tileCount: count,
      dy,
      rowStep: 4 * held.cols * width,
      channels: width,
      to: w,
      panelStep: 4 * NR * count,
      plane: plane.w,
      scratch,
    });
    simd.accumulateEach({
      count: cells,
      aStep: plane.v,
      panelsStep: plane.w,
      planeStep: plane.m,
      taps: tapsAt,
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
    });
  });
  const to = targetRegion(result, wholeOf(result), writes, taps);
  const size = 4 * depth * width;
  simd.gradientTaps({ n, from: sums, plane: plane.m, size, to: to.address, tapStep: size, scratch });
  if (!writes) copyOut(simd, to, result, wholeOf(result));
}

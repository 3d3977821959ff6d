/**
 * The gradient of a 3 x 3 filter with fewer multiplications: Winograd's F(3 x 3, 2 x 2), in WebAssembly.
 *
 *   dFilter = transpose(A) [ sum over tiles of (transpose(B) d B) * (G dy transpose(G)) ] A
 *
 * for each source and target channel. dy: a tile of 2 x 2 outputs' gradients, d: the 4 x 4 source cells that their windows
 * reach; the matrices stand in ../simd/assembly/winograd_gradient.ts. A tile takes 16 multiplications instead of 36.
 *
 * Rounding is bounded as in winograd.ts, with T, the tiles of all images, instead of C and r = `ROUNDINGS`: parts that strips have
 * summed are fewer than the tiles of the other strips. On random data the magnitude is 4 times the direct sum's at the
 * tap in the middle to 9 at the corners, more in images of a few cells. All constants are powers of two: whole numbers stay exact.
 *
 * An Infinity in d or dy, or a sum that overflows, gives NaN or Infinity in the taps that meet it; at the edge of x in others too,
 * as the first tap of a row takes d2 and the last one d1, which cancel, and tiles that stick out multiply cells by 0.
 *
 * Source: Winograd, "Arithmetic complexity of computations", 1980; Lavin & Gray, 2015.
 */
import { NR, type Simd } from '../simd/runtime.js';
import { type Axes, copyIn, type Image, largest, windowOf } from '../simd/strips.js';
import { isLarge, isPlain3, planTiles, type Tile, tilesIn, writeCorners } from './winograd.js';

/** r: each transform has two passes, of 1 sum for d, 1 for dy and 2 for M. */
export const ROUNDINGS = 2 * (1 + 1 + 2);

const TILE: Tile = [2, 2];

/** With fewer of them the transforms cost as much as they save. */
const LEAST = { channels: 8, tiles: 9 };
/** Floats of M, which has to be held at once: 16 MB. */
const MOST_SUMS = 1 << 22;
/** Strips of no more tiles than this are not split for their size: each of them adds to all of M. */
const STRIP_TILES = 96;

/** Whether the problem is the gradient of a 3 x 3 convolution of stride 1 without dilation, large enough to gain by it. */
export function gradientApplies(source: Image, target: Image, axes: Axes): boolean {
  const sums = 16 * source.channels * target.channels;
  const inGroups = source.channels % 4 === 0 && target.channels % NR === 0;
  const isRight = isPlain3(axes) && inGroups && sums <= MOST_SUMS;
  return isRight && isLarge(source, target, axes, TILE, LEAST);
}

/**
 * dFilter of one group, where `gradientApplies`, left in WebAssembly memory.
 * @returns its address: [3, 3, source channels, target channels]
 */
export function gradientByWinograd(simd: Simd, source: Image, target: Image, axes: Axes): number {
  const [depth, width] = [source.channels, target.channels];
  const { strips, whole, tileCount } = planTiles(
    axes,
    target.images,
    TILE,
    16 * (depth + width),
    STRIP_TILES,
  );
  const most = largest(whole, axes);
  // Planes a multiple of 4096 bytes apart would fall on the same lines of the first-level cache.
  const plane = {
    v: 4 * tileCount * depth + 64,
    w: 4 * tileCount * width + 64,
    m: 4 * depth * width + 64,
  };
  const [tapsAt, rowAt, v, w, m, patches, tiles, a, dy, result] = simd.place(
    4 * depth,
    4,
    16 * plane.v,
    16 * plane.w,
    16 * plane.m,
    4 * tileCount,
    4 * tileCount,
    4 * most.source * depth,
    4 * most.target * width,
    4 * 9 * depth * width,
  );
  for (let c = 0; c < depth; c++) simd.i32[tapsAt / 4 + c] = 4 * c;
  simd.i32[rowAt / 4] = 0;
  simd.f32.fill(0, m / 4, m / 4 + 4 * plane.m);
  strips.forEach((strip, i) => {
    const held = whole[i];
    const window = windowOf(held, axes);
    const count = tilesIn(strip, TILE);
    copyIn(simd.f32, a / 4, source, window);
    copyIn(simd.f32, dy / 4, target, held);
    writeCorners(simd.i32, patches / 4, held, TILE, window, 4 * depth);
    writeCorners(simd.i32, tiles / 4, held, TILE, held, 4 * width);
    simd.winogradInput(4, patches, count, a, 4 * window.cols * depth, depth, v, plane.v, 0);
    simd.gradientTiles(tiles, count, dy, 4 * held.cols * width, width, w, plane.w);
    for (let cell = 0; cell < 16; cell++) {
      const [from, panels, to] = [v + cell * plane.v, w + cell * plane.w, m + cell * plane.m];
      // prettier-ignore
      simd.accumulate(tapsAt, depth, rowAt, 1, count, 4 * depth, from, panels, width / NR, to, 4 * width);
    }
  });
  simd.gradientTaps(m, plane.m, 4 * depth * width, result);
  return result;
}

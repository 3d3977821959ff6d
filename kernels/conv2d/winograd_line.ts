/**
 * Convolution with a filter of 1 x L or L x 1, L >= 3, with fewer multiplications: Winograd's F(2, 3), in WebAssembly.
 *
 *   y = y of the last L mod 3 taps + transpose(A) [ sum over triples of taps and channels of (G g) * (transpose(B) d) ]
 *
 * for each pair of neighbouring outputs. d: the 4 source cells that a triple reaches, g: its 3 taps; the matrices stand in
 * ../simd/assembly/winograd_2x2.ts. A pair takes 4 multiplications a triple and channel instead of 6.
 *
 * Rounding is bounded as in winograd.ts, with K, the products of an output, instead of C and r = `ROUNDINGS`; the last taps' direct
 * sum is part of the magnitude. On random data the magnitude is 2 to 4 times the direct sum's. All constants are powers
 * of two: whole numbers stay exact. An Infinity gives NaN in the outputs whose windows hold it.
 *
 * Source: Winograd, "Arithmetic complexity of computations", 1980; Lavin & Gray, 2015.
 */
import { MR, NR, type Simd } from '../simd/runtime.js';
import { type Axes, type Axis, copyIn, copyOut, type Image, largest, windowOf } from '../simd/strips.js';
import {
  correlate,
  type Epilogue,
  type GroupFilter,
  packBlock,
  pairs,
  partsOf,
  roundUp,
  stagingSize,
  writeBias,
} from './correlate.js';
import { isLarge, isPlain, planTiles, type Tile, tilesIn, writeCorners } from './winograd.js';

/** r: 2 sums for g, 1 for d, 2 for M, 1 for the bias and 1 for the sum with the last taps. */
export const ROUNDINGS = 2 + 1 + 2 + 1 + 1;

/** With fewer of them the transforms cost more than they save, which is less than that of 3 x 3. */
const LEAST = { channels: 64, tiles: 32 };

/** Whether the problem is of that kind, with stride 1 and without dilation, and large enough to gain by it. */
export function lineApplies(source: Image, target: Image, axes: Axes): boolean {
  const { rows, cols } = axes;
  const [height, width] = [rows.phases[0].length, cols.phases[0].length];
  const isLine =
    Math.min(height, width) === 1 && Math.max(height, width) >= 3 && isPlain(rows) && isPlain(cols);
  return (
    isLine && target.channels % NR === 0 && isLarge(source, target, axes, tileAlong(lineOf(axes)), LEAST)
  );
}

/** The axis that the filter lies along. */
function lineOf({ rows }: Axes): keyof Axes {
  return rows.phases[0].length === 1 ? 'cols' : 'rows';
}

function tileAlong(along: keyof Axes): Tile {
  return along === 'cols' ? [1, 2] : [2, 1];
}

/** As `correlate`, where `lineApplies`. */
export function correlateByLine(
  simd: Simd,
  source: Image,
  target: Image,
  axes: Axes,
  filter: GroupFilter,
  epilogue: Epilogue,
): void {
  const along = lineOf(axes);
  const taps = pairs(axes.rows.phases[0], axes.cols.phases[0]);
  const rest = taps.length % 3;
  if (rest > 0) {
    const { bias } = epilogue;
    const last = { ...axes, [along]: lastTaps(axes[along], rest) };
    correlate(simd, source, target, last, filter, { bias, lowest: -Infinity, highest: Infinity });
  }
  const triples = (taps.length - rest) / 3;
  const depth = triples * source.channels;
  const width = target.channels;
  const tile = tileAlong(along);
  const { strips, whole, tileCount } = planTiles(axes, target.images, tile, 4 * (depth + width));
  const most = largest(whole, axes);
  const blocks = partsOf(depth, depth);
  // Planes a multiple of 4096 bytes apart would fall on the same lines of the first-level cache.
  const plane = {
    u: 4 * depth * width + 64,
    v: 4 * tileCount * depth + 64,
    m: 4 * tileCount * width + 64,
  };
  const [staging, g, u, v, products, bias, none, segments, rows, outs, corners, patches, tiles, a, c] =
    simd.place(
      4 * stagingSize(filter),
      3 * plane.u,
      4 * plane.u,
      4 * plane.v,
      4 * plane.m,
      4 * width,
      4 * width,
      4 * blocks.length,
      4 * tileCount,
      4 * tileCount,
      4 * tileCount,
      4 * tileCount * triples,
      4 * tileCount,
      4 * most.source * source.channels,
      4 * most.target * width,
    );
  writeBias(simd, bias, width, epilogue);
  simd.f32.fill(0, none / 4, none / 4 + width);
  blocks.forEach(([start], i) => (simd.i32[segments / 4 + i] = 4 * start));
  for (let t = 0; t < tileCount; t++) {
    simd.i32[rows / 4 + t] = 4 * t * depth;
    simd.i32[outs / 4 + t] = 4 * t * width;
  }
  for (let i = 0; i < 3; i++) {
    const every3rd = taps.slice(0, 3 * triples).filter((_, k) => k % 3 === i);
    for (const [start, rows] of blocks) {
      const to = g + i * plane.u + 4 * start * width;
      packBlock(simd, filter, every3rd, { start, depth: rows }, source.channels, width, staging, to);
    }
  }
  simd.lineFilter(g, plane.u, 4 * depth * width, u, plane.u);
  const { lowest, highest } = epilogue;

  strips.forEach((strip, i) => {
    const held = whole[i];
    const window = windowOf(held, axes);
    const count = tilesIn(strip, tile);
    const step = 4 * source.channels * (along === 'cols' ? 1 : window.cols);
    copyIn(simd.f32, a / 4, source, window);
    writeCorners(simd.i32, corners / 4, held, tile, window, 4 * source.channels);
    writeCorners(simd.i32, tiles / 4, held, tile, held, 4 * width);
    writePatches(simd.i32, patches / 4, corners / 4, count, triples, 3 * step);
    simd.lineInput(patches, count * triples, a, step, source.channels, v, plane.v);
    for (let cell = 0; cell < 4; cell++) {
      blocks.forEach(([start, rowCount], block) => {
        const [from, panels] = [v + cell * plane.v, u + cell * plane.u + 4 * start * width];
        // prettier-ignore
        simd.multiply(rows, outs, roundUp(count, MR), segments + 4 * block, 1, rowCount, from, panels, width / NR, none, products + cell * plane.m, block > 0, false, 0, 0);
      });
    }
    if (rest > 0) copyIn(simd.f32, c / 4, target, held);
    const pair = 4 * width * (along === 'cols' ? 1 : held.cols);
    // prettier-ignore
    simd.lineOutput(products, plane.m, tiles, count, c, pair, width, bias, rest > 0, lowest, highest);
    copyOut(simd.f32, c / 4, held, target, strip);
  });
}

function lastTaps(axis: Axis, count: number): Axis {
  const taps = axis.phases[0].slice(-count);
  return { ...axis, phases: [taps], lowest: taps[0].offset };
}

/** at[t * triples + i]: where the cells that triple i meets for tile t start, from the tile's first cell on. */
function writePatches(
  i32: Int32Array,
  at: number,
  corners: number,
  tileCount: number,
  triples: number,
  step: number,
): void {
  for (let t = 0; t < tileCount; t++) {
    for (let i = 0; i < triples; i++) i32[at++] = i32[corners + t] + i * step;
  }
}

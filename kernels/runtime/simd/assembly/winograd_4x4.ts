/**
 * The transforms of Winograd's F(4 x 4, 3 x 3), for one tile and four channels. winograd.ts says where they belong.
 *
 *        1/4     0     0                     4  0 -5  0  1  0
 *       -1/6  -1/6  -1/6                     0 -4 -4  1  1  0                    1  1  1  1  1  0
 *   G = -1/6   1/6  -1/6    transpose(B) =   0  4 -4 -1  1  0    transpose(A) =  0  1 -1  2 -2  0
 *       1/24  1/12   1/6                     0 -2 -1  2  1  0                    0  1  1  4  4  0
 *       1/24 -1/12   1/6                     0  2 -1 -2  1  0                    0  1 -1  8 -8  1
 *          0     0     1                     0  4  0 -5  0  1
 *
 * The transformed columns, at most 6 x 6 cells of 16 bytes, go through `scratch`.
 */
import { bounded } from './bounded';
import { madd } from './madd';

/** The taps lie `step` apart, the 6 x 6 cells of U `plane`. */
// @ts-ignore: decorator
@inline
export function filter4x4(g: usize, step: usize, to: usize, plane: usize, scratch: usize): void {
  for (let col: usize = 0; col < 3; col++) {
    filter(g + col * step, 3 * step, scratch + (col << 4), 48);
  }
  for (let row: usize = 0; row < 6; row++) {
    filter(scratch + row * 48, 16, to + 6 * row * plane, plane);
  }
}

/** G g: from 3 values that lie `step` apart to 6. */
// @ts-ignore: decorator
@inline
function filter(g: usize, step: usize, to: usize, toStep: usize): void {
  const g0 = v128.load(g);
  const g1 = v128.load(g + step);
  const g2 = v128.load(g + 2 * step);
  const sixth = f32x4.splat(-1 / 6);
  const sum = f32x4.add(g0, g2);
  const even = f32x4.add(f32x4.mul(f32x4.splat(1 / 24), g0), f32x4.mul(f32x4.splat(1 / 6), g2));
  const odd = f32x4.mul(f32x4.splat(1 / 12), g1);
  v128.store(to, f32x4.mul(f32x4.splat(0.25), g0));
  v128.store(to + toStep, f32x4.mul(sixth, f32x4.add(sum, g1)));
  v128.store(to + 2 * toStep, f32x4.mul(sixth, f32x4.sub(sum, g1)));
  v128.store(to + 3 * toStep, f32x4.add(even, odd));
  v128.store(to + 4 * toStep, f32x4.sub(even, odd));
  v128.store(to + 5 * toStep, g2);
}

// @ts-ignore: decorator
@inline
export function input4x4(
  d: usize,
  rowStep: usize,
  colStep: usize,
  to: usize,
  plane: usize,
  scratch: usize,
): void {
  for (let col: usize = 0; col < 6; col++) {
    input(d + col * colStep, rowStep, scratch + (col << 4), 96);
  }
  for (let row: usize = 0; row < 6; row++) {
    input(scratch + row * 96, 16, to + 6 * row * plane, plane);
  }
}

/** transpose(B) d: from 6 values to 6. */
// @ts-ignore: decorator
@inline
function input(d: usize, step: usize, to: usize, toStep: usize): void {
  const d0 = v128.load(d);
  const d1 = v128.load(d + step);
  const d2 = v128.load(d + 2 * step);
  const d3 = v128.load(d + 3 * step);
  const d4 = v128.load(d + 4 * step);
  const d5 = v128.load(d + 5 * step);
  const two = f32x4.splat(2);
  const four = f32x4.splat(4);
  const minusFive = f32x4.splat(-5);
  const minusFour = f32x4.splat(-4);
  const even = madd(minusFour, d2, d4);
  const odd = madd(minusFour, d1, d3);
  const difference = f32x4.sub(d4, d2);
  const twice = f32x4.mul(two, f32x4.sub(d3, d1));
  v128.store(to, madd(four, d0, madd(minusFive, d2, d4)));
  v128.store(to + toStep, f32x4.add(even, odd));
  v128.store(to + 2 * toStep, f32x4.sub(even, odd));
  v128.store(to + 3 * toStep, f32x4.add(difference, twice));
  v128.store(to + 4 * toStep, f32x4.sub(difference, twice));
  v128.store(to + 5 * toStep, madd(four, d1, madd(minusFive, d3, d5)));
}

// @ts-ignore: decorator
@inline
export function output4x4(
  v: usize,
  plane: usize,
  c: usize,
  rowStep: usize,
  colStep: usize,
  bias: v128,
  low: v128,
  high: v128,
  scratch: usize,
): void {
  for (let col: usize = 0; col < 6; col++) {
    output(v + col * plane, 6 * plane, scratch + (col << 4), 96);
  }
  for (let row: usize = 0; row < 4; row++) {
    output(scratch + row * 96, 16, c, colStep);
    for (let cell = c; cell < c + 4 * colStep; cell += colStep) {
      const y = f32x4.add(v128.load(cell), bias);
      v128.store(cell, bounded(y, low, high));
    }
    c += rowStep;
  }
}

/** transpose(A) v: from 6 values to 4. */
// @ts-ignore: decorator
@inline
function output(v: usize, step: usize, to: usize, toStep: usize): void {
  const v0 = v128.load(v);
  const v1 = v128.load(v + step);
  const v2 = v128.load(v + 2 * step);
  const v3 = v128.load(v + 3 * step);
  const sum = f32x4.add(v1, v2);
  const difference = f32x4.sub(v1, v2);
  const v4 = v128.load(v + 4 * step);
  const v5 = v128.load(v + 5 * step);
  const sum34 = f32x4.add(v3, v4);
  const difference34 = f32x4.sub(v3, v4);
  v128.store(to, f32x4.add(f32x4.add(v0, sum), sum34));
  v128.store(to + toStep, madd(f32x4.splat(2), difference34, difference));
  v128.store(to + 2 * toStep, madd(f32x4.splat(4), sum34, sum));
  v128.store(to + 3 * toStep, f32x4.add(madd(f32x4.splat(8), difference34, difference), v5));
}

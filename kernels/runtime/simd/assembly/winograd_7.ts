/**
 * The transforms of Winograd's filtering with seven products, for four channels:
 *
 *   - F(4, 3) and F(3, 4), along a line (winograd_line.ts): m neighbouring outputs from six inputs and r taps, m + r = 7.
 *   - F(4 x 4, 3 x 3) and F(3 x 3, 4 x 4) with 7 x 7 products (winograd.ts and winograd_gradient.ts).
 *
 *         1    0    0    0                    1  0  0  0 -1  0
 *        1/4  1/4  1/4  1/4                   0  1  1  1  1  0                    1  1  1  1  0 -1  0
 *        1/4 -1/4  1/4 -1/4                   0 -1  1 -1  1  0                    0  1 -1  0  1 -1  0
 *   G =  1/2   0  -1/2   0    transpose(B) =  0 -1 -1  1  1  0    transpose(A) =  0  1  1 -1  0  1  0
 *         0   1/2   0  -1/2                   0 -1  1  1 -1  0                    0  1 -1  0 -1  1  0
 *        1/2  1/2 -1/2 -1/2                   0 -1  0  1  0  0
 *         0    0    0    0                    0 -1  0  0  0  1
 *
 * Only the first r columns of G and the first m rows of transpose(A) are used. The last used column and the last used row each get a 1
 * at the end.
 *
 * The filter and the inputs are polynomials. They are multiplied modulo x, x - 1, x + 1 and x^2 + 1, and at infinity. The factor
 * x^2 + 1 takes three products. Two points instead of it would save one product, but their constants would be far larger, and not
 * powers of two. A filter of r - 1 taps has nothing at infinity: it needs neither the last product nor the last input.
 *
 * Source: Barabasz & Gregg, "Winograd convolution for DNNs: beyond linear polynomials", 2019.
 */
import { bounded } from './bounded';

/** G g without its last cell, which is the last tap. The r taps lie `step` apart, the cells `plane` apart. */
// @ts-ignore: decorator
@inline
export function filter7(r: u32, g: usize, step: usize, to: usize, plane: usize): void {
  const half = f32x4.splat(0.5);
  const quarter = f32x4.splat(0.25);
  const g0 = v128.load(g);
  const g1 = v128.load(g + step);
  const g2 = v128.load(g + 2 * step);
  let odds = g1;
  let odd = g1;
  if (r == 4) {
    const g3 = v128.load(g + 3 * step);
    odds = f32x4.add(g1, g3);
    odd = f32x4.sub(g1, g3);
  }
  odds = f32x4.mul(quarter, odds);
  odd = f32x4.mul(half, odd);
  const evens = f32x4.mul(quarter, f32x4.add(g0, g2));
  const even = f32x4.mul(half, f32x4.sub(g0, g2));
  v128.store(to, g0);
  v128.store(to + plane, f32x4.add(evens, odds));
  v128.store(to + 2 * plane, f32x4.sub(evens, odds));
  v128.store(to + 3 * plane, even);
  v128.store(to + 4 * plane, odd);
  v128.store(to + 5 * plane, f32x4.add(even, odd));
}

/** transpose(B) d without its last cell. It needs only the first five inputs. */
// @ts-ignore: decorator
@inline
export function input7(d: usize, step: usize, to: usize, plane: usize): void {
  const d1 = v128.load(d + step);
  const d2 = v128.load(d + 2 * step);
  const d3 = v128.load(d + 3 * step);
  const d4 = v128.load(d + 4 * step);
  const even = f32x4.sub(d4, d2);
  const odd = f32x4.sub(d3, d1);
  const evens = f32x4.add(d2, d4);
  const odds = f32x4.add(d1, d3);
  v128.store(to, f32x4.sub(v128.load(d), d4));
  v128.store(to + plane, f32x4.add(evens, odds));
  v128.store(to + 2 * plane, f32x4.sub(evens, odds));
  v128.store(to + 3 * plane, f32x4.add(even, odd));
  v128.store(to + 4 * plane, f32x4.sub(odd, even));
  v128.store(to + 5 * plane, odd);
}

/** The last cell of transpose(B) d. */
// @ts-ignore: decorator
@inline
export function lastInput7(d: usize, step: usize, to: usize): void {
  v128.store(to, f32x4.sub(v128.load(d + 5 * step), v128.load(d + step)));
}

/**
 * transpose(A) v: from cells that lie `plane` apart to m values that lie `step` apart. If `done`, the bias is added and the values
 * are kept between the bounds.
 */
// @ts-ignore: decorator
@inline
export function output7(
  m: u32,
  v: usize,
  plane: usize,
  to: usize,
  step: usize,
  done: bool,
  bias: v128,
  low: v128,
  high: v128,
): void {
  const v1 = v128.load(v + plane);
  const v2 = v128.load(v + 2 * plane);
  const v3 = v128.load(v + 3 * plane);
  const v4 = v128.load(v + 4 * plane);
  const v5 = v128.load(v + 5 * plane);
  const last = v128.load(v + 6 * plane);
  const sum = f32x4.add(v1, v2);
  const difference = f32x4.sub(v1, v2);
  let y2 = f32x4.add(sum, f32x4.sub(v5, v3));
  if (m == 3) y2 = f32x4.add(y2, last);
  put(to, f32x4.add(f32x4.add(v128.load(v), sum), f32x4.sub(v3, v5)), done, bias, low, high);
  put(to + step, f32x4.add(difference, f32x4.sub(v4, v5)), done, bias, low, high);
  put(to + 2 * step, y2, done, bias, low, high);
  if (m == 4) {
    const y3 = f32x4.add(f32x4.add(difference, last), f32x4.sub(v5, v4));
    put(to + 3 * step, y3, done, bias, low, high);
  }
}

// @ts-ignore: decorator
@inline
function put(to: usize, y: v128, done: bool, bias: v128, low: v128, high: v128): void {
  v128.store(to, done ? bounded(f32x4.add(y, bias), low, high) : y);
}

/**
 * From r x r taps to 7 x 7 cells of U, or from r x r cells of dy to 7 x 7 cells of W. The 7 x 7 cells lie `plane` apart. Here and
 * below the transformed columns go through `scratch`.
 */
// @ts-ignore: decorator
@inline
export function filter7x7(
  r: u32,
  g: usize,
  rowStep: usize,
  colStep: usize,
  to: usize,
  plane: usize,
  scratch: usize,
): void {
  const size: usize = r << 4;
  const last: usize = r - 1;
  for (let col: usize = 0; col < r; col++) {
    const tap = g + col * colStep;
    filter7(r, tap, rowStep, scratch + (col << 4), size);
    v128.store(scratch + 6 * size + (col << 4), v128.load(tap + last * rowStep));
  }
  for (let row: usize = 0; row < 7; row++) {
    const taps = scratch + row * size;
    filter7(r, taps, 16, to, plane);
    v128.store(to + 6 * plane, v128.load(taps + (last << 4)));
    to += 7 * plane;
  }
}

/** From 6 x 6 cells of the image to 7 x 7 cells of V. */
// @ts-ignore: decorator
@inline
export function input7x7(
  d: usize,
  rowStep: usize,
  colStep: usize,
  to: usize,
  plane: usize,
  scratch: usize,
): void {
  for (let col: usize = 0; col < 6; col++) {
    const cells = d + col * colStep;
    input7(cells, rowStep, scratch + (col << 4), 96);
    lastInput7(cells, rowStep, scratch + 6 * 96 + (col << 4));
  }
  for (let row: usize = 0; row < 7; row++) {
    const cells = scratch + row * 96;
    input7(cells, 16, to, plane);
    lastInput7(cells, 16, to + 6 * plane);
    to += 7 * plane;
  }
}

/** From 7 x 7 cells of M to m x m outputs or taps. If `done`, the bias is added and the values are kept between the bounds. */
// @ts-ignore: decorator
@inline
export function output7x7(
  m: u32,
  v: usize,
  plane: usize,
  c: usize,
  rowStep: usize,
  colStep: usize,
  done: bool,
  bias: v128,
  low: v128,
  high: v128,
  scratch: usize,
): void {
  for (let col: usize = 0; col < 7; col++) {
    output7(m, v + col * plane, 7 * plane, scratch + (col << 4), 112, false, bias, low, high);
  }
  for (let row: usize = 0; row < m; row++) {
    output7(m, scratch + row * 112, 16, c, colStep, done, bias, low, high);
    c += rowStep;
  }
}

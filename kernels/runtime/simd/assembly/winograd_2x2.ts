/**
 * The transforms of Winograd's F(2 x 2, 3 x 3), for one tile and four channels. winograd.ts says where they belong.
 *
 *        1    0    0                     1  0 -1  0
 *   G = 1/2  1/2  1/2    transpose(B) =   0  1  1  0    transpose(A) =  1  1  1  0
 *       1/2 -1/2  1/2                     0 -1  1  0                    0  1 -1 -1
 *        0    0    1                      0  1  0 -1
 *
 * The transformed columns stay in registers. If they went through memory, as for 4 x 4, a convolution would take 4 to 12% longer.
 */
import { bounded } from './bounded';

/** The taps lie `step` apart, the 4 x 4 cells of U `plane`. */
// @ts-ignore: decorator
@inline
export function filter2x2(g: usize, step: usize, to: usize, plane: usize): void {
  const half = f32x4.splat(0.5);
  const g00 = v128.load(g);
  const g01 = v128.load(g + step);
  const g02 = v128.load(g + 2 * step);
  const g10 = v128.load(g + 3 * step);
  const g11 = v128.load(g + 4 * step);
  const g12 = v128.load(g + 5 * step);
  const g20 = v128.load(g + 6 * step);
  const g21 = v128.load(g + 7 * step);
  const g22 = v128.load(g + 8 * step);
  const sum0 = f32x4.add(g00, g20);
  const sum1 = f32x4.add(g01, g21);
  const sum2 = f32x4.add(g02, g22);
  filterRow(g00, g01, g02, to, plane);
  filterRow(
    f32x4.mul(half, f32x4.add(sum0, g10)),
    f32x4.mul(half, f32x4.add(sum1, g11)),
    f32x4.mul(half, f32x4.add(sum2, g12)),
    to + 4 * plane,
    plane,
  );
  filterRow(
    f32x4.mul(half, f32x4.sub(sum0, g10)),
    f32x4.mul(half, f32x4.sub(sum1, g11)),
    f32x4.mul(half, f32x4.sub(sum2, g12)),
    to + 8 * plane,
    plane,
  );
  filterRow(g20, g21, g22, to + 12 * plane, plane);
}

/** G g. Its values lie `step` apart. */
// @ts-ignore: decorator
@inline
function filterRow(g0: v128, g1: v128, g2: v128, to: usize, step: usize): void {
  const half = f32x4.splat(0.5);
  const sum = f32x4.add(g0, g2);
  v128.store(to, g0);
  v128.store(to + step, f32x4.mul(half, f32x4.add(sum, g1)));
  v128.store(to + 2 * step, f32x4.mul(half, f32x4.sub(sum, g1)));
  v128.store(to + 3 * step, g2);
}

// @ts-ignore: decorator
@inline
export function input2x2(d: usize, rowStep: usize, colStep: usize, to: usize, plane: usize): void {
  const d1 = d + rowStep;
  const d2 = d1 + rowStep;
  const d3 = d2 + rowStep;
  const d10 = v128.load(d1);
  const d11 = v128.load(d1 + colStep);
  const d12 = v128.load(d1 + 2 * colStep);
  const d13 = v128.load(d1 + 3 * colStep);
  const d20 = v128.load(d2);
  const d21 = v128.load(d2 + colStep);
  const d22 = v128.load(d2 + 2 * colStep);
  const d23 = v128.load(d2 + 3 * colStep);
  inputRow(
    f32x4.sub(v128.load(d), d20),
    f32x4.sub(v128.load(d + colStep), d21),
    f32x4.sub(v128.load(d + 2 * colStep), d22),
    f32x4.sub(v128.load(d + 3 * colStep), d23),
    to,
    plane,
  );
  inputRow(
    f32x4.add(d10, d20),
    f32x4.add(d11, d21),
    f32x4.add(d12, d22),
    f32x4.add(d13, d23),
    to + 4 * plane,
    plane,
  );
  inputRow(
    f32x4.sub(d20, d10),
    f32x4.sub(d21, d11),
    f32x4.sub(d22, d12),
    f32x4.sub(d23, d13),
    to + 8 * plane,
    plane,
  );
  inputRow(
    f32x4.sub(d10, v128.load(d3)),
    f32x4.sub(d11, v128.load(d3 + colStep)),
    f32x4.sub(d12, v128.load(d3 + 2 * colStep)),
    f32x4.sub(d13, v128.load(d3 + 3 * colStep)),
    to + 12 * plane,
    plane,
  );
}

/** transpose(B) d. Its values lie `step` apart. */
// @ts-ignore: decorator
@inline
function inputRow(d0: v128, d1: v128, d2: v128, d3: v128, to: usize, step: usize): void {
  v128.store(to, f32x4.sub(d0, d2));
  v128.store(to + step, f32x4.add(d1, d2));
  v128.store(to + 2 * step, f32x4.sub(d2, d1));
  v128.store(to + 3 * step, f32x4.sub(d1, d3));
}

// @ts-ignore: decorator
@inline
export function output2x2(
  v: usize,
  plane: usize,
  c: usize,
  rowStep: usize,
  colStep: usize,
  bias: v128,
  low: v128,
  high: v128,
): void {
  const v10 = v128.load(v + 4 * plane);
  const v11 = v128.load(v + 5 * plane);
  const v12 = v128.load(v + 6 * plane);
  const v13 = v128.load(v + 7 * plane);
  const v20 = v128.load(v + 8 * plane);
  const v21 = v128.load(v + 9 * plane);
  const v22 = v128.load(v + 10 * plane);
  const v23 = v128.load(v + 11 * plane);
  outputRow(
    f32x4.add(v128.load(v), f32x4.add(v10, v20)),
    f32x4.add(v128.load(v + plane), f32x4.add(v11, v21)),
    f32x4.add(v128.load(v + 2 * plane), f32x4.add(v12, v22)),
    f32x4.add(v128.load(v + 3 * plane), f32x4.add(v13, v23)),
    c,
    colStep,
    bias,
    low,
    high,
  );
  outputRow(
    f32x4.sub(f32x4.sub(v10, v20), v128.load(v + 12 * plane)),
    f32x4.sub(f32x4.sub(v11, v21), v128.load(v + 13 * plane)),
    f32x4.sub(f32x4.sub(v12, v22), v128.load(v + 14 * plane)),
    f32x4.sub(f32x4.sub(v13, v23), v128.load(v + 15 * plane)),
    c + rowStep,
    colStep,
    bias,
    low,
    high,
  );
}

/** transpose(A) v, with the bias added, between the bounds. Its values lie `step` apart. */
// @ts-ignore: decorator
@inline
function outputRow(
  v0: v128,
  v1: v128,
  v2: v128,
  v3: v128,
  c: usize,
  step: usize,
  bias: v128,
  low: v128,
  high: v128,
): void {
  const y0 = f32x4.add(v0, f32x4.add(v1, v2));
  const y1 = f32x4.sub(f32x4.sub(v1, v2), v3);
  v128.store(c, bounded(f32x4.add(y0, bias), low, high));
  v128.store(c + step, bounded(f32x4.add(y1, bias), low, high));
}

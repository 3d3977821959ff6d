/**
 * The transforms of Winograd's F(3 x 3, m x m), m = 2 or 4. It computes the nine taps of dFilter from patches of (m + 2) x (m + 2)
 * cells of x and tiles of m x m cells of dy, with n x n multiplications: n = 4 for m = 2, n = 7 for m = 4.
 *
 *   W = G dy transpose(G)   V = transpose(B) d B   M = sum over tiles of V * W, cell by cell   dFilter = transpose(A) M A
 *
 *        1    0                     1  1  1  0
 *   G = 1/2  1/2    transpose(A) =  0  1 -1  0        for m = 2. winograd_7.ts has the matrices for m = 4.
 *       1/2 -1/2                    0  1  1 -1
 *        0    1
 *
 * - V is the same as in the forward pass (winograd.ts).
 * - The sum M is the product of accumulate.ts, once for each of the n x n cells.
 * - W and M each have a plane for each cell. Planes lie `plane` bytes apart: W [panels][tiles][8],
 *   M [source channels][target channels].
 * - The number of target channels is a multiple of 8.
 * - scratch holds n x n x 16 bytes; only m = 4 uses it. Addresses and steps are in bytes.
 *
 * Source: Winograd, "Arithmetic complexity of computations", 1980; Lavin & Gray, "Fast algorithms for convolutional neural
 * networks", 2015, section 4.
 */
import { filter7x7, output7x7 } from './winograd_7';

/** W from the tiles of dy. Its rows lie rowStep apart, its columns 4 * channels. The panels of W lie panelStep apart. */
export function gradientTiles(
  n: u32,
  tiles: usize,
  tileCount: u32,
  dy: usize,
  rowStep: usize,
  channels: u32,
  to: usize,
  panelStep: usize,
  plane: usize,
  scratch: usize,
): void {
  const colStep = channels << 2;
  for (let t: u32 = 0; t < tileCount; t++) {
    const tile = dy + load<u32>(tiles + (t << 2));
    for (let at: usize = 0; at < colStep; at += 16) {
      const cell = to + (at >> 5) * panelStep + (t << 5) + (at & 16);
      if (n == 4) tile4x4(tile + at, rowStep, colStep, cell, plane);
      else filter7x7(4, tile + at, rowStep, colStep, cell, plane, scratch);
    }
  }
}

// @ts-ignore: decorator
@inline
function tile4x4(dy: usize, rowStep: usize, colStep: usize, to: usize, plane: usize): void {
  const half = f32x4.splat(0.5);
  const g00 = v128.load(dy);
  const g01 = v128.load(dy + colStep);
  const g10 = v128.load(dy + rowStep);
  const g11 = v128.load(dy + rowStep + colStep);
  tileRow(g00, g01, to, plane);
  tileRow(
    f32x4.mul(half, f32x4.add(g00, g10)),
    f32x4.mul(half, f32x4.add(g01, g11)),
    to + 4 * plane,
    plane,
  );
  tileRow(
    f32x4.mul(half, f32x4.sub(g00, g10)),
    f32x4.mul(half, f32x4.sub(g01, g11)),
    to + 8 * plane,
    plane,
  );
  tileRow(g10, g11, to + 12 * plane, plane);
}

/** G g. Its values lie `step` apart. */
// @ts-ignore: decorator
@inline
function tileRow(g0: v128, g1: v128, to: usize, step: usize): void {
  const half = f32x4.splat(0.5);
  v128.store(to, g0);
  v128.store(to + step, f32x4.mul(half, f32x4.add(g0, g1)));
  v128.store(to + 2 * step, f32x4.mul(half, f32x4.sub(g0, g1)));
  v128.store(to + 3 * step, g1);
}

/** The nine taps from M, `size` bytes of each. They lie tapStep apart. */
export function gradientTaps(
  n: u32,
  from: usize,
  plane: usize,
  size: usize,
  to: usize,
  tapStep: usize,
  scratch: usize,
): void {
  const none = f32x4.splat(0);
  for (const end = from + size; from < end; from += 16) {
    if (n == 4) taps4x4(from, plane, to, tapStep);
    else output7x7(3, from, plane, to, 3 * tapStep, tapStep, false, none, none, none, scratch);
    to += 16;
  }
}

// @ts-ignore: decorator
@inline
function taps4x4(v: usize, plane: usize, to: usize, step: usize): void {
  const m10 = v128.load(v + 4 * plane);
  const m11 = v128.load(v + 5 * plane);
  const m12 = v128.load(v + 6 * plane);
  const m13 = v128.load(v + 7 * plane);
  const m20 = v128.load(v + 8 * plane);
  const m21 = v128.load(v + 9 * plane);
  const m22 = v128.load(v + 10 * plane);
  const m23 = v128.load(v + 11 * plane);
  const sum0 = f32x4.add(m10, m20);
  const sum1 = f32x4.add(m11, m21);
  const sum2 = f32x4.add(m12, m22);
  const sum3 = f32x4.add(m13, m23);
  tapRow(
    f32x4.add(v128.load(v), sum0),
    f32x4.add(v128.load(v + plane), sum1),
    f32x4.add(v128.load(v + 2 * plane), sum2),
    f32x4.add(v128.load(v + 3 * plane), sum3),
    to,
    step,
  );
  tapRow(
    f32x4.sub(m10, m20),
    f32x4.sub(m11, m21),
    f32x4.sub(m12, m22),
    f32x4.sub(m13, m23),
    to + 3 * step,
    step,
  );
  tapRow(
    f32x4.sub(sum0, v128.load(v + 12 * plane)),
    f32x4.sub(sum1, v128.load(v + 13 * plane)),
    f32x4.sub(sum2, v128.load(v + 14 * plane)),
    f32x4.sub(sum3, v128.load(v + 15 * plane)),
    to + 6 * step,
    step,
  );
}

/** transpose(A) m. Its values lie `step` apart. */
// @ts-ignore: decorator
@inline
function tapRow(m0: v128, m1: v128, m2: v128, m3: v128, to: usize, step: usize): void {
  const sum = f32x4.add(m1, m2);
  v128.store(to, f32x4.add(m0, sum));
  v128.store(to + step, f32x4.sub(m1, m2));
  v128.store(to + 2 * step, f32x4.sub(sum, m3));
}

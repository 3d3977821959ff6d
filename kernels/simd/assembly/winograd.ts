/**
 * Transforms of Winograd's minimal filtering F(m x m, 3 x 3), m = 2 or 4: a tile of m x m outputs from a patch of
 * n x n inputs, n = m + 2, with n * n multiplications a channel instead of 9 m m.
 *
 *   U = G g transpose(G)   V = transpose(B) d B   M = sum over channels of U * V, cell by cell   y = transpose(A) M A
 *
 * The sum over channels is the matrix product of multiply.ts, once for each of the n * n cells; here are the other
 * three. Each is a 1-D transform along the rows, then along the columns, of four channels at once. U, V and M are planes,
 * one for each cell, `plane` bytes apart: U [panels][source channels][8], V [tiles][source channels], M [tiles][target channels].
 *
 * Who pads: the caller. Channels come in whole groups of four; patches and tiles that stick out of the image are there.
 * scratch holds n * n * 16 bytes. Addresses and steps are in bytes.
 *
 * Source: Lavin & Gray, "Fast algorithms for convolutional neural networks", 2015, section 4.
 */
import { madd } from './madd';

/** U from the 3 x 3 taps, tapStep apart, whose panels are panelStep and whose rows rowStep apart. */
export function winogradFilter(
  m: u32,
  taps: usize,
  tapStep: usize,
  rowStep: usize,
  panelStep: usize,
  depth: u32,
  panelCount: u32,
  to: usize,
  plane: usize,
  scratch: usize,
): void {
  const n = m + 2;
  for (let panel: u32 = 0; panel < panelCount; panel++) {
    let row = taps + panel * panelStep;
    for (let k: u32 = 0; k < depth; k++) {
      for (let half: usize = 0; half < 32; half += 16) {
        for (let col: usize = 0; col < 3; col++) {
          filter1D(m, row + half + col * tapStep, 3 * tapStep, scratch + (col << 4), 48);
        }
        for (let i: usize = 0; i < n; i++) {
          filter1D(m, scratch + i * 48, 16, to + half + i * n * plane, plane);
        }
      }
      row += rowStep;
      to += 32;
    }
  }
}

/** V from the patches of the image a, whose rows and columns are rowStep and 4 * channels apart. */
export function winogradInput(
  m: u32,
  patches: usize,
  patchCount: u32,
  a: usize,
  rowStep: usize,
  channels: u32,
  to: usize,
  plane: usize,
  scratch: usize,
): void {
  const n = m + 2;
  const colStep = channels << 2;
  for (let p: u32 = 0; p < patchCount; p++) {
    const patch = a + load<u32>(patches + (p << 2));
    for (let at: usize = 0; at < colStep; at += 16) {
      for (let col: usize = 0; col < n; col++) {
        input1D(m, patch + at + col * colStep, rowStep, scratch + (col << 4), n << 4);
      }
      for (let row: usize = 0; row < n; row++) {
        input1D(m, scratch + ((row * n) << 4), 16, to + at + row * n * plane, plane);
      }
    }
    to += colStep;
  }
}

/** y, through bias and bounds, from M; tile t's first cell is at c + tiles[t], its rows rowStep and its columns colStep apart; M has `channels` of them. */
export function winogradOutput(
  m: u32,
  from: usize,
  plane: usize,
  tiles: usize,
  tileCount: u32,
  c: usize,
  rowStep: usize,
  colStep: usize,
  channels: u32,
  bias: usize,
  lowest: f32,
  highest: f32,
  scratch: usize,
): void {
  const n = m + 2;
  const size = channels << 2;
  const low = f32x4.splat(lowest);
  const high = f32x4.splat(highest);
  for (let t: u32 = 0; t < tileCount; t++) {
    const tile = c + load<u32>(tiles + (t << 2));
    for (let at: usize = 0; at < size; at += 16) {
      for (let col: usize = 0; col < n; col++) {
        output1D(m, from + at + col * plane, n * plane, scratch + (col << 4), n << 4);
      }
      const add = v128.load(bias + at);
      for (let row: usize = 0; row < m; row++) {
        const cells = tile + at + row * rowStep;
        output1D(m, scratch + ((row * n) << 4), 16, cells, colStep);
        for (let col: usize = 0; col < m; col++) {
          const cell = cells + col * colStep;
          const y = f32x4.add(v128.load(cell), add);
          v128.store(cell, f32x4.min(f32x4.max(y, low), high));
        }
      }
    }
    from += size;
  }
}

/** G g: 3 values, `step` apart, to m + 2. */
// @ts-ignore: decorator
@inline
function filter1D(m: u32, g: usize, step: usize, to: usize, toStep: usize): void {
  const g0 = v128.load(g);
  const g1 = v128.load(g + step);
  const g2 = v128.load(g + 2 * step);
  if (m == 2) {
    const half = f32x4.splat(0.5);
    const sum = f32x4.add(g0, g2);
    v128.store(to, g0);
    v128.store(to + toStep, f32x4.mul(half, f32x4.add(sum, g1)));
    v128.store(to + 2 * toStep, f32x4.mul(half, f32x4.sub(sum, g1)));
    v128.store(to + 3 * toStep, g2);
  } else {
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
}

/** transpose(B) d: m + 2 values to m + 2. */
// @ts-ignore: decorator
@inline
function input1D(m: u32, d: usize, step: usize, to: usize, toStep: usize): void {
  const d0 = v128.load(d);
  const d1 = v128.load(d + step);
  const d2 = v128.load(d + 2 * step);
  const d3 = v128.load(d + 3 * step);
  if (m == 2) {
    v128.store(to, f32x4.sub(d0, d2));
    v128.store(to + toStep, f32x4.add(d1, d2));
    v128.store(to + 2 * toStep, f32x4.sub(d2, d1));
    v128.store(to + 3 * toStep, f32x4.sub(d1, d3));
  } else {
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
}

/** transpose(A) v: m + 2 values to m. */
// @ts-ignore: decorator
@inline
function output1D(m: u32, v: usize, step: usize, to: usize, toStep: usize): void {
  const v0 = v128.load(v);
  const v1 = v128.load(v + step);
  const v2 = v128.load(v + 2 * step);
  const v3 = v128.load(v + 3 * step);
  const sum = f32x4.add(v1, v2);
  const difference = f32x4.sub(v1, v2);
  if (m == 2) {
    v128.store(to, f32x4.add(v0, sum));
    v128.store(to + toStep, f32x4.sub(difference, v3));
  } else {
    const v4 = v128.load(v + 4 * step);
    const v5 = v128.load(v + 5 * step);
    const sum34 = f32x4.add(v3, v4);
    const difference34 = f32x4.sub(v3, v4);
    v128.store(to, f32x4.add(f32x4.add(v0, sum), sum34));
    v128.store(to + toStep, madd(f32x4.splat(2), difference34, difference));
    v128.store(to + 2 * toStep, madd(f32x4.splat(4), sum34, sum));
    v128.store(to + 3 * toStep, f32x4.add(madd(f32x4.splat(8), difference34, difference), v5));
  }
}

/**
 * Batch normalization and the sums of its gradient, on rows of numbers, four at a time.
 *
 *   normalize    y[row, i] = (x[row, i] - mean[i]) * multiplier[i] + offset[i]
 *   sumRows      s1[i] += sum over rows of dy[row, i],   s2[i] += sum over rows of dy[row, i] * (x[row, i] - mean[i])
 *
 * A row holds the channels of one pixel or, so that it has a whole number of vectors, of several pixels. The last row may be
 * shorter. Addresses and lengths are in bytes: `period` is the length of a row, a multiple of 16, `length` that of x.
 */
import { madd } from './madd';

/** In bytes: so many of x and of dy are in the cache while the columns are summed. */
const STRIP_BYTES: usize = 1 << 13;

export function normalize(
  x: usize,
  y: usize,
  length: usize,
  means: usize,
  multipliers: usize,
  offsets: usize,
  period: usize,
): void {
  for (const end = x + length; x < end; x += period) {
    const row = min(period, end - x);
    let i: usize = 0;
    for (; i + 64 <= row; i += 64) {
      normalizeFour(x + i, y + i, means + i, multipliers + i, offsets + i);
      normalizeFour(x + i + 16, y + i + 16, means + i + 16, multipliers + i + 16, offsets + i + 16);
      normalizeFour(x + i + 32, y + i + 32, means + i + 32, multipliers + i + 32, offsets + i + 32);
      normalizeFour(x + i + 48, y + i + 48, means + i + 48, multipliers + i + 48, offsets + i + 48);
    }
    for (; i + 16 <= row; i += 16) normalizeFour(x + i, y + i, means + i, multipliers + i, offsets + i);
    for (; i < row; i += 4) {
      const centred = load<f32>(x + i) - load<f32>(means + i);
      store<f32>(y + i, centred * load<f32>(multipliers + i) + load<f32>(offsets + i));
    }
    y += period;
  }
}

// @ts-ignore: decorator
@inline
function normalizeFour(x: usize, y: usize, mean: usize, multiplier: usize, offset: usize): void {
  const centred = f32x4.sub(v128.load(x), v128.load(mean));
  v128.store(y, madd(centred, v128.load(multiplier), v128.load(offset)));
}

export function sumRows(
  dy: usize,
  x: usize,
  length: usize,
  means: usize,
  period: usize,
  s1: usize,
  s2: usize,
): void {
  const rest = length % period;
  const end = x + length - rest;
  const strip = max(STRIP_BYTES / period, 1) * period;
  while (x < end) {
    const bytes = min(strip, end - x);
    let i: usize = 0;
    for (; i + 64 <= period; i += 64) sumSixteen(dy + i, x + i, bytes, means + i, period, s1 + i, s2 + i);
    for (; i < period; i += 16) sumFour(dy + i, x + i, bytes, means + i, period, s1 + i, s2 + i);
    x += bytes;
    dy += bytes;
  }
  for (let i: usize = 0; i < rest; i += 4) {
    const value = load<f32>(dy + i);
    store<f32>(s1 + i, load<f32>(s1 + i) + value);
    store<f32>(s2 + i, load<f32>(s2 + i) + value * (load<f32>(x + i) - load<f32>(means + i)));
  }
}

/** Sixteen columns of the rows in `bytes`. Their sums stay in registers. */
// @ts-ignore: decorator
@inline
function sumSixteen(
  dy: usize,
  x: usize,
  bytes: usize,
  means: usize,
  period: usize,
  s1: usize,
  s2: usize,
): void {
  const mean0 = v128.load(means);
  const mean1 = v128.load(means, 16);
  const mean2 = v128.load(means, 32);
  const mean3 = v128.load(means, 48);
  let a0 = f32x4.splat(0);
  let a1 = a0;
  let a2 = a0;
  let a3 = a0;
  let b0 = a0;
  let b1 = a0;
  let b2 = a0;
  let b3 = a0;
  for (let row: usize = 0; row < bytes; row += period) {
    const d0 = v128.load(dy + row);
    const d1 = v128.load(dy + row, 16);
    const d2 = v128.load(dy + row, 32);
    const d3 = v128.load(dy + row, 48);
    a0 = f32x4.add(a0, d0);
    a1 = f32x4.add(a1, d1);
    a2 = f32x4.add(a2, d2);
    a3 = f32x4.add(a3, d3);
    b0 = madd(d0, f32x4.sub(v128.load(x + row), mean0), b0);
    b1 = madd(d1, f32x4.sub(v128.load(x + row, 16), mean1), b1);
    b2 = madd(d2, f32x4.sub(v128.load(x + row, 32), mean2), b2);
    b3 = madd(d3, f32x4.sub(v128.load(x + row, 48), mean3), b3);
  }
  addTo(s1, a0);
  addTo(s1 + 16, a1);
  addTo(s1 + 32, a2);
  addTo(s1 + 48, a3);
  addTo(s2, b0);
  addTo(s2 + 16, b1);
  addTo(s2 + 32, b2);
  addTo(s2 + 48, b3);
}

// @ts-ignore: decorator
@inline
function sumFour(
  dy: usize,
  x: usize,
  bytes: usize,
  means: usize,
  period: usize,
  s1: usize,
  s2: usize,
): void {
  const mean = v128.load(means);
  let a = f32x4.splat(0);
  let b = a;
  for (let row: usize = 0; row < bytes; row += period) {
    const d = v128.load(dy + row);
    a = f32x4.add(a, d);
    b = madd(d, f32x4.sub(v128.load(x + row), mean), b);
  }
  addTo(s1, a);
  addTo(s2, b);
}

// @ts-ignore: decorator
@inline
function addTo(sum: usize, value: v128): void {
  v128.store(sum, f32x4.add(v128.load(sum), value));
}

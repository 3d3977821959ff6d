/**
 * Depthwise convolution and the gradient of its filter, four channels at a time.
 *
 *   depthwise         y[p] = min(max(bias + sum over taps of x[p + tap] * filter[tap], lowest), highest)
 *   depthwise3x3      the same for 3x3 taps, where the next pixel is the next column of taps
 *   depthwiseFilter   dFilter[tap] += sum over pixels p of x[p + tap] * dy[p]
 *
 * x, y, dy: pixels of `channels` values; filter, dFilter: taps of `channels` values; bias: [channels].
 *
 * Pixels come in lines of `count`. The cell of a line's first pixel from which taps are counted lies at x + lines[line], and those of
 * the others follow at `step`; they may lie outside of x. Its output lies at y + outs[line] (its gradient at dy + outs[line]), and
 * the others follow at `outStep`. `taps` has two entries for each tap: its distance from a pixel's cell, and where it lies in the
 * filter. All taps of all pixels lie in x.
 *
 * - Addresses and steps are in bytes, modulo 2^32.
 * - Any number of channels will do, but depthwise3x3 takes four or more. Some channels may be computed twice.
 * - A NaN stays NaN between lowest and highest.
 */
import { bounded } from './bounded';
import { madd } from './madd';

/** Three pixels share the reading of eight channels of the filter, and eight channels that of the table of taps. */
export function depthwise(
  lines: usize,
  outs: usize,
  lineCount: u32,
  count: u32,
  step: usize,
  outStep: usize,
  taps: usize,
  tapCount: u32,
  channels: u32,
  x: usize,
  filter: usize,
  bias: usize,
  y: usize,
  lowest: f32,
  highest: f32,
): void {
  const tapsEnd = taps + (tapCount << 3);
  const end = <usize>channels << 2;
  const whole = end & ~31;
  const low = f32x4.splat(lowest);
  const high = f32x4.splat(highest);
  for (let line: usize = 0; line < <usize>lineCount << 2; line += 4) {
    const cells = x + load<u32>(lines + line);
    const pixels = y + load<u32>(outs + line);
    for (let i: u32 = 0; i + 3 <= count;) {
      const cell = cells + i * step;
      const out = pixels + i * outStep;
      for (let c: usize = 0; c < whole; c += 32) {
        let c00 = v128.load(bias + c);
        let c01 = v128.load(bias + c, 16);
        let c10 = c00;
        let c11 = c01;
        let c20 = c00;
        let c21 = c01;
        for (let tap = taps; tap < tapsEnd; tap += 8) {
          const at0 = cell + load<u32>(tap) + c;
          const at1 = at0 + step;
          const at2 = at1 + step;
          const weights = filter + load<u32>(tap, 4) + c;
          const f0 = v128.load(weights);
          const f1 = v128.load(weights, 16);
          c00 = madd(v128.load(at0), f0, c00);
          c01 = madd(v128.load(at0, 16), f1, c01);
          c10 = madd(v128.load(at1), f0, c10);
          c11 = madd(v128.load(at1, 16), f1, c11);
          c20 = madd(v128.load(at2), f0, c20);
          c21 = madd(v128.load(at2, 16), f1, c21);
        }
        let to = out + c;
        v128.store(to, bounded(c00, low, high));
        v128.store(to, bounded(c01, low, high), 16);
        to += outStep;
        v128.store(to, bounded(c10, low, high));
        v128.store(to, bounded(c11, low, high), 16);
        to += outStep;
        v128.store(to, bounded(c20, low, high));
        v128.store(to, bounded(c21, low, high), 16);
      }
      i = i + 3 < count ? min(i + 3, count - 3) : count;
    }
    const rest: usize = count < 3 ? 0 : whole;
    if (rest == end) continue;
    for (let i: u32 = 0; i < count; i++) {
      const cell = cells + i * step;
      const out = pixels + i * outStep;
      let c = rest;
      for (; c < end && channels >= 4; c += 16) {
        c -= excess(c, end);
        let sums = v128.load(bias + c);
        for (let tap = taps; tap < tapsEnd; tap += 8) {
          const at = cell + load<u32>(tap) + c;
          sums = madd(v128.load(at), v128.load(filter + load<u32>(tap, 4) + c), sums);
        }
        v128.store(out + c, bounded(sums, low, high));
      }
      for (; c < end; c += 4) {
        let sum = load<f32>(bias + c);
        for (let tap = taps; tap < tapsEnd; tap += 8) {
          sum += load<f32>(cell + load<u32>(tap) + c) * load<f32>(filter + load<u32>(tap, 4) + c);
        }
        store<f32>(out + c, min(max(sum, lowest), highest));
      }
    }
  }
}

/** Pixels of a line that are computed for all channels before the next ones: so many lie in the first-level cache. */
const RUN: u32 = 32;

/**
 * The nine taps of four channels stay in registers. Each column of x is read once, and added to the outputs of all windows that it
 * lies in.
 */
export function depthwise3x3(
  lines: usize,
  outs: usize,
  lineCount: u32,
  count: u32,
  step: usize,
  outStep: usize,
  taps: usize,
  channels: u32,
  x: usize,
  filter: usize,
  bias: usize,
  y: usize,
  lowest: f32,
  highest: f32,
): void {
  const end = <usize>channels << 2;
  const low = f32x4.splat(lowest);
  const high = f32x4.splat(highest);
  const first = load<u32>(taps);
  const row1 = load<u32>(taps, 24) - first;
  const row2 = load<u32>(taps, 48) - first;
  for (let line: usize = 0; line < <usize>lineCount << 2; line += 4) {
    for (let i: u32 = 0; i < count; i += RUN) {
      const cell = x + first + load<u32>(lines + line) + i * step;
      const out = y + load<u32>(outs + line) + i * outStep;
      const length = min(RUN, count - i) * outStep;
      for (let c: usize = 0; c < end; c += 16) {
        c -= excess(c, end);
        const f00 = v128.load(filter + load<u32>(taps, 4) + c);
        const f01 = v128.load(filter + load<u32>(taps, 12) + c);
        const f02 = v128.load(filter + load<u32>(taps, 20) + c);
        const f10 = v128.load(filter + load<u32>(taps, 28) + c);
        const f11 = v128.load(filter + load<u32>(taps, 36) + c);
        const f12 = v128.load(filter + load<u32>(taps, 44) + c);
        const f20 = v128.load(filter + load<u32>(taps, 52) + c);
        const f21 = v128.load(filter + load<u32>(taps, 60) + c);
        const f22 = v128.load(filter + load<u32>(taps, 68) + c);
        const start = v128.load(bias + c);
        let at = cell + c;
        let v0 = v128.load(at);
        let v1 = v128.load(at + row1);
        let v2 = v128.load(at + row2);
        let a = madd(v2, f20, madd(v1, f10, madd(v0, f00, start)));
        let to = out + c;
        const last = to + length;
        at += step;
        v0 = v128.load(at);
        v1 = v128.load(at + row1);
        v2 = v128.load(at + row2);
        a = madd(v2, f21, madd(v1, f11, madd(v0, f01, a)));
        let b = madd(v2, f20, madd(v1, f10, madd(v0, f00, start)));
        for (; to < last; to += outStep) {
          at += step;
          v0 = v128.load(at);
          v1 = v128.load(at + row1);
          v2 = v128.load(at + row2);
          v128.store(to, bounded(madd(v2, f22, madd(v1, f12, madd(v0, f02, a))), low, high));
          a = madd(v2, f21, madd(v1, f11, madd(v0, f01, b)));
          b = madd(v2, f20, madd(v1, f10, madd(v0, f00, start)));
        }
      }
    }
  }
}

/** How far four channels from `c` on reach past the end: so far back they start. */
// @ts-ignore: decorator
@inline
function excess(c: usize, end: usize): usize {
  return c + 16 > end ? c + 16 - end : 0;
}

/** Three taps at a time have their sums in registers, for a run of pixels. */
export function depthwiseFilter(
  lines: usize,
  outs: usize,
  lineCount: u32,
  count: u32,
  step: usize,
  outStep: usize,
  taps: usize,
  tapCount: u32,
  channels: u32,
  x: usize,
  dy: usize,
  dFilter: usize,
): void {
  const tapsEnd = taps + (tapCount << 3);
  const end = <usize>channels << 2;
  for (let line: usize = 0; line < <usize>lineCount << 2; line += 4) {
    for (let i: u32 = 0; i < count; i += RUN) {
      const cell = x + load<u32>(lines + line) + i * step;
      const from = dy + load<u32>(outs + line) + i * outStep;
      const length = min(RUN, count - i) * outStep;
      let c: usize = 0;
      for (; c + 32 <= end; c += 32) {
        const last = from + c + length;
        let tap = taps;
        for (; tap + 24 <= tapsEnd; tap += 24) {
          const to0 = dFilter + load<u32>(tap, 4) + c;
          const to1 = dFilter + load<u32>(tap, 12) + c;
          const to2 = dFilter + load<u32>(tap, 20) + c;
          let c00 = v128.load(to0);
          let c01 = v128.load(to0, 16);
          let c10 = v128.load(to1);
          let c11 = v128.load(to1, 16);
          let c20 = v128.load(to2);
          let c21 = v128.load(to2, 16);
          let at0 = cell + load<u32>(tap) + c;
          let at1 = cell + load<u32>(tap, 8) + c;
          let at2 = cell + load<u32>(tap, 16) + c;
          for (let pixel = from + c; pixel < last; pixel += outStep) {
            const d0 = v128.load(pixel);
            const d1 = v128.load(pixel, 16);
            c00 = madd(v128.load(at0), d0, c00);
            c01 = madd(v128.load(at0, 16), d1, c01);
            c10 = madd(v128.load(at1), d0, c10);
            c11 = madd(v128.load(at1, 16), d1, c11);
            c20 = madd(v128.load(at2), d0, c20);
            c21 = madd(v128.load(at2, 16), d1, c21);
            at0 += step;
            at1 += step;
            at2 += step;
          }
          v128.store(to0, c00);
          v128.store(to0, c01, 16);
          v128.store(to1, c10);
          v128.store(to1, c11, 16);
          v128.store(to2, c20);
          v128.store(to2, c21, 16);
        }
        for (; tap < tapsEnd; tap += 8) {
          const to = dFilter + load<u32>(tap, 4) + c;
          let c0 = v128.load(to);
          let c1 = v128.load(to, 16);
          let at = cell + load<u32>(tap) + c;
          for (let pixel = from + c; pixel < last; pixel += outStep) {
            c0 = madd(v128.load(at), v128.load(pixel), c0);
            c1 = madd(v128.load(at, 16), v128.load(pixel, 16), c1);
            at += step;
          }
          v128.store(to, c0);
          v128.store(to, c1, 16);
        }
      }
      for (; c + 16 <= end; c += 16) {
        for (let tap = taps; tap < tapsEnd; tap += 8) {
          const to = dFilter + load<u32>(tap, 4) + c;
          let sums = v128.load(to);
          let at = cell + load<u32>(tap) + c;
          for (let pixel = from + c; pixel < from + c + length; pixel += outStep) {
            sums = madd(v128.load(at), v128.load(pixel), sums);
            at += step;
          }
          v128.store(to, sums);
        }
      }
      for (; c < end; c += 4) {
        for (let tap = taps; tap < tapsEnd; tap += 8) {
          const to = dFilter + load<u32>(tap, 4) + c;
          let sum = load<f32>(to);
          let at = cell + load<u32>(tap) + c;
          for (let pixel = from + c; pixel < from + c + length; pixel += outStep) {
            sum += load<f32>(at) * load<f32>(pixel);
            at += step;
          }
          store<f32>(to, sum);
        }
      }
    }
  }
}

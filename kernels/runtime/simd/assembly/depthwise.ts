/**
 * Depthwise convolution and the gradient of its filter, four channels at a time.
 *
 *   depthwise         y[p] = min(max(bias + sum over taps of x[p + tap] * filter[tap], lowest), highest)
 *   depthwiseFilter   dFilter[tap] += sum over pixels p of x[p + tap] * dy[p]
 *
 * x, y, dy: pixels of `channels` values; filter, dFilter: taps of `channels` values; bias: [channels].
 *
 * The cell of pixel p from which taps are counted lies at x + pixels[p]; it may lie outside of x. Its output lies at y + outs[p], its
 * gradient at dy + outs[p]. `taps` has two entries for each tap: its distance from that cell, and where it lies in the filter. All
 * taps of all pixels lie in x.
 *
 * - Addresses are in bytes, modulo 2^32. Any number of channels will do.
 * - depthwise takes four pixels at a time, which share the reading of the filter. pixelCount is a multiple of 4. A pixel that stands
 *   twice in the tables is written twice.
 * - depthwiseFilter takes three taps at a time, whose sums stay in registers.
 */
import { madd } from './madd';

export function depthwise(
  pixels: usize,
  outs: usize,
  pixelCount: u32,
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
  const low = f32x4.splat(lowest);
  const high = f32x4.splat(highest);
  for (let p: usize = 0; p < <usize>pixelCount << 2; p += 16) {
    const x0 = x + load<u32>(pixels + p);
    const x1 = x + load<u32>(pixels + p, 4);
    const x2 = x + load<u32>(pixels + p, 8);
    const x3 = x + load<u32>(pixels + p, 12);
    const y0 = y + load<u32>(outs + p);
    const y1 = y + load<u32>(outs + p, 4);
    const y2 = y + load<u32>(outs + p, 8);
    const y3 = y + load<u32>(outs + p, 12);
    let c: usize = 0;
    for (; c + 32 <= end; c += 32) {
      let c00 = v128.load(bias + c);
      let c01 = v128.load(bias + c, 16);
      let c10 = c00;
      let c11 = c01;
      let c20 = c00;
      let c21 = c01;
      let c30 = c00;
      let c31 = c01;
      for (let tap = taps; tap < tapsEnd; tap += 8) {
        const at = load<u32>(tap) + c;
        const weights = filter + load<u32>(tap, 4) + c;
        const f0 = v128.load(weights);
        const f1 = v128.load(weights, 16);
        c00 = madd(v128.load(x0 + at), f0, c00);
        c01 = madd(v128.load(x0 + at, 16), f1, c01);
        c10 = madd(v128.load(x1 + at), f0, c10);
        c11 = madd(v128.load(x1 + at, 16), f1, c11);
        c20 = madd(v128.load(x2 + at), f0, c20);
        c21 = madd(v128.load(x2 + at, 16), f1, c21);
        c30 = madd(v128.load(x3 + at), f0, c30);
        c31 = madd(v128.load(x3 + at, 16), f1, c31);
      }
      v128.store(y0 + c, bounded(c00, low, high));
      v128.store(y0 + c, bounded(c01, low, high), 16);
      v128.store(y1 + c, bounded(c10, low, high));
      v128.store(y1 + c, bounded(c11, low, high), 16);
      v128.store(y2 + c, bounded(c20, low, high));
      v128.store(y2 + c, bounded(c21, low, high), 16);
      v128.store(y3 + c, bounded(c30, low, high));
      v128.store(y3 + c, bounded(c31, low, high), 16);
    }
    for (; c < end && channels >= 4; c += 16) {
      if (c + 16 > end) c = end - 16; // some channels are computed twice
      let c0 = v128.load(bias + c);
      let c1 = c0;
      let c2 = c0;
      let c3 = c0;
      for (let tap = taps; tap < tapsEnd; tap += 8) {
        const at = load<u32>(tap) + c;
        const f = v128.load(filter + load<u32>(tap, 4) + c);
        c0 = madd(v128.load(x0 + at), f, c0);
        c1 = madd(v128.load(x1 + at), f, c1);
        c2 = madd(v128.load(x2 + at), f, c2);
        c3 = madd(v128.load(x3 + at), f, c3);
      }
      v128.store(y0 + c, bounded(c0, low, high));
      v128.store(y1 + c, bounded(c1, low, high));
      v128.store(y2 + c, bounded(c2, low, high));
      v128.store(y3 + c, bounded(c3, low, high));
    }
    // Of fewer than four channels: a vector has a value of each pixel.
    for (; c < end; c += 4) {
      let sums = v128.load32_splat(bias + c);
      for (let tap = taps; tap < tapsEnd; tap += 8) {
        const at = load<u32>(tap) + c;
        let values = v128.load32_zero(x0 + at);
        values = v128.load_lane<f32>(x1 + at, values, 1);
        values = v128.load_lane<f32>(x2 + at, values, 2);
        values = v128.load_lane<f32>(x3 + at, values, 3);
        sums = madd(values, v128.load32_splat(filter + load<u32>(tap, 4) + c), sums);
      }
      sums = bounded(sums, low, high);
      v128.store_lane<f32>(y0 + c, sums, 0);
      v128.store_lane<f32>(y1 + c, sums, 1);
      v128.store_lane<f32>(y2 + c, sums, 2);
      v128.store_lane<f32>(y3 + c, sums, 3);
    }
  }
}

// @ts-ignore: decorator
@inline
function bounded(sums: v128, low: v128, high: v128): v128 {
  return f32x4.min(f32x4.max(sums, low), high);
}

/** In bytes of the table: so many pixels are visited for one group of channels and taps after the other, while they are cached. */
const CHUNK: usize = 64;

export function depthwiseFilter(
  pixels: usize,
  outs: usize,
  pixelCount: u32,
  taps: usize,
  tapCount: u32,
  channels: u32,
  x: usize,
  dy: usize,
  dFilter: usize,
): void {
  const tapsEnd = taps + (tapCount << 3);
  const end = <usize>channels << 2;
  const pixelsEnd = pixels + (<usize>pixelCount << 2);
  const toOut = outs - pixels;
  for (let chunk = pixels; chunk < pixelsEnd; chunk += CHUNK) {
    const chunkEnd = chunk + CHUNK < pixelsEnd ? chunk + CHUNK : pixelsEnd;
    let c: usize = 0;
    for (; c + 32 <= end; c += 32) {
      let tap = taps;
      for (; tap + 24 <= tapsEnd; tap += 24) {
        const at0 = x + load<u32>(tap) + c;
        const at1 = x + load<u32>(tap, 8) + c;
        const at2 = x + load<u32>(tap, 16) + c;
        const to0 = dFilter + load<u32>(tap, 4) + c;
        const to1 = dFilter + load<u32>(tap, 12) + c;
        const to2 = dFilter + load<u32>(tap, 20) + c;
        let c00 = v128.load(to0);
        let c01 = v128.load(to0, 16);
        let c10 = v128.load(to1);
        let c11 = v128.load(to1, 16);
        let c20 = v128.load(to2);
        let c21 = v128.load(to2, 16);
        for (let p = chunk; p < chunkEnd; p += 4) {
          const pixel = load<u32>(p);
          const from = dy + load<u32>(p + toOut) + c;
          const d0 = v128.load(from);
          const d1 = v128.load(from, 16);
          c00 = madd(v128.load(at0 + pixel), d0, c00);
          c01 = madd(v128.load(at0 + pixel, 16), d1, c01);
          c10 = madd(v128.load(at1 + pixel), d0, c10);
          c11 = madd(v128.load(at1 + pixel, 16), d1, c11);
          c20 = madd(v128.load(at2 + pixel), d0, c20);
          c21 = madd(v128.load(at2 + pixel, 16), d1, c21);
        }
        v128.store(to0, c00);
        v128.store(to0, c01, 16);
        v128.store(to1, c10);
        v128.store(to1, c11, 16);
        v128.store(to2, c20);
        v128.store(to2, c21, 16);
      }
      for (; tap < tapsEnd; tap += 8) {
        const at = x + load<u32>(tap) + c;
        const to = dFilter + load<u32>(tap, 4) + c;
        let c0 = v128.load(to);
        let c1 = v128.load(to, 16);
        for (let p = chunk; p < chunkEnd; p += 4) {
          const pixel = load<u32>(p);
          const from = dy + load<u32>(p + toOut) + c;
          c0 = madd(v128.load(at + pixel), v128.load(from), c0);
          c1 = madd(v128.load(at + pixel, 16), v128.load(from, 16), c1);
        }
        v128.store(to, c0);
        v128.store(to, c1, 16);
      }
    }
    for (; c + 16 <= end; c += 16) {
      for (let tap = taps; tap < tapsEnd; tap += 8) {
        const at = x + load<u32>(tap) + c;
        const to = dFilter + load<u32>(tap, 4) + c;
        let sums = v128.load(to);
        for (let p = chunk; p < chunkEnd; p += 4) {
          const dyHere = v128.load(dy + load<u32>(p + toOut) + c);
          sums = madd(v128.load(at + load<u32>(p)), dyHere, sums);
        }
        v128.store(to, sums);
      }
    }
    for (; c < end; c += 4) {
      for (let tap = taps; tap < tapsEnd; tap += 8) {
        const at = x + load<u32>(tap) + c;
        const to = dFilter + load<u32>(tap, 4) + c;
        let sum = load<f32>(to);
        for (let p = chunk; p < chunkEnd; p += 4) {
          sum += load<f32>(at + load<u32>(p)) * load<f32>(dy + load<u32>(p + toOut) + c);
        }
        store<f32>(to, sum);
      }
    }
  }
}

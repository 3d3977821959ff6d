/**
 * Micro-kernel of the forward pass and of the gradient of the input: an implicit matrix product over an image.
 *
 *   C[p, n] = bias[n] + sum over s, i of A[pixel p, segment s, i] * B[s * segmentLength + i, n],  then clamped
 *
 * If `continued`, C[p, n] takes the place of the bias. A long sum comes in several calls, so that the parts of A and B that one
 * call reads stay in the first-level cache.
 *
 * - A is an image in memory, which the caller pads. It is never gathered: the values of pixel p are `segmentCount` segments of
 *   `segmentLength` floats, `step` bytes apart, and segment s starts at a + pixels[p] + segments[s]. In an image the floats are
 *   consecutive. In a matrix that is read as its transpose they lie a row apart.
 * - B comes in panels of NR columns, panel[k * NR + j], one after the other.
 * - C is written NR floats at a time, at c + outs[p] + panel * NR * 4.
 * - pixelCount is a multiple of MR. Pixels that only fill it up repeat the last one, so they may write to the same place: all four
 *   pixels of a tile are loaded before any is stored.
 * - bias has NR values for each panel. Addresses and steps are in bytes, aligned to 4.
 *
 * MR x NR = 4 x 8: eight sums, two columns and four splat values are alive at once, and no engine spills registers. 6 x 8 spills
 * in V8 before version 13 and in Firefox, and takes twice as long.
 *
 * Source: Goto & van de Geijn, "Anatomy of high-performance matrix multiplication", 2008.
 */
import { bounded } from './bounded';
import { madd } from './madd';

/** Bytes of panels that are used together: the first-level cache holds them beside the values of four pixels. */
const L1_BYTES: u32 = 1 << 14;

export function multiply(
  pixels: usize,
  outs: usize,
  pixelCount: u32,
  segments: usize,
  segmentCount: u32,
  segmentLength: u32,
  step: usize,
  a: usize,
  panels: usize,
  panelCount: u32,
  bias: usize,
  c: usize,
  continued: bool,
  clamped: bool,
  lowest: f32,
  highest: f32,
): void {
  const segmentsEnd = segments + (segmentCount << 2);
  const panelSize = (segmentCount * segmentLength) << 5;
  const low = f32x4.splat(lowest);
  const high = f32x4.splat(highest);
  const together = max<u32>(1, L1_BYTES / max<u32>(1, panelSize));
  for (let first: u32 = 0; first < panelCount; first += together) {
    const last = min<u32>(panelCount, first + together);
    for (let m: u32 = 0; m < pixelCount; m += 4) {
      const pixel = pixels + (m << 2);
      const out = outs + (m << 2);
      const row0 = a + load<u32>(pixel);
      const row1 = a + load<u32>(pixel, 4);
      const row2 = a + load<u32>(pixel, 8);
      const row3 = a + load<u32>(pixel, 12);
      for (let n = first; n < last; n++) {
        const to = c + (n << 5);
        const to0 = to + load<u32>(out);
        const to1 = to + load<u32>(out, 4);
        const to2 = to + load<u32>(out, 8);
        const to3 = to + load<u32>(out, 12);
        const start = bias + (n << 5);
        const from0 = continued ? to0 : start;
        const from1 = continued ? to1 : start;
        const from2 = continued ? to2 : start;
        const from3 = continued ? to3 : start;
        let c00 = v128.load(from0);
        let c01 = v128.load(from0, 16);
        let c10 = v128.load(from1);
        let c11 = v128.load(from1, 16);
        let c20 = v128.load(from2);
        let c21 = v128.load(from2, 16);
        let c30 = v128.load(from3);
        let c31 = v128.load(from3, 16);
        let b = panels + n * panelSize;
        for (let segment = segments; segment < segmentsEnd; segment += 4) {
          const run = load<u32>(segment);
          let a0 = row0 + run;
          let a1 = row1 + run;
          let a2 = row2 + run;
          let a3 = row3 + run;
          const end = a0 + segmentLength * step;
          while (a0 < end) {
            const b0 = v128.load(b);
            const b1 = v128.load(b, 16);
            let value = v128.load32_splat(a0);
            c00 = madd(value, b0, c00);
            c01 = madd(value, b1, c01);
            value = v128.load32_splat(a1);
            c10 = madd(value, b0, c10);
            c11 = madd(value, b1, c11);
            value = v128.load32_splat(a2);
            c20 = madd(value, b0, c20);
            c21 = madd(value, b1, c21);
            value = v128.load32_splat(a3);
            c30 = madd(value, b0, c30);
            c31 = madd(value, b1, c31);
            a0 += step;
            a1 += step;
            a2 += step;
            a3 += step;
            b += 32;
          }
        }
        if (clamped) {
          c00 = bounded(c00, low, high);
          c01 = bounded(c01, low, high);
          c10 = bounded(c10, low, high);
          c11 = bounded(c11, low, high);
          c20 = bounded(c20, low, high);
          c21 = bounded(c21, low, high);
          c30 = bounded(c30, low, high);
          c31 = bounded(c31, low, high);
        }
        v128.store(to0, c00);
        v128.store(to0, c01, 16);
        v128.store(to1, c10);
        v128.store(to1, c11, 16);
        v128.store(to2, c20);
        v128.store(to2, c21, 16);
        v128.store(to3, c30);
        v128.store(to3, c31, 16);
      }
    }
  }
}

/** `multiply`, `count` times: A, B and C of each product lie aStep, panelsStep and cStep after those of the one before. */
export function multiplyEach(
  count: u32,
  aStep: usize,
  panelsStep: usize,
  cStep: usize,
  pixels: usize,
  outs: usize,
  pixelCount: u32,
  segments: usize,
  segmentCount: u32,
  segmentLength: u32,
  step: usize,
  a: usize,
  panels: usize,
  panelCount: u32,
  bias: usize,
  c: usize,
  continued: bool,
): void {
  for (let i: u32 = 0; i < count; i++) {
    multiply(pixels, outs, pixelCount, segments, segmentCount, segmentLength, step, a, panels, panelCount, bias, c, continued, false, 0, 0); // prettier-ignore
    a += aStep;
    panels += panelsStep;
    c += cStep;
  }
}

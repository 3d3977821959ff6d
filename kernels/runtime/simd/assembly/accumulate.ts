/**
 * Micro-kernel of the gradient of the filter: a product that sums over pixels.
 *
 *   C[k, n] = sum over r, i of A[taps[k] + rows[r] + i * colStep] * B[r * cols + i, n]     + C[k, n], if `continued`
 *
 * - A is the padded image. Filter cell k meets the value at a + taps[k] + rows[r] + i * colStep at pixel (r, i). A stride is
 *   therefore only a larger step.
 * - B is dy in panels of NR channels, panel[pixel * NR + j].
 * - C is [tapCount, cStep / 4]. It is written NR floats at a time.
 *
 * Winograd's gradient (winograd_gradient.ts) passes planes of V and W as A and B, and tiles as the pixels of a single row.
 *
 * MR x NR = 4 x 8, for the reason given in multiply.ts. The caller pads. tapCount is a multiple of MR, and C has a row for each
 * of them. Addresses and steps are in bytes, aligned to 4.
 */
import { madd } from './madd';

export function accumulate(
  taps: usize,
  tapCount: u32,
  rows: usize,
  rowCount: u32,
  cols: u32,
  colStep: usize,
  a: usize,
  panels: usize,
  panelCount: u32,
  c: usize,
  cStep: usize,
  continued: bool,
): void {
  const rowsEnd = rows + (rowCount << 2);
  const panelSize = (rowCount * cols) << 5;
  for (let n: u32 = 0; n < panelCount; n++) {
    let at = c;
    for (let k: u32 = 0; k < tapCount; k += 4) {
      const tap = taps + (k << 2);
      const tap0 = a + load<u32>(tap);
      const tap1 = a + load<u32>(tap, 4);
      const tap2 = a + load<u32>(tap, 8);
      const tap3 = a + load<u32>(tap, 12);
      let c00 = f32x4.splat(0);
      let c01 = c00,
        c10 = c00,
        c11 = c00,
        c20 = c00,
        c21 = c00,
        c30 = c00,
        c31 = c00;
      let b = panels;
      for (let row = rows; row < rowsEnd; row += 4) {
        const start = load<u32>(row);
        let a0 = tap0 + start;
        let a1 = tap1 + start;
        let a2 = tap2 + start;
        let a3 = tap3 + start;
        const end = b + ((<usize>cols) << 5);
        while (b < end) {
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
          a0 += colStep;
          a1 += colStep;
          a2 += colStep;
          a3 += colStep;
          b += 32;
        }
      }
      v128.store(at, continued ? f32x4.add(v128.load(at), c00) : c00);
      v128.store(at, continued ? f32x4.add(v128.load(at, 16), c01) : c01, 16);
      at += cStep;
      v128.store(at, continued ? f32x4.add(v128.load(at), c10) : c10);
      v128.store(at, continued ? f32x4.add(v128.load(at, 16), c11) : c11, 16);
      at += cStep;
      v128.store(at, continued ? f32x4.add(v128.load(at), c20) : c20);
      v128.store(at, continued ? f32x4.add(v128.load(at, 16), c21) : c21, 16);
      at += cStep;
      v128.store(at, continued ? f32x4.add(v128.load(at), c30) : c30);
      v128.store(at, continued ? f32x4.add(v128.load(at, 16), c31) : c31, 16);
      at += cStep;
    }
    panels += panelSize;
    c += 32;
  }
}

/** `accumulate`, `count` times: A, B and C of each product lie aStep, panelsStep and planeStep after those of the one before. */
export function accumulateEach(
  count: u32,
  aStep: usize,
  panelsStep: usize,
  planeStep: usize,
  taps: usize,
  tapCount: u32,
  rows: usize,
  rowCount: u32,
  cols: u32,
  colStep: usize,
  a: usize,
  panels: usize,
  panelCount: u32,
  c: usize,
  cStep: usize,
  continued: bool,
): void {
  for (let i: u32 = 0; i < count; i++) {
    accumulate(taps, tapCount, rows, rowCount, cols, colStep, a, panels, panelCount, c, cStep, continued);
    a += aStep;
    panels += panelsStep;
    c += planeStep;
  }
}

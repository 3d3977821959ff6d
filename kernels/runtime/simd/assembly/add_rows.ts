/**
 * Micro-kernel of a product with one row: adds multiples of the rows of a matrix.
 *
 *   C[n] += sum over k of A[k] * B[k, n]
 *
 * B is read once, in the order in which it lies, four rows at a time. Its rows lie rowStep apart. C, a single row, is read and written for every four rows of
 * B. Addresses are in bytes.
 */
import { madd } from './madd';

export function addRows(a: usize, b: usize, rowStep: usize, rows: u32, cols: u32, c: usize): void {
  const end: usize = cols << 2;
  const whole: usize = (cols & ~3) << 2;
  let k: u32 = 0;
  for (; k + 4 <= rows; k += 4) {
    const a0 = v128.load32_splat(a);
    const a1 = v128.load32_splat(a, 4);
    const a2 = v128.load32_splat(a, 8);
    const a3 = v128.load32_splat(a, 12);
    const b1 = b + rowStep;
    const b2 = b1 + rowStep;
    const b3 = b2 + rowStep;
    for (let n: usize = 0; n < whole; n += 16) {
      let sum = madd(v128.load(b + n), a0, v128.load(c + n));
      sum = madd(v128.load(b1 + n), a1, sum);
      sum = madd(v128.load(b2 + n), a2, sum);
      v128.store(c + n, madd(v128.load(b3 + n), a3, sum));
    }
    for (let n = whole; n < end; n += 4) {
      let sum = load<f32>(c + n);
      for (let i: usize = 0; i < 4; i++) sum += load<f32>(a + (i << 2)) * load<f32>(b + i * rowStep + n);
      store<f32>(c + n, sum);
    }
    a += 16;
    b = b3 + rowStep;
  }
  for (; k < rows; k++) {
    const value = load<f32>(a);
    for (let n: usize = 0; n < end; n += 4) {
      store<f32>(c + n, load<f32>(c + n) + value * load<f32>(b + n));
    }
    a += 4;
    b += rowStep;
  }
}

/**
 * The matrix product of the fast path: C = A * B over packed panels, in float64.
 *
 *   C[m, n] = sum over k of A[m, k] * B[k, n]
 *
 * A panel holds TILE rows of A, or TILE columns of B, side by side: panel[k * TILE + i]. So the micro-kernel reads
 * both operands in order. Short panels are filled with zeros.
 *
 * Panels are Float64Array, because JavaScript multiplies in float64. One conversion while packing is twice as fast as
 * a conversion at every load. The sums also gain 29 bits.
 *
 * Source: Goto & van de Geijn, "Anatomy of high-performance matrix multiplication", 2008 (packing, micro-kernel).
 */
import type { Numbers } from '../../arrays.js';

/** MR and NR. A micro-kernel computes TILE x TILE cells of C. 16 sums fit the registers, more do not. */
export const TILE = 4;

export function panelCount(rows: number): number {
  return Math.ceil(rows / TILE);
}

/**
 * Packs a matrix of rows x depth into panels. Its cell (r, k) is src[offset + r * rowStep + k * depthStep]. The
 * function writes panelCount(rows) * depth * TILE cells, from panels[0] on.
 */
export function packPanels(
  src: Numbers,
  offset: number,
  rows: number,
  depth: number,
  rowStep: number,
  depthStep: number,
  panels: Float64Array,
): void {
  for (let r0 = 0; r0 < rows; r0 += TILE) {
    const filled = Math.min(TILE, rows - r0);
    const p0 = r0 * depth;
    for (let i = 0; i < TILE; i++) {
      const s0 = offset + (r0 + i) * rowStep;
      for (let k = 0; k < depth; k++) {
        panels[p0 + k * TILE + i] = i < filled ? src[s0 + k * depthStep] : 0;
      }
    }
  }
}

/**
 * c[offset + m * rowStep + n * colStep] += (A * B)[m, n], or = if `add` is false.
 * @param a panels of A: panelCount(rows) panels, `depth` deep
 * @param b panels of B: panelCount(cols) panels, `depth` deep
 */
export function multiplyPanels(
  a: Float64Array,
  b: Float64Array,
  rows: number,
  cols: number,
  depth: number,
  c: Numbers,
  offset: number,
  rowStep: number,
  colStep: number,
  add: boolean,
): void {
  for (let n = 0; n < cols; n += TILE) {
    const nEnd = Math.min(TILE, cols - n);
    for (let m = 0; m < rows; m += TILE) {
      const mEnd = Math.min(TILE, rows - m);
      microKernel(a, m * depth, b, n * depth, depth);
      for (let i = 0; i < mEnd; i++) {
        const ci = offset + (m + i) * rowStep + n * colStep;
        for (let j = 0; j < nEnd; j++) {
          const at = ci + j * colStep;
          c[at] = add ? c[at] + tile[i * TILE + j] : tile[i * TILE + j];
        }
      }
    }
  }
}

/** The result of the micro-kernel: TILE x TILE sums, in row-major order. */
const tile = new Float64Array(TILE * TILE);

/** tile[i, j] = sum over k of a[ai + k * TILE + i] * b[bi + k * TILE + j]. */
// prettier-ignore
function microKernel(a: Float64Array, ai: number, b: Float64Array, bi: number, depth: number): void {
  let c00 = 0, c01 = 0, c02 = 0, c03 = 0;
  let c10 = 0, c11 = 0, c12 = 0, c13 = 0;
  let c20 = 0, c21 = 0, c22 = 0, c23 = 0;
  let c30 = 0, c31 = 0, c32 = 0, c33 = 0;
  for (let k = 0; k < depth; k++, ai += TILE, bi += TILE) {
    const b0 = b[bi], b1 = b[bi + 1], b2 = b[bi + 2], b3 = b[bi + 3];
    const a0 = a[ai], a1 = a[ai + 1], a2 = a[ai + 2], a3 = a[ai + 3];
    c00 += a0 * b0; c01 += a0 * b1; c02 += a0 * b2; c03 += a0 * b3;
    c10 += a1 * b0; c11 += a1 * b1; c12 += a1 * b2; c13 += a1 * b3;
    c20 += a2 * b0; c21 += a2 * b1; c22 += a2 * b2; c23 += a2 * b3;
    c30 += a3 * b0; c31 += a3 * b1; c32 += a3 * b2; c33 += a3 * b3;
  }
  tile[0] = c00; tile[1] = c01; tile[2] = c02; tile[3] = c03;
  tile[4] = c10; tile[5] = c11; tile[6] = c12; tile[7] = c13;
  tile[8] = c20; tile[9] = c21; tile[10] = c22; tile[11] = c23;
  tile[12] = c30; tile[13] = c31; tile[14] = c32; tile[15] = c33;
}

/**
 * Matrix products by packed panels: the fast path without WebAssembly. Signature and results are those of ../definition.ts.
 *
 * b is packed whole, and a in blocks of rows. A transposed operand is packed with other steps.
 */
import type { Numbers } from '../../arrays.js';
import { multiplyPanels, packPanels, panelCount, TILE } from '../../runtime/plain/gemm.js';
import type { MatMulGeometry } from '../geometry.js';

/** Number of values, about, in a block of a: 1 MiB, which stays in the second-level cache. */
const BLOCK_SIZE = 1 << 17;

/** c = a * b. Every cell of c is written. */
export function matMul(a: Numbers, b: Numbers, g: MatMulGeometry, c: Numbers): void {
  const { rows, depth, cols, aStarts, bStarts } = g;
  const fitting = Math.max(1, Math.floor(BLOCK_SIZE / Math.max(1, depth) / TILE)) * TILE;
  const blockRows = Math.min(fitting, rows);
  const aPanels = new Float64Array(panelCount(blockRows) * TILE * depth);
  const bPanels = new Float64Array(panelCount(cols) * TILE * depth);
  for (let product = 0; product < aStarts.length; product++) {
    const [aStart, bStart, cStart] = [aStarts[product], bStarts[product], product * rows * cols];
    if (bStart !== bStarts[product - 1]) packPanels(b, bStart, cols, depth, g.b.col, g.b.row, bPanels);
    for (let row = 0; row < rows; row += blockRows) {
      const count = Math.min(blockRows, rows - row);
      packPanels(a, aStart + row * g.a.row, count, depth, g.a.row, g.a.col, aPanels);
      multiplyPanels(aPanels, bPanels, count, cols, depth, c, cStart + row * cols, cols, 1, false);
    }
  }
}

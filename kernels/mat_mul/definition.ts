/**
 * A batch of matrix products as plain loops. All other paths are compared with this definition.
 *
 *   c[i, n] = sum over k of a[i, k] * b[k, n], for each pair of matrices
 *
 *   a  [rows, depth]    b  [depth, cols]    c  [rows, cols]
 *
 * A transposed operand differs only in its steps. c is linear in a and in b, so its gradients are products too:
 *
 *   da = dc * transpose(b)    db = transpose(a) * dc    summed over the products in which a matrix takes part
 *
 * The sum is in float64. It is rounded once, to the type of c.
 *
 * Source: Golub & Van Loan, "Matrix computations", 2013, section 1.1.
 */
import type { Numbers } from '../arrays.js';
import type { MatMulGeometry } from './geometry.js';

/** c = a * b. Every cell of c is written. */
export function matMul(a: Numbers, b: Numbers, g: MatMulGeometry, c: Numbers): void {
  const { rows, depth, cols, aStarts, bStarts } = g;
  const [aStep, bStep] = [g.a.col, g.b.row];
  let ci = 0;
  for (let product = 0; product < aStarts.length; product++) {
    for (let i = 0; i < rows; i++) {
      for (let n = 0; n < cols; n++, ci++) {
        let ai = aStarts[product] + i * g.a.row;
        let bi = bStarts[product] + n * g.b.col;
        let sum = 0;
        for (let k = 0; k < depth; k++, ai += aStep, bi += bStep) sum += a[ai] * b[bi];
        c[ci] = sum;
      }
    }
  }
}

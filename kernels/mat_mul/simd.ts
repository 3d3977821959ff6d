/** The fast path: matrix products by WebAssembly SIMD, in float32. Signature and results are those of definition.ts, to rounding. */
import { type Epilogue, PLAIN } from '../runtime/simd/epilogue.js';
import { dataOf, type Simd } from '../runtime/simd/instance.js';
import { multiplyMatrices } from '../runtime/simd/matrix.js';
import type { MatMulGeometry } from './geometry.js';

/** c = a * b, through the epilogue, whose bias has a value for each column. Every cell of c is written. */
export function matMul(
  simd: Simd,
  a: Float32Array,
  b: Float32Array,
  g: MatMulGeometry,
  c: Float32Array,
  epilogue: Epilogue<Float32Array> = PLAIN,
): void {
  const [aData, bData, cData] = [a, b, c].map((values) => dataOf(simd, values));
  const bias = epilogue.bias && dataOf(simd, epilogue.bias);
  multiplyMatrices(simd, g, aData, bData, cData, { ...epilogue, bias });
}

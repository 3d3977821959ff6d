/**
 * The implementations of matrix products on the cpu and wasm backends, and the choice between them. All of them have the same
 * results, to rounding. ../runtime/options.ts says how to choose one by hand.
 */
import type { Numbers } from '../arrays.js';
import { type CpuPath, chosen, isSimd, simdFor } from '../runtime/options.js';
import type { Epilogue } from '../runtime/simd/epilogue.js';
import type { Heap } from '../runtime/heap.js';
import { withSimd } from '../runtime/simd/instance.js';
import { TILE } from '../runtime/plain/gemm.js';
import * as definition from './definition.js';
import type { MatMulGeometry } from './geometry.js';
import * as packed from './plain/packed.js';
import * as simd from './simd.js';

const PLAIN = { definition, thin: definition, im2col: packed };

/** Below this many products the plain paths are faster: copies and tables take some microseconds. */
const LEAST_PRODUCTS = 1 << 11;
/** The same for one of many products: each of them is a call. */
const LEAST_OF_ONE = 1 << 8;
/** The plain paths serve larger matrices: WebAssembly memory may have to hold all three of them. */
const LARGEST_MATRIX = 1 << 26;

/** The path of a product of these matrices. Only the plain paths take whole numbers. */
export function pathOf(g: MatMulGeometry, a: Numbers, b: Numbers): CpuPath {
  const { path } = chosen();
  const floats = a instanceof Float32Array && b instanceof Float32Array;
  const largest = Math.max(g.rows * g.depth, g.depth * g.cols, g.rows * g.cols);
  const level = floats && largest <= LARGEST_MATRIX ? simdFor(isLarge(g)) : undefined;
  return level ?? (path === 'auto' || isSimd(path) ? plainPath(g) : path);
}

/** Packing costs more than it gains for a small matrix, or for a few rows or columns. */
function plainPath(g: MatMulGeometry): keyof typeof PLAIN {
  return Math.min(g.rows, g.cols) < TILE || !isLarge(g) ? 'definition' : 'im2col';
}

function isLarge({ aStarts, rows, depth, cols }: MatMulGeometry): boolean {
  const products = rows * depth * cols;
  return aStarts.length * products >= LEAST_PRODUCTS && products >= LEAST_OF_ONE;
}

/** Writes c. Only the SIMD paths take an epilogue, and a heap that may hold the arrays. */
export function matMul(
  path: CpuPath,
  a: Numbers,
  b: Numbers,
  g: MatMulGeometry,
  c: Numbers,
  heap?: Heap,
  epilogue?: Epilogue<Float32Array>,
): void {
  if (!isSimd(path)) return PLAIN[path].matMul(a, b, g, c);
  const [aFloats, bFloats, cFloats] = [a, b, c] as Float32Array[];
  const products = g.aStarts.length * g.rows * g.depth * g.cols;
  const size = { products, values: a.length + b.length + c.length };
  withSimd(path, (w) => simd.matMul(w, aFloats, bFloats, g, cFloats, epilogue), heap, size);
}

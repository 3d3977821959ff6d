/**
 * Products of a matrix and a few vectors. The matrix is by far the largest array, and each vector uses each of its values once. So
 * it is read as it lies, in runs of rows that stay in the cache for all vectors. To pack it would take longer than the product.
 *
 * See ./matrix.ts for the meaning of the arguments.
 */
import { type Epilogue, isClamped, writeBias } from './epilogue.js';
import { addressOf, type Data, MR, roundUp, type Simd } from './instance.js';
import type { Multiply, Product, Steps } from './matrix.js';

/** In floats: a run of rows. */
const RUN_SIZE = 1 << 14;

/** For few rows of A. C is a sum of multiples of the rows of B, which must lie in memory as rows. */
export function addRows(simd: Simd, p: Product, a: Data, b: Data, c: Data, epilogue: Epilogue): Multiply {
  const { rows, depth, cols } = p;
  const together = Math.min(rowsOfRun(cols), depth);
  const [run, aAt, cAt] = simd.place(
    b.array ? 4 * together * cols : 0,
    4 * rows * depth,
    c.array ? 4 * rows * cols : 0,
  );
  return (aStart, bStart, cStart) => {
    const to = c.array ? cAt : 4 * (c.start + cStart);
    copyRows(simd, a, aStart, rows, depth, p.a, aAt);
    for (let row = 0; row < rows; row++) writeBias(simd, to + 4 * row * cols, cols, cols, epilogue);
    for (let k = 0; k < depth; k += together) {
      const count = Math.min(together, depth - k);
      const at = addressOf(simd, b, bStart + k * cols, count * cols, run);
      for (let row = 0; row < rows; row++) {
        const [from, sums] = [aAt + 4 * (row * depth + k), to + 4 * row * cols];
        simd.addRows({ a: from, b: at, rows: count, cols, c: sums });
      }
    }
    finish(simd, to, rows * cols, c, cStart, epilogue);
  };
}

/** For few columns of B. A cell of C is the inner product of a row of A, which must lie in memory as a row, and a column. */
export function dotColumns(simd: Simd, p: Product, a: Data, b: Data, c: Data, epilogue: Epilogue): Multiply {
  return dot(simd, p, a, b, c, epilogue, false);
}

/** For few rows of A: the transposed product, of few columns. The columns of B must lie in memory as rows. */
export function dotRows(simd: Simd, p: Product, a: Data, b: Data, c: Data, epilogue: Epilogue): Multiply {
  const multiply = dot(simd, transposed(p), b, a, c, epilogue, true);
  return (aStart, bStart, cStart) => multiply(bStart, aStart, cStart);
}

/** @param isTransposed whether C lies in memory as [cols, rows], and the bias has a value for each row */
function dot(
  simd: Simd,
  p: Product,
  a: Data,
  b: Data,
  c: Data,
  epilogue: Epilogue,
  isTransposed: boolean,
): Multiply {
  const { rows, depth, cols } = p;
  const [rowStep, colStep] = isTransposed ? [1, rows] : [cols, 1];
  const together = Math.min(rowsOfRun(depth), roundUp(rows, MR));
  const [run, columns, cAt, bias, zero, pixels, outs] = simd.place(
    a.array ? 4 * together * depth : 0,
    4 * cols * depth,
    c.array ? 4 * rows * cols : 0,
    4 * cols,
    4,
    4 * together,
    4 * together,
  );
  const { f32, i32 } = simd;
  i32[zero / 4] = 0;
  if (!isTransposed) writeBias(simd, bias, cols, cols, epilogue);
  const whole = depth & ~3;
  return (aStart, bStart, cStart) => {
    const to = c.array ? cAt : 4 * (c.start + cStart);
    copyRows(simd, b, bStart, cols, depth, transpose(p.b), columns);
    for (let row = 0; row < rows; row += together) {
      const count = Math.min(together, rows - row);
      const at = addressOf(simd, a, aStart + row * depth, count * depth, run);
      writeSteps(simd, pixels, count, 4 * depth);
      writeSteps(simd, outs, count, 4 * rowStep);
      for (let col = 0; col < cols; col++) {
        const [column, sums] = [columns + 4 * col * depth, to + 4 * (row * rowStep + col * colStep)];
        if (isTransposed) writeBias(simd, sums, count, count, biasFrom(epilogue, row));
        simd.dot({
          pixels,
          outs,
          pixelCount: roundUp(count, MR),
          segments: zero,
          segmentCount: 1,
          segmentLength: whole,
          a: at,
          panels: column,
          panelCount: 1,
          bias: bias + 4 * col,
          c: sums,
          continued: isTransposed,
          clamped: false,
          lowest: 0,
          highest: 0,
        });
        for (let k = whole; k < depth; k++) {
          const value = f32[column / 4 + k];
          for (let i = 0; i < count; i++) f32[sums / 4 + i * rowStep] += value * f32[at / 4 + i * depth + k];
        }
      }
    }
    finish(simd, to, rows * cols, c, cStart, epilogue);
  };
}

/** The same cells, as transpose(B) * transpose(A). */
export function transposed(p: Product): Product {
  return { rows: p.cols, depth: p.depth, cols: p.rows, a: transpose(p.b), b: transpose(p.a) };
}

function transpose({ row, col }: Steps): Steps {
  return { row: col, col: row };
}

function rowsOfRun(length: number): number {
  return roundUp(RUN_SIZE / Math.max(1, length), MR);
}

/** Copies a matrix to `to`, row after row. */
function copyRows(
  { f32 }: Simd,
  { array, start }: Data,
  first: number,
  rows: number,
  cols: number,
  { row: rowStep, col: colStep }: Steps,
  to: number,
): void {
  const values = array ?? f32;
  for (let row = 0, at = to / 4; row < rows; row++, at += cols) {
    const from = start + first + row * rowStep;
    if (colStep === 1) f32.set(values.subarray(from, from + cols), at);
    else for (let i = 0; i < cols; i++) f32[at + i] = values[from + i * colStep];
  }
}

/** The epilogue of the columns from the `first` on. */
function biasFrom({ bias, ...bounds }: Epilogue, first: number): Epilogue {
  return { ...bounds, bias: bias && { ...bias, start: bias.start + first } };
}

/** Clamps C, and copies it to where it is to stay. */
function finish({ f32 }: Simd, at: number, size: number, c: Data, cStart: number, epilogue: Epilogue): void {
  const values = f32.subarray(at / 4, at / 4 + size);
  const { lowest, highest } = epilogue;
  if (isClamped(epilogue)) {
    for (let i = 0; i < size; i++) values[i] = Math.min(Math.max(values[i], lowest), highest);
  }
  c.array?.set(values, c.start + cStart);
}

/** at[i] = i * step, and repeats the last one until the tiles of MR are full. */
export function writeSteps({ i32 }: Simd, at: number, count: number, step: number): void {
  for (let i = 0; i < roundUp(count, MR); i++) i32[at / 4 + i] = step * Math.min(i, count - 1);
}

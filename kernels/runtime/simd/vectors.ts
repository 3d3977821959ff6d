/**
 * Products of a matrix and a few vectors. The matrix is by far the largest array, and each vector uses each of its values once. So
 * it is read as it lies, in runs of rows that stay in the cache for all vectors. To pack it would take longer than the product.
 *
 * See ./matrix.ts for the meaning of the arguments.
 */
import { type Epilogue, isClamped, writeBias } from './epilogue.js';
import { MR, roundUp } from './calls.js';
import { addressOf, type Data, type Simd } from './instance.js';
import type { Products, Steps } from './matrix.js';

/** In floats: a run of rows. */
const RUN_SIZE = 1 << 14;

/** For few rows of A. C is a sum of multiples of the rows of B, which must lie in memory as rows. So must those of C. */
export function addRows(simd: Simd, p: Products, a: Data, b: Data, c: Data, epilogue: Epilogue): void {
  const { rows, depth, cols } = p;
  const together = Math.min(rowsOfRun(cols), depth);
  const [run, aAt, cAt] = simd.place(
    b.array ? 4 * together * cols : 0,
    4 * rows * depth,
    c.array ? 4 * rows * cols : 0,
  );
  for (let i = 0; i < p.cStarts.length; i++) {
    const to = c.array ? cAt : 4 * (c.start + p.cStarts[i]);
    copyRows(simd, a, p.aStarts[i], rows, depth, p.a, aAt);
    for (let row = 0; row < rows; row++) writeBias(simd, to + 4 * row * cols, cols, cols, epilogue);
    for (let k = 0; k < depth; k += together) {
      const count = Math.min(together, depth - k);
      const at = addressOf(simd, b, p.bStarts[i] + k * cols, count * cols, run);
      for (let row = 0; row < rows; row++) {
        const [from, sums] = [aAt + 4 * (row * depth + k), to + 4 * row * cols];
        simd.addRows({ a: from, b: at, rowStep: 4 * cols, rows: count, cols, c: sums });
      }
    }
    if (isClamped(epilogue)) clamp(simd, to, rows, cols, p.c, epilogue);
    if (c.array) copyOut(simd, to, rows, cols, c.array, c.start + p.cStarts[i], cols);
  }
}

/** For few columns of B. A cell of C is the inner product of a row of A, which must lie in memory as a row, and a column. */
export function dotColumns(simd: Simd, p: Products, a: Data, b: Data, c: Data, epilogue: Epilogue): void {
  dot(simd, p, a, b, c, epilogue, false);
}

/** For few rows of A: the transposed product, of few columns. The columns of B must lie in memory as rows. */
export function dotRows(simd: Simd, p: Products, a: Data, b: Data, c: Data, epilogue: Epilogue): void {
  dot(simd, transposed(p), b, a, c, epilogue, true);
}

/** @param isTransposed whether the bias has a value for each row, instead of each column */
function dot(
  simd: Simd,
  p: Products,
  a: Data,
  b: Data,
  c: Data,
  epilogue: Epilogue,
  isTransposed: boolean,
): void {
  const { rows, depth, cols } = p;
  const together = Math.min(rowsOfRun(depth), roundUp(rows, MR));
  const steps = c.array && !isTransposed ? { row: cols, col: 1 } : p.c;
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
  const { lowest, highest } = epilogue;
  const [whole, isBounded] = [depth & ~3, isClamped(epilogue)];
  for (let i = 0; i < p.cStarts.length; i++) {
    const to = c.array ? cAt : 4 * (c.start + p.cStarts[i]);
    copyRows(simd, b, p.bStarts[i], cols, depth, flipped(p.b), columns);
    for (let row = 0; row < rows; row += together) {
      const count = Math.min(together, rows - row);
      const at = addressOf(simd, a, p.aStarts[i] + row * depth, count * depth, run);
      writeSteps(simd, pixels, count, 4 * depth);
      writeSteps(simd, outs, count, 4 * steps.row);
      for (let col = 0; col < cols; col++) {
        const [column, sums] = [columns + 4 * col * depth, to + 4 * (row * steps.row + col * steps.col)];
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
          clamped: isBounded && whole === depth,
          lowest,
          highest,
        });
        for (let k = whole; k < depth; k++) {
          const value = f32[column / 4 + k];
          for (let m = 0; m < count; m++)
            f32[sums / 4 + m * steps.row] += value * f32[at / 4 + m * depth + k];
        }
      }
    }
    if (isBounded && whole < depth) clamp(simd, to, rows, cols, steps, epilogue);
    if (!c.array) continue;
    const first = c.start + p.cStarts[i];
    if (isTransposed) copyOut(simd, to, cols, rows, c.array, first, rows);
    else copyOut(simd, to, rows, cols, c.array, first, p.c.row);
  }
}

/** The same cells, as transpose(B) * transpose(A). */
export function transposed(p: Products): Products {
  const { rows, cols, a, b, c, aStarts, bStarts } = p;
  return {
    ...p,
    rows: cols,
    cols: rows,
    a: flipped(b),
    b: flipped(a),
    c: flipped(c),
    aStarts: bStarts,
    bStarts: aStarts,
  };
}

function flipped({ row, col }: Steps): Steps {
  return { row: col, col: row };
}

function rowsOfRun(length: number): number {
  return roundUp(RUN_SIZE / Math.max(1, length), MR);
}

/** at[i] = i * step. The last one is repeated until the tiles of MR are full. */
export function writeSteps({ i32 }: Simd, at: number, count: number, step: number): void {
  for (let i = 0; i < count; i++) i32[at / 4 + i] = step * i;
  i32.fill(step * (count - 1), at / 4 + count, at / 4 + roundUp(count, MR));
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

/** Copies rows that lie together to where they are to stay. */
export function copyOut(
  { f32 }: Simd,
  from: number,
  rows: number,
  cols: number,
  to: Float32Array,
  first: number,
  step: number,
): void {
  const values = f32.subarray(from / 4, from / 4 + rows * cols);
  if (step === cols) to.set(values, first);
  else
    for (let row = 0; row < rows; row++)
      to.set(values.subarray(row * cols, (row + 1) * cols), first + row * step);
}

/** The epilogue of the columns from the `first` on. */
function biasFrom({ bias, lowest, highest }: Epilogue, first: number): Epilogue {
  return { lowest, highest, bias: bias && { ...bias, start: bias.start + first } };
}

function clamp(
  { f32 }: Simd,
  at: number,
  rows: number,
  cols: number,
  steps: Steps,
  { lowest, highest }: Epilogue,
): void {
  for (let row = 0; row < rows; row++) {
    for (let col = 0; col < cols; col++) {
      const i = at / 4 + row * steps.row + col * steps.col;
      f32[i] = Math.min(Math.max(f32[i], lowest), highest);
    }
  }
}

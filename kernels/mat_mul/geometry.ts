/**
 * The geometry of a batch of matrix products: shapes, steps and broadcasting, validated and computed once.
 *
 *   a [...batch of a, rows, depth], or [..., depth, rows] if it is transposed
 *   b [...batch of b, depth, cols], or [..., cols, depth] if it is transposed
 *   c [...batch, rows, cols]
 *
 * The two batches are broadcast: they are aligned at their last dimension, and sizes of 1 or missing ones are repeated.
 */
import { broadcastShape, broadcastSteps, forEachRun } from '../broadcast.js';
import { sizeOf } from '../geometry.js';
import type { Products } from '../runtime/simd/matrix.js';

/** `rows`, `depth`, `cols` and the steps in values are those of one product. The matrices of c lie one after the other. */
export interface MatMulGeometry extends Products {
  readonly outShape: readonly number[];
}

/** @throws Error naming the argument, its shape and what is allowed */
export function matMulGeometry(
  aShape: readonly number[],
  bShape: readonly number[],
  transposeA = false,
  transposeB = false,
): MatMulGeometry {
  checkRank('a', aShape);
  checkRank('b', bShape);
  const [aBatch, [rows, depth]] = split(aShape, transposeA);
  const [bBatch, [bDepth, cols]] = split(bShape, transposeB);
  if (bDepth !== depth) {
    throw new Error(
      `tfjs-convgrad: b is of shape [${bShape}]${transposeB ? ', transposed' : ''}, but its inner size, ${bDepth}, must be ` +
        `that of a, ${depth}: a is of shape [${aShape}]${transposeA ? ', transposed' : ''}.`,
    );
  }
  const batch = broadcastShape(
    aBatch,
    bBatch,
    `b is of shape [${bShape}], but its batch [${bBatch}] must broadcast with that of a, [${aBatch}]: a is of shape [${aShape}].`,
  );
  // Many matrices times the same one are one product of many rows.
  const isOne = !transposeA && sizeOf(bBatch) === 1 && sizeOf(aBatch) === sizeOf(batch);
  return {
    outShape: [...batch, rows, cols],
    rows: isOne ? rows * sizeOf(batch) : rows,
    depth,
    cols,
    a: transposeA ? { row: 1, col: rows } : { row: depth, col: 1 },
    b: transposeB ? { row: 1, col: depth } : { row: cols, col: 1 },
    c: { row: cols, col: 1 },
    aStarts: isOne ? [0] : starts(aBatch, batch, rows * depth),
    bStarts: isOne ? [0] : starts(bBatch, batch, depth * cols),
    cStarts: isOne ? [0] : starts(batch, batch, rows * cols),
  };
}

function checkRank(name: string, shape: readonly number[]): void {
  if (shape.length < 2) {
    throw new Error(
      `tfjs-convgrad: ${name} is of shape [${shape}], but it must have at least two dimensions.`,
    );
  }
}

/** The batch, and the sizes of a matrix after it has been transposed. */
function split(shape: readonly number[], isTransposed: boolean): [readonly number[], [number, number]] {
  const [first, second] = shape.slice(-2);
  return [shape.slice(0, -2), isTransposed ? [second, first] : [first, second]];
}

/** For each product, where its matrix of this size starts in the operand, whose batch may be smaller. */
function starts(own: readonly number[], batch: readonly number[], size: number): number[] {
  const all = new Array<number>(sizeOf(batch));
  const steps = broadcastSteps(own, batch.length).map((step) => step * size);
  forEachRun(batch, [steps], (at, [start], count, [step]) => {
    for (let i = 0; i < count; i++) all[at + i] = start + i * step;
  });
  return all;
}

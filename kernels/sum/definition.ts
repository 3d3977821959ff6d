/**
 * Sums and means over some of the dimensions of x: the gradient of a bias, the statistics of batch normalization, global average
 * pooling.
 *
 *   Sum    y[kept] = sum over the reduced dimensions of x[kept, reduced]
 *   Mean   y[kept] = the same, divided by the number of cells that are summed
 *
 *   x  any shape        y  x's shape without the reduced dimensions; `summedShape` gives them a size of 1
 *
 * The sum of no cells is 0, and so is their mean, as in tfjs. Source: tfjs's own kernels of these names.
 */
import type { Floats } from '../arrays.js';
import { broadcastIndex } from '../broadcast.js';

/** x's shape, with a size of 1 in each dimension that is summed. */
export function summedShape(shape: readonly number[], axes: readonly number[]): number[] {
  return shape.map((size, d) => (axes.includes(d) ? 1 : size));
}

/**
 * The dimensions that tfjs's `axis` means: a number, an array, or all if it is absent. Negative ones count from the last.
 * @throws Error naming an axis that x does not have
 */
export function axesOf(axis: number | readonly number[] | null | undefined, rank: number): number[] {
  if (axis === undefined || axis === null) return Array.from({ length: rank }, (_, d) => d);
  const axes = [axis].flat().map((d) => {
    if (!Number.isInteger(d) || d < -rank || d >= rank) {
      throw new Error(
        `tfjs-convgrad: axis is ${d}, but it must be a whole number from ${-rank} to ${rank - 1}, as x is of rank ${rank}.`,
      );
    }
    return d < 0 ? d + rank : d;
  });
  return [...new Set(axes)];
}

/** sums = the sums of x over the axes. Every one of them is written. */
export function sum(x: Floats, shape: readonly number[], axes: readonly number[], sums: Float64Array): void {
  const kept = summedShape(shape, axes);
  sums.fill(0);
  for (let i = 0; i < x.length; i++) sums[broadcastIndex(i, shape, kept)] += x[i];
}

/** means = the means of x over the axes. Every one of them is written. */
export function mean(
  x: Floats,
  shape: readonly number[],
  axes: readonly number[],
  means: Float64Array,
): void {
  sum(x, shape, axes, means);
  const count = countOf(shape, axes);
  for (let i = 0; i < means.length; i++) means[i] /= count;
}

/** The number of cells of x in each sum; 1 if there are none. */
export function countOf(shape: readonly number[], axes: readonly number[]): number {
  return axes.reduce((count, d) => count * shape[d], 1) || 1;
}

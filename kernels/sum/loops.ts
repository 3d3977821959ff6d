/** The fast loop of ./definition.ts. Sums are made in float64. */
import type { Floats } from '../arrays.js';
import { broadcastSteps, forEachRun } from '../broadcast.js';
import { summedShape } from './definition.js';

/** sums = the sums of x over the axes. Every one of them is written. */
export function sum(x: Floats, shape: readonly number[], axes: readonly number[], sums: Float64Array): void {
  if (axes.every((d) => d >= shape.length - axes.length)) {
    const count = x.length / sums.length; // the last dimensions: the cells of each sum lie side by side
    for (let i = 0; i < sums.length; i++) sums[i] = sumOf(x, i * count, count);
    return;
  }
  sums.fill(0);
  const steps = broadcastSteps(summedShape(shape, axes), shape.length);
  forEachRun(shape, [steps], (at, starts, count, steps) => {
    if (steps[0] === 0) sums[starts[0]] += sumOf(x, at, count);
    else addRun(x, at, count, sums, starts[0], steps[0]);
  });
}

function addRun(x: Floats, at: number, count: number, sums: Float64Array, to: number, step: number): void {
  for (let end = at + count; at < end; at++, to += step) sums[to] += x[at];
}

function sumOf(x: Floats, at: number, count: number): number {
  let sum = 0;
  for (let i = at; i < at + count; i++) sum += x[i];
  return sum;
}

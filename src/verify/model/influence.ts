/**
 * What the errors of single ops do to the model's outputs. The model runs again with the right values in place of an op's outputs: what
 * changes in its outputs is what the op's error does to them.
 */
import { tensor, type Tensor } from '@tensorflow/tfjs-core';
import type { Judged } from './judge.js';
import type { Contribution, ModelOutput } from './model-report.js';
import type { Watcher } from './record.js';

/** At most this many ops are asked about: those with the largest errors. */
const CANDIDATES = 4;

/** Wrong ops come first, and then those whose errors are larger in units of their values. */
function comesBefore(a: Judged, b: Judged): number {
  return Number(b.op.state === 'wrong') - Number(a.op.state === 'wrong') || b.relative - a.relative;
}

/** The candidates of those so far and one more. The others need not hold their right values. */
export function candidatesOf(candidates: readonly Judged[], next: Judged): Judged[] {
  if (!next.right || next.relative === 0 || next.op.phase !== 'forward') return [...candidates];
  return [...candidates, next].sort(comesBefore).slice(0, CANDIDATES);
}

/**
 * @param forward runs the model, and gives its outputs. It must run the calls that were judged: tfjs fuses fewer ops if it records
 *   gradients.
 */
export async function influenceOf(
  forward: (watch: Watcher) => Promise<Tensor[]>,
  candidates: readonly Judged[],
): Promise<{ outputs: ModelOutput[]; contributions: Contribution[] }> {
  const outputs = await forward(() => {});
  const shapes = outputs.map(({ shape }) => shape);
  const before = await valuesOf(outputs);
  checkSame(before, await valuesOf(await forward(() => {})));
  const largest = before.map(largestOf);
  const total = before.map((values) => new Float64Array(values.length));
  const contributions: Contribution[] = [];
  for (const { op, right } of candidates) {
    const after = await valuesOf(await forward(replacing(op.index, right!)));
    const changes = before.map((values, k) =>
      Float64Array.from(values, (value, i) => changeOf(value, after[k][i])),
    );
    changes.forEach((change, k) => change.forEach((value, i) => (total[k][i] += value)));
    const { index, kernel, layer } = op;
    const off = Math.max(...changes.map((change, k) => largestOf(change) / (largest[k] || 1)));
    contributions.push({ index, kernel, ...(layer !== undefined && { layer }), off });
  }
  return {
    outputs: shapes.map((shape, k) => ({ shape, largest: largest[k], off: largestOf(total[k]) })),
    contributions: contributions.filter(({ off }) => off > 0).sort((a, b) => b.off - a.off),
  };
}

/** Of the largest output: what may differ in two runs, because tfjs may run the same call in another way the next time. */
const SAME = 2 ** -10;

/** @throws Error if the outputs of two runs differ by more than rounding */
function checkSame(before: readonly ArrayLike<number>[], after: readonly ArrayLike<number>[]): void {
  before.forEach((values, k) => {
    const change = largestOf(Float64Array.from(values, (value, i) => changeOf(value, after[k][i])));
    if (change <= SAME * largestOf(values)) return;
    throw new Error(
      `tfjs-convgrad: model is one whose output ${k} differs by ${change} in two runs, but it must be deterministic, because it runs ` +
        'several times: give random ops a seed, and leave out what drops values at random.',
    );
  });
}

/** Gives the model these values in place of the outputs of one call. The scope of the op disposes of the outputs. Outputs of which the values are not known stay. */
function replacing(index: number, right: NonNullable<Judged['right']>): Watcher {
  return (seen) => {
    if (seen.index !== index) return undefined;
    return seen.outputs.map((output, k) => {
      if (!right[k]) return output;
      const { values, shape, dtype } = right[k];
      return tensor(Float32Array.from(values), [...shape], dtype);
    });
  };
}

/** Two values that are both not finite do not differ. */
function changeOf(before: number, after: number): number {
  if (!Number.isFinite(before) && !Number.isFinite(after)) return 0;
  const change = after - before;
  return Number.isNaN(change) ? Infinity : change;
}

/** The largest magnitude. Infinity counts, NaN does not. */
function largestOf(values: ArrayLike<number>): number {
  let largest = 0;
  for (let i = 0; i < values.length; i++) if (Math.abs(values[i]) > largest) largest = Math.abs(values[i]);
  return largest;
}

async function valuesOf(tensors: readonly Tensor[]): Promise<ArrayLike<number>[]> {
  try {
    return await Promise.all(tensors.map(async (t) => (await t.data()) as Float32Array));
  } finally {
    tensors.forEach((t) => t.dispose());
  }
}

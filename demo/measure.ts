/**
 * Measures one kernel on one case for the comparison: each element's error, the gradient against differences, and time.
 */
import { getBackend } from '@tensorflow/tfjs-core';
import { OWN } from '../kernels/registry.js';
import { compareSubject, type Comparison } from '../src/cli/comparison.js';
import { canAskBuiltin, type Subject } from '../kernels/proof.js';
import { runSubject } from '../src/verify/prove.js';
import { drawn, floats } from '../src/verify/data.js';
import { difference } from '../src/verify/differences.js';
import { compare, type Worst } from '../src/verify/exact.js';
import { boundOf, untiedInputs, type Values } from '../src/verify/compare-kernels.js';
import { alternate } from '../src/verify/time.js';

export interface Measured {
  comparison: Comparison;
  ours: Errors;
  /** null if the built-in throws, gives a result of another shape, or must not run. */
  builtin: Errors | null;
  /** Some elements of the gradient; absent for forward kernels. */
  gradient?: Slope[];
  /** Milliseconds of a call; null if the built-in gives no result, or if the browser's clock is too coarse. */
  time: Times | null;
}

export interface Times {
  builtin: number;
  ours: number;
}

export interface Errors {
  /** |got - want| / bound of every element. */
  ratios: Float64Array;
  worst: Worst;
}

export interface Slope {
  ours: number;
  builtin?: number;
  /** The central difference of the float64 definition. */
  want: number;
}

const SEED = 1;
const TIMED_MS = 300;
/** Milliseconds of a timed batch of calls, at least: browsers' clocks tick every millisecond, or less often. */
const BATCH_MS = 10;
const MOST_CALLS = 256;
/** Number of elements of a gradient that are compared with differences. */
const DIFFERENCES = 64;

/** Measures the subject's kernel on the active backend. */
export async function measure(subject: Subject): Promise<Measured> {
  const comparison = await compareSubject(subject, SEED, 0);
  const values = untiedInputs(subject, SEED, floats);
  const want = subject.definition(values);
  const bound = boundOf(subject, values);
  const ours = await runSubject(subject, OWN, values);
  const builtin = canAskBuiltin(subject, getBackend())
    ? await runSubject(subject, '', values).catch(() => null)
    : null;
  return {
    comparison,
    ours: errors(ours, want, bound),
    builtin: builtin && errors(builtin, want, bound),
    ...(subject.loss && { gradient: slopes(subject, values, ours, builtin) }),
    time: builtin && (await timed(subject, values)),
  };
}

function errors(got: ArrayLike<number>, want: Float64Array, bound: (index: number) => number): Errors {
  const ratio = (i: number) => compare([got[i]], [want[i]], () => bound(i)).error;
  return { ratios: want.map((_, i) => ratio(i)), worst: compare(got, want, bound) };
}

function slopes(
  subject: Subject,
  values: Values,
  ours: ArrayLike<number>,
  builtin: ArrayLike<number> | null,
): Slope[] {
  const { start, value, step } = subject.loss!;
  const point = start(values);
  return drawn(point.length, DIFFERENCES, SEED).map((index) => ({
    ours: ours[index],
    builtin: builtin?.[index],
    want: difference((at) => value(at, values), point, index, step),
  }));
}

async function timed(subject: Subject, values: Values): Promise<Times | null> {
  const calls = (prefix: string, count: number) => async () => {
    for (let i = 0; i < count; i++) await runSubject(subject, prefix, values);
  };
  let count = 1;
  for (; count < MOST_CALLS; count *= 2) {
    const start = performance.now();
    await calls(OWN, count)();
    if (performance.now() - start >= BATCH_MS) break;
  }
  const { a, b } = await alternate(calls('', count), calls(OWN, count), TIMED_MS);
  return a > 0 && b > 0 ? { builtin: a / count, ours: b / count } : null;
}

/**
 * Measures one kernel on one case for the comparison: each element's error, the gradient against differences, and times.
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
import { alternate, type Timing } from '../src/verify/time.js';

export interface Measured {
  comparison: Comparison;
  ours: Errors;
  /** null if the built-in throws, gives a result of another shape, or must not run. */
  builtin: Errors | null;
  /** Some elements of the gradient; absent for forward kernels. */
  gradient?: Slope[];
  /** null if the built-in gives no result, or if the browser's clock is too coarse. */
  times: Times | null;
}

/** The ends of the middle half of some measurements. */
export type Spread = [low: number, high: number];

/** Each round times both kernels in turn, with their inputs' way in and their results' way out. */
export interface Times {
  /** Milliseconds of a call. */
  ours: Spread;
  builtin: Spread;
  /** How many times as fast the plugin's kernel is. */
  ratio: Spread;
}

/** Every element of a result, and its error. */
export interface Errors {
  got: ArrayLike<number>;
  want: Float64Array;
  /** The largest |got - want| that is right. */
  bound(index: number): number;
  /** |got - want| / bound. */
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
/** Milliseconds after which no further round is timed, and how many rounds there are at least and at most. */
const TIMED_MS = 600;
const ROUNDS = [3, 15];
/** Milliseconds of a timed batch of calls, at least: browsers' clocks tick every millisecond, or less often. */
const BATCH_MS = 20;
const MOST_CALLS = 4096;
/** Number of elements of a gradient that are compared with differences. */
const DIFFERENCES = 64;

/** Measures the subject's kernel on the active backend. */
export async function measure(subject: Subject): Promise<Measured> {
  const comparison = await compareSubject(subject, SEED, null);
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
    times: builtin && (await timed(subject, values)),
  };
}

function errors(got: ArrayLike<number>, want: Float64Array, bound: (index: number) => number): Errors {
  const ratio = (i: number) => compare([got[i]], [want[i]], () => bound(i)).error;
  return { got, want, bound, ratios: want.map((_, i) => ratio(i)), worst: compare(got, want, bound) };
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
  while (count < MOST_CALLS && (await elapsed(calls(OWN, count))) < BATCH_MS) count *= 2;
  const rounds: Timing[] = [];
  const start = performance.now();
  do rounds.push(await alternate(calls('', count), calls(OWN, count), 0));
  while (rounds.length < ROUNDS[0] || (performance.now() - start < TIMED_MS && rounds.length < ROUNDS[1]));
  if (rounds.some(({ a, b }) => a === 0 || b === 0)) return null;
  return {
    ours: middleHalf(rounds.map(({ b }) => b / count)),
    builtin: middleHalf(rounds.map(({ a }) => a / count)),
    ratio: middleHalf(rounds.map(({ a, b }) => a / b)),
  };
}

async function elapsed(f: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  await f();
  return performance.now() - start;
}

function middleHalf(values: number[]): Spread {
  const sorted = [...values].sort((p, q) => p - q);
  const last = sorted.length - 1;
  return [sorted[Math.floor(last / 4)], sorted[Math.ceil((last * 3) / 4)]];
}

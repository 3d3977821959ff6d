/**
 * Does the gradient that tfjs computes agree with numerical differences?
 *
 * For inputs x, outputs y, a direction v and a cotangent c the two sides of
 *
 *   <J^T c, v> = <c, J v>
 *
 * come from the gradient (left, `got`) and from values of f alone (right, `want`, see differences.ts). With v and c
 * unit vectors it is one element of the Jacobian J, and small functions are checked by all of them. Larger ones are
 * checked by random directions and cotangents, which an error anywhere shows in, and by some elements of each input.
 */
import { addN, engine, getBackend, tensor, type Tensor, zerosLike } from '@tensorflow/tfjs-core';
import { approximationIn } from './accuracy.js';
import { drawn, random, signed } from './data.js';
import { exactSlopes, noiseOf, type Slope, slopes } from './differences.js';
import {
  checkOptions,
  checkWhole,
  demand,
  type Differentiable,
  type Flat,
  flatten,
  type Part,
  sizeOf,
  sizesOf,
} from './flat.js';
import { type Entry, errorOf, type GradReport, reportOf, worstOf } from './grad-report.js';

export interface GradCheckOptions {
  /** 1: the gradient; 2: the gradient's own gradient too. Default 1. */
  order?: 1 | 2;
  /** Seed of all random directions and cotangents. Default 1. */
  seed?: number;
  /**
   * No tolerance at all: for functions that are linear in each input, or piecewise, at whole numbers so small that
   * float32 is exact. Default false.
   */
  exact?: boolean;
}

/** Up to so many elements an input, or all outputs together, are checked one by one. */
const ALL = 256;
/** Of larger ones so many random directions or cotangents, */
const DRAWN = 6;
/** and so many elements of an input. */
const SAMPLES = 12;
/** Errors of many outputs, with random signs, add up to more than so many times the root of their squares once in 10^10. */
const DEVIATIONS = 7;
/** A bound above this share of the largest element cannot tell right from wrong, */
const RESOLUTION = 0.01;
/** unless the disagreement is so many times the bound. */
const CLEARLY = 4;

/** A direction in one input: a unit vector, times the size of the element, or a random one. */
interface Direction {
  part: Part;
  v: Float64Array;
  /** The element, of a unit vector. */
  index?: number;
}

interface Cotangent {
  values: Float64Array;
  /** Where they are not 0. */
  at: number[];
  /** The gradient of <cotangent, outputs>, by tfjs. */
  gradient: Float64Array;
  /** The element of all outputs, of a unit vector. */
  index?: number;
}

/**
 * Checks the gradient of f at the inputs. Agreement or not, it resolves to a report.
 * @param f called as `f(...inputs)`; gives a tensor or a list of tensors
 * @param inputs f is differentiated in those that are float32
 * @throws Error naming the argument, what it was and what is allowed; or what f, or its gradient, throws
 */
export async function gradCheck(
  f: Differentiable,
  inputs: readonly Tensor[],
  options: GradCheckOptions = {},
): Promise<GradReport> {
  checkOptions(f, options);
  const { order = 1, seed = 1, exact = false } = options;
  demand(order === 1 || order === 2, 'order', order, '1 or 2');
  const first = await checkOnce(f, inputs, { order: 1, seed, exact });
  if (order === 1 || first.verdict !== 'right') return first;
  const flat = await flatten(f, inputs);
  const dys = signed(sizeOf(flat.outputs), random(seed + 1), exact);
  const dyTensors = flat.outputs.map(({ start, end, shape }) => tensor([...dys.subarray(start, end)], shape));
  try {
    return await checkOnce(gradientOf(f, inputs, flat), [...inputs, ...dyTensors], { order: 2, seed, exact });
  } finally {
    dyTensors.forEach((t) => t.dispose());
  }
}

/**
 * As gradCheck, but throws where the verdict is not 'right'.
 * @throws Error whose message is the report's text, and whose `report` is the report
 */
export async function assertGradients(
  f: Differentiable,
  inputs: readonly Tensor[],
  options: GradCheckOptions = {},
): Promise<GradReport> {
  const report = await gradCheck(f, inputs, options);
  if (report.verdict !== 'right') throw Object.assign(new Error(String(report)), { report });
  return report;
}

/** The gradients of <dys, f(inputs)>, as a function of inputs and dys. */
function gradientOf(f: Differentiable, inputs: readonly Tensor[], flat: Flat): Differentiable {
  return (...args: Tensor[]) => {
    const [xs, dys] = [args.slice(0, inputs.length), args.slice(inputs.length)];
    const wanted = flat.inputs.map(({ number }) => xs[number]);
    const terms = flat.outputs.map(({ number }, k) => {
      const y = () => [f(...(xs as never[]))].flat()[number];
      return engine().gradients(y, wanted, dys[k], true).grads as (Tensor | null)[];
    });
    return wanted.map((x, i) => addN([zerosLike(x), ...terms.flatMap((grads) => grads[i] ?? [])]));
  };
}

type Settings = Required<GradCheckOptions>;
type Measure = (v: Float64Array, careful?: boolean) => Promise<Slope[]>;
/** With what it was found. */
type Found = Entry & { direction: Direction; cotangent: Cotangent };

async function checkOnce(
  f: Differentiable,
  inputs: readonly Tensor[],
  { order, seed, exact }: Settings,
): Promise<GradReport> {
  const flat = await flatten(f, inputs);
  if (exact) checkWhole(flat);
  const next = random(seed);
  const center = await flat.f(flat.x);
  const scale = exact ? flat.x.map(() => 1) : sizesOf(flat);
  const noise = exact ? [] : await noiseOf(flat.f, flat.x, scale, next);
  const cotangents = await cotangentsOf(flat, next, exact);
  const once = () => flat.gradient(flat.x, cotangents[0].values);
  const approximation = exact ? 0 : await approximationIn(once);
  const measure: Measure = (v, careful) =>
    exact
      ? exactSlopes(flat.f, flat.x, center, v)
      : slopes(flat.f, flat.x, center, v, noise, approximation, careful);
  const entries: Found[] = [];
  for (const direction of directionsOf(flat, scale, next)) {
    entries.push(...(await entriesAlong(flat, direction, cotangents, measure)));
  }
  judge(entries, Math.max(...center.map(Math.abs)));
  const wrong = worstOf(entries, 'wrong');
  const worst = wrong && (await locate(flat, wrong, measure));
  const what = order === 1 ? 'The gradient' : 'The second-order gradient';
  return reportOf({ what, seed, exact, backend: getBackend() }, entries, worst);
}

/** Both sides along one direction, for every cotangent; where they disagree, measured once more, with care. */
async function entriesAlong(
  flat: Flat,
  direction: Direction,
  cotangents: readonly Cotangent[],
  measure: Measure,
): Promise<Found[]> {
  const found = await measure(direction.v);
  let again: Slope[] | undefined;
  const entries: Found[] = [];
  for (const cotangent of cotangents) {
    let entry = await entryOf(flat, direction, cotangent, found);
    if (entry.state !== 'kink' && errorOf(entry) > 1) {
      again ??= await measure(direction.v, true);
      entry = await entryOf(flat, direction, cotangent, again);
    }
    entries.push(entry);
  }
  return entries;
}

/** Outputs at a kink are left out of the cotangent, as long as more than half of it is left. */
async function entryOf(
  flat: Flat,
  direction: Direction,
  cotangent: Cotangent,
  slopes: readonly Slope[],
): Promise<Found> {
  const { v, index, part } = direction;
  const { at } = cotangent;
  const kinks = at.filter((i) => slopes[i].kink);
  const rest = kinks.length === 0 ? at : at.filter((i) => !slopes[i].kink);
  const isKink = kinks.length >= rest.length;
  let { gradient } = cotangent;
  if (kinks.length > 0 && !isKink) {
    gradient = await flat.gradient(flat.x, cotangent.values.map((c, i) => (slopes[i].kink ? 0 : c))); // prettier-ignore
  }
  let [got, want, sum, squares] = [0, 0, 0, 0];
  const [from, to] =
    index === undefined ? [part.start, part.end] : [part.start + index, part.start + index + 1];
  for (let i = from; i < to; i++) got += v[i] === 0 ? 0 : gradient[i] * v[i];
  for (const i of rest) {
    const [c, slope] = [cotangent.values[i], slopes[i]];
    want += c * slope.value;
    sum += Math.abs(c) * slope.bound;
    squares += (c * slope.bound) ** 2;
  }
  // The signs of c are random: Hoeffding's inequality, "Probability inequalities for sums", 1963.
  const bound = Math.min(sum, DEVIATIONS * Math.sqrt(squares));
  // Per unit of the element, not of its size.
  const size = index === undefined ? 1 : Math.abs(v[part.start + index]);
  return {
    direction,
    cotangent,
    input: part.number,
    ...(index !== undefined && { index: coordinates(index, part.shape) }),
    ...outputOf(flat, cotangent.index),
    got: got / size,
    want: want / size,
    bound: bound / size,
    state: isKink ? 'kink' : 'agrees',
    kinks: isKink ? [] : kinks.map((i) => outputOf(flat, i)),
  };
}

/** Says of every entry that is at no kink whether it agrees, is wrong, or cannot be told. */
function judge(entries: Found[], level: number): void {
  const largest = new Map<string, number>();
  const keysOf = ({ input, index, output, outputIndex }: Entry) => {
    const kind = `${input} ${index === undefined}`;
    return [`${kind} ${output} ${outputIndex}`, kind];
  };
  const told = entries.filter(({ state }) => state !== 'kink');
  for (const entry of told) {
    const size = Math.max(Math.abs(entry.want), Math.abs(entry.got)) || 0;
    for (const key of keysOf(entry)) largest.set(key, Math.max(largest.get(key) ?? 0, size));
  }
  for (const entry of told) {
    // Among the elements of its output, or of all outputs where that one depends on nothing. A gradient that says 0 is
    // held against f itself where all else is 0, too.
    const sizes = [...keysOf(entry).map((key) => largest.get(key)!), entry.got === 0 ? level : 0];
    const size = sizes.find((size) => size > entry.bound);
    const isFine = entry.bound <= RESOLUTION * (size ?? 0);
    const error = errorOf(entry);
    if (error > (isFine ? 1 : CLEARLY)) entry.state = 'wrong';
    else if (!isFine && !(entry.got === 0 && entry.want === 0)) entry.state = 'unsure';
  }
}

/** The element that a random direction is wrong in: always in the half that disagrees more. */
async function locate(flat: Flat, wrong: Found, measure: Measure): Promise<Found> {
  const { part, v } = wrong.direction;
  let [start, end] = wrong.index ? [0, 0] : [part.start, part.end];
  let found = wrong;
  const within = async (from: number, to: number) => {
    const only = v.map((value, i) => (i >= from && i < to ? value : 0));
    const direction = { part, v: only, ...(to - from === 1 && { index: from - part.start }) };
    return (await entriesAlong(flat, direction, [wrong.cotangent], measure))[0];
  };
  while (end - start > 1) {
    const middle = (start + end) >> 1;
    const [first, second] = [await within(start, middle), await within(middle, end)];
    const isSecond = errorOf(second) > errorOf(first);
    [start, end] = isSecond ? [middle, end] : [start, middle];
    found = isSecond ? second : first;
  }
  return errorOf(found) > 1 ? { ...found, state: 'wrong' } : wrong;
}

// Directions and cotangents

function directionsOf(flat: Flat, scale: Float64Array, next: () => number): Direction[] {
  return flat.inputs.flatMap((part) => {
    const size = part.end - part.start;
    const only = (from: number, to: number, value: (i: number) => number) =>
      flat.x.map((_, i) => (i >= from && i < to ? value(i) : 0));
    const sign = () => (next() < 0.5 ? -1 : 1);
    const dense = Array.from({ length: size <= ALL ? 0 : DRAWN }, () => ({
      part,
      v: only(part.start, part.end, (i) => sign() * scale[i]),
    }));
    const units = drawn(size, size <= ALL ? ALL : SAMPLES, next).map((index) => {
      const at = part.start + index;
      return { part, index, v: only(at, at + 1, (i) => scale[i]) };
    });
    return [...dense, ...units];
  });
}

async function cotangentsOf(flat: Flat, next: () => number, exact: boolean): Promise<Cotangent[]> {
  const size = sizeOf(flat.outputs);
  const isSmall = size <= ALL;
  const all = Array.from({ length: isSmall ? size : DRAWN }, (_, k) =>
    isSmall ? new Float64Array(size).map((_, i) => (i === k ? 1 : 0)) : signed(size, next, exact),
  );
  return Promise.all(
    all.map(async (values, k) => ({
      values,
      at: isSmall ? [k] : Array.from(values.keys()),
      gradient: await flat.gradient(flat.x, values),
      ...(isSmall && { index: k }),
    })),
  );
}

// Places

function outputOf({ outputs }: Flat, index: number | undefined): Pick<Entry, 'output' | 'outputIndex'> {
  if (index === undefined) return {};
  const { number, shape, start } = outputs.find(({ end }) => index < end)!;
  return { output: number, outputIndex: coordinates(index - start, shape) };
}

function coordinates(index: number, shape: readonly number[]): number[] {
  let rest = index;
  return shape
    .map((_, axis) => {
      const size = shape[shape.length - 1 - axis];
      const coordinate = rest % size;
      rest = Math.floor(rest / size);
      return coordinate;
    })
    .reverse();
}

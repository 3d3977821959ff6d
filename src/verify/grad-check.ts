/**
 * Checks whether the gradient that tfjs computes agrees with numerical differences.
 *
 * For inputs x, outputs y, a direction v and a cotangent c:
 *
 *   <J^T c, v> = <c, J v>
 *
 * The left side, `got`, comes from the gradient. The right side, `want`, comes from values of f alone: see
 * differences.ts. If v and c are unit vectors, both sides are one element of the Jacobian J.
 *
 *   - Small functions are checked in all elements of J.
 *   - Larger functions are checked along random directions and cotangents, where an error in any element shows, and in
 *     some elements of each input.
 */
import { addN, customGrad, engine, getBackend, tensor, type Tensor, zeros } from '@tensorflow/tfjs-core';
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

/** Options of gradCheck, assertGradients and the matchers. */
export interface GradCheckOptions {
  /** 1: check the gradient. 2: also check the gradient of the gradient. Default: 1. */
  order?: 1 | 2;
  /** Seed of all random directions and cotangents, a whole number. Default: 1. */
  seed?: number;
  /**
   * No tolerance at all. f must be linear or piecewise linear in each input, and the inputs must be whole numbers so
   * small that float32 is exact. Default: false.
   */
  exact?: boolean;
}

/** An input, or all outputs together, with at most this many elements is checked element by element. */
const ALL = 256;
/** Larger inputs are checked along this many random directions, larger outputs with this many random cotangents. */
const DRAWN = 6;
/** Larger inputs are also checked in this many single elements. */
const SAMPLES = 12;
/**
 * The errors of many outputs, with random signs, add up. Their sum exceeds this many times the root of the sum of their
 * squares once in 10^10.
 */
const DEVIATIONS = 7;
/** A bound above this share of the largest element cannot tell right from wrong ... */
const RESOLUTION = 0.01;
/** ... unless the disagreement is more than this many times the bound. */
const CLEARLY = 4;

/** A direction in one input: a unit vector multiplied by the size of its element, or a random direction. */
interface Direction {
  part: Part;
  v: Float64Array;
  /** The element of the input; only for a unit vector. */
  index?: number;
}

interface Cotangent {
  values: Float64Array;
  /** Indexes of the values that are not 0. */
  at: number[];
  /** The gradient of <cotangent, outputs>, as tfjs computes it. */
  gradient: Float64Array;
  /** The element in the array of all outputs; only for a unit vector. */
  index?: number;
}

/**
 * Checks the gradient of f at the inputs, on the active backend.
 * @param f called as `f(...inputs)`; it returns a tensor or a list of tensors of any shapes
 * @param inputs tensors of any shapes; f is differentiated in those of dtype float32
 * @returns the report; its promise is fulfilled whatever the verdict is
 * @throws Error naming the argument, its value and the allowed values; also whatever f or its gradient throws
 */
export async function gradCheck(
  f: Differentiable,
  inputs: readonly Tensor[],
  options: GradCheckOptions = {},
): Promise<GradReport> {
  const { order = 1, seed, exact } = checkOptions('gradCheck', f, options, ['order', 'seed', 'exact']);
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
 * Like gradCheck, but throws if the verdict is not 'right'.
 * @returns the report, whose verdict is 'right'
 * @throws Error with the report's text as its message and the report as its property `report`; also all that gradCheck
 *   throws
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

/** The gradients of <dys, f(inputs)> in the inputs, as a function of inputs and dys. */
function gradientOf(f: Differentiable, inputs: readonly Tensor[], flat: Flat): Differentiable {
  return (...args: Tensor[]) => {
    const [xs, dys] = [args.slice(0, inputs.length), args.slice(inputs.length)];
    const wanted = flat.inputs.map(({ number }) => xs[number]);
    const terms = flat.outputs.map(({ number }, k) => {
      const y = () => [f(...(xs as never[]))].flat()[number];
      return engine().gradients(y, wanted, dys[k], true).grads as (Tensor | null)[];
    });
    return wanted.map((x, i) => sumOf(terms.flatMap((grads) => grads[i] ?? [])) ?? zeros(x.shape));
  };
}

/** With a gradient of its own, as tfjs-core alone registers none. */
function sumOf(terms: Tensor[]): Tensor | undefined {
  if (terms.length < 2) return terms[0];
  return customGrad((...all) => {
    const summed = all.slice(0, terms.length) as Tensor[]; // the last argument is the function that saves
    return { value: addN(summed), gradFunc: (dy: Tensor) => summed.map(() => dy) };
  })(...terms);
}

type Settings = Required<GradCheckOptions>;
type Measure = (v: Float64Array, careful?: boolean) => Promise<Slope[]>;
/** An entry, with the direction and the cotangent that found it. */
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

/** Both sides along one direction, for each cotangent. If they disagree, the slope is measured once more, with care. */
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

/**
 * The entry of a direction and a cotangent. Outputs at a kink are left out, if more than half of the outputs remain.
 */
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
  // The signs of c are random, so Hoeffding's inequality holds. Source: "Probability inequalities for sums", 1963.
  const bound = Math.min(sum, DEVIATIONS * Math.sqrt(squares));
  // The slope per unit of the element, not per multiple of its size.
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

/**
 * Sets the state of each entry that is at no kink: 'agrees', 'wrong' or 'unsure'.
 * @param level the largest magnitude of the outputs
 */
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
    // The bound is compared with the largest element of the same output or, if that output depends on nothing, of all
    // outputs. If all of these are 0 and the gradient is 0, too, the bound is compared with the values of f.
    const sizes = [...keysOf(entry).map((key) => largest.get(key)!), entry.got === 0 ? level : 0];
    const size = sizes.find((size) => size > entry.bound);
    const isFine = entry.bound <= RESOLUTION * (size ?? 0);
    const error = errorOf(entry);
    if (error > (isFine ? 1 : CLEARLY)) entry.state = 'wrong';
    else if (!isFine && !(entry.got === 0 && entry.want === 0)) entry.state = 'unsure';
  }
}

/**
 * Finds an element in which a random direction is wrong. It halves the direction, and goes on with the half that
 * disagrees more.
 */
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

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
import { type Bounded, exactSlopes, noiseOf, type Slope, slopes } from './differences.js';
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
import { agreeEnough, type Entry, errorOf, type GradReport, reportOf, worstOf } from './grad-report.js';

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
/** If the random directions do not tell, smaller ones are taken: the elements are divided among this many. */
const GROUPS = 32;
/**
 * The errors of many outputs, with random signs, add up. Their sum exceeds this many times the root of the sum of their
 * squares once in 10^10.
 */
const DEVIATIONS = 7;
/** The gradient may be off by this many standard deviations of its rounding errors. */
const NOISE_SAFETY = 8;
/** A bound above this share of the largest element cannot tell right from wrong ... */
const RESOLUTION = 0.01;
/** ... unless the disagreement is more than this many times the bound. */
const CLEARLY = 4;
/** Up to this share an element that agrees may stay uncertain in a gradient that is right. */
const COARSE = 0.5;

/** A direction in one input. Each of its elements moves by its size. */
interface Direction {
  part: Part;
  v: Float64Array;
  /** The element of the input, if it is the only one that moves. */
  index?: number;
  /** The elements that move together, because each is at a kink. Absent: one element, or random signs. */
  together?: readonly number[];
}

interface Cotangent {
  values: Float64Array;
  /** Indexes of the values that are not 0. */
  at: number[];
  /** The gradient of <cotangent, outputs>, as tfjs computes it. */
  gradient: Float64Array;
  /** Standard deviation of the gradient's rounding errors, once it has been measured. */
  noise?: Float64Array;
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
interface Found extends Entry {
  direction: Direction;
  cotangent: Cotangent;
  /** Whether its outputs are at kinks. */
  atKinks: boolean;
  /** It disagrees because kinks cancel along its random direction: see `locate`. */
  dismissed?: boolean;
}

/** What all parts of a check share. */
interface Check {
  flat: Flat;
  /** How far each element of the inputs moves at most. */
  scale: Float64Array;
  /** Random numbers in [0, 1). */
  next: () => number;
  cotangents: readonly Cotangent[];
  measure: Measure;
  exact: boolean;
  /** The largest magnitude of the outputs. */
  level: number;
}

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
  const level = center.reduce((most, y) => Math.max(most, Math.abs(y)), 0);
  const check = { flat, scale, next, cotangents, measure, exact, level };
  const entries: Found[] = [];
  for (const part of flat.inputs) entries.push(...(await entriesIn(check, part)));
  let worst = await worstWrong(check, entries);
  const unclear = flat.inputs.filter((part) => isLarge(part) && !agreeEnough(alongRandom(entries, part)));
  if (!worst && unclear.length > 0) {
    // Many kinks lie within the steps. They are fewer where fewer elements move.
    for (const direction of unclear.flatMap((part) => disjointDirections(check, part)))
      entries.push(...(await entriesAlong(check, direction, cotangents)).entries);
    worst = await worstWrong(check, entries);
  }
  const what = order === 1 ? 'The gradient' : 'The second-order gradient';
  return reportOf({ what, seed, exact, backend: getBackend() }, entries, worst);
}

const alongRandom = (entries: readonly Found[], part: Part) =>
  entries.filter(({ direction }) => direction.part === part && isRandom(direction));

/** The entries of an input, along random directions, in its elements, and in those that tie. */
async function entriesIn(check: Check, part: Part): Promise<Found[]> {
  const entries: Found[] = [];
  const units: Unit[] = [];
  for (const direction of directionsOf(check, part)) {
    const along = await entriesAlong(check, direction, check.cotangents);
    entries.push(...along.entries);
    if (direction.index !== undefined) units.push({ direction, slopes: along.slopes });
  }
  return [...entries, ...(await entriesTogether(check, part, units))];
}

/** Judges all entries, and returns the worst of those that are confirmed to be wrong. */
async function worstWrong(check: Check, entries: readonly Found[]): Promise<Found | undefined> {
  const { flat, scale, next, exact, level } = check;
  judge(entries, level);
  for (let wrong = worstOf(entries, 'wrong'); wrong; wrong = worstOf(entries, 'wrong')) {
    const { cotangent } = wrong;
    if (!exact && !cotangent.noise) {
      cotangent.noise = await noiseOf((x) => flat.gradient(x, cotangent.values), flat.x, scale, next);
      allowNoise(cotangent, entries);
      judge(entries, level);
      if (wrong.state !== 'wrong') continue;
    }
    const confirmed = isRandom(wrong.direction) ? await locate(check, wrong) : wrong;
    if (confirmed) return confirmed;
    Object.assign(wrong, { dismissed: true, state: 'kink' });
  }
  return undefined;
}

/** The slopes along the unit vector of an element. */
interface Unit {
  direction: Direction;
  slopes: readonly Slope[];
}

/**
 * Both sides along one direction, for each cotangent. If they disagree, the slope is measured once more, with care.
 * `slopes` are those that were measured last.
 */
async function entriesAlong(
  { flat, measure }: Check,
  direction: Direction,
  cotangents: readonly Cotangent[],
): Promise<{ slopes: readonly Slope[]; entries: Found[] }> {
  const found = await measure(direction.v);
  let again: Slope[] | undefined;
  const entries: Found[] = [];
  for (const cotangent of cotangents) {
    let entry = await entryOf(flat, direction, cotangent, found);
    if (errorOf(entry) > 1) {
      again ??= await measure(direction.v, true);
      entry = await entryOf(flat, direction, cotangent, again);
    }
    entries.push(entry);
  }
  return { slopes: again ?? found, entries };
}

/**
 * The entry of a direction and a cotangent.
 *
 * Outputs at a kink are compared apart from the others: any value between the slopes of the two sides is right. The entry is that of
 * the others, if these are more than half of the outputs and those at kinks are right. Otherwise it is that of the outputs at kinks.
 */
async function entryOf(
  flat: Flat,
  direction: Direction,
  cotangent: Cotangent,
  slopes: readonly Slope[],
): Promise<Found> {
  const { at } = cotangent;
  const kinks = at.filter((i) => slopes[i].kink);
  if (kinks.length === 0) return entryIn(flat, direction, cotangent, slopes);
  const sided = new Set(kinks.filter((i) => sidesOf(slopes[i]).every(({ bound }) => bound < Infinity)));
  const atKinks = await restricted(flat, cotangent, (i) => sided.has(i));
  const kinked: Found = { ...entryIn(flat, direction, atKinks, slopes), cotangent, atKinks: true };
  if (2 * kinks.length >= at.length || errorOf(kinked) > 1) return kinked;
  const smooth = await restricted(flat, cotangent, (i) => !slopes[i].kink);
  const entry = entryIn(flat, direction, smooth, slopes);
  return { ...entry, cotangent, kinks: kinks.map((i) => outputOf(flat, i)) };
}

/** The cotangent in the outputs that `takes` takes, and 0 in the others. */
async function restricted(
  flat: Flat,
  cotangent: Cotangent,
  takes: (i: number) => boolean,
): Promise<Cotangent> {
  const at = cotangent.at.filter(takes);
  if (at.length === cotangent.at.length) return cotangent;
  const values = cotangent.values.map((c, i) => (takes(i) ? c : 0));
  const gradient = at.length > 0 ? await flat.gradient(flat.x, values) : cotangent.gradient.map(() => 0);
  return { ...cotangent, values, at, gradient };
}

/** The slopes on the two sides. They are the same where there is no kink. */
const sidesOf = ({ sides, value, bound }: Slope): readonly Bounded[] =>
  sides ?? [
    { value, bound },
    { value, bound },
  ];

/** The entry, with the value next to `got` of all that are right. */
function entryIn(flat: Flat, direction: Direction, cotangent: Cotangent, slopes: readonly Slope[]): Found {
  const { v, index, part, together } = direction;
  const { gradient, values, at } = cotangent;
  let [got, low, high, sum, squares] = [0, 0, 0, 0, 0];
  const [from, to] =
    index === undefined ? [part.start, part.end] : [part.start + index, part.start + index + 1];
  for (let i = from; i < to; i++) got += v[i] === 0 ? 0 : gradient[i] * v[i];
  for (const i of at) {
    const c = values[i];
    const [below, above] = sidesOf(slopes[i]);
    low += Math.min(c * below.value, c * above.value);
    high += Math.max(c * below.value, c * above.value);
    const bound = Math.abs(c) * Math.max(below.bound, above.bound);
    sum += bound;
    squares += bound ** 2;
  }
  // The signs of c are random, so Hoeffding's inequality holds. Source: "Probability inequalities for sums", 1963.
  const rounding = cotangent.noise ? NOISE_SAFETY * roundingAlong(direction, cotangent.noise) : 0;
  const bound = Math.min(sum, DEVIATIONS * Math.sqrt(squares));
  const want = Number.isNaN(got) ? (low + high) / 2 : Math.min(Math.max(got, low), high);
  // The slope per unit of the elements, not per multiple of their size.
  const first = index ?? together?.[0];
  const size = first === undefined ? 1 : Math.abs(v[part.start + first]);
  return {
    direction,
    cotangent,
    input: part.number,
    ...(index !== undefined && { index: coordinates(index, part.shape) }),
    ...(together && { together: together.map((i) => coordinates(i, part.shape)) }),
    ...outputOf(flat, cotangent.index),
    got: got / size,
    want: want / size,
    ...(low < high && { range: [low / size, high / size] as const }),
    bound: bound / size + rounding,
    state: 'agrees',
    shapes: [part.shape, cotangent.index === undefined ? undefined : partOf(flat, cotangent.index).shape],
    kinks: [],
    atKinks: false,
  };
}

/**
 * Elements that tie, as in a maximum, are each at a kink, but f is smooth if they move together. So the sum of their gradients is
 * known. These are the entries of all elements at kinks together, for each cotangent whose outputs show that elements depend on each other.
 */
async function entriesTogether(
  { flat, scale, cotangents, measure }: Check,
  part: Part,
  units: readonly Unit[],
): Promise<Found[]> {
  const kinked = units.filter(({ slopes }) => slopes.some(({ kink }) => kink));
  if (kinked.length < 2) return [];
  const together = kinked.map(({ direction }) => direction.index!);
  const size = Math.max(...together.map((index) => scale[part.start + index]));
  const v = flat.x.map(() => 0);
  for (const index of together) v[part.start + index] = size;
  const direction = { part, v, together };
  const found = await measure(v, true);
  const entryOfTies = async (cotangent: Cotangent, apart: readonly (readonly Slope[])[]) => {
    const tied = await restricted(flat, cotangent, (i) => areTied(found[i], apart.map((slopes) => slopes[i]))); // prettier-ignore
    return tied.at.length > 0 ? entryOf(flat, direction, tied, found) : undefined;
  };
  const quick = kinked.map(({ slopes }) => slopes);
  let again: Slope[][] | undefined;
  const entries: Found[] = [];
  for (const cotangent of cotangents) {
    let entry = await entryOfTies(cotangent, quick);
    if (entry && errorOf(entry) > 1) {
      again ??= await Promise.all(kinked.map(({ direction }) => measure(direction.v, true)));
      entry = await entryOfTies(cotangent, again);
    }
    if (entry) entries.push(entry);
  }
  return entries;
}

/** Whether the slope along a sum of directions is not the sum of the slopes along each. Each side is compared by itself. */
function areTied(together: Slope, apart: readonly Slope[]): boolean {
  if (!apart.some(({ kink }) => kink)) return false;
  return sidesOf(together).some(({ value, bound }, side) => {
    const all = apart.map((slope) => sidesOf(slope)[side]);
    const sum = all.reduce((total, { value }) => total + value, 0);
    const room = all.reduce((total, { bound }) => total + bound, bound);
    return Math.abs(value - sum) > room;
  });
}

/**
 * Sets the state of each entry.
 * @param level the largest magnitude of the outputs
 */
function judge(entries: readonly Found[], level: number): void {
  const largest = new Map<string, number>();
  const keysOf = ({ input, index, output, outputIndex }: Entry) => {
    const kind = `${input} ${index === undefined}`;
    return [`${kind} ${output} ${outputIndex}`, kind];
  };
  for (const entry of entries) {
    const size = Math.max(Math.abs(entry.want), Math.abs(entry.got)) || 0;
    for (const key of keysOf(entry)) largest.set(key, Math.max(largest.get(key) ?? 0, size));
  }
  for (const entry of entries) {
    // The bound is compared with the largest element of the same output or, if that output depends on nothing, of all
    // outputs. If all of these are 0 and the gradient is 0, too, the bound is compared with the values of f.
    const sizes = [...keysOf(entry).map((key) => largest.get(key)!), entry.got === 0 ? level : 0];
    const size = sizes.find((size) => size > entry.bound);
    const isFine = entry.bound <= RESOLUTION * (size ?? 0);
    const error = errorOf(entry);
    const isZero = entry.got === 0 && entry.want === 0 && entry.bound < Infinity;
    if (entry.dismissed) entry.state = 'kink';
    else if (error > (isFine ? 1 : CLEARLY)) entry.state = 'wrong';
    else if (entry.atKinks) entry.state = 'kink';
    else entry.state = isFine || isZero ? 'agrees' : 'unsure';
    entry.isCoarse = error <= 1 && entry.bound <= COARSE * (size ?? 0);
  }
}

/** Widens the bounds of the entries of a cotangent by the rounding errors of its gradient. */
function allowNoise(cotangent: Cotangent, entries: readonly Found[]): void {
  for (const entry of entries.filter((entry) => entry.cotangent === cotangent))
    entry.bound += NOISE_SAFETY * roundingAlong(entry.direction, cotangent.noise!);
}

const isRandom = ({ index, together }: Direction) => index === undefined && together === undefined;

/**
 * The error of <gradient, v>, per unit of the element as in an entry, if each element of the gradient is off by its noise. Where the
 * gradient is not finite, there is no noise to speak of.
 */
function roundingAlong({ part, index, together, v }: Direction, noise: Float64Array): number {
  const some = index === undefined ? together : [index];
  const error = some
    ? some.reduce((sum, i) => sum + noise[part.start + i], 0)
    : noise.reduce((sum, value, i) => sum + value * Math.abs(v[i]), 0);
  return error < Infinity ? error : 0;
}

/**
 * Finds an element in which a random direction is wrong. It halves the direction, and goes on with the half that disagrees more.
 *
 * Where neither half disagrees, the error is either spread over many elements, or that of elements that tie, or a random direction at
 * which kinks cancel. In the last case a gradient that is right may disagree, and the result is undefined.
 */
async function locate({ flat, measure }: Check, wrong: Found): Promise<Found | undefined> {
  const { part, v } = wrong.direction;
  let [start, end] = [part.start, part.end];
  let found = wrong;
  let whole: readonly Slope[] = await measure(v, true);
  const within = async (from: number, to: number) => {
    const only = v.map((value, i) => (i >= from && i < to ? value : 0));
    const direction = { part, v: only, ...(to - from === 1 && { index: from - part.start }) };
    const slopes = await measure(only, true);
    return { slopes, entry: await entryOf(flat, direction, wrong.cotangent, slopes), from, to };
  };
  while (end - start > 1) {
    const middle = (start + end) >> 1;
    const halves = [await within(start, middle), await within(middle, end)];
    const [first, second] = halves.map(({ entry }) => errorOf(entry));
    if (Math.max(first, second) <= 1) {
      // A kink that rounding hides shows in a bound that is far wider than that of the whole.
      const isKinked = (i: number) => halves.some(({ slopes }) => slopes[i].kink || slopes[i].bound > CLEARLY * whole[i].bound); // prettier-ignore
      const kinked = wrong.cotangent.at.filter(isKinked);
      const isTied = kinked.some((i) => areTied(whole[i], halves.map(({ slopes }) => slopes[i]))); // prettier-ignore
      return kinked.length === 0 || isTied ? { ...found, state: 'wrong' } : undefined;
    }
    const { slopes, entry, from, to } = halves[Number(second > first)];
    [found, whole, start, end] = [entry, slopes, from, to];
  }
  return { ...found, state: 'wrong' };
}

// Directions and cotangents

const isLarge = ({ start, end }: Part) => end - start > ALL;

/** Random directions if the input is large, and unit vectors. */
function directionsOf(check: Check, part: Part): Direction[] {
  const { flat, scale, next } = check;
  const units = drawn(part.end - part.start, isLarge(part) ? SAMPLES : ALL, next).map((index) => {
    const at = part.start + index;
    return { part, index, v: flat.x.map((_, i) => (i === at ? scale[i] : 0)) };
  });
  if (!isLarge(part)) return units;
  const dense = Array.from({ length: DRAWN }, () => randomDirection(check, part, () => true));
  return [...dense, ...units];
}

/** Random directions in GROUPS disjoint sets of elements, which are drawn at random and have all elements together. */
function disjointDirections(check: Check, part: Part): Direction[] {
  const { flat, next } = check;
  const group = flat.x.map(() => Math.floor(GROUPS * next()));
  return Array.from({ length: GROUPS }, (_, k) => randomDirection(check, part, (i) => group[i] === k)); // prettier-ignore
}

/** A random sign for each element of the input that `moves`. */
function randomDirection({ flat, scale, next }: Check, part: Part, moves: (i: number) => boolean): Direction {
  const sign = () => (next() < 0.5 ? -1 : 1);
  const v = flat.x.map((_, i) => (i >= part.start && i < part.end && moves(i) ? sign() * scale[i] : 0));
  return { part, v };
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

/** The output that holds an element of the array of all outputs. */
const partOf = ({ outputs }: Flat, index: number): Part => outputs.find(({ end }) => index < end)!;

function outputOf(flat: Flat, index: number | undefined): Pick<Entry, 'output' | 'outputIndex'> {
  if (index === undefined) return {};
  const { number, shape, start } = partOf(flat, index);
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

/**
 * Proof 4, differences: the slope of a function along a direction, computed from its values alone, with a bound of its
 * error.
 *
 * `difference` works in float64. `slopes` works in float32, on values at x +- t v for t = 1/4, 1/8, 1/16 ... A smooth y
 * is y(0) + y'(0) t + ..., so
 *
 *   (y(t) - y(-t)) / 2t        = y'(0)   + c2 t^2 + c4 t^4 ...
 *   (y(t) - 2 y(0) + y(-t)) / t = 0       + d1 t   + d3 t^3 ...,  or the jump of the slope if there is a kink at 0
 *
 * Both series are extrapolated to t = 0 over four steps. At a kink, so are the slopes on both sides,
 *
 *   (y(t) - y(0)) / t          = y'(+0)  + b1 t   + b2 t^2 ...,  and the same with -t
 *
 * Two errors are estimated:
 *   - the truncation error: how far extrapolations of other orders and steps are off;
 *   - the rounding error: the noise of y, divided by t.
 * The steps with the smallest sum of both errors are used.
 *
 * Sources: L. F. Richardson, "The approximate arithmetical solution by finite differences", 1911 (extrapolation);
 * J. Moré and S. Wild, "Estimating computational noise", 2011, SIAM J. Sci. Comput. 33 (noise).
 */
import { UNDERFLOW, UNIT } from './rounded.js';

/** d f / d x[index] by a central difference in float64. If f is linear, it is exact except for rounding. */
export function difference(
  f: (x: Float64Array) => number,
  x: Float64Array,
  index: number,
  step: number,
): number {
  const moved = Float64Array.from(x);
  moved[index] = x[index] + step;
  const above = f(moved);
  moved[index] = x[index] - step;
  return (above - f(moved)) / (2 * step);
}

/** A function of several inputs and outputs: all inputs in one array, all outputs in one array. */
export type Outputs = (x: Float64Array) => Promise<Float64Array>;

/** A slope with its error. */
export interface Bounded {
  value: number;
  /** |value - true slope| is at most this, as far as the values show. Infinity: nothing can be said. */
  bound: number;
}

export interface Slope extends Bounded {
  /** The function has a kink or a jump here, or so near that the steps cannot tell the difference. */
  kink: boolean;
  /** At a kink: the slopes on its two sides. Each value between them is a subgradient. */
  sides?: readonly [below: Bounded, above: Bounded];
}

/** The widest step, in units of v. Steps that are not careful are powers of two, so that stepping adds no rounding. */
const WIDEST = 1 / 4;
/** The largest number of steps. Each is half of the one before. At 2^-14 of a value's size float32 has 9 bits left. */
const STEPS = 12;
/** Number of steps in an extrapolation. */
const WINDOW = 4;
/** If the bound is at most this share of the slope, no finer steps are needed. */
const GOAL = 2 ** -10;
/** Factor of the steps of a careful measurement, so that they differ from the first ones. */
const CAREFUL = Math.SQRT1_2;
/** A careful measurement compares an estimate with this many finer ones. */
const FINER = 3;
/** If f is smooth, the bound of a finer estimate is at most this many times its part from rounding. */
const ROUNDED = 2;
/**
 * The bound of a careful measurement must be at most this share of the slope, or at most ROUNDINGS times its part from
 * rounding. If it is wider, the steps are too wide for f, and the output counts as a kink.
 */
const RESOLVED = 2 ** -6;
const ROUNDINGS = 8;
/** Noise above this share of the largest output is no rounding: it is waves or jumps closer together than steps. */
const NOISY = 2 ** -14;
/** The truncation error may be this many times its estimate. */
const TRUNCATION_SAFETY = 2;
/** The rounding error may be this many times the noise. */
const NOISE_SAFETY = 8;
/** Relative error of a slope: f and its gradient are approximated separately, so their last digits may differ. */
const APPROXIMATION = 2 ** -17;
/** Rounding inside f may move the point at which the gradient is taken, by this share of x's size. */
const MOVED = 4 * UNIT;
/**
 * Sums of the magnitudes of the factors by which the extrapolations below multiply the values, in units of 1 / (the
 * widest of the four steps).
 */
const SLOPE_NOISE = 6.6;
const JUMP_NOISE = 48.6;
const SIDE_NOISE = 51.4;

/**
 * The slope of each output at x along v, in float32.
 * @param center the outputs at x
 * @param noise standard deviation of each output's rounding errors
 * @param approximation largest error in value or slope of the elementary functions in f: see accuracy.ts
 * @param careful takes all steps, and compares each estimate with finer ones. Kinks nearby and waves shorter than the
 *   steps can look smooth at some steps by chance, but not at all of them.
 */
export async function slopes(
  f: Outputs,
  x: Float64Array,
  center: Float64Array,
  v: Float64Array,
  noise: ArrayLike<number>,
  approximation: number,
  careful = false,
): Promise<Slope[]> {
  const at = (t: number) => f(x.map((value, i) => value + t * v[i]));
  const stepOf = (k: number) => WIDEST * (careful ? CAREFUL : 1) * 2 ** -k;
  const start = (k: number) => Promise.all([at(stepOf(k)), at(-stepOf(k))]);
  // The first four steps are always needed. Started together, they do not wait for each other on a GPU.
  const first = await Promise.all([0, 1, 2, 3].map(start));
  const odd: Float64Array[] = [];
  const even: Float64Array[] = [];
  const level = center.map(Math.abs);
  const found: Estimate[][] = Array.from(center, () => []);
  /** For each output and window: the noise divided by the widest step. */
  const floors: number[][] = Array.from(center, () => []);
  for (let k = 0; k < STEPS; k++) {
    const t = stepOf(k);
    const [above, below] = first[k] ?? (await start(k));
    odd.push(center.map((_, i) => (above[i] - below[i]) / (2 * t)));
    even.push(center.map((y, i) => (above[i] - y - (y - below[i])) / t));
    level.forEach((before, i) => {
      const size = Math.max(Math.abs(above[i]), Math.abs(below[i]));
      if (size < Infinity) level[i] = Math.max(before, size); // a step may leave the domain of f
    });
    if (k + 1 < WINDOW) continue;
    const window = (series: Float64Array[], i: number) => series.slice(-WINDOW).map((step) => step[i]);
    found.forEach((estimates, i) => {
      const room = NOISE_SAFETY * Math.max(noise[i], UNIT * level[i], UNDERFLOW);
      const floor = room / stepOf(k + 1 - WINDOW);
      const slope = extrapolated(window(odd, i), window(even, i), floor);
      const size = Math.abs(slope.value);
      const curvature = Math.abs(even[k][i]) / t;
      const off = APPROXIMATION * size + approximation * (size + level[i]) + MOVED * curvature;
      estimates.push({ ...slope, bound: slope.bound + off, rounding: SLOPE_NOISE * floor + off });
      floors[i].push(floor);
    });
    if (!careful && found.every(isSettled)) break;
  }
  /** The slope on one side: sign is 1 above x, -1 below. */
  const sideOf = (i: number, sign: 1 | -1): Bounded => {
    const series = odd.map((mean, k) => mean[i] + (sign * even[k][i]) / 2);
    const estimates = floors[i].map((floor, k): Estimate => {
      const side = fromOneSide(series.slice(k, k + WINDOW), floor);
      const size = Math.abs(side.value);
      const off = APPROXIMATION * size + approximation * (size + level[i]);
      const bound = side.bound + off < Infinity ? side.bound + off : Infinity; // NaN: a step left the domain of f
      return { ...side, kink: false, bound, rounding: SIDE_NOISE * floor + off };
    });
    const { value, bound, kink } = careful ? borneOut(estimates) : estimates.reduce(better);
    return kink ? NOTHING : { value, bound };
  };
  const withSides = (slope: Slope, i: number): Slope =>
    slope.kink ? { ...slope, sides: [sideOf(i, -1), sideOf(i, 1)] } : slope;
  if (!careful) return found.map((estimates, i) => withSides(estimates.reduce(better), i));
  const loud = NOISY * level.reduce((a, b) => Math.max(a, b), 0);
  return found.map((estimates, i) => {
    const slope = borneOut(estimates);
    return noise[i] > loud ? { ...slope, kink: true, sides: [NOTHING, NOTHING] } : withSides(slope, i);
  });
}

/** An estimate from one window of steps. */
interface Estimate extends Slope {
  /** The part of the bound that comes from rounding. */
  rounding: number;
}

const NOTHING: Bounded = { value: 0, bound: Infinity };

const better = (a: Estimate, b: Estimate) => ((a.kink === b.kink ? b.bound < a.bound : a.kink) ? b : a);

/** The best estimate is precise enough, or finer steps cannot improve it because rounding dominates. */
function isSettled(estimates: readonly Estimate[]): boolean {
  const best = estimates.reduce(better);
  const isPrecise = best.bound <= Math.max(GOAL * Math.abs(best.value), 2 * best.rounding);
  return !best.kink && (isPrecise || best !== estimates[estimates.length - 1]);
}

/**
 * The best of the estimates, which are in the order of finer steps. The bound of each estimate is widened first, until
 * it covers the next finer ones. If the best bound is still too wide, the result is a kink.
 */
function borneOut(estimates: readonly Estimate[]): Slope {
  const held = estimates.slice(0, -1).map((estimate, k) => {
    const off = estimates.slice(k + 1, k + 1 + FINER).map((finer) => {
      return Math.abs(estimate.value - finer.value) + finer.bound - ROUNDED * finer.rounding;
    });
    return { ...estimate, bound: Math.max(estimate.bound, ...off) };
  });
  const best = held.reduce(better);
  const room = Math.max(RESOLVED * Math.abs(best.value), ROUNDINGS * best.rounding);
  return best.bound <= room ? best : { ...best, kink: true };
}

const EXACT_STEPS = [1 / 4, 1 / 8];
/** Values must be multiples of this, and so small that float32 holds all multiples exactly. */
const GRID = 2 ** -10;

/**
 * The exact slope of each output at x along v. It needs an f that is linear along v, and whole numbers in x and v, so
 * that no value is rounded. The bound is 0. It is Infinity if the values show that something was rounded, or that f is
 * not linear.
 */
export async function exactSlopes(
  f: Outputs,
  x: Float64Array,
  center: Float64Array,
  v: Float64Array,
): Promise<Slope[]> {
  const at = (t: number) => f(x.map((value, i) => value + t * v[i]));
  const steps = await Promise.all(EXACT_STEPS.map((t) => Promise.all([at(t), at(-t)])));
  const isExact = (y: number) => Number.isInteger(y / GRID) && Math.abs(y) < GRID * 2 ** 24;
  return Array.from(center, (y, i) => {
    const values = steps.map(([above, below]) => [above[i], below[i]]);
    const odd = values.map(([above, below], k) => (above - below) / (2 * EXACT_STEPS[k]));
    const even = values.map(([above, below], k) => (above - y - (y - below)) / EXACT_STEPS[k]);
    const isConstant = values.flat().every((value) => value === y);
    const isLinear = [y, ...values.flat()].every(isExact) && odd[0] === odd[1] && even[0] === even[1];
    if (!isLinear && !isConstant) return { value: odd[0], bound: Infinity, kink: false };
    if (even[0] === 0) return { value: odd[0], bound: 0, kink: false };
    const [below, above] = [-1, 1].map((sign) => ({ value: odd[0] + (sign * even[0]) / 2, bound: 0 }));
    return { value: odd[0], bound: 0, kink: true, sides: [below, above] };
  });
}

/**
 * The slope at t = 0, extrapolated from four steps. Each step is half of the one before.
 * @param floor the noise divided by the widest step
 */
function extrapolated(odd: number[], even: number[], floor: number): Slope {
  // The slope is the constant of a series in t^2. `odd`, `fourth` and `sixth` have errors of order 2, 4 and 6.
  const fourth = (k: number) => (4 * odd[k + 1] - odd[k]) / 3;
  const sixth = (k: number) => (16 * fourth(k + 1) - fourth(k)) / 15;
  const value = sixth(0);
  const truncation = Math.max(Math.abs(value - sixth(1)), Math.abs(value - fourth(2)));
  // The jump is the constant of a series in t, t^3 ... `first` removes the term of t, `third` also that of t^3.
  const first = (k: number) => 2 * even[k + 1] - even[k];
  const third = (k: number) => (8 * first(k + 1) - first(k)) / 7;
  const jump = Math.abs(third(0));
  const jumpTruncation = Math.max(Math.abs(third(0) - third(1)), Math.abs(third(0) - first(2)));
  const bound = TRUNCATION_SAFETY * truncation + SLOPE_NOISE * floor + jump;
  const jumpBound = TRUNCATION_SAFETY * jumpTruncation + JUMP_NOISE * floor;
  // Values that are not finite give NaN: then nothing is known.
  if (!(bound < Infinity && jumpBound < Infinity)) return { value: NaN, bound: Infinity, kink: true };
  return { value, bound, kink: jump > jumpBound };
}

/** The slope on one side at t = 0, extrapolated from its four steps, as `extrapolated` does. Its series has every power of t. */
function fromOneSide(series: number[], floor: number): Bounded {
  const first = (k: number) => 2 * series[k + 1] - series[k];
  const second = (k: number) => (4 * first(k + 1) - first(k)) / 3;
  const value = (8 * second(1) - second(0)) / 7;
  const truncation = Math.max(Math.abs(value - second(1)), Math.abs(value - first(2)));
  return { value, bound: TRUNCATION_SAFETY * truncation + SIDE_NOISE * floor };
}

/** Number of points on a line. The line is so short that a smooth function is a polynomial of degree 4 on it. */
const NOISE_POINTS = 9;
const NOISE_STEP = 2 ** -12;
const NOISE_LINES = 3;

/**
 * Standard deviation of each output's rounding errors near x. Differences of order 5 to 8 along a random line remove
 * the smooth part and leave the noise. The largest of the four orders counts. A kink on a line looks like noise.
 * Therefore the lines start beside x, and the median of three lines counts.
 * @param scale the size of each input. An input moves by a few thousandths of it at most.
 * @param next random numbers in [0, 1)
 */
export async function noiseOf(
  f: Outputs,
  x: Float64Array,
  scale: Float64Array,
  next: () => number,
): Promise<Float64Array> {
  const lines: Float64Array[] = [];
  for (let line = 0; line < NOISE_LINES; line++) {
    const v = scale.map((size) => size * (2 * next() - 1) * NOISE_STEP);
    const points = Array.from({ length: NOISE_POINTS }, (_, j) =>
      x.map((value, i) => value + (j + 1) * v[i]),
    );
    let table = await Promise.all(points.map(f));
    const noise = new Float64Array(table[0].length);
    let gamma = 1;
    for (let order = 1; order < NOISE_POINTS; order++) {
      table = table.slice(1).map((row, j) => row.map((y, i) => y - table[j][i]));
      gamma *= order / (2 * (2 * order - 1)); // (k!)^2 / (2k)!
      if (order < 5) continue;
      noise.forEach((_, i) => {
        const square = table.reduce((sum, row) => sum + row[i] ** 2, 0) / table.length;
        noise[i] = Math.max(noise[i], Math.sqrt(gamma * square));
      });
    }
    lines.push(noise);
  }
  return lines[0].map((_, i) => median(lines.map((noise) => noise[i])));
}

function median(values: number[]): number {
  return values.sort((a, b) => a - b)[values.length >> 1];
}

/**
 * Proof 4, differences: the slope of a function along a direction, from its values alone, and how far off it may be.
 *
 * In float64, `difference`. In float32, `slopes`: from values at x +- t v, t = 1/4, 1/8, 1/16 ... (a smooth y is
 * y(0) + y'(0) t + ...)
 *
 *   (y(t) - y(-t)) / 2t        = y'(0)   + c2 t^2 + c4 t^4 ...
 *   (y(t) - 2 y(0) + y(-t)) / t = 0       + d1 t   + d3 t^3 ...,  or the jump of the slope at a kink in 0
 *
 * Each is extrapolated to t = 0 over four steps. The truncation error is estimated by how far extrapolations of other
 * orders and steps are off, the rounding error by the noise of y over t; the steps at which their sum is least win.
 *
 * Sources: L. F. Richardson, "The approximate arithmetical solution by finite differences", 1911 (extrapolation);
 * J. Moré and S. Wild, "Estimating computational noise", 2011, SIAM J. Sci. Comput. 33 (noise).
 */
import { UNDERFLOW, UNIT } from './rounded.js';

/** d f / d x[index] by a central difference in float64; exact, to rounding, where f is linear. */
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

/** Values of several outputs, the inputs as one array and the outputs as one array. */
export type Outputs = (x: Float64Array) => Promise<Float64Array>;

export interface Slope {
  value: number;
  /** |value - true slope| is at most this, by all that can be seen; Infinity where nothing can be said. */
  bound: number;
  /** The function has a kink or a jump here, or too near to be told from one. */
  kink: boolean;
}

/** The widest step, in units of v; powers of two, so that stepping adds no rounding of its own. */
const WIDEST = 1 / 4;
/** So many halvings at most: 2^-14 of a value's size leaves float32 9 bits to differ in. */
const STEPS = 12;
const WINDOW = 4;
/** A slope known to this share of itself needs no finer steps. */
const GOAL = 2 ** -10;
/** The steps of a careful measurement are other ones. */
const CAREFUL = Math.SQRT1_2;
/** An estimate is held against so many finer ones, */
const FINER = 3;
/** whose bounds exceed so many times what rounding makes of them only where f is not smooth. */
const ROUNDED = 2;
/** The bound must be below this share of the slope, */
const RESOLVED = 2 ** -6;
/** or so many times what rounding alone makes of it: where it is wider, the steps are too wide for f. */
const ROUNDINGS = 8;
/** What looks like noise, but is a larger share of the largest output, are waves or jumps closer than the steps. */
const NOISY = 2 ** -14;
/** How many times its estimate the truncation error, and the noise, may be. */
const TRUNCATION_SAFETY = 2;
const NOISE_SAFETY = 8;
/** Of a slope, so much may be lost because f and its gradient are approximated apart, if only in the last digits. */
const APPROXIMATION = 2 ** -17;
/** So many units of x's size its own rounding, on the way through f, may move the point where the gradient is taken. */
const MOVED = 4 * UNIT;
/** Sum of the magnitudes with which values enter the extrapolations below, over the widest of the four steps. */
const SLOPE_NOISE = 6.6;
const JUMP_NOISE = 48.6;

/**
 * The slope of every output at x along v.
 * @param center the outputs at x
 * @param noise standard deviation of every output's rounding errors
 * @param approximation error of value or slope of the elementary functions in f: see accuracy.ts
 * @param careful takes all steps, and believes none that finer ones contradict: kinks nearby and waves shorter than the
 *   steps can look smooth by chance, but not at every step
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
  // The first four are needed in any case; started together, they do not wait for each other on a GPU.
  const first = await Promise.all([0, 1, 2, 3].map(start));
  const odd: Float64Array[] = [];
  const even: Float64Array[] = [];
  const level = center.map(Math.abs);
  const found: Estimate[][] = Array.from(center, () => []);
  for (let k = 0; k < STEPS; k++) {
    const t = stepOf(k);
    const [above, below] = first[k] ?? (await start(k));
    odd.push(center.map((_, i) => (above[i] - below[i]) / (2 * t)));
    even.push(center.map((y, i) => (above[i] - y - (y - below[i])) / t));
    level.forEach((before, i) => {
      const size = Math.max(Math.abs(above[i]), Math.abs(below[i]));
      if (size < Infinity) level[i] = Math.max(before, size); // steps may leave the domain of f
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
    });
    if (!careful && found.every(isSettled)) break;
  }
  if (!careful) return found.map((estimates) => estimates.reduce(better));
  const loud = NOISY * level.reduce((a, b) => Math.max(a, b), 0);
  return found.map((estimates, i) => {
    const slope = borneOut(estimates);
    return noise[i] > loud ? { ...slope, kink: true } : slope;
  });
}

/** From one window of steps. */
interface Estimate extends Slope {
  /** The part of the bound that rounding is to blame for. */
  rounding: number;
}

const better = (a: Estimate, b: Estimate) => ((a.kink === b.kink ? b.bound < a.bound : a.kink) ? b : a);

/** Precise enough, or finer steps will not do better because rounding takes over. */
function isSettled(estimates: readonly Estimate[]): boolean {
  const best = estimates.reduce(better);
  const isPrecise = best.bound <= Math.max(GOAL * Math.abs(best.value), 2 * best.rounding);
  return !best.kink && (isPrecise || best !== estimates[estimates.length - 1]);
}

/** Of estimates with finer and finer steps the best, each being as far off as finer ones show that it may be. */
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
/** Results must be multiples of this, and so small that float32 holds all of those. */
const GRID = 2 ** -10;

/**
 * The slope of every output at x along v, exactly: where f is linear in v and x and v are whole numbers, so that no
 * value is rounded. Bound 0; Infinity where a value shows that this is not so, or that f is not linear.
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
    const isLinear = [y, ...values.flat()].every(isExact) && odd[0] === odd[1] && even[0] === even[1];
    if (!isLinear) return { value: odd[0], bound: Infinity, kink: false };
    return { value: odd[0], bound: 0, kink: even[0] !== 0 };
  });
}

/** From four steps, each half of the one before. */
function extrapolated(odd: number[], even: number[], floor: number): Slope {
  // Orders 2, 4 and 6 of an even series; then 1 and 3 of an odd one, the jump being its constant.
  const fourth = (k: number) => (4 * odd[k + 1] - odd[k]) / 3;
  const sixth = (k: number) => (16 * fourth(k + 1) - fourth(k)) / 15;
  const value = sixth(0);
  const truncation = Math.max(Math.abs(value - sixth(1)), Math.abs(value - fourth(2)));
  const first = (k: number) => 2 * even[k + 1] - even[k];
  const third = (k: number) => (8 * first(k + 1) - first(k)) / 7;
  const jump = Math.abs(third(0));
  const jumpTruncation = Math.max(Math.abs(third(0) - third(1)), Math.abs(third(0) - first(2)));
  const bound = TRUNCATION_SAFETY * truncation + SLOPE_NOISE * floor + jump;
  const jumpBound = TRUNCATION_SAFETY * jumpTruncation + JUMP_NOISE * floor;
  // Values that are not finite give NaN: nothing is known.
  if (!(bound < Infinity && jumpBound < Infinity)) return { value: NaN, bound: Infinity, kink: true };
  return { value, bound, kink: jump > jumpBound };
}

/** Nine points along a line so short that a smooth function is a polynomial of degree 4 on it. */
const NOISE_POINTS = 9;
const NOISE_STEP = 2 ** -12;
const NOISE_LINES = 3;

/**
 * Standard deviation of every output's rounding errors near x, the largest along a few random lines: differences of
 * order 5 to 8 remove what is smooth and leave what is noise. A kink on a line is taken for noise, so the lines start
 * beside x and the median of them counts.
 * @param scale the size of each input, of which it is moved by a few thousandths at most
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

/** Compares an output with its proof: all elements, or a sample of them. */
import { random } from '../data.js';
import { LARGEST, LARGEST_HALF, type Operand, type Precision, type Proof } from './operation.js';

/** The worst element of an output, with its coordinates. */
export interface WorstElement {
  /** Number of the output, if the kernel has several. */
  output: number;
  index: readonly number[];
  got: number;
  want: number;
  /** The largest |got - want| that is allowed. */
  bound: number;
}

export interface Compared {
  /** The largest |got - want| in units of the bound; Infinity if the bound is 0, or if the error is not a number. */
  error: number;
  worst?: WorstElement;
  /** The largest |got - want| in units of the largest |want|. */
  relative: number;
  /** Number of elements that were compared. */
  count: number;
}

/**
 * @param sample indexes of the elements to compare. Default: all.
 */
export function compared(got: Operand, proof: Proof, { isHalf }: Precision, sample?: Int32Array): Compared {
  const { want, range, output } = proof;
  const [low, high] = range ?? [want, want];
  const count = sample ? sample.length : want.length;
  let [error, at, bound, off, largest] = [0, -1, 0, 0, 0];
  for (let k = 0; k < count; k++) {
    const i = sample ? sample[k] : k;
    const value = got.values[i];
    const size = Math.abs(want[i]);
    if (size > largest && size < Infinity) largest = size;
    const distance = distanceOf(value, low[i], high[i]);
    if (distance === 0) continue;
    if (!(distance <= off)) off = distance;
    let allowed = proof.bound(i);
    if (distance > allowed && proof.widerBound) allowed = Math.max(allowed, proof.widerBound(i));
    // A float32 result that overflows is rounded to Infinity. Half floats overflow where nothing should.
    if (!isHalf && !Number.isFinite(value) && Math.sign(value) === Math.sign(want[i]) && size + allowed > LARGEST) continue; // prettier-ignore
    const ratio = distance / allowed;
    const own = Number.isNaN(ratio) ? Infinity : ratio;
    if (own > error || at < 0) [error, at, bound] = [own, i, allowed];
  }
  if (range && !sample) {
    const sums = sumsOf(got, proof);
    if (sums.error > error) [error, at, bound] = [sums.error, sums.index, sums.bound];
  }
  const worst = at < 0 ? undefined : { output, index: coordinates(at, got.shape), got: got.values[at], want: want[at], bound }; // prettier-ignore
  return { error, worst, relative: off / (largest || 1), count };
}

/** How far the sum of all elements is off, and the element that differs most from `want`. */
function sumsOf(
  { values }: Operand,
  { want, bound }: Proof,
): { error: number; index: number; bound: number } {
  let [off, allowed, index] = [0, 0, 0];
  for (let i = 0; i < want.length; i++) {
    off += values[i] - want[i];
    allowed += bound(i);
    if (Math.abs(values[i] - want[i]) > Math.abs(values[index] - want[index])) index = i;
  }
  return { error: off === 0 ? 0 : Math.abs(off) / allowed, index, bound: allowed };
}

/** How far a value is from [low, high]. Equal infinities and two NaNs are not apart. */
function distanceOf(value: number, low: number, high: number): number {
  if (value >= low && value <= high) return 0;
  if (Number.isNaN(value) && Number.isNaN(low)) return 0;
  const distance = value < low ? low - value : value - high;
  return Number.isNaN(distance) ? Infinity : distance;
}

/** Whether half floats explain an error: they overflow to Infinity, which tfjs may read as NaN, or stay at the largest. */
export function isHalfOverflow({ isHalf }: Precision, { want }: WorstElement): boolean {
  return isHalf && Math.abs(want) > LARGEST_HALF * (1 - 2 ** -10);
}

/** `count` different places of the elements 0 ... size - 1, in order: one of each of `count` equal parts. */
export function sampleOf(size: number, count: number, seed: number): Int32Array {
  const next = random(seed);
  const step = size / count;
  return Int32Array.from({ length: count }, (_, k) => Math.min(size - 1, Math.floor((k + next()) * step)));
}

export function coordinates(index: number, shape: readonly number[]): number[] {
  let rest = index;
  const reversed = [...shape].reverse().map((size) => {
    const coordinate = rest % size;
    rest = Math.floor(rest / size);
    return coordinate;
  });
  return reversed.reverse();
}

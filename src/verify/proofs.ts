/**
 * The yardsticks of the four proofs: how far `got` may be from `want`, and which element is worst.
 *
 * 1. exact: whole numbers make float32 sums of products exact, so got = want (0 equals -0).
 * 2. rounded: |got - want| <= bound, elementwise. A sum of K products of float32 numbers, in any order, is off by at
 *    most (K + 1) * 2^-24 times the sum of the products' magnitudes, and K * 2^-126 where products underflow.
 * 3. adjoint: <A x, y> = <x, A^T y>, no differences needed.
 * 4. differences: (f(x + h) - f(x - h)) / 2h in float64.
 *
 * Source of 2: Higham, "Accuracy and Stability of Numerical Algorithms", 2002, section 3.1.
 */

export interface Worst {
  /** The largest |got - want| / bound; 1 and less is right, Infinity where there is no room at all. */
  error: number;
  index: number;
  got: number;
  want: number;
  bound: number;
}

/** 2^-24: half the distance between 1 and the next float32. */
const UNIT = 2 ** -24;
const UNDERFLOW = 2 ** -126;

/** The worst element of got against want. Equal elements, NaN and infinities included, have no error. */
export function compare(
  got: ArrayLike<number>,
  want: ArrayLike<number>,
  bound: (index: number) => number = () => 0,
): Worst {
  if (got.length !== want.length) {
    return { error: Infinity, index: -1, got: got.length, want: want.length, bound: 0 };
  }
  let worst: Worst = { error: 0, index: -1, got: 0, want: 0, bound: 0 };
  for (let index = 0; index < want.length; index++) {
    if (got[index] === want[index] || (Number.isNaN(got[index]) && Number.isNaN(want[index]))) continue;
    const allowed = bound(index);
    const ratio = Math.abs(got[index] - want[index]) / allowed;
    const error = Number.isNaN(ratio) ? Infinity : ratio;
    if (error > worst.error) worst = { error, index, got: got[index], want: want[index], bound: allowed };
  }
  return worst;
}

/** Bound of a sum of `terms` float32 products whose magnitudes sum to `magnitude`. */
export function roundingBound(terms: number, magnitude: number): number {
  return (terms + 1) * UNIT * magnitude + terms * UNDERFLOW;
}

export function describeWorst({ error, index, got, want, bound }: Worst): string {
  return index === -1 && error > 0
    ? `${got} elements instead of ${want}`
    : `element ${index} is ${got}, not ${want}: ${error.toPrecision(3)} of the bound ${bound.toPrecision(3)}`;
}

/** <a, b> in float64. */
export function inner(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i] * b[i];
  return sum;
}

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

/**
 * Proof 2, rounded: |got - want| <= bound, elementwise, where want is computed in float64.
 *
 * Source of the bound: Higham, "Accuracy and Stability of Numerical Algorithms", 2002, section 3.1.
 */

/** 2^-24: half the distance between 1 and the next float32. */
export const UNIT = 2 ** -24;
/** The least number that every float32 unit holds to full precision; below it, some take 0. */
export const UNDERFLOW = 2 ** -126;

/**
 * Bound of a sum of `terms` float32 products whose magnitudes sum to `magnitude`: in any order it is off by at most
 * (terms + 1) * 2^-24 of them, and by terms * 2^-126 where products underflow.
 */
export function roundingBound(terms: number, magnitude: number): number {
  return (terms + 1) * UNIT * magnitude + terms * UNDERFLOW;
}

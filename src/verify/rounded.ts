/**
 * Proof 2, rounded: |got - want| <= bound, for each element. want is computed in float64.
 *
 * Source of the bound: Higham, "Accuracy and Stability of Numerical Algorithms", 2002, section 3.1.
 */

/** 2^-24: half the distance between 1 and the next float32. */
export const UNIT = 2 ** -24;
/** The smallest number that all float32 units hold to full precision. Some units round smaller numbers to 0. */
export const UNDERFLOW = 2 ** -126;

/**
 * Error bound of a sum of float32 products, in any order of summation. The error is at most (terms + 1) * 2^-24 of the
 * magnitude, plus terms * 2^-126 if products underflow.
 * @param terms number of products
 * @param magnitude sum of the products' magnitudes
 */
export function roundingBound(terms: number, magnitude: number): number {
  return (terms + 1) * UNIT * magnitude + terms * UNDERFLOW;
}

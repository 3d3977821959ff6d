/**
 * The values of x, in a tensor of its own. tfjs runs it for each tensor that a gradient will need, and for `clone`.
 *
 *   y[i] = x[i]        x, y: of one shape and dtype
 *
 * Source: tfjs's own kernels of this name.
 */
import type { Floats } from '../arrays.js';

/** Every cell of y is written. */
export function identity(x: Floats, y: Floats): void {
  y.set(x);
}

/**
 * tfjs-convgrad/verify/jest, for Jest and Vitest: `await expect(f).toHaveCorrectGradient(inputs, options)`.
 *
 *   import { matchers } from 'tfjs-convgrad/verify/jest';
 *   expect.extend(matchers);
 *
 * For Vitest, declare the matcher's type yourself:
 *
 *   declare module 'vitest' { interface Assertion extends GradientMatchers {} }
 */
import type { Tensor } from '@tensorflow/tfjs-core';
import type { Differentiable } from './flat.js';
import type { GradCheckOptions } from './grad-check.js';
import { outcome } from './outcome.js';

/** For `expect.extend`. */
export const matchers = {
  async toHaveCorrectGradient(
    this: { isNot?: boolean },
    f: Differentiable,
    inputs: readonly Tensor[],
    options?: GradCheckOptions,
  ) {
    const isNot = this.isNot ?? false;
    const { met, message } = await outcome(f, inputs, options, isNot);
    return { pass: met !== isNot, message: () => message };
  },
};

/** The types of the matchers. */
export interface GradientMatchers<R = Promise<void>> {
  /** Passes if f's gradient at the inputs agrees with numerical differences: see gradCheck. */
  toHaveCorrectGradient(inputs: readonly Tensor[], options?: GradCheckOptions): R;
}

declare global {
  // eslint-disable-next-line @typescript-eslint/no-namespace
  namespace jest {
    // eslint-disable-next-line @typescript-eslint/no-unused-vars, @typescript-eslint/no-empty-object-type
    interface Matchers<R, T> extends GradientMatchers<Promise<R>> {}
  }
}

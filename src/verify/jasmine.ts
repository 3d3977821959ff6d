/**
 * tfjs-convgrad/verify/jasmine: `await expectAsync(f).toHaveCorrectGradient(inputs, options)`.
 *
 *   import { matchers } from 'tfjs-convgrad/verify/jasmine';
 *   beforeAll(() => jasmine.addAsyncMatchers(matchers));
 */
import type { Tensor } from '@tensorflow/tfjs-core';
import type { Differentiable } from './flat.js';
import type { GradCheckOptions } from './grad-check.js';
import { outcome } from './outcome.js';

type Compare = (
  f: Differentiable,
  inputs: readonly Tensor[],
  options?: GradCheckOptions,
) => Promise<{ pass: boolean; message: string }>;

const compare =
  (isNegated: boolean): Compare =>
  async (f, inputs, options) => {
    const { met, message } = await outcome(f, inputs, options, isNegated);
    return { pass: met, message };
  };

/** For `jasmine.addAsyncMatchers`. */
export const matchers = {
  toHaveCorrectGradient: () => ({ compare: compare(false), negativeCompare: compare(true) }),
};

declare global {
  // eslint-disable-next-line @typescript-eslint/no-namespace
  namespace jasmine {
    // eslint-disable-next-line @typescript-eslint/no-unused-vars
    interface AsyncMatchers<T, U> {
      /** Passes if f's gradient at the inputs agrees with numerical differences: see gradCheck. */
      toHaveCorrectGradient(inputs: readonly Tensor[], options?: GradCheckOptions): PromiseLike<void>;
    }
  }
}

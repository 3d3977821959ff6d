/** What the matchers of all test frameworks share. */
import type { Tensor } from '@tensorflow/tfjs-core';
import type { Differentiable } from './flat.js';
import { gradCheck, type GradCheckOptions } from './grad-check.js';

/**
 * Whether `toHaveCorrectGradient`, or its negation, is met, and what to say if not. 'unsure' meets neither: nothing was
 * shown.
 */
export async function outcome(
  f: Differentiable,
  inputs: readonly Tensor[],
  options: GradCheckOptions | undefined,
  isNegated: boolean,
): Promise<{ met: boolean; message: string }> {
  const report = await gradCheck(f, inputs, options);
  return { met: report.verdict === (isNegated ? 'wrong' : 'right'), message: String(report) };
}

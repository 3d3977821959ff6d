/** The part that the matchers of all test frameworks share. */
import type { Tensor } from '@tensorflow/tfjs-core';
import type { Differentiable } from './flat.js';
import { gradCheck, type GradCheckOptions } from './grad-check.js';

/**
 * Decides whether `toHaveCorrectGradient`, or its negation, is met, and gives the message if it is not. The verdict
 * 'unsure' meets neither, because nothing was shown.
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

/** What to do about an error of tfjs whose message does not say it. */
import { getGradient } from '@tensorflow/tfjs-core';

/** A kernel whose gradient tfjs's packages register together with all others, and nobody registers alone. */
const ANY = 'Acosh';

/**
 * tfjs-core registers no gradients by itself. Where they are missing, the error that says that one was not found now says which import
 * registers them. Any other error stays as it is.
 */
export function withAdvice(error: unknown): unknown {
  const isMissing = error instanceof Error && /gradient function not found for/.test(error.message);
  if (!isMissing || getGradient(ANY)) return error;
  return new Error(
    `tfjs-convgrad: ${error.message} tfjs-core alone registers no gradients. ` +
      "import '@tensorflow/tfjs-layers' or '@tensorflow/tfjs' registers those of tfjs's own kernels; " +
      "for a bundler '@tensorflow/tfjs-core/dist/register_all_gradients' is enough. " +
      'A kernel of your own needs registerGradient.',
  );
}

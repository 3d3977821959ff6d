/** Proves the subjects of kernels/subjects.ts on the active backend; for tests, command line and page. */
import type { Subject, Values } from '../../kernels/proof.js';
import { compareKernels, definition, kernel, type KernelComparison } from './compare-kernels.js';

/**
 * Proves one kernel on one case by the proofs that apply to it, on the active backend.
 * @param prefix of the name it is registered under: '' is whatever serves tfjs's own ops, the built-in or the
 *   installed plugin; OWN is ours beside it
 */
export function prove(subject: Subject, prefix: string, seed: number): Promise<KernelComparison> {
  return compareKernels(subject, kernel(prefix + subject.kernelName), definition(subject.definition), {
    seed,
  });
}

/** The kernel's result on the active backend. */
export async function runSubject(
  subject: Subject,
  prefix: string,
  values: Values,
): Promise<ArrayLike<number>> {
  return kernel(prefix + subject.kernelName).run(values, subject);
}

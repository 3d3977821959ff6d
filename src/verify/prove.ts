/** Proves the subjects of kernels/subjects.ts on the active backend, for tests, the command line and the demo page. */
import type { Subject, Values } from '../../kernels/proof.js';
import { compareOn, definition, kernelUnder, type KernelComparison } from './compare-kernels.js';

/**
 * Proves one kernel on one case, on the active backend, by the proofs that apply to it.
 * @param prefix prefix of the kernel's registered name. '' is the kernel that serves tfjs's own ops: the built-in, or
 *   the plugin's if it is installed. OWN is the plugin's kernel beside it.
 */
export function prove(subject: Subject, prefix: string, seed: number): Promise<KernelComparison> {
  return compareOn(subject, [implementationOf(subject, prefix), definition(subject.definition)], seed);
}

/** Runs the kernel on the active backend, and gives its result. `prefix` is as in `prove`. */
export async function runSubject(
  subject: Subject,
  prefix: string,
  values: Values,
): Promise<ArrayLike<number>> {
  return implementationOf(subject, prefix).run(values, subject);
}

const implementationOf = ({ kernelName }: Subject, prefix: string) =>
  kernelUnder(prefix + kernelName, kernelName);

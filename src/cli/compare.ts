/** Every kernel on every case, against the float64 definition, the built-in and its numerical gradient. */
import { getBackend } from '@tensorflow/tfjs-core';
import { OWN } from '../../kernels/registry.js';
import { registerOwn } from '../ops.js';
import { prove, runSubject, type Subject, subjects, whyTfjsDiffers } from '../subjects.js';
import { integers } from '../verify/data.js';
import { compare } from '../verify/proofs.js';
import { boundOf, untiedInputs } from '../verify/compare-kernels.js';
import { alternate } from '../verify/time.js';

export interface Comparison {
  op: string;
  case: string;
  /** Worst element against the definition, in units of its bound; on whole numbers any error is infinite. */
  error: number;
  /** 'equal', or why the built-in differs, as docs/deviations.md numbers it. */
  builtin: string;
  /** The built-in's worst element against the definition, in the same units; null where it gives no result. */
  builtinError: number | null;
  /** Of the gradient, against central differences and as an adjoint, in units of the bound; null for forward kernels. */
  gradientError: number | null;
  /** Built-in's time / our time; null where the built-in gives no result. */
  timeRatio: number | null;
  ok: boolean;
}

/** The subjects whose kernel and case names contain the texts. */
export function chosen(op: string, caseName: string): Subject[] {
  return subjects().filter((s) => s.kernelName.includes(op) && s.caseName.includes(caseName));
}

/** @param milliseconds how long to time it, built-in and ours in turn; 0 for one round */
export async function compareSubject(
  subject: Subject,
  seed: number,
  milliseconds: number,
): Promise<Comparison> {
  registerOwn();
  const { exact, rounded, adjoint, differences } = await prove(subject, OWN, seed);
  const values = untiedInputs(subject, seed, integers);
  const differs = whyTfjsDiffers(subject, getBackend());
  const bound = boundOf(subject, values);
  const ours = await runSubject(subject, OWN, values);
  const builtin = await runSubject(subject, '', values).catch(() => null);
  const agrees = builtin !== null && compare(builtin, ours, (i) => 2 * bound(i)).error <= 1;
  const error = Math.max(rounded.error, exact?.error ?? 0);
  const gradientError = differences && adjoint ? Math.max(differences.error, adjoint.error) : null;
  const time = async () => {
    const run = (prefix: string) => () => runSubject(subject, prefix, values);
    const { a, b } = await alternate(run(''), run(OWN), milliseconds);
    return a / b;
  };
  return {
    op: subject.kernelName,
    case: subject.caseName,
    error,
    builtin: agrees ? 'equal' : (differs ?? 'differs'),
    builtinError: builtin && compare(builtin, subject.definition(values), bound).error,
    gradientError,
    timeRatio: builtin && (await time()),
    ok: error <= 1 && (gradientError ?? 0) <= 1 && (agrees || differs !== undefined),
  };
}

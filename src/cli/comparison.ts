/**
 * Compares kernels on the active backend, in Node or in a browser, for the command line, `npm start` and the demo page.
 */
import { getBackend, getKernel, type KernelFunc } from '@tensorflow/tfjs-core';
import { avgPoolSubjects } from '../../kernels/avg_pool/subjects.js';
import type { ConvCase } from '../../kernels/conv2d/cases.js';
import { convSubjects } from '../../kernels/conv2d/subjects.js';
import { depthwiseSubjects } from '../../kernels/depthwise_conv2d/subjects.js';
import type { PoolCase } from '../../kernels/max_pool/cases.js';
import { maxPoolSubjects } from '../../kernels/max_pool/subjects.js';
import { canAskBuiltin, type Subject, whyTfjsDiffers } from '../../kernels/proof.js';
import { type BackendName, OWN } from '../../kernels/registry.js';
import { subjectsOn } from '../../kernels/subjects.js';
import '../index.js';
import { registerOwn } from '../ops.js';
import { boundOf, placeIn, untiedInputs } from '../verify/compare-kernels.js';
import { integers } from '../verify/data.js';
import { compare, type Worst } from '../verify/exact.js';
import { prove, runSubject } from '../verify/prove.js';
import { alternate } from '../verify/time.js';

export interface Comparison {
  op: string;
  case: string;
  /**
   * The worst element's error against the definition, in units of its bound. On whole numbers any error is infinite.
   */
  error: number;
  /**
   * 'equal'; or why the built-in differs, with the row of docs/deviations.md; or 'differs', if no reason is known; or
   * 'none', if the built-in gives no result. On wasm a built-in that differs is not asked.
   */
  builtin: string;
  /** The built-in's error against the definition, in the same units; null if the built-in gives no result. */
  builtinError: number | null;
  /**
   * Error of the gradient in units of the bound, against central differences or as an adjoint, whichever is larger;
   * null for forward kernels.
   */
  gradientError: number | null;
  /**
   * The built-in's time divided by the kernel's time; null if they were not timed, if the built-in gives no result, or if the clock is too
   * coarse for them.
   */
  timeRatio: number | null;
  /** What a kernel that gives no result throws; what is wrong with a gradient; or what a case may lack whose kernel is above its bound. */
  message?: string;
  /** The worst element of a row that is wrong. */
  worst?: WorstElement;
  ok: boolean;
}

export interface WorstElement {
  /** What it does not agree with: a proof of compareKernels, the built-in or, for an op, differences. */
  proof: 'exact' | 'rounded' | 'adjoint' | 'differences' | 'built-in' | 'gradient';
  /** Its coordinates in the result; for an op in the input. null: <x, gradient>, or a random direction; or the numbers of elements differ. */
  element: number[] | null;
  got: number;
  want: number;
  /** The largest |got - want| that is right. */
  bound: number;
}

export interface Selection {
  /** Part of a kernel's name, in any case of letters; '' selects all kernels. */
  op: string;
  /** Part of a case's name, in any case of letters; '' selects all cases. */
  case: string;
  /** A case that replaces the named cases. */
  own?: OwnCase;
}

/** The shapes of x and of a filter, for convolutions; or the shape of x and a window, for poolings. */
export interface OwnCase {
  /** [batch, height, width, channels] */
  x: number[];
  /**
   * [filterHeight, filterWidth, inChannels, outChannels] of a filter, or [height, width] of a window. If the selected op is
   * depthwise, the last number of the filter is the multiplier.
   */
  window: number[];
  strides: number;
  pad: 'same' | 'valid' | number;
}

/** The selected subjects of the plugin that have a kernel on the backend. */
export function chosen(selection: Selection, backendName: string): Subject[] {
  const { own, op } = selection;
  const all = own ? subjectsOf(own, isPart('depthwise', op)) : subjectsOn(backendName as BackendName);
  return all.filter((subject) => isChosen(selection, subject.kernelName, subject.caseName));
}

export function isChosen(selection: Selection, op: string, caseName: string): boolean {
  return isPart(selection.op, op) && isPart(selection.case, caseName);
}

/** Whether the text contains the part, in any case of letters. */
function isPart(part: string, text: string): boolean {
  return text.toLowerCase().includes(part.toLowerCase());
}

function subjectsOf({ x, window, strides, pad }: OwnCase, isDepthwise: boolean): Subject[] {
  const name = `${x.join('x')},${window.join('x')}, strides ${strides}, pad ${pad}`;
  if (window.length === 4) {
    const convolution = { name, x, filter: window, strides, pad } as ConvCase;
    return isDepthwise ? depthwiseSubjects(convolution) : convSubjects(convolution);
  }
  const pool = { name, x, filterSize: window, strides, pad } as PoolCase;
  return [...maxPoolSubjects(pool), ...avgPoolSubjects(pool)];
}

/** A function that is registered in place of a kernel, and calls it -> the kernel. So a built-in is not compared with itself. */
export const originals = new WeakMap<KernelFunc, KernelFunc>();

function kernelFuncOf(name: string): KernelFunc | undefined {
  const kernelFunc = getKernel(name, getBackend())?.kernelFunc;
  return kernelFunc && (originals.get(kernelFunc) ?? kernelFunc);
}

/**
 * Compares one kernel on one case, on the active backend.
 * @param milliseconds how long the built-in and the kernel are timed, in turn; 0: one round; null: not at all
 * @param prefix prefix of the kernel's registered name; default: the plugin's
 */
export async function compareSubject(
  subject: Subject,
  seed: number,
  milliseconds: number | null,
  prefix = OWN,
): Promise<Comparison> {
  if (prefix === OWN) registerOwn();
  const { exact, rounded, adjoint, differences, advice } = await prove(subject, prefix, seed);
  const values = untiedInputs(subject, seed, integers);
  const differs = whyTfjsDiffers(subject, getBackend());
  const bound = boundOf(subject, values);
  const theirs = await runSubject(subject, prefix, values);
  const own = kernelFuncOf(prefix + subject.kernelName);
  const hasBuiltin = canAskBuiltin(subject, getBackend()) && kernelFuncOf(subject.kernelName) !== own;
  const builtin = hasBuiltin ? await runSubject(subject, '', values).catch(() => null) : null;
  const against = builtin && compare(theirs, builtin, (i) => 2 * bound(i));
  const agrees = against !== null && against.error <= 1;
  const error = Math.max(rounded.error, exact?.error ?? 0);
  const gradientError = differences && adjoint ? Math.max(differences.error, adjoint.error) : null;
  const time = async (milliseconds: number) => {
    const run = (prefix: string) => () => runSubject(subject, prefix, values);
    const { a, b } = await alternate(run(''), run(prefix), milliseconds);
    return a > 0 && b > 0 ? a / b : null; // a page's clock may stand still for a whole kernel
  };
  const ok = error <= 1 && (gradientError ?? 0) <= 1 && (agrees || differs !== undefined || builtin === null);
  const proofs = { exact, rounded, adjoint, differences, ...(against && { 'built-in': against }) };
  return {
    op: subject.kernelName,
    case: subject.caseName,
    error,
    builtin: agrees ? 'equal' : (differs ?? (builtin ? 'differs' : 'none')),
    builtinError: builtin && compare(builtin, subject.definition(values), bound).error,
    gradientError,
    timeRatio: builtin && milliseconds !== null ? await time(milliseconds) : null,
    ...(advice && { message: advice }),
    ...(!ok && { worst: worstOf(proofs, subject) }),
    ok,
  };
}

type Proofs = Partial<Record<WorstElement['proof'], Worst>>;

/** The element with the largest error in units of its bound. The built-in counts if the kernel agrees with its definition. */
function worstOf(proofs: Proofs, subject: Subject): WorstElement {
  const entries = Object.entries(proofs).filter(([, worst]) => worst) as [WorstElement['proof'], Worst][];
  const [proof, worst] = entries.reduce((a, b) =>
    b[1].error > a[1].error && !(b[0] === 'built-in' && a[1].error > 1) ? b : a,
  );
  const { got, want, bound } = worst;
  return { proof, element: placeIn(proof, worst, subject), got, want, bound };
}

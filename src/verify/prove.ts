/**
 * Proves one kernel on one case by the proofs that apply to it, on the active backend.
 *
 * `prefix` chooses the implementation by the name it is registered under: '' is whatever serves tfjs's own ops, the
 * built-in or the installed plugin; OWN is ours beside it.
 */
import { engine, type NamedTensorMap, type Tensor, tensor } from '@tensorflow/tfjs-core';
import { sizeOf } from '../../kernels/geometry.js';
import { compare, difference, roundingBound, type Worst } from './proofs.js';
import { distinct, floats, integers, random } from './data.js';
import type { Subject, Values } from './subjects.js';

export interface Proof {
  /** On whole numbers: equality with the definition. */
  exact?: Worst;
  /** On numbers in [-1, 1): error in units of the rounding bound. */
  rounded: Worst;
  /** For gradients: against central differences of the float64 definition. */
  gradient?: Worst;
}

/** Whole numbers are small enough for every sum here to stay below 2^24. */
const LARGEST = 4;
/** So many elements of a gradient are held against differences, drawn at random where there are more. */
const DIFFERENCES = 24;

export async function prove(subject: Subject, prefix: string, seed: number): Promise<Proof> {
  const whole = inputsOf(subject, (size, i) => integers(size, seed + i, LARGEST));
  const any = untiedInputs(subject, seed, floats);
  const got = await runSubject(subject, prefix, any);
  return {
    ...(subject.exact && {
      exact: compare(await runSubject(subject, prefix, whole), subject.definition(whole)),
    }),
    rounded: compare(got, subject.definition(any), boundOf(subject, any)),
    ...(subject.loss && { gradient: againstDifferences(subject, any, got, seed) }),
  };
}

/** Elementwise rounding bound of the subject's result. */
export function boundOf(subject: Subject, inputs: Values): (index: number) => number {
  const magnitude = subject.magnitude(inputs);
  return (index) => roundingBound(subject.terms, magnitude[index]);
}

/** The subject's result on the active backend, its inputs rounded to float32. */
export async function runSubject(
  subject: Subject,
  prefix: string,
  values: Values,
): Promise<ArrayLike<number>> {
  const tensors: NamedTensorMap = {};
  for (const [name, shape] of Object.entries(subject.inputs)) {
    tensors[name] = tensor(Float32Array.from(values[name]), [...shape]);
  }
  const outputs = [
    engine().runKernel(prefix + subject.kernelName, tensors, subject.attrs),
  ].flat() as Tensor[];
  const result = outputs[subject.output];
  if (result.shape.join() !== subject.outShape.join()) {
    throw new Error(
      `${subject.kernelName}, ${subject.caseName}: shape [${result.shape}], not [${subject.outShape}].`,
    );
  }
  const data = await result.data();
  [...Object.values(tensors), ...outputs].forEach((t) => t.dispose());
  return data;
}

export function inputsOf(
  subject: Subject,
  make: (size: number, i: number, name: string) => Float64Array,
): Values {
  const entries = Object.entries(subject.inputs);
  return Object.fromEntries(entries.map(([name, shape], i) => [name, make(sizeOf(shape), i, name)]));
}

/** Inputs that `make` draws, but for the one that must have no ties. */
export function untiedInputs(
  subject: Subject,
  seed: number,
  make: (size: number, seed: number) => Float64Array,
): Values {
  return inputsOf(subject, (size, i, name) => (name === subject.untied ? distinct : make)(size, seed + i));
}

function againstDifferences(subject: Subject, inputs: Values, got: ArrayLike<number>, seed: number): Worst {
  const { start, value, step } = subject.loss!;
  const point = start(inputs);
  const bound = boundOf(subject, inputs);
  const indexes = drawn(point.length, DIFFERENCES, seed);
  const want = indexes.map((i) => difference((at) => value(at, inputs), point, i, step));
  // Differences in float64 have a rounding error of their own, far below float32's.
  const slack = 2 ** -30;
  const worst = compare(
    indexes.map((i) => got[i]),
    want,
    (k) => bound(indexes[k]) + slack,
  );
  return { ...worst, index: worst.index < 0 ? worst.index : indexes[worst.index] };
}

/** `count` indexes below `size`, drawn at random; all of them where there are no more. */
export function drawn(size: number, count: number, seed: number): number[] {
  if (size <= count) return Array.from({ length: size }, (_, i) => i);
  const next = random(seed);
  return Array.from({ length: count }, () => Math.floor(next() * size));
}

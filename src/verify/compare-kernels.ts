/**
 * Compares two implementations of a kernel on the same inputs by the proofs that apply: exact on whole numbers, rounded
 * on others and, where the kernel is a gradient, adjoint and differences of the function that it is the gradient of.
 * Every result is in units of the bound that is derived for it: at most 1 is right.
 */
import { engine, type NamedTensorMap, tensor, type Tensor, util } from '@tensorflow/tfjs-core';
import { inner } from '../../kernels/arrays.js';
import type { KernelCase, Loss, Values } from '../../kernels/proof.js';
import { distinct, drawn, floats, integers } from './data.js';
import { difference } from './differences.js';
import { compare, describeWorst, type Worst } from './exact.js';
import { roundingBound } from './rounded.js';

export type { KernelCase, Loss, Values };

export interface Implementation {
  name: string;
  /** Its results are float32, each sum of products rounded as it may be; otherwise they count as exact. */
  rounds: boolean;
  run(inputs: Values, kernelCase: KernelCase): ArrayLike<number> | Promise<ArrayLike<number>>;
}

export interface KernelComparison {
  caseName: string;
  /** Names of the two. */
  a: string;
  b: string;
  seed: number;
  /** On whole numbers: equality. */
  exact?: Worst;
  /** On numbers in [-1, 1): error in units of the rounding bound. */
  rounded: Worst;
  /** For gradients: <x, gradient> against the loss at x. */
  adjoint?: Worst;
  /** For gradients: elements against central differences of the loss. */
  differences?: Worst;
  verdict: 'right' | 'wrong';
  toString(): string;
}

/** A kernel by the name it is registered under, run on the active backend on float32. */
export function kernel(kernelName: string): Implementation {
  return { name: kernelName, rounds: true, run: (inputs, c) => runKernel(kernelName, inputs, c) };
}

/** A function in float64, which is taken for exact. */
export function definition(f: (inputs: Values) => Float64Array): Implementation {
  return { name: 'definition', rounds: false, run: f };
}

/** So many elements of a gradient are held against differences, drawn at random where there are more. */
const DIFFERENCES = 24;
/** Differences and sums in float64 have rounding errors of their own, far below float32's. */
const SLACK = 2 ** -30;

export async function compareKernels(
  kernelCase: KernelCase,
  a: Implementation,
  b: Implementation,
  { seed = 1 }: { seed?: number } = {},
): Promise<KernelComparison> {
  const on = (values: Values) => Promise.all([a, b].map(({ run }) => run(values, kernelCase)));
  const sides = Number(a.rounds) + Number(b.rounds);
  const any = untiedInputs(kernelCase, seed, floats);
  const bound = boundOf(kernelCase, any);
  const results = await on(any);
  const proofs: Pick<KernelComparison, 'exact' | 'rounded' | 'adjoint' | 'differences'> = {
    rounded: compare(results[0], results[1], (i) => sides * bound(i)),
  };
  if (kernelCase.exact) {
    const [got, want] = await on(inputsOf(kernelCase, (size, i) => integers(size, seed + i)));
    proofs.exact = compare(got, want);
  }
  const { loss } = kernelCase;
  if (loss) {
    proofs.adjoint = worse(results.map((result) => againstAdjoint(loss, any, result, bound, seed)));
    proofs.differences = worse(results.map((result) => againstDifferences(loss, any, result, bound, seed)));
  }
  const isRight = Object.values(proofs).every(({ error }) => error <= 1);
  const comparison = { caseName: kernelCase.caseName, a: a.name, b: b.name, seed, ...proofs } as const;
  return {
    ...comparison,
    verdict: isRight ? 'right' : 'wrong',
    toString: () =>
      [
        `${a.name} and ${b.name}, ${kernelCase.caseName}, seed ${seed}: ${isRight ? 'right' : 'WRONG'}`,
        ...Object.entries(proofs).map(([proof, worst]) => `  ${proof}: ${describeWorst(worst)}`),
      ].join('\n'),
  };
}

/** Elementwise rounding bound of the kernel's result. */
export function boundOf(c: KernelCase, inputs: Values): (index: number) => number {
  const magnitudes = c.magnitude(inputs);
  return (index) => roundingBound(c.terms, magnitudes[index]);
}

/** The kernel's result on the active backend, its inputs rounded to float32. */
async function runKernel(kernelName: string, values: Values, c: KernelCase): Promise<ArrayLike<number>> {
  const tensors: NamedTensorMap = {};
  for (const [name, shape] of Object.entries(c.inputs)) {
    tensors[name] = tensor(Float32Array.from(values[name]), [...shape]);
  }
  let outputs: Tensor[] = [];
  try {
    outputs = [engine().runKernel(kernelName, tensors, c.attrs)].flat() as Tensor[];
    const result = outputs[c.output];
    if (result.shape.join() !== c.outShape.join()) {
      throw new Error(`${kernelName}, ${c.caseName}: shape [${result.shape}], not [${c.outShape}].`);
    }
    return await result.data();
  } finally {
    [...Object.values(tensors), ...outputs].forEach((t) => t.dispose());
  }
}

export function inputsOf(
  { inputs }: KernelCase,
  make: (size: number, i: number, name: string) => Float64Array,
): Values {
  const entries = Object.entries(inputs);
  return Object.fromEntries(
    entries.map(([name, shape], i) => [name, make(util.sizeFromShape([...shape]), i, name)]),
  );
}

/** Inputs that `make` draws, but for the one that must have no ties. */
export function untiedInputs(
  c: KernelCase,
  seed: number,
  make: (size: number, seed: number) => Float64Array,
): Values {
  return inputsOf(c, (size, i, name) => (name === c.untied ? distinct : make)(size, seed + i));
}

type Bound = (index: number) => number;

/** <x, gradient> = loss(x): at any x where the loss is linear, otherwise where the gradient was taken. */
function againstAdjoint(
  { start, value, linear }: Loss,
  inputs: Values,
  gradient: ArrayLike<number>,
  bound: Bound,
  seed: number,
): Worst {
  const point = start(inputs);
  const x = linear ? floats(point.length, seed + 100) : point;
  const room = x.reduce((sum, xi, i) => sum + Math.abs(xi) * (bound(i) + SLACK), SLACK);
  return compare([inner(x, gradient)], [value(x, inputs)], () => room);
}

function againstDifferences(
  { start, value, step }: Loss,
  inputs: Values,
  gradient: ArrayLike<number>,
  bound: Bound,
  seed: number,
): Worst {
  const point = start(inputs);
  const indexes = drawn(point.length, DIFFERENCES, seed);
  const want = indexes.map((i) => difference((at) => value(at, inputs), point, i, step));
  const got = indexes.map((i) => gradient[i]);
  const worst = compare(got, want, (k) => bound(indexes[k]) + SLACK);
  return { ...worst, index: worst.index < 0 ? worst.index : indexes[worst.index] };
}

function worse(results: readonly Worst[]): Worst {
  return results.reduce((a, b) => (b.error > a.error ? b : a));
}

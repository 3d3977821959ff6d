/**
 * Compares two implementations of a kernel on the same inputs, by the proofs that apply:
 *
 *   exact        on whole numbers
 *   rounded      on other numbers
 *   adjoint      if the kernel is a gradient: with the function whose gradient it is
 *   differences  if the kernel is a gradient: of the same function
 *
 * Each result is in units of its own derived bound: at most 1 is right.
 */
import { engine, type NamedTensorMap, tensor, type Tensor, util } from '@tensorflow/tfjs-core';
import { inner } from '../../kernels/arrays.js';
import { readOptions } from '../../kernels/known.js';
import type { KernelCase, Loss, Values } from '../../kernels/proof.js';
import { distinct, drawn, floats, integers } from './data.js';
import { difference } from './differences.js';
import { compare, describeWorst, type Worst } from './exact.js';
import { roundingBound } from './rounded.js';

export type { KernelCase, Loss, Values };

/** An implementation of a kernel. */
export interface Implementation {
  /** The name in the comparison's text. */
  name: string;
  /**
   * true: the results are float32, and each sum of products may have float32 rounding errors. false: the results count
   * as exact.
   */
  rounds: boolean;
  /** Returns the elements of the result, flat and row-major. `inputs` has the values of each input by its name. */
  run(inputs: Values, kernelCase: KernelCase): ArrayLike<number> | Promise<ArrayLike<number>>;
}

/** The result of compareKernels. */
export interface KernelComparison {
  caseName: string;
  /** Name of the first implementation. */
  a: string;
  /** Name of the second implementation. */
  b: string;
  /** Seed of the inputs. */
  seed: number;
  /** On whole numbers, where both must be equal. */
  exact?: Worst;
  /** On numbers in [-1, 1): the error in units of the rounding bound. */
  rounded: Worst;
  /** For gradients: <x, gradient> compared with the loss at x. */
  adjoint?: Worst;
  /** For gradients: elements compared with central differences of the loss. */
  differences?: Worst;
  /** 'right': no error is above its bound. */
  verdict: 'right' | 'wrong';
  /** The comparison as text: the verdict, and the worst element of each proof. */
  toString(): string;
}

/** The kernel that is registered under this name. It runs on the active backend, on float32 tensors. */
export function kernel(kernelName: string): Implementation {
  return { name: kernelName, rounds: true, run: (inputs, c) => runKernel(kernelName, inputs, c) };
}

/** A function in float64, which counts as exact. It returns the elements of the result, flat and row-major. */
export function definition(f: (inputs: Values) => Float64Array): Implementation {
  return { name: 'definition', rounds: false, run: f };
}

/** Number of elements of a gradient that are compared with differences. If there are more, they are drawn at random. */
const DIFFERENCES = 24;
/** Room for the rounding errors of the differences and sums in float64, which are far below those of float32. */
const SLACK = 2 ** -30;

/**
 * Compares two implementations of a kernel on one case.
 * @param kernelCase shapes, attributes and float64 mathematics of the case
 * @param a the first implementation: `kernel(name)`, `definition(f)` or an object of your own
 * @param b the second one
 * @param options `seed`: seed of the inputs, a whole number. Default: 1.
 * @returns the comparison; its promise is fulfilled whatever the verdict is
 * @throws Error if a kernel's result has another shape than the case says; also whatever an implementation throws
 */
export async function compareKernels(
  kernelCase: KernelCase,
  a: Implementation,
  b: Implementation,
  options: { seed?: number } = {},
): Promise<KernelComparison> {
  const { seed = 1 } = readOptions('compareKernels', options, ['seed']);
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

/** The rounding bound of each element of the kernel's result. */
export function boundOf(c: KernelCase, inputs: Values): (index: number) => number {
  const magnitudes = c.magnitude(inputs);
  return (index) => roundingBound(c.terms, magnitudes[index]);
}

/** Runs the kernel on the active backend, with its inputs rounded to float32. */
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
      throw new Error(
        `${kernelName}, ${c.caseName}: the result is of shape [${result.shape}], but it must be [${c.outShape}].`,
      );
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

/** Inputs that `make` draws. The input that must have no ties is drawn by `distinct` instead. */
export function untiedInputs(
  c: KernelCase,
  seed: number,
  make: (size: number, seed: number) => Float64Array,
): Values {
  return inputsOf(c, (size, i, name) => (name === c.untied ? distinct : make)(size, seed + i));
}

type Bound = (index: number) => number;

/** <x, gradient> = loss(x). If the loss is linear, x is random. Otherwise the gradient was taken at x. */
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

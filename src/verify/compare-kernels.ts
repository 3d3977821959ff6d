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
import {
  backend,
  engine,
  getBackend,
  getKernel,
  getKernelsForBackend,
  type NamedTensorMap,
  tensor,
  type Tensor,
  util,
} from '@tensorflow/tfjs-core';
import { inner } from '../../kernels/arrays.js';
import { didYouMean, readOptions, shown } from '../../kernels/known.js';
import type { KernelCase, Loss, Values } from '../../kernels/proof.js';
import { hear, programError, said } from '../../kernels/runtime/webgl/driver.js';
import {
  type CompleteCase,
  completeCase,
  type GivenCase,
  onBound,
  onOutShape,
  placeOf,
  runDefinition,
  withKnownNames,
} from './case.js';
import { distinct, drawn, floats, integers } from './data.js';
import { difference } from './differences.js';
import { compare, describeWorst, elementName, type Worst } from './exact.js';
import { demand } from './flat.js';
import { roundingBound } from './rounded.js';

export type { GivenCase, KernelCase, Loss, Values };

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
  /** If an error is above a bound that was made of defaults: what the case may lack. */
  advice?: string;
  /** The comparison as text: the verdict, and the worst element of each proof. */
  toString(): string;
}

/** The kernel that is registered under this name. It runs on the active backend, on float32 tensors. */
export function kernel(kernelName: string): Implementation {
  return kernelUnder(kernelName, kernelName);
}

/** The same, with another name in messages than the one under which it is registered. */
export function kernelUnder(registered: string, name: string): Implementation {
  return { name, rounds: true, run: (inputs, c) => runKernel(registered, name, inputs, c) };
}

/** What `definition` makes. */
interface Definition extends Implementation {
  f(inputs: Values): Float64Array;
}

/** A function in float64, which counts as exact. It returns the elements of the result, flat and row-major. */
export function definition(f: (inputs: Values) => Float64Array): Implementation {
  const made: Definition = {
    name: 'definition',
    rounds: false,
    run: (inputs, c) => runDefinition(f, inputs, c),
    f,
  };
  return made;
}

/** Number of elements of a gradient that are compared with differences. If there are more, they are drawn at random. */
const DIFFERENCES = 24;
/** Room for the rounding errors of the differences and sums in float64, which are far below those of float32. */
const SLACK = 2 ** -30;

/**
 * Compares two implementations of a kernel on one case.
 * @param kernelCase the case; all but its inputs has a default
 * @param a the first implementation: `kernel(name)`, `definition(f)` or an object of your own. Default: the kernel that the case names.
 * @param b the second one. Default: the case's definition.
 * @param options `seed`: seed of the inputs, a whole number. Default: 1.
 * @returns the comparison; its promise is fulfilled whatever the verdict is
 * @throws Error naming the argument, its value and the allowed values; if a result has another shape than the case says; also whatever an
 *   implementation throws
 */
export async function compareKernels(
  kernelCase: GivenCase,
  a?: Implementation,
  b?: Implementation,
  options: { seed?: number } = {},
): Promise<KernelComparison> {
  const { seed = 1 } = readOptions('compareKernels', options, ['seed']);
  demand(Number.isInteger(seed), 'seed', shown(seed), 'a whole number');
  for (const [side, name] of [[a, 'a'], [b, 'b']] as const) // prettier-ignore
    demand(side === undefined || isImplementation(side), name, shown(side), 'kernel(name), definition(f) or an object with name, rounds and run'); // prettier-ignore
  const required = ['inputs', ...(a ? [] : ['kernelName']), ...(b ? [] : ['definition'])];
  const c = completeCase(withDefinition(kernelCase, a, b), WHERE, required as (keyof GivenCase)[]);
  const sides = [a ?? kernel(c.kernelName!), b ?? definition(c.definition!)];
  return compareOn(c, sides, seed);
}

const WHERE = 'the case of compareKernels';

function isImplementation(value: unknown): value is Implementation {
  const { name, rounds, run } = { ...(value as Implementation) };
  return typeof name === 'string' && typeof rounds === 'boolean' && typeof run === 'function';
}

/**
 * The case with a definition, from which its magnitude is made if it has none: that with which it is compared.
 * @throws Error if there is none
 */
function withDefinition(
  c: GivenCase,
  a: Implementation | undefined,
  b: Implementation | undefined,
): GivenCase {
  const isPlain = typeof c === 'object' && c !== null && !c.magnitude && !c.definition;
  if (!isPlain || !b) return c;
  const side = [a, b].find((side) => side && 'f' in side) as Definition | undefined;
  if (side) return { ...c, definition: side.f };
  throw new Error(
    `tfjs-convgrad: ${WHERE} has no magnitude and no definition, but it must have one of them.`,
  );
}

/** Compares two implementations of a kernel on a complete case. */
export async function compareOn(
  c: CompleteCase,
  [a, b]: readonly Implementation[],
  seed: number,
): Promise<KernelComparison> {
  const on = (values: Values) => Promise.all([a, b].map(({ run }) => run(values, c)));
  const sides = Number(a.rounds) + Number(b.rounds);
  const any = untiedInputs(c, seed, floats);
  const bound = boundOf(c, any);
  const results = await on(any);
  const proofs: Proofs = { rounded: compare(results[0], results[1], (i) => sides * bound(i)) };
  if (c.exact) {
    const [got, want] = await on(inputsOf(c, (size, i) => integers(size, seed + i)));
    proofs.exact = compare(got, want);
  }
  const { loss } = c;
  if (loss) {
    proofs.adjoint = worse(results.map((result) => againstAdjoint(loss, any, result, bound, seed)));
    proofs.differences = worse(results.map((result) => againstDifferences(loss, any, result, bound, seed)));
  }
  const wrong = Object.entries(proofs).filter(([, { error }]) => !(error <= 1));
  const isRight = wrong.length === 0;
  const advice = wrong.some(([proof]) => proof !== 'exact') ? onBound(c) : undefined;
  const comparison = { caseName: c.caseName, a: a.name, b: b.name, seed, ...proofs } as const;
  return {
    ...comparison,
    verdict: isRight ? 'right' : 'wrong',
    ...(advice && { advice }),
    toString: () =>
      [
        `${a.name} and ${b.name}, ${c.caseName}, seed ${seed}: ${isRight ? 'right' : 'WRONG'}`,
        ...Object.entries(proofs).map(
          ([proof, worst]) => `  ${proof}: ${describeWorst(worst, elementName(placeIn(proof, worst, c)))}`,
        ),
        ...(advice ? [`  ${advice}`] : []),
      ].join('\n'),
  };
}

type Proofs = Pick<KernelComparison, 'exact' | 'rounded' | 'adjoint' | 'differences'>;

/** The coordinates of a proof's worst element; null if the proof has no elements, or if their numbers differ. */
export function placeIn(proof: string, { index }: Worst, { outShape }: KernelCase): number[] | null {
  return proof === 'adjoint' || index < 0 ? null : placeOf(index, outShape);
}

/** The rounding bound of each element of the kernel's result. */
export function boundOf(c: KernelCase, inputs: Values): (index: number) => number {
  const magnitudes = c.magnitude(inputs);
  return (index) => roundingBound(c.terms, magnitudes[index]);
}

/** Runs the kernel on the active backend, with its inputs rounded to float32. */
async function runKernel(
  registered: string,
  name: string,
  values: Values,
  c: CompleteCase,
): Promise<ArrayLike<number>> {
  if (!getKernel(registered, getBackend()))
    throw new Error(
      `tfjs-convgrad: ${shown(name)} is no kernel that is registered on ${getBackend()}.${didYouMean(name, kernelNames())}`,
    );
  const tensors: NamedTensorMap = {};
  for (const [input, shape] of Object.entries(c.inputs)) {
    tensors[input] = tensor(Float32Array.from(values[input]), [...shape]);
  }
  let outputs: Tensor[] = [];
  try {
    withDriver(name, () =>
      withKnownNames(`kernel ${name}`, tensors, (inputs) => {
        outputs = [engine().runKernel(registered, inputs, c.attrs)].flat() as Tensor[];
      }),
    );
    return await elementsOf(name, outputs, c);
  } finally {
    [...Object.values(tensors), ...outputs].forEach((t) => t.dispose());
  }
}

/** Runs f. If it throws after the driver has complained about a program, the error says what the driver says. */
function withDriver(name: string, f: () => void): void {
  const { words, end } = hear((backend() as { gpgpu?: { gl: WebGLRenderingContext } }).gpgpu?.gl);
  try {
    f();
  } catch (error) {
    const isOurs = error instanceof Error && error.message.startsWith('tfjs-convgrad: ');
    throw said(words) && !isOurs ? programError(name, words) : error;
  } finally {
    end();
  }
}

const kernelNames = () => getKernelsForBackend(getBackend()).map(({ kernelName }) => kernelName);

/** The elements of the output that the case asks for. */
async function elementsOf(
  name: string,
  outputs: readonly Tensor[],
  c: CompleteCase,
): Promise<ArrayLike<number>> {
  const { caseName, output, outShape } = c;
  const result = outputs[output];
  if (!result)
    throw new Error(
      `tfjs-convgrad: output of ${name}, ${caseName} is ${output}, but the kernel has ${outputs.length} outputs, from 0.`,
    );
  if (result.shape.join() !== outShape.join())
    throw new Error(
      `tfjs-convgrad: ${name}, ${caseName}: the result is of shape [${result.shape}], but it must be [${outShape}].${onOutShape(c)}`,
    );
  return result.data();
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

/**
 * Proof 3, adjoint: <A x, y> = <x, A^T y>. No differences, and no tolerance beyond rounding: for functions that are
 * linear in an input, whose gradient is A^T wherever it is taken.
 */
import { customGrad, getBackend, type Tensor } from '@tensorflow/tfjs-core';
import { inner } from '../../kernels/arrays.js';
import { random, signed } from './data.js';
import { noiseOf } from './differences.js';
import { UNIT } from './rounded.js';
import { checkOptions, checkWhole, type Differentiable, flatten, sizesOf } from './flat.js';
import { type Entry, type GradReport, reportOf } from './grad-report.js';

export interface AdjointOptions {
  /** From dy to the adjoint in every input, or a list of them; default the gradient of f. f has a single output then. */
  adjoint?: (dy: Tensor) => Tensor | Tensor[];
  /** Seed of the cotangents. Default 1. */
  seed?: number;
  /** No tolerance: for whole numbers so small that float32 is exact. Default false. */
  exact?: boolean;
}

/** So many y are drawn. */
const DRAWN = 4;
/** How many standard deviations of the rounding errors the two sides may be apart. */
const NOISE_SAFETY = 8;

/**
 * Is the gradient of f, or the given adjoint, the transpose of f? For f linear in each input by itself; 'unsure' where it
 * is not.
 * @param f called as `f(...inputs)`; gives a tensor or a list of tensors
 * @param inputs checked in those that are float32
 * @throws Error naming the argument, what it was and what is allowed; or what f, or its gradient, throws
 */
export async function checkAdjoint(
  f: Differentiable,
  inputs: readonly Tensor[],
  options: AdjointOptions = {},
): Promise<GradReport> {
  checkOptions(f, options);
  const { adjoint, seed = 1, exact = false } = options;
  const flat = await flatten(adjoint ? withAdjoint(f, adjoint) : f, inputs);
  if (exact) checkWhole(flat);
  const next = random(seed);
  const y = await flat.f(flat.x);
  const noise = exact ? [] : await noiseOf(flat.f, flat.x, sizesOf(flat), next);
  noise.forEach((value, i) => (noise[i] = Math.max(value, UNIT * Math.abs(y[i]))));
  const nonlinear = new Set<number>();
  for (const { number, start, end } of flat.inputs) {
    const twice = await flat.f(flat.x.map((value, i) => (i >= start && i < end ? 2 * value : value)));
    if (twice.some((value, i) => value !== 2 * y[i])) nonlinear.add(number);
  }
  const entries: Entry[] = [];
  for (let k = 0; k < DRAWN; k++) {
    const c = signed(y.length, next, exact);
    const backward = (at: Float64Array) => flat.gradient(flat.x, at);
    const gradient = await backward(c);
    const gradientNoise = exact ? [] : await noiseOf(backward, c, c.map(Math.abs), next);
    for (const { number, start, end } of flat.inputs) {
      const x = flat.x.subarray(start, end);
      const [got, want] = [inner(x, gradient.subarray(start, end)), inner(y, c)];
      const roundings =
        inner(noise, c.map(Math.abs)) + inner(gradientNoise.slice(start, end), x.map(Math.abs));
      const bound = exact ? 0 : NOISE_SAFETY * roundings;
      const error = Math.abs(got - want);
      const state = nonlinear.has(number)
        ? 'unsure'
        : error > bound || Number.isNaN(error)
          ? 'wrong'
          : 'agrees';
      entries.push({ input: number, got, want, bound, state, kinks: [] });
    }
  }
  const facts = { what: 'The adjoint' as const, seed, exact, backend: getBackend() };
  const advice =
    nonlinear.size > 0 ? [`f is not linear in input ${[...nonlinear].join(' and ')}.`] : undefined;
  return reportOf(facts, entries, undefined, advice);
}

/** f with the adjoint for its gradient. */
function withAdjoint(f: Differentiable, adjoint: (dy: Tensor) => Tensor | Tensor[]): Differentiable {
  const isFloat = ({ dtype }: Tensor) => dtype === 'float32';
  return (...inputs: Tensor[]) =>
    customGrad((...args) => {
      const floats = args.slice(0, -1) as Tensor[];
      const all = inputs.map((input) => (isFloat(input) ? floats.shift()! : input));
      return { value: f(...(all as never[])) as Tensor, gradFunc: (dy: Tensor) => adjoint(dy) };
    })(...inputs.filter(isFloat));
}

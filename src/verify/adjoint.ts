/**
 * Proof 3, adjoint: <A x, y> = <x, A^T y>.
 *
 * It holds for functions that are linear in an input: their gradient is A^T, wherever it is taken. The proof needs no
 * differences, and no tolerance except for rounding.
 */
import { customGrad, getBackend, type Tensor } from '@tensorflow/tfjs-core';
import { inner } from '../../kernels/arrays.js';
import { random, signed } from './data.js';
import { noiseOf } from './differences.js';
import { UNIT } from './rounded.js';
import { checkOptions, checkWhole, demand, type Differentiable, flatten, listOf, sizesOf } from './flat.js';
import { type Entry, type GradReport, reportOf } from './grad-report.js';

/** Options of checkAdjoint. */
export interface AdjointOptions {
  /**
   * Maps dy to the adjoint in each float32 input: a tensor, or a list of tensors if there are several such inputs. If
   * it is given, f must have a single output. Default: the gradient of f.
   */
  adjoint?: (dy: Tensor) => Tensor | Tensor[];
  /** Seed of the cotangents, a whole number. Default: 1. */
  seed?: number;
  /** No tolerance. The inputs must be whole numbers so small that float32 is exact. Default: false. */
  exact?: boolean;
}

/** Number of random y. */
const DRAWN = 4;
/** The two sides may differ by this many standard deviations of the rounding errors. */
const NOISE_SAFETY = 8;

/**
 * Checks whether the gradient of f, or the given adjoint, is the transpose of f. f must be linear in each input by
 * itself: in an input in which it is not, the verdict is 'unsure'.
 * @param f called as `f(...inputs)`; it returns a tensor or a list of tensors of any shapes
 * @param inputs tensors of any shapes; those of dtype float32 are checked
 * @returns the report; its promise is fulfilled whatever the verdict is
 * @throws Error naming the argument, its value and the allowed values; also whatever f or its gradient throws
 */
export async function checkAdjoint(
  f: Differentiable,
  inputs: readonly Tensor[],
  options: AdjointOptions = {},
): Promise<GradReport> {
  const { adjoint, seed, exact } = checkOptions('checkAdjoint', f, options, ['adjoint', 'seed', 'exact']);
  demand(adjoint === undefined || typeof adjoint === 'function', 'adjoint', adjoint, 'a function of dy');
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

/** f, with the adjoint as its gradient. */
function withAdjoint(f: Differentiable, adjoint: (dy: Tensor) => Tensor | Tensor[]): Differentiable {
  const isFloat = ({ dtype }: Tensor) => dtype === 'float32';
  return (...inputs: Tensor[]) =>
    customGrad((...args) => {
      const floats = args.slice(0, -1) as Tensor[];
      const all = inputs.map((input) => (isFloat(input) ? floats.shift()! : input));
      return {
        value: f(...(all as never[])) as Tensor,
        gradFunc: (dy: Tensor) => listOf('adjoint', adjoint(dy)),
      };
    })(...inputs.filter(isFloat));
}

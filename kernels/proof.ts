/**
 * What a kernel has to prove: that on a case it gives what its float64 definition gives, to rounding; and, where it is a
 * gradient, that it is the gradient of its loss. subjects.ts has all of them.
 */
import type { NamedAttrMap } from '@tensorflow/tfjs-core';
import { inner } from './arrays.js';
import { type ConvGeometry, type PoolGeometry, sizeOf } from './geometry.js';
import type { BackendName, KernelName } from './registry.js';

/** Input name -> its values. */
export type Values = Record<string, Float64Array>;

/** What a kernel is to be run on, and how far float32 may be off there. */
export interface KernelCase {
  caseName: string;
  /** Input name -> shape. */
  inputs: Record<string, readonly number[]>;
  attrs: NamedAttrMap;
  /** Which output is meant, of a kernel that has several. */
  output: number;
  outShape: readonly number[];
  /** On whole numbers every step is exact in float32. */
  exact: boolean;
  /** How many products, at most, one element of the result sums; 0 where nothing is rounded. */
  terms: number;
  /** Elementwise sum of the magnitudes of those products. */
  magnitude(inputs: Values): Float64Array;
  /** For a gradient: the function that it is the gradient of. */
  loss?: Loss;
  /** The kernel is only piecewise linear in this input, which must have no ties where differences are taken. */
  untied?: string;
}

/** <dy, forward(at)> in float64, linear or piecewise linear in `at`. */
export interface Loss {
  /** The point at which the kernel's result is the gradient of `value`. */
  start(inputs: Values): Float64Array;
  value(at: Float64Array, inputs: Values): number;
  /** For differences; so small that no piece of a piecewise linear function is left. */
  step: number;
  /** value is linear, so that the gradient is the same everywhere. */
  linear: boolean;
}

export interface Subject extends KernelCase {
  kernelName: KernelName;
  /** The kernel in float64. */
  definition(inputs: Values): Float64Array;
  /** Why tfjs's own kernel gives something else, or is not to be asked. */
  tfjsDiffers?: string;
  /** The same for one backend, where it is unlike the others; null: it agrees there. */
  tfjsDiffersOn?: { [backendName in BackendName]?: string | null };
}

/** Why tfjs's own kernel gives something else on this backend; undefined where it must agree. */
export function whyTfjsDiffers(subject: Subject, backendName: string): string | undefined {
  const special = subject.tfjsDiffersOn?.[backendName as BackendName];
  return special === undefined ? subject.tfjsDiffers : (special ?? undefined);
}

/** Arrays of the sizes of x, y and filter, filled by a numeric function. */
export function filled(g: ConvGeometry | PoolGeometry, filterSize = 0) {
  const fill = (size: number) => (write: (out: Float64Array) => void) => {
    const out = new Float64Array(size).fill(666.666); // a cell that nobody writes is seen
    write(out);
    return out;
  };
  return { x: fill(sizeOf(g.inShape)), y: fill(sizeOf(g.outShape)), filter: fill(filterSize) };
}

/** The loss of a kernel that is linear in an input of this size: its gradient is the same at every point. */
export function linearLoss(size: number, forward: (at: Float64Array, inputs: Values) => Float64Array): Loss {
  return {
    start: () => new Float64Array(size),
    value: (at, inputs) => inner(forward(at, inputs), inputs.dy),
    step: 1,
    linear: true,
  };
}

/** `magnitude` of a kernel that is linear in each input: the kernel on the magnitudes of all inputs. */
export function linearMagnitude(this: Pick<Subject, 'definition'>, inputs: Values): Float64Array {
  return this.definition(absolute(inputs));
}

/** |.| of every input. */
export function absolute(inputs: Values): Values {
  return Object.fromEntries(Object.entries(inputs).map(([name, values]) => [name, values.map(Math.abs)]));
}

/** tfjs's kernels want all the attributes they know; undefined ones are left out. */
export function attrsOf(options: object): NamedAttrMap {
  const defaults = { strides: 1, pad: 'valid', dilations: 1, dataFormat: 'NHWC' };
  const given = Object.entries(options).filter(([, value]) => value !== undefined);
  return { ...defaults, ...Object.fromEntries(given) } as NamedAttrMap;
}

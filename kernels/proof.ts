/**
 * What a kernel has to prove on a case. subjects.ts lists all of it.
 *
 *   Its result is the result of its float64 definition, to rounding.
 *   A gradient is the gradient of its loss.
 */
import type { NamedAttrMap } from '@tensorflow/tfjs-core';
import { inner } from './arrays.js';
import { type ConvGeometry, type PoolGeometry, sizeOf } from './geometry.js';
import type { BackendName, KernelName } from './registry.js';

/** Input name -> its values. */
export type Values = Record<string, Float64Array>;

/** What to run a kernel on, and how far a float32 result may be off. */
export interface KernelCase {
  caseName: string;
  /** Input name -> shape. */
  inputs: Record<string, readonly number[]>;
  attrs: NamedAttrMap;
  /** Index of the output to check, for a kernel that has several outputs. */
  output: number;
  outShape: readonly number[];
  /** Whether every step on whole numbers is exact in float32. */
  exact: boolean;
  /** The most products that one element of the result sums. It is 0 if nothing is rounded. */
  terms: number;
  /** For each element of the result, the sum of the magnitudes of its products. */
  magnitude(inputs: Values): Float64Array;
  /** For a gradient: the function whose gradient it is. */
  loss?: Loss;
  /** An input in which the kernel is only piecewise linear. It must have no ties when differences are taken. */
  untied?: string;
}

/** <dy, forward(at)> in float64. It is linear or piecewise linear in `at`. */
export interface Loss {
  /** The point where the kernel's result is the gradient of `value`. */
  start(inputs: Values): Float64Array;
  value(at: Float64Array, inputs: Values): number;
  /** Step of the differences. It is so small that it never leaves a piece of a piecewise linear function. */
  step: number;
  /** Whether `value` is linear. Then the gradient is the same everywhere. */
  linear: boolean;
}

export interface Subject extends KernelCase {
  kernelName: KernelName;
  /** The kernel in float64. */
  definition(inputs: Values): Float64Array;
  /** Why tfjs's own kernel gives another result, or is not asked at all. */
  tfjsDiffers?: string;
  /** The same for one backend that differs from the others. null means that tfjs agrees there. */
  tfjsDiffersOn?: { [backendName in BackendName]?: string | null };
}

/** How far tfjs's own kernel may be off a result that ours gives exactly. */
export const TFJS_OFF_BY: { [backendName in BackendName]?: { [kernelName: string]: number } } = {
  // The packed program subtracts 1e-15 from each result, against the fault of a driver.
  webgl: { DepthwiseConv2dNative: 2e-15, FusedDepthwiseConv2D: 2e-15 },
};

/** Why tfjs's own kernel gives another result on this backend. It is undefined if tfjs must agree. */
export function whyTfjsDiffers(subject: Subject, backendName: string): string | undefined {
  const special = subject.tfjsDiffersOn?.[backendName as BackendName];
  return special === undefined ? subject.tfjsDiffers : (special ?? undefined);
}

/**
 * Whether tfjs's own kernel may run on the subject. Its kernels on wasm do not check their input: those that are wrong may read
 * and write anywhere in the backend's memory.
 */
export function canAskBuiltin(subject: Subject, backendName: string): boolean {
  return backendName !== 'wasm' || whyTfjsDiffers(subject, backendName) === undefined;
}

/** A function that makes an array of this size, which a numeric function then fills. */
export const filling = (size: number) => (write: (out: Float64Array) => void) => {
  const out = new Float64Array(size).fill(666.666); // shows a cell that nothing writes
  write(out);
  return out;
};

/** Such functions for arrays of the size of x, y or filter. */
export function filled(g: ConvGeometry | PoolGeometry, filterSize = 0) {
  return { x: filling(sizeOf(g.inShape)), y: filling(sizeOf(g.outShape)), filter: filling(filterSize) };
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

/** The attributes of a case. tfjs's kernels need all attributes that they know. Undefined ones are left out. */
export function attrsOf(options: object): NamedAttrMap {
  const defaults = { strides: 1, pad: 'valid', dilations: 1, dataFormat: 'NHWC' };
  const given = Object.entries(options).filter(([, value]) => value !== undefined);
  return { ...defaults, ...Object.fromEntries(given) } as NamedAttrMap;
}

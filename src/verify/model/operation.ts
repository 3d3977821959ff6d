/** A kernel call as arrays: what is left of it when its tensors are gone. */
import type { DataType } from '@tensorflow/tfjs-core';
import type { Numbers } from '../../../kernels/arrays.js';
import { roundingBound, UNIT } from '../rounded.js';

export interface Operand {
  name: string;
  shape: readonly number[];
  dtype: DataType;
  values: Numbers;
}

export interface Operation {
  kernel: string;
  inputs: readonly Operand[];
  /** The kernel got its inputs in a list. */
  isList: boolean;
  /** Those that are null or undefined are left out. */
  attrs: Readonly<Record<string, unknown>>;
  outputs: readonly Operand[];
}

/** What an output must be, and how far each element may be off. */
export interface Proof {
  /** Number of the output. */
  output: number;
  shape: readonly number[];
  want: ArrayLike<number>;
  /**
   * The least and the largest value that are right if rounding is left aside. Default: `want` is both. If they are given, the sum of all
   * elements must be that of `want`.
   */
  range?: readonly [low: ArrayLike<number>, high: ArrayLike<number>];
  bound(index: number): number;
  /** The elements that `want` has, if it has not all. */
  sample?: Int32Array;
  /** The bound if the kernel took an algorithm that rounds more. It is asked for only where `bound` is exceeded. */
  widerBound?(index: number): number;
}

/** How a backend stores and computes numbers. */
export interface Precision {
  /** Elementary functions and divisions are those of a GPU's shading language. */
  isGpu: boolean;
  /** Results are stored as half floats: see `stored`. */
  isHalf: boolean;
}

/** The largest float32 and the largest half float, and half of the distance to the next one. */
export const LARGEST = (2 - 2 ** -24) * 2 ** 127;
export const LARGEST_HALF = 65504;
/** A kernel of several passes stores that many intermediate results at most, and each is rounded to a half float. */
const HALF_STORES = 4;

/** How far off a number of this magnitude may be because it is stored in half floats, which have 11 digits down to 2^-14. */
export function stored({ isHalf }: Precision, magnitude: number): number {
  return isHalf ? HALF_STORES * (2 ** -11 * magnitude + 2 ** -24) : 0;
}

/** The bound of a sum of float32 products, and of what the backend stores of it. */
export function boundOfSum(
  precision: Precision,
  terms: number,
  magnitudes: ArrayLike<number>,
): Proof['bound'] {
  return (i) => roundingBound(terms, magnitudes[i]) + stored(precision, magnitudes[i]);
}

/**
 * The largest errors of functions in the shading languages of GPUs, of the magnitudes of x and of y = f(x). A function that is composed
 * of others has the errors of these. Source: the Vulkan specification, "Precision and operation of SPIR-V instructions".
 */
const ULP = 2 * UNIT;
type GpuError = (x: number, y: number) => number;
/** Quotients and roots. */
const relative: GpuError = (_x, y) => 3 * ULP * y;
/** Of an exponential function; also for kernels of which nothing is known. */
export const exponential: GpuError = (x, y) => (3 + 2 * x) * ULP * Math.max(1, y);
const inverse: GpuError = (_x, y) => 4096 * ULP * Math.max(1, y);
const wave: GpuError = (_x, y) => 2 ** -11 * Math.max(1, y * y);
const logarithm: GpuError = (_x, y) => 3 * ULP * y + 2 ** -21;
/** log(x + sqrt(x^2 + 1)): a root and a sum of the size of x, which for x < 0 cancel to 1 / 2x. */
const inverseHyperbolic: GpuError = (x, y) => logarithm(x, y) + 8 * ULP * Math.max(1, x * x);
const GPU_ERRORS: Readonly<Record<string, GpuError>> = {
  Acos: inverse,
  Acosh: inverseHyperbolic,
  Asin: inverse,
  Asinh: inverseHyperbolic,
  Atan: inverse,
  Atan2: inverse,
  Atanh: logarithm,
  Cos: wave,
  Cosh: exponential,
  Elu: exponential,
  Erf: exponential,
  Exp: exponential,
  Expm1: exponential,
  Log: logarithm,
  Log1p: logarithm,
  Pow: (x, y) => exponential(16 * Math.max(1, x), y),
  Selu: exponential,
  Sigmoid: exponential,
  Sin: wave,
  Sinh: exponential,
  Softplus: (x, y) => exponential(x, y) + logarithm(x, y),
  Tan: wave,
  Tanh: exponential,
};

/** How far off a GPU's function of this kernel may be at x, where it is y: both are magnitudes. */
export function gpuError(
  { isGpu }: Precision,
  kernel: string,
  x: number,
  y: number,
  otherwise = relative,
): number {
  return isGpu ? (GPU_ERRORS[kernel] ?? otherwise)(x, y) : 0;
}

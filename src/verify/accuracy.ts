/**
 * Measures how accurately the active backend computes elementary functions, compared with Math in float64.
 *
 * A GPU's sine may be a polynomial whose slope is off by 1e-3. Then even a right gradient agrees with its differences
 * only to 1e-3, and a smaller disagreement does not tell right from wrong.
 */
import { engine, getBackend, profile, type Tensor, tensor1d, tidy } from '@tensorflow/tfjs-core';

/** Kernel -> the function that it computes, and the interval on which it is measured. */
const ELEMENTARY: Record<string, [f: (x: number) => number, low: number, high: number]> = {
  Acos: [Math.acos, -0.8, 0.8],
  Acosh: [Math.acosh, 1.2, 4],
  Asin: [Math.asin, -0.8, 0.8],
  Asinh: [Math.asinh, -4, 4],
  Atan: [Math.atan, -4, 4],
  Atanh: [Math.atanh, -0.9, 0.9],
  Cos: [Math.cos, -4, 4],
  Cosh: [Math.cosh, -2, 2],
  Exp: [Math.exp, -4, 1],
  Expm1: [Math.expm1, -4, 1],
  Log: [Math.log, 0.2, 4],
  Log1p: [Math.log1p, -0.8, 4],
  Rsqrt: [(x) => 1 / Math.sqrt(x), 0.2, 4],
  Sigmoid: [(x) => 1 / (1 + Math.exp(-x)), -4, 4],
  Sin: [Math.sin, -4, 4],
  Sinh: [Math.sinh, -2, 2],
  Softplus: [(x) => Math.log1p(Math.exp(x)), -4, 4],
  Sqrt: [Math.sqrt, 0.2, 4],
  Tan: [Math.tan, -1.2, 1.2],
  Tanh: [Math.tanh, -4, 4],
};

const POINTS = 257;
/**
 * The slope of the error is measured from this many points before to this many points after each point, and from 1/2,
 * 1/4 ... of that. These widths are those of the steps of differences.
 */
const WIDEST = 16;

const measured = new Map<string, Promise<number>>();

/** The largest error in value or slope of the elementary functions that f runs as kernels. 0 if f runs none of them. */
export async function approximationIn(f: () => Promise<unknown>): Promise<number> {
  let failure: unknown;
  const run = () => f().catch((error: unknown) => (failure = error ?? true));
  const { kernels } = await profile(run as never);
  if (failure) throw failure;
  return approximationOf(kernels.map(({ name }) => name));
}

/** The same of those of the kernels that are elementary functions. */
export async function approximationOf(kernelNames: readonly string[]): Promise<number> {
  const errors = [...new Set(kernelNames)].filter((name) => name in ELEMENTARY).map(errorOf);
  return Math.max(0, ...(await Promise.all(errors)));
}

function errorOf(kernelName: string): Promise<number> {
  const key = `${getBackend()} ${kernelName}`;
  if (!measured.has(key)) measured.set(key, measure(kernelName));
  return measured.get(key)!;
}

async function measure(kernelName: string): Promise<number> {
  const [f, low, high] = ELEMENTARY[kernelName];
  const step = (high - low) / (POINTS - 1);
  const x = Float32Array.from({ length: POINTS }, (_, i) => low + i * step);
  const y: Tensor = tidy(() => engine().runKernel(kernelName, { x: tensor1d(x) }) as Tensor);
  const errors = Array.from(await y.data(), (value, i) => value - f(x[i]));
  y.dispose();
  let worst = Math.max(...errors.map(Math.abs));
  for (let width = WIDEST; width >= 1; width /= 2) {
    for (let i = width; i < POINTS - width; i++) {
      worst = Math.max(worst, Math.abs(errors[i + width] - errors[i - width]) / (2 * width * step));
    }
  }
  return worst;
}

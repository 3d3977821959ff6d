/**
 * The loops of ./definition.ts, one for each op. A loop that called the op as a function would take ten times as long: engines do
 * not inline a function that changes from call to call.
 */
import type { Floats } from '../arrays.js';
import { broadcastSteps, forEachRun } from '../broadcast.js';
import type { BinaryName, ElementwiseAttrs, UnaryName, WithGradient } from './definition.js';

/**
 * y[i] = op(x[i]) for all i. The signs of x are random, so a branch on them is mispredicted every other time, which takes longer
 * than all else. The loops branch only on what is rare.
 */
export const unaryLoops: Record<
  UnaryName,
  (x: Float32Array, y: Float32Array, attrs: ElementwiseAttrs) => void
> = {
  Relu(x, y) {
    for (let i = 0; i < y.length; i++) y[i] = relu(x[i]);
  },
  Relu6(x, y) {
    for (let i = 0; i < y.length; i++) {
      const value = relu(x[i]);
      y[i] = value > 6 ? 6 : value;
    }
  },
  ClipByValue(x, y, { clipValueMin: least = -Infinity, clipValueMax: most = Infinity }) {
    for (let i = 0; i < y.length; i++) {
      const value = x[i];
      y[i] = value > most ? most : value < least ? least : value;
    }
  },
  Step(x, y, { alpha = 0 }) {
    const values = Float64Array.of(alpha, 1);
    for (let i = 0; i < y.length; i++) {
      y[i] = values[Number(x[i] > 0)];
      if (x[i] !== x[i]) y[i] = NaN;
    }
  },
};

/** max(0, x). The sum is 2x or 0, without rounding, but NaN for -Infinity and for NaN. */
function relu(x: number): number {
  const twice = x + Math.abs(x);
  return twice === twice ? twice / 2 : Math.max(0, x);
}

const ZERO_OR_ONE = Float64Array.of(0, 1);

/** dx[i] = dy[i] * op'(x[i]) for all i. */
export const gradientLoops: Record<
  WithGradient,
  (dy: Floats, x: Floats, dx: Float32Array, attrs: ElementwiseAttrs) => void
> = {
  Relu(dy, x, dx) {
    for (let i = 0; i < dx.length; i++) {
      dx[i] = dy[i] * ZERO_OR_ONE[Number(x[i] > 0)];
      if (x[i] !== x[i]) dx[i] = NaN;
    }
  },
  Relu6(dy, x, dx) {
    for (let i = 0; i < dx.length; i++) {
      dx[i] = dy[i] * ZERO_OR_ONE[Number(x[i] > 0)] * ZERO_OR_ONE[Number(x[i] <= 6)];
      if (x[i] !== x[i]) dx[i] = NaN;
    }
  },
  ClipByValue(dy, x, dx, { clipValueMin = -Infinity, clipValueMax = Infinity }) {
    const [least, most] = [Math.fround(clipValueMin), Math.fround(clipValueMax)];
    for (let i = 0; i < dx.length; i++) {
      const value = x[i];
      dx[i] = value >= least && value <= most ? dy[i] : 0;
    }
  },
};

/** y[at + i] = op(a[ai + i * aStep], b[bi + i * bStep]) for i < count. */
type Run = (
  a: Float32Array,
  ai: number,
  aStep: number,
  b: Float32Array,
  bi: number,
  bStep: number,
  y: Float32Array,
  at: number,
  count: number,
) => void;

const runs: Record<BinaryName, Run> = {
  Add(a, ai, aStep, b, bi, bStep, y, at, count) {
    for (let end = at + count; at < end; at++, ai += aStep, bi += bStep) y[at] = a[ai] + b[bi];
  },
  Sub(a, ai, aStep, b, bi, bStep, y, at, count) {
    for (let end = at + count; at < end; at++, ai += aStep, bi += bStep) y[at] = a[ai] - b[bi];
  },
  Multiply(a, ai, aStep, b, bi, bStep, y, at, count) {
    for (let end = at + count; at < end; at++, ai += aStep, bi += bStep) y[at] = a[ai] * b[bi];
  },
  RealDiv(a, ai, aStep, b, bi, bStep, y, at, count) {
    for (let end = at + count; at < end; at++, ai += aStep, bi += bStep) y[at] = a[ai] / b[bi];
  },
};

/** y = op(a, b). y is of the shape to which both are broadcast. */
export function binaryLoop(
  name: BinaryName,
  a: Float32Array,
  aShape: readonly number[],
  b: Float32Array,
  bShape: readonly number[],
  y: Float32Array,
  yShape: readonly number[],
): void {
  const run = runs[name];
  const steps = [aShape, bShape].map((shape) => broadcastSteps(shape, yShape.length));
  forEachRun(yShape, steps, (at, starts, count, steps) => {
    run(a, starts[0], steps[0], b, starts[1], steps[1], y, at, count);
  });
}

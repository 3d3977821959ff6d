/**
 * The default rules of other gradient checkers, on tfjs functions in float32. Each rule has its own step, tolerance and kind
 * of test. All take one input x and one output. The result of a rule is whether it accepts the gradient.
 *
 * Sources: torch/autograd/gradcheck.py (PyTorch 2), autograd/test_util.py (HIPS autograd 1.6), chainer/gradient_check.py
 * (Chainer 7), jax/_src/public_test_util.py (JAX 0.4).
 */
import * as tf from '@tensorflow/tfjs-core';
import { random } from '../../src/verify/data.js';
import { flatten } from '../../src/verify/flat.js';
import { inner } from '../../kernels/arrays.js';

type F = (x: tf.Tensor) => tf.Tensor;
export type Rule = (f: F, x: tf.Tensor, seed: number) => Promise<boolean>;

/** Numbers of the normal distribution. All checkers that draw directions draw them from it. */
function normal(size: number, next: () => number): Float64Array {
  return new Float64Array(size).map(() =>
    Math.fround(Math.sqrt(-2 * Math.log(1 - next())) * Math.cos(2 * Math.PI * next())),
  );
}

const allClose = (a: number, b: number, atol: number, rtol: number) =>
  Math.abs(a - b) <= atol + rtol * Math.abs(b);

/** (f(x + step * v) - f(x - step * v)) / (2 * step) */
async function along(flat: Awaited<ReturnType<typeof flatten>>, v: Float64Array, step: number) {
  const [above, below] = await Promise.all(
    [step, -step].map((t) => flat.f(flat.x.map((value, i) => value + t * v[i]))),
  );
  return above.map((y, i) => (y - below[i]) / (2 * step));
}

/** The whole Jacobian. eps 1e-6, atol 1e-5, rtol 1e-3. */
const torch: Rule = async (f, x) => {
  const flat = await flatten(f, [x]);
  const unit = (size: number, k: number) => new Float64Array(size).map((_, i) => (i === k ? 1 : 0));
  const outputs = (await flat.f(flat.x)).length;
  const rows: Float64Array[] = [];
  for (let i = 0; i < outputs; i++) rows.push(await flat.gradient(flat.x, unit(outputs, i)));
  for (let j = 0; j < flat.x.length; j++) {
    const column = await along(flat, unit(flat.x.length, j), 1e-6);
    if (!column.every((want, i) => allClose(rows[i][j], want, 1e-5, 1e-3))) return false;
  }
  return true;
};

/** Both sides of <J^T c, v> = <c, J v>, for a random v and c. */
async function bothSides(f: F, x: tf.Tensor, seed: number, step: number, unitLength: boolean) {
  const flat = await flatten(f, [x]);
  const next = random(seed);
  let v = normal(flat.x.length, next);
  if (unitLength) v = v.map((value) => value / Math.sqrt(inner(v, v)));
  const slope = await along(flat, v, step);
  const c = normal(slope.length, next);
  return { got: inner(await flat.gradient(flat.x, c), v), want: inner(slope, c) };
}

/** One random direction, half a step each way. Step 1e-6. The absolute or the relative error must be below 1e-6. */
const hips: Rule = async (f, x, seed) => {
  const { got, want } = await bothSides(f, x, seed, 0.5e-6, false);
  return Math.abs(got - want) < 1e-6 || Math.abs(got - want) / Math.abs(got + want) < 1e-6;
};

/** One random direction of length 1. eps 1e-3, atol 1e-5, rtol 1e-4. */
const chainer: Rule = async (f, x, seed) => {
  const { got, want } = await bothSides(f, x, seed, 1e-3, true);
  return allClose(got, want, 1e-5, 1e-4);
};

/** One random direction. eps 1e-4, atol and rtol 2e-3 for float32. */
const jax: Rule = async (f, x, seed) => {
  const { got, want } = await bothSides(f, x, seed, 1e-4, false);
  return allClose(got, want, 2e-3, 2e-3);
};

export const otherRules: Record<string, Rule> = {
  'PyTorch gradcheck': torch,
  'HIPS autograd check_grads': hips,
  'Chainer check_backward': chainer,
  'JAX check_grads': jax,
};

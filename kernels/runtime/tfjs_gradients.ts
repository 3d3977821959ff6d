/**
 * The gradients of tfjs's own kernels that the ops of the plugin need, for programs that import tfjs-core and a backend alone:
 * tfjs-core registers none. Those that are registered stay.
 *
 *   the engine adds up gradients       Add
 *   a batch, a bias, an activation     Reshape, Add, Relu
 *   the slopes of activations          Multiply, Sub, Square, Step, Sum
 *   clones                             Identity, Cast
 */
import {
  getGradient,
  type GradConfig,
  mul,
  neg,
  ones,
  registerGradient,
  reshape,
  step,
  type Tensor,
  util,
} from '@tensorflow/tfjs-core';
import { noGradient, sumTo } from './gradients.js';

const TFJS_GRADIENTS: readonly GradConfig[] = [
  binary('Add', (dy) => [dy, dy]),
  binary('Sub', (dy) => [dy, neg(dy)]),
  binary('Multiply', (dy, a, b) => [mul(dy, b), mul(dy, a)]),
  unary('Square', (dy, x) => mul(dy, mul(x, 2))),
  unary('Relu', (dy, x) => mul(dy, step(x))),
  unary('Step', (_, x) => noGradient(x.shape)),
  unary('Reshape', (dy, x) => reshape(dy, x.shape)),
  unary('Neg', (dy) => neg(dy)),
  unary('Sum', (dy, x, { axis }) => {
    const axes = util.parseAxisParam(axis as number | number[], x.shape);
    const kept = x.shape.map((size, i) => (axes.includes(i) ? 1 : size));
    return mul(reshape(dy, kept), ones(x.shape));
  }),
  // clone() is Identity, and its gradient Cast.
  unary('Identity', (dy) => dy.clone()),
  unary('Cast', (dy) => dy.clone()),
];

function unary(
  kernelName: string,
  gradient: (dy: Tensor, x: Tensor, attrs: Record<string, unknown>) => Tensor,
): GradConfig {
  return {
    kernelName,
    inputsToSave: ['x'],
    gradFunc: (dy, [x], attrs) => ({ x: () => gradient(dy as Tensor, x, attrs) }),
  };
}

/** @param gradients those of a and b, in the shape of y, to which a and b are broadcast */
function binary(
  kernelName: string,
  gradients: (dy: Tensor, a: Tensor, b: Tensor) => [Tensor, Tensor],
): GradConfig {
  return {
    kernelName,
    inputsToSave: ['a', 'b'],
    gradFunc: (dy, [a, b]) => ({
      a: () => sumTo(gradients(dy as Tensor, a, b)[0], a.shape),
      b: () => sumTo(gradients(dy as Tensor, a, b)[1], b.shape),
    }),
  };
}

/** Registers those that are missing. */
export function bringGradients(): void {
  for (const gradient of TFJS_GRADIENTS) {
    if (!getGradient(gradient.kernelName)) registerGradient(gradient);
  }
}

/** The gradient of a kernel of tfjs's, if it is one of these. */
export function broughtGradient(kernelName: string): GradConfig | undefined {
  return TFJS_GRADIENTS.find((gradient) => gradient.kernelName === kernelName);
}

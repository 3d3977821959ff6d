/**
 * Activations that can be differentiated more than once.
 *
 *   y = activation(z);  dz = dy * slope(z)
 *
 * tfjs's own gradients of these activations save y, which is cut off from z on the tape, or use comparisons, which
 * have no gradient. So their second-order gradients are wrong (sigmoid, tanh) or throw (the others).
 *
 * Here z is saved, and the slope is made of ops that have gradients. Where the slope contains the activation, it
 * calls the activation again. So gradients of any order work. Values are those of tfjs. Slopes at the kinks are those
 * of activation.ts.
 */
import {
  add,
  customGrad,
  elu,
  type GradSaveFunc,
  leakyRelu,
  mul,
  prelu,
  relu,
  relu6,
  scalar,
  sigmoid,
  square,
  step,
  sub,
  sum,
  tanh,
  type Tensor,
} from '@tensorflow/tfjs-core';
import type { ActivationName } from './activation.js';

/** 1 where z > 0, and `below` elsewhere. */
function kinked(z: Tensor, below: Tensor): Tensor {
  const above = step(z);
  return add(above, mul(below, sub(1, above)));
}

/** The activations that take no tensor but z. `alpha` is the slope of leakyrelu below 0. The others ignore it. */
const ofOneTensor = {
  relu6: { value: relu6, slope: (z: Tensor) => mul(step(z), sub(1, step(sub(z, 6)))) },
  elu: { value: elu, slope: (z: Tensor) => kinked(z, add(differentiable('elu', z), 1)) },
  leakyrelu: { value: leakyRelu, slope: (z: Tensor, alpha: number) => kinked(z, scalar(alpha)) },
  sigmoid: {
    value: sigmoid,
    slope: (z: Tensor) => mul(differentiable('sigmoid', z), sub(1, differentiable('sigmoid', z))),
  },
  tanh: { value: tanh, slope: (z: Tensor) => sub(1, square(differentiable('tanh', z))) },
};

function differentiable(name: keyof typeof ofOneTensor, z: Tensor, alpha = 0): Tensor {
  const { value, slope } = ofOneTensor[name];
  return customGrad((z, save) => {
    (save as GradSaveFunc)([z as Tensor]);
    return {
      value: value(z as Tensor, alpha),
      gradFunc: (dy: Tensor, [z]: Tensor[]) => mul(dy, slope(z, alpha)),
    };
  })(z);
}

/** @param alpha has four dimensions. Each is 1 or the size of z. */
function differentiablePrelu(z: Tensor, alpha: Tensor): Tensor {
  return customGrad((z, alpha, save) => {
    (save as GradSaveFunc)([z as Tensor, alpha as Tensor]);
    return {
      value: prelu(z as Tensor, alpha as Tensor),
      gradFunc: (dy: Tensor, [z, alpha]: Tensor[]) => {
        const repeated = [0, 1, 2, 3].filter((i) => alpha.shape[i] === 1);
        const below = mul(mul(dy, z), sub(1, step(z)));
        return [mul(dy, kinked(z, alpha)), sum(below, repeated, true)];
      },
    };
  })(z, alpha);
}

/**
 * activation(z), with gradients of any order.
 * @param weights weights of prelu. They have four dimensions. Each is 1 or the size of z.
 * @param slope slope of leakyrelu below 0
 */
export function activate(
  activation: ActivationName,
  z: Tensor,
  weights: Tensor | undefined,
  slope: number,
): Tensor {
  switch (activation) {
    case 'linear':
      return z;
    case 'relu':
      return relu(z);
    case 'prelu':
      return differentiablePrelu(z, weights as Tensor);
    default:
      return differentiable(activation, z, slope);
  }
}

/**
 * The gradients of the activations, in one pass each. tfjs's own take two to five, by comparisons and products. They are linear in dy:
 *
 *   Relu(x)           dx = ReluGrad(dy, x)
 *   ReluGrad(dy, x)   ddy = ReluGrad(ddx, x)
 *
 * tfjs's own gradients of the other elementwise ops serve.
 */
import type { Tensor } from '@tensorflow/tfjs-core';
import { type GradConfigs, noGradient, run } from '../runtime/gradients.js';
import { unaryGradients } from './definition.js';

export const elementwiseGradients: GradConfigs = (prefix) =>
  Object.keys(unaryGradients).flatMap((op) => {
    const gradient = `${prefix}${op}Grad`;
    return [
      {
        kernelName: prefix + op,
        inputsToSave: ['x'],
        gradFunc: (dy, [x], attrs) => ({ x: () => run(gradient, { dy: dy as Tensor, x }, attrs) }),
      },
      {
        kernelName: gradient,
        inputsToSave: ['x'],
        gradFunc: (ddx, [x], attrs) => ({
          dy: () => run(gradient, { dy: ddx as Tensor, x }, attrs),
          x: () => noGradient(x.shape),
        }),
      },
    ];
  });

/**
 * The gradients of average pooling. The op is linear:
 *
 *   AvgPool(x)          dx = AvgPoolGrad(dy, x)
 *   AvgPoolGrad(dy, x)  ddy = AvgPool(ddx)
 */
import type { Tensor } from '@tensorflow/tfjs-core';
import { type GradConfigs, noGradient, padTo, run } from '../runtime/gradients.js';

export const avgPoolGradients: GradConfigs = (prefix) => [
  {
    kernelName: `${prefix}AvgPool`,
    inputsToSave: ['x'],
    gradFunc: (dy, [x], attrs) => ({
      x: () => run(`${prefix}AvgPoolGrad`, { dy: dy as Tensor, input: x }, attrs),
    }),
  },
  {
    kernelName: `${prefix}AvgPoolGrad`,
    inputsToSave: ['dy', 'input'],
    gradFunc: (ddx, [dy, input], attrs) => ({
      dy: () => padTo(run(`${prefix}AvgPool`, { x: ddx as Tensor }, attrs), dy.shape),
      input: () => noGradient(input.shape),
    }),
  },
];

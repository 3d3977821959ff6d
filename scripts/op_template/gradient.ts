/**
 * The gradient of templateOp. For gradients of any order, TemplateOpGrad needs a gradient too.
 *
 *   TemplateOp(x)    dx = TemplateOpGrad(dy, x)
 */
import type { Tensor } from '@tensorflow/tfjs-core';
import { type GradConfigs, run } from '../../kernels/runtime/gradients.js';

export const templateOpGradients: GradConfigs = (prefix) => [
  {
    kernelName: `${prefix}TemplateOp`,
    inputsToSave: ['x'],
    gradFunc: (dy, [x], attrs) => ({
      x: () => run(`${prefix}TemplateOpGrad`, { dy: dy as Tensor, x }, attrs),
    }),
  },
];

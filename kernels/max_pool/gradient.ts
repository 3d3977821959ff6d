/**
 * The gradients of max pooling. Small steps do not move the maxima. So for given positions of the maxima both the op
 * and its gradient are linear, and each is the adjoint of the other:
 *
 *   MaxPool(x)              dx = MaxPoolGrad(dy, x)
 *   MaxPoolGrad(dy, x)      ddy = ddx read at the positions of the maxima
 *   MaxPoolWithArgmax(x)    as MaxPool. Its indexes have no gradient.
 */
import {
  engine,
  gather,
  greaterEqual,
  maximum,
  mul,
  reshape,
  scalar,
  type Tensor,
  type Tensor1D,
} from '@tensorflow/tfjs-core';
import { type GradConfigs, noGradient, padTo, run } from '../runtime/gradients.js';
import { poolGeometryOf } from '../runtime/tensors.js';

export const maxPoolGradients: GradConfigs = (prefix) => {
  const isDropIn = prefix === '';
  return [
    {
      kernelName: `${prefix}MaxPool`,
      inputsToSave: ['x'],
      outputsToSave: [true],
      gradFunc: (dy, [x, y], attrs) => ({
        x: () => run(`${prefix}MaxPoolGrad`, { dy: dy as Tensor, input: x, output: y }, attrs),
      }),
    },
    {
      kernelName: `${prefix}MaxPoolGrad`,
      inputsToSave: ['dy', 'input'],
      gradFunc: (ddx, [dy, input], attrs) => ({
        dy: () => {
          const argmaxAttrs = { identityIf1x1: isDropIn, ...attrs, includeBatchInIndex: true };
          const [, indexes] = engine().runKernel(
            `${prefix}MaxPoolWithArgmax`,
            { x: input },
            argmaxAttrs,
          ) as Tensor[];
          return padTo(readAt(ddx as Tensor, indexes), dy.shape);
        },
        input: () => noGradient(input.shape),
        output: () => noGradient(poolGeometryOf(input, attrs).outShape),
      }),
    },
    {
      kernelName: `${prefix}MaxPoolWithArgmax`,
      inputsToSave: ['x'],
      outputsToSave: [true, false],
      gradFunc: (dys, [x, y], attrs) => ({
        x: () =>
          run(
            `${prefix}MaxPoolGrad`,
            { dy: (dys as Tensor[])[0], input: x, output: y },
            { ...attrs, identityIf1x1: false },
          ),
      }),
    },
  ];
};

/** values[index], or 0 where the index is -1. */
function readAt(values: Tensor, indexes: Tensor): Tensor {
  const zero = scalar(0, 'int32');
  const found = gather(reshape(values, [-1]), maximum(indexes, zero) as Tensor1D);
  return mul(found, greaterEqual(indexes, zero));
}

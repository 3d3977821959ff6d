/**
 * The gradients of convolution. y is linear in x and in filter. So the three kernels differentiate into each other:
 *
 *   Conv2D(x, filter)           dx = BackpropInput(dy, filter)      dFilter = BackpropFilter(x, dy)
 *   BackpropInput(dy, filter)   ddy = Conv2D(ddx, filter)           dFilter = BackpropFilter(ddx, dy)
 *   BackpropFilter(x, dy)       dx = BackpropInput(dy, ddFilter)    ddy = Conv2D(x, ddFilter)
 *
 * Every gradient gets all attributes, dilations and dimRoundingMode too.
 */
import { reshape, type Tensor } from '@tensorflow/tfjs-core';
import type { DataFormat } from '../geometry.js';
import { type FusedGradient, type GradConfigs, padTo, run, sumTo } from '../runtime/gradients.js';
import { alignedShape } from './activation.js';

export const convGradients = gradientsOf('Conv2D');

/** The gradients of the convolution whose forward kernel has this name. */
export function gradientsOf(name: string): GradConfigs {
  return (prefix) => {
    const forward = `${prefix}${name}`;
    const backpropInput = `${forward}BackpropInput`;
    const backpropFilter = `${forward}BackpropFilter`;
    return [
      {
        kernelName: forward,
        inputsToSave: ['x', 'filter'],
        gradFunc: (dy, [x, filter], attrs) => ({
          x: () => run(backpropInput, { dy: dy as Tensor, filter }, { ...attrs, inputShape: x.shape }),
          filter: () => run(backpropFilter, { x, dy: dy as Tensor }, { ...attrs, filterShape: filter.shape }),
        }),
      },
      {
        kernelName: backpropInput,
        inputsToSave: ['dy', 'filter'],
        gradFunc: (ddx, [dy, filter], attrs) => ({
          dy: () => padTo(run(forward, { x: ddx as Tensor, filter }, attrs), dy.shape),
          filter: () =>
            run(backpropFilter, { x: ddx as Tensor, dy }, { ...attrs, filterShape: filter.shape }),
        }),
      },
      {
        kernelName: backpropFilter,
        inputsToSave: ['x', 'dy'],
        gradFunc: (ddFilter, [x, dy], attrs) => ({
          x: () => run(backpropInput, { dy, filter: ddFilter as Tensor }, { ...attrs, inputShape: x.shape }),
          dy: () => padTo(run(forward, { x, filter: ddFilter as Tensor }, attrs), dy.shape),
        }),
      },
    ];
  };
}

/** dBias: the sum of dy over the dimensions along which the bias was repeated, in the shape of the bias. */
function biasGradient(dy: Tensor, biasShape: number[], dataFormat?: DataFormat): Tensor {
  return reshape(sumTo(dy, alignedShape('bias', biasShape, dy.shape, dataFormat)), biasShape);
}

/** The gradient of a fused convolution. It replaces a closure that refuses dilations and NCHW, and drops dimRoundingMode. */
export function fusedGradientOf(scope: string, unfused: string): FusedGradient {
  return {
    scope,
    unfused,
    gradFunc:
      (attrs, convGradient) =>
      (dy, [filter, x, savedY, bias]) => {
        const dy4D = reshape(dy, savedY.shape); // a fused op drops the batch of a single image
        const { x: dx, filter: dFilter } = convGradient(dy4D, [x, filter], attrs);
        const dBias = () => biasGradient(dy4D, bias.shape, attrs.dataFormat as DataFormat);
        return { 0: dx, 1: dFilter, ...(bias && { 2: dBias }) };
      },
  };
}

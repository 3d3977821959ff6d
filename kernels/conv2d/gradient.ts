/**
 * The gradients of convolution. y is linear in x and in filter, so the three kernels differentiate into each other:
 *
 *   Conv2D(x, filter)           dx = BackpropInput(dy, filter)      dFilter = BackpropFilter(x, dy)
 *   BackpropInput(dy, filter)   ddy = Conv2D(ddx, filter)           dFilter = BackpropFilter(ddx, dy)
 *   BackpropFilter(x, dy)       dx = BackpropInput(dy, ddFilter)    ddy = Conv2D(x, ddFilter)
 *
 * All attributes go along, dilations and dimRoundingMode too.
 */
import {
  engine,
  getGradient,
  type GradFunc,
  type NamedAttrMap,
  registerGradient,
  reshape,
  sum,
  type Tensor,
  type TensorInfo,
  unregisterGradient,
  zeros,
} from '@tensorflow/tfjs-core';
import type { DataFormat } from '../geometry.js';
import { type GradConfigs, padTo, run } from '../runtime/gradients.js';
import { alignedShape } from './activation.js';

export const convGradients: GradConfigs = (prefix) => {
  const forward = `${prefix}Conv2D`;
  const backpropInput = `${prefix}Conv2DBackpropInput`;
  const backpropFilter = `${prefix}Conv2DBackpropFilter`;
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
        filter: () => run(backpropFilter, { x: ddx as Tensor, dy }, { ...attrs, filterShape: filter.shape }),
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

/** dBias: dy summed over the dimensions that the bias was repeated along, in the bias's own shape. */
function biasGradient(dy: Tensor, biasShape: number[], dataFormat?: DataFormat): Tensor {
  if (dy.size === 0) return zeros(biasShape as [number]); // webgl cannot sum nothing
  const sizes = alignedShape('bias', biasShape, dy.shape, dataFormat);
  const repeated = [0, 1, 2, 3].filter((i) => sizes[i] === 1 && dy.shape[i] !== 1);
  return reshape(sum(dy, repeated), biasShape);
}

/** The name under which the engine looks up the gradient of tf.fused.conv2d: not its kernel's, but its scope's. */
const FUSED_OP = 'fusedConv2d__op';

/**
 * To be called by a FusedConv2D kernel with the y it returns. If the kernel runs for a tf.fused.conv2d that is being
 * recorded, this registers the gradient that the engine looks up as soon as the op is done, in place of the closure
 * in tfjs-core, which refuses dilations and drops dimRoundingMode.
 *
 * The registration removes itself when it is looked up, so that fused convolutions on other backends keep the
 * closure. While a gradient is recorded tfjs fuses no activation but 'linear'.
 * @param convGradient the gradient of Conv2D
 */
export function offerFusedGradient(y: TensorInfo, attrs: NamedAttrMap, convGradient: GradFunc): void {
  const { gradientDepth, kernelDepth, scopeStack } = engine().state;
  // The depth of this kernel inside the op's customGrad; deeper, inside another one, nothing is recorded.
  const isRecorded =
    gradientDepth > 0 && kernelDepth === 2 && scopeStack[scopeStack.length - 2]?.name === FUSED_OP;
  if (!isRecorded) return;
  if (getGradient(FUSED_OP)) unregisterGradient(FUSED_OP);
  registerGradient({
    kernelName: FUSED_OP,
    get gradFunc() {
      unregisterGradient(FUSED_OP);
      return (dy: Tensor | Tensor[], [filter, x, savedY, bias]: Tensor[]) => {
        if (savedY.dataId !== y.dataId) {
          throw new Error('tfjs-convgrad: the gradient of a fused.conv2d was asked of another one.');
        }
        const dy4D = reshape(dy as Tensor, savedY.shape); // tf.fused.conv2d drops the batch of a single image
        const { x: dx, filter: dFilter } = convGradient(dy4D, [x, filter], attrs);
        const dBias = () => biasGradient(dy4D, bias.shape, attrs.dataFormat as DataFormat);
        return { 0: dx, 1: dFilter, ...(bias && { 2: dBias }) };
      };
    },
  });
}

/**
 * Where tfjs's own kernels of depthwise convolution serve in place of ours: where they are faster, and right. subjects.ts has what they
 * get wrong. inputs and attrs are those of any of the kernels.
 */
import type { NamedAttrMap, TensorInfo } from '@tensorflow/tfjs-core';
import { sizeOf } from '../geometry.js';

type Inputs = Readonly<Record<string, TensorInfo | undefined>>;

/** With a multiplier above 1 only the simple programs serve here. */
export function isFasterOnWebgl(inputs: Inputs, attrs: NamedAttrMap): boolean {
  const [, , channels, multiplier] = inputs.filter?.shape ?? (attrs.filterShape as number[]);
  return channels > 1 && multiplier > 1 && isPlain(inputs, attrs);
}

/** Products from which on our kernels are faster. */
const LEAST_PRODUCTS = 1 << 15;

/** With a multiplier the channels are repeated here; fewer than four of them fill no vector. There are no gradients. */
export function isFasterOnWasm(inputs: Inputs, attrs: NamedAttrMap): boolean {
  const { x, filter, bias } = inputs;
  if (!x || !filter || !isPlain(inputs, attrs)) return false;
  const [height, width, channels, multiplier] = filter.shape;
  const [strideHeight, strideWidth = strideHeight] = [attrs.strides as number | number[]].flat();
  const isRight =
    strideHeight <= height &&
    strideWidth <= width &&
    (!bias || bias.shape.length === 1) &&
    ['linear', 'relu', 'relu6', undefined].includes(attrs.activation as string | undefined);
  const products = (sizeOf(x.shape) * sizeOf(filter.shape)) / (channels * strideHeight * strideWidth);
  return isRight && (channels < 4 || multiplier > 1 || products < LEAST_PRODUCTS);
}

/** Without what tfjs's kernels do not know, or not well. tf.layers passes dilations of null, at which tfjs's gradients throw. */
function isPlain(inputs: Inputs, attrs: NamedAttrMap): boolean {
  const { dataFormat = 'NHWC', pad, dilations, dimRoundingMode, activation } = attrs;
  const isGradient = 'inputShape' in attrs || 'filterShape' in attrs;
  return (
    Object.values(inputs).every((t) => !t || sizeOf(t.shape) > 0) &&
    dataFormat === 'NHWC' &&
    (pad === 'same' || pad === 'valid') &&
    (dilations === null ? !isGradient : [dilations ?? 1].flat().every((dilation) => dilation === 1)) &&
    !dimRoundingMode &&
    activation !== 'tanh'
  );
}

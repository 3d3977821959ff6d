/**
 * tfjs 'wasm' kernels of sums and means over the first dimensions: the gradient of a bias, and the statistics of batch normalization.
 * tfjs's own transpose x before they sum. Over other dimensions, they serve.
 */
import type { NamedAttrMap, TensorInfo } from '@tensorflow/tfjs-core';
import { batchNormSums } from '../batch_norm/simd.js';
import { sizeOf } from '../geometry.js';
import { simdFor } from '../runtime/options.js';
import { withSimd } from '../runtime/simd/instance.js';
import { heapOf, type Kernel, makeResult, readFloat32 } from '../runtime/tensors.js';
import * as cpu from './cpu.js';
import { axesOf, countOf, summedShape } from './definition.js';

/** With fewer values tfjs's own kernels are as fast. */
const LEAST_VALUES = 1024;

/** Whether tfjs's own kernel serves. It leaves sums of nothing unwritten. */
export function isLeft(
  { x }: Readonly<Record<string, TensorInfo | undefined>>,
  attrs: NamedAttrMap,
): boolean {
  return !x || x.dtype !== 'float32' || (sizeOf(x.shape) > 0 && !isOverFirst(x, attrs));
}

function isOverFirst({ shape }: TensorInfo, { axis }: NamedAttrMap): boolean {
  const axes = axesOf(axis as number | number[] | undefined, shape.length);
  return axes.length > 0 && axes.every((d) => d < axes.length) && sizeOf(shape) >= LEAST_VALUES;
}

function over(isMean: boolean, plain: Kernel): Kernel {
  return (args) => {
    const { inputs: { x }, attrs, backend } = args; // prettier-ignore
    const level = simdFor(true);
    if (!level || !isOverFirst(x, attrs)) return plain(args);
    const axes = axesOf(attrs.axis as number | number[] | undefined, x.shape.length);
    const kept = summedShape(x.shape, axes);
    const shape = attrs.keepDims ? kept : kept.slice(axes.length);
    const columns = sizeOf(shape);
    const divisor = isMean ? countOf(x.shape, axes) : 1;
    return makeResult(backend, shape, (y) => {
      const values = readFloat32(backend, 'x', x);
      const sums = new Float32Array(2 * columns); // the second half are sums of squares
      withSimd(
        level,
        (w) => batchNormSums(w, values, values, new Float32Array(columns), sums),
        heapOf(backend),
      );
      const result = y();
      for (let i = 0; i < columns; i++) result[i] = sums[i] / divisor;
    });
  };
}

export const sum = over(false, cpu.sum);
export const mean = over(true, cpu.mean);

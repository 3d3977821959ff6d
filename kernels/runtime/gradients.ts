/** What the gradients of all ops share. */
import {
  engine,
  type GradConfig,
  type NamedAttrMap,
  type NamedTensorMap,
  pad,
  type Tensor,
  zeros,
} from '@tensorflow/tfjs-core';

/** Gradients of a family of kernels: tfjs's own names have the prefix '', the names of our ops another. */
export type GradConfigs = (prefix: string) => GradConfig[];

export function run(kernelName: string, inputs: NamedTensorMap, attrs: NamedAttrMap): Tensor {
  return engine().runKernel(kernelName, inputs, attrs) as Tensor;
}

/** t with zeros behind it up to `shape`: the gradient of a dy that is larger than the output, hence cropped. */
export function padTo(t: Tensor, shape: number[]): Tensor {
  const extra = shape.map((size, i) => size - t.shape[i]);
  return extra.some((n) => n > 0)
    ? pad(
        t,
        extra.map((n) => [0, n] as [number, number]),
      )
    : t;
}

/** The gradient of an input that the output depends on only in steps. */
export function noGradient(shape: readonly number[]): Tensor {
  return zeros([...shape] as [number], 'float32');
}

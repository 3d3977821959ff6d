/** What the gradients of all ops have in common. */
import {
  engine,
  type GradConfig,
  type NamedAttrMap,
  type NamedTensorMap,
  pad,
  type Tensor,
  zeros,
} from '@tensorflow/tfjs-core';

/** The gradients of an op's kernels. tfjs's own kernel names have the prefix ''. Those of our ops have another. */
export type GradConfigs = (prefix: string) => GradConfig[];

export function run(kernelName: string, inputs: NamedTensorMap, attrs: NamedAttrMap): Tensor {
  return engine().runKernel(kernelName, inputs, attrs) as Tensor;
}

/** t with zeros after it, up to `shape`: the gradient of a dy that is larger than the output and was cropped. */
export function padTo(t: Tensor, shape: number[]): Tensor {
  const extra = shape.map((size, i) => size - t.shape[i]);
  return extra.some((n) => n > 0)
    ? pad(
        t,
        extra.map((n) => [0, n] as [number, number]),
      )
    : t;
}

/** The gradient of an input on which the output depends only in steps. */
export function noGradient(shape: readonly number[]): Tensor {
  return zeros([...shape] as [number], 'float32');
}

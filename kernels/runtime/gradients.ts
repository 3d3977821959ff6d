/** What the gradients of all ops have in common. */
import {
  engine,
  getGradient,
  type GradConfig,
  type GradFunc,
  type NamedAttrMap,
  type NamedTensorMap,
  pad,
  registerGradient,
  reshape,
  sum,
  type Tensor,
  unregisterGradient,
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

/** The sum of t over the dimensions along which a tensor of this shape is repeated, in this shape. */
export function sumTo(t: Tensor, shape: number[]): Tensor {
  if (t.size === 0) return zeros(shape as [number]); // webgl cannot sum nothing
  const missing = t.rank - shape.length;
  const repeated = t.shape.flatMap((size, i) => (size !== 1 && (shape[i - missing] ?? 1) === 1 ? [i] : []));
  return reshape(repeated.length ? sum(t, repeated) : t, shape);
}

/** The gradient of a fused op of tfjs. */
export interface FusedGradient {
  /** The engine looks the gradient up by the name of the op's scope, not by the name of its kernel. */
  readonly scope: string;
  /** The kernel that computes the same without bias and activation. */
  readonly unfused: string;
  /** The gradient for these attributes, from that of the unfused kernel. */
  gradFunc(attrs: NamedAttrMap, unfused: GradFunc): (dy: Tensor, saved: Tensor[]) => ReturnType<GradFunc>;
}

/**
 * A kernel calls this after it has run. If it ran for a fused op that is being recorded, this registers a gradient. The engine
 * looks it up as soon as the op is done. It replaces the closure in tfjs-core, which refuses some arguments and drops others.
 *
 * The registration removes itself when it is looked up. So the op keeps the closure on other backends. While a gradient is recorded,
 * tfjs fuses no activation other than 'linear'.
 */
export function offerGradient(
  { scope: scopeName, gradFunc }: FusedGradient,
  attrs: NamedAttrMap,
  unfused: GradFunc,
): void {
  const { gradientDepth, kernelDepth, scopeStack } = engine().state;
  const scope = scopeStack[scopeStack.length - 2];
  // 2 is the depth of this kernel inside the op's customGrad. Deeper, inside another customGrad, nothing is recorded.
  const isRecorded = gradientDepth > 0 && kernelDepth === 2 && scope?.name === scopeName;
  if (!isRecorded) return;
  if (getGradient(scopeName)) unregisterGradient(scopeName);
  registerGradient({
    kernelName: scopeName,
    get gradFunc() {
      unregisterGradient(scopeName);
      if (engine().state.activeScope !== scope) {
        throw new Error(`tfjs-convgrad: the gradient of one ${scopeName} was asked of another one.`);
      }
      return gradFunc(attrs, unfused) as GradFunc;
    },
  });
}

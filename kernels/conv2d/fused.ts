/** The fused kernels of cpu and wasm, of convolution and of matrix products: what follows the sum. */
import type { TensorInfo } from '@tensorflow/tfjs-core';
import type { Numbers } from '../arrays.js';
import type { DataFormat } from '../geometry.js';
import type { Bounds, Epilogue } from '../runtime/simd/epilogue.js';
import { type Kernel, readFloats } from '../runtime/tensors.js';
import {
  type ActivationName,
  addBiasAndActivate,
  type Broadcast,
  broadcast,
  constant,
} from './activation.js';
import { readFusedAttrs } from './attrs.js';

/** A kernel's bias and activation, read from its inputs and attributes. */
export interface Fused {
  readonly activation: ActivationName;
  /**
   * y = activation(sum + bias).
   * @param outShape y's shape, in four dimensions
   * @param takesEpilogue whether `product` can do simple ones while it stores its sums
   * @param product writes the sums to y
   */
  write(
    y: () => Numbers,
    outShape: readonly number[],
    dataFormat: DataFormat,
    takesEpilogue: boolean,
    product: (epilogue?: Epilogue<Float32Array>) => void,
  ): void;
}

/** @throws Error for an activation that does not exist, or prelu without weights */
export function fusedOf({ inputs, attrs, backend }: Parameters<Kernel>[0]): Fused {
  const { bias, preluActivationWeights: weights } = inputs as Record<string, TensorInfo | undefined>;
  const { activation, leakyreluAlpha } = readFusedAttrs(attrs, weights);
  return {
    activation,
    write(y, outShape, dataFormat, takesEpilogue, product) {
      const spread = (name: string, tensor: TensorInfo): Broadcast =>
        broadcast(name, readFloats(backend, name, tensor), tensor.shape, outShape, dataFormat);
      const add = () => bias && spread('bias', bias);
      const epilogue = takesEpilogue ? epilogueOf(add(), activation, dataFormat) : undefined;
      product(epilogue);
      if (epilogue || (!bias && activation === 'linear')) return;
      const alpha =
        activation === 'prelu' ? spread('preluActivationWeights', weights!) : constant(leakyreluAlpha);
      addBiasAndActivate(y(), outShape, add() ?? constant(0), activation, alpha);
    },
  };
}

/** Bias and activation for the store of the SIMD paths, or undefined where the store cannot do them. */
function epilogueOf(
  bias: Broadcast | undefined,
  activation: ActivationName,
  dataFormat: DataFormat,
): Epilogue<Float32Array> | undefined {
  const range = RANGES[activation];
  if (!range) return undefined;
  if (!bias) return range;
  const channel = dataFormat === 'NCHW' ? 1 : 3;
  const perChannel = bias.steps.every((step, i) => step === (i === channel ? 1 : 0));
  return perChannel && bias.values instanceof Float32Array ? { ...range, bias: bias.values } : undefined;
}

/** The activations that only bound their values. */
const RANGES: { readonly [name in ActivationName]?: Bounds } = {
  linear: { lowest: -Infinity, highest: Infinity },
  relu: { lowest: 0, highest: Infinity },
  relu6: { lowest: 0, highest: 6 },
};

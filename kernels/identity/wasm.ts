/** tfjs 'wasm' kernel of ./definition.ts. tfjs's own copies the values. This one counts one more tensor that has them, as on cpu. */
import type { KernelBackend, TensorInfo } from '@tensorflow/tfjs-core';
import type { Kernel } from '../runtime/tensors.js';

/** Whether tfjs's own kernel serves: it counts the bytes of strings for each tensor. */
export function isLeft({ x }: Readonly<Record<string, TensorInfo | undefined>>): boolean {
  return x?.dtype === 'string' || x?.dtype === 'complex64';
}

/** x of any dtype. y: of x's shape and dtype */
export const identity: Kernel = ({ inputs: { x }, backend }) => {
  (backend as KernelBackend).incRef(x.dataId);
  return { dataId: x.dataId, shape: x.shape, dtype: x.dtype };
};

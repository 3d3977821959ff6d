/** Between tfjs and arrays of numbers: the functions by which adapters read tensors and attributes and make tensors. */
import type { DataType, KernelBackend, NamedAttrMap, TensorInfo } from '@tensorflow/tfjs-core';
import type { Floats, Numbers } from '../arrays.js';
import { type Pair, type PoolGeometry, poolGeometry, type PoolOptions } from '../geometry.js';

/** A tfjs kernel. Unlike tfjs's own type, this type says that the inputs that a kernel needs are there. */
export type Kernel<Backend extends object = object> = (args: {
  inputs: Record<string, TensorInfo>;
  attrs: NamedAttrMap;
  backend: Backend;
}) => TensorInfo | TensorInfo[];

/**
 * The values of a tensor in its own type. Nothing may write to them.
 * @throws Error for complex64 and string tensors
 */
export function readNumbers(backend: object, name: string, tensor: TensorInfo): Numbers {
  if (tensor.dtype === 'complex64' || tensor.dtype === 'string') {
    throw new Error(
      `tfjs-convgrad: ${name} is of dtype ${tensor.dtype}, but it must be float32, int32 or bool.`,
    );
  }
  const values = (backend as KernelBackend).readSync(tensor.dataId) as Numbers | number[];
  return Array.isArray(values) ? Float32Array.from(values) : values;
}

/** The values of a tensor as floats. float32 stays. int32 and bool become float64, which holds them exactly. */
export function readFloats(backend: object, name: string, tensor: TensorInfo): Floats {
  const values = readNumbers(backend, name, tensor);
  return values instanceof Float32Array ? values : Float64Array.from(values);
}

export function makeTensor(
  backend: object,
  shape: readonly number[],
  dtype: DataType,
  values: Numbers,
): TensorInfo {
  const dataId = (backend as KernelBackend).write(values as Float32Array, [...shape], dtype);
  return { dataId, shape: [...shape], dtype };
}

/** The geometry of a pooling kernel, from its input and its attributes. */
export function poolGeometryOf(x: TensorInfo, attrs: NamedAttrMap): PoolGeometry {
  return poolGeometry(x.shape, attrs.filterSize as Pair, attrs as PoolOptions);
}

/** Between tfjs and arrays of numbers: the functions by which adapters read tensors and attributes and make tensors. */
import type { DataType, KernelBackend, NamedAttrMap, TensorInfo } from '@tensorflow/tfjs-core';
import { type Floats, type Numbers, unwritten } from '../arrays.js';
import { type Pair, type PoolGeometry, poolGeometry, type PoolOptions, sizeOf } from '../geometry.js';
import { type Heap, outOfMemory } from './heap.js';

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
  checkNumbers(name, tensor);
  const values = (
    isOnHeap(backend)
      ? backend.typedArrayFromHeap(tensor)
      : (backend as KernelBackend).readSync(tensor.dataId)
  ) as Numbers | number[];
  // tfjs's cast to float32 keeps an Int32Array.
  const isFloat32 = values instanceof Float32Array;
  return Array.isArray(values) || (tensor.dtype === 'float32' && !isFloat32)
    ? Float32Array.from(values)
    : values;
}

/** @throws Error for complex64 and string tensors */
export function checkNumbers(name: string, tensor: TensorInfo): void {
  if (tensor.dtype === 'complex64' || tensor.dtype === 'string') {
    throw new Error(
      `tfjs-convgrad: ${name} is of dtype ${tensor.dtype}, but it must be float32, int32 or bool.`,
    );
  }
}

/**
 * The 'wasm' backend. Its tensors lie in one memory. A view of the memory is good until something is allocated there: a tensor, or
 * a micro-kernel's scratch.
 */
interface HeapBackend {
  typedArrayFromHeap(tensor: TensorInfo): Numbers;
  makeOutput(shape: number[], dtype: DataType): TensorInfo;
  disposeData(dataId: object): void;
  /** Emscripten's module. */
  wasm?: {
    asm?: { memory?: WebAssembly.Memory };
    /** Of the build with threads. */
    wasmMemory?: WebAssembly.Memory;
    _malloc?(bytes: number): number;
    _free?(address: number): void;
  };
}

function isOnHeap(backend: object): backend is HeapBackend {
  return 'typedArrayFromHeap' in backend;
}

const heaps = new WeakMap<object, Heap>();

/** The memory of the wasm backend, where micro-kernels can run on tensors as they lie. Undefined for another backend. */
export function heapOf(backend: object): Heap | undefined {
  if (!isOnHeap(backend)) return undefined;
  const known = heaps.get(backend);
  if (known) return known;
  const heap = reach(backend);
  if (heap) heaps.set(backend, heap);
  return heap;
}

/** Undefined if this version of tfjs has its memory or its allocator elsewhere. Then micro-kernels work on copies. */
function reach({ wasm }: HeapBackend): Heap | undefined {
  const memory = wasm?.wasmMemory ?? wasm?.asm?.memory;
  if (!wasm?._malloc || !wasm._free || !(memory instanceof WebAssembly.Memory)) return undefined;
  const allocate = (bytes: number): number => {
    const address = wasm._malloc!(bytes) >>> 0;
    if (address === 0) throw outOfMemory(bytes, memory);
    return address;
  };
  return { memory, allocate, release: (address) => wasm._free!(address) };
}

/**
 * The values of a float32 tensor.
 * @throws Error naming the tensor and its dtype if it is of another
 */
export function readFloat32(backend: object, name: string, tensor: TensorInfo): Float32Array {
  if (tensor.dtype !== 'float32') {
    throw new Error(`tfjs-convgrad: ${name} is of dtype ${tensor.dtype}, but it must be float32.`);
  }
  return readNumbers(backend, name, tensor) as Float32Array;
}

/** The values of a tensor as floats. float32 stays. int32 and bool become float64, which holds them exactly. */
export function readFloats(backend: object, name: string, tensor: TensorInfo): Floats {
  const values = readNumbers(backend, name, tensor);
  return values instanceof Float32Array ? values : Float64Array.from(values);
}

/**
 * A tensor whose values `write` writes, every one of them. They are undefined before.
 *
 * On the wasm backend arrays are views of its memory. They become stale when it grows.
 *
 * - `write` reads the inputs itself.
 * - After a micro-kernel has run, it reads them and the result again.
 * @throws Error naming the shape if there is not enough memory
 */
export function makeResult<Values extends Numbers = Float32Array>(
  backend: object,
  shape: readonly number[],
  write: (values: () => Values) => void,
  dtype: DataType = 'float32',
): TensorInfo {
  return orOutOfMemory(shape, () => {
    if (isOnHeap(backend))
      return resultOnHeap(backend, shape, write as (values: () => Numbers) => void, dtype);
    const values = arrayOf(dtype, sizeOf(shape));
    write(() => values as Values);
    return makeTensor(backend, shape, dtype, values);
  });
}

/** @throws Error naming the shape, instead of the engine's RangeError */
function orOutOfMemory<T>(shape: readonly number[], make: () => T): T {
  try {
    return make();
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new Error(
      `tfjs-convgrad: out of memory: a result of shape [${shape}] takes ${Math.ceil((4 * sizeOf(shape)) / 2 ** 20)} MiB, ` +
        `more than the engine gives (${error.message}).`,
    );
  }
}

function resultOnHeap(
  backend: HeapBackend,
  shape: readonly number[],
  write: (values: () => Numbers) => void,
  dtype: DataType,
): TensorInfo {
  const result = backend.makeOutput([...shape], dtype);
  try {
    const values = () => backend.typedArrayFromHeap(result);
    if (sizeOf(shape) > 0 && values().byteOffset === 0) throw new RangeError('malloc failed');
    write(values);
    return result;
  } catch (error) {
    backend.disposeData(result.dataId);
    throw error;
  }
}

function arrayOf(dtype: DataType, size: number): Numbers {
  if (dtype === 'float32') return unwritten(size);
  return dtype === 'bool' ? new Uint8Array(size) : new Int32Array(size);
}

/** @throws Error naming the shape if there is not enough memory */
export function makeTensor(
  backend: object,
  shape: readonly number[],
  dtype: DataType,
  values: Numbers,
): TensorInfo {
  if (isOnHeap(backend)) {
    return orOutOfMemory(shape, () => resultOnHeap(backend, shape, (y) => y().set(values), dtype));
  }
  const dataId = (backend as KernelBackend).write(values as Float32Array, [...shape], dtype);
  return { dataId, shape: [...shape], dtype };
}

/**
 * The kernel, for the wasm backend. Inputs that still lie on another backend are moved before it begins: tfjs would move them when
 * they are first read, and its memory may grow by that.
 */
export function afterMoves(kernel: Kernel): Kernel {
  return (args) => {
    const { dataIdMap } = args.backend as { dataIdMap: { get(dataId: object): unknown } };
    for (const input of Object.values(args.inputs) as (TensorInfo | undefined)[]) {
      if (input) dataIdMap.get(input.dataId);
    }
    return kernel(args);
  };
}

/** The geometry of a pooling kernel, from its input and its attributes. */
export function poolGeometryOf(x: TensorInfo, attrs: NamedAttrMap): PoolGeometry {
  return poolGeometry(x.shape, attrs.filterSize as Pair, attrs as PoolOptions);
}

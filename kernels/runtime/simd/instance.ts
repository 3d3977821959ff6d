/**
 * The WebAssembly module at run time: the build that this engine can run, its instances and their memories.
 *
 * An instance works on a memory of its own, or on a heap that holds the tensors already (that of tfjs's wasm backend).
 *
 * - Scratch works like registers. A caller asks for arrays with `place`, fills them, and runs micro-kernels. The arrays of the
 *   next call of `place` take their place. Nothing of them outlives `withSimd`.
 * - On a heap the micro-kernels also read inputs and write results where they lie: see `dataOf`.
 */
import { type Heap, outOfMemory } from '../heap.js';
import { RELAXED_SIMD, SIMD } from './binaries.js';
import { type MicroKernels, named, type Positional } from './calls.js';

/** The build relaxed-simd has fused multiply-add. */
export type SimdLevel = 'relaxed-simd' | 'simd';

export interface Simd extends MicroKernels {
  /** The memory as floats and as integers. Both are replaced when `place` has to grow it. */
  f32: Float32Array;
  i32: Int32Array;
  /**
   * Addresses of arrays of these sizes in bytes, aligned to 64. Their contents are undefined. They replace the arrays of the last
   * call.
   * @throws Error if there is not enough memory
   */
  place(...sizes: number[]): number[];
}

/** Columns of a panel, and rows of a micro-kernel's tile. */
export const NR = 8;
export const MR = 4;

const PAGE = 1 << 16;
/** In bytes: a cache line. */
const ALIGNMENT = 64;
/** In bytes. An instance that has grown beyond this is dropped after the call, as WebAssembly memory never shrinks. */
const KEPT_BYTES = 1 << 26;
const BINARIES = { 'relaxed-simd': RELAXED_SIMD, simd: SIMD };

const modules = new Map<SimdLevel, WebAssembly.Module | string>();
const own = new Map<SimdLevel, Instance>();
const onHeaps = new WeakMap<Heap, Map<SimdLevel, Instance>>();

interface Instance {
  readonly simd: Simd;
  /** Replaces the views if the memory has grown. */
  refresh(): void;
  /** Gives the arrays of the last `place` back. */
  release(): void;
}

/** Why this engine cannot run the build; undefined if it can. */
export function whyNot(level: SimdLevel): string | undefined {
  const module = compiled(level);
  return typeof module === 'string' ? module : undefined;
}

/**
 * Calls `work` with the instance of the build on the heap or, without one, on a memory of its own.
 * @throws Error if the engine cannot run the build (see `whyNot`) or has no memory for it
 */
export function withSimd<T>(level: SimdLevel, work: (simd: Simd) => T, heap?: Heap): T {
  const instance = instanceFor(level, heap);
  instance.refresh();
  try {
    return work(instance.simd);
  } finally {
    instance.release();
    if (!heap && instance.simd.f32.byteLength > KEPT_BYTES) own.delete(level);
  }
}

/** Bytes of the memories of their own that instances hold now. */
export function memoryBytes(): number {
  return [...own.values()].reduce((sum, { simd }) => sum + simd.f32.byteLength, 0);
}

/** The values of a tensor: an array, or a block of the instance's memory. */
export interface Data {
  /** Undefined for a block, whose array is `simd.f32`. */
  readonly array?: Float32Array;
  /** Index of the first value in the array. The address of a block is 4 * start. */
  readonly start: number;
}

/** A view of the instance's memory is taken as a block, which stays where it is when the memory grows. */
export function dataOf({ f32 }: Simd, values: Float32Array): Data {
  return values.buffer === f32.buffer ? { start: values.byteOffset / 4 } : { array: values, start: 0 };
}

/** The address of `size` values from the `first` on. Those of an array are copied to `scratch`. */
export function addressOf(
  { f32 }: Simd,
  { array, start }: Data,
  first: number,
  size: number,
  scratch: number,
): number {
  if (!array) return 4 * (start + first);
  f32.set(array.subarray(start + first, start + first + size), scratch / 4);
  return scratch;
}

/**
 * The module, or the reason why the engine cannot run it: no WebAssembly, no SIMD, a Content-Security-Policy that forbids it, or too
 * little address space for any memory (`ulimit -v`). The last shows only at an instance.
 */
function compiled(level: SimdLevel): WebAssembly.Module | string {
  const known = modules.get(level);
  if (known) return known;
  const module = tried(compile(BINARIES[level]));
  modules.set(level, module);
  return module;
}

function tried(module: WebAssembly.Module | string): WebAssembly.Module | string {
  if (typeof module === 'string') return module;
  try {
    exportsOf(module, newMemory());
    return module;
  } catch (error) {
    return String(error);
  }
}

const newMemory = () => new WebAssembly.Memory({ initial: 1 });

const exportsOf = (module: WebAssembly.Module, memory: WebAssembly.Memory) =>
  new WebAssembly.Instance(module, { env: { memory } }).exports;

/** @param base64 the module; `change` may alter its bytes, which it gets as characters */
function compile(base64: string, change = (bytes: string) => bytes): WebAssembly.Module | string {
  try {
    return new WebAssembly.Module(Uint8Array.from(change(atob(base64)), (c) => c.charCodeAt(0)));
  } catch (error) {
    return String(error);
  }
}

/**
 * The import section of a module: 2, its length, 1 import: env.memory, a memory (2), of at least 0 pages (0, 0). A memory that is
 * shared has a limit too (3, 0, 65536 pages). The two modules differ in nothing else.
 */
const IMPORT = '\x02\x0f\x01\x03env\x06memory\x02\x00\x00';
const SHARED_IMPORT = '\x02\x12\x01\x03env\x06memory\x02\x03\x00\x80\x80\x04';
const shareMemory = (bytes: string) => bytes.replace(IMPORT, SHARED_IMPORT);

function instanceFor(level: SimdLevel, heap?: Heap): Instance {
  const known = (heap ? onHeaps.get(heap) : own)?.get(level);
  if (known) return known;
  const instance = instantiate(level, heap);
  if (heap && !onHeaps.has(heap)) onHeaps.set(heap, new Map());
  (heap ? onHeaps.get(heap)! : own).set(level, instance);
  return instance;
}

/** @throws Error if the engine cannot run the build, or has no memory for the instance */
function instantiate(level: SimdLevel, given?: Heap): Instance {
  try {
    const heap = given ?? ownHeap();
    return instanceOn(heap, exportsFor(level, heap.memory));
  } catch (error) {
    throw new Error(`tfjs-convgrad: the ${level} kernels cannot run here: ${(error as Error).message}`);
  }
}

function exportsFor(level: SimdLevel, memory: WebAssembly.Memory): WebAssembly.Exports {
  const isShared = !(memory.buffer instanceof ArrayBuffer);
  const module = isShared ? compile(BINARIES[level], shareMemory) : compiled(level);
  if (typeof module === 'string') throw new Error(module);
  return exportsOf(module, memory);
}

function instanceOn(heap: Heap, exports: WebAssembly.Exports): Instance {
  const { memory } = heap;
  let held: number | undefined;
  const release = () => {
    if (held !== undefined) heap.release(held);
    held = undefined;
  };
  const refresh = () => {
    if (simd.f32.buffer !== memory.buffer) Object.assign(simd, views(memory));
  };
  const place = (...sizes: number[]): number[] => {
    const total = sizes.reduce((sum, size) => sum + roundUp(size, ALIGNMENT), 0);
    release();
    held = heap.allocate(total + ALIGNMENT);
    refresh();
    let next = roundUp(held, ALIGNMENT);
    return sizes.map((size) => {
      const address = next;
      next += roundUp(size, ALIGNMENT);
      return address;
    });
  };
  const simd: Simd = { ...named(exports as Positional), ...views(memory), place };
  return { simd, refresh, release };
}

export function roundUp(n: number, multiple: number): number {
  return Math.ceil(n / multiple) * multiple;
}

function views({ buffer }: WebAssembly.Memory) {
  return { f32: new Float32Array(buffer), i32: new Int32Array(buffer) };
}

/** A memory with a single block, which starts at 0. */
function ownHeap(): Heap {
  const memory = newMemory();
  const allocate = (bytes: number): number => {
    const missing = bytes - memory.buffer.byteLength;
    try {
      if (missing > 0) memory.grow(Math.ceil(missing / PAGE));
    } catch {
      throw outOfMemory(bytes, memory);
    }
    return 0;
  };
  return { memory, allocate, release: () => undefined };
}

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
import type { Pool } from '../threads/pool.js';
import { onOneThread, type Sequences } from '../threads/steps.js';
import { threaded } from '../threads/threaded.js';
import { poolFor, sharedBytes, type Size } from '../threads/threads.js';
import { type MicroKernels, named, type Positional, roundUp } from './calls.js';
import { exportsOf, isShared, moduleFor, type SimdLevel } from './modules.js';

export interface Simd extends MicroKernels, Sequences {
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

const PAGE = 1 << 16;
/** In bytes: a cache line. */
const ALIGNMENT = 64;
/** In bytes. An instance that has grown beyond this is dropped after the call, as WebAssembly memory never shrinks. */
const KEPT_BYTES = 1 << 26;

const own = new Map<SimdLevel, Instance>();
/** The instances of a heap, and those of a pool. */
const others = new WeakMap<Heap | Pool, Map<SimdLevel, Instance>>();

interface Instance {
  readonly simd: Simd;
  /** Replaces the views if the memory has grown. */
  refresh(): void;
  /** Gives the arrays of the last `place` back. */
  release(): void;
}

/**
 * Calls `work` with the instance of the build on the heap or, without one, on a memory of its own. If threads serve, a worker may get
 * lost. Then `work` is called again, and this thread computes alone.
 * @param size without it, threads serve only on a heap that they share
 * @throws Error if the engine cannot run the build (see `whyNot`) or has no memory for it
 */
export function withSimd<T>(level: SimdLevel, work: (simd: Simd) => T, heap?: Heap, size?: Size): T {
  const pool = poolFor(heap, size);
  if (pool) {
    try {
      return using(instanceFor(level, pool.memory === heap?.memory ? heap : undefined, pool), work);
    } catch {
      // The pool may have too little memory, too. If there is another reason, it shows again.
    }
  }
  const instance = instanceFor(level, heap);
  try {
    return using(instance, work);
  } finally {
    if (!heap && instance.simd.f32.byteLength > KEPT_BYTES) own.delete(level);
  }
}

function using<T>({ simd, refresh, release }: Instance, work: (simd: Simd) => T): T {
  refresh();
  try {
    return work(simd);
  } finally {
    release();
  }
}

/** Bytes of the memories of their own that instances hold now. */
export function memoryBytes(): number {
  return [...own.values()].reduce((sum, { simd }) => sum + simd.f32.byteLength, sharedBytes());
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

/** Numbers of a strip, at least. A strip of each of three tensors fits into the cache. */
const STRIP_SIZE = 1 << 13;

/** The numbers of tensors that are copied at a time: whole rows, or all numbers if none of the tensors has to be copied. */
export function stripOf(data: readonly Data[], all: number, row = 1): number {
  return data.some(({ array }) => array) ? Math.min(Math.ceil(STRIP_SIZE / row) * row, all) : all;
}

function instanceFor(level: SimdLevel, heap?: Heap, pool?: Pool): Instance {
  const owner = pool ?? heap;
  const known = (owner ? others.get(owner) : own)?.get(level);
  if (known) return known;
  const instance = instantiate(level, heap, pool);
  if (owner && !others.has(owner)) others.set(owner, new Map());
  (owner ? others.get(owner)! : own).set(level, instance);
  return instance;
}

/** @throws Error if the engine cannot run the build, or has no memory for the instance */
function instantiate(level: SimdLevel, given?: Heap, pool?: Pool): Instance {
  try {
    const heap = given ?? ownHeap(pool?.memory ?? new WebAssembly.Memory({ initial: 1 }));
    const direct = named(exportsOf(moduleFor(level, isShared(heap.memory)), heap.memory) as Positional);
    return instanceOn(heap, pool ? threaded(direct, pool, level) : { ...direct, ...onOneThread(direct) });
  } catch (error) {
    throw new Error(`tfjs-convgrad: the ${level} kernels cannot run here: ${(error as Error).message}`);
  }
}

function instanceOn(heap: Heap, kernels: MicroKernels & Sequences): Instance {
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
  const simd: Simd = { ...kernels, ...views(memory), place };
  return { simd, refresh, release };
}

function views({ buffer }: WebAssembly.Memory) {
  return { f32: new Float32Array(buffer), i32: new Int32Array(buffer) };
}

/** A memory with a single block, which starts at 0. */
function ownHeap(memory: WebAssembly.Memory): Heap {
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

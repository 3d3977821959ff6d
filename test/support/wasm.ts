/** tfjs's wasm backend: it is registered, with the place of its files in Node and in a page of Karma. What lies in its memory. */
import * as wasmPackage from '@tensorflow/tfjs-backend-wasm';
import {
  backend,
  engine,
  findBackendFactory,
  getBackend,
  registerBackend,
  removeBackend,
  setBackend,
  type Tensor,
} from '@tensorflow/tfjs-core';
import { heapOf } from '../../kernels/runtime/tensors.js';
import { poolFor, setThreads } from '../../kernels/runtime/threads/threads.js';
import { startSharedWasm } from '../../src/index.js';
import { plan } from './plan.js';

declare const __karma__: unknown;

const root = typeof __karma__ === 'undefined' ? '' : '/base/';
wasmPackage.setWasmPaths(`${root}node_modules/@tensorflow/tfjs-backend-wasm/dist/`);

/** Whether the backend starts on memory that threads share, in all of this run. */
export const onSharedMemory = plan.on === 'shared wasm';

export const THREADS = 3;

if (onSharedMemory) {
  beforeAll(async () => {
    await startWasm();
    await setBackend('cpu');
  });
  // Some specs remove the backend, or start it themselves.
  afterEach(async () => {
    if (threadsOfWasm() === THREADS) return;
    const last = getBackend() || 'cpu';
    await remakeWasm();
    await setBackend(last);
  });
}

/** Starts the wasm backend and sets it. If its memory is to be shared, three threads share all work there, however little. */
export async function startWasm(): Promise<void> {
  if (!onSharedMemory) {
    await setBackend('wasm');
    return;
  }
  await startSharedWasm(wasmPackage);
  await setThreads({ threads: THREADS, leastWork: 1 }, heapOf(backend()));
}

/** How many threads serve in the memory of the wasm backend; undefined if it is not shared. */
export function threadsOfWasm(): number | undefined {
  const { wasm } = engine().registry;
  const heap = wasm && heapOf(wasm);
  const pool = heap && poolFor(heap);
  return pool?.memory === heap?.memory ? pool?.threads() : undefined;
}

interface Inside {
  wasm: {
    asm: { malloc(bytes: number): number; free(address: number): void };
    _malloc(bytes: number): number;
    _free(address: number): void;
  };
  typedArrayFromHeap(tensor: Tensor): Float32Array;
}
/** The active backend, which must be wasm. */
export const insideWasm = () => backend() as unknown as Inside;
export const memoryOfWasm = () => heapOf(backend())!.memory;

/** What memory holds that no kernel has written: see amidMarks. */
export const MARK = 777;
const BYTES_BEHIND = 4096;

/**
 * Runs f while each new tensor on wasm is full of marks, and so is the memory behind it. A mark in a result is a cell that the
 * kernel did not write, or comes from a read past the end of an input. A kernel that writes past the end does no harm.
 */
export function amidMarks<T>(f: () => T): T {
  const { wasm } = insideWasm();
  const { malloc } = wasm.asm;
  const memory = memoryOfWasm();
  wasm._malloc = (bytes) => {
    const address = malloc(bytes + BYTES_BEHIND);
    new Float32Array(memory.buffer, address, (bytes + BYTES_BEHIND) >> 2).fill(MARK);
    return address;
  };
  try {
    return f();
  } finally {
    wasm._malloc = malloc;
  }
}

/** The n numbers that lie behind a tensor on wasm. */
export function behind(tensor: Tensor, n: number): Float32Array {
  const { buffer, byteOffset, byteLength } = insideWasm().typedArrayFromHeap(tensor);
  return new Float32Array(buffer, byteOffset + byteLength, n).slice();
}

/** Makes the wasm backend anew, with another memory, and sets it. Tensors of the one before are lost. */
export async function remakeWasm(): Promise<void> {
  const factory = findBackendFactory('wasm');
  removeBackend('wasm');
  registerBackend('wasm', factory);
  await startWasm();
}

export interface WatchedHeap {
  /** The blocks that are allocated and not freed: those of tensors, and scratch. */
  readonly held: ReadonlySet<number>;
  /** How many blocks were asked for. */
  asked(): number;
  /** From now on, runs before each block is given. If it returns false, there is no memory for the block. */
  before(step: () => boolean): void;
  /** Makes the heap larger, which detaches all views of it. */
  grow(): void;
}

/** Watches the heap of the active backend, from its first use on. Each block is given with NaN in all its cells. */
export function watchHeap(): WatchedHeap {
  const { wasm } = insideWasm();
  const { malloc, free } = wasm.asm;
  const memory = memoryOfWasm();
  const held = new Set<number>();
  let asked = 0;
  let step = () => true;
  wasm._malloc = (bytes) => {
    asked++;
    if (!step()) return 0;
    const address = malloc(bytes);
    new Uint8Array(memory.buffer, address, bytes).fill(255);
    held.add(address);
    return address;
  };
  wasm._free = (address) => {
    if (address !== 0 && !held.delete(address)) fail(`a block that is not held was freed: ${address}`);
    free(address);
  };
  const grow = () => {
    const bytes = memory.buffer.byteLength;
    const blocks: number[] = [];
    while (memory.buffer.byteLength === bytes) blocks.push(malloc(1 << 20));
    blocks.forEach((address) => free(address));
  };
  return { held, asked: () => asked, before: (next) => void (step = next), grow };
}

/** tfjs's wasm backend: it is registered, with the place of its files in Node and in a page of Karma. What lies in its memory. */
import { setWasmPaths } from '@tensorflow/tfjs-backend-wasm';
import { backend, type Tensor } from '@tensorflow/tfjs-core';

declare const __karma__: unknown;

const root = typeof __karma__ === 'undefined' ? '' : '/base/';
setWasmPaths(`${root}node_modules/@tensorflow/tfjs-backend-wasm/dist/`);

interface Inside {
  wasm: {
    asm: { memory: WebAssembly.Memory; malloc(bytes: number): number };
    _malloc(bytes: number): number;
  };
  typedArrayFromHeap(tensor: Tensor): Float32Array;
}
/** The active backend, which must be wasm. */
export const insideWasm = () => backend() as unknown as Inside;

/** What memory holds that no kernel has written: see amidMarks. */
export const MARK = 777;
const BYTES_BEHIND = 4096;

/**
 * Runs f while each new tensor on wasm is full of marks, and so is the memory behind it. A mark in a result is a cell that the
 * kernel did not write, or comes from a read past the end of an input. A kernel that writes past the end does no harm.
 */
export function amidMarks<T>(f: () => T): T {
  const { wasm } = insideWasm();
  const { malloc, memory } = wasm.asm;
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

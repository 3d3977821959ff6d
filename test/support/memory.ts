/** Where a spec's arrays lie when the WebAssembly kernels work on them: outside of their memory, or on a heap that they share. */
import { compare, describeWorst } from '../../src/verify/exact.js';
import type { Heap } from '../../kernels/runtime/heap.js';
import { type Simd, withSimd } from '../../kernels/runtime/simd/instance.js';
import type { SimdLevel } from '../../kernels/runtime/simd/modules.js';

/** Calls `work` with an instance, and with the arrays as it finds them. What it writes to them is in `arrays` afterwards. */
export type Run = <T>(
  arrays: readonly Float32Array[],
  work: (simd: Simd, ...arrays: Float32Array[]) => T,
) => T;

export function outside(level: SimdLevel): Run {
  return (arrays, work) => withSimd(level, (simd) => work(simd, ...arrays));
}

/** Runs `work` both ways, and expects the same results from both, to the bit. */
export function bothWays(level: SimdLevel): Run {
  const [first, second] = [outside(level), onHeap(level)];
  return (arrays, work) => {
    const others = arrays.map((values) => values.slice());
    const result = first(arrays, work);
    expect(second(others, work)).toEqual(result);
    others.forEach((values, i) => {
      const worst = compare(values, arrays[i]);
      expect(worst.error)
        .withContext(`array ${i} on a heap: ${describeWorst(worst)}`)
        .toBe(0);
    });
    return result;
  };
}

const PAGE = 1 << 16;
/** In bytes, on either side of a block. */
const GUARD = 1 << 8;
const GUARD_VALUE = 171;
/** In pages. A heap that has grown to more is given up. */
const MOST_PAGES = 1 << 9;

/**
 * The arrays are copied to a heap and back.
 *
 * - Every block has guards around it. A guard that has changed fails the spec: on tfjs's heap that would be another tensor.
 * - The heap grows at every allocation, which detaches all views.
 * - A block starts with NaN in each cell, at an address that is a multiple of 8 but not of 16.
 */
export function onHeap(level: SimdLevel, descriptor: WebAssembly.MemoryDescriptor = { initial: 1 }): Run {
  let memory = new WebAssembly.Memory(descriptor);
  return (arrays, work) => {
    if (memory.buffer.byteLength > MOST_PAGES * PAGE) memory = new WebAssembly.Memory(descriptor);
    const { heap, check } = guarded(memory);
    const blocks = arrays.map(({ length, byteLength }) => ({ address: heap.allocate(byteLength), length }));
    const views = () => blocks.map((b) => new Float32Array(memory.buffer, b.address, b.length));
    views().forEach((view, i) => view.set(arrays[i]));
    const result = withSimd(level, (simd) => work(simd, ...views()), heap);
    views().forEach((view, i) => arrays[i].set(view));
    check(blocks.length);
    return result;
  };
}

/** @returns `check`, which expects that no guard has changed, and that this many blocks have not been released. */
function guarded(memory: WebAssembly.Memory): { heap: Heap; check: (held: number) => void } {
  const blocks: { address: number; bytes: number }[] = [];
  const held = new Set<number>();
  let end = 0;
  const bytesAt = (address: number, size: number) => new Uint8Array(memory.buffer, address, size);
  const allocate = (bytes: number): number => {
    const address = 16 * Math.ceil((end + GUARD) / 16) + 8;
    end = address + bytes + GUARD;
    memory.grow(Math.max(1, Math.ceil((end - memory.buffer.byteLength) / PAGE)));
    bytesAt(address - GUARD, bytes + 2 * GUARD).fill(GUARD_VALUE);
    new Float32Array(memory.buffer, address, bytes >> 2).fill(NaN);
    blocks.push({ address, bytes });
    held.add(address);
    return address;
  };
  const check = (count: number) => {
    for (const { address, bytes } of blocks) {
      const guards = [bytesAt(address - GUARD, GUARD), bytesAt(address + bytes, GUARD)];
      const kept = guards.every((guard) => guard.every((value) => value === GUARD_VALUE));
      if (!kept) fail(`something wrote past a block of ${bytes} bytes`);
    }
    expect(held.size).withContext('blocks that were not released').toBe(count);
  };
  return { heap: { memory, allocate, release: (address) => void held.delete(address) }, check };
}

/**
 * The WebAssembly module at run time: the build that this engine can run, its one instance and its memory.
 *
 * The memory works like registers, not like a heap. A caller asks for arrays with `place`, fills them, runs a micro-kernel, and
 * copies the result out before another caller asks. Nothing in the memory outlives a call.
 */
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
/** In bytes. An instance that has grown beyond this is dropped after the call, as WebAssembly memory never shrinks. */
const KEPT_BYTES = 1 << 26;
const BINARIES = { 'relaxed-simd': RELAXED_SIMD, simd: SIMD };

const modules = new Map<SimdLevel, WebAssembly.Module | string>();
const instances = new Map<SimdLevel, Simd>();

/** Why this engine cannot run the build; undefined if it can. */
export function whyNot(level: SimdLevel): string | undefined {
  const module = compiled(level);
  return typeof module === 'string' ? module : undefined;
}

/**
 * Calls `work` with the instance of the build.
 * @throws Error if the engine cannot run the build (see `whyNot`) or has no memory for it
 */
export function withSimd<T>(level: SimdLevel, work: (simd: Simd) => T): T {
  const simd = instances.get(level) ?? instantiate(level);
  try {
    return work(simd);
  } finally {
    if (simd.f32.byteLength > KEPT_BYTES) instances.delete(level);
  }
}

/** Bytes that the instances hold now. */
export function memoryBytes(): number {
  return [...instances.values()].reduce((sum, { f32 }) => sum + f32.byteLength, 0);
}

/** The module, or the reason why there is none: no WebAssembly, no SIMD, or a Content-Security-Policy that forbids it. */
function compiled(level: SimdLevel): WebAssembly.Module | string {
  const known = modules.get(level);
  if (known) return known;
  let module: WebAssembly.Module | string;
  try {
    module = new WebAssembly.Module(Uint8Array.from(atob(BINARIES[level]), (c) => c.charCodeAt(0)));
  } catch (error) {
    module = String(error);
  }
  modules.set(level, module);
  return module;
}

function instantiate(level: SimdLevel): Simd {
  const module = compiled(level);
  if (typeof module === 'string') {
    throw new Error(`tfjs-convgrad: the ${level} kernels cannot run here: ${module}`);
  }
  const memory = new WebAssembly.Memory({ initial: 1 });
  const exports = new WebAssembly.Instance(module, { env: { memory } }).exports;
  const place = (...sizes: number[]): number[] => {
    let end = 0;
    const addresses = sizes.map((size) => {
      const address = end;
      end = Math.ceil((address + size) / 64) * 64;
      return address;
    });
    if (end > memory.buffer.byteLength) grow(memory, end);
    if (simd.f32.buffer !== memory.buffer) Object.assign(simd, views(memory));
    return addresses;
  };
  const simd: Simd = { ...named(exports as Positional), ...views(memory), place };
  instances.set(level, simd);
  return simd;
}

function views({ buffer }: WebAssembly.Memory) {
  return { f32: new Float32Array(buffer), i32: new Int32Array(buffer) };
}

function grow(memory: WebAssembly.Memory, bytes: number): void {
  try {
    memory.grow(Math.ceil((bytes - memory.buffer.byteLength) / PAGE));
  } catch {
    throw new Error(
      `tfjs-convgrad: out of memory: ${Math.ceil(bytes / 2 ** 20)} MiB of WebAssembly memory are needed, ` +
        `and the engine gives no more than ${Math.floor(memory.buffer.byteLength / 2 ** 20)} MiB.`,
    );
  }
}

/** The WebAssembly modules: the builds of assembly/, and which of them this engine runs. */
import { RELAXED_SIMD, SIMD } from './binaries.js';

/** The build relaxed-simd has fused multiply-add. */
export type SimdLevel = 'relaxed-simd' | 'simd';
export const SIMD_LEVELS = ['relaxed-simd', 'simd'] as const;

const BINARIES = { 'relaxed-simd': RELAXED_SIMD, simd: SIMD };

type Tried = WebAssembly.Module | string;
const plain = new Map<SimdLevel, Tried>();
const shared = new Map<SimdLevel, Tried>();

/** Why this engine cannot run the build; undefined if it can. */
export function whyNot(level: SimdLevel): string | undefined {
  const module = compiled(level);
  return typeof module === 'string' ? module : undefined;
}

/** The build for a memory that is, or is not, shared. @throws Error if the engine cannot run it */
export function moduleFor(level: SimdLevel, isShared: boolean): WebAssembly.Module {
  const module = isShared ? compiledForShared(level) : compiled(level);
  if (typeof module === 'string') throw new Error(module);
  return module;
}

export function exportsOf(module: WebAssembly.Module, memory: WebAssembly.Memory): WebAssembly.Exports {
  return new WebAssembly.Instance(module, { env: { memory } }).exports;
}

/** By its name, because Jest gives the plugin another ArrayBuffer than WebAssembly has. */
export function isShared({ buffer }: WebAssembly.Memory): boolean {
  return Object.prototype.toString.call(buffer) === '[object SharedArrayBuffer]';
}

/**
 * The module, or the reason why the engine cannot run it: no WebAssembly, no SIMD, a Content-Security-Policy that forbids it, or too
 * little address space for any memory (`ulimit -v`). The last shows only at an instance.
 */
function compiled(level: SimdLevel): Tried {
  return known(plain, level, () => tried(compile(BINARIES[level])));
}

function compiledForShared(level: SimdLevel): Tried {
  return known(shared, level, () => compile(BINARIES[level], shareMemory));
}

function known(modules: Map<SimdLevel, Tried>, level: SimdLevel, make: () => Tried): Tried {
  const module = modules.get(level) ?? make();
  modules.set(level, module);
  return module;
}

function tried(module: Tried): Tried {
  if (typeof module === 'string') return module;
  try {
    exportsOf(module, new WebAssembly.Memory({ initial: 1 }));
    return module;
  } catch (error) {
    return String(error);
  }
}

/** @param base64 the module; `change` may alter its bytes, which it gets as characters */
function compile(base64: string, change = (bytes: string) => bytes): Tried {
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

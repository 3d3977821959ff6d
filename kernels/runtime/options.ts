/**
 * How the cpu and wasm backends compute: the paths that one can choose, and the path that serves.
 *
 *   definition    plain loops                                           float64 sums, rounded once
 *   thin          convolution pixel by pixel, for few pixels            float64 sums, rounded once
 *   im2col        products by packed panels, plain TypeScript           float64 sums, rounded once
 *   simd          WebAssembly SIMD                                      float32
 *   relaxed-simd  WebAssembly relaxed SIMD: fused multiply-add          float32
 *
 * 'auto' takes the fastest path that the engine can run. A Content-Security-Policy may forbid WebAssembly. Pooling, batch
 * normalization and depthwise convolution have the definition and the two SIMD paths. Matrix products have no thin path: the
 * definition serves. Elementwise ops and sums have one path, but for gradients of activations and, on wasm, for sums of columns.
 */
import { shown } from '../known.js';
import { memoryBytes } from './simd/instance.js';
import { SIMD_LEVELS, type SimdLevel, whyNot } from './simd/modules.js';

export const CPU_PATHS = [...SIMD_LEVELS, 'im2col', 'thin', 'definition'] as const;
export type CpuPath = (typeof CPU_PATHS)[number];
const WINOGRAD_TILES = [0, 2, 4] as const;
/** m, the side of a tile of outputs. 0 is the direct product. */
export type WinogradTile = (typeof WINOGRAD_TILES)[number];

export interface CpuOptions {
  /** The implementation that the cpu kernels use. The default, 'auto', takes the fastest one for each call. */
  path?: CpuPath | 'auto';
  /**
   * Winograd's algorithm saves multiplications. It is used only for work that is large enough to gain by it.
   *
   *   0  It is not used.
   *   2  The default. It is used where it rounds about as the direct sum does and is exact on whole numbers. (Whole
   *      numbers are exact while sums stay below 2^20, not 2^24.) These places are:
   *        - 3x3 convolutions of stride 1, in tiles of 2x2, or in tiles of 4x4 by 49 multiplications
   *        - the longer side of other filters
   *        - gradients of 3x3 filters
   *   4  As 2, but 3x3 convolutions of stride 1 take tiles of 4x4 by 36 multiplications, faster and less precise.
   */
  winograd?: WinogradTile;
}

export interface CpuInfo extends Required<CpuOptions> {
  /** The path that was chosen. For 'auto' it is the path that serves here for all work that is not tiny. */
  serving: CpuPath;
  /** For each WebAssembly build that this engine refuses, the reason. */
  unavailable: Partial<Record<SimdLevel, string>>;
  /** Size of the WebAssembly memory that is held now, beside tfjs's own. */
  wasmBytes: number;
}

let current: Required<CpuOptions> = { path: 'auto', winograd: 2 };

export function chosen(): Required<CpuOptions> {
  return current;
}

/**
 * Changes how the cpu kernels compute, from the next call on. Options that are not given stay as they are.
 * @throws Error for a path or tile that does not exist, or that this engine cannot run. Then nothing changes.
 */
export function configureCpu({ path = current.path, winograd = current.winograd }: CpuOptions): void {
  if (path !== 'auto' && !CPU_PATHS.includes(path)) {
    throw new Error(
      `tfjs-convgrad: path is ${shown(path)}, but it must be one of auto, ${CPU_PATHS.join(', ')}.`,
    );
  }
  const reason = isSimd(path) ? whyNot(path) : undefined;
  if (reason) {
    throw new Error(`tfjs-convgrad: path is ${path}, but it must be one that this engine runs: ${reason}`);
  }
  if (!WINOGRAD_TILES.includes(winograd)) {
    throw new Error(
      `tfjs-convgrad: winograd is ${shown(winograd)}, but it must be one of ${WINOGRAD_TILES.join(', ')}.`,
    );
  }
  current = { path, winograd };
}

export function cpuInfo(): CpuInfo {
  const reasons = SIMD_LEVELS.map((level) => [level, whyNot(level)]).filter(([, reason]) => reason);
  return {
    ...current,
    serving: current.path === 'auto' ? (bestSimd() ?? 'im2col') : current.path,
    unavailable: Object.fromEntries(reasons),
    wasmBytes: memoryBytes(),
  };
}

export function isSimd(path: CpuPath | 'auto'): path is SimdLevel {
  return (SIMD_LEVELS as readonly string[]).includes(path);
}

/** The fastest build that the engine runs, if it runs any. */
export function bestSimd(): SimdLevel | undefined {
  return SIMD_LEVELS.find((level) => !whyNot(level));
}

/** The build that a piece of work uses, if any. `large` says whether SIMD gains time on it. It counts under 'auto'. */
export function simdFor(large: boolean): SimdLevel | undefined {
  if (current.path === 'auto') return large ? bestSimd() : undefined;
  return isSimd(current.path) ? current.path : undefined;
}

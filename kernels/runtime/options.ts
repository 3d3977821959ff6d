/**
 * How the cpu backend computes: what may be chosen, and what serves.
 *
 *   definition    plain loops                                           float64 sums, rounded once
 *   thin          convolution one pixel after the other, for few        float64 sums, rounded once
 *   im2col        convolution by packed panels, plain TypeScript        float64 sums, rounded once
 *   simd          WebAssembly SIMD                                      float32
 *   relaxed-simd  WebAssembly relaxed SIMD: fused multiply-add          float32
 *
 * 'auto' takes the fastest that the engine runs; a Content-Security-Policy may forbid WebAssembly. Pooling has the
 * definition and the two of SIMD.
 */
import { memoryBytes, type SimdLevel, whyNot } from './simd/instance.js';

const SIMD_LEVELS = ['relaxed-simd', 'simd'] as const;
export const CPU_PATHS = [...SIMD_LEVELS, 'im2col', 'thin', 'definition'] as const;
export type CpuPath = (typeof CPU_PATHS)[number];
const WINOGRAD_TILES = [0, 2, 4] as const;
/** m, the side of a tile of outputs; 0 is the direct product. */
export type WinogradTile = (typeof WINOGRAD_TILES)[number];

export interface CpuOptions {
  /** Which implementation the cpu kernels use; 'auto', the default, takes the fastest for each call. */
  path?: CpuPath | 'auto';
  /**
   * Winograd's algorithm, which saves multiplications, for work that is large enough to gain by it. 2, the default: where it rounds
   * about as the direct sum does and is exact on whole numbers (while sums stay below 2^20, not 2^24): in 3x3 convolutions of stride 1, tiles of
   * 2x2, or of 4x4 by 49 multiplications; along the longer side of other filters; and in gradients of 3x3 filters. 4: the same, but
   * 3x3 convolutions of stride 1 in tiles of 4x4 by 36, faster and less precise. 0: nowhere.
   */
  winograd?: WinogradTile;
}

export interface CpuInfo extends Required<CpuOptions> {
  /** What 'auto' comes to here for work that is not tiny; otherwise the path that was chosen. */
  serving: CpuPath;
  /** Why WebAssembly does not serve, for each build that this engine refuses. */
  unavailable: Partial<Record<SimdLevel, string>>;
  /** WebAssembly memory that is held now. */
  wasmBytes: number;
}

let current: Required<CpuOptions> = { path: 'auto', winograd: 2 };

export function chosen(): Required<CpuOptions> {
  return current;
}

/**
 * Changes how the cpu kernels compute, from the next call on; what is not given stays.
 * @throws Error for a path or tile that there is not, or that this engine cannot run; nothing is changed then
 */
export function configureCpu({ path = current.path, winograd = current.winograd }: CpuOptions): void {
  if (path !== 'auto' && !CPU_PATHS.includes(path)) {
    throw new Error(`tfjs-convgrad: path is ${path}, but it must be one of auto, ${CPU_PATHS.join(', ')}.`);
  }
  const reason = isSimd(path) ? whyNot(path) : undefined;
  if (reason) {
    throw new Error(`tfjs-convgrad: path is ${path}, but it must be one that this engine runs: ${reason}`);
  }
  if (!WINOGRAD_TILES.includes(winograd)) {
    throw new Error(
      `tfjs-convgrad: winograd is ${winograd}, but it must be one of ${WINOGRAD_TILES.join(', ')}.`,
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

/** The faster build that the engine runs. */
export function bestSimd(): SimdLevel | undefined {
  return SIMD_LEVELS.find((level) => !whyNot(level));
}

/** The build that work of this kind is to use, if any: `large` is whether it pays where nothing was chosen. */
export function simdFor(large: boolean): SimdLevel | undefined {
  if (current.path === 'auto') return large ? bestSimd() : undefined;
  return isSimd(current.path) ? current.path : undefined;
}

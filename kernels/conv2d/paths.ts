/**
 * Which of the implementations of convolution serves on the cpu backend. All have the same results, to rounding.
 *
 *   definition    plain loops                                      float64 sums, rounded once
 *   thin          one pixel after the other, for few pixels        float64 sums, rounded once
 *   im2col        packed panels of patches, plain TypeScript       float64 sums, rounded once
 *   simd          WebAssembly SIMD                                 float32
 *   relaxed-simd  WebAssembly relaxed SIMD: fused multiply-add     float32
 *
 * Left alone ('auto') the best that the engine runs is chosen: WebAssembly where there is some, unless the work is too
 * small for it to pay; a Content-Security-Policy may forbid it.
 */
import type { Floats } from '../arrays.js';
import { type ConvGeometry, sizeOf } from '../geometry.js';
import { memoryBytes, type Simd, type SimdLevel, whyNot, withSimd } from '../simd/runtime.js';
import type { Epilogue } from './correlate.js';
import * as definition from './definition.js';
import { TILE } from './gemm.js';
import * as im2col from './im2col.js';
import * as simd from './simd.js';
import * as thin from './thin.js';
import type { WinogradTile } from './winograd.js';

const SIMD_LEVELS = ['relaxed-simd', 'simd'] as const;
const PLAIN = { definition, thin, im2col };
export type ConvPath = SimdLevel | keyof typeof PLAIN;
export const CONV_PATHS = [...SIMD_LEVELS, 'im2col', 'thin', 'definition'] as const satisfies ConvPath[];
const WINOGRAD_TILES = [0, 2, 4] as const satisfies WinogradTile[];

export interface CpuOptions {
  /** Which implementation of convolution the cpu backend uses; 'auto', the default, takes the fastest it can. */
  path?: ConvPath | 'auto';
  /**
   * Side of the tiles that 3x3 convolutions of stride 1 are computed in by Winograd's algorithm: 2 (the default), 4,
   * which is faster and less precise, or 0, not at all.
   */
  winograd?: WinogradTile;
}

export interface CpuInfo extends Required<CpuOptions> {
  /** What 'auto' comes to here for convolutions that are not tiny; otherwise the path that was chosen. */
  serving: ConvPath;
  /** Why WebAssembly does not serve, for each build that this engine refuses. */
  unavailable: Partial<Record<SimdLevel, string>>;
  /** WebAssembly memory that is held now. */
  wasmBytes: number;
}

let chosen: Required<CpuOptions> = { path: 'auto', winograd: 2 };

/**
 * Changes how convolution on the cpu backend is computed, from the next call on; what is not given stays.
 * @throws Error for a path or tile that there is not, or that this engine cannot run; nothing is changed then
 */
export function configureCpu({ path = chosen.path, winograd = chosen.winograd }: CpuOptions): void {
  if (path !== 'auto' && !CONV_PATHS.includes(path)) {
    throw new Error(`tfjs-convgrad: path is ${path}, but it must be one of auto, ${CONV_PATHS.join(', ')}.`);
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
  chosen = { path, winograd };
}

export function cpuInfo(): CpuInfo {
  const reasons = SIMD_LEVELS.map((level) => [level, whyNot(level)]).filter(([, reason]) => reason);
  return {
    ...chosen,
    serving: chosen.path === 'auto' ? (bestSimd() ?? 'im2col') : chosen.path,
    unavailable: Object.fromEntries(reasons),
    wasmBytes: memoryBytes(),
  };
}

/** Below this many products the plain paths are faster: copying and tables take some microseconds. */
const LEAST_PRODUCTS = 1 << 12;
/** Values of a filter that are not brought into WebAssembly memory, where it has to lie whole. */
const LARGEST_FILTER = 1 << 26;

/** The path of a convolution, or of a gradient of one, with these inputs. */
export function pathOf(g: ConvGeometry, ...inputs: Floats[]): ConvPath {
  const fits = inputs.every((values) => values instanceof Float32Array) && filterSize(g) <= LARGEST_FILTER;
  if (chosen.path !== 'auto') return isSimd(chosen.path) && !fits ? 'im2col' : chosen.path;
  const depthwise = g.groups > 1 && g.outChannels === g.groups;
  const large = g.outHeight * g.outWidth * g.batchSize * filterSize(g) >= LEAST_PRODUCTS;
  const level = fits && large && !depthwise ? bestSimd() : undefined;
  return level ?? plainPath(g);
}

/** A matrix of few columns or few rows does not pay for packing. */
function plainPath(g: ConvGeometry): keyof typeof PLAIN {
  if (g.outChannels === g.groups) return 'definition';
  return g.outHeight * g.outWidth < TILE ? 'thin' : 'im2col';
}

function filterSize(g: ConvGeometry): number {
  return sizeOf(g.filterShape);
}

/** As `pathOf`, for dx: where few pixels meet many cells, as in a dense layer's place, nearly all of a strip is padding. */
export function pathOfBackpropInput(g: ConvGeometry, dy: Floats, filter: Floats): ConvPath {
  const cells = g.inHeight * g.inWidth;
  const sparse = cells > 8 * g.outHeight * g.outWidth * g.strideHeight * g.strideWidth;
  return chosen.path === 'auto' && sparse ? plainPath(g) : pathOf(g, dy, filter);
}

/** y: [batch, outHeight, outWidth, outChannels]; the epilogue is for the SIMD paths alone. */
export function conv2d(
  path: ConvPath,
  x: Floats,
  filter: Floats,
  g: ConvGeometry,
  epilogue?: Epilogue,
): Float32Array {
  if (!isSimd(path)) return rounded(g.outShape, (sums) => PLAIN[path].conv2d(x, filter, g, sums));
  return written(g.outShape, path, (w, y) =>
    simd.conv2d(w, x as Float32Array, filter as Float32Array, g, y, chosen.winograd, epilogue),
  );
}

/** dx: of x's shape */
export function conv2dBackpropInput(
  path: ConvPath,
  dy: Floats,
  filter: Floats,
  g: ConvGeometry,
): Float32Array {
  if (!isSimd(path))
    return rounded(g.inShape, (sums) => PLAIN[path].conv2dBackpropInput(dy, filter, g, sums));
  return written(g.inShape, path, (w, dx) =>
    simd.conv2dBackpropInput(w, dy as Float32Array, filter as Float32Array, g, dx, chosen.winograd),
  );
}

/** dFilter: of the filter's shape */
export function conv2dBackpropFilter(path: ConvPath, x: Floats, dy: Floats, g: ConvGeometry): Float32Array {
  if (!isSimd(path)) {
    return rounded(g.filterShape, (sums) => PLAIN[path].conv2dBackpropFilter(x, dy, g, sums));
  }
  return written(g.filterShape, path, (w, dFilter) =>
    simd.conv2dBackpropFilter(w, x as Float32Array, dy as Float32Array, g, dFilter),
  );
}

export function isSimd(path: ConvPath | 'auto'): path is SimdLevel {
  return (SIMD_LEVELS as readonly string[]).includes(path);
}

function bestSimd(): SimdLevel | undefined {
  return SIMD_LEVELS.find((level) => !whyNot(level));
}

/** A result that is summed in float64 and rounded to float32 at the end. */
function rounded(shape: readonly number[], write: (sums: Float64Array) => void): Float32Array {
  return allocating(shape, () => {
    const sums = new Float64Array(sizeOf(shape));
    write(sums);
    return new Float32Array(sums);
  });
}

function written(
  shape: readonly number[],
  level: SimdLevel,
  write: (instance: Simd, values: Float32Array) => void,
): Float32Array {
  const values = allocating(shape, () => new Float32Array(sizeOf(shape)));
  withSimd(level, (w) => write(w, values));
  return values;
}

function allocating(shape: readonly number[], make: () => Float32Array): Float32Array {
  try {
    return make();
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    const bytes = 4 * sizeOf(shape);
    throw new Error(
      `tfjs-convgrad: out of memory: a result of shape [${shape}] takes ${Math.ceil(bytes / 2 ** 20)} MiB, ` +
        `more than the engine gives (${error.message}).`,
    );
  }
}

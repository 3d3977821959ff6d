/**
 * The implementations of convolution on the cpu backend, and the choice between them. All of them have the same
 * results, to rounding. ../runtime/options.ts says how to choose one by hand. The default is WebAssembly, unless the
 * work is too small to gain by it.
 */
import { type Floats, unwritten } from '../arrays.js';
import { chosen, type CpuPath, isSimd, simdFor } from '../runtime/options.js';
import { type ConvGeometry, sizeOf } from '../geometry.js';
import { type Simd, type SimdLevel, withSimd } from '../runtime/simd/instance.js';
import type { Epilogue } from './simd/correlate.js';
import * as definition from './definition.js';
import { TILE } from './plain/gemm.js';
import * as im2col from './plain/im2col.js';
import * as simd from './simd/conv2d.js';
import * as thin from './plain/thin.js';

const PLAIN = { definition, thin, im2col };

/** Below this many products the plain paths are faster: copies and tables take about ten microseconds. */
const LEAST_PRODUCTS = 1 << 11;
/** The plain paths serve filters of more values: WebAssembly memory may have to hold all panels of a filter. */
const LARGEST_FILTER = 1 << 26;

/** The path of a convolution, or of its gradient, for these inputs. */
export function pathOf(g: ConvGeometry, ...inputs: Floats[]): CpuPath {
  const { path } = chosen();
  const fits = inputs.every((values) => values instanceof Float32Array) && filterSize(g) <= LARGEST_FILTER;
  const depthwise = g.groups > 1 && g.outChannels === g.groups;
  const level = fits ? simdFor(isLarge(g) && !depthwise) : undefined;
  return level ?? (path === 'auto' || isSimd(path) ? plainPath(g) : path);
}

/** Packing costs more than it gains for a small matrix, or for one of few columns or few rows. */
function plainPath(g: ConvGeometry): keyof typeof PLAIN {
  if (g.outChannels === g.groups) return 'definition';
  return g.outHeight * g.outWidth < TILE || !isLarge(g) ? 'thin' : 'im2col';
}

function isLarge(g: ConvGeometry): boolean {
  return g.outHeight * g.outWidth * g.batchSize * filterSize(g) >= LEAST_PRODUCTS;
}

function filterSize(g: ConvGeometry): number {
  return sizeOf(g.filterShape);
}

/**
 * As `pathOf`, for dx. Where few pixels meet many cells, as in a convolution in place of a dense layer, nearly all of
 * a strip is padding. There a plain path serves.
 */
export function pathOfBackpropInput(g: ConvGeometry, dy: Floats, filter: Floats): CpuPath {
  const cells = g.inHeight * g.inWidth;
  const sparse = cells > 8 * g.outHeight * g.outWidth * g.strideHeight * g.strideWidth;
  return chosen().path === 'auto' && sparse ? plainPath(g) : pathOf(g, dy, filter);
}

/** y: [batch, outHeight, outWidth, outChannels]. Only the SIMD paths take an epilogue. */
export function conv2d(
  path: CpuPath,
  x: Floats,
  filter: Floats,
  g: ConvGeometry,
  epilogue?: Epilogue,
): Float32Array {
  if (!isSimd(path)) return rounded(g.outShape, (sums) => PLAIN[path].conv2d(x, filter, g, sums));
  return written(g.outShape, path, (w, y) =>
    simd.conv2d(w, x as Float32Array, filter as Float32Array, g, y, chosen().winograd, epilogue),
  );
}

/** dx: of x's shape */
export function conv2dBackpropInput(
  path: CpuPath,
  dy: Floats,
  filter: Floats,
  g: ConvGeometry,
): Float32Array {
  if (!isSimd(path))
    return rounded(g.inShape, (sums) => PLAIN[path].conv2dBackpropInput(dy, filter, g, sums));
  return written(g.inShape, path, (w, dx) =>
    simd.conv2dBackpropInput(w, dy as Float32Array, filter as Float32Array, g, dx, chosen().winograd),
  );
}

/** dFilter: of the filter's shape */
export function conv2dBackpropFilter(path: CpuPath, x: Floats, dy: Floats, g: ConvGeometry): Float32Array {
  if (!isSimd(path)) {
    return rounded(g.filterShape, (sums) => PLAIN[path].conv2dBackpropFilter(x, dy, g, sums));
  }
  return written(g.filterShape, path, (w, dFilter) =>
    simd.conv2dBackpropFilter(w, x as Float32Array, dy as Float32Array, g, dFilter, chosen().winograd),
  );
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
  const values = allocating(shape, () => unwritten(sizeOf(shape)));
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

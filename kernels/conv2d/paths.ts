/**
 * The implementations of convolution on the cpu and wasm backends, and the choice between them. All of them have the same
 * results, to rounding. ../runtime/options.ts says how to choose one by hand. The default is WebAssembly, unless the
 * work is too small to gain by it.
 */
import type { Floats } from '../arrays.js';
import { chosen, type CpuPath, isSimd, simdFor } from '../runtime/options.js';
import * as depthwise from '../depthwise_conv2d/definition.js';
import * as depthwiseSimd from '../depthwise_conv2d/simd.js';
import { type ConvGeometry, isDepthwise, sizeOf } from '../geometry.js';
import type { Heap } from '../runtime/heap.js';
import type { Size } from '../runtime/threads/threads.js';
import { type Simd, withSimd } from '../runtime/simd/instance.js';
import type { Epilogue } from '../runtime/simd/epilogue.js';
import * as definition from './definition.js';
import { TILE } from '../runtime/plain/gemm.js';
import * as im2col from './plain/im2col.js';
import * as simd from './simd/conv2d.js';
import { isDenseLayer } from './simd/dense.js';
import * as thin from './plain/thin.js';

const PLAIN = { definition, thin, im2col };

/** The functions of a plain path. Where the groups are single channels, the definition has loops of its own. */
function plain(path: keyof typeof PLAIN, g: ConvGeometry) {
  return path === 'definition' && isDepthwise(g) ? depthwise : PLAIN[path];
}

/** Below this many products the plain paths are faster: copies and tables take about ten microseconds. */
const LEAST_PRODUCTS = 1 << 11;
/** The plain paths serve filters of more values: WebAssembly memory may have to hold all panels of a filter. */
const LARGEST_FILTER = 1 << 26;

/** The path of a convolution, or of its gradient, for these inputs. */
export function pathOf(g: ConvGeometry, ...inputs: Floats[]): CpuPath {
  const { path } = chosen();
  const fits = inputs.every((values) => values instanceof Float32Array) && filterSize(g) <= LARGEST_FILTER;
  const level = fits ? simdFor(isLarge(g)) : undefined;
  return level ?? (path === 'auto' || isSimd(path) ? plainPath(g) : path);
}

/** Packing costs more than it gains for a small matrix, or for one of few columns or few rows. */
function plainPath(g: ConvGeometry): keyof typeof PLAIN {
  if (isDepthwise(g) || g.outChannels === g.groups) return 'definition';
  return g.outHeight * g.outWidth < TILE || !isLarge(g) ? 'thin' : 'im2col';
}

function isLarge(g: ConvGeometry): boolean {
  return productsOf(g) >= LEAST_PRODUCTS;
}

function productsOf(g: ConvGeometry): number {
  return g.outHeight * g.outWidth * g.batchSize * filterSize(g);
}

function sizeOfWork(g: ConvGeometry): Size | undefined {
  if (isDepthwise(g)) return undefined; // it has few products for each value
  return { products: productsOf(g), values: sizeOf(g.inShape) + filterSize(g) + sizeOf(g.outShape) };
}

function filterSize(g: ConvGeometry): number {
  return sizeOf(g.filterShape);
}

/** As `pathOf`, for dx. Where few pixels meet many cells, nearly all of a strip is padding. There a plain path serves. */
export function pathOfBackpropInput(g: ConvGeometry, dy: Floats, filter: Floats): CpuPath {
  const cells = g.inHeight * g.inWidth;
  const sparse = cells > 8 * g.outHeight * g.outWidth * g.strideHeight * g.strideWidth && !isDenseLayer(g);
  return chosen().path === 'auto' && sparse ? plainPath(g) : pathOf(g, dy, filter);
}

/** Writes y: [batch, outHeight, outWidth, outChannels]. Only the SIMD paths take an epilogue, and a heap that may hold the arrays. */
export function conv2d(
  path: CpuPath,
  x: Floats,
  filter: Floats,
  g: ConvGeometry,
  y: Float32Array,
  heap?: Heap,
  epilogue?: Epilogue<Float32Array>,
): void {
  if (!isSimd(path)) return rounded(y, (sums) => plain(path, g).conv2d(x, filter, g, sums));
  const [xs, filters] = [x, filter] as Float32Array[];
  const work = (w: Simd) =>
    isDepthwise(g)
      ? depthwiseSimd.conv2d(w, xs, filters, g, y, epilogue)
      : simd.conv2d(w, xs, filters, g, y, chosen().winograd, epilogue);
  withSimd(path, work, heap, sizeOfWork(g));
}

/** Writes dx: of x's shape. */
export function conv2dBackpropInput(
  path: CpuPath,
  dy: Floats,
  filter: Floats,
  g: ConvGeometry,
  dx: Float32Array,
  heap?: Heap,
): void {
  if (!isSimd(path)) return rounded(dx, (sums) => plain(path, g).conv2dBackpropInput(dy, filter, g, sums));
  const { conv2dBackpropInput } = isDepthwise(g) ? depthwiseSimd : simd;
  const work = (w: Simd) =>
    conv2dBackpropInput(w, dy as Float32Array, filter as Float32Array, g, dx, chosen().winograd);
  withSimd(path, work, heap, sizeOfWork(g));
}

/** Writes dFilter: of the filter's shape. */
export function conv2dBackpropFilter(
  path: CpuPath,
  x: Floats,
  dy: Floats,
  g: ConvGeometry,
  dFilter: Float32Array,
  heap?: Heap,
): void {
  if (!isSimd(path)) return rounded(dFilter, (sums) => plain(path, g).conv2dBackpropFilter(x, dy, g, sums));
  const { conv2dBackpropFilter } = isDepthwise(g) ? depthwiseSimd : simd;
  const work = (w: Simd) =>
    conv2dBackpropFilter(w, x as Float32Array, dy as Float32Array, g, dFilter, chosen().winograd);
  withSimd(path, work, heap, sizeOfWork(g));
}

/** Sums in float64, and rounds to float32 at the end. */
function rounded(result: Float32Array, write: (sums: Float64Array) => void): void {
  const sums = new Float64Array(result.length);
  write(sums);
  result.set(sums);
}

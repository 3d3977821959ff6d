/**
 * The numeric functions alone, without tfjs. They take typed arrays and a geometry, and write typed arrays. If inputs
 * and results are Float64Array, the results have float64 precision. Published as "tfjs-convgrad/numeric".
 */
import type { Floats, Numbers } from '../kernels/arrays.js';
import * as avgPools from '../kernels/avg_pool/definition.js';
import * as batchNorms from '../kernels/batch_norm/definition.js';
import type { BatchNormGradients, BatchNormParameters } from '../kernels/batch_norm/definition.js';
import * as definition from '../kernels/conv2d/definition.js';
import * as layout from '../kernels/conv2d/layout.js';
import * as plain from '../kernels/conv2d/plain/im2col.js';
import * as depthwise from '../kernels/depthwise_conv2d/definition.js';
import * as geometry from '../kernels/geometry.js';
import type {
  ConvGeometry,
  ConvOptions,
  Pair,
  PoolGeometry,
  PoolOptions,
  WindowOptions,
} from '../kernels/geometry.js';
import { readOptions, shown } from '../kernels/known.js';
import * as maxPools from '../kernels/max_pool/definition.js';

export type { Floats, Numbers } from '../kernels/arrays.js';
export {
  type ConvGeometry,
  type ConvOptions,
  type DataFormat,
  type DimRoundingMode,
  type ExplicitPadding,
  type Geometry,
  type Padding,
  type Pair,
  type PoolGeometry,
  type PoolOptions,
  type WindowOptions,
  withDyShape,
} from '../kernels/geometry.js';
export * as conv2dDefinition from '../kernels/conv2d/definition.js';
export { type ActivationName, activations } from '../kernels/conv2d/activation.js';
export type { BatchNormGradients, BatchNormParameters } from '../kernels/batch_norm/definition.js';

const WINDOW_OPTIONS = ['strides', 'pad', 'dilations', 'dataFormat', 'dimRoundingMode'] as const;

/**
 * Geometry of a 2-D convolution.
 * @param inShape [batch, height, width, channels], or [batch, channels, height, width] for NCHW
 * @param filterShape [filterHeight, filterWidth, inChannels / groups, outChannels]
 * @throws Error that names the argument, its value and what is allowed
 */
export function convGeometry(
  inShape: readonly number[],
  filterShape: readonly number[],
  options: ConvOptions = {},
): ConvGeometry {
  const known = readOptions('convGeometry', options, [...WINDOW_OPTIONS, 'groups']);
  return geometry.convGeometry(inShape, filterShape, known);
}

/**
 * Geometry of a depthwise 2-D convolution: a convolution in which each channel of x is a group.
 * @param inShape [batch, height, width, channels], or [batch, channels, height, width] for NCHW
 * @param filterShape [filterHeight, filterWidth, channels, multiplier], in memory the same as [.., 1, channels * multiplier]
 * @throws Error that names the argument, its value and what is allowed
 */
export function depthwiseGeometry(
  inShape: readonly number[],
  filterShape: readonly number[],
  options: WindowOptions = {},
): ConvGeometry {
  const known = readOptions('depthwiseGeometry', options, WINDOW_OPTIONS);
  return geometry.depthwiseGeometry(inShape, filterShape, known);
}

/**
 * Geometry of 2-D pooling.
 * @param inShape [batch, height, width, channels], or [batch, channels, height, width] for NCHW
 * @param filterSize height and width of the window: a number or a pair
 * @throws Error that names the argument, its value and what is allowed
 */
export function poolGeometry(
  inShape: readonly number[],
  filterSize: Pair,
  options: PoolOptions = {},
): PoolGeometry {
  const known = readOptions('poolGeometry', options, [...WINDOW_OPTIONS, 'countIncludePad', 'identityIf1x1']);
  return geometry.poolGeometry(inShape, filterSize, known);
}

/** y = conv2d(x, filter). Every cell of y is written. */
export function conv2d(x: Floats, filter: Floats, g: ConvGeometry, y: Floats): void {
  checkArrays('conv2d', g, { x, filter, y });
  plain.conv2d(x, filter, g, y);
}

/** dx = sum over all y of dy * d y / d x. Every cell of dx is written. */
export function conv2dBackpropInput(dy: Floats, filter: Floats, g: ConvGeometry, dx: Floats): void {
  checkArrays('conv2dBackpropInput', g, { dy, filter, dx });
  plain.conv2dBackpropInput(dy, filter, g, dx);
}

/** dFilter = sum over all y of dy * d y / d filter, summed over the batch. Every cell of dFilter is written. */
export function conv2dBackpropFilter(x: Floats, dy: Floats, g: ConvGeometry, dFilter: Floats): void {
  checkArrays('conv2dBackpropFilter', g, { x, dy, dFilter });
  plain.conv2dBackpropFilter(x, dy, g, dFilter);
}

/** dBias[oc] = sum of dy over batch, height and width. dBias: [outChannels]. Every cell of dBias is written. */
export function biasGrad(dy: Floats, g: ConvGeometry, dBias: Floats): void {
  checkArrays('biasGrad', g, { dy, dBias });
  definition.biasGrad(dy, g, dBias);
}

/**
 * The whole patch matrix of x, for readers who want to see it: [batch * outHeight * outWidth, filterHeight *
 * filterWidth * inChannels], in row-major order, with 0 in the padding.
 */
export function im2col(x: Floats, g: ConvGeometry): Float64Array {
  checkArrays('im2col', g, { x });
  return plain.im2col(x, g);
}

/** y = depthwiseConv2d(x, filter). Every cell of y is written. */
export function depthwiseConv2d(x: Floats, filter: Floats, g: ConvGeometry, y: Floats): void {
  checkArrays('depthwiseConv2d', g, { x, filter, y });
  depthwise.conv2d(x, filter, g, y);
}

/** dx = sum over all y of dy * d y / d x. Every cell of dx is written. */
export function depthwiseConv2dBackpropInput(dy: Floats, filter: Floats, g: ConvGeometry, dx: Floats): void {
  checkArrays('depthwiseConv2dBackpropInput', g, { dy, filter, dx });
  depthwise.conv2dBackpropInput(dy, filter, g, dx);
}

/** dFilter = sum over all y of dy * d y / d filter, summed over the batch. Every cell of dFilter is written. */
export function depthwiseConv2dBackpropFilter(x: Floats, dy: Floats, g: ConvGeometry, dFilter: Floats): void {
  checkArrays('depthwiseConv2dBackpropFilter', g, { x, dy, dFilter });
  depthwise.conv2dBackpropFilter(x, dy, g, dFilter);
}

/** @param shape [outChannels, inChannels, height, width] of `filter` */
export function oihwToHwio(filter: Floats, shape: readonly number[]): Floats {
  checkFilter('oihwToHwio', filter, shape);
  return layout.oihwToHwio(filter, shape);
}

/** @param shape [height, width, inChannels, outChannels] of `filter` */
export function hwioToOihw(filter: Floats, shape: readonly number[]): Floats {
  checkFilter('hwioToOihw', filter, shape);
  return layout.hwioToOihw(filter, shape);
}

/**
 * y = maxPool(x), and the position of each maximum. Every cell of y and positions that belongs to a window is
 * written. If the steps of y are those of a larger dy, some cells belong to no window. Their positions are -1.
 * @param positions [size of y] index into the flat x, -1 for a window wholly in padding
 */
export function maxPool(x: Numbers, g: PoolGeometry, y: Numbers, positions: Int32Array): void {
  checkArrays('maxPool', g, { x, y, positions });
  maxPools.maxPool(x, g, y, positions);
}

/**
 * dx = sum over all y of dy * d y / d x. Every cell of dx is written.
 * @param positions [size of dy] positions of the maxima, as `maxPool` writes them
 */
export function maxPoolGrad(dy: Floats, positions: Int32Array, dx: Floats): void {
  checkArray('maxPoolGrad', 'dx', dx);
  checkArray('maxPoolGrad', 'positions', positions);
  checkArray('maxPoolGrad', 'dy', dy, positions.length);
  maxPools.maxPoolGrad(dy, positions, dx);
}

/** y = avgPool(x). Every cell of y is written. */
export function avgPool(x: Numbers, g: PoolGeometry, y: Numbers): void {
  checkArrays('avgPool', g, { x, y });
  avgPools.avgPool(x, g, y);
}

/** dx = sum over all y of dy * d y / d x. Every cell of dx is written. */
export function avgPoolGrad(dy: Floats, g: PoolGeometry, dx: Floats): void {
  checkArrays('avgPoolGrad', g, { dy, dx });
  avgPools.avgPoolGrad(dy, g, dx);
}

/** y = batchNorm(x). Every cell of y is written. */
export function batchNorm(x: Floats, p: BatchNormParameters, y: Floats): void {
  checkParameters('batchNorm', x, p);
  checkArray('batchNorm', 'y', y, x.length);
  batchNorms.batchNorm(x, p, y);
}

/** The gradients of <dy, batchNorm(x)>. Every cell of them is written. */
export function batchNormGrad(dy: Floats, x: Floats, p: BatchNormParameters, d: BatchNormGradients): void {
  checkParameters('batchNormGrad', x, p);
  checkObject('batchNormGrad', 'd', d);
  checkArray('batchNormGrad', 'dy', dy, x.length);
  checkArray('batchNormGrad', 'd.x', d.x, x.length);
  for (const name of PARAMETERS) checkArray('batchNormGrad', `d.${name}`, d[name], p.mean.length);
  batchNorms.batchNormGrad(dy, x, p, d);
}

// Checks. An array of another length would be read past its end, which gives NaN, or be written in part, without a word.

const PARAMETERS = ['mean', 'variance', 'offset', 'scale'] as const;

/** The lengths of arrays by their names. dy may be larger than y: then the geometry has its steps. */
const LENGTHS = {
  x: (g: geometry.Geometry) => geometry.sizeOf(g.inShape),
  y: (g: geometry.Geometry) => g.batchSize * g.y.batch,
  filter: (g: geometry.Geometry) => geometry.sizeOf((g as ConvGeometry).filterShape),
  bias: (g: geometry.Geometry) => g.outChannels,
};
const KINDS: Record<string, keyof typeof LENGTHS> = { dx: 'x', dy: 'y', positions: 'y', dFilter: 'filter', dBias: 'bias' }; // prettier-ignore

function checkArrays(of: string, g: geometry.Geometry, arrays: Record<string, Numbers>): void {
  checkObject(of, 'the geometry', g);
  if (!Array.isArray(g.inShape)) {
    throw new Error(`tfjs-convgrad: the geometry of ${of} is an object, but it must be one that convGeometry(), depthwiseGeometry() or poolGeometry() returned.`); // prettier-ignore
  }
  for (const [name, values] of Object.entries(arrays)) {
    checkArray(of, name, values, LENGTHS[KINDS[name] ?? (name as 'x')](g));
  }
}

function checkArray(of: string, name: string, values: Numbers, length?: number): void {
  const isArray = ArrayBuffer.isView(values) && 'length' in values;
  if (isArray && values.length === (length ?? values.length)) return;
  const is = isArray ? `a typed array of length ${values.length}` : shown(values);
  const wanted = length === undefined ? 'a typed array' : `a typed array of length ${length}`;
  throw new Error(`tfjs-convgrad: ${name} of ${of} is ${is}, but it must be ${wanted}.`);
}

function checkObject(of: string, name: string, value: unknown): void {
  if (typeof value === 'object' && value !== null) return;
  throw new Error(`tfjs-convgrad: ${name} of ${of} is ${shown(value)}, but it must be an object.`);
}

function checkFilter(of: string, filter: Floats, shape: readonly number[]): void {
  if (
    !Array.isArray(shape) ||
    shape.length !== 4 ||
    !shape.every((size) => Number.isInteger(size) && size >= 0)
  ) {
    throw new Error(
      `tfjs-convgrad: the shape of ${of} is ${shown(shape)}, but it must be four whole numbers.`,
    );
  }
  checkArray(of, 'filter', filter, geometry.sizeOf(shape));
}

function checkParameters(of: string, x: Floats, p: BatchNormParameters): void {
  checkObject(of, 'p', p);
  checkArray(of, 'x', x);
  checkArray(of, 'p.mean', p.mean);
  for (const name of PARAMETERS) checkArray(of, `p.${name}`, p[name], p.mean.length);
  if (typeof p.epsilon !== 'number') {
    throw new Error(`tfjs-convgrad: p.epsilon of ${of} is ${shown(p.epsilon)}, but it must be a number.`);
  }
  if (x.length % p.mean.length !== 0) {
    throw new Error(
      `tfjs-convgrad: x of ${of} has ${x.length} values, but it must have ${p.mean.length}, the channels, for each pixel.`,
    );
  }
}

/**
 * The geometry of a window that slides over an image: which input cells each output cell reads.
 *
 *   padded height   = inHeight + padTop + padBottom
 *   effectiveFilter = (filter - 1) * dilation + 1
 *   outHeight       = round((inHeight + padTop + padBottom - effectiveFilterHeight) / strideHeight + 1)
 *   input row of output row oy and filter row fy = oy * strideHeight - padTop + fy * dilationHeight
 *
 * The same holds along the width. `round` is the rounding mode. This file validates and computes everything once.
 * Kernels take the frozen result. They check nothing and derive nothing. Sizes agree with tfjs's
 * `backend_util.computeConv2DInfo` and `computePool2DInfo`, except where docs/deviations.md says otherwise (row 3: a
 * numeric pad).
 */
import { shown } from './known.js';

export type Pair = number | readonly number[];
export type DataFormat = 'NHWC' | 'NCHW';
/** [before, after] for each dimension of x, in the order of its dataFormat. Batch and channels must be [0, 0]. */
export type ExplicitPadding = readonly (readonly number[])[];
/** A number pads all sides. A pair pads the sides along [height, width]. */
export type Padding = 'same' | 'valid' | Pair | ExplicitPadding;
/** How to round where the stride does not divide. 'exact' throws there. tfjs has the other three modes. */
export type DimRoundingMode = 'floor' | 'round' | 'ceil' | 'exact';

export interface WindowOptions {
  /** Step of the window: a number or [height, width]. The default is 1. For pooling it is the size of the window. */
  strides?: Pair;
  /** 'same', 'valid', a number or explicit sides. Negative sides leave cells out. The default is 'valid'. */
  pad?: Padding;
  /** Distance between two taps of the window: a number or [height, width]. The default is 1. */
  dilations?: Pair;
  dataFormat?: DataFormat;
  dimRoundingMode?: DimRoundingMode;
}

export interface ConvOptions extends WindowOptions {
  /** Number of groups of channels. Each group is convolved on its own. The default is 1. */
  groups?: number;
}

export interface PoolOptions extends WindowOptions {
  /** Average pooling divides by the number of cells of the padded image in the window, not of the image alone. */
  countIncludePad?: boolean;
  /**
   * The rule of tfjs's own kernels: if a 1x1 window gives an output of the input's shape, it is the identity,
   * whatever the strides and the pad are.
   */
  identityIf1x1?: boolean;
}

/** Number of values in a tensor. */
export function sizeOf(shape: readonly number[]): number {
  return shape.reduce((size, n) => size * n, 1);
}

/** Distance in elements between two neighbours, along each dimension of an image tensor. */
export interface Steps {
  readonly batch: number;
  readonly row: number;
  readonly col: number;
  readonly channel: number;
}

export interface Geometry {
  readonly dataFormat: DataFormat;
  readonly batchSize: number;
  readonly inHeight: number;
  readonly inWidth: number;
  readonly inChannels: number;
  readonly outHeight: number;
  readonly outWidth: number;
  readonly outChannels: number;
  readonly filterHeight: number;
  readonly filterWidth: number;
  readonly effectiveFilterHeight: number;
  readonly effectiveFilterWidth: number;
  readonly strideHeight: number;
  readonly strideWidth: number;
  readonly dilationHeight: number;
  readonly dilationWidth: number;
  readonly padTop: number;
  readonly padBottom: number;
  readonly padLeft: number;
  readonly padRight: number;
  readonly inShape: readonly number[];
  readonly outShape: readonly number[];
  /** Steps through x (and dx). */
  readonly x: Steps;
  /** Steps through y and dy. A dy may be larger than outShape: see `withDyShape`. */
  readonly y: Steps;
}

export interface ConvGeometry extends Geometry {
  readonly groups: number;
  /** [filterHeight, filterWidth, inChannels / groups, outChannels] */
  readonly filterShape: readonly number[];
}

export interface PoolGeometry extends Geometry {
  readonly countIncludePad: boolean;
}

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
  checkShape('filterShape', filterShape);
  const [filterHeight, filterWidth, filterInChannels, outChannels] = filterShape;
  const { groups = 1, strides = 1 } = options;
  checkPositive('groups', groups);
  const window = windowGeometry(inShape, [filterHeight, filterWidth], outChannels, strides, options);
  if (window.inChannels !== filterInChannels * groups) {
    fail(
      'filter',
      `[${filterShape}]`,
      `its third dimension times groups (${groups}) must be the ${window.inChannels} channels of x [${inShape}]`,
    );
  }
  if (outChannels % groups !== 0) {
    fail('groups', groups, `it must divide the ${outChannels} output channels`);
  }
  return Object.freeze(Object.assign(window, { groups, filterShape: Object.freeze([...filterShape]) }));
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
  checkShape('x', inShape);
  checkShape('filterShape', filterShape);
  const channels = inShape[options.dataFormat === 'NCHW' ? 1 : 3];
  const [filterHeight, filterWidth, filterChannels, multiplier] = filterShape;
  if (filterChannels !== channels) {
    fail(
      'filter',
      `[${filterShape}]`,
      `its third dimension must be the ${channels} channels of x [${inShape}]`,
    );
  }
  const groups = Math.max(1, channels); // no channels at all are one empty group
  const grouped = [filterHeight, filterWidth, channels / groups, channels * multiplier];
  // tf.depthwiseConv2d passes a null on.
  return convGeometry(inShape, grouped, { ...options, groups, dilations: options.dilations ?? 1 });
}

/** Whether each channel of x is a group of its own. If x has a single channel, the convolution is an ordinary one. */
export function isDepthwise({ groups, inChannels }: ConvGeometry): boolean {
  return groups > 1 && groups === inChannels;
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
  checkShape('x', inShape);
  const { strides = filterSize, countIncludePad = false } = options;
  if (typeof countIncludePad !== 'boolean')
    fail('countIncludePad', countIncludePad, 'it must be true or false');
  const channels = inShape[options.dataFormat === 'NCHW' ? 1 : 3];
  const window = windowGeometry(inShape, filterSize, channels, strides, options);
  const { filterHeight, filterWidth, outShape, dataFormat } = window;
  const is1x1 = filterHeight === 1 && filterWidth === 1;
  if (options.identityIf1x1 && is1x1 && outShape.every((size, i) => size === inShape[i])) {
    return poolGeometry(inShape, 1, { strides: 1, dataFormat });
  }
  return Object.freeze(Object.assign(window, { countIncludePad }));
}

/**
 * The same geometry for a dy that is larger than outShape in height or width. The steps are those of dy. Kernels
 * ignore the rows and columns past outShape.
 * @throws Error if dy is smaller than outShape, or has another batch size or channel count
 */
export function withDyShape<G extends Geometry>(geometry: G, dyShape: readonly number[]): G {
  checkShape('dy', dyShape);
  const { outShape, dataFormat } = geometry;
  if (dyShape.every((size, i) => size === outShape[i])) return geometry;
  const height = dataFormat === 'NCHW' ? 2 : 1;
  const fits = dyShape.every((size, i) =>
    i === height || i === height + 1 ? size >= outShape[i] : size === outShape[i],
  );
  if (!fits) {
    fail('dy', `of shape [${dyShape}]`, `it must have the shape of the output, [${outShape}]`);
  }
  return Object.freeze({ ...geometry, y: steps(dyShape, dataFormat) });
}

/**
 * Calls visit once for each window, image by image and row by row.
 *
 *   rows, cols   How many of the window's rows and columns of taps lie in x. The others lie in the padding.
 *   xi           The first tap that lies in x reads x[xi], in channel 0. `tapSteps` leads to the others.
 *   yi           The window's output is y[yi], in channel 0.
 *   top, left    Row and column of the window's first tap, which may lie in the padding.
 */
export function forEachWindow(
  g: Geometry,
  visit: (xi: number, yi: number, rows: number, cols: number, top: number, left: number) => void,
): void {
  const { batchSize, inHeight, inWidth, outHeight, outWidth, strideHeight, strideWidth } = g;
  const { effectiveFilterHeight, effectiveFilterWidth, dilationHeight, dilationWidth } = g;
  const down = windowsAlong(
    outHeight,
    strideHeight,
    g.padTop,
    effectiveFilterHeight,
    dilationHeight,
    inHeight,
  );
  const across = windowsAlong(outWidth, strideWidth, g.padLeft, effectiveFilterWidth, dilationWidth, inWidth);
  for (let b = 0; b < batchSize; b++) {
    for (let oy = 0; oy < outHeight; oy++) {
      const { start: top, firstInside: iy, count: rows } = down[oy];
      const x0 = b * g.x.batch + iy * g.x.row;
      const y0 = b * g.y.batch + oy * g.y.row;
      for (let ox = 0; ox < outWidth; ox++) {
        const { start: left, firstInside: ix, count: cols } = across[ox];
        visit(x0 + ix * g.x.col, y0 + ox * g.y.col, rows, cols, top, left);
      }
    }
  }
}

/** Steps through x from one row of taps to the next, from one column of taps to the next, and between channels. */
export function tapSteps({ x, dilationHeight, dilationWidth }: Geometry) {
  return { rowStep: dilationHeight * x.row, colStep: dilationWidth * x.col, channelStep: x.channel };
}

/** The windows along one axis, one for each output position. */
function windowsAlong(
  outSize: number,
  stride: number,
  pad: number,
  effectiveFilterSize: number,
  dilation: number,
  inSize: number,
) {
  const windows: ReturnType<typeof windowAt>[] = [];
  for (let o = 0; o < outSize; o++) {
    windows.push(windowAt(o * stride - pad, effectiveFilterSize, dilation, inSize));
  }
  return windows;
}

/**
 * A window along one axis of `size` cells. Its first tap is at `start`, which may lie in the padding. `count` of its
 * taps lie inside. The first of them is at `firstInside`.
 */
export function windowAt(start: number, effectiveFilterSize: number, dilation: number, size: number) {
  const firstInside = start >= 0 ? start : (dilation + (start % dilation)) % dilation;
  const end = Math.min(size, start + effectiveFilterSize);
  return { start, firstInside, count: Math.max(0, Math.ceil((end - firstInside) / dilation)) };
}

function windowGeometry(
  inShape: readonly number[],
  filterSize: Pair,
  outChannels: number,
  strides: Pair,
  options: WindowOptions,
): Geometry {
  const { pad = 'valid', dilations = 1, dataFormat = 'NHWC', dimRoundingMode } = options;
  if (dataFormat !== 'NHWC' && dataFormat !== 'NCHW') {
    fail('dataFormat', dataFormat, "it must be 'NHWC' or 'NCHW'");
  }
  checkShape('x', inShape);
  const [filterHeight, filterWidth] = positivePair('filterSize', filterSize);
  const [strideHeight, strideWidth] = positivePair('strides', strides);
  const [dilationHeight, dilationWidth] = positivePair('dilations', dilations);
  const effectiveFilterHeight = (filterHeight - 1) * dilationHeight + 1;
  const effectiveFilterWidth = (filterWidth - 1) * dilationWidth + 1;

  const channelsLast = dataFormat === 'NHWC';
  const batchSize = inShape[0];
  const [inHeight, inWidth] = channelsLast ? inShape.slice(1, 3) : inShape.slice(2, 4);
  const inChannels = channelsLast ? inShape[3] : inShape[1];

  const [rowPad, colPad] = sidePads(pad, dataFormat);
  if (dimRoundingMode != null && !['floor', 'round', 'ceil', 'exact'].includes(dimRoundingMode)) {
    fail('dimRoundingMode', dimRoundingMode, "it must be 'floor', 'round', 'ceil' or 'exact'");
  }
  // tfjs rounds 'valid' down and other pads towards 0. The two differ where the window does not fit.
  const mode = dimRoundingMode ?? (pad === 'valid' ? 'floor' : 'trunc');
  const rows = axis('height', inHeight, effectiveFilterHeight, strideHeight, rowPad, mode);
  const cols = axis('width', inWidth, effectiveFilterWidth, strideWidth, colPad, mode);
  const outShape = channelsLast
    ? [batchSize, rows.out, cols.out, outChannels]
    : [batchSize, outChannels, rows.out, cols.out];

  return {
    dataFormat,
    batchSize,
    inHeight,
    inWidth,
    inChannels,
    outHeight: rows.out,
    outWidth: cols.out,
    outChannels,
    filterHeight,
    filterWidth,
    effectiveFilterHeight,
    effectiveFilterWidth,
    strideHeight,
    strideWidth,
    dilationHeight,
    dilationWidth,
    padTop: rows.before,
    padBottom: rows.after,
    padLeft: cols.before,
    padRight: cols.after,
    inShape: Object.freeze([...inShape]),
    outShape: Object.freeze(outShape),
    x: steps(inShape, dataFormat),
    y: steps(outShape, dataFormat),
  };
}

type Rounding = DimRoundingMode | 'trunc';
const ROUNDING = {
  trunc: Math.trunc,
  floor: Math.floor,
  round: Math.round,
  ceil: Math.ceil,
  exact: Math.trunc,
} satisfies Record<Rounding, (steps: number) => number>;

type SidePad = 'same' | readonly number[];

function sidePads(pad: Padding, dataFormat: DataFormat): [SidePad, SidePad] {
  if (pad === 'same') return ['same', 'same'];
  if (pad === 'valid') return sidePads(0, dataFormat);
  const pair = typeof pad === 'number' ? [pad, pad] : pad;
  if (Array.isArray(pair) && pair.length === 2 && pair.every(Number.isInteger)) {
    const [rows, cols] = pair as number[];
    return [
      [rows, rows],
      [cols, cols],
    ];
  }
  const isExplicit =
    Array.isArray(pad) &&
    pad.length === 4 &&
    pad.every((side) => Array.isArray(side) && side.length === 2 && side.every(Number.isInteger));
  const [height, channels] = dataFormat === 'NHWC' ? [1, 3] : [2, 1];
  if (!isExplicit || [...pad[0], ...pad[channels]].some((p) => p !== 0)) {
    fail(
      'pad',
      shown(pad),
      "it must be 'same', 'valid', an integer, a pair [height, width], or four pairs of integers [before, after], " +
        `one for each dimension of ${dataFormat}, with [0, 0] for batch and channels`,
    );
  }
  return [pad[height], pad[height + 1]];
}

/** Padding and output size along one axis. */
function axis(
  name: string,
  inSize: number,
  filterSize: number,
  stride: number,
  pad: SidePad,
  mode: Rounding,
): { before: number; after: number; out: number } {
  if (pad === 'same') {
    const out = Math.ceil(inSize / stride);
    const total = Math.max(0, (out - 1) * stride + filterSize - inSize);
    const before = Math.floor(total / 2);
    return { before, after: total - before, out };
  }
  const [before, after] = pad;
  const room = inSize + before + after - filterSize;
  const out = roundSteps(name, room, stride, mode);
  if (out < 0) {
    fail(
      'filter',
      `of effective ${name} ${filterSize}`,
      `it must not be larger than the padded input of ${name} ${inSize + before + after}`,
    );
  }
  return { before, after, out };
}

/** Number of positions of a window that has `room` cells to move in. It is 0 or less where the window does not fit. */
function roundSteps(name: string, room: number, stride: number, mode: Rounding): number {
  if (mode === 'exact' && room % stride !== 0) {
    fail(`stride along the ${name}`, stride, `with dimRoundingMode 'exact' it must divide ${room}`);
  }
  return ROUNDING[mode](room / stride + 1) + 0; // + 0: never -0
}

function steps(shape: readonly number[], dataFormat: DataFormat): Steps {
  const [, a, b, c] = shape;
  return Object.freeze(
    dataFormat === 'NHWC'
      ? { batch: a * b * c, row: b * c, col: c, channel: 1 }
      : { batch: a * b * c, row: c, col: 1, channel: b * c },
  );
}

function checkShape(name: string, shape: readonly number[]): void {
  const isShape =
    Array.isArray(shape) && shape.length === 4 && shape.every((n) => Number.isInteger(n) && n >= 0);
  if (!isShape) {
    fail(name, `of shape ${shown(shape)}`, 'it must have four dimensions, integers of at least 0');
  }
}

function checkPositive(name: string, value: number): void {
  if (!Number.isInteger(value) || value < 1) {
    fail(name, value, 'it must be an integer of at least 1');
  }
}

function positivePair(name: string, value: Pair): [number, number] {
  const pair = Array.isArray(value) ? (value as number[]) : [value, value];
  if (pair.length !== 2 || !pair.every((n) => Number.isInteger(n) && (n as number) >= 1)) {
    fail(name, shown(value), 'it must be an integer of at least 1, or a pair of them');
  }
  return pair as [number, number];
}

/** @param value as text, or as it was given */
function fail(argument: string, value: unknown, allowed: string): never {
  const text = typeof value === 'string' ? value : shown(value);
  throw new Error(`tfjs-convgrad: ${argument} is ${text}, but ${allowed}.`);
}

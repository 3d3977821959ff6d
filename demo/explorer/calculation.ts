/**
 * All arrays that a state leads to, computed by the numeric functions in float64, and which cells belong together.
 *
 *   y = op(x, filter) + bias        dx, dFilter, dBias: the gradients of sum(dy * y)
 *
 * The links between cells are asked of the numeric functions, too. If dy is 1 in one cell and each cell of the filter
 * holds its own number, then dx holds, in each cell, the number of the filter's cell through which the two are linked.
 */
import * as numeric from '../../src/numeric.js';
import type { ConvGeometry, Geometry, PoolGeometry } from '../../src/numeric.js';
import { divisor } from '../../kernels/avg_pool/definition.js';
import { forEachWindow } from '../../kernels/geometry.js';
import { channelOf, indexIn, matrixIndexInY, type Place, placeIn, stepsOf } from './places.js';
import { type ArrayName, geometryOf, hasPatches, type Op, type Shape, type State } from './state.js';
import { type Tfjs, tfjsGives } from './tfjs.js';

/** y[yi] sees x[xi] through filter[fi]. Pools have no filter: fi is -1. */
export interface Link {
  xi: number;
  fi: number;
  yi: number;
}

export interface Calculation {
  state: State;
  g: Geometry;
  arrays: Record<ArrayName, Float64Array>;
  links: Link[];
  /** maxPool: for each y, where its maximum lies in x. */
  positions: Int32Array;
  /** avgPool: for each y, what its sum is divided by. */
  divisors: Float64Array;
  /** conv2d: for each cell of the patch matrix, the cell of x that it holds, or -1 for padding. */
  patched: Int32Array;
  padded: Derived;
  spread: Derived;
  /** What tfjs gives instead, where it differs. */
  tfjs?: Tfjs;
}

/** An array [batch, height, width, channels] that another one was laid into, with zeros around and between. */
export interface Derived {
  height: number;
  width: number;
  /** Cell -> its index in the other array, or -1 for a zero. */
  from: Int32Array;
}

type Conv = (a: Float64Array, b: Float64Array, g: ConvGeometry, out: Float64Array) => void;
type Functions = { y: Conv; dx: Conv; dFilter: Conv };
const { conv2d, conv2dBackpropInput, conv2dBackpropFilter } = numeric.conv2dDefinition; // which reads no padding
const CONV2D: Functions = { y: conv2d, dx: conv2dBackpropInput, dFilter: conv2dBackpropFilter };
const FUNCTIONS: Record<Exclude<Op, 'maxPool' | 'avgPool'>, Functions> = {
  conv2d: CONV2D,
  dense: CONV2D,
  depthwiseConv2d: {
    y: numeric.depthwiseConv2d,
    dx: numeric.depthwiseConv2dBackpropInput,
    dFilter: numeric.depthwiseConv2dBackpropFilter,
  },
};

/** @throws Error that says which argument does not fit */
export function calculated(state: State): Calculation {
  const c = rightly(state);
  const tfjs = tfjsGives(c);
  return tfjs ? { ...c, tfjs, arrays: { ...c.arrays, tfjs: tfjs.values } } : c;
}

function rightly(state: State): Calculation {
  const g = geometryOf(state);
  const [x, filter, bias, dy] = [state.x, state.filter, state.bias, state.dy].map((v) =>
    Float64Array.from(v),
  );
  const padded = paddedX(g);
  const spread = spreadDy(g);
  const laid = (values: Float64Array, { from }: Derived) => Float64Array.from(from, (i) => (i < 0 ? 0 : values[i])); // prettier-ignore
  const arrays = { ...none, x, filter, bias, dy, xPadded: laid(x, padded), dySpread: laid(dy, spread) };
  const positions = new Int32Array(dy.length).fill(-1);
  const divisors = new Float64Array(dy.length);
  const links = linksOf(state, g);
  const patched = new Int32Array(0);
  const parts = { state, g, links, positions, divisors, patched, padded, spread };

  const { op } = state;
  if (op !== 'maxPool' && op !== 'avgPool') {
    const conv = g as ConvGeometry;
    const y = filled(dy.length, (out) => FUNCTIONS[op].y(x, filter, conv, out));
    y.forEach((sum, i) => (y[i] = sum + bias[channelOf(g, i)]));
    const dx = filled(x.length, (out) => FUNCTIONS[op].dx(dy, filter, conv, out));
    const dFilter = filled(filter.length, (out) => FUNCTIONS[op].dFilter(x, dy, conv, out));
    const dBias = filled(bias.length, (out) => numeric.biasGrad(dy, conv, out));
    const matrices = hasPatches(state) && state.view === 'im2col' ? patchMatrices(state, conv) : undefined;
    return { ...parts, ...matrices, arrays: { ...arrays, y, dx, dFilter, dBias, ...matrices?.arrays } };
  }
  const pool = g as PoolGeometry;
  if (op === 'maxPool') {
    const y = filled(dy.length, (out) => numeric.maxPool(x, pool, out, positions));
    const dx = filled(x.length, (out) => numeric.maxPoolGrad(dy, positions, out));
    return { ...parts, arrays: { ...arrays, y, dx } };
  }
  forEachWindow(g, (_, yi, _rows, _cols, top, left) => {
    for (let c = 0; c < g.outChannels; c++) divisors[yi + c * g.y.channel] = divisor(pool, top, left);
  });
  const y = filled(dy.length, (out) => numeric.avgPool(x, pool, out));
  const dx = filled(x.length, (out) => numeric.avgPoolGrad(dy, pool, out));
  return { ...parts, arrays: { ...arrays, y, dx } };
}

const empty = new Float64Array(0);
const none = {
  y: empty,
  dx: empty,
  dFilter: empty,
  dBias: empty,
  tfjs: empty,
  patches: empty,
  dPatches: empty,
};

function filled(size: number, write: (out: Float64Array) => void): Float64Array {
  const out = new Float64Array(size);
  write(out);
  return out;
}

/** patches = im2col(x), and dPatches = dy * transpose(filter), which col2im adds up to dx. */
function patchMatrices(state: State, g: ConvGeometry) {
  const names = Float64Array.from(state.x, (_, i) => i + 1);
  const patched = Int32Array.from(numeric.im2col(names, g), (name) => name - 1);
  const patches = numeric.im2col(Float64Array.from(state.x), g);
  const pixels = state.dy.length / g.outChannels;
  const rows = patches.length / pixels;
  // A product of matrices is a convolution of images of one pixel.
  const product = numeric.convGeometry([pixels, 1, 1, rows], [1, 1, rows, g.outChannels]);
  const dy = Float64Array.from(state.dy, (_, i) => state.dy[matrixIndexInY(g, i)]);
  const filter = Float64Array.from(state.filter);
  const dPatches = filled(patches.length, (out) => numeric.conv2dBackpropInput(dy, filter, product, out));
  return { patched, arrays: { patches, dPatches } };
}

// The links depend on shapes alone. While somebody types numbers, they stay.
let last = { key: '', links: [] as Link[] };

function linksOf(state: State, g: Geometry): Link[] {
  const { op, batch, dataFormat, outChannels, groups }: Shape = state;
  const {
    inHeight,
    inWidth,
    outHeight,
    outWidth,
    filterHeight,
    filterWidth,
    padTop,
    padLeft,
    padBottom,
    padRight,
  } = g;
  const { strideHeight, strideWidth, dilationHeight, dilationWidth, inChannels } = g;
  const key = JSON.stringify({ op, batch, dataFormat, outChannels, groups, inHeight, inWidth, outHeight, outWidth, filterHeight, filterWidth, padTop, padLeft, padBottom, padRight, strideHeight, strideWidth, dilationHeight, dilationWidth, inChannels }); // prettier-ignore
  if (last.key !== key) last = { key, links: askedLinks(state, g) };
  return last.links;
}

function askedLinks({ op, x, filter, dy }: State, g: Geometry): Link[] {
  const names = Float64Array.from(filter, (_, fi) => fi + 1);
  const pools = op === 'maxPool' || op === 'avgPool';
  return dy.flatMap((_, yi) => {
    const one = new Float64Array(dy.length);
    one[yi] = 1;
    const linked = filled(x.length, (out) =>
      pools
        ? numeric.avgPoolGrad(one, g as PoolGeometry, out)
        : FUNCTIONS[op].dx(one, names, g as ConvGeometry, out),
    );
    return Array.from(linked.keys()).filter((xi) => linked[xi] !== 0).map((xi) => ({ xi, fi: pools ? -1 : linked[xi] - 1, yi })); // prettier-ignore
  });
}

// Zeros

/**
 * x with the padding around it: row oy * stride + fy * dilation is the row that y[oy] sees through filter[fy]. If the size of
 * y was rounded up, the last windows reach past the padding.
 */
function paddedX(g: Geometry): Derived {
  const reach = (out: number, stride: number, window: number) => (out - 1) * stride + window;
  const height = Math.max(g.padTop + g.inHeight + g.padBottom, reach(g.outHeight, g.strideHeight, g.effectiveFilterHeight)); // prettier-ignore
  const width = Math.max(g.padLeft + g.inWidth + g.padRight, reach(g.outWidth, g.strideWidth, g.effectiveFilterWidth)); // prettier-ignore
  return derived(g, height, width, g.inChannels, ({ row, col, ...rest }) => {
    const place = { ...rest, row: row - g.padTop, col: col - g.padLeft };
    const isInside = place.row >= 0 && place.row < g.inHeight && place.col >= 0 && place.col < g.inWidth;
    return isInside ? indexIn(g.x, place) : -1;
  });
}

/**
 * dy with stride - 1 zeros between its cells and zeros around them: row iy + turned * dilation is the row that dx[iy]
 * sees through row `turned` of the filter that is rotated by 180 degrees.
 */
function spreadDy(g: Geometry): Derived {
  const height = g.inHeight + g.effectiveFilterHeight - 1;
  const width = g.inWidth + g.effectiveFilterWidth - 1;
  const along = (at: number, stride: number, size: number) =>
    at >= 0 && at % stride === 0 && at / stride < size ? at / stride : -1;
  return derived(g, height, width, g.outChannels, ({ row, col, ...rest }) => {
    const oy = along(row - (g.effectiveFilterHeight - 1 - g.padTop), g.strideHeight, g.outHeight);
    const ox = along(col - (g.effectiveFilterWidth - 1 - g.padLeft), g.strideWidth, g.outWidth);
    return oy < 0 || ox < 0 ? -1 : indexIn(g.y, { ...rest, row: oy, col: ox });
  });
}

function derived(
  g: Geometry,
  height: number,
  width: number,
  channels: number,
  source: (place: Place) => number,
): Derived {
  const from = new Int32Array(g.batchSize * height * width * channels);
  const steps = stepsOf({ height, width }, channels);
  from.forEach((_, i) => (from[i] = source(placeIn(i, steps, height, width, channels))));
  return { height, width, from };
}

/**
 * What TensorFlow.js 4.22.0 gives for a state where that is not what the numeric functions give: rows of docs/deviations.md that
 * show in single cells. test/explorer.spec.ts compares it with tfjs itself.
 */
import type { Calculation, Link } from './calculation.js';
import { channelOf, placeInY } from './places.js';
import { filterShape, geometryOf, isPool, RESULT, rounding } from './state.js';

const BACKENDS = ['cpu', 'webgl', 'wasm'] as const;
type Backend = (typeof BACKENDS)[number];

/** A link that tfjs takes into account, and what it divides by. */
export type Share = Link & { divisor?: number };

interface Given {
  /** In the order of the array that they stand for. */
  values: Float64Array;
  /** Of a gradient: what it is the sum of. */
  shares?: Share[];
  /** Of y: how many columns it has. */
  width?: number;
}

export interface Tfjs extends Given {
  of: 'y' | 'dx' | 'dFilter';
  /** Which backends give this. The others give something else, or what is right. */
  backends: Backend[];
}

/** The numbers of the first backend that is wrong, and which others give the same. */
export function tfjsGives(c: Calculation): Tfjs | undefined {
  const of = RESULT[c.state.look];
  const given = new Map<Backend, Given>();
  for (const backend of BACKENDS) {
    const numbers = hasOp(c, backend)
      ? of === 'y'
        ? forward(c, backend)
        : gradient(c, of, backend)
      : undefined;
    if (numbers && isWrong(c, of, numbers)) given.set(backend, numbers);
  }
  const [first] = given.values();
  if (!first) return undefined;
  const same = ({ values }: Given) => values.every((value, i) => !differ(value, first.values[i]));
  return { ...first, of, backends: [...given].filter(([, other]) => same(other)).map(([name]) => name) };
}

/** Whether two numbers differ by more than the order of a sum makes. */
export function differ(a: number, b: number): boolean {
  if (!Number.isFinite(a) || !Number.isFinite(b)) return !Object.is(a, b);
  return Math.abs(a - b) > 1e-12 * (1 + Math.abs(b));
}

const isWrong = ({ arrays, g }: Calculation, of: Tfjs['of'], { values, width = g.outWidth }: Given) =>
  width < g.outWidth || values.some((value, i) => differ(value, arrays[of][i]));

/** Whether tf has this op with these options, and does not throw. */
function hasOp({ state, arrays }: Calculation, backend: Backend): boolean {
  const { op, groups, dataFormat, strides, dilations, countIncludePad } = state;
  const isDilated = Math.max(...dilations) > 1;
  if (op === 'dense' || (backend === 'webgl' && arrays.x.some(Number.isNaN))) return false; // NaN is up to the driver
  if (isPool(op)) return dataFormat === 'NHWC' && !isDilated && !countIncludePad;
  const hasLayout = dataFormat === 'NHWC' || (op === 'conv2d' && backend !== 'wasm');
  return hasLayout && groups === 1 && !(isDilated && Math.max(...strides) > 1);
}

/** Row 3: with a pad of one number for all sides, tfjs takes the height of the window and its step down for the width, too. */
function widthOf({ state, g }: Calculation): number {
  const { pad } = state;
  if (typeof pad === 'string' || pad.some((side) => side !== pad[0])) return g.outWidth;
  const round = { floor: Math.trunc, round: Math.round, ceil: Math.ceil }[rounding(state) ?? 'floor'];
  return round((g.inWidth - g.effectiveFilterHeight + 2 * pad[0]) / g.strideHeight + 1);
}

function forward(c: Calculation, backend: Backend): Given | undefined {
  const width = widthOf(c);
  const { x, y } = c.arrays;
  if (width > c.g.outWidth) return undefined; // it reads cells that are not there
  const values = Float64Array.from(y);
  if (backend === 'wasm') return isPool(c.state.op) || width < c.g.outWidth ? undefined : { values: withTapsOverPadding(c, values) }; // prettier-ignore
  if (isIdentity(c)) return { values: Float64Array.from(x) };
  if (c.state.op === 'avgPool' && backend === 'cpu') values.forEach((_, yi) => c.divisors[yi] === 0 && (values[yi] = NaN)); // prettier-ignore
  if (c.state.op === 'maxPool') {
    const least = backend === 'cpu' ? -Infinity : -1e20;
    values.forEach((value, yi) => (values[yi] = value > least ? value : least));
  }
  return { values, width };
}

/** Row 12: a window of one cell, whatever stride and pad say. */
const isIdentity = ({ state, g }: Calculation) =>
  isPool(state.op) && g.filterHeight * g.filterWidth === 1 && g.outShape.every((size, i) => size === g.inShape[i]); // prettier-ignore

/** Row 14: a filter's cell that is Infinity or NaN is multiplied by the zeros of the padding. */
function withTapsOverPadding({ state, g, links, arrays: { filter } }: Calculation, values: Float64Array) {
  const taps = Array.from(filter.keys()).filter((fi) => !Number.isFinite(filter[fi]));
  if (taps.length === 0 || state.op !== 'conv2d') return values;
  const linked = new Set(links.map(({ fi, yi }) => `${fi} ${yi}`));
  return values.map((value, yi) => {
    const isOver = (fi: number) => fi % g.outChannels === channelOf(g, yi) && !linked.has(`${fi} ${yi}`);
    return taps.some(isOver) ? NaN : value;
  });
}

function gradient(c: Calculation, of: 'dx' | 'dFilter', backend: Backend): Given | undefined {
  const { state, g, arrays } = c;
  const { op, dilations } = state;
  const isHere = op === 'conv2d' ? Math.max(...dilations) === 1 && !(backend === 'wasm' && of === 'dFilter') : isPool(op); // prettier-ignore
  if (!isHere || widthOf(c) !== g.outWidth) return undefined;
  const floor = geometryOf({ ...state, dimRoundingMode: 'floor' });
  const isCut = floor.outHeight < g.outHeight || floor.outWidth < g.outWidth;
  if (isCut && backend === 'wasm' && isPool(op)) return undefined; // it takes other cells of dy
  const shares = c.links.filter(({ yi }) => {
    const { row, col } = placeInY(g, yi);
    return row < floor.outHeight && col < floor.outWidth; // row 2
  });
  if (op === 'conv2d') {
    const values = new Float64Array(arrays[of].length);
    for (const { xi, fi, yi } of shares) {
      if (of === 'dx') values[xi] += arrays.dy[yi] * arrays.filter[fi];
      else values[fi] += arrays.x[xi] * arrays.dy[yi];
    }
    return { values, shares };
  }
  const positions = op === 'maxPool' ? maxima(c, backend) : undefined;
  const size = filterShape(state)[0] * filterShape(state)[1];
  const taken = positions ? shares.filter(({ xi, yi }) => positions[yi] === xi) : shares.map((share) => ({ ...share, divisor: size })); // prettier-ignore
  const values = new Float64Array(arrays.x.length);
  for (const { xi, yi, divisor = 1 } of taken as Share[]) values[xi] += arrays.dy[yi] / divisor;
  return { values, shares: taken };
}

/**
 * Where tfjs's gradient finds the maximum of each window, or -1. cpu takes the first of equal cells, the others the last (row 7).
 * On cpu a maximum is above -Infinity (rows 8 and 10), on wasm it is at least 2^-126, or else said to be in cell 0 (row 26).
 */
function maxima({ links, arrays: { x, y } }: Calculation, backend: Backend): Int32Array {
  const positions = new Int32Array(y.length).fill(backend === 'wasm' ? 0 : -1);
  const max = new Float64Array(y.length).fill(backend === 'wasm' ? 2 ** -126 : -Infinity);
  for (const { xi, yi } of links) {
    const isMaximum = backend === 'cpu' ? x[xi] > max[yi] : x[xi] >= max[yi];
    if (isMaximum) [max[yi], positions[yi]] = [x[xi], xi];
  }
  return positions;
}

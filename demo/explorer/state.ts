/**
 * What the explorer shows, as one plain object, and as the text behind the # of its address. Every state is an address.
 *
 *   x       [batch, height, width, channels]; [batch, channels, height, width] for NCHW
 *   filter  [filterHeight, filterWidth, channels / groups, outChannels]; a depthwise convolution has [.., channels, outChannels],
 *           with outChannels for each channel
 *   bias    one value for each channel of y
 *   dy      the shape of y
 *
 * A dense layer is a convolution of images of one pixel: x [batch, 1, 1, channels], filter [1, 1, channels, outChannels].
 */
import {
  type ConvGeometry,
  convGeometry,
  type DataFormat,
  depthwiseGeometry,
  type Padding,
  type PoolGeometry,
  poolGeometry,
} from '../../src/numeric.js';

export const OPS = ['conv2d', 'depthwiseConv2d', 'dense', 'maxPool', 'avgPool'] as const;
export const LOOKS = ['forward', 'dx', 'dFilter'] as const;
/** `im2col`: a convolution as one product of matrices. */
export const VIEWS = ['gather', 'scatter', 'im2col'] as const;
export const ROUNDINGS = ['floor', 'round', 'ceil'] as const;
/** Arrays that a cell may belong to. `xPadded`: zeros around x. `dySpread`: zeros in and around dy. `tfjs`: what tfjs gives. `patches`: the patch matrix. */
export const ARRAYS = ['x', 'filter', 'bias', 'y', 'dy', 'dx', 'dFilter', 'dBias', 'xPadded', 'dySpread', 'tfjs', 'patches', 'dPatches'] as const; // prettier-ignore

export type Op = (typeof OPS)[number];
export type Look = (typeof LOOKS)[number];
export type View = (typeof VIEWS)[number];
export type ArrayName = (typeof ARRAYS)[number];

/** A cell, by its place in the flat array. */
export interface Cell {
  of: ArrayName;
  index: number;
}

export interface Shape {
  op: Op;
  batch: number;
  height: number;
  width: number;
  channels: number;
  filterHeight: number;
  filterWidth: number;
  outChannels: number;
  /** Of conv2d. */
  groups: number;
  strides: number[];
  /** A name, or [top, bottom, left, right]. */
  pad: 'same' | 'valid' | number[];
  dilations: number[];
  /** How the size of y is rounded, if the pad is numbers. */
  dimRoundingMode: (typeof ROUNDINGS)[number];
  dataFormat: DataFormat;
  countIncludePad: boolean;
}

export interface State extends Shape {
  look: Look;
  view: View;
  x: number[];
  filter: number[];
  bias: number[];
  dy: number[];
  /** The cell that is looked at. */
  cell: Cell;
  /** Scatter: results hold what has been added up to the cell that is looked at, no more. */
  soFar: boolean;
  /** By how much a cell is nudged. */
  nudge: number;
  /** What a stroke over x writes into its cells, while somebody paints. */
  paint?: number;
}

/** The largest value of each size. Larger pictures help nobody. */
export const LIMITS = { batch: 3, height: 8, width: 8, channels: 4, filterHeight: 5, filterWidth: 5, outChannels: 4, groups: 4, stride: 4, dilation: 3, pad: 4 }; // prettier-ignore

const SHAPE: Shape = {
  op: 'conv2d',
  batch: 1,
  height: 3,
  width: 3,
  channels: 1,
  filterHeight: 2,
  filterWidth: 2,
  outChannels: 1,
  groups: 1,
  strides: [1, 1],
  pad: 'valid',
  dilations: [1, 1],
  dimRoundingMode: 'floor',
  dataFormat: 'NHWC',
  countIncludePad: false,
};

export const isPool = (op: Op) => op === 'maxPool' || op === 'avgPool';

/** The sizes of a dense layer that nobody chooses. */
const onePixel = (): Partial<Shape> => ({ height: 1, width: 1, filterHeight: 1, filterWidth: 1, strides: [1, 1], pad: 'valid', dilations: [1, 1], dataFormat: 'NHWC' }); // prettier-ignore

/** What an op does not have is as if nobody had chosen it. */
function madeToFit<S extends Shape>(s: S): S {
  return { ...s, ...(s.op === 'dense' && onePixel()), ...(s.op !== 'conv2d' && { groups: 1 }) };
}

/** A patch matrix has a row for each window. With groups it would be several matrices. */
export const hasPatches = ({ op, groups }: Pick<Shape, 'op' | 'groups'>) => op === 'conv2d' && groups === 1;

/** A state from some of its fields. The others have defaults. Arrays get the length that the shapes ask for. */
export function stateOf(fields: Partial<State>): State {
  const shape = madeToFit({ ...SHAPE, ...fields });
  const g = tryGeometry(shape);
  const fit = (name: Editable, size: number) =>
    Array.from({ length: size }, (_, i) => fields[name]?.[i] ?? FRESH[name](i));
  const look = fields.look ?? 'forward';
  return {
    ...shape,
    look: isPool(shape.op) && look === 'dFilter' ? 'dx' : look,
    view: fields.view === 'im2col' && !hasPatches(shape) ? 'gather' : (fields.view ?? 'gather'),
    x: fit('x', shape.batch * shape.height * shape.width * shape.channels),
    filter: fit('filter', product(filterShape(shape))),
    bias: fit('bias', yChannels(shape)),
    dy: g ? fit('dy', product(g.outShape)) : (fields.dy ?? []),
    cell: fields.cell ?? { of: RESULT[look], index: 0 },
    soFar: fields.soFar ?? false,
    nudge: fields.nudge ?? 0.1,
    ...(fields.paint !== undefined && { paint: fields.paint }),
  };
}

/** The array that a look ends in. */
export const RESULT = { forward: 'y', dx: 'dx', dFilter: 'dFilter' } as const satisfies Record<
  Look,
  ArrayName
>;

/** The array whose cells spread in the scatter view. */
export const sourceOf = (look: Look) => (look === 'forward' ? 'x' : 'dy');

export type Editable = 'x' | 'filter' | 'bias' | 'dy';
/** What a new cell holds: small whole numbers without a visible pattern. */
const FRESH: Record<Editable, (i: number) => number> = {
  x: (i) => (7 * i + 3) % 10,
  filter: (i) => [1, -1, 2, 0, 1][i % 5],
  bias: () => 0,
  dy: (i) => [1, 2, -1, 3][i % 4],
};

/** The state after a change of shape. Cells keep their values, where they are still there. */
export function reshaped(state: State, change: Partial<Shape>): State {
  const next = madeToFit({ ...state, ...change });
  const [before, after] = [tryGeometry(state), tryGeometry(next)];
  const filter = carried(state.filter, filterShape(state), filterShape(next), FRESH.filter);
  const bias = carried(state.bias, [1, 1, 1, yChannels(state)], [1, 1, 1, yChannels(next)], FRESH.bias);
  const x = carriedImage(state.x, xShape(state), state.dataFormat, xShape(next), next.dataFormat, FRESH.x);
  const dy =
    before && after
      ? carriedImage(state.dy, before.outShape, state.dataFormat, after.outShape, next.dataFormat, FRESH.dy)
      : undefined;
  const look = isPool(next.op) && next.look === 'dFilter' ? 'dx' : next.look;
  return stateOf({ ...next, look, x, filter, bias, dy, cell: { of: RESULT[look], index: 0 } });
}

export const xShape = (s: Shape) =>
  s.dataFormat === 'NHWC'
    ? [s.batch, s.height, s.width, s.channels]
    : [s.batch, s.channels, s.height, s.width];

export const filterShape = (s: Shape) => [s.filterHeight, s.filterWidth, Math.max(1, Math.floor(s.channels / s.groups)), s.outChannels]; // prettier-ignore

/** The filter as a convolution takes it. If it is depthwise, each channel is a group. */
export function groupedFilter(s: Shape): number[] {
  const [height, width, channels, outChannels] = filterShape(s);
  return s.op === 'depthwiseConv2d' ? [height, width, 1, channels * outChannels] : [height, width, channels, outChannels]; // prettier-ignore
}

export const groupsOf = ({ op, channels, groups }: Shape) => (op === 'depthwiseConv2d' ? channels : groups);

function yChannels({ op, channels, outChannels }: Shape): number {
  if (isPool(op)) return channels;
  return op === 'depthwiseConv2d' ? channels * outChannels : outChannels;
}

/** @throws Error that says which argument does not fit */
export function geometryOf(s: Shape): ConvGeometry | PoolGeometry {
  const options = {
    strides: s.strides,
    pad: padding(s),
    dilations: s.dilations,
    dataFormat: s.dataFormat,
    dimRoundingMode: rounding(s),
  };
  const { groups } = s;
  if (s.op === 'conv2d' || s.op === 'dense') return convGeometry(xShape(s), filterShape(s), { ...options, groups }); // prettier-ignore
  if (s.op === 'depthwiseConv2d') return depthwiseGeometry(xShape(s), filterShape(s), options);
  const { filterHeight, filterWidth, countIncludePad } = s;
  return poolGeometry(xShape(s), [filterHeight, filterWidth], { ...options, countIncludePad });
}

function tryGeometry(s: Shape): ConvGeometry | PoolGeometry | undefined {
  try {
    return geometryOf(s);
  } catch {
    return undefined; // the page says why: it calls geometryOf itself
  }
}

/** The pad as the numeric functions take it. */
export function padding({ pad, dataFormat }: Shape): Padding {
  if (typeof pad === 'string') return pad;
  const [none, rows, cols] = [[0, 0], pad.slice(0, 2), pad.slice(2)];
  return dataFormat === 'NHWC' ? [none, rows, cols, none] : [none, none, rows, cols];
}

/** tfjs has no dimRoundingMode beside a pad by name. */
export const rounding = ({ pad, dimRoundingMode }: Shape) =>
  typeof pad === 'string' || dimRoundingMode === 'floor' ? undefined : dimRoundingMode;

type Fresh = (i: number) => number;

/** The values of an array of four dimensions in another shape. What was outside is fresh. */
function carried(values: number[], from: readonly number[], to: readonly number[], fresh: Fresh): number[] {
  return Array.from({ length: product(to) }, (_, i) => {
    const at = coordinates(i, to);
    return at.every((n, axis) => n < from[axis]) ? values[flat(at, from)] : fresh(i);
  });
}

/** The same for an image whose layout may change. */
function carriedImage(
  values: number[],
  from: readonly number[],
  fromFormat: DataFormat,
  to: readonly number[],
  toFormat: DataFormat,
  fresh: Fresh,
): number[] {
  if (fromFormat === toFormat) return carried(values, from, to, fresh);
  const axes = fromFormat === 'NHWC' ? [0, 3, 1, 2] : [0, 2, 3, 1];
  const turned = axes.map((axis) => from[axis]);
  const moved = Array.from(values, (_, i) => {
    const at = coordinates(i, turned);
    return values[flat(axes.map((_, axis) => at[axes.indexOf(axis)]), from)]; // prettier-ignore
  });
  return carried(moved, turned, to, fresh);
}

export const product = (shape: readonly number[]) => shape.reduce((size, n) => size * n, 1);

const flat = (at: number[], shape: readonly number[]) => at.reduce((index, n, axis) => index * shape[axis] + n, 0); // prettier-ignore

/** The index along each dimension. */
export function coordinates(index: number, shape: readonly number[]): number[] {
  const at: number[] = [];
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    at.unshift(index % shape[axis]);
    index = Math.floor(index / shape[axis]);
  }
  return at;
}

// Addresses

export function toHash(s: State): string {
  const numbers = (values: number[]) => values.join(',');
  const fields = {
    op: s.op,
    look: s.look,
    view: s.view,
    in: numbers([s.batch, s.height, s.width, s.channels]),
    window: numbers([s.filterHeight, s.filterWidth, s.outChannels]),
    ...(s.groups > 1 && { groups: s.groups }),
    strides: numbers(s.strides),
    pad: typeof s.pad === 'string' ? s.pad : numbers(s.pad),
    dilations: numbers(s.dilations),
    ...(s.dimRoundingMode !== 'floor' && { rounding: s.dimRoundingMode }),
    format: s.dataFormat,
    ...(s.countIncludePad && { countIncludePad: true }),
    x: numbers(s.x),
    filter: numbers(s.filter),
    bias: numbers(s.bias),
    dy: numbers(s.dy),
    cell: `${s.cell.of},${s.cell.index}`,
    ...(s.soFar && { soFar: true }),
    nudge: s.nudge,
    ...(s.paint !== undefined && { paint: s.paint }),
  };
  return `#${Object.entries(fields).map(([name, value]) => `${name}=${value}`).join('&')}`; // prettier-ignore
}

/** What a hash does not say, or says in a way that cannot be, has its default. */
export function fromHash(hash: string): State {
  const fields = new Map(hash.replace(/^#/, '').split('&').map((field) => field.split('=') as [string, string])); // prettier-ignore
  const word = <T extends string>(name: string, words: readonly T[]) => words.find((w) => w === fields.get(name)); // prettier-ignore
  const list = (name: string) => fields.get(name)?.split(',').map(numberIn); // prettier-ignore
  const sizes = (name: string, least: number, limits: number[]) => {
    const values = list(name);
    const areSizes = values?.length === limits.length && values.every((n, i) => Number.isInteger(n) && n >= least && n <= limits[i]); // prettier-ignore
    return areSizes ? values : undefined;
  };
  const L = LIMITS;
  const [batch, height, width, channels] = sizes('in', 1, [L.batch, L.height, L.width, L.channels]) ?? [];
  const [filterHeight, filterWidth, outChannels] = sizes('window', 1, [L.filterHeight, L.filterWidth, L.outChannels]) ?? []; // prettier-ignore
  const [of, index] = (fields.get('cell') ?? '').split(',');
  const cell = ARRAYS.find((name) => name === of);
  const given = {
    op: word('op', OPS),
    look: word('look', LOOKS),
    view: word('view', VIEWS),
    ...{ batch, height, width, channels, filterHeight, filterWidth, outChannels },
    groups: sizes('groups', 1, [L.groups])?.[0],
    strides: sizes('strides', 1, [L.stride, L.stride]),
    pad: word('pad', ['same', 'valid'] as const) ?? sizes('pad', 0, [L.pad, L.pad, L.pad, L.pad]),
    dilations: sizes('dilations', 1, [L.dilation, L.dilation]),
    dimRoundingMode: word('rounding', ROUNDINGS),
    dataFormat: word('format', ['NHWC', 'NCHW'] as const),
    countIncludePad: fields.get('countIncludePad') === 'true',
    ...{ x: list('x'), filter: list('filter'), bias: list('bias'), dy: list('dy') },
    cell: cell && /^\d+$/.test(index ?? '') ? { of: cell, index: Number(index) } : undefined,
    soFar: fields.get('soFar') === 'true',
    nudge: list('nudge')?.find((step) => step !== 0 && Number.isFinite(step)),
    paint: list('paint')?.[0],
  };
  return stateOf(Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined)));
}

/** A number as people write it, Infinity and NaN among them. What is none is 0. */
export function numberIn(text: string): number {
  const plain = text.trim().replace('−', '-').replace(',', '.');
  if (/^nan$/i.test(plain)) return NaN;
  const [, sign, rest] = /^(-?)(.*)$/.exec(plain)!;
  const size = /^(∞|inf(inity)?)$/i.test(rest) ? Infinity : Number(plain && rest);
  return Number.isNaN(size) ? 0 : (sign ? -size : size) + 0;
}

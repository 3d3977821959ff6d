/**
 * An enumeration of small geometries. Each setting of one axis is on the rows, with many other settings on the columns.
 * The two axes of a window do not depend on each other. So an error between them (a width in place of a height) shows in
 * any pair of unequal settings.
 */
import {
  type ConvGeometry,
  convGeometry,
  depthwiseGeometry,
  type DimRoundingMode,
  type ExplicitPadding,
  type Padding,
  type PoolGeometry,
  poolGeometry,
} from '../../kernels/geometry.js';
import { type Random, randomFrom } from './num_random.js';

export interface Axis {
  size: number;
  filter: number;
  stride: number;
  dilation: number;
}

export type AxisPair = readonly [Axis, Axis];

const AXES: readonly Axis[] = [0, 1, 2, 3, 4, 5, 6].flatMap((size) =>
  [1, 2, 3].flatMap((filter) =>
    [1, 2, 3].flatMap((stride) => [1, 2].map((dilation) => ({ size, filter, stride, dilation }))),
  ),
);

/** Each axis setting on the rows, with `partners` different settings on the columns. */
export function axisPairs(partners: number): AxisPair[] {
  return AXES.flatMap((rows, i) =>
    Array.from({ length: partners }, (_, k): AxisPair => [rows, AXES[(i + 1 + k * 5) % AXES.length]]),
  );
}

export const effectiveFilter = ({ filter, dilation }: Axis) => (filter - 1) * dilation + 1;

/** One field of both axes, as a pair for strides, dilations or filterSize. */
export const pairOf = ([rows, cols]: AxisPair, field: keyof Axis): [number, number] => [
  rows[field],
  cols[field],
];

/** The sides of a pad, the same for both layouts. */
export type Sides = readonly [rows: readonly number[], cols: readonly number[]];

export const explicitPad = ([rows, cols]: Sides, dataFormat: 'NHWC' | 'NCHW'): ExplicitPadding =>
  dataFormat === 'NHWC' ? [[0, 0], rows, cols, [0, 0]] : [[0, 0], [0, 0], rows, cols];

/** Short to write, and short when formatted. */
export const sides = (top: number, bottom: number, left: number, right: number): Sides => [
  [top, bottom],
  [left, right],
];

export type Pad = 'same' | 'valid' | number | Sides;
export const PADS: readonly Pad[] = [
  'same',
  'valid',
  1,
  2,
  sides(0, 1, 2, 0),
  sides(1, 0, 1, 3),
  sides(2, 1, 0, 0),
  sides(-1, 2, 1, -1),
];

export const padName = (pad: Pad) => JSON.stringify(pad);

export const toPadding = (pad: Pad, dataFormat: 'NHWC' | 'NCHW'): Padding =>
  typeof pad === 'object' ? explicitPad(pad, dataFormat) : pad;

export const imageShape = (
  dataFormat: 'NHWC' | 'NCHW',
  batch: number,
  [height, width]: readonly number[],
  channels: number,
) => (dataFormat === 'NHWC' ? [batch, height, width, channels] : [batch, channels, height, width]);

/** Small convolutions with this pad. No two are the same. */
export const smallConvs = (pad: Pad): ConvGeometry[] =>
  distinct(pad, (pair, window, random) => {
    const groups = random.pick([1, 2, 3]);
    const inPerGroup = random.pick([1, 2]);
    const outChannels = groups * random.pick([1, 2]);
    const inShape = imageShape(
      window.dataFormat,
      random.pick([1, 2]),
      pairOf(pair, 'size'),
      groups * inPerGroup,
    );
    return convGeometry(inShape, [...pairOf(pair, 'filter'), inPerGroup, outChannels], { ...window, groups });
  });

/**
 * Small depthwise convolutions with this pad. No two are the same. The micro-kernels have loops of their own for fewer than
 * four channels, for four and for eight.
 */
export const smallDepthwise = (pad: Pad): ConvGeometry[] =>
  distinct(pad, (pair, window, random) => {
    const channels = random.pick([1, 2, 3, 5, 9]);
    const inShape = imageShape(window.dataFormat, random.pick([1, 2]), pairOf(pair, 'size'), channels);
    return depthwiseGeometry(inShape, [...pairOf(pair, 'filter'), channels, random.pick([1, 2])], window);
  });

/** Small poolings with this pad. No two are the same. */
export const smallPools = (pad: Pad): PoolGeometry[] =>
  distinct(pad, (pair, window, random) => {
    const inShape = imageShape(
      window.dataFormat,
      random.pick([1, 2]),
      pairOf(pair, 'size'),
      random.pick([1, 2]),
    );
    const countIncludePad = random.pick([false, true]);
    return poolGeometry(inShape, pairOf(pair, 'filter'), { ...window, countIncludePad });
  });

export const keyOf = (g: ConvGeometry | PoolGeometry) => JSON.stringify(g);

interface Window {
  dataFormat: 'NHWC' | 'NCHW';
  pad: Padding;
  strides: [number, number];
  dilations: [number, number];
  dimRoundingMode?: DimRoundingMode;
}

function distinct<G extends ConvGeometry | PoolGeometry>(
  pad: Pad,
  make: (pair: AxisPair, window: Window, random: Random) => G,
): G[] {
  const random = randomFrom(1);
  const found = new Map<string, G>();
  for (const pair of axisPairs(16)) {
    if (!fits(pair, pad)) continue;
    const dataFormat = random.pick(['NHWC', 'NCHW'] as const);
    const g = make(
      pair,
      {
        dataFormat,
        pad: toPadding(pad, dataFormat),
        strides: pairOf(pair, 'stride'),
        dilations: pairOf(pair, 'dilation'),
        dimRoundingMode: isCropping(pad) ? 'floor' : random.pick([undefined, 'floor', 'round', 'ceil']),
      },
      random,
    );
    found.set(keyOf(g), g);
  }
  return [...found.values()];
}

/** If the size were rounded up, the last window would reach past the crop and read cells there, as in tfjs. */
const isCropping = (pad: Pad) => typeof pad === 'object' && pad.flat().some((side) => side < 0);

const fits = (pair: AxisPair, pad: Pad) => pad === 'same' || roomsOf(pair, pad).every((room) => room >= 0);

/** How many cells the window can move along each axis. Negative if the window is larger than the padded input. */
export const roomsOf = (pair: AxisPair, pad: Exclude<Pad, 'same'>) =>
  pair.map((axis, i) => {
    const [before, after] = pad === 'valid' ? [0, 0] : typeof pad === 'number' ? [pad, pad] : pad[i];
    return axis.size + before + after - effectiveFilter(axis);
  });

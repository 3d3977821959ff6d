/**
 * What layers of convolution and pooling share: a window that slides along one axis or two, and how a config describes it.
 *
 *   effective    = (window - 1) * dilation + 1
 *   output size  = ceil(size / stride)                                      with padding 'same'
 *                = floor((size + before + after - effective) / stride) + 1  with every other padding
 */
import type { layers, Shape } from '@tensorflow/tfjs-layers';
import type { DataFormat, Padding as OpPadding } from '../../kernels/geometry.js';
import { readOptions, shown } from '../../kernels/known.js';

export type LayerArgs = NonNullable<ConstructorParameters<typeof layers.Layer>[0]>;

/** How a config may describe the padding of two axes. An integer pads all sides; a pair pads the sides along [height, width]. */
export type Padding2D = 'valid' | 'same' | number | [number, number] | [[number, number], [number, number]];
/** How a config may describe the padding of one axis. 'causal' pads before alone: no output depends on later inputs. */
export type Padding1D = 'valid' | 'same' | 'causal' | number | [number, number];

/** A mode, or [before, after] for each axis of the window. */
export type Padding = 'valid' | 'same' | 'causal' | number[][];

/** The window of a layer. Sizes, strides and dilations have a number for each axis. */
export interface Window {
  /** What the config calls the size: kernelSize or poolSize. */
  readonly sizeName: string;
  readonly size: readonly number[];
  readonly strides: readonly number[];
  readonly dilationRate: readonly number[];
  readonly padding: Padding;
  readonly dataFormat: 'channelsFirst' | 'channelsLast';
}

/** The keys of tf.layers' base class. */
const LAYER_KEYS = [
  'name',
  'trainable',
  'inputShape',
  'batchInputShape',
  'batchSize',
  'dtype',
  'inputDType',
  'weights',
] as const satisfies readonly (keyof LayerArgs)[];

/** A class of tf.layers. */
export type LayerClass<Args extends unknown[], Instance> = (new (...args: Args) => Instance) &
  Pick<typeof layers.Layer, 'fromConfig'>;

/** The class that a layer's class extends. tf.layers exports functions that make its layers, but not their classes. */
export function parentClassOf<Args extends unknown[], Instance extends layers.Layer>(layer: Instance) {
  return Object.getPrototypeOf(layer.constructor) as LayerClass<Args, Instance>;
}

/**
 * The config of a layer, in an object of its own.
 * @param where the function that makes the layer, for messages
 * @param keys what the config may have besides the keys of every layer
 * @throws Error if it has another key
 */
export function readConfig<Args extends LayerArgs>(
  where: string,
  args: Args,
  keys: readonly (keyof Args & string)[],
): Args {
  const config = readOptions(where, withoutCustomObjects(args), [...keys, ...LAYER_KEYS]);
  checkDataFormat(config as { dataFormat?: unknown });
  return config;
}

/** tf.layers adds this key to the config of a layer that it loads, for layers that load others. */
function withoutCustomObjects<Args extends LayerArgs>(args: Args): Args {
  if (typeof args !== 'object' || !args || !('customObjects' in args)) return args;
  const config: Args & { customObjects?: unknown } = { ...args };
  delete config.customObjects;
  return config;
}

function checkDataFormat({ dataFormat }: { dataFormat?: unknown }): void {
  if (dataFormat != null && dataFormat !== 'channelsLast' && dataFormat !== 'channelsFirst') {
    fail('dataFormat', dataFormat, "it must be 'channelsLast' or 'channelsFirst'");
  }
}

/** @throws Error unless the value is an integer of at least 1 */
export function checkPositive(name: string, value: unknown): void {
  if (!isInteger(value, 1)) fail(name, value, 'it must be an integer of at least 1');
}

/** @throws Error unless the value is true or false, or absent */
export function checkBoolean(name: string, value: unknown): void {
  if (value != null && typeof value !== 'boolean') fail(name, value, 'it must be true or false');
}

/** A number for each axis of the window, from one number for all axes or from a list. */
export function readSizes(name: string, value: unknown, rank: number): number[] {
  const sizes: unknown = typeof value === 'number' ? new Array(rank).fill(value) : value;
  if (!Array.isArray(sizes) || sizes.length !== rank || !sizes.every((size) => isInteger(size, 1))) {
    const list = rank === 1 ? 'an array of one' : 'a pair [height, width]';
    fail(name, value, `it must be an integer of at least 1, or ${list}`);
  }
  return [...sizes];
}

/** A mode, or [before, after] for each axis of the window. The default is 'valid'. */
export function readPadding(value: unknown, rank: number): Padding {
  if (value == null) return 'valid';
  if (value === 'valid' || value === 'same' || (value === 'causal' && rank === 1)) return value;
  const sides = readSides(value, rank);
  if (sides.length !== rank || !sides.every(isPairOfSides)) {
    const allowed =
      rank === 1
        ? "'valid', 'same', 'causal', an integer of at least 0, or [left, right]"
        : "'valid', 'same', an integer of at least 0, a pair [height, width], or [[top, bottom], [left, right]]";
    fail('padding', value, `it must be ${allowed}`);
  }
  return sides.map((side) => [...side]);
}

function readSides(value: unknown, rank: number): unknown[] {
  if (rank === 1) return [pairOf(value)];
  return Array.isArray(value) ? value.map(pairOf) : [pairOf(value), pairOf(value)];
}

const pairOf = (value: unknown) => (typeof value === 'number' ? [value, value] : value);

function isPairOfSides(value: unknown): value is number[] {
  return Array.isArray(value) && value.length === 2 && value.every((side) => isInteger(side, 0));
}

function isInteger(value: unknown, least: number): boolean {
  return Number.isInteger(value) && (value as number) >= least;
}

/** The padding as a config has it, from which `readPadding` reads the same again. */
export function paddingConfig(padding: Padding): Padding | number[] {
  return Array.isArray(padding) && padding.length === 1 ? padding[0] : padding;
}

/** The shape of the only input. tf.layers may pass it as a list of one. */
export function onlyShape(shape: Shape | Shape[]): Shape {
  return (Array.isArray(shape[0]) ? shape[0] : shape) as Shape;
}

/** The only input. tf.layers may pass it as a list of one. */
export function only<T>(inputs: T | T[]): T {
  return Array.isArray(inputs) ? inputs[0] : inputs;
}

export function channelAxis({ dataFormat, size }: Window): number {
  return dataFormat === 'channelsFirst' ? 1 : size.length + 1;
}

/** The first axis along which the window slides. */
export function windowAxis({ dataFormat }: Window): number {
  return dataFormat === 'channelsFirst' ? 2 : 1;
}

/**
 * The shape of a layer's output. Dimensions that are not known yet are null in both shapes.
 * @throws Error if the input has another rank, or if it is smaller than the window
 */
export function outputShape(name: string, window: Window, inputShape: Shape, channels?: number): Shape {
  const { size } = window;
  if (inputShape.length !== size.length + 2) {
    fail(`the rank of the input of layer '${name}'`, inputShape.length, `it must be ${size.length + 2}`);
  }
  const first = windowAxis(window);
  const shape = [...inputShape];
  if (channels !== undefined) shape[channelAxis(window)] = channels;
  for (const axis of size.keys()) {
    const length = outputSize(window, axis, inputShape[first + axis]);
    if (length !== null && length < 1) failToFit(name, window, inputShape);
    shape[first + axis] = length;
  }
  return shape;
}

function failToFit(name: string, window: Window, inputShape: Shape): never {
  const { sizeName, size, dilationRate, padding } = window;
  const allowed = `with dilationRate ${shown(dilationRate)} and padding ${shown(padding)} it must fit into the input of shape ${shown(inputShape)}`;
  fail(`${sizeName} of layer '${name}'`, size, allowed);
}

function outputSize(window: Window, axis: number, size: number | null): number | null {
  if (size == null) return null;
  const stride = window.strides[axis];
  if (window.padding === 'same') return Math.ceil(size / stride);
  const [before, after] = sidesOf(window)[axis];
  return Math.floor((size + before + after - effectiveSize(window, axis)) / stride) + 1;
}

function effectiveSize({ size, dilationRate }: Window, axis: number): number {
  return (size[axis] - 1) * dilationRate[axis] + 1;
}

/** [before, after] for each axis, unless padding is 'same': that depends on the input. */
function sidesOf(window: Window): number[][] {
  const { padding, size } = window;
  if (Array.isArray(padding)) return padding;
  return Array.from(size, (_, axis) => [padding === 'causal' ? effectiveSize(window, axis) - 1 : 0, 0]);
}

/** The options of our ops that describe the window. A window along one axis slides along the width of images of height 1. */
export function opOptions(window: Window) {
  const dataFormat: DataFormat = window.dataFormat === 'channelsFirst' ? 'NCHW' : 'NHWC';
  return {
    strides: onImage(window.strides, 1),
    dilations: onImage(window.dilationRate, 1),
    pad: opPadding(window, dataFormat),
    dataFormat,
  };
}

function opPadding(window: Window, dataFormat: DataFormat): OpPadding {
  const { padding } = window;
  if (padding === 'same' || padding === 'valid') return padding;
  const sides = onImage(sidesOf(window), [0, 0]);
  return dataFormat === 'NCHW' ? [[0, 0], [0, 0], ...sides] : [[0, 0], ...sides, [0, 0]]; // prettier-ignore
}

/** A value for the height and one for the width. */
function onImage<T>(values: readonly T[], ofHeight: T): T[] {
  return values.length === 1 ? [ofHeight, values[0]] : [...values];
}

/** @throws Error that names the argument, its value and what is allowed */
export function fail(argument: string, value: unknown, allowed: string): never {
  throw new Error(`tfjs-convgrad: ${argument} is ${shown(value)}, but ${allowed}.`);
}

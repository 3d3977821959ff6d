/**
 * Compares gradients with differences of the definitions in float64. The gradients go through tfjs's ops with the plugin
 * installed, and through our own ops. They are of the first and second order, for small cases also of the third.
 *
 * The ops are linear in each of their inputs. Max pooling is linear as long as no two values change places. So the
 * differences have no truncation error. On whole numbers they have no rounding error either. So the gradients must be equal
 * to the differences.
 */
import { avgPool, conv2d, install, type Installation, maxPool } from '../src/index.js';
import * as numeric from '../src/numeric.js';
import {
  describeOnBackends,
  distinct,
  expectExactly,
  expectNoLeak,
  expectWithin,
  installed,
  integers,
  tf,
} from './support/tfjs.js';

type T3 = tf.Tensor3D;
type T4 = tf.Tensor4D;
type Inputs = Float64Array[];

interface Case {
  shapes: number[][];
  op: (...inputs: never[]) => tf.Tensor;
  /** The same function in float64. */
  definition: (shapes: number[][]) => (inputs: Inputs) => Float64Array;
  /** Inputs that the second gradients start from. It is given if tfjs has no second gradients of the others. Default: all. */
  from?: number[];
  /** No two values of an input are equal, so no two are closer than 1. */
  tieFree?: boolean;
  /** Allowed error, relative to the largest value. It is given if an average is over a count that is not a power of 2. */
  bound?: number;
}

const convolution =
  (geometryOf: typeof numeric.convGeometry, convolve: typeof numeric.conv2d) =>
  (options: numeric.ConvOptions) =>
  (shapes: number[][]) => {
    const g = geometryOf(shapes[0], shapes[1], options);
    return ([x, filter]: Inputs) => output(g.outShape, (y) => convolve(x, filter, g, y));
  };

const conv = convolution(numeric.convGeometry, numeric.conv2dDefinition.conv2d);
const depthwise = convolution(numeric.depthwiseGeometry, numeric.depthwiseConv2d);

const conv1d =
  (stride: number, dilation: number, pad: numeric.Padding) =>
  ([[batch, width, channels], filter]: number[][]) =>
    conv({ strides: [1, stride], dilations: [1, dilation], pad })([
      [batch, 1, width, channels],
      [1, ...filter],
    ]);

const withBias =
  (geometryOf: typeof numeric.convGeometry, convolution: typeof conv) =>
  (options: numeric.ConvOptions) =>
  (shapes: number[][]) => {
    const { outShape } = geometryOf(shapes[0], shapes[1], options);
    const convolve = convolution(options)(shapes);
    const at = indexes(output(outShape, () => {})).map((i) => broadcastIndex(i, shapes[2], outShape));
    return ([x, filter, bias]: Inputs) => convolve([x, filter]).map((value, i) => value + bias[at[i]]);
  };

const fused = withBias(numeric.convGeometry, conv);
const fusedDepthwise = withBias(numeric.depthwiseGeometry, depthwise);

const transpose = (outputShape: number[], options: numeric.ConvOptions) => (shapes: number[][]) => {
  const g = numeric.withDyShape(numeric.convGeometry(outputShape, shapes[1], options), shapes[0]);
  return ([dy, filter]: Inputs) =>
    output(outputShape, (dx) => numeric.conv2dDefinition.conv2dBackpropInput(dy, filter, g, dx));
};

/** A depthwise convolution, then a 1x1 convolution. */
const separable = (options: numeric.ConvOptions) => (shapes: number[][]) => {
  const [x, filter, pointwise] = shapes;
  const { outShape } = numeric.depthwiseGeometry(x, filter, options);
  const first = depthwise(options)([x, filter]);
  const second = conv({ dataFormat: options.dataFormat })([[...outShape], pointwise]);
  return ([x, filter, pointwise]: Inputs) => second([first([x, filter]), pointwise]);
};

const max = (filterSize: numeric.Pair, options: numeric.PoolOptions) => (shapes: number[][]) => {
  const g = numeric.poolGeometry(shapes[0], filterSize, options);
  const positions = new Int32Array(sizeOf(g.outShape));
  return ([x]: Inputs) => output(g.outShape, (y) => numeric.maxPool(x, g, y, positions));
};

const avg = (filterSize: numeric.Pair, options: numeric.PoolOptions) => (shapes: number[][]) => {
  const g = numeric.poolGeometry(shapes[0], filterSize, options);
  return ([x]: Inputs) => output(g.outShape, (y) => numeric.avgPool(x, g, y));
};

function output(shape: readonly number[], write: (values: Float64Array) => void): Float64Array {
  const values = new Float64Array(sizeOf(shape));
  write(values);
  return values;
}

function sizeOf(shape: readonly number[]): number {
  return tf.util.sizeFromShape([...shape]);
}

/** A tensor of `shape` is broadcast to outShape. The result: the index in it of the value at element i of outShape. */
function broadcastIndex(i: number, shape: number[], outShape: readonly number[]): number {
  const aligned = [1, 1, 1, 1, ...shape].slice(-4);
  return aligned.reduce((index, size, axis) => {
    const position = Math.floor(i / sizeOf(outShape.slice(axis + 1))) % outShape[axis];
    return index * size + (size === 1 ? 0 : position);
  }, 0);
}

const pads: tf.backend_util.ExplicitPadding = [[0, 0], [2, 1], [0, 2], [0, 0]]; // prettier-ignore

const CASES: Record<string, Case> = {
  "tf.conv2d, 'same'": {
    shapes: [[2, 2, 3, 1], [2, 3, 1, 2]], // prettier-ignore
    op: (x: T4, filter: T4) => tf.conv2d(x, filter, 1, 'same'),
    definition: conv({ pad: 'same' }),
  },
  'tf.conv2d, one image without a batch': {
    shapes: [[3, 3, 2], [2, 2, 2, 2]], // prettier-ignore
    op: (x: T3, filter: T4) => tf.conv2d(x, filter, 1, 'valid'),
    definition: ([x, filter]) => conv({})([[1, ...x], filter]),
  },
  'tf.conv2d, strides that leave a rest': {
    shapes: [[1, 6, 5, 1], [3, 2, 1, 2]], // prettier-ignore
    op: (x: T4, filter: T4) => tf.conv2d(x, filter, [2, 3], 'valid'),
    definition: conv({ strides: [2, 3] }),
  },
  "tf.conv2d, 'ceil'": {
    shapes: [[1, 6, 4, 1], [3, 3, 1, 2]], // prettier-ignore
    op: (x: T4, filter: T4) => tf.conv2d(x, filter, 2, 0, 'NHWC', 1, 'ceil'),
    definition: conv({ strides: 2, pad: 0, dimRoundingMode: 'ceil' }),
  },
  'tf.conv2d, explicit pads': {
    shapes: [[1, 3, 3, 1], [3, 2, 1, 2]], // prettier-ignore
    op: (x: T4, filter: T4) => tf.conv2d(x, filter, [1, 2], pads),
    definition: conv({ strides: [1, 2], pad: pads }),
  },
  'tf.conv2d, dilations': {
    shapes: [[1, 4, 4, 1], [2, 3, 1, 1]], // prettier-ignore
    op: (x: T4, filter: T4) => tf.conv2d(x, filter, 1, 'same', 'NHWC', [3, 2]),
    definition: conv({ dilations: [3, 2], pad: 'same' }),
  },
  'tf.conv2d, NCHW, strides': {
    shapes: [[1, 2, 3, 3], [2, 2, 2, 2]], // prettier-ignore
    op: (x: T4, filter: T4) => tf.conv2d(x, filter, 2, 'same', 'NCHW'),
    definition: conv({ strides: 2, pad: 'same', dataFormat: 'NCHW' }),
  },
  'tf.conv2d, NCHW, dilations': {
    shapes: [[1, 2, 4, 4], [2, 2, 2, 1]], // prettier-ignore
    op: (x: T4, filter: T4) => tf.conv2d(x, filter, 1, 'valid', 'NCHW', 2),
    definition: conv({ dilations: 2, dataFormat: 'NCHW' }),
  },
  'tf.conv1d, stride': {
    shapes: [[1, 7, 2], [3, 2, 2]], // prettier-ignore
    op: (x: T3, filter: T3) => tf.conv1d(x, filter, 2, 'same'),
    definition: conv1d(2, 1, 'same'),
  },
  'tf.conv1d, dilation': {
    shapes: [[2, 7, 1], [3, 1, 2]], // prettier-ignore
    op: (x: T3, filter: T3) => tf.conv1d(x, filter, 1, 'valid', 'NWC', 2),
    definition: conv1d(1, 2, 'valid'),
  },
  'tf.conv2dTranspose': {
    shapes: [[1, 2, 2, 2], [3, 2, 1, 2]], // prettier-ignore
    op: (dy: T4, filter: T4) => tf.conv2dTranspose(dy, filter, [1, 4, 3, 1], 2, 'same'),
    definition: transpose([1, 4, 3, 1], { strides: 2, pad: 'same' }),
  },
  'tf.conv2dTranspose of more than the output needs': {
    shapes: [[1, 4, 3, 1], [2, 2, 2, 1]], // prettier-ignore
    op: (dy: T4, filter: T4) => tf.conv2dTranspose(dy, filter, [1, 3, 3, 2], 1, 'valid'),
    definition: transpose([1, 3, 3, 2], {}),
  },
  "tf.conv2dTranspose, 'ceil'": {
    shapes: [[1, 3, 3, 1], [3, 3, 1, 1]], // prettier-ignore
    op: (dy: T4, filter: T4) => tf.conv2dTranspose(dy, filter, [1, 6, 6, 1], 2, 0, 'ceil'),
    definition: transpose([1, 6, 6, 1], { strides: 2, pad: 0, dimRoundingMode: 'ceil' }),
  },
  'tf.fused.conv2d without a bias': {
    shapes: [[1, 3, 3, 2], [2, 2, 2, 2]], // prettier-ignore
    op: (x: T4, filter: T4) => tf.fused.conv2d({ x, filter, strides: 2, pad: 'same' }),
    definition: conv({ strides: 2, pad: 'same' }),
  },
  ...Object.fromEntries(
    [[], [2], [1, 1, 1, 2], [2, 1, 3, 1], [2, 1, 3, 2], [3, 1]].map((bias): [string, Case] => [
      `tf.fused.conv2d, bias of shape [${bias}]`,
      {
        shapes: [[2, 2, 4, 1], [2, 2, 1, 2], bias], // prettier-ignore
        op: (x: T4, filter: T4, bias: tf.Tensor) =>
          tf.fused.conv2d({ x, filter, strides: 1, pad: 'valid', bias }),
        definition: fused({}),
      },
    ]),
  ),
  'tf.fused.conv2d, dilations': {
    shapes: [[1, 3, 4, 1], [2, 2, 1, 2], [2]], // prettier-ignore
    op: (x: T4, filter: T4, bias: tf.Tensor) =>
      tf.fused.conv2d({ x, filter, strides: 1, pad: 'same', dilations: [2, 3], bias }),
    definition: fused({ dilations: [2, 3], pad: 'same' }),
  },
  "tf.fused.conv2d, 'ceil'": {
    shapes: [[1, 4, 4, 1], [3, 3, 1, 1], [1]], // prettier-ignore
    op: (x: T4, filter: T4, bias: tf.Tensor) =>
      tf.fused.conv2d({ x, filter, strides: 2, pad: 0, dimRoundingMode: 'ceil', bias }),
    definition: fused({ strides: 2, pad: 0, dimRoundingMode: 'ceil' }),
  },
  'tf.fused.conv2d, NCHW': {
    shapes: [[1, 2, 3, 4], [2, 2, 2, 3], [3]], // prettier-ignore
    op: (x: T4, filter: T4, bias: tf.Tensor) =>
      tf.fused.conv2d({ x, filter, strides: [1, 2], pad: 'valid', dataFormat: 'NCHW', bias }),
    definition: ([x, filter, [channels]]) =>
      fused({ strides: [1, 2], dataFormat: 'NCHW' })([x, filter, [channels, 1, 1]]),
  },
  'tf.fused.conv2d, one image without a batch': {
    shapes: [[3, 3, 1], [2, 2, 1, 2], [2]], // prettier-ignore
    op: (x: T3, filter: T4, bias: tf.Tensor) =>
      tf.fused.conv2d({ x, filter, strides: 1, pad: 'valid', bias }),
    definition: ([x, ...rest]) => fused({})([[1, ...x], ...rest]),
  },
  'tf.fused.conv2d, twice with the same filter': {
    shapes: [[1, 3, 4, 1], [2, 2, 1, 1]], // prettier-ignore
    op: (x: T4, filter: T4) => {
      const convolve = (x: T4) => tf.fused.conv2d({ x, filter, strides: 1, pad: 'same', dilations: 2 });
      return convolve(convolve(x));
    },
    definition: (shapes) => {
      const convolve = conv({ pad: 'same', dilations: 2 })(shapes);
      return ([x, filter]) => convolve([convolve([x, filter]), filter]);
    },
    from: [1],
  },
  "tf.depthwiseConv2d, 'same'": {
    shapes: [[2, 2, 3, 2], [2, 3, 2, 1]], // prettier-ignore
    op: (x: T4, filter: T4) => tf.depthwiseConv2d(x, filter, 1, 'same'),
    definition: depthwise({ pad: 'same' }),
  },
  'tf.depthwiseConv2d, one channel': {
    shapes: [[1, 3, 4, 1], [2, 2, 1, 2]], // prettier-ignore
    op: (x: T4, filter: T4) => tf.depthwiseConv2d(x, filter, 1, 'same'),
    definition: depthwise({ pad: 'same' }),
  },
  'tf.depthwiseConv2d, one image without a batch': {
    shapes: [[3, 3, 2], [2, 2, 2, 2]], // prettier-ignore
    op: (x: T3, filter: T4) => tf.depthwiseConv2d(x, filter, 1, 'valid'),
    definition: ([x, filter]) => depthwise({})([[1, ...x], filter]),
  },
  'tf.depthwiseConv2d, enough channels for a register': {
    shapes: [[1, 3, 3, 5], [3, 3, 5, 1]], // prettier-ignore
    op: (x: T4, filter: T4) => tf.depthwiseConv2d(x, filter, 1, 'same'),
    definition: depthwise({ pad: 'same' }),
    from: [0],
  },
  'tf.depthwiseConv2d, strides that leave a rest': {
    shapes: [[1, 6, 5, 2], [3, 2, 2, 1]], // prettier-ignore
    op: (x: T4, filter: T4) => tf.depthwiseConv2d(x, filter, [2, 3], 'valid'),
    definition: depthwise({ strides: [2, 3] }),
  },
  'tf.depthwiseConv2d, explicit pads': {
    shapes: [[1, 3, 3, 2], [3, 2, 2, 1]], // prettier-ignore
    op: (x: T4, filter: T4) => tf.depthwiseConv2d(x, filter, [1, 2], pads as unknown as 'same'),
    definition: depthwise({ strides: [1, 2], pad: pads }),
  },
  'tf.depthwiseConv2d, dilations': {
    shapes: [[1, 4, 4, 2], [2, 3, 2, 1]], // prettier-ignore
    op: (x: T4, filter: T4) => tf.depthwiseConv2d(x, filter, 1, 'same', 'NHWC', [3, 2]),
    definition: depthwise({ dilations: [3, 2], pad: 'same' }),
  },
  'tf.depthwiseConv2d, strides and dilations': {
    shapes: [[1, 5, 6, 2], [2, 2, 2, 1]], // prettier-ignore
    op: (x: T4, filter: T4) => tf.depthwiseConv2d(x, filter, [2, 1], 'same', 'NHWC', [2, 3]),
    definition: depthwise({ strides: [2, 1], dilations: [2, 3], pad: 'same' }),
  },
  'tf.depthwiseConv2d, NCHW, strides': {
    shapes: [[1, 2, 3, 4], [2, 2, 2, 2]], // prettier-ignore
    op: (x: T4, filter: T4) => tf.depthwiseConv2d(x, filter, 2, 'same', 'NCHW'),
    definition: depthwise({ strides: 2, pad: 'same', dataFormat: 'NCHW' }),
  },
  'tf.depthwiseConv2d, NCHW, dilations': {
    shapes: [[1, 2, 4, 3], [2, 2, 2, 1]], // prettier-ignore
    op: (x: T4, filter: T4) => tf.depthwiseConv2d(x, filter, 1, 'valid', 'NCHW', 2),
    definition: depthwise({ dilations: 2, dataFormat: 'NCHW' }),
  },
  'tf.fused.depthwiseConv2d without a bias': {
    shapes: [[1, 3, 3, 2], [2, 2, 2, 2]], // prettier-ignore
    op: (x: T4, filter: T4) => tf.fused.depthwiseConv2d({ x, filter, strides: 2, pad: 'same' }),
    definition: depthwise({ strides: 2, pad: 'same' }),
  },
  "tf.fused.depthwiseConv2d, 'ceil'": {
    shapes: [[1, 4, 4, 2], [3, 3, 2, 1], [2]], // prettier-ignore
    op: (x: T4, filter: T4, bias: tf.Tensor) =>
      tf.fused.depthwiseConv2d({ x, filter, strides: 2, pad: 0, dimRoundingMode: 'ceil', bias }),
    definition: fusedDepthwise({ strides: 2, pad: 0, dimRoundingMode: 'ceil' }),
  },
  "tf.depthwiseConv2d, multiplier 2, 'ceil'": {
    shapes: [[1, 4, 4, 2], [3, 3, 2, 2]], // prettier-ignore
    op: (x: T4, filter: T4) => tf.depthwiseConv2d(x, filter, 2, 0, 'NHWC', 1, 'ceil'),
    definition: depthwise({ strides: 2, pad: 0, dimRoundingMode: 'ceil' }),
  },
  'tf.depthwiseConv2d, NCHW, one image without a batch': {
    shapes: [[2, 3, 4], [2, 2, 2, 1]], // prettier-ignore
    op: (x: T3, filter: T4) => tf.depthwiseConv2d(x, filter, [1, 2], 'valid', 'NCHW'),
    definition: ([x, filter]) => depthwise({ strides: [1, 2], dataFormat: 'NCHW' })([[1, ...x], filter]),
  },
  ...Object.fromEntries(
    [[], [2], [2, 1, 4, 1]].map((bias): [string, Case] => [
      `tf.fused.depthwiseConv2d, dilations, bias of shape [${bias}]`,
      {
        shapes: [[2, 2, 4, 2], [2, 2, 2, 1], bias], // prettier-ignore
        op: (x: T4, filter: T4, bias: tf.Tensor1D) =>
          tf.fused.depthwiseConv2d({ x, filter, strides: 1, pad: 'same', dilations: 2, bias }),
        definition: fusedDepthwise({ dilations: 2, pad: 'same' }),
      },
    ]),
  ),
  'tf.separableConv2d': {
    shapes: [[1, 3, 4, 2], [2, 2, 2, 1], [1, 1, 2, 3]], // prettier-ignore
    op: (x: T4, filter: T4, pointwise: T4) => tf.separableConv2d(x, filter, pointwise, 1, 'same'),
    definition: separable({ pad: 'same' }),
    from: [2],
  },
  'tf.separableConv2d, strides, multiplier': {
    shapes: [[1, 5, 4, 2], [2, 3, 2, 2], [1, 1, 4, 2]], // prettier-ignore
    op: (x: T4, filter: T4, pointwise: T4) => tf.separableConv2d(x, filter, pointwise, 2, 'same'),
    definition: separable({ strides: 2, pad: 'same' }),
  },
  'tf.separableConv2d, dilation': {
    shapes: [[1, 4, 4, 2], [2, 2, 2, 1], [1, 1, 2, 2]], // prettier-ignore
    op: (x: T4, filter: T4, pointwise: T4) => tf.separableConv2d(x, filter, pointwise, 1, 'valid', [2, 3]),
    definition: separable({ dilations: [2, 3] }),
  },
  "tf.pool, 'max', dilations": {
    shapes: [[1, 5, 4, 1]],
    op: (x: T4) => tf.pool(x, 2, 'max', 'valid', [3, 2], 1),
    definition: max(2, { strides: 1, dilations: [3, 2] }),
    tieFree: true,
  },
  "tf.pool, 'avg', dilations": {
    shapes: [[1, 5, 4, 1]],
    op: (x: T4) => tf.pool(x, 2, 'avg', 'valid', [3, 2], 1),
    definition: avg(2, { strides: 1, dilations: [3, 2] }),
  },
  "tf.pool, 'avg', strides": {
    shapes: [[1, 5, 4, 1]],
    op: (x: T4) => tf.pool(x, [2, 4], 'avg', 'valid', 1, [2, 1]),
    definition: avg([2, 4], { strides: [2, 1] }),
  },
  "tf.maxPool, 'same', overlapping": {
    shapes: [[2, 3, 3, 1]],
    op: (x: T4) => tf.maxPool(x, 3, [2, 1], 'same'),
    definition: max(3, { strides: [2, 1], pad: 'same' }),
    tieFree: true,
  },
  "tf.maxPool, 'ceil'": {
    shapes: [[1, 6, 5, 1]],
    op: (x: T4) => tf.maxPool(x, [3, 2], 2, 0, 'ceil'),
    definition: max([3, 2], { strides: 2, pad: 0, dimRoundingMode: 'ceil' }),
    tieFree: true,
  },
  'tf.maxPool, explicit pads': {
    shapes: [[3, 3, 1]],
    op: (x: T3) => tf.maxPool(x, 3, 1, pads),
    definition: ([x]) => max(3, { strides: 1, pad: pads })([[1, ...x]]),
    tieFree: true,
  },
  'tf.maxPoolWithArgmax': {
    shapes: [[2, 3, 3, 2]],
    op: (x: T4) => tf.maxPoolWithArgmax(x, 2, 1, 'same').result,
    definition: max(2, { strides: 1, pad: 'same' }),
    tieFree: true,
  },
  "tf.avgPool, 'same'": {
    shapes: [[1, 3, 3, 2]],
    op: (x: T4) => tf.avgPool(x, 2, [2, 1], 'same'),
    definition: avg(2, { strides: [2, 1], pad: 'same' }),
  },
  "tf.avgPool, 'same', 3x3": {
    shapes: [[1, 4, 4, 1]],
    op: (x: T4) => tf.avgPool(x, 3, 1, 'same'),
    definition: avg(3, { strides: 1, pad: 'same' }),
    bound: 2 ** -21,
  },
  "tf.avgPool, 'ceil'": {
    shapes: [[1, 5, 7, 1]],
    op: (x: T4) => tf.avgPool(x, [2, 4], [2, 2], 0, 'ceil'),
    definition: avg([2, 4], { strides: 2, pad: 0, dimRoundingMode: 'ceil' }),
    bound: 2 ** -21,
  },
  'tf.avgPool, explicit pads': {
    shapes: [[1, 3, 3, 1]],
    op: (x: T4) => tf.avgPool(x, 2, 1, pads),
    definition: avg(2, { strides: 1, pad: pads }),
  },
  'our conv2d: groups, strides, dilations, NCHW, bias': {
    shapes: [[1, 2, 4, 4], [2, 2, 1, 2], [2]], // prettier-ignore
    op: (x: T4, filter: T4, bias: tf.Tensor) =>
      conv2d(x, filter, { groups: 2, strides: [2, 1], dilations: 2, dataFormat: 'NCHW', bias }),
    definition: ([x, filter, [channels]]) =>
      fused({ groups: 2, strides: [2, 1], dilations: 2, dataFormat: 'NCHW' })([x, filter, [channels, 1, 1]]),
  },
  'our maxPool: strides, dilations, NCHW': {
    shapes: [[1, 2, 6, 4]],
    op: (x: T4) => maxPool(x, 2, { strides: 2, dilations: [3, 2], pad: 1, dataFormat: 'NCHW' }),
    definition: max(2, { strides: 2, dilations: [3, 2], pad: 1, dataFormat: 'NCHW' }),
    tieFree: true,
  },
  'our avgPool: strides, dilations, NCHW': {
    shapes: [[1, 2, 6, 4]],
    op: (x: T4) => avgPool(x, 2, { strides: 2, dilations: [3, 2], pad: 1, dataFormat: 'NCHW' }),
    definition: avg(2, { strides: 2, dilations: [3, 2], pad: 1, dataFormat: 'NCHW' }),
  },
  'our avgPool: countIncludePad': {
    shapes: [[1, 4, 4, 1]],
    op: (x: T4) => avgPool(x, 4, { strides: 2, pad: 2, countIncludePad: true }),
    definition: avg(4, { strides: 2, pad: 2, countIncludePad: true }),
  },
};

const STEP = 0.25;

/** The gradients of f by some of the inputs, computed as central differences. */
function differences(f: (inputs: Inputs) => number, inputs: Inputs, by = indexes(inputs)): Inputs {
  return by.map((i) =>
    inputs[i].map((value, j) => {
      const at = (moved: number) => {
        inputs[i][j] = moved;
        return f(inputs);
      };
      const difference = at(value + STEP) - at(value - STEP);
      inputs[i][j] = value;
      return difference / (2 * STEP);
    }),
  );
}

function indexes(list: ArrayLike<unknown>): number[] {
  return Array.from(list, (_, i) => i);
}

function inner(a: Float64Array, b: Float64Array): number {
  let result = 0;
  for (let i = 0; i < a.length; i++) result += a[i] * b[i];
  return result;
}

/**
 * Functions that the specs differentiate repeatedly, in tfjs and in float64. Their last argument is dy.
 *   first    <f(inputs), dy>
 *   second   the sum of the squares of the gradients of the first, by the inputs in `from`
 *   third    the sum of the gradients of the second, by all arguments
 */
function functionsOf({ shapes, op, definition, from = indexes(shapes) }: Case) {
  const f = definition(shapes);
  const [first, second, third] = [
    (args: Inputs) => inner(f(args.slice(0, -1)), args[args.length - 1]),
    (args: Inputs) => differences(first, args, from).reduce((sum, g) => sum + inner(g, g), 0),
    (args: Inputs) => differences(second, args).reduce((sum, g) => g.reduce((s, value) => s + value, sum), 0),
  ];
  const [tfFirst, tfSecond, tfThird] = [
    (args: tf.Tensor[]) => tf.sum(tf.mul(op(...(args.slice(0, -1) as never[])), args[args.length - 1])),
    (args: tf.Tensor[]) => tf.addN(gradientsOf(tfFirst, args, from).map((g) => tf.sum(tf.square(g)))),
    (args: tf.Tensor[]) => tf.addN(gradientsOf(tfSecond, args).map((g) => tf.sum(g))),
  ];
  return { first: [first, tfFirst], second: [second, tfSecond], third: [third, tfThird] } as const;
}

/** The gradients by some of the arguments. If f does not depend on an argument, the gradient is 0. */
function gradientsOf(
  f: (args: tf.Tensor[]) => tf.Tensor,
  args: tf.Tensor[],
  by = indexes(args),
): tf.Tensor[] {
  const some = by.map((i) => args[i]);
  const { grads } = tf.engine().gradients(() => f(args), some, undefined, true);
  return grads.map((gradient, i) => gradient ?? tf.zerosLike(some[i]));
}

/** Expects that the gradients by all arguments, dy included, agree with the differences. */
function expectGradients(order: 'first' | 'second' | 'third', one: Case): void {
  const inputs = one.shapes.map((shape, i) => (one.tieFree ? distinct : integers)(shape, i + 1));
  const args = [...inputs, integers(one.op(...(inputs as never[])).shape, 9)];
  const [f, tfFunction] = functionsOf(one)[order];
  const expected = differences(
    f,
    args.map((arg) => Float64Array.from(arg.dataSync())),
  );
  gradientsOf(tfFunction, args).forEach((gradient, i) => {
    expect(gradient.shape).toEqual(args[i].shape);
    const largest = Math.max(1, ...expected[i].map(Math.abs));
    expectWithin(gradient, expected[i], (one.bound ?? 0) * largest);
  });
}

/** Cases with so few numbers that differences of differences of differences are possible. */
const TINY: Record<string, Case> = {
  'tf.conv2d, dilations': {
    ...CASES['tf.conv2d, dilations'],
    shapes: [[1, 1, 3, 1], [1, 2, 1, 1]], // prettier-ignore
  },
  'tf.conv2dTranspose': {
    shapes: [[1, 1, 2, 1], [1, 2, 1, 1]], // prettier-ignore
    op: (dy: T4, filter: T4) => tf.conv2dTranspose(dy, filter, [1, 1, 3, 1], 2, 'same'),
    definition: transpose([1, 1, 3, 1], { strides: 2, pad: 'same' }),
  },
  'tf.depthwiseConv2d, dilations': {
    ...CASES['tf.depthwiseConv2d, dilations'],
    shapes: [[1, 1, 3, 2], [1, 2, 2, 1]], // prettier-ignore
  },
  'tf.fused.conv2d': {
    shapes: [[1, 1, 3, 1], [1, 2, 1, 1], [1]], // prettier-ignore
    op: (x: T4, filter: T4, bias: tf.Tensor) => tf.fused.conv2d({ x, filter, strides: 1, pad: 'same', bias }),
    definition: fused({ pad: 'same' }),
  },
};

const EMPTY: Record<string, [shapes: number[][], op: Case['op']]> = {
  'tf.conv2d, batch 0': [
    [[0, 4, 4, 2], [3, 3, 2, 3]], // prettier-ignore
    (x: T4, filter: T4) => tf.conv2d(x, filter, 1, 'same', 'NHWC', 2),
  ],
  'tf.conv2d, no channels in': [
    [[2, 4, 4, 0], [3, 3, 0, 3]], // prettier-ignore
    (x: T4, filter: T4) => tf.conv2d(x, filter, 2, 'same'),
  ],
  'tf.conv2d, no channels out': [
    [[2, 4, 4, 2], [3, 3, 2, 0]], // prettier-ignore
    (x: T4, filter: T4) => tf.conv2d(x, filter, 1, 'valid', 'NHWC', 2),
  ],
  'tf.fused.conv2d, batch 0': [
    [[0, 4, 4, 2], [3, 3, 2, 3], [3]], // prettier-ignore
    (x: T4, filter: T4, bias: tf.Tensor) => tf.fused.conv2d({ x, filter, strides: 1, pad: 'same', bias }),
  ],
  'tf.depthwiseConv2d, batch 0': [
    [[0, 4, 4, 2], [3, 3, 2, 2]], // prettier-ignore
    (x: T4, filter: T4) => tf.depthwiseConv2d(x, filter, 1, 'same', 'NHWC', 2),
  ],
  'tf.depthwiseConv2d, no channels': [
    [[2, 4, 4, 0], [3, 3, 0, 2]], // prettier-ignore
    (x: T4, filter: T4) => tf.depthwiseConv2d(x, filter, 2, 'same'),
  ],
  'tf.depthwiseConv2d, multiplier 0': [
    [[2, 4, 4, 2], [3, 3, 2, 0]], // prettier-ignore
    (x: T4, filter: T4) => tf.depthwiseConv2d(x, filter, 2, 'same'),
  ],
  'tf.fused.depthwiseConv2d, batch 0': [
    [[0, 4, 4, 2], [3, 3, 2, 1], [2]], // prettier-ignore
    (x: T4, filter: T4, bias: tf.Tensor) =>
      tf.fused.depthwiseConv2d({ x, filter, strides: 1, pad: 'same', bias }),
  ],
  'tf.conv2dTranspose, batch 0': [
    [[0, 2, 2, 2], [2, 2, 3, 2]], // prettier-ignore
    (dy: T4, filter: T4) => tf.conv2dTranspose(dy, filter, [0, 4, 4, 3], 2, 'same'),
  ],
  ...Object.fromEntries(
    [
      [0, 4, 4, 2],
      [2, 4, 4, 0],
      [2, 0, 4, 2],
    ].flatMap((shape): [string, [number[][], Case['op']]][] => [
      // prettier-ignore
      [`tf.maxPool, [${shape}]`, [[shape], (x: T4) => tf.maxPool(x, 2, 2, 'same')]],
      [`tf.avgPool, [${shape}]`, [[shape], (x: T4) => tf.avgPool(x, 2, 2, 'same')]],
    ]),
  ),
};

describeOnBackends('gradients', () => {
  let installation: Installation;
  beforeEach(() => (installation = install()));
  afterEach(() => installation.uninstall());

  for (const [name, one] of Object.entries(CASES)) {
    it(`first: ${name}`, () => expectGradients('first', one));
    it(`second: ${name}`, () => expectGradients('second', one));
  }

  for (const [name, one] of Object.entries(TINY)) {
    it(`third: ${name}`, () => expectGradients('third', one));
  }

  for (const [name, [shapes, op]] of Object.entries(EMPTY)) {
    it(`of nothing are 0: ${name}`, () => {
      const inputs = shapes.map((shape) => integers(shape));
      const f = (inputs: tf.Tensor[]) => op(...(inputs as never[]));
      gradientsOf(f, inputs).forEach((gradient, i) => expectWithin(gradient, tf.zeros(shapes[i]), 0));
    });
  }

  it('of a filter of no channels in leave what the bias gives', () => {
    const y = tf.fused.conv2d({
      x: integers([1, 2, 2, 0]),
      filter: integers([1, 1, 0, 2]),
      strides: 1,
      pad: 'valid',
      bias: tf.tensor1d([1, 2]),
    });
    expectWithin(y, [1, 2, 1, 2, 1, 2, 1, 2], 0);
  });

  it('of any order leak nothing', () => {
    for (const one of [...Object.values(TINY), CASES['tf.maxPoolWithArgmax']]) {
      expectNoLeak(() => expectGradients('second', one));
    }
  });
});

describeOnBackends('gradients of the gradients of pooling', () => {
  /** A 1x1 window whose output has the shape of x. tfjs takes it for the identity, although stride and pad say otherwise. */
  const identity = { max: tf.maxPool, avg: tf.avgPool };
  for (const [name, pool] of Object.entries(identity)) {
    it(`know when ${name} pooling is the identity`, () =>
      installed(() => {
        const f = (x: tf.Tensor) => tf.sum(tf.mul(x, tf.square(pool(x as tf.Tensor4D, 1, 2, 1))));
        const x = tf.tensor4d([1, 2, 3, 4], [1, 2, 2, 1]);
        expectExactly(tf.grad(f)(x), [3, 12, 27, 48]); // x^3
        expectExactly(tf.grad((x) => tf.sum(tf.grad(f)(x)))(x), [6, 12, 18, 24]);
      }));
  }

  for (const kernelName of ['MaxPoolGrad', 'AvgPoolGrad']) {
    it(`give nothing to the part of a larger dy that ${kernelName} leaves out`, () =>
      installed(() => {
        const input = distinct([1, 4, 4, 1]);
        const attrs = { filterSize: 2, strides: 2, pad: 'valid' };
        const output = tf.zeros([1, 2, 2, 1]);
        const f = (dy: tf.Tensor) =>
          tf.sum(tf.engine().runKernel(kernelName, { dy, input, output }, attrs) as tf.Tensor);
        expectExactly(tf.grad(f)(tf.ones([1, 3, 3, 1])), [1, 1, 0, 1, 1, 0, 0, 0, 0]);
      }));
  }

  it('are 0 in the output of MaxPoolGrad, and of its shape', () =>
    installed(() => {
      const dy = tf.ones([1, 2, 2, 1]);
      const input = distinct([1, 4, 4, 1]);
      const attrs = { filterSize: 2, strides: 2, pad: 'valid' };
      const f = (output: tf.Tensor) =>
        tf.sum(tf.engine().runKernel('MaxPoolGrad', { dy, input, output }, attrs) as tf.Tensor);
      expectExactly(tf.grad(f)(tf.ones([1, 2, 2, 1])), [0, 0, 0, 0]);
    }));
});

/**
 * The worked examples of the teaching texts from which this project grew. Each is computed through the public API, and
 * compared with the numbers printed in the text. docs/learn explains them, a page for each text.
 *
 *   A  one channel, then N images of C channels
 *   B  im2col
 *   C  a whole CNN
 *   D  channels last
 */
import {
  type Scalar,
  grad,
  matMul,
  reshape,
  sum,
  type Tensor,
  type Tensor2D,
  tensor,
  tensor4d,
  transpose,
  variable,
  zeros,
} from '@tensorflow/tfjs-core';
import { avgPool, conv2d, maxPool } from '../index.js';
import * as numeric from '../numeric.js';
import { inner } from '../../kernels/arrays.js';
import { difference } from '../verify/differences.js';
import { describeWorst, elementName } from '../verify/exact.js';
import { distinct, floats, integers } from '../verify/data.js';

export interface Example {
  id: string;
  title: string;
  got: string;
  want: string;
  /** The first element that is wrong; absent if there is none, or no array. */
  remark?: string;
  ok: boolean;
}

/** A result that is right if `ok`, in words. */
interface Measured {
  got: string;
  want: string;
  ok: boolean;
}

type Run = () => [got: unknown, want: unknown] | Measured;

const EXAMPLES: [id: string, title: string, run: Run][] = [
  ['A1', 'forward, 3x3 image, 2x2 filter, no flip', primerForward],
  ['A2', 'backward: dw for dy = [[1,0],[0,2]]', primerBackpropFilter],
  ['A3', 'backward: dx for dy = [[1,0],[0,2]]', primerBackpropInput],
  ['A4', "(2,3,5,5) with (4,3,3,3), pad 1, stride 2: H' = 1 + (H + 2 pad - HH) / stride", batchedShape],
  ['A5', 'db[f] = sum of dy over N, H, W', batchedBias],
  ['A6', 'forward: (N,C,H,W) with filters (F,C,HH,WW) and bias, as the formula says', batchedForward],
  ['A7', "'exact' refuses a stride that does not divide", refusedStride],
  ['B1', 'flat offsets of the first window of a 30x30x3 image', firstWindow],
  ['B2', 'patch matrix: rows and columns', patchMatrix],
  ['B3', 'y = filters times patches', productForward],
  ['B4', 'dFilter = dy times patches transposed, summed over the batch', productFilter],
  ['B5', 'dx = im2col of padded dy times the filter with swapped channels and reversed window', productInput],
  ['B6', 'erratum: dx is wrong if the window is not reversed', unreversedInput],
  ['C1', 'shapes of the digit CNN', cnnShapes],
  ['C2', 'max pooling of A', () => [values(pooled(maxPool)), [4, 5, 3, 6]]],
  ['C3', 'average pooling of A', () => [values(pooled(avgPool)), [2.5, 2, 1.5, 3.75]]],
  ['C4', 'max pooling, dA for dZ (with the erratum corrected: 1.2 belongs to row 1)', maxPoolBackward],
  ['C5', 'average pooling, dA for dZ', avgPoolBackward],
  ['C6', 'erratum: overlapping windows accumulate', overlapping],
  ['C7', 'gradient check, conv + bias + relu, float64: relative error below 1e-6', convGradientCheck],
  ['C8', 'gradient check, pooling of (1,1,4,4), float64: within 1e-5', poolGradientCheck],
  ['C9', 'conv followed by relu, sigmoid, tanh in one op: dx', activatedConv],
  ['C10', 'groups; stride, padding and dilation as numbers and as pairs', pairs],
  ['D1', 'bias (1,1,1,f): db keeps its four dimensions', fourDimensionalBias],
  ['D2', "the text's 'same' keeps the size at stride 2, by an explicit pad", largeSame],
  ['D3', "the text's 'same' at stride 1 with an even filter gives one more row and column", evenSame],
  ['D4', "TensorFlow's 'same' is ceil(h / s)", () => [conv2d(image(5), filterOf(3), { strides: 2, pad: 'same' }).shape, [1, 3, 3, 1]]], // prettier-ignore
];

/** Runs all examples. If an example throws, the error's message is its result. */
export function workedExamples(): Example[] {
  return EXAMPLES.map(([id, title, run]) => ({ id, title, ...attempt(run) }));
}

/** An example's result. If it is wrong, it says where. */
export function attempt(run: Run): Omit<Example, 'id' | 'title'> {
  try {
    const result = run();
    if (!Array.isArray(result)) return result;
    const [got, want] = result.map((value) => JSON.stringify(value));
    return got === want
      ? { got, want, ok: true }
      : { got, want, ok: false, remark: firstDifference(...result) };
  } catch (error) {
    return { got: `${error}`, want: 'no error', ok: false };
  }
}

/** Both are nested arrays of numbers; else there is no remark. */
function firstDifference(got: unknown, want: unknown, place: number[] = []): string | undefined {
  if (typeof got === 'number' && typeof want === 'number')
    return describeWorst({ error: Infinity, index: 0, got, want, bound: 0 }, elementName(place));
  if (!Array.isArray(got) || !Array.isArray(want) || got.length !== want.length) return undefined;
  const i = got.findIndex((value, i) => JSON.stringify(value) !== JSON.stringify(want[i]));
  return firstDifference(got[i], want[i], [...place, i]);
}

// A: one channel

const X = [1, 2, 3, 4, 5, 6, 7, 8, 9];
const W = [1, 2, 3, 4];
const DY = [1, 0, 0, 2];
const primer = numeric.convGeometry([1, 3, 3, 1], [2, 2, 1, 1]);

function primerForward(): [unknown, unknown] {
  const y = conv2d(tensor4d(X, [1, 3, 3, 1]), tensor4d(W, [2, 2, 1, 1]));
  return [values(y), [37, 47, 67, 77]];
}

function primerBackpropFilter(): [unknown, unknown] {
  const dw = new Float64Array(4);
  numeric.conv2dBackpropFilter(Float64Array.from(X), Float64Array.from(DY), primer, dw);
  return [[...dw], [11, 14, 20, 23]];
}

function primerBackpropInput(): [unknown, unknown] {
  const dx = new Float64Array(9);
  numeric.conv2dBackpropInput(Float64Array.from(DY), Float64Array.from(W), primer, dx);
  return [[...dx], [1, 2, 0, 3, 6, 4, 0, 6, 8]];
}

const batched = numeric.convGeometry([2, 3, 5, 5], [3, 3, 3, 4], { dataFormat: 'NCHW', pad: 1, strides: 2 });

function batchedShape(): [unknown, unknown] {
  const height = 1 + (5 + 2 * 1 - 3) / 2;
  return [batched.outShape, [2, 4, height, height]];
}

function batchedBias(): [unknown, unknown] {
  const dy = Float64Array.from({ length: 2 * 4 * 9 }, (_, i) => i);
  const db = new Float64Array(4);
  numeric.biasGrad(dy, batched, db);
  const channel = (f: number) =>
    [0, 1].flatMap((n) => [...dy.subarray((n * 4 + f) * 9, (n * 4 + f + 1) * 9)]);
  return [[...db], [0, 1, 2, 3].map((f) => channel(f).reduce((p, q) => p + q))];
}

/** The formula as the text writes it, index by index. */
function batchedForward(): [unknown, unknown] {
  const x = integers(2 * 3 * 5 * 5, 10);
  const w = integers(4 * 3 * 3 * 3, 11);
  const b = integers(4, 12);
  const want: number[] = [];
  for (let n = 0; n < 2; n++) {
    for (let f = 0; f < 4; f++) {
      for (let i = 0; i < 3; i++) {
        for (let j = 0; j < 3; j++) {
          let y = b[f];
          for (let c = 0; c < 3; c++) {
            for (let p = 0; p < 3; p++) {
              for (let q = 0; q < 3; q++) {
                const [row, col] = [2 * i + p - 1, 2 * j + q - 1];
                const inside = row >= 0 && row < 5 && col >= 0 && col < 5;
                if (inside) y += x[((n * 3 + c) * 5 + row) * 5 + col] * w[((f * 3 + c) * 3 + p) * 3 + q];
              }
            }
          }
          want.push(y);
        }
      }
    }
  }
  const y = new Float64Array(want.length);
  numeric.conv2d(x, numeric.oihwToHwio(w, [4, 3, 3, 3]), batched, y);
  const got = y.map((value, i) => value + b[Math.floor(i / 9) % 4]);
  return [inShape(got, batched.outShape), inShape(want, batched.outShape)];
}

function refusedStride(): [unknown, unknown] {
  const options = { strides: 2, dimRoundingMode: 'exact' } as const;
  const { got } = attempt(() => [conv2d(image(6), filterOf(3), options).shape, '']);
  return [
    got,
    "Error: tfjs-convgrad: stride along the height is 2, but with dimRoundingMode 'exact' it must divide 3.",
  ];
}

// B: im2col, NHWC

const photo = numeric.convGeometry([1, 30, 30, 3], [3, 3, 3, 1]);

function firstWindow(): [unknown, unknown] {
  const offsets = Float64Array.from({ length: 2700 }, (_, i) => i);
  const row = (start: number) => Array.from({ length: 9 }, (_, i) => start + i);
  const first = [...numeric.im2col(offsets, photo).subarray(0, 27)];
  return [first, [...row(0), ...row(90), ...row(180)]];
}

function patchMatrix(): [unknown, unknown] {
  const patches = numeric.im2col(new Float64Array(2700), photo);
  const pixels = photo.outHeight * photo.outWidth;
  return [
    [patches.length / pixels, pixels],
    [27, 784],
  ];
}

/** Two images of three channels, and four filters. Patch matrices are [rows, columns] = [K, pixels]. */
const small = numeric.convGeometry([2, 6, 5, 3], [3, 2, 3, 4]);
const smallX = integers(2 * 6 * 5 * 3, 1);
const smallFilter = integers(3 * 2 * 3 * 4, 2);
const smallDy = integers(2 * 4 * 4 * 4, 3);
const matrix = (array: numeric.Floats, columns: number) => tensor(Float32Array.from(array), [array.length / columns, columns]); // prettier-ignore

function productForward(): [unknown, unknown] {
  const y = new Float32Array(smallDy.length);
  numeric.conv2d(smallX, smallFilter, small, y);
  const patches = transpose(matrix(numeric.im2col(smallX, small), 18));
  const filters = transpose(matrix(smallFilter, 4));
  const product = values(transpose(matMul(filters, patches)));
  return [inShape(product, small.outShape), inShape(y, small.outShape)];
}

function productFilter(): [unknown, unknown] {
  const dFilter = new Float32Array(smallFilter.length);
  numeric.conv2dBackpropFilter(smallX, smallDy, small, dFilter);
  const patches = transpose(matrix(numeric.im2col(smallX, small), 18));
  const dy = transpose(matrix(smallDy, 4));
  const product = values(transpose(matMul(dy, patches, false, true)));
  return [inShape(product, small.filterShape), inShape(dFilter, small.filterShape)];
}

/**
 * dx at stride 1, as a forward convolution of dy padded by filter - 1. `arrange`: place -> the tap that stands there.
 */
function inputAsProduct(arrange: (fy: number, fx: number) => [number, number]): number[] {
  const swapped = new Float64Array(3 * 2 * 4 * 3);
  for (let fy = 0; fy < 3; fy++) {
    for (let fx = 0; fx < 2; fx++) {
      const [sy, sx] = arrange(fy, fx);
      for (let ic = 0; ic < 3; ic++) {
        for (let oc = 0; oc < 4; oc++) {
          swapped[((fy * 2 + fx) * 4 + oc) * 3 + ic] = smallFilter[((sy * 2 + sx) * 3 + ic) * 4 + oc];
        }
      }
    }
  }
  const pad = [[0, 0], [2, 2], [1, 1], [0, 0]]; // prettier-ignore
  const g = numeric.convGeometry([2, 4, 4, 4], [3, 2, 4, 3], { pad });
  return values(matMul(matrix(numeric.im2col(smallDy, g), 24), matrix(swapped, 3)));
}

function inputGradient(): number[] {
  const dx = new Float32Array(smallX.length);
  numeric.conv2dBackpropInput(smallDy, smallFilter, small, dx);
  return [...dx];
}

function productInput(): [unknown, unknown] {
  const product = inputAsProduct((fy, fx) => [2 - fy, 1 - fx]);
  return [inShape(product, small.inShape), inShape(inputGradient(), small.inShape)];
}

function unreversedInput(): Measured {
  const off = largestDifference(
    inputAsProduct((fy, fx) => [fy, fx]),
    inputGradient(),
  );
  return { got: `the largest difference is ${off}`, want: 'above 0', ok: off > 0 };
}

const largestDifference = (a: ArrayLike<number>, b: ArrayLike<number>) =>
  Array.from(a).reduce((most, value, i) => Math.max(most, Math.abs(value - b[i])), 0);

/** Relative errors of gradients by their names. Each must be below the limit. */
function gradientErrors(errors: Record<string, number>, limit: number): Measured {
  const got = Object.entries(errors).map(([name, error]) => `${name} ${error.toExponential(1)}`);
  const ok = Object.values(errors).every((error) => error < limit);
  return { got: got.join(', '), want: `each below ${limit.toExponential(0)}`, ok };
}

// C: a whole CNN, channels first

function cnnShapes(): [unknown, unknown] {
  const dataFormat = 'NCHW' as const;
  const conv = conv2d(tensor4d(new Float32Array(784), [1, 1, 28, 28]), filterOf(3, 1, 32), {
    dataFormat,
    pad: 1,
  });
  const pool = maxPool(conv as Tensor<never>, 2, { dataFormat });
  const flat = reshape(pool, [1, -1]);
  const hidden = matMul(flat as Tensor2D, zeros([6272, 512]));
  const output = matMul(hidden, zeros([512, 10]));
  const shapes = [conv.shape, pool.shape, flat.shape, hidden.shape, output.shape];
  const floor = Math.floor((28 + 2 * 1 - 3) / 1 + 1);
  return [shapes, [[1, 32, floor, floor], [1, 32, 14, 14], [1, 6272], [1, 512], [1, 10]]]; // prettier-ignore
}

const A = [1, 3, 2, 1, 4, 2, 0, 5, 3, 1, 4, 2, 2, 0, 3, 6];
const DZ = [0.5, 1.2, 0.8, -0.3];

function pooled(pool: typeof maxPool, a: number[] = A): Tensor {
  return pool(tensor4d(a, [1, 1, 4, 4]), 2, { dataFormat: 'NCHW' });
}

/** The image of dA, [4, 4]. */
function poolBackward(pool: typeof maxPool): unknown {
  const dZ = tensor4d(DZ, [1, 1, 2, 2]);
  const dA = grad((a) => pool(a as Tensor<never>, 2, { dataFormat: 'NCHW' }))(tensor4d(A, [1, 1, 4, 4]), dZ);
  return inShape(values(dA), [4, 4]);
}

function maxPoolBackward(): [unknown, unknown] {
  return [poolBackward(maxPool), [[0, 0, 0, 0], [0.5, 0, 0, 1.2], [0.8, 0, 0, 0], [0, 0, 0, -0.3]]]; // prettier-ignore
}

function avgPoolBackward(): [unknown, unknown] {
  const row = (a: number, b: number) => [a, a, b, b];
  const [top, bottom] = [row(0.125, 0.3), row(0.2, -0.075)];
  return [poolBackward(avgPool), [top, top, bottom, bottom]];
}

function overlapping(): [unknown, unknown] {
  const peak = tensor4d([0, 0, 0, 0, 9, 0, 0, 0, 0], [1, 3, 3, 1]);
  const dy = tensor4d([1, 2, 3, 4], [1, 2, 2, 1]);
  const dx = grad((x) => maxPool(x as Tensor<never>, 2, { strides: 1 }))(peak, dy);
  return [values(dx), [0, 0, 0, 0, 10, 0, 0, 0, 0]];
}

/** x (1,1,5,5), two 3x3 filters, stride 1, pad 1, relu. The loss is a sum of y with fixed weights. */
function convGradientCheck(): Measured {
  const g = numeric.convGeometry([1, 1, 5, 5], [3, 3, 1, 2], { dataFormat: 'NCHW', pad: 1 });
  const { relu } = numeric.activations;
  const x = floats(25, 4);
  const w = floats(18, 5);
  const b = floats(2, 6);
  const weights = floats(50, 7);
  const preActivation = (x: Float64Array, w: Float64Array, b: Float64Array) => {
    const z = new Float64Array(50);
    numeric.conv2d(x, w, g, z);
    return z.map((value, i) => value + b[Math.floor(i / 25)]);
  };
  const loss = (x: Float64Array, w: Float64Array, b: Float64Array) =>
    inner(
      preActivation(x, w, b).map((z) => relu.value(z)),
      weights,
    );
  const dz = preActivation(x, w, b).map((z, i) => weights[i] * relu.slope(z));
  const dW = new Float64Array(18);
  const db = new Float64Array(2);
  const dX = new Float64Array(25);
  numeric.conv2dBackpropFilter(x, dz, g, dW);
  numeric.biasGrad(dz, g, db);
  numeric.conv2dBackpropInput(dz, w, g, dX);
  const errors = {
    dW: relativeError(dW, w, (at) => loss(x, at, b)),
    db: relativeError(db, b, (at) => loss(x, w, at)),
    dx: relativeError(dX, x, (at) => loss(at, w, b)),
  };
  return gradientErrors(errors, 1e-6);
}

function poolGradientCheck(): Measured {
  const g = numeric.poolGeometry([1, 1, 4, 4], 2, { dataFormat: 'NCHW' });
  const x = distinct(16, 8);
  const dy = floats(4, 9);
  const positions = new Int32Array(4);
  const dxMax = new Float64Array(16);
  const dxAvg = new Float64Array(16);
  const max = (at: Float64Array) => {
    const y = new Float64Array(4);
    numeric.maxPool(at, g, y, positions);
    return inner(y, dy);
  };
  const avg = (at: Float64Array) => {
    const y = new Float64Array(4);
    numeric.avgPool(at, g, y);
    return inner(y, dy);
  };
  max(x);
  numeric.maxPoolGrad(dy, positions, dxMax);
  numeric.avgPoolGrad(dy, g, dxAvg);
  const errors = { max: relativeError(dxMax, x, max), average: relativeError(dxAvg, x, avg) };
  return gradientErrors(errors, 1e-5);
}

/** The largest |analytic - numerical| / (|analytic| + |numerical|), with h = 1e-5. Equal elements have no error. */
function relativeError(analytic: Float64Array, at: Float64Array, f: (at: Float64Array) => number): number {
  const errors = analytic.map((value, i) => {
    const numerical = difference(f, at, i, 1e-5);
    return value === numerical ? 0 : Math.abs(value - numerical) / Math.max(1e-8, Math.abs(value) + Math.abs(numerical)); // prettier-ignore
  });
  return Math.max(...errors);
}

/** At z = conv2d(0, filter) = 0 the slopes of relu, sigmoid and tanh are 0, 1/4 and 1. */
function activatedConv(): [unknown, unknown] {
  const slopes = (['relu', 'sigmoid', 'tanh'] as const).map((activation) => {
    const dx = grad((x) => sum(conv2d(x as Tensor<never>, filterOf(1), { activation })))(image(1));
    return dx.dataSync()[0];
  });
  return [slopes, [0, 0.25, 1]];
}

function pairs(): [unknown, unknown] {
  const x = tensor4d(new Float32Array(9 * 10 * 4), [1, 9, 10, 4]);
  const filter = tensor4d(new Float32Array(3 * 3 * 2 * 6), [3, 3, 2, 6]);
  const shapes = [
    conv2d(x, filter, { groups: 2, strides: 2, pad: 1, dilations: 2 }).shape,
    conv2d(x, filter, { groups: 2, strides: [1, 2], pad: [1, 2], dilations: [2, 1] }).shape,
  ];
  return [shapes, [[1, 4, 4, 6], [1, 7, 6, 6]]]; // prettier-ignore
}

// D: channels last

function fourDimensionalBias(): [unknown, unknown] {
  const bias = variable(tensor4d([1, 2], [1, 1, 1, 2]));
  const db = grad((b) => sum(conv2d(image(4), filterOf(3, 1, 2), { bias: b })) as Scalar)(bias);
  bias.dispose();
  return [[db.shape, values(db)], [[1, 1, 1, 2], [4, 4]]]; // prettier-ignore
}

/** p = ceil(((s - 1) h - s + k) / 2) on every side. */
function sameOfD(size: number, filter: number, stride: number): number[] {
  const pad = Math.ceil(((stride - 1) * size - stride + filter) / 2);
  return conv2d(image(size), filterOf(filter), { strides: stride, pad }).shape;
}

function largeSame(): [unknown, unknown] {
  return [sameOfD(5, 3, 2), [1, 5, 5, 1]];
}

function evenSame(): [unknown, unknown] {
  return [sameOfD(5, 2, 1), [1, 6, 6, 1]];
}

function image(size: number) {
  return tensor4d(new Float32Array(size * size), [1, size, size, 1]);
}

function filterOf(size: number, inChannels = 1, outChannels = 1) {
  const shape: [number, number, number, number] = [size, size, inChannels, outChannels];
  return tensor4d(new Float32Array(size * size * inChannels * outChannels).fill(1), shape);
}

/** The values as the texts print them: to seven digits, and 0 without a sign. */
function values(t: Tensor): number[] {
  return [...t.dataSync()].map((value) => Number(value.toPrecision(7)) + 0);
}

/** The values as nested arrays of this shape. */
function inShape(values: ArrayLike<number>, [size, ...rest]: readonly number[]): unknown {
  const all = Array.from(values);
  if (rest.length === 0) return all;
  const part = all.length / size;
  return Array.from({ length: size }, (_, i) => inShape(all.slice(i * part, (i + 1) * part), rest));
}

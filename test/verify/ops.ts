/** Differentiable built-in ops of tfjs-core. Their inputs lie inside their domains and away from their kinks. */
import * as tf from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-core/dist/register_all_gradients.js';
import '@tensorflow/tfjs-core/dist/public/chained_ops/reshape.js';
import '@tensorflow/tfjs-core/dist/public/chained_ops/transpose.js';
import { distinct, floats, random } from '../../src/verify/data.js';
import type { Differentiable } from '../../src/verify/index.js';

export interface OpCase {
  name: string;
  f: Differentiable;
  inputs(seed: number): tf.Tensor[];
  /** What tfjs 4.22 does wrong. It is undefined if tfjs is right. */
  find?: string;
  /** The only backend on which it is wrong. */
  on?: string;
}

type Draw = (size: number, next: () => number) => Float64Array;
type Shape = number[];

/**
 *   any       in [-1, 1)
 *   offZero   of either sign, magnitudes in [0.2, 1)
 *   between   in [low, high)
 *   untied    no two are equal
 */
const any: Draw = floats;
const offZero: Draw = (size, next) => between(0.2, 1)(size, next).map((x) => (next() < 0.5 ? -x : x));
const between =
  (low: number, high: number): Draw =>
  (size, next) =>
    new Float64Array(size).map(() => low + (high - low) * next());
const positive = between(0.3, 2);
const inside = between(-0.8, 0.8);
const untied: Draw = (size, next) => distinct(size, next).map((x) => x + 1 / 16);

function tensors(...parts: [Draw, Shape][]): OpCase['inputs'] {
  return (seed) => {
    const next = random(seed);
    return parts.map(([draw, shape]) =>
      tf.tensor(Float32Array.from(draw(tf.util.sizeFromShape(shape), next)), shape),
    );
  };
}

const unary = (
  name: string,
  f: (x: tf.Tensor) => tf.Tensor | tf.Tensor[],
  draw: Draw = any,
  shape: Shape = [2, 3],
): OpCase => ({ name, f, inputs: tensors([draw, shape]) });

const binary = (
  name: string,
  f: (a: tf.Tensor, b: tf.Tensor) => tf.Tensor,
  a: [Draw, Shape] = [any, [2, 3]],
  b: [Draw, Shape] = [any, [2, 3]],
): OpCase => ({ name, f, inputs: tensors(a, b) });

const wrong = (find: string, opCase: OpCase, on?: string): OpCase => ({ ...opCase, find, on });

type T1 = tf.Tensor1D;
type T2 = tf.Tensor2D;
type T3 = tf.Tensor3D;
type T4 = tf.Tensor4D;
type T5 = tf.Tensor5D;

const image: Shape = [1, 4, 4, 2];
const volume: Shape = [1, 3, 3, 3, 1];
const labels = () => tf.tensor2d([0, 1, 0, 1, 0, 0], [2, 3]);
const indices = () => tf.tensor1d([2, 0, 0], 'int32');

export const opCases: readonly OpCase[] = [
  // Elementwise
  unary('abs', tf.abs, offZero),
  unary('acos', tf.acos, inside),
  unary('acosh', tf.acosh, between(1.5, 3)),
  unary('asin', tf.asin, inside),
  unary('asinh', tf.asinh),
  unary('atan', tf.atan),
  unary('atanh', tf.atanh, inside),
  unary('ceil', (x) => tf.ceil(x), between(0.2, 0.8)),
  unary('clipByValue', (x) => tf.clipByValue(x, -0.5, 0.5), untied, [6]),
  unary('cos', tf.cos),
  unary('cosh', tf.cosh),
  unary('elu', tf.elu, offZero),
  unary('erf', tf.erf),
  unary('exp', tf.exp),
  unary('expm1', tf.expm1),
  unary('floor', (x) => tf.floor(x), between(0.2, 0.8)),
  unary('leakyRelu', (x) => tf.leakyRelu(x, 0.1), offZero),
  unary('log', tf.log, positive),
  unary('log1p', tf.log1p, positive),
  unary('logSigmoid', tf.logSigmoid),
  unary('neg', tf.neg),
  unary('reciprocal', tf.reciprocal, offZero),
  unary('relu', tf.relu, offZero),
  unary('relu6', (x) => tf.relu6(tf.add(tf.mul(x, 8), 1 / 2)), untied),
  unary('round', (x) => tf.round(x), between(0.6, 1.4)),
  unary('rsqrt', tf.rsqrt, positive),
  unary('selu', tf.selu, offZero),
  unary('sigmoid', tf.sigmoid),
  unary('sign', (x) => tf.sign(x), offZero),
  unary('sin', tf.sin),
  unary('sinh', tf.sinh),
  unary('softplus', tf.softplus),
  unary('sqrt', tf.sqrt, positive),
  unary('square', tf.square),
  unary('step', (x) => tf.step(x), offZero),
  unary('tan', tf.tan, inside),
  unary('tanh', tf.tanh),
  binary('add', tf.add),
  binary('add, broadcast', tf.add, [any, [2, 3]], [any, [3]]),
  binary('atan2', tf.atan2, [offZero, [2, 3]], [offZero, [2, 3]]),
  binary('div', tf.div, [any, [2, 3]], [offZero, [2, 3]]),
  binary('div, broadcast', tf.div, [any, [2, 3]], [offZero, [2, 1]]),
  wrong(
    'throws: Equal, which it goes through, has no gradient',
    binary('divNoNan', tf.divNoNan, [any, [2, 3]], [offZero, [2, 3]]),
  ),
  binary('maximum', tf.maximum, [untied, [6]], [any, [6]]),
  binary('minimum', tf.minimum, [untied, [6]], [any, [6]]),
  binary('mod', tf.mod, [between(1.2, 1.3), [2, 3]], [between(0.7, 0.8), [2, 3]]),
  binary('mul', tf.mul),
  binary('mul, broadcast', tf.mul, [any, [2, 3]], [any, []]),
  binary('pow', tf.pow, [positive, [2, 3]], [any, [2, 3]]),
  binary('prelu', (x, alpha) => tf.prelu(x, alpha), [offZero, [2, 3]], [any, [3]]),
  binary('squaredDifference', tf.squaredDifference),
  binary('sub', tf.sub),
  binary('sub, broadcast', tf.sub, [any, [3]], [any, [2, 3]]),
  binary('where', (a, b) => tf.where(tf.tensor2d([1, 0, 1, 0, 0, 1], [2, 3], 'bool'), a, b)),

  // Reductions and normalizations
  unary('cumsum', (x) => tf.cumsum(x, 1)),
  unary('cumsum, exclusive and reverse', (x) => tf.cumsum(x, 1, true, true)),
  wrong(
    'throws: no gradient',
    unary('cumprod', (x) => tf.cumprod(x, 1), offZero),
  ),
  unary('logSoftmax', (x) => tf.logSoftmax(x)),
  unary('logSumExp', (x) => tf.logSumExp(x, 1)),
  unary('max', (x) => tf.max(x, 1), untied),
  unary('mean', (x) => tf.mean(x, 0)),
  unary('min', (x) => tf.min(x, 1), untied),
  unary('moments', (x) => { const { mean, variance } = tf.moments(x, 0); return [mean, variance]; }), // prettier-ignore
  unary('norm', (x) => tf.norm(x, 2)),
  unary('prod', (x) => tf.prod(x, 1), offZero),
  unary('softmax', (x) => tf.softmax(x)),
  unary('sum', (x) => tf.sum(x, 1)),
  {
    name: 'batchNorm',
    f: (x: T2, mean: T1, variance: T1, offset: T1, scale: T1) =>
      tf.batchNorm(x, mean, variance, offset, scale),
    inputs: tensors([any, [4, 3]], [any, [3]], [positive, [3]], [any, [3]], [any, [3]]),
  },
  unary('localResponseNormalization', (x) => tf.localResponseNormalization(x as T4, 2), any, image),

  // Matrices
  binary('matMul', (a, b) => tf.matMul(a, b), [any, [2, 3]], [any, [3, 4]]),
  binary('matMul, a transposed', (a, b) => tf.matMul(a, b, true), [any, [3, 2]], [any, [3, 4]]),
  binary('matMul, b transposed', (a, b) => tf.matMul(a, b, false, true), [any, [2, 3]], [any, [4, 3]]),
  binary('matMul, both transposed', (a, b) => tf.matMul(a, b, true, true), [any, [3, 2]], [any, [4, 3]]),
  wrong(
    'throws: the gradient of a batch that is broadcast is not summed',
    binary('matMul, batches', (a, b) => tf.matMul(a, b), [any, [2, 2, 3]], [any, [1, 3, 2]]),
  ),
  binary('dot', (a, b) => tf.dot(a, b), [any, [3]], [any, [3]]),
  wrong(
    'throws: no gradient',
    binary('einsum', (a, b) => tf.einsum('ij,jk->ki', a, b), [any, [2, 3]], [any, [3, 2]]),
  ),
  binary('outerProduct', (a, b) => tf.outerProduct(a as T1, b as T1), [any, [2]], [any, [3]]),
  {
    name: 'fused.matMul, bias and relu',
    f: (a: T2, b: T2, bias: T1) => tf.fused.matMul({ a, b, bias, activation: 'relu' }),
    inputs: tensors([positive, [2, 3]], [positive, [3, 2]], [positive, [2]]),
  },
  unary('transpose', (x) => tf.transpose(x, [2, 0, 1]), any, [2, 3, 2]),

  // Shapes
  unary('batchToSpaceND', (x) => tf.batchToSpaceND(x, [2, 2], [[0, 0], [0, 1]]), any, [4, 1, 2, 1]), // prettier-ignore
  unary('broadcastTo', (x) => tf.broadcastTo(x, [2, 3]), any, [1, 3]),
  binary('concat', (a, b) => tf.concat([a, b], 1), [any, [2, 3]], [any, [2, 1]]),
  wrong(
    'throws: no gradient',
    unary('depthToSpace', (x) => tf.depthToSpace(x as T4, 2), any, [1, 1, 2, 4]),
  ),
  unary('expandDims', (x) => tf.expandDims(x, 1)),
  unary('gather', (x) => tf.gather(x, indices()), any, [3, 2]),
  unary('gather, axis 1', (x) => tf.gather(x, indices(), 1)),
  wrong(
    'the mirrored cells lose their gradient',
    unary('mirrorPad', (x) =>
      tf.mirrorPad(
        x,
        [
          [1, 1],
          [0, 1],
        ],
        'reflect',
      ),
    ),
  ),
  unary('pad', (x) => tf.pad(x, [[1, 0], [0, 2]])), // prettier-ignore
  unary('reshape', (x) => tf.reshape(x, [3, 2])),
  unary('reverse', (x) => tf.reverse(x, 1)),
  unary('slice', (x) => tf.slice(x, [0, 1], [2, 2])),
  unary('spaceToBatchND', (x) => tf.spaceToBatchND(x, [2, 2], [[0, 0], [0, 1]]), any, [1, 4, 3, 1]), // prettier-ignore
  unary('split', (x) => tf.split(x, [1, 2], 1)),
  unary('squeeze', (x) => tf.squeeze(x), any, [2, 1, 3]),
  binary('stack', (a, b) => tf.stack([a, b], 1)),
  wrong(
    'throws: no gradient',
    unary('stridedSlice', (x) => tf.stridedSlice(x, [0, 0], [2, 3], [1, 2])),
  ),
  unary('tile', (x) => tf.tile(x, [2, 2])),
  wrong(
    'throws: no gradient',
    unary('topk', (x) => tf.topk(x, 2).values, untied),
  ),
  unary('unsortedSegmentSum', (x) => tf.unsortedSegmentSum(x, indices(), 3), any, [3, 2]),
  unary('unstack', (x) => tf.unstack(x, 1)),

  // Images
  binary('conv1d', (x, w) => tf.conv1d(x as T3, w as T3, 1, 'same'), [any, [1, 5, 2]], [any, [3, 2, 2]]),
  binary('conv2d', (x, w) => tf.conv2d(x as T4, w as T4, 1, 'valid'), [any, image], [any, [2, 2, 2, 2]]),
  binary("conv2d, 'same', strides 2", (x, w) => tf.conv2d(x as T4, w as T4, 2, 'same'), [any, image], [any, [3, 3, 2, 2]]), // prettier-ignore
  binary('conv2dTranspose', (x, w) => tf.conv2dTranspose(x as T4, w as T4, [1, 4, 4, 2], 2, 'same'), [any, [1, 2, 2, 2]], [any, [3, 3, 2, 2]]), // prettier-ignore
  binary('conv3d', (x, w) => tf.conv3d(x as T5, w as T5, 1, 'same'), [any, volume], [any, [2, 2, 2, 1, 2]]),
  wrong(
    'throws: no gradient',
    binary(
      'conv3dTranspose',
      (x, w) => tf.conv3dTranspose(x as T5, w as T5, [1, 3, 3, 3, 1], 1, 'same'),
      [any, [1, 3, 3, 3, 2]],
      [any, [2, 2, 2, 1, 2]],
    ),
  ),
  binary('depthwiseConv2d', (x, w) => tf.depthwiseConv2d(x as T4, w as T4, 1, 'same'), [any, image], [any, [2, 2, 2, 2]]), // prettier-ignore
  {
    name: 'separableConv2d',
    f: (x: T4, depthwise: T4, pointwise: T4) => tf.separableConv2d(x, depthwise, pointwise, 1, 'valid'),
    inputs: tensors([any, image], [any, [2, 2, 2, 1]], [any, [1, 1, 2, 3]]),
  },
  {
    name: 'fused.conv2d, bias',
    f: (x: T4, filter: T4, bias: T1) =>
      tf.fused.conv2d({ x, filter, strides: 1, pad: 'same', bias, activation: 'linear' }),
    inputs: tensors([any, image], [any, [3, 3, 2, 2]], [any, [2]]),
  },
  wrong(
    'throws: webgl has no Dilation2DBackpropInput',
    binary('dilation2d', (x, w) => tf.dilation2d(x as T4, w as T3, 1, 'valid'), [untied, image], [between(0, 0.01), [2, 2, 2]]), // prettier-ignore
    'webgl',
  ),
  unary("avgPool, 'valid'", (x) => tf.avgPool(x as T4, 2, 2, 'valid'), any, image),
  wrong(
    'divides by the full window where the op divides by the cells inside',
    unary("avgPool, 'same'", (x) => tf.avgPool(x as T4, 3, 1, 'same'), any, image),
  ),
  wrong(
    'the last windows lose their gradient',
    unary("avgPool, 'ceil'", (x) => tf.avgPool(x as T4, 2, 2, 0, 'ceil'), any, [1, 5, 5, 1]),
  ),
  unary("avgPool3d, 'valid'", (x) => tf.avgPool3d(x as T5, 2, 1, 'valid'), any, volume),
  wrong(
    'divides by the full window where the op divides by the cells inside',
    unary("avgPool3d, 'same'", (x) => tf.avgPool3d(x as T5, 2, 1, 'same'), any, volume),
  ),
  unary('maxPool', (x) => tf.maxPool(x as T4, 3, 2, 'same'), untied, image),
  wrong(
    'the last windows lose their gradient',
    unary("maxPool, 'ceil'", (x) => tf.maxPool(x as T4, 2, 2, 0, 'ceil'), untied, [1, 5, 5, 1]),
  ),
  unary('maxPool3d', (x) => tf.maxPool3d(x as T5, 2, 1, 'same'), untied, volume),
  wrong(
    'the last windows lose their gradient',
    unary(
      "conv2d, 'ceil'",
      (x) => tf.conv2d(x as T4, tf.ones([2, 2, 1, 1]), 2, 0, 'NHWC', 1, 'ceil'),
      any,
      [1, 5, 5, 1],
    ),
  ),
  wrong(
    'throws: height and width of the gradient are exchanged',
    unary('resizeBilinear', (x) => tf.image.resizeBilinear(x as T4, [3, 6]), any, [1, 2, 3, 2]),
    'cpu',
  ),
  wrong(
    'throws: height and width of the gradient are exchanged',
    unary(
      'resizeBilinear, aligned corners',
      (x) => tf.image.resizeBilinear(x as T4, [3, 6], true),
      any,
      [1, 2, 3, 2],
    ),
    'cpu',
  ),
  unary('resizeNearestNeighbor', (x) => tf.image.resizeNearestNeighbor(x as T4, [4, 6]), any, [1, 2, 3, 2]),

  // Losses
  unary('losses.absoluteDifference', (x) => tf.losses.absoluteDifference(labels(), x), inside),
  unary('losses.cosineDistance', (x) => tf.losses.cosineDistance(labels(), x, 1)),
  unary('losses.hingeLoss', (x) => tf.losses.hingeLoss(labels(), x), inside),
  unary('losses.huberLoss', (x) => tf.losses.huberLoss(labels(), x), between(0.2, 0.8)),
  unary('losses.logLoss', (x) => tf.losses.logLoss(labels(), x), between(0.2, 0.8)),
  unary('losses.meanSquaredError', (x) => tf.losses.meanSquaredError(labels(), x)),
  unary('losses.sigmoidCrossEntropy', (x) => tf.losses.sigmoidCrossEntropy(labels(), x), offZero),
  unary('losses.softmaxCrossEntropy', (x) => tf.losses.softmaxCrossEntropy(labels(), x)),
];

const isWrongOn = (backendName: string) => (opCase: OpCase) =>
  opCase.find !== undefined && (opCase.on ?? backendName) === backendName;

export const wrongOps = (backendName: string) => opCases.filter(isWrongOn(backendName));
export const rightOps = (backendName: string) => opCases.filter((opCase) => !isWrongOn(backendName)(opCase));

import { activations } from '../kernels/conv2d/activation.js';
import { kernelNamesOn } from '../kernels/all.js';
import { BACKENDS, KERNEL_NAMES, OWN } from '../kernels/registry.js';
import { type ActivationName, avgPool, conv2d, type Conv2DOptions, maxPool } from '../src/index.js';
import {
  describeOnBackends,
  distinct,
  expectExactly,
  expectNoLeak,
  expectWithin,
  byBuiltins,
  installed,
  integers,
  readRegistries,
  tf,
  upsampled,
} from './support/tfjs.js';

type T4 = tf.Tensor4D;
type Op = (...inputs: T4[]) => tf.Tensor;
type Fused = (x: tf.Tensor, filter: tf.Tensor, bias: tf.Tensor, alpha: tf.Tensor) => tf.Tensor;

const namesOfOurs = () => [...readRegistries().keys()].filter((name) => name.includes(OWN));
/** All modules are evaluated before the first spec runs. So these are the names that the imports register. */
const registeredOnImport = namesOfOurs();

/** Our op and the same with tfjs's ops. `inputs` makes tensors when a spec runs: its backend is set only then. */
interface Pairing {
  inputs: () => T4[];
  ours: Op;
  tfjs: Op;
  /** tfjs has no gradient of this op, or a wrong one. */
  forwardOnly?: boolean;
}

const conv = (x: number[], filter: number[]) => () => [integers(x, 1), integers(filter, 2)];
const image = (x: number[]) => () => [distinct(x)];

const toNHWC = (x: T4) => tf.transpose(x, [0, 2, 3, 1]);
const toNCHW = (x: tf.Tensor) => tf.transpose(x, [0, 3, 1, 2]);
const sides = [[0, 0], [2, 1], [0, 3], [0, 0]] as [number, number][] as tf.backend_util.ExplicitPadding; // prettier-ignore
const apart: [number, number][] = [[0, 0], [0, 2], [0, 2], [0, 0]]; // prettier-ignore
const sidesNCHW = [sides[0], sides[3], sides[1], sides[2]] as tf.backend_util.ExplicitPadding;

/** A convolution, computed group by group. */
function grouped(x: T4, filter: T4, groups: number, strides: number): T4 {
  const filters = tf.split<T4>(filter, groups, 3);
  const parts = tf.split<T4>(x, groups, 3).map((part, i) => tf.conv2d(part, filters[i], strides, 'same'));
  return tf.concat(parts, 3);
}

const SIDE_BY_SIDE: Record<string, Pairing> = {
  conv2d: {
    inputs: conv([2, 5, 6, 3], [3, 2, 3, 4]),
    ours: (x, filter) => conv2d(x, filter),
    tfjs: (x, filter) => tf.conv2d(x, filter, 1, 'valid'),
  },
  "conv2d, 'same', unequal strides": {
    inputs: conv([1, 7, 8, 2], [3, 4, 2, 3]),
    ours: (x, filter) => conv2d(x, filter, { strides: [2, 3], pad: 'same' }),
    tfjs: (x, filter) => tf.conv2d(x, filter, [2, 3], 'same'),
  },
  'conv2d, explicit pads': {
    inputs: conv([1, 4, 4, 2], [3, 3, 2, 2]),
    ours: (x, filter) => conv2d(x, filter, { pad: sides }),
    tfjs: (x, filter) => tf.conv2d(x, filter, 1, sides),
  },
  'conv2d, explicit pads, NCHW': {
    inputs: conv([1, 2, 4, 4], [3, 3, 2, 2]),
    ours: (x, filter) => conv2d(x, filter, { pad: sidesNCHW, dataFormat: 'NCHW' }),
    tfjs: (x, filter) => toNCHW(tf.conv2d(toNHWC(x), filter, 1, sides)),
  },
  'conv2d, NCHW': {
    inputs: conv([2, 3, 5, 4], [2, 3, 3, 2]),
    ours: (x, filter) => conv2d(x, filter, { strides: 2, pad: 'same', dataFormat: 'NCHW' }),
    tfjs: (x, filter) => tf.conv2d(x, filter, 2, 'same', 'NCHW'),
  },
  'conv2d, two groups': {
    inputs: conv([2, 5, 5, 4], [3, 3, 2, 6]),
    ours: (x, filter) => conv2d(x, filter, { groups: 2, strides: 2, pad: 'same' }),
    tfjs: (x, filter) => grouped(x, filter, 2, 2),
  },
  'conv2d, a group for each channel': {
    inputs: conv([1, 4, 5, 3], [2, 2, 1, 3]),
    ours: (x, filter) => conv2d(x, filter, { groups: 3, pad: 'same' }),
    tfjs: (x, filter) => grouped(x, filter, 3, 1),
  },
  'conv2d, groups, NCHW': {
    inputs: conv([1, 4, 5, 5], [3, 3, 2, 2]),
    ours: (x, filter) => conv2d(x, filter, { groups: 2, pad: 'same', dataFormat: 'NCHW' }),
    tfjs: (x, filter) => toNCHW(grouped(toNHWC(x), filter, 2, 1)),
  },
  'conv2d, dilations': {
    inputs: conv([1, 7, 7, 2], [3, 2, 2, 2]),
    ours: (x, filter) => conv2d(x, filter, { dilations: [2, 3] }),
    tfjs: (x, filter) => tf.conv2d(x, upsampled(filter, [2, 3]), 1, 'valid'),
  },
  'conv2d, strides with dilations': {
    inputs: conv([1, 9, 8, 2], [3, 2, 2, 3]),
    ours: (x, filter) => conv2d(x, filter, { strides: [2, 3], dilations: [2, 3], pad: 'same' }),
    tfjs: (x, filter) => tf.conv2d(x, upsampled(filter, [2, 3]), [2, 3], 'same'),
  },
  maxPool: {
    inputs: image([2, 6, 7, 2]),
    ours: (x) => maxPool(x, [2, 3]),
    tfjs: (x) => tf.maxPool(x, [2, 3], [2, 3], 'valid'),
  },
  "maxPool, 'same', overlapping": {
    inputs: image([1, 5, 6, 2]),
    ours: (x) => maxPool(x, 3, { strides: [1, 2], pad: 'same' }),
    tfjs: (x) => tf.maxPool(x, 3, [1, 2], 'same'),
  },
  'maxPool, explicit pads': {
    inputs: image([1, 5, 6, 2]),
    ours: (x) => maxPool(x, 4, { strides: 2, pad: sides }),
    tfjs: (x) => tf.maxPool(x, 4, 2, sides),
  },
  'maxPool, NCHW': {
    inputs: image([2, 3, 6, 5]),
    ours: (x) => maxPool(x, 3, { strides: 2, pad: 'same', dataFormat: 'NCHW' }),
    tfjs: (x) => toNCHW(tf.maxPool(toNHWC(x), 3, 2, 'same')),
  },
  'maxPool, dilations': {
    inputs: image([1, 6, 6, 2]),
    ours: (x) => maxPool(x, 2, { strides: 1, dilations: 2 }),
    tfjs: (x) => tf.pool(x, 2, 'max', 'valid', 2, 1),
  },
  'maxPool, 1x1, which is not always the identity as in tfjs': {
    inputs: image([1, 2, 2, 1]),
    ours: (x) => maxPool(x, 1, { strides: 3, pad: apart }),
    tfjs: (x) => tf.stridedSlice(tf.pad(x, apart, -Infinity), [0, 0, 0, 0], [1, 4, 4, 1], [1, 3, 3, 1]),
    forwardOnly: true,
  },
  avgPool: {
    inputs: image([2, 6, 7, 2]),
    ours: (x) => avgPool(x, [2, 3]),
    tfjs: (x) => tf.avgPool(x, [2, 3], [2, 3], 'valid'),
  },
  "avgPool, 'same', overlapping": {
    inputs: image([1, 5, 6, 2]),
    ours: (x) => avgPool(x, 3, { strides: [1, 2], pad: 'same' }),
    tfjs: (x) => tf.avgPool(x, 3, [1, 2], 'same'),
    forwardOnly: true,
  },
  'avgPool, explicit pads': {
    inputs: image([1, 5, 6, 2]),
    ours: (x) => avgPool(x, 4, { strides: 2, pad: sides }),
    tfjs: (x) => tf.avgPool(x, 4, 2, sides),
    forwardOnly: true,
  },
  'avgPool, NCHW': {
    inputs: image([2, 3, 6, 5]),
    ours: (x) => avgPool(x, 2, { dataFormat: 'NCHW' }),
    tfjs: (x) => toNCHW(tf.avgPool(toNHWC(x), 2, 2, 'valid')),
  },
  'avgPool, dilations': {
    inputs: image([1, 6, 6, 2]),
    ours: (x) => avgPool(x, 2, { strides: 1, dilations: 2 }),
    tfjs: (x) => tf.pool(x, 2, 'avg', 'valid', 2, 1),
  },
  'avgPool, countIncludePad': {
    inputs: image([1, 5, 5, 2]),
    ours: (x) => avgPool(x, 4, { strides: 2, pad: sides, countIncludePad: true }),
    tfjs: (x) => tf.avgPool(tf.pad(x, sides), 4, 2, 'valid'),
  },
  'avgPool, countIncludePad, NCHW': {
    inputs: image([1, 2, 5, 5]),
    ours: (x) => avgPool(x, 2, { pad: 1, countIncludePad: true, dataFormat: 'NCHW' }),
    tfjs: (x) => toNCHW(tf.avgPool(tf.pad(toNHWC(x), [[0, 0], [1, 1], [1, 1], [0, 0]]), 2, 2, 'valid')), // prettier-ignore
  },
};

/** The activation as tfjs's own op. */
const ACTIVATIONS: Record<ActivationName, (z: tf.Tensor, alpha: tf.Tensor) => tf.Tensor> = {
  linear: (z) => z,
  relu: (z) => tf.relu(z),
  relu6: (z) => tf.relu6(z),
  elu: (z) => tf.elu(z),
  leakyrelu: (z) => tf.leakyRelu(z, 0.125),
  prelu: (z, alpha) => tf.prelu(z, alpha),
  sigmoid: (z) => tf.sigmoid(z),
  tanh: (z) => tf.tanh(z),
};

/**
 * A few units in the last place: the allowed difference of two results of the same formula. Both are computed in float32, or
 * one in float64 and rounded once.
 */
const FEW_ULPS = 2 ** -21;
const bound = (t: tf.Tensor) => tf.mul(tf.maximum(tf.abs(t), 1), FEW_ULPS);

describeOnBackends('the ops', (backendName) => {
  for (const [name, { inputs, ours, tfjs, forwardOnly }] of Object.entries(SIDE_BY_SIDE)) {
    it(`equal tfjs: ${name}`, () => {
      expectExactly(
        ours(...inputs()),
        byBuiltins(() => tfjs(...inputs())),
      );
    });

    if (forwardOnly) continue;
    it(`equal tfjs in their gradients: ${name}`, () => {
      const dy = integers(ours(...inputs()).shape, 3);
      const gradients = (op: Op) => tf.grads(op as (...inputs: tf.Tensor[]) => tf.Tensor)(inputs(), dy);
      const expected = byBuiltins(() => gradients(tfjs));
      gradients(ours).forEach((gradient, i) => expectWithin(gradient, expected[i], bound(expected[i])));
    });
  }

  for (const [activation, activate] of Object.entries(ACTIVATIONS)) {
    const parameters: Record<string, [bias: number[], alpha: number[], Conv2DOptions]> = {
      'one bias for each channel': [[3], [3], { pad: 'same' }],
      'one for all': [[], [], { pad: 'same' }],
      'one for each pixel': [[4, 5, 1], [4, 5, 3], { pad: 'same' }],
      'one for each channel, NCHW': [[3], [3], { dataFormat: 'NCHW', pad: 'same' }],
    };
    for (const [name, [biasShape, alphaShape, options]] of Object.entries(parameters)) {
      const isNCHW = options.dataFormat === 'NCHW';
      const align = (t: tf.Tensor) => (isNCHW ? tf.reshape(t, [3, 1, 1]) : t);
      const inputs = () => [
        integers(isNCHW ? [2, 2, 4, 5] : [2, 4, 5, 2], 1),
        integers([2, 2, 2, 3], 2),
        integers(biasShape, 3),
        tf.div(integers(alphaShape, 4), 4),
      ];
      const ours: Fused = (x, filter, bias, alpha) =>
        conv2d(x as T4, filter as T4, {
          ...options,
          bias,
          activation: activation as ActivationName,
          leakyreluAlpha: 0.125,
          ...(activation === 'prelu' && { preluActivationWeights: alpha }),
        });
      const tfjs: Fused = (x, filter, bias, alpha) => {
        const z = tf.conv2d(x as T4, filter as T4, 1, 'same', options.dataFormat as 'NHWC');
        return activate(tf.add(z, align(bias)), align(alpha));
      };

      it(`apply ${activation}, ${name}`, () => {
        const [x, filter, bias, alpha] = inputs();
        const expected = byBuiltins(() => tfjs(x, filter, bias, alpha));
        expectWithin(ours(x, filter, bias, alpha), expected, bound(expected));
      });

      it(`differentiate ${activation}, ${name}`, () => {
        const [x, filter, bias, alpha] = inputs();
        const differentiated = activation === 'prelu' ? [x, filter, bias, alpha] : [x, filter, bias];
        const dy = integers(ours(x, filter, bias, alpha).shape, 5);
        const gradients = (op: Fused) =>
          tf.grads((x, filter, bias, slopes = alpha) => op(x, filter, bias, slopes))(differentiated, dy);
        const expected = byBuiltins(() => gradients(tfjs));
        // The bound is that of a sum of 40 terms of up to 9 * 3.
        gradients(ours).forEach((gradient, i) => expectWithin(gradient, expected[i], 40 * 27 * FEW_ULPS));
      });
    }
  }

  it('take 0.2 for the slope of leakyrelu unless told', () => {
    const options = { activation: 'leakyrelu' } as const;
    const y = (x: tf.Tensor) => conv2d(x as T4, [[[[1]]]], options);
    const x = tf.tensor4d([-5, 10], [1, 1, 2, 1]);
    expectWithin(y(x), [-1, 10], FEW_ULPS);
    expectWithin(tf.grad(y)(x), [0.2, 1], FEW_ULPS);
  });

  it('differentiate while others are not asked for', () => {
    const y = tf.grad((x) => conv2d(x as T4, [[[[2]]]], { bias: [1], activation: 'relu' }));
    expectExactly(y(tf.tensor4d([-1, 1], [1, 1, 2, 1])), [0, 2]);
  });

  it('take arrays', () => {
    const x = [[[[1], [2]], [[3], [4]]]]; // prettier-ignore
    expectExactly(conv2d(x, [[[[1]], [[10]]]], { bias: [0.5] }), [21.5, 43.5]);
    expectExactly(maxPool(x, 2), [4]);
    expectExactly(avgPool(x, 2), [2.5]);
  });

  it('take and give one image without a batch', () => {
    const x = integers([4, 5, 2]) as tf.Tensor as tf.Tensor3D;
    const batch = tf.expandDims<T4>(x);
    const filter = integers([2, 2, 2, 3], 2);
    const pairs: [tf.Tensor, tf.Tensor][] = [
      [conv2d(x, filter, { activation: 'relu' }), conv2d(batch, filter, { activation: 'relu' })],
      [maxPool(x, 2), maxPool(batch, 2)],
      [avgPool(x, 2, { dataFormat: 'NCHW' }), avgPool(batch, 2, { dataFormat: 'NCHW' })],
    ];
    for (const [one, many] of pairs) expectExactly(one, tf.squeeze(many, [0]));
    expect(tf.grad((t) => conv2d(t as tf.Tensor3D, filter, { bias: [1, 2, 3] }))(x).shape).toEqual(x.shape);
  });

  for (const activation of (Object.keys(activations) as ActivationName[]).filter(
    (name) => name !== 'linear',
  )) {
    it(`have the second-order gradient of ${activation}`, () => {
      const z = [-3, -1.5, -0.25, 0.25, 1.5, 3, 5, 7];
      const one = tf.ones<tf.Rank.R4>([1, 1, 1, 1]);
      const f = (x: tf.Tensor) =>
        conv2d(x as T4, one, { activation, leakyreluAlpha: 0.25, preluActivationWeights: [0.25] });
      const first = (x: tf.Tensor) => tf.grad(f)(x);
      const second = tf.grad(first)(tf.tensor4d(z, [1, 2, 4, 1]));
      const slope = activations[activation].slope as (z: number, alpha: number) => number;
      const h = 2 ** -12;
      // Differences of a smooth slope have an error of h^2 / 6 times its third derivative, which is below 4 at these points.
      const want = z.map((at) => (slope(at + h, 0.25) - slope(at - h, 0.25)) / (2 * h));
      expectWithin(second, want, 2 ** -20);
    });
  }

  it('keep int32 and bool in max pooling', () => {
    // webgl keeps int32 in float32 textures. They hold odd numbers only up to 2^24.
    const largest = backendName === 'webgl' ? 2 ** 24 - 1 : 2 ** 31 - 1;
    const x = tf.tensor4d([1, -(2 ** 31), largest, largest - 1], [1, 2, 2, 1], 'int32');
    const y = maxPool(x, 2);
    expect(y.dtype).toBe('int32');
    expectExactly(y, [largest]);
    expect(maxPool(tf.cast(x, 'bool'), 2).dtype).toBe('bool');
  });

  it("refuse strides that do not divide with dimRoundingMode 'exact'", () => {
    const x = integers([1, 5, 6, 1]);
    const options = { strides: 2, dimRoundingMode: 'exact' } as const;
    const refusal = /stride along the width is 2, but with dimRoundingMode 'exact' it must divide 3/;
    expect(() => conv2d(x, integers([3, 3, 1, 1]), options)).toThrowError(refusal);
    expect(() => maxPool(x, 3, options)).toThrowError(refusal);
    expect(() => avgPool(x, 3, options)).toThrowError(refusal);
    expect(conv2d(x, integers([3, 2, 1, 1]), options).shape).toEqual([1, 2, 3, 1]);
    expect(maxPool(x, [3, 2], options).shape).toEqual([1, 2, 3, 1]);
  });

  describe('name the argument', () => {
    const ones = (...shape: number[]) => tf.ones<tf.Rank.R4>(shape as T4['shape']);
    const x = () => ones(1, 4, 4, 2);
    const filter = () => ones(3, 3, 2, 4);
    const withOptions = (options: object) => () => conv2d(x(), filter(), options as Conv2DOptions);
    const prelu = { activation: 'prelu', preluActivationWeights: [1, 2] };

    const mistakes: [name: string, call: () => tf.Tensor, message: RegExp][] = [
      ['x of dtype int32', () => conv2d(tf.cast(x(), 'int32'), filter()), /x is of dtype int32.*float32/],
      ['filter of dtype bool', () => conv2d(x(), tf.cast(filter(), 'bool')), /filter is of dtype bool/],
      ['bias of dtype int32', withOptions({ bias: Int32Array.of(1) }), /bias is of dtype int32/],
      ['x of rank 5', () => conv2d(ones(1, 1, 1, 1, 2), filter()), /x is of shape \[1,1,1,1,2\].*four/],
      ['filter of rank 3', () => conv2d(x(), ones(3, 3, 2)), /filter.*\[3,3,2\].*four/],
      ['channels of the filter', () => conv2d(x(), ones(3, 3, 1, 4)), /filter is \[3,3,1,4\].*2 channels/],
      ['filter larger than x', () => conv2d(x(), ones(6, 1, 2, 1)), /filter.*height 6.*height 4/],
      ['strides of 0', withOptions({ strides: 0 }), /strides is 0.*at least 1/],
      ['a fractional stride', withOptions({ strides: [1, 1.5] }), /strides is \[1,1.5\].*integer/],
      ['three dilations', withOptions({ dilations: [1, 2, 3] }), /dilations is \[1,2,3\].*pair/],
      ['pad', withOptions({ pad: 'SAME' }), /pad is .*SAME.*'same', 'valid'/],
      ['three explicit pads', withOptions({ pad: sides.slice(1) }), /pad is \[\[2,1\].*four pairs/],
      ['explicit pads of channels', withOptions({ pad: sidesNCHW }), /pad is .*channels/],
      ['dataFormat', withOptions({ dataFormat: 'NWHC' }), /dataFormat is NWHC.*'NHWC' or 'NCHW'/],
      ['dimRoundingMode', withOptions({ dimRoundingMode: 'up' }), /dimRoundingMode is up.*'exact'/],
      ['groups of 0', withOptions({ groups: 0 }), /groups is 0.*at least 1/],
      ['groups', () => conv2d(ones(1, 4, 4, 6), filter(), { groups: 3 }), /groups is 3.*4 output/],
      ['activation', withOptions({ activation: 'gelu' }), /activation is gelu.*linear, relu/],
      ['activation that is a method', withOptions({ activation: 'toString' }), /activation is toString/],
      ['prelu without weights', withOptions({ activation: 'prelu' }), /preluActivationWeights is missing/],
      ['shape of weights', withOptions(prelu), /preluActivationWeights is of shape \[2\].*\[1,2,2,4\]/],
      ['shape of bias', withOptions({ bias: [1, 2, 3] }), /bias is of shape \[3\].*\[1,2,2,4\]/],
      [
        'bias larger than y',
        withOptions({ bias: [[[[1]]], [[[2]]]] }),
        /bias is of shape \[2,1,1,1\].*\[1,2,2,4\]/,
      ],
      ['x of avgPool of dtype int32', () => avgPool(tf.cast(x(), 'int32'), 2), /x is of dtype int32/],
      ['x of maxPool of dtype string', () => maxPool([[[['a']]]], 1), /x is of dtype string.*int32/],
    ];
    const positional = conv2d as (...args: unknown[]) => tf.Tensor;
    mistakes.push(
      ['strides and pad as tf.conv2d takes them', () => positional(x(), filter(), 2, 'same'), /the options of conv2d are 2, but they must be an object/], // prettier-ignore
      ['options that are null', () => positional(x(), filter(), null), /the options of conv2d are null/],
      ['stride', withOptions({ stride: 2 }), /name 'stride'.*Did you mean 'strides'\?/],
      ['padding', withOptions({ padding: 'same' }), /name 'padding'.*Did you mean 'pad'\?/],
      ['an option that is inherited', withOptions(Object.create({ dilation: 2 }) as object), /'dilations'\?/],
      ['countIncludePad', withOptions({ countIncludePad: true }), /name 'countIncludePad', but only these/],
    );
    for (const [name, pool] of Object.entries({ maxPool, avgPool })) {
      const positional = pool as (...args: unknown[]) => tf.Tensor;
      mistakes.push(
        [`strides and pad of ${name}, as tf's takes them`, () => positional(x(), 3, 1, 'same'), /the options of \w+Pool are 1/], // prettier-ignore
        [`stride of ${name}`, () => pool(x(), 2, { stride: 1 } as never), /Did you mean 'strides'\?/],
        [`x of ${name} of rank 2`, () => pool(ones(2, 2), 1), /x is of shape \[2,2\].*four/],
        [`filterSize of ${name}`, () => pool(x(), [2]), /filterSize is \[2\].*pair/],
        [`no filterSize of ${name}`, () => pool(x(), undefined as never), /filterSize is undefined/],
        [`strides of ${name}`, () => pool(x(), 2, { strides: -1 }), /strides is -1/],
        [`window of ${name}`, () => pool(x(), [1, 6], { strides: 1 }), /width 6.*width 4/],
        [`dataFormat of ${name}`, () => pool(x(), 2, { dataFormat: 'C' as never }), /dataFormat is C/],
      );
    }

    for (const [name, call, message] of mistakes) {
      it(`that is wrong: ${name}`, () => {
        expect(call).toThrowError(message);
        expect(() => tf.grad(call)(tf.scalar(0)))
          .withContext('while a gradient is recorded')
          .toThrowError(message);
      });
    }
  });

  it('take options that are frozen or inherited', () => {
    const [x, filter] = conv([1, 6, 6, 2], [3, 3, 2, 2])();
    const expected = conv2d(x, filter, { strides: 2, pad: 'same' });
    const inherited = Object.create({ strides: 2, pad: 'same' }) as Conv2DOptions;
    expectExactly(conv2d(x, filter, Object.freeze({ strides: 2, pad: 'same' })), expected);
    expectExactly(conv2d(x, filter, inherited), expected);
    expectExactly(maxPool(x, 2, Object.create({ strides: 1 }) as object), maxPool(x, 2, { strides: 1 }));
  });

  it('name a backend that they do not support', async () => {
    class Abacus extends tf.KernelBackend {
      override write = () => ({});
      override disposeData = () => true;
      override numDataIds = () => 0;
      override dispose = () => {};
    }
    tf.registerBackend('abacus', () => new Abacus());
    await tf.setBackend('abacus');
    const refusal = `tfjs-convgrad: the active backend is 'abacus', but only these are supported, and copies of them: ${BACKENDS.join(', ')}.`;
    for (const op of [
      () => conv2d([[[[1]]]], [[[[1]]]]),
      () => maxPool([[[[1]]]], 1),
      () => avgPool([[[[1]]]], 1),
    ]) {
      expect(op).toThrowError(refusal);
    }
    tf.removeBackend('abacus');
    await tf.setBackend(backendName);
  });

  it('register their kernels and gradients at the first call, not on import', () => {
    expect(registeredOnImport).toEqual([]);
    for (const name of BACKENDS) {
      for (const kernelName of KERNEL_NAMES) {
        if (tf.getKernel(OWN + kernelName, name)) tf.unregisterKernel(OWN + kernelName, name);
        if (tf.getGradient(OWN + kernelName)) tf.unregisterGradient(OWN + kernelName);
      }
    }
    expect(namesOfOurs()).toEqual([]);
    maxPool([[[[1]]]], 1);
    const kernels = kernelNamesOn(backendName).map((kernelName) => `${backendName} ${OWN}${kernelName}`);
    expect(namesOfOurs()).toEqual(jasmine.arrayContaining(kernels));
  });

  it('work with the plugin installed and after it is gone', () => {
    const [x, filter] = conv([1, 5, 5, 2], [3, 3, 2, 2])();
    const gradients = () =>
      tf.grads((x, filter) => conv2d(x as T4, filter as T4, { dilations: 2, activation: 'relu' }))([
        x,
        filter,
      ]);
    const [before, during, after] = [gradients(), installed(gradients), gradients()];
    for (const i of [0, 1]) {
      expectExactly(during[i], before[i]);
      expectExactly(after[i], before[i]);
    }
  });

  it('leak nothing', () => {
    const [x, filter] = conv([1, 5, 5, 2], [3, 3, 2, 2])();
    const options = { bias: [1, 2], activation: 'relu' } as const;
    const all = (t: tf.Tensor) => avgPool(maxPool(conv2d(t as T4, filter, options), 2, { strides: 1 }), 2);
    all(x);
    expectNoLeak(() => all(x));
    expectNoLeak(() => tf.grad(all)(x));
    expectNoLeak(() => tf.grad((t) => tf.square(tf.grad(all)(t)))(x));
    expectNoLeak(() => expect(() => conv2d(x, filter, { strides: 0 })).toThrow());
  });

  // Only cpu keeps values in arrays.
  if (backendName !== 'cpu') return;

  it('read values that the backend keeps in a plain array', () => {
    const shape = [1, 2, 2, 1];
    const dataId = tf.backend().write([1, 2, 4, 3] as unknown as Float32Array, shape, 'float32');
    const x = tf.engine().makeTensorFromTensorInfo({ dataId, shape, dtype: 'float32' });
    expectExactly(maxPool(x as T4, 2), [4]);
  });

  it('name the result for which there is no memory', () => {
    const options = { pad: 2 ** 17 };
    const refusal = /out of memory: a result of shape \[1,262145,262145,1\] takes 262147 MiB/;
    expect(() => conv2d([[[[1]]]], [[[[1]]]], options)).toThrowError(refusal);
    expect(() => maxPool([[[[1]]]], 1, { ...options, strides: 1 })).toThrowError(refusal);
    expect(() => avgPool([[[[1]]]], 1, { ...options, strides: 1 })).toThrowError(refusal);
  });

  it('read int32 without rounding it to float32 first', () => {
    const x = tf.tensor4d([2 ** 24 + 1, 2 ** 24], [1, 1, 1, 2], 'int32');
    const difference = tf.tensor4d([1, -1], [1, 1, 1, 2]);
    const transpose = () => tf.conv2dTranspose(x, difference, [1, 1, 1, 1], 1, 'same');
    expectExactly(installed(transpose), [1]);
  });
});

/**
 * The rows of docs/deviations.md: the results of tfjs's own kernels on the cpu (row 21: on webgl, rows 5, 25 and 26: on wasm), and the results of our
 * kernels.
 */
import { isSimd } from '../kernels/runtime/options.js';
import { avgPool, backendInfo, configure, conv2d, maxPool } from '../src/index.js';
import { conv2dDefinition, convGeometry } from '../src/numeric.js';
import {
  describeOnBackends,
  distinct,
  expectExactly,
  expectWithin,
  installed,
  tf,
  valuesOf,
} from './support/tfjs.js';

type T3 = tf.Tensor3D;
type T4 = tf.Tensor4D;
type Op = (x: T4) => tf.Tensor;

/** The spec of tfjs runs only on the backend `tfjsOn`. The spec of the plugin runs on all backends of the plugin. */
function deviation(
  number: number,
  title: string,
  specs: { tfjs: () => void; ours: () => void },
  tfjsOn = 'cpu',
): void {
  describeOnBackends(`deviation ${number}: ${title},`, (backendName) => {
    if (backendName === tfjsOn) it('tfjs 4.22', specs.tfjs);
    it('tfjs-convgrad', () => installed(specs.ours));
  });
}

/** One image of one channel. */
function image(rows: number[][]): T4 {
  return tf.tensor4d(rows.flat(), [1, rows.length, rows[0].length, 1]);
}

function filterOf(rows: number[][]): T4 {
  return tf.tensor4d(rows.flat(), [rows.length, rows[0].length, 1, 1]);
}

function gradient(op: Op, x: T4, dy?: tf.Tensor): tf.Tensor {
  return tf.grad((t) => op(t as T4))(x, dy);
}

const ones = (...shape: number[]) => tf.ones<tf.Rank.R4>(shape as T4['shape']);
const corner = () => filterOf([[1, 0, 0], [0, 0, 0], [0, 0, 0]]); // prettier-ignore

const avgGradient = () => gradient((x) => tf.avgPool(x, 2, 2, 'same'), ones(1, 3, 3, 1));
deviation(1, 'the gradient of avgPool divides by what the op divides by', {
  tfjs: () => expectExactly(avgGradient(), new Float32Array(9).fill(0.25)),
  ours: () => expectExactly(avgGradient(), [0.25, 0.25, 0.5, 0.25, 0.25, 0.5, 0.5, 0.5, 1]),
});

/** Each output gives a gradient of 1 to the inputs. */
const withCeil: Op[] = [
  (x) => tf.maxPool(x, 3, 2, 0, 'ceil'),
  (x) => tf.avgPool(x, 3, 2, 0, 'ceil'),
  (x) => tf.conv2d(x, corner(), 2, 0, 'NHWC', 1, 'ceil'),
  (x) => tf.fused.conv2d({ x, filter: corner(), strides: 2, pad: 0, dimRoundingMode: 'ceil' }),
];
const expectSums = (sum: number) => {
  for (const op of withCeil) {
    expect(op(ones(1, 6, 6, 1)).size).toBe(9);
    expectWithin(tf.sum(gradient(op, distinct([1, 6, 6, 1]))), [sum], 2 ** -20);
  }
};
deviation(2, "'ceil' loses no gradient", {
  tfjs: () => expectSums(4),
  ours: () => expectSums(9),
});

const numericPads = () => [
  tf.conv2d(ones(1, 5, 5, 1), ones(3, 1, 1, 1), 1, 0),
  tf.conv2d(ones(1, 5, 5, 1), ones(3, 3, 1, 1), [1, 2], 1),
  tf.maxPool(ones(1, 5, 5, 1), [1, 3], 1, 1),
];
const expectShapes = (...shapes: number[][]) =>
  numericPads().forEach((y, i) => expect<number[]>(y.shape).toEqual(shapes[i]));
deviation(3, 'a numeric pad knows the width of filter and stride', {
  tfjs: () => expectShapes([1, 3, 3, 1], [1, 5, 5, 1], [1, 7, 7, 1]),
  ours: () => expectShapes([1, 3, 5, 1], [1, 5, 3, 1], [1, 7, 5, 1]),
});

const dilated: ((x: T4, filter: T4) => tf.Tensor)[] = [
  (x, filter) => tf.conv2d(x, filter, 1, 'valid', 'NHWC', 2),
  (x, filter) => tf.fused.conv2d({ x, filter, strides: 1, pad: 'valid', dilations: 2 }),
  (x, filter) =>
    tf.addN(
      [0, 2].map((row) => {
        const [line, taps] = [tf.slice(x, [0, row, 0, 0], [1, 1, 3, 1]), tf.slice(filter, [row / 2, 0, 0, 0], [1, 2, 1, 1])]; // prettier-ignore
        return tf.conv1d(tf.squeeze<T3>(line, [1]), tf.squeeze<T3>(taps, [0]), 1, 'valid', 'NWC', 2);
      }),
    ),
];
const dilatedGradients = (op: (typeof dilated)[number]) =>
  tf.grads(op as (...inputs: tf.Tensor[]) => tf.Tensor)([
    image([[1, 2, 3], [4, 5, 6], [7, 8, 9]]), // prettier-ignore
    filterOf([[10, 20], [30, 40]]), // prettier-ignore
  ]);
deviation(4, 'a dilated convolution has a gradient', {
  tfjs() {
    for (const op of dilated) {
      expect(() => dilatedGradients(op)).toThrowError(/dilation rates greater than 1 are not yet supported/);
    }
  },
  ours() {
    for (const op of dilated) {
      const [dx, dFilter] = dilatedGradients(op);
      expectExactly(dx, [10, 0, 20, 0, 0, 0, 30, 0, 40]);
      expectExactly(dFilter, [1, 3, 7, 9]);
    }
  },
});

const squares = () => image([[0, 1, 4, 9], [16, 25, 36, 49]]); // prettier-ignore
/** dx is linear in dy. So the gradient of <dx, x> by dy is op(x). */
const secondOrder: Record<string, { gradient: () => tf.Tensor; expected: number[] }> = {
  MaxPoolGrad: { gradient: () => byDy((x) => tf.maxPool(x, 2, 2, 'valid')), expected: [25, 49] },
  AvgPoolGrad: { gradient: () => byDy((x) => tf.avgPool(x, 2, 2, 'valid')), expected: [10.5, 24.5] },
  Conv2DBackpropFilter: {
    gradient: () => byDy((filter) => tf.conv2d(ones(1, 1, 1, 1), filter, 1, 'valid'), ones(1, 1, 1, 2)),
    expected: [1, 1],
  },
};
function byDy(op: Op, x = squares()): tf.Tensor {
  return tf.grad((dy) => tf.mul(gradient(op, x, dy), x))(tf.zerosLike(op(x)));
}
deviation(6, 'there are second gradients', {
  tfjs() {
    for (const [kernelName, { gradient }] of Object.entries(secondOrder)) {
      expect(gradient).toThrowError(
        `Cannot compute gradient: gradient function not found for ${kernelName}.`,
      );
    }
  },
  ours() {
    for (const { gradient, expected } of Object.values(secondOrder)) expectExactly(gradient(), expected);
  },
});

const expectFirstOfTies = () => {
  const { result, indexes } = tf.maxPoolWithArgmax(image([[1, 5, 5], [5, 5, 5]]), 2, 1, 'valid'); // prettier-ignore
  expectExactly(result, [5, 5]);
  expectExactly(indexes, [1, 1]);
  expect(indexes.dtype).toBe('int32');
  expectExactly(
    gradient((x) => tf.maxPool(x, 2, 2, 'valid'), ones(1, 2, 2, 1)),
    [1, 0, 0, 0],
  );
};
deviation(7, 'of equal maxima the first counts, as on the cpu; indexes are int32', {
  tfjs: expectFirstOfTies,
  ours: expectFirstOfTies,
});

const pairMax = (x: T4) => tf.maxPool(x, [1, 2], [1, 2], 'valid');
const expectSmallMaxima = () => {
  const float32 = image([[-Infinity, -Infinity, -1e25, -Infinity, -3e38, -2e38]]);
  expectExactly(pairMax(float32), Float32Array.of(-Infinity, -1e25, -2e38));
  // webgl keeps int32 in float32 textures. They hold odd numbers only up to 2^24.
  const largest = tf.getBackend() === 'webgl' ? 2 ** 24 - 1 : 2 ** 31 - 1;
  const int32 = tf.tensor4d([-(2 ** 31), -(2 ** 31), largest - 1, largest], [1, 1, 4, 1], 'int32');
  expectExactly(pairMax(int32), [-(2 ** 31), largest]);
};
const expectInfinityAt = (index: number, dx: number[]) => {
  const x = image([[-Infinity, -Infinity]]);
  expectExactly(tf.maxPoolWithArgmax(x, [1, 2], [1, 2], 'valid').indexes, [index]);
  expectExactly(gradient(pairMax, x), dx);
};
deviation(
  8,
  'a maximum may be as small as its type allows, -Infinity too, which has a place and a gradient',
  {
    tfjs() {
      expectSmallMaxima();
      expectInfinityAt(-1, [0, 0]);
    },
    ours() {
      expectSmallMaxima();
      expectInfinityAt(0, [1, 0]);
    },
  },
);

/** One cell. One window lies on it, one lies to its left and one to its right. */
const outside = (x: T4) => tf.avgPool(x, 1, 1, [[0, 0], [0, 0], [1, 1], [0, 0]]); // prettier-ignore
deviation(9, 'an average of nothing is 0', {
  tfjs: () => expectExactly(outside(image([[7]])), [NaN, 7, NaN]),
  ours() {
    expectExactly(outside(image([[7]])), [0, 7, 0]);
    expectExactly(gradient(outside, image([[7]])), [1]);
  },
});

const withNaN = () => image([[NaN, -1, NaN, NaN]]);
deviation(10, 'a maximum skips NaN, unless there is nothing else', {
  tfjs() {
    expectExactly(pairMax(withNaN()), [-1, -Infinity]);
    expectExactly(gradient(pairMax, withNaN()), [0, 1, 0, 0]);
  },
  ours() {
    expectExactly(pairMax(withNaN()), [-1, NaN]);
    expectExactly(gradient(pairMax, withNaN()), [0, 1, 1, 0]);
  },
});

const argmaxGradient = () => gradient((x) => tf.maxPoolWithArgmax(x, 2, 2, 'valid').result, squares());
deviation(11, 'groups, strides with dilations, pooling in NCHW, the gradient of maxPoolWithArgmax', {
  tfjs() {
    const [x, filter] = [ones(1, 5, 5, 4), ones(2, 2, 4, 2)];
    expect(() => tf.conv2d(x, ones(2, 2, 2, 2), 1, 'valid')).toThrowError(/depth of input \(4\) must match/);
    expect(() => tf.conv2d(x, filter, 2, 'valid', 'NHWC', 2)).toThrowError(/strides or dilations must be 1/);
    expect(argmaxGradient).toThrowError(/gradient function not found for MaxPoolWithArgmax/);
  },
  ours() {
    const grouped = conv2d(tf.tensor4d([1, 2, 3, 4], [1, 1, 1, 4]), [[[[1, 10], [1, 10]]]], { groups: 2 }); // prettier-ignore
    expectExactly(grouped, [3, 70]);
    const row = image([[1, 2, 3, 4, 5, 6, 7]]);
    expectExactly(conv2d(row, filterOf([[1, 10]]), { strides: 2, dilations: 3 }), [41, 63]);
    const channels = tf.tensor4d([1, 2, 3, 4], [1, 2, 1, 2]);
    expectExactly(maxPool(channels, [1, 2], { dataFormat: 'NCHW' }), [2, 4]);
    expectExactly(avgPool(channels, [1, 2], { dataFormat: 'NCHW' }), [1.5, 3.5]);
    expectExactly(argmaxGradient(), [0, 0, 0, 0, 0, 1, 0, 1]);
  },
});

const identities: Op[] = [(x) => tf.maxPool(x, 1, 2, 1), (x) => tf.avgPool(x, 1, 2, 1)];
const expectIdentities = (dx: number[]) => {
  for (const op of identities) {
    const x = image([[1, 2], [3, 4]]); // prettier-ignore
    expectExactly(op(x), x);
    expectExactly(gradient(op, x), dx);
  }
};
deviation(12, 'where 1x1 pooling is the identity, so is its gradient', {
  tfjs: () => expectIdentities([0, 0, 0, 1]),
  ours() {
    expectIdentities([1, 1, 1, 1]);
    const noIdentity: Op = (x) => tf.maxPoolWithArgmax(x, 1, 2, 1).result;
    expectExactly(noIdentity(ones(1, 2, 2, 1)), [-Infinity, -Infinity, -Infinity, 1]);
    expectExactly(gradient(noIdentity, ones(1, 2, 2, 1)), [0, 0, 0, 1]);
  },
});

const besidePadding = () => tf.conv2d(image([[2]]), filterOf([[Infinity, 1, NaN]]), 1, 'same');
deviation(14, 'an infinite filter over padding is skipped, or gives NaN on fast paths', {
  tfjs: () => expectExactly(besidePadding(), [2]),
  ours() {
    expect([2, NaN]).toContain(valuesOf(besidePadding())[0]);
    const g = convGeometry([1, 1, 1, 1], [1, 3, 1, 1], { pad: 'same' });
    const y = new Float32Array(1);
    conv2dDefinition.conv2d(Float32Array.of(2), Float32Array.of(Infinity, 1, NaN), g, y);
    expectExactly(y, [2]);
  },
});

/**
 * x holds one Infinity. Each of the 24x24 outputs sums a window of height x width cells. The result: how many outputs are not
 * finite, and how many are NaN.
 */
const besideInfinity = (height = 3, width = 3, channels = 16) => {
  const x = tf.buffer([1, 24, 24, channels]);
  x.set(Infinity, 0, 9, 9, 0);
  const filter = tf.ones<tf.Rank.R4>([height, width, channels, channels]);
  const y = valuesOf(tf.conv2d(x.toTensor() as T4, filter, 1, 'same'));
  const count = (is: (value: number) => boolean) => y.filter(is).length / channels;
  return { notFinite: count((value) => !Number.isFinite(value)), notANumber: count(Number.isNaN) };
};
/** How many of the nine taps of a filter's gradient are not finite. x is Infinity in its first cell. Four taps meet it. */
const tapsBesideInfinity = () => {
  const x = tf.buffer([1, 24, 24, 16]);
  x.set(Infinity, 0, 0, 0, 0);
  const dFilter = gradient((filter) => tf.conv2d(x.toTensor() as T4, filter, 1, 'same'), ones(3, 3, 16, 16));
  return valuesOf(dFilter).filter((value) => !Number.isFinite(value)).length / 16;
};
deviation(24, 'an Infinity in x gives Infinity in the outputs that see it, or NaN by Winograd', {
  tfjs() {
    expect(besideInfinity()).toEqual({ notFinite: 9, notANumber: 0 });
    expect(besideInfinity(1, 3, 64)).toEqual({ notFinite: 3, notANumber: 0 });
    expect(tapsBesideInfinity()).toBe(4);
  },
  ours() {
    const tiled = tf.getBackend() !== 'webgl' && isSimd(backendInfo().cpu.serving);
    const { notFinite, notANumber } = besideInfinity();
    expect(notFinite).toBe(tiled ? 16 : 9);
    expect(notANumber > 0).toBe(tiled);
    const alongLine = besideInfinity(1, 3, 64);
    expect(alongLine.notFinite).toBe(tiled ? 4 : 3);
    expect(alongLine.notANumber > 0).toBe(tiled);
    expect(tapsBesideInfinity()).toBe(tiled ? 9 : 4);
    configure({ cpu: { winograd: 4 } });
    expect(besideInfinity().notFinite).toBe(tiled ? 16 : 9);
    configure({ cpu: { winograd: 0 } });
    expect(besideInfinity()).toEqual({ notFinite: 9, notANumber: 0 });
    expect(besideInfinity(1, 3, 64)).toEqual({ notFinite: 3, notANumber: 0 });
    expect(tapsBesideInfinity()).toBe(4);
    configure({ cpu: { winograd: 2 } });
  },
});

const amidPadding = (x: T4) => tf.maxPoolWithArgmax(x, 1, 1, 1);
const around = (n: number, center: number) => [n, n, n, n, center, n, n, n, n];
const expectAmidPadding = (smallestInt32: number) => {
  const { result, indexes } = amidPadding(image([[7]]));
  expectExactly(result, around(-Infinity, 7));
  expectExactly(indexes, around(-1, 0));
  expectExactly(
    gradient((x) => tf.maxPool(x, 1, 1, 1), image([[7]])),
    [1],
  );
  expectExactly(amidPadding(tf.cast(image([[7]]), 'int32')).result, around(smallestInt32, 7));
};
deviation(15, 'a maximum of nothing is the smallest value, has no gradient and no index', {
  tfjs: () => expectAmidPadding(0),
  ours() {
    expectAmidPadding(-(2 ** 31));
    const dx = (dy: tf.Tensor) => gradient((x) => tf.maxPool(x, 1, 1, 1), image([[7]]), dy);
    expectExactly(tf.grad(dx)(ones(1, 3, 3, 1)), around(0, 1));
  },
});

const leaky = () =>
  tf.fused.conv2d({
    x: image([[-5, 5]]),
    filter: ones(1, 1, 1, 1),
    strides: 1,
    pad: 0,
    activation: 'leakyrelu',
  });
deviation(16, 'fused leakyrelu has a slope of 0.2 unless told', {
  tfjs: () => expectExactly(leaky(), [NaN, 5]),
  ours: () => expectExactly(leaky(), [-1, 5]),
});

const tooSmall = () => tf.conv2dTranspose(ones(1, 1, 1, 1), ones(2, 2, 1, 1), [1, 3, 3, 1], 1, 'valid');
deviation(17, 'a dy smaller than the output is refused', {
  tfjs: () => expect(valuesOf(tooSmall())).toContain(NaN),
  ours: () => expect(tooSmall).toThrowError(/dy is of shape \[1,1,1,1\].*\[1,2,2,1\]/),
});

const fused = (x: T4, options = {}) =>
  tf.fused.conv2d({ x, filter: ones(1, 1, 1, 1), strides: 1, pad: 0, ...options });
const fusedGradients: [message: RegExp, dx: () => tf.Tensor][] = [
  [
    /only NHWC is currently supported/,
    () => gradient((x) => fused(x, { dataFormat: 'NCHW' }), ones(1, 1, 2, 2)),
  ],
  [/rank of dy \(3\) must match/, () => gradient(fused, tf.ones<tf.Rank>([2, 2, 1]) as T4)],
];
deviation(18, 'a fused convolution has a gradient in NCHW and without a batch', {
  tfjs() {
    for (const [message, dx] of fusedGradients) expect(dx).toThrowError(message);
  },
  ours() {
    for (const [, dx] of fusedGradients) expectExactly(dx(), [1, 1, 1, 1]);
  },
});

const senseless: [ours: RegExp, op: () => tf.Tensor][] = [
  [/pad is 0.5/, () => tf.conv2d(ones(1, 2, 2, 1), ones(1, 1, 1, 1), 1, 0.5)],
  [/pad is .*channels/, () => tf.conv2d(ones(1, 2, 2, 1), ones(1, 1, 1, 1), 1, [[3, 0], [0, 0], [0, 0], [0, 0]])], // prettier-ignore
  [/bias is of shape/, () => fused(ones(1, 2, 2, 1), { bias: ones(2, 1, 1, 1) })],
];
deviation(19, 'arguments that make no sense are refused', {
  tfjs() {
    for (const [, op] of senseless) expect(op).not.toThrow();
  },
  ours() {
    for (const [message, op] of senseless) expect(op).toThrowError(message);
  },
});

const tooLarge = () => tf.conv2d(ones(1, 2, 2, 1), ones(5, 5, 1, 1), 1, 'valid');
deviation(22, 'a window that does not fit into x is refused by name', {
  tfjs: () => expect(tooLarge).not.toThrowError(/effective height/),
  ours: () => expect(tooLarge).toThrowError(/filter is of effective height 5.* padded input of height 2/),
});

/** dy has one row and one column more than stride 2 needs. */
const transposed = () =>
  gradient((dy) => tf.conv2dTranspose(dy, ones(1, 1, 1, 1), [1, 3, 3, 1], 2, 'valid'), ones(1, 3, 3, 1));
deviation(23, 'a conv2dTranspose of more than it needs has a gradient', {
  tfjs: () => expect(transposed).toThrowError(/shape/),
  ours: () => expectExactly(transposed(), [1, 1, 0, 1, 1, 0, 0, 0, 0]),
});

const int32Conv = () =>
  tf
    .engine()
    .runKernel(
      'Conv2D',
      { x: tf.ones([1, 2, 2, 1], 'int32'), filter: ones(1, 1, 1, 1) },
      { strides: 1, pad: 'valid', dataFormat: 'NHWC', dilations: 1 },
    ) as tf.Tensor;
const int32Pool = () =>
  tf
    .engine()
    .runKernel(
      'AvgPool',
      { x: tf.ones([1, 2, 2, 1], 'int32') },
      { filterSize: 2, strides: 2, pad: 'valid' },
    ) as tf.Tensor;
deviation(20, "convolution and averages of int32, which tfjs's ops refuse, are float32", {
  tfjs: () => expect([int32Conv().dtype, int32Pool().dtype]).toEqual(['int32', 'int32']),
  ours: () => {
    expect([int32Conv().dtype, int32Pool().dtype]).toEqual(['float32', 'float32']);
    expectExactly(int32Conv(), [1, 1, 1, 1]);
  },
});

const skipping = () => tf.conv2d(ones(1, 3, 3, 1), ones(2, 1, 1, 1), [5, 2], 'same');
const broadcastBias = () =>
  tf.fused.conv2d({
    x: ones(1, 2, 2, 1),
    filter: ones(1, 1, 1, 2),
    strides: 1,
    pad: 'same',
    bias: tf.scalar(1),
  });
deviation(
  25,
  'wasm has all options of a convolution, and pads rightly',
  {
    tfjs: () => {
      expectExactly(skipping(), [0, 0]);
      expect(() => tf.conv2d(ones(1, 1, 3, 3), corner(), 1, 'same', 'NCHW')).toThrowError(
        /does not support dataFormat/,
      );
      expect(broadcastBias).toThrowError(/only supports rank-1 bias/);
    },
    ours: () => {
      expectExactly(skipping(), [2, 2]);
      expect(tf.conv2d(ones(1, 1, 3, 3), corner(), 1, 'same', 'NCHW').shape).toEqual([1, 1, 3, 3]);
      expectExactly(broadcastBias(), [2, 2, 2, 2, 2, 2, 2, 2]);
    },
  },
  'wasm',
);

const below0 = () => image([[-2, -1], [-3, -4]]); // prettier-ignore
deviation(
  26,
  'a maximum below 0 is found on wasm',
  {
    tfjs: () => {
      expectExactly(tf.maxPoolWithArgmax(below0(), 2, 2, 'valid').result, [2 ** -126]);
      expectExactly(
        gradient((x) => tf.maxPool(x, 2, 2, 'valid'), below0()),
        [1, 0, 0, 0],
      );
    },
    ours: () => {
      expectExactly(tf.maxPoolWithArgmax(below0(), 2, 2, 'valid').result, [-1]);
      expectExactly(
        gradient((x) => tf.maxPool(x, 2, 2, 'valid'), below0()),
        [0, 1, 0, 0],
      );
    },
  },
  'wasm',
);

const filterGradient = () =>
  tf.grad((filter) => tf.conv2d(ones(1, 3, 3, 1), filter as T4, 1, 'valid'))(ones(2, 2, 1, 1));
deviation(
  5,
  'a filter has a gradient on wasm',
  {
    tfjs: () => expect(filterGradient).toThrowError(/Conv2DBackpropFilter' not registered/),
    ours: () => expectExactly(filterGradient(), [4, 4, 4, 4]),
  },
  'wasm',
);

const withoutChannels = () =>
  valuesOf(tf.conv2d(tf.zeros<tf.Rank.R4>([1, 3, 3, 0]), tf.zeros<tf.Rank.R4>([2, 2, 0, 1]), 1, 'valid'));
deviation(
  21,
  'a convolution of nothing is 0 on webgl too',
  {
    tfjs: () => expect(withoutChannels).toThrowError(),
    ours: () => expect(withoutChannels()).toEqual([0, 0, 0, 0]),
  },
  'webgl',
);

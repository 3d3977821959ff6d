/**
 * The rows of docs/deviations.md: the results of tfjs's own kernels on cpu and wasm (row 21: also on webgl), and the results of our
 * kernels on every backend.
 */
import { type BackendName, BACKENDS } from '../kernels/registry.js';
import { isSimd } from '../kernels/runtime/options.js';
import { makeTensor } from '../kernels/runtime/tensors.js';
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
import { amidMarks, behind, MARK } from './support/wasm.js';

type T3 = tf.Tensor3D;
type T4 = tf.Tensor4D;
type Op = (x: T4) => tf.Tensor;

interface Specs {
  /** What tfjs does on cpu and wasm. */
  tfjs: () => void;
  /** What tfjs does on a backend where it does something else. */
  tfjsOn?: { [backendName in BackendName]?: () => void };
  /** What the plugin does on every backend, or on those that are named in `on`. */
  ours: () => void;
  /** The backends that have the plugin's kernels. Default: all. */
  on?: readonly BackendName[];
}

/** On wasm all of it runs amid marks: they show what tfjs's kernels leave undefined, and that ours leave nothing undefined. */
function deviation(number: number, title: string, { tfjs, tfjsOn, ours, on = BACKENDS }: Specs): void {
  const byTfjs: Specs['tfjsOn'] = { cpu: tfjs, wasm: tfjs, ...tfjsOn };
  describeOnBackends(`deviation ${number}: ${title},`, (backendName) => {
    const run = backendName === 'wasm' ? amidMarks : (f: () => void) => f();
    const spec = byTfjs[backendName];
    if (spec) it('tfjs 4.22', () => run(spec));
    if (on.includes(backendName)) it('tfjs-convgrad', () => run(() => installed(ours)));
    else it('tfjs-convgrad', () => pending('the kernels are not there'));
  });
}

/** On wasm a maximum starts from this value, except in the kernel MaxPool: see row 26. */
const SMALLEST = 2 ** -126;
/** The error of whatever needs the gradient of a filter on wasm: see row 5. */
const NO_FILTER_GRADIENT = /Kernel 'Conv2DBackpropFilter' not registered for backend 'wasm'/;

/** One image of one channel. */
function image(rows: number[][]): T4 {
  return tf.tensor4d(rows.flat(), [1, rows.length, rows[0].length, 1]);
}

function filterOf(rows: number[][]): T4 {
  return tf.tensor4d(rows.flat(), [rows.length, rows[0].length, 1, 1]);
}

/** Without this flag tfjs computes small tensors of webgl on the CPU. */
function withoutForwarding(f: () => tf.Tensor): tf.Tensor {
  const forward = tf.env().getBool('WEBGL_CPU_FORWARD');
  tf.env().set('WEBGL_CPU_FORWARD', false);
  try {
    return f();
  } finally {
    tf.env().set('WEBGL_CPU_FORWARD', forward);
  }
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
const expectSums = (sum: number, ops = withCeil) => {
  for (const op of ops) {
    expect(op(ones(1, 6, 6, 1)).size).toBe(9);
    expectWithin(tf.sum(gradient(op, distinct([1, 6, 6, 1]))), [sum], 2 ** -20);
  }
};
deviation(2, "'ceil' loses no gradient", {
  tfjs: () => expectSums(4),
  tfjsOn: {
    wasm() {
      expectSums(4, withCeil.slice(0, 3));
      expect(() => expectSums(4, withCeil.slice(3))).toThrowError(NO_FILTER_GRADIENT);
      // The four windows of whole cells have dy 1, 2, 4 and 5.
      const dy = tf.tensor4d([1, 2, 3, 4, 5, 6, 7, 8, 9], [1, 3, 3, 1]);
      const dx = tf.grad((x) => tf.maxPool(x as T4, 2, 2, 0, 'ceil'))(distinct([1, 5, 5, 1]), dy);
      expect(Array.from(valuesOf(dx)).filter(Boolean).sort()).toEqual([1, 2, 3, 4]);
    },
  },
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
  tfjsOn: {
    wasm() {
      expectShapes([1, 3, 3, 1], [1, 5, 5, 1], [1, 7, 7, 1]);
      const [pastEnd, ...unfilled] = numericPads();
      expectExactly(behind(pastEnd, 7), [3, 3, 3, 3, 3, 3, MARK]);
      expect(unfilled.map((y) => valuesOf(y).indexOf(MARK))).toEqual([15, 35]);
    },
  },
  ours: () => expectShapes([1, 3, 5, 1], [1, 5, 3, 1], [1, 7, 5, 1]),
});

const dilated: ((x: T4, filter: T4) => tf.Tensor)[] = [
  (x, filter) => tf.conv2d(x, filter, 1, 'valid', 'NHWC', 2),
  (x, filter) => tf.fused.conv2d({ x, filter, strides: 1, pad: 'valid', dilations: 2 }),
  (x, filter) => tf.depthwiseConv2d(x, filter, 1, 'valid', 'NHWC', 2),
  (x, filter) => tf.fused.depthwiseConv2d({ x, filter, strides: 1, pad: 'valid', dilations: 2 }),
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
const expectNone = (kernelNames: string[]) => {
  for (const name of kernelNames) {
    const message = `Cannot compute gradient: gradient function not found for ${name}.`;
    expect(secondOrder[name].gradient).toThrowError(message);
  }
};
deviation(6, 'there are second gradients', {
  tfjs: () => expectNone(Object.keys(secondOrder)),
  tfjsOn: {
    wasm() {
      expectNone(['MaxPoolGrad', 'AvgPoolGrad']);
      expect(secondOrder.Conv2DBackpropFilter.gradient).toThrowError(NO_FILTER_GRADIENT);
    },
  },
  ours() {
    for (const { gradient, expected } of Object.values(secondOrder)) expectExactly(gradient(), expected);
  },
});

const expectTies = (indexes: number[], dx: number[]) => {
  const pooled = tf.maxPoolWithArgmax(image([[1, 5, 5], [5, 5, 5]]), 2, 1, 'valid'); // prettier-ignore
  expectExactly(pooled.result, [5, 5]);
  expectExactly(pooled.indexes, indexes);
  expect(pooled.indexes.dtype).toBe('int32');
  expectExactly(
    gradient((x) => tf.maxPool(x, 2, 2, 'valid'), ones(1, 2, 2, 1)),
    dx,
  );
};
deviation(7, 'of equal maxima the first counts, as on the cpu; indexes are int32', {
  tfjs: () => expectTies([1, 1], [1, 0, 0, 0]),
  tfjsOn: { wasm: () => expectTies([4, 5], [0, 0, 0, 1]) },
  ours: () => expectTies([1, 1], [1, 0, 0, 0]),
});

const pairMax = (x: T4) => tf.maxPool(x, [1, 2], [1, 2], 'valid');
const smallMaxima = () => pairMax(image([[-Infinity, -Infinity, -1e25, -Infinity, -3e38, -2e38]]));
const int32Maxima = () => {
  // webgl keeps int32 in float32 textures. They hold odd numbers only up to 2^24.
  const largest = tf.getBackend() === 'webgl' ? 2 ** 24 - 1 : 2 ** 31 - 1;
  const values = [-(2 ** 31), -(2 ** 31), largest - 1, largest];
  return { maxima: pairMax(tf.tensor4d(values, [1, 1, 4, 1], 'int32')), expected: [-(2 ** 31), largest] };
};
const expectSmallMaxima = () => {
  expectExactly(smallMaxima(), Float32Array.of(-Infinity, -1e25, -2e38));
  const { maxima, expected } = int32Maxima();
  expectExactly(maxima, expected);
};
const expectInfinityAt = (index: number, dx: number[], maximum = -Infinity) => {
  const x = image([[-Infinity, -Infinity]]);
  const { result, indexes } = tf.maxPoolWithArgmax(x, [1, 2], [1, 2], 'valid');
  expectExactly(result, [maximum]);
  expectExactly(indexes, [index]);
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
    tfjsOn: {
      wasm() {
        expectExactly(smallMaxima(), Float32Array.of(-Infinity, -1e25, -2e38));
        expect(int32Maxima).toThrowError(/only float32 input is supported/);
        expectInfinityAt(0, [1, 0], SMALLEST);
      },
    },
    ours() {
      expectSmallMaxima();
      expectInfinityAt(0, [1, 0]);
    },
  },
);

/** Two cells. Of five windows the first and the last lie beside them. */
const outside = (x: T4) => tf.avgPool(x, [1, 2], 1, [[0, 0], [0, 0], [2, 2], [0, 0]]); // prettier-ignore
const pair = () => image([[7, 9]]);
deviation(9, 'an average of nothing is 0', {
  tfjs: () => expectExactly(outside(pair()), [NaN, 7, 8, 9, NaN]),
  tfjsOn: {
    wasm() {
      expectExactly(outside(pair()), [-Infinity, 7, 8, 9, -Infinity]);
      const beyondCorner = valuesOf(tf.avgPool(ones(1, 2, 2, 1), 2, 2, 3))[15];
      expect(beyondCorner).toBe(0);
    },
  },
  ours() {
    expectExactly(outside(pair()), [0, 7, 8, 9, 0]);
    expectExactly(gradient(outside, pair()), [1.5, 1.5]);
  },
});

const withNaN = () => image([[NaN, -1, NaN, NaN]]);
deviation(10, 'a maximum skips NaN, unless there is nothing else', {
  tfjs() {
    expectExactly(pairMax(withNaN()), [-1, -Infinity]);
    expectExactly(gradient(pairMax, withNaN()), [0, 1, 0, 0]);
  },
  tfjsOn: {
    wasm() {
      expectExactly(pairMax(withNaN()), [-Infinity, -Infinity]);
      expectExactly(pairMax(image([[-1, NaN]])), [-1]);
      expectExactly(gradient(pairMax, image([[NaN, 1, NaN, NaN]])), [0, 1, 0, 0]);
    },
  },
  ours() {
    expectExactly(pairMax(withNaN()), [-1, NaN]);
    expectExactly(gradient(pairMax, withNaN()), [0, 1, 1, 0]);
  },
});

const argmaxGradient = () => gradient((x) => tf.maxPoolWithArgmax(x, 2, 2, 'valid').result, squares());
const BOTH_ABOVE_1 = /strides or dilations must be 1/;
const dilatedStride = () => tf.depthwiseConv2d(ones(1, 5, 5, 4), ones(2, 2, 4, 1), 2, 'valid', 'NHWC', 2);
const expectNoGroups = () => {
  const [x, filter] = [ones(1, 5, 5, 4), ones(2, 2, 4, 2)];
  expect(() => tf.conv2d(x, ones(2, 2, 2, 2), 1, 'valid')).toThrowError(/depth of input \(4\) must match/);
  expect(() => tf.conv2d(x, filter, 2, 'valid', 'NHWC', 2)).toThrowError(BOTH_ABOVE_1);
  expect(argmaxGradient).toThrowError(/gradient function not found for MaxPoolWithArgmax/);
};
deviation(11, 'groups, strides with dilations, pooling in NCHW, the gradient of maxPoolWithArgmax', {
  tfjs() {
    expectNoGroups();
    expect(dilatedStride).toThrowError(BOTH_ABOVE_1);
  },
  tfjsOn: {
    wasm() {
      expectNoGroups();
      expectExactly(dilatedStride(), Array(16).fill(4));
    },
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
  tfjsOn: {
    wasm() {
      for (const op of identities) {
        const x = image([[1, 2], [3, 4]]); // prettier-ignore
        expectExactly(op(x), [1, MARK, MARK, MARK]);
        expectExactly(gradient(op, x), [0, 0, 0, 1]);
      }
    },
  },
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
  tfjsOn: { wasm: () => expectExactly(besidePadding(), [NaN]) },
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
const expectNoNaN = () => {
  expect(besideInfinity()).toEqual({ notFinite: 9, notANumber: 0 });
  expect(besideInfinity(1, 3, 64)).toEqual({ notFinite: 3, notANumber: 0 });
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
    expectNoNaN();
    expect(tapsBesideInfinity()).toBe(4);
  },
  tfjsOn: {
    wasm() {
      expectNoNaN();
      expect(tapsBesideInfinity).toThrowError(NO_FILTER_GRADIENT);
    },
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
    expectNoNaN();
    expect(tapsBesideInfinity()).toBe(4);
    configure({ cpu: { winograd: 2 } });
  },
});

const amidPadding = (x: T4) => tf.maxPoolWithArgmax(x, 1, 1, 1);
const around = (n: number, center: number) => [n, n, n, n, center, n, n, n, n];
const expectAmidPadding = (ofNothing: { float32: number; int32: number; index: number }) => {
  const { result, indexes } = amidPadding(image([[7]]));
  expectExactly(result, around(ofNothing.float32, 7));
  expectExactly(indexes, around(ofNothing.index, 0));
  expectExactly(
    gradient((x) => tf.maxPool(x, 1, 1, 1), image([[7]])),
    [1],
  );
  expectExactly(amidPadding(tf.cast(image([[7]]), 'int32')).result, around(ofNothing.int32, 7));
};
const besideCells = () => tf.maxPool(pair(), [1, 2], 1, [[0, 0], [0, 0], [2, 2], [0, 0]]); // prettier-ignore
deviation(15, 'a maximum of nothing is the smallest value, has no gradient and no index', {
  tfjs() {
    expectAmidPadding({ float32: -Infinity, int32: 0, index: -1 });
    expectExactly(besideCells(), [-Infinity, 7, 9, 9, -Infinity]);
  },
  tfjsOn: {
    wasm() {
      expectAmidPadding({ float32: SMALLEST, int32: -(2 ** 31), index: 0 });
      expectExactly(besideCells(), [7, 7, 9, 9, 9]);
    },
  },
  ours() {
    expectAmidPadding({ float32: -Infinity, int32: -(2 ** 31), index: -1 });
    expectExactly(besideCells(), [-Infinity, 7, 9, 9, -Infinity]);
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
  tfjsOn: { wasm: () => expectExactly(leaky(), [0, 5]) },
  ours: () => expectExactly(leaky(), [-1, 5]),
});

const tooSmall = () => tf.conv2dTranspose(ones(1, 1, 1, 1), ones(2, 2, 1, 1), [1, 3, 3, 1], 1, 'valid');
deviation(17, 'a dy smaller than the output is refused', {
  tfjs: () => expect(valuesOf(tooSmall())).toContain(NaN),
  tfjsOn: { wasm: () => expect(valuesOf(tooSmall())).toContain(MARK) },
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
  tfjsOn: {
    wasm() {
      const [[, ofNCHW], [message, withoutBatch]] = fusedGradients;
      expect(ofNCHW).toThrowError(/does not support dataFormat:'NCHW'/);
      expect(withoutBatch).toThrowError(message);
    },
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
  tfjsOn: {
    wasm() {
      const [[, fractional], [, ofChannels], [, largeBias]] = senseless;
      expect(valuesOf(fractional())).toContain(MARK);
      expect(ofChannels).not.toThrow();
      expect(largeBias).toThrowError(/only supports rank-1 bias/);
    },
  },
  ours() {
    for (const [message, op] of senseless) expect(op).toThrowError(message);
  },
});

const tooLarge = () => tf.conv2d(ones(1, 2, 2, 1), ones(5, 5, 1, 1), 1, 'valid');
const tooLargePool = () => tf.maxPool(ones(1, 2, 2, 1), 5, 1, 'valid');
const negative = [1, -2, -2, 1];
deviation(22, 'a window that does not fit into x is refused by name', {
  tfjs() {
    expect<number[]>(tooLarge().shape).toEqual(negative);
    expect(tooLargePool).toThrowError(/positive integers but got shape \[1,-2,-2,1\]/);
  },
  tfjsOn: {
    wasm() {
      for (const op of [tooLarge, tooLargePool]) expect<number[]>(op().shape).toEqual(negative);
    },
  },
  ours() {
    expect(tooLarge).toThrowError(/filter is of effective height 5.* padded input of height 2/);
    expect(tooLargePool).toThrowError(/effective height 5.* padded input of height 2/);
  },
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
  tfjsOn: {
    wasm() {
      const oneAsFloat = new Float32Array(Int32Array.of(1).buffer)[0];
      expectExactly(int32Conv(), [oneAsFloat, oneAsFloat, oneAsFloat, oneAsFloat]);
      expectExactly(int32Pool(), [oneAsFloat]);
    },
  },
  ours: () => {
    expect([int32Conv().dtype, int32Pool().dtype]).toEqual(['float32', 'float32']);
    expectExactly(int32Conv(), [1, 1, 1, 1]);
    expectExactly(int32Pool(), [1]);
  },
});

const skipping = () => tf.conv2d(ones(1, 3, 3, 1), ones(2, 1, 1, 1), [5, 2], 'same');
const skippingDepthwise = () => tf.depthwiseConv2d(ones(1, 4, 3, 1), ones(1, 2, 1, 1), 2, 'same');
const broadcastBias = () =>
  tf.fused.conv2d({
    x: ones(1, 2, 2, 1),
    filter: ones(1, 1, 1, 2),
    strides: 1,
    pad: 'same',
    bias: tf.scalar(1),
  });
const inNCHW = () => tf.conv2d(ones(1, 1, 3, 3), corner(), 1, 'same', 'NCHW');
const ceilings = () => withCeil.map((op) => op(ones(1, 6, 6, 1)));
const expectAllOptions = () => {
  expectExactly(skipping(), [2, 2]);
  expectExactly(skippingDepthwise(), [2, 1, 2, 1]);
  expectExactly(inNCHW(), [0, 0, 0, 0, 1, 1, 0, 1, 1]);
  expectExactly(broadcastBias(), [2, 2, 2, 2, 2, 2, 2, 2]);
  for (const y of ceilings()) expectExactly(y, [1, 1, 1, 1, 1, 1, 1, 1, 1]);
};
deviation(25, 'wasm has all options, and pads rightly', {
  tfjs: expectAllOptions,
  tfjsOn: {
    wasm() {
      expectExactly(skipping(), [0, 0]);
      expectExactly(skippingDepthwise(), [0, 0, 0, 0]);
      expect(inNCHW).toThrowError(/does not support dataFormat/);
      expect(broadcastBias).toThrowError(/only supports rank-1 bias/);
      for (const y of ceilings()) expectExactly(y, [1, 1, 1, 1, MARK, MARK, MARK, MARK, MARK]);
    },
  },
  ours: expectAllOptions,
});

/** tf.conv2d refuses groups, so this asks the kernel. It destroys the memory of its backend, so this backend is its own. */
it('deviation 25: a convolution with groups, on wasm tfjs 4.22', async () => {
  await tf.setBackend('wasm');
  const backend = await tf.findBackendFactory('wasm')();
  const x = makeTensor(backend, [1, 5, 5, 4], 'float32', new Float32Array(100));
  const filter = makeTensor(backend, [3, 3, 2, 2], 'float32', new Float32Array(36).fill(1));
  const attrs = { strides: 1, pad: 'valid', dilations: 1, dataFormat: 'NHWC' };
  const { setupFunc, kernelFunc } = tf.getKernel('Conv2D', 'wasm');
  setupFunc!(backend);
  expect(() => kernelFunc({ inputs: { x, filter }, attrs, backend })).toThrowError(WebAssembly.RuntimeError);
  setupFunc!(tf.backend());
});

/** The windows of two columns hold only values below 0. */
const below0 = () => image([[-2, -1, -4, -3], [-3, -4, -1, -2]]); // prettier-ignore
const expectMaxima = (maxima: number[], indexes: number[], dx: number[]) => {
  const pooled = tf.maxPoolWithArgmax(below0(), 2, 2, 'valid');
  expectExactly(pooled.result, maxima);
  expectExactly(pooled.indexes, indexes);
  expectExactly(
    gradient((x) => tf.maxPool(x, 2, 2, 'valid'), below0()),
    dx,
  );
};
deviation(26, 'a maximum below 0 is found on wasm', {
  tfjs: () => expectMaxima([-1, -1], [1, 6], [0, 1, 0, 0, 0, 0, 1, 0]),
  tfjsOn: { wasm: () => expectMaxima([SMALLEST, SMALLEST], [0, 0], [1, 0, 0, 0, 0, 0, 0, 0]) },
  ours: () => expectMaxima([-1, -1], [1, 6], [0, 1, 0, 0, 0, 0, 1, 0]),
});

const filterGradient = () =>
  tf.grad((filter) => tf.conv2d(ones(1, 3, 3, 1), filter as T4, 1, 'valid'))(ones(2, 2, 1, 1));
deviation(5, 'a filter has a gradient on wasm', {
  tfjs: () => expectExactly(filterGradient(), [4, 4, 4, 4]),
  tfjsOn: { wasm: () => expect(filterGradient).toThrowError(NO_FILTER_GRADIENT) },
  ours: () => expectExactly(filterGradient(), [4, 4, 4, 4]),
});

const withoutChannels = () =>
  tf.conv2d(tf.zeros<tf.Rank.R4>([1, 3, 3, 0]), tf.zeros<tf.Rank.R4>([2, 2, 0, 1]), 1, 'valid');
deviation(21, 'a convolution of nothing is 0 on every backend', {
  tfjs: () => expectExactly(withoutChannels(), [0, 0, 0, 0]),
  tfjsOn: {
    webgl: () => expect(() => withoutChannels().dataSync()).toThrowError(),
    wasm: () => expectExactly(withoutChannels(), [MARK, MARK, MARK, MARK]),
  },
  ours: () => expectExactly(withoutChannels(), [0, 0, 0, 0]),
});

type Parameters = { offset?: tf.Tensor1D; scale?: tf.Tensor1D };
/** The gradients of tf.batchNorm by x and by the parameters. The root of the variance is 2. */
const normGradients = ({ offset, scale }: Parameters) => {
  const inputs = [image([[1, 2, 3, 4]]), tf.tensor1d([1]), tf.tensor1d([1]), offset, scale].filter(
    (t) => t !== undefined,
  );
  const norm = (...[x, mean, variance, ...rest]: tf.Tensor[]) =>
    tf.batchNorm(x, mean, variance, offset && rest[0], scale && rest[rest.length - 1], 3);
  return tf.grads(norm)(inputs).map(valuesOf);
};
deviation(31, 'batchNorm without offset or scale has gradients', {
  tfjs() {
    for (const there of [{}, { offset: tf.tensor1d([5]) }, { scale: tf.tensor1d([4]) }]) {
      expect(() => normGradients(there)).toThrowError(
        TypeError,
        /Cannot read properties of undefined|undefined/,
      );
    }
  },
  ours() {
    const [dx, dMean, dVariance] = [Array(4).fill(0.5), [-2], [-0.375]];
    expect(normGradients({})).toEqual([dx, dMean, dVariance]);
    expect(normGradients({ offset: tf.tensor1d([5]) })).toEqual([dx, dMean, dVariance, [4]]);
    expect(normGradients({ scale: tf.tensor1d([4]) })).toEqual([Array(4).fill(2), [-8], [-1.5], [3]]);
  },
  on: ['cpu', 'wasm'],
});

/** Two channels of two pixels. The channels come first. */
const firstChannels = () => {
  const [mean, variance, offset, scale] = [[1, 3], [1, 13], [5, 6], [2, 8]].map((values) => tf.tensor4d(values, [1, 2, 1, 1])); // prettier-ignore
  return [tf.tensor4d([1, 2, 3, 7], [1, 2, 1, 2]), mean, variance, offset, scale];
};
const normalizeFirst = (...[x, mean, variance, offset, scale]: tf.Tensor[]) =>
  tf.batchNorm(x, mean, variance, offset, scale, 3);
const mixedGradients = () =>
  tf.grads((x, scale) => tf.batchNorm(x, tf.tensor1d([1, 2]), tf.ones([2]), tf.zeros([2]), scale, 3))([
    ones(1, 1, 2, 2),
    tf.tensor1d([3]),
  ]);
deviation(32, 'parameters of batchNorm broadcast, and have gradients', {
  tfjs() {
    expectExactly(normalizeFirst(...firstChannels()), [5, 4, 7, 14]);
    expect(() => tf.grads(normalizeFirst)(firstChannels())).toThrowError(/must match the product of shape/);
    expect(mixedGradients).toThrowError(/gradient of input 'scale' has shape '2', which does not match/);
  },
  ours() {
    expectExactly(normalizeFirst(...firstChannels()), [5, 6, 6, 14]);
    const expected = [[1, 1, 2, 2], [-2, -4], [-0.125, -0.25], [2, 2], [0.5, 1]]; // prettier-ignore
    tf.grads(normalizeFirst)(firstChannels()).forEach((gradient, i) => expectExactly(gradient, expected[i]));
    const [dx, dScale] = mixedGradients();
    expectExactly(dx, [1.5, 1.5, 1.5, 1.5]);
    expectExactly(dScale, [-1]);
  },
  on: ['cpu', 'wasm'],
});

const misfit = () => tf.batchNorm(ones(1, 1, 1, 3), tf.zeros([2]), tf.ones([2]), undefined, undefined, 3);
deviation(33, 'a parameter of batchNorm that does not broadcast is refused', {
  tfjs: () => expectExactly(misfit(), [0.5, 0.5, 0.5]),
  ours: () =>
    expect(misfit).toThrowError(/mean is of shape \[2\], but it must broadcast to x's, \[1,1,1,3\]/),
  on: ['cpu', 'wasm'],
});

const normOfWhole = () =>
  tf.batchNorm(tf.tensor4d([1, 2, 3, 4], [1, 1, 1, 4], 'int32'), tf.zeros([4]), tf.ones([4]), undefined, undefined, 3); // prettier-ignore
deviation(34, 'batchNorm of whole numbers is not rounded', {
  tfjs() {
    expect(normOfWhole().dtype).toBe('int32');
    expectExactly(normOfWhole(), [0, 1, 1, 2]);
  },
  tfjsOn: {
    wasm() {
      expect(normOfWhole().dtype).toBe('int32');
      expect(valuesOf(normOfWhole())).not.toEqual([0, 1, 1, 2]);
    },
  },
  ours() {
    expect(normOfWhole().dtype).toBe('float32');
    expectExactly(normOfWhole(), [0.5, 1, 1.5, 2]);
  },
  on: ['cpu', 'wasm'],
});

/** Each matrix holds its index in its batch. Their products are of shape [2, 2, 1, 1]. */
const numbered = (...batch: number[]) =>
  tf.reshape(tf.range(0, tf.util.sizeFromShape(batch)), [...batch, 1, 1]);
const ofBatches = () => tf.matMul(numbered(2, 1), tf.add(numbered(2, 2), 1));
deviation(35, 'tf.matMul takes the right matrices of batches that are broadcast', {
  tfjs: () => expectExactly(ofBatches(), [0, 2, 0, 4]),
  ours: () => expectExactly(ofBatches(), [0, 0, 3, 4]),
  on: ['cpu', 'wasm'],
});

const broadcastGradients = [
  () => tf.grads((a, b) => tf.matMul(a, b))([tf.ones([3, 2, 1]), tf.ones([1, 1])])[1],
  () => tf.grads((a, b) => tf.fused.matMul({ a, b }))([tf.ones([3, 2, 1]), tf.ones([1, 1])])[1],
];
deviation(36, 'the gradient of tf.matMul sums over what is broadcast', {
  tfjs() {
    for (const f of broadcastGradients) expect(f).toThrowError(/The gradient of input '\w' has shape/);
  },
  ours() {
    for (const f of broadcastGradients) expectExactly(f(), [6]);
  },
  on: ['cpu', 'wasm'],
});

const wholeProduct = () =>
  tf.matMul(tf.tensor2d([1, 2], [1, 2], 'int32'), tf.tensor2d([3, 4], [2, 1], 'int32'));
const emptyProduct = () => tf.matMul(tf.zeros([2, 0]), tf.zeros([0, 1]));
const rowsWithBias = () =>
  tf.fused.matMul({ a: tf.zeros([3, 2]), b: tf.zeros([2, 2]), transposeB: true, bias: tf.tensor1d([1, 2]) });
const cellsWithBias = () =>
  tf.fused.matMul({ a: tf.zeros([2, 1]), b: tf.zeros([1, 1]), bias: tf.ones([2, 1]) });
const expectMatrices = () => {
  expectExactly(wholeProduct(), [11]);
  expectExactly(emptyProduct(), [0, 0]);
  expectExactly(rowsWithBias(), [1, 2, 1, 2, 1, 2]);
  expectExactly(cellsWithBias(), [1, 1]);
};
deviation(37, 'matrix products on wasm take whole numbers, no depth and any bias', {
  tfjs: expectMatrices,
  tfjsOn: {
    wasm() {
      expect(wholeProduct).toThrowError(/non-float32 tensors not yet supported/);
      expectExactly(emptyProduct(), [MARK, MARK]);
      expectExactly(rowsWithBias(), [1, 2, 2, 2, 2, 2]);
      expect(cellsWithBias).toThrowError(/only supports rank-1 bias/);
    },
  },
  ours: expectMatrices,
  on: ['cpu', 'wasm'],
});

/** Two channels of 2x2 cells, the second of which is multiplied by 10. */
const depthwiseInNCHW = () =>
  tf.depthwiseConv2d(tf.tensor4d([1, 2, 3, 4, 5, 6, 7, 8], [1, 2, 2, 2]), tf.tensor4d([1, 10], [1, 1, 2, 1]), 1, 'valid', 'NCHW'); // prettier-ignore
deviation(38, 'a depthwise convolution in NCHW is one in NCHW', {
  tfjs: () => expectExactly(depthwiseInNCHW(), [1, 20, 3, 40, 5, 60, 7, 80]),
  ours: () => expectExactly(depthwiseInNCHW(), [1, 2, 3, 4, 50, 60, 70, 80]),
});

const depthwiseGradients = () =>
  tf.grads((x, filter) => tf.depthwiseConv2d(x as T4, filter as T4, 1, 'valid'))([
    ones(1, 2, 3, 1),
    image([[1, 2], [3, 4]]).reshape([2, 2, 1, 1]), // prettier-ignore
  ]);
/** By the filter, through dx: the sum of ddx * dy. */
const secondDepthwise = () =>
  tf.grad((filter) => gradient((x) => tf.depthwiseConv2d(x, filter as T4, 1, 'valid'), ones(1, 2, 2, 1)))(
    ones(1, 1, 1, 1),
  );
const expectDepthwiseGradients = () => {
  const [dx, dFilter] = depthwiseGradients();
  expectExactly(dx, [1, 3, 2, 3, 7, 4]);
  expectExactly(dFilter, [2, 2, 2, 2]);
};
deviation(39, 'a depthwise convolution has gradients of any order, also on wasm', {
  tfjs() {
    expectDepthwiseGradients();
    expect(secondDepthwise).toThrowError(/not found for DepthwiseConv2dNativeBackpropInput/);
  },
  tfjsOn: {
    wasm() {
      const message = /Kernel 'DepthwiseConv2dNativeBackprop\w+' not registered for backend 'wasm'/;
      expect(depthwiseGradients).toThrowError(message);
      expect(secondDepthwise).toThrowError(message);
    },
  },
  ours() {
    expectDepthwiseGradients();
    expectExactly(secondDepthwise(), [4]);
  },
});

/** The channels of a texel past an odd width hold 1, as tfjs's exp leaves them there on webgl. */
const ofDilatedOnes = () => {
  const x = tf.exp(tf.mul(tf.zeros<tf.Rank.R4>([1, 1, 5, 2]), 1)) as T4;
  const filter = tf.tensor4d([1, 1, 10, 10], [1, 2, 2, 1]);
  return tf.depthwiseConv2d(x, filter, 1, 'same', 'NHWC', [1, 2]);
};
const cancelled = () =>
  tf.depthwiseConv2d(tf.tensor4d([1, 1, -1, -1], [1, 1, 2, 2]), ones(1, 2, 2, 1), 1, 'valid');
const inEveryColumn = [10, 10, 11, 11, 11, 11, 11, 11, 1, 1];
deviation(40, 'a depthwise convolution on webgl reads nothing past its image', {
  tfjs() {
    expectExactly(withoutForwarding(ofDilatedOnes), inEveryColumn);
    expectExactly(cancelled(), [0, 0]);
  },
  tfjsOn: {
    webgl() {
      expectExactly(withoutForwarding(ofDilatedOnes), [10, 10, 11, 11, 11, 11, 11, 11, 11, 11]);
      expectExactly(cancelled(), [Math.fround(-1e-15), Math.fround(-1e-15)]);
    },
  },
  ours() {
    expectExactly(withoutForwarding(ofDilatedOnes), inEveryColumn);
    expectExactly(cancelled(), [0, 0]);
  },
});

const sumsOfNothing = () => [tf.sum(tf.zeros([0, 2]), 0), tf.mean(tf.zeros([0, 2]), 0)];
const expectInBoth = (values: number[]) => sumsOfNothing().forEach((y) => expectExactly(y, values));
deviation(41, 'the sum of nothing is 0', {
  tfjs: () => expectInBoth([0, 0]),
  tfjsOn: { wasm: () => expectInBoth([MARK, MARK]) },
  ours() {
    expectInBoth([0, 0]);
    const whole = tf.sum(tf.zeros([0, 3], 'int32'), 0);
    expectExactly(whole, [0, 0, 0]);
    expect(whole.dtype).toBe('int32');
  },
  on: ['cpu', 'wasm'],
});

import type { Numbers } from '../kernels/arrays.js';
import {
  type ActivationName,
  activations,
  addBiasAndActivate,
  broadcast,
  alignedShape,
  constant,
} from '../kernels/conv2d/activation.js';
import * as definition from '../kernels/conv2d/definition.js';
import * as im2col from '../kernels/conv2d/plain/im2col.js';
import * as paths from '../kernels/conv2d/paths.js';
import * as thin from '../kernels/conv2d/plain/thin.js';
import * as depthwise from '../kernels/depthwise_conv2d/definition.js';
import {
  type ConvGeometry,
  convGeometry,
  depthwiseGeometry,
  type PoolGeometry,
  poolGeometry,
  type PoolOptions,
  sizeOf,
  withDyShape,
} from '../kernels/geometry.js';
import { beyond, firstComplaint, difference, differenceOf } from './support/num_compare.js';
import {
  explicitPad,
  imageShape,
  keyOf,
  padName,
  PADS,
  sides,
  smallConvs,
  smallDepthwise,
  smallPools,
} from './support/num_geometries.js';
import { inner } from '../kernels/arrays.js';
import { CPU_PATHS, type CpuPath, isSimd } from '../kernels/runtime/options.js';
import { whyNot } from '../kernels/runtime/simd/modules.js';
import * as oracle from './support/num_oracle.js';
import { type Random, randomFrom } from './support/num_random.js';
import { shareOf } from './support/share.js';
import {
  type Conv,
  convData,
  type ConvData,
  dySize,
  newFloat32,
  runAvgPool,
  runAvgPoolGrad,
  runBiasGrad,
  runConv,
  runConvBackprops,
  runMaxPool,
} from './support/num_run.js';

/** The paths of cpu that the engine can run. */
const PATHS = CPU_PATHS.filter((path) => !isSimd(path) || !whyNot(path));

/** The three functions of a convolution by one of the paths. */
const convBy = (path: CpuPath): Conv => ({
  conv2d: (x, filter, g, y) => paths.conv2d(path, x, filter, g, y as Float32Array),
  conv2dBackpropInput: (dy, filter, g, dx) =>
    paths.conv2dBackpropInput(path, dy, filter, g, dx as Float32Array),
  conv2dBackpropFilter: (x, dy, g, dFilter) =>
    paths.conv2dBackpropFilter(path, x, dy, g, dFilter as Float32Array),
});

const integerData = (g: ConvGeometry, random: Random) => convData(g, (size) => random.integers(size));

/** The first path whose results on whole numbers are not those wanted. '' if all are. */
const pathDifference = (data: ConvData, want: ReturnType<typeof runConv>, g: ConvGeometry) =>
  PATHS.map((path) => differenceOf(path, runConv(convBy(path), data, g, newFloat32), want)).find(Boolean) ??
  '';

describe('numeric functions: enumerated small geometry', () => {
  for (const pad of PADS) {
    it(`conv2d and its gradients are right with pad ${padName(pad)}`, () => {
      const random = randomFrom(2);
      const complain = (g: ConvGeometry) => {
        const data = integerData(g, random);
        const defined = runConv(definition, data, g);
        const dBias = runBiasGrad(data.dy, g);
        return (
          differenceOf('definition', { ...defined, dBias }, oracle.conv(data, g)) ||
          differenceOf('im2col', runConv(im2col, data, g, newFloat32), defined) ||
          differenceOf('thin', runConv(thin, data, g, newFloat32), defined) ||
          adjointDifference(data, defined)
        );
      };
      expect(firstComplaint(shareOf(smallConvs(pad), 8), complain, keyOf)).toBe('');
    });

    it(`depthwise convolution and its gradients are right on every path with pad ${padName(pad)}`, () => {
      const random = randomFrom(13);
      const complain = (g: ConvGeometry) => {
        const data = integerData(g, random);
        const defined = runConv(depthwise, data, g);
        return (
          differenceOf('definition', defined, oracle.depthwiseConv(data, g)) ||
          pathDifference(data, defined, g) ||
          adjointDifference(data, defined)
        );
      };
      expect(firstComplaint(shareOf(smallDepthwise(pad), 8), complain, keyOf)).toBe('');
    });

    it(`pooling and its gradients are right with pad ${padName(pad)}`, () => {
      const random = randomFrom(3);
      const complain = (g: PoolGeometry) => {
        // x has so few different values that ties are frequent and some windows hold only NaN.
        const x = random.integers(sizeOf(g.inShape), 2);
        const holed = x.map((value) => (value === 2 ? NaN : value));
        // The number of cells in a window divides 36. So the shares of dy are exact.
        const dy = random.integers(sizeOf(g.outShape)).map((value) => 36 * value);
        return (
          differenceOf('maxPool', runMaxPool(holed, dy, g), oracle.maxPool(holed, dy, g)) ||
          differenceOf('avgPool', runAvgPool(x, dy, g), oracle.avgPool(x, dy, g))
        );
      };
      expect(firstComplaint(shareOf(smallPools(pad), 8), complain, keyOf)).toBe('');
    });
  }

  it('is of 22,930 geometries of convolution and pooling, and 11,468 of depthwise convolution, no two the same', () => {
    const keys = PADS.flatMap((pad) => [...smallConvs(pad), ...smallPools(pad)].map(keyOf));
    expect(new Set(keys).size).toBe(22_930);
    expect(new Set(PADS.flatMap(smallDepthwise).map(keyOf)).size).toBe(11_468);
  });

  /** <y, dy> = <x, dx> = <filter, dFilter>: each of the three functions is the adjoint of the others. */
  function adjointDifference({ x, filter, dy }: ConvData, results: ReturnType<typeof runConv>): string {
    const products = [inner(results.y, dy), inner(x, results.dx), inner(filter, results.dFilter)];
    const same = products.every((product) => product === products[0]);
    return same ? '' : `<y, dy>, <x, dx>, <filter, dFilter> are ${products.join(', ')}`;
  }
});

/** The seed is new in every run. To repeat a failure, write its seed here. */
const SEED = Math.floor(Math.random() * 2 ** 32);

describe(`numeric functions: larger geometry, at random with seed ${SEED}`, () => {
  const UNITS = { float32: 2 ** -24, float64: 2 ** -53 };
  const NEW = { float32: newFloat32, float64: undefined };

  for (const type of ['float32', 'float64'] as const) {
    it(`${type} im2col is within its rounding of the definition`, () => {
      const random = randomFrom(SEED);
      const geometries = Array.from({ length: 10 }, () => randomConv(random));
      const complain = (g: ConvGeometry) => {
        const data = convData(g, (size) => random.floats(size));
        const got = runConv(im2col, data, g, NEW[type]);
        const want = runConv(definition, data, g);
        const bounds = boundsOf(data, g, UNITS[type]);
        const names = Object.keys(bounds) as (keyof typeof bounds)[];
        return names.map((name) => beyond(got[name], want[name], bounds[name], name)).find(Boolean) ?? '';
      };
      expect(firstComplaint(geometries, complain, keyOf)).toBe('');
    });
  }

  it('depthwise convolution is within its rounding of the definition on every path', () => {
    const random = randomFrom(SEED);
    const complain = (g: ConvGeometry) => {
      const data = convData(g, (size) => random.floats(size));
      const want = runConv(depthwise, data, g);
      const bounds = boundsOf(data, g, UNITS.float32);
      const names = Object.keys(bounds) as (keyof typeof bounds)[];
      const complaints = PATHS.flatMap((path) => {
        const got = runConv(convBy(path), data, g, newFloat32);
        return names.map((name) => beyond(got[name], want[name], bounds[name], `${path}, ${name}`));
      });
      return complaints.find(Boolean) ?? '';
    };
    const geometries = Array.from({ length: 10 }, () => randomDepthwise(random));
    expect(firstComplaint(geometries, complain, keyOf)).toBe('');
  });

  /** K * (2 * unit * (|x| conv |filter|) + 2^-126) for each element. K is the number of terms in its sum. */
  function boundsOf({ x, filter, dy }: ConvData, g: ConvGeometry, unit: number) {
    const absolute = { x: x.map(Math.abs), filter: filter.map(Math.abs), dy: dy.map(Math.abs) };
    const sums = runConv(definition, absolute, g);
    const taps = g.filterHeight * g.filterWidth;
    const bound = (terms: number, sum: ArrayLike<number>) => (i: number) =>
      terms * (2 * unit * sum[i] + 2 ** -126);
    return {
      y: bound((taps * g.inChannels) / g.groups, sums.y),
      dx: bound((taps * g.outChannels) / g.groups, sums.dx),
      dFilter: bound(g.batchSize * g.outHeight * g.outWidth, sums.dFilter),
    };
  }

  function randomConv(random: Random): ConvGeometry {
    const upTo = (n: number) => 1 + random.below(n);
    const [groups, inPerGroup] = [upTo(3), upTo(5)];
    const { filter, inShape, options } = randomWindow(random, groups * inPerGroup);
    return convGeometry(inShape, [...filter, inPerGroup, groups * upTo(5)], { ...options, groups });
  }

  function randomDepthwise(random: Random): ConvGeometry {
    const channels = 1 + random.below(40);
    const { filter, inShape, options } = randomWindow(random, channels);
    return depthwiseGeometry(inShape, [...filter, channels, random.pick([1, 1, 2, 3])], options);
  }

  function randomWindow(random: Random, channels: number) {
    const upTo = (n: number) => 1 + random.below(n);
    const pair = (n: number): [number, number] => [upTo(n), upTo(n)];
    const [filter, dilations] = [pair(5), pair(3)];
    const size = filter.map((taps, i) => (taps - 1) * dilations[i] + upTo(12));
    const dataFormat = random.pick(['NHWC', 'NCHW'] as const);
    const inShape = imageShape(dataFormat, upTo(3), size, channels);
    const pad = random.pick(['same', 'valid', random.below(5)] as const);
    return { filter, inShape, options: { strides: pair(4), dilations, dataFormat, pad } };
  }
});

describe('numeric functions: extreme sizes', () => {
  const convs: Record<string, ConvGeometry> = {
    'several blocks of pixels': convGeometry([1, 64, 64, 32], [3, 3, 32, 3], { pad: 'same' }),
    'several blocks of pixels, of two images, in two groups, channels first': convGeometry(
      [2, 64, 39, 37],
      [3, 3, 32, 2],
      { pad: 2, groups: 2, dataFormat: 'NCHW' },
    ),
    'a window of more values than a block': convGeometry([1, 4, 5, 16384], [3, 3, 16384, 1]),
    'no images': convGeometry([0, 5, 5, 2], [3, 3, 2, 3], { pad: 'same' }),
    'no input channels': convGeometry([2, 5, 5, 0], [3, 3, 0, 3], { pad: 'same' }),
    'no output channels': convGeometry([2, 5, 5, 2], [3, 3, 2, 0], { pad: 'same' }),
    'no pixels': convGeometry([2, 0, 0, 2], [3, 3, 2, 3], { pad: 'same' }),
    'no pixels but padding': convGeometry([2, 0, 0, 2], [3, 3, 2, 3], { pad: 2 }),
    'no rows': convGeometry([2, 0, 4, 2], [1, 3, 2, 3], { pad: 1, dataFormat: 'NHWC' }),
  };
  for (const [name, g] of Object.entries(convs)) {
    it(`im2col is the definition for ${name}`, () => {
      const data = integerData(g, randomFrom(4));
      const want = runConv(definition, data, g);
      expect(differenceOf('im2col', runConv(im2col, data, g, newFloat32), want)).toBe('');
      expect(differenceOf('thin', runConv(thin, data, g, newFloat32), want)).toBe('');
    });
  }

  const depthwises: Record<string, ConvGeometry> = {
    'no images': depthwiseGeometry([0, 5, 5, 2], [3, 3, 2, 1], { pad: 'same' }),
    'no channels': depthwiseGeometry([2, 5, 5, 0], [3, 3, 0, 1], { pad: 'same' }),
    'a multiplier of 0': depthwiseGeometry([2, 5, 5, 2], [3, 3, 2, 0], { pad: 'same' }),
    'no pixels': depthwiseGeometry([2, 0, 0, 2], [3, 3, 2, 2], { pad: 'same' }),
    'no pixels but padding': depthwiseGeometry([2, 0, 0, 2], [3, 3, 2, 2], { pad: 2 }),
    'no rows': depthwiseGeometry([2, 0, 4, 2], [1, 3, 2, 1], { pad: 1, dataFormat: 'NHWC' }),
    'many channels': depthwiseGeometry([1, 4, 3, 5000], [3, 3, 5000, 1], { pad: 'same' }),
    'many pixels, of two images': depthwiseGeometry([2, 70, 130, 12], [3, 3, 12, 1], { pad: 'same' }),
  };
  for (const [name, g] of Object.entries(depthwises)) {
    it(`depthwise convolution is the definition on every path for ${name}`, () => {
      const data = integerData(g, randomFrom(14));
      expect(pathDifference(data, runConv(depthwise, data, g), g)).toBe('');
    });
  }

  it('a sum of nothing is 0', () => {
    const g = convs['no input channels'];
    expect(runConv(im2col, integerData(g, randomFrom(5)), g).y).toEqual(new Float64Array(2 * 5 * 5 * 3));
    const cropped = convs['no pixels but padding'];
    expect(runConv(im2col, integerData(cropped, randomFrom(5)), cropped).dFilter).toEqual(
      new Float64Array(3 * 3 * 2 * 3),
    );
  });
});

describe('numeric functions: a dy larger than the output', () => {
  for (const dataFormat of ['NHWC', 'NCHW'] as const) {
    const inShape = imageShape(dataFormat, 2, [5, 4], 4);
    const options = { dataFormat, pad: 1, strides: [2, 1] } as const;
    const shapes = ([height, width]: number[], channels: number) =>
      imageShape(dataFormat, 2, [height, width], channels);

    for (const [rows, cols] of [
      [2, 0],
      [0, 3],
      [1, 2],
    ]) {
      const larger = (g: ConvGeometry | PoolGeometry) =>
        shapes([g.outHeight + rows, g.outWidth + cols], g.outChannels);

      it(`is cropped by the gradients of conv2d: ${dataFormat}, ${rows} rows, ${cols} columns`, () => {
        const g = convGeometry(inShape, [3, 2, 2, 6], { ...options, groups: 2 });
        const largerG = withDyShape(g, larger(g));
        const data = integerData(largerG, randomFrom(6));
        const dense = { ...data, dy: crop(data.dy, larger(g), g.outShape) };
        const want = { ...runConvBackprops(definition, dense, g), dBias: runBiasGrad(dense.dy, g) };
        for (const conv of [definition, im2col]) {
          const got = { ...runConvBackprops(conv, data, largerG), dBias: runBiasGrad(data.dy, largerG) };
          expect(differenceOf('conv2d', got, want)).toBe('');
        }
      });

      it(`is cropped by the gradients of depthwise convolution: ${dataFormat}, ${rows} rows, ${cols} columns`, () => {
        const g = depthwiseGeometry(inShape, [3, 2, 4, 2], options);
        const largerG = withDyShape(g, larger(g));
        const data = integerData(largerG, randomFrom(15));
        const dense = { ...data, dy: crop(data.dy, larger(g), g.outShape) };
        const want = runConvBackprops(depthwise, dense, g);
        for (const path of PATHS) {
          const got = runConvBackprops(convBy(path), data, largerG, newFloat32);
          expect(differenceOf(path, got, want)).toBe('');
        }
      });

      it(`is cropped by the gradients of pooling: ${dataFormat}, ${rows} rows, ${cols} columns`, () => {
        const g = poolGeometry(inShape, [3, 2], options);
        const largerG = withDyShape(g, larger(g));
        const random = randomFrom(7);
        const x = random.integers(sizeOf(inShape));
        const dy = random.integers(dySize(largerG));
        const dense = crop(dy, larger(g), g.outShape);
        const wantMax = runMaxPool(x, dense, g).dx;
        expect(difference(runMaxPool(x, dy, largerG).dx, wantMax)).toBe('');
        expect(difference(runAvgPoolGrad(dy, largerG), runAvgPoolGrad(dense, g))).toBe('');
      });
    }
  }

  /** The part of shape `to` that comes first along each dimension. */
  function crop(values: Float64Array, from: readonly number[], to: readonly number[]): Float64Array {
    return values.filter((_, i) => coordinates(i, from).every((at, dimension) => at < to[dimension]));
  }
});

/** The coordinates of the i-th value in a tensor of this shape. */
function coordinates(i: number, shape: readonly number[]): number[] {
  return shape.map((size, dimension) => Math.floor(i / sizeOf(shape.slice(dimension + 1))) % size);
}

describe('numeric functions: finite differences', () => {
  /** d loss / d values, by central differences. */
  function differences(values: Float64Array, step: number, loss: (values: Float64Array) => number) {
    return values.map((value, i) => {
      const at = (moved: number) => loss(values.map((other, j) => (j === i ? moved : other)));
      return (at(value + step) - at(value - step)) / (2 * step);
    });
  }

  const NHWC = [2, 5, 6, 4];
  const NCHW = [2, 4, 5, 6];
  const windows = {
    'same, strides 2': { x: NHWC, options: { pad: 'same', strides: 2 } },
    'sides of their own, dilated': {
      x: NHWC,
      options: {
        pad: explicitPad(sides(2, 1, 0, 2), 'NHWC'),
        strides: [2, 1],
        dilations: [1, 2],
      },
    },
    'channels first, ceil': {
      x: NCHW,
      options: { pad: 0, strides: [3, 2], dataFormat: 'NCHW', dimRoundingMode: 'ceil' },
    },
  } as const;

  for (const [name, { x: inShape, options }] of Object.entries(windows)) {
    it(`conv2d, ${name}`, () => {
      const g = convGeometry(inShape, [3, 2, 2, 4], { ...options, groups: 2 });
      const random = randomFrom(8);
      const data = convData(g, (size) => random.floats(size));
      const { dx, dFilter } = runConv(definition, data, g);
      const loss = (changed: Partial<ConvData>) =>
        inner(runConv(definition, { ...data, ...changed }, g).y, data.dy);
      // The loss is linear in each argument. So no step is too large.
      expectClose(
        dx,
        differences(data.x, 1, (x) => loss({ x })),
      );
      expectClose(
        dFilter,
        differences(data.filter, 1, (filter) => loss({ filter })),
      );
    });

    it(`average pooling, ${name}`, () => {
      for (const countIncludePad of [false, true]) {
        const g = poolGeometry(inShape, [3, 2], { ...options, countIncludePad });
        const random = randomFrom(9);
        const [x, dy] = [random.floats(sizeOf(inShape)), random.floats(dySize(g))];
        const numeric = differences(x, 1, (values) => inner(runAvgPool(values, dy, g).y, dy));
        expectClose(runAvgPool(x, dy, g).dx, numeric);
      }
    });

    it(`max pooling, ${name}`, () => {
      const g = poolGeometry(inShape, [3, 2], options);
      const random = randomFrom(10);
      const [x, dy] = [random.distinct(sizeOf(inShape)), random.integers(dySize(g))];
      // A step of half the gap between two inputs would make a tie.
      expectClose(
        runMaxPool(x, dy, g).dx,
        differences(x, 1 / 32, (values) => inner(runMaxPool(values, dy, g).y, dy)),
      );
    });
  }

  function expectClose(got: Float64Array | Float32Array, want: Float64Array): void {
    expect(beyond(got, want, () => 1e-11)).toBe('');
  }
});

const range = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, i) => from + i);

/** Padding: one row above and one column to the right. */
const TOP_RIGHT = explicitPad(sides(1, 0, 0, 1), 'NHWC');

describe('numeric functions: max pooling of special values', () => {
  const MIN = -(2 ** 31);
  const MAX = 2 ** 31 - 1;
  const inf = Infinity;
  const float32 = (values: number[]): Numbers => Float32Array.from(values);
  const int32 = (values: number[]): Numbers => Int32Array.from(values);

  /** Each case is one window, its maximum and the position of the maximum. */
  const windows: [name: string, array: typeof float32, x: number[], y: number, position: number][] = [
    ['the first of equal maxima', float32, [1, 7, 7, 7], 7, 1],
    ['the first of equal maxima in a column', float32, [1, 7, 2, 7], 7, 1],
    ['the first of zeros of either sign', float32, [-0, 0, -0, 0], 0, 0],
    ['NaN in front', float32, [NaN, 3, 2, NaN], 3, 1],
    ['NaN in between', float32, [1, NaN, 2, 0], 2, 2],
    ['NaN beside -Infinity', float32, [NaN, -inf, NaN, -inf], -inf, 1],
    ['nothing but NaN', float32, [NaN, NaN, NaN, NaN], NaN, 0],
    ['nothing but -Infinity', float32, [-inf, -inf, -inf, -inf], -inf, 0],
    ['Infinity beside NaN', float32, [1, inf, NaN, -inf], inf, 1],
    ['nothing above -1e20', float32, [-3e25, -2e25, -1e25, -2e25], -1e25, 2],
    ['the smallest float32', float32, [-3.4e38, -3.4e38], -3.4e38, 0],
    ['the smallest int32', int32, [MIN, MIN], MIN, 0],
    ['int32 too close for float32', int32, [MAX - 1, MAX], MAX, 1],
    ['negative int32 too close for float32', int32, [MIN, MIN + 1], MIN + 1, 1],
  ];
  for (const [name, array, x, y, position] of windows) {
    it(`is right for ${name}`, () => {
      const size = x.length === 4 ? [2, 2] : [1, x.length];
      const got = runMaxPool(array(x), Float64Array.of(3), poolGeometry([1, ...size, 1], size), array([0]));
      const dx = x.map((_, i) => (i === position ? 3 : 0));
      expect(differenceOf('maxPool', got, { y: array([y]), positions: [position], dx })).toBe('');
    });
  }

  for (const [array, nothing] of [
    [float32, -inf],
    [int32, MIN],
  ] as const) {
    it(`gives ${nothing} without a position for a window wholly in padding`, () => {
      const g = poolGeometry([1, 1, 1, 1], 1, { strides: 1, pad: TOP_RIGHT });
      const got = runMaxPool(array([-5]), Float64Array.of(1, 2, 4, 8), g, array([0, 0, 0, 0]));
      const want = { y: [nothing, nothing, -5, nothing], positions: [-1, -1, 0, -1], dx: [4] };
      expect(differenceOf('maxPool', got, want)).toBe('');
    });
  }

  it('adds up where windows overlap on one maximum', () => {
    const g = poolGeometry([1, 1, 5, 1], [1, 3], { strides: 1 });
    const got = runMaxPool(Float64Array.of(1, 2, 9, 9, 3), Float64Array.of(1, 2, 4), g);
    expect(differenceOf('maxPool', got, { positions: [2, 2, 2], dx: [0, 0, 7, 0, 0] })).toBe('');
  });
});

describe('numeric functions: the divisor of average pooling', () => {
  interface Row {
    size: [number, number];
    filterSize: number;
    options: PoolOptions;
    /** The result without the padding. */
    y: number[];
    /** The result with countIncludePad. */
    padded: number[];
  }
  /** Computed by hand, for x = 1, 2, 3 ..., by PyTorch's rules. */
  const rows: Record<string, Row> = {
    'one row and column of padding': {
      size: [3, 3],
      filterSize: 2,
      options: { pad: 1 },
      y: [1, 5 / 2, 11 / 2, 7],
      padded: [1 / 4, 5 / 4, 11 / 4, 7],
    },
    'windows that ceil moves past the padding': {
      size: [4, 4],
      filterSize: 3,
      options: { pad: 1, strides: 2, dimRoundingMode: 'ceil' },
      y: [14 / 4, 30 / 6, 12 / 2, 57 / 6, 99 / 9, 36 / 3, 27 / 2, 45 / 3, 16],
      padded: [14 / 9, 30 / 9, 12 / 6, 57 / 9, 99 / 9, 36 / 6, 27 / 6, 45 / 6, 16 / 4],
    },
    'windows that ceil moves past an image without padding': {
      size: [1, 4],
      filterSize: 3,
      options: {
        pad: explicitPad(sides(1, 1, 0, 0), 'NHWC'),
        strides: 2,
        dimRoundingMode: 'ceil',
      },
      y: [6 / 3, 7 / 2],
      padded: [6 / 9, 7 / 6],
    },
    'windows wholly in padding': {
      size: [1, 1],
      filterSize: 1,
      options: { strides: 1, pad: TOP_RIGHT },
      y: [0, 0, 1, 0],
      padded: [0, 0, 1, 0],
    },
    'a window that ceil moves past the padding altogether': {
      size: [1, 2],
      filterSize: 1,
      options: { strides: 2, dimRoundingMode: 'ceil', pad: 0 },
      y: [1, 0],
      padded: [1, 0],
    },
    'dilated windows over padding': {
      size: [1, 3],
      filterSize: 2,
      options: {
        strides: 1,
        dilations: 2,
        pad: explicitPad(sides(0, 2, 2, 0), 'NHWC'),
      },
      y: [1, 2, (1 + 3) / 2],
      padded: [1 / 4, 2 / 4, 4 / 4],
    },
  };
  for (const [name, { size, filterSize, options, y, padded }] of Object.entries(rows)) {
    for (const [countIncludePad, want] of [
      [false, y],
      [true, padded],
    ] as const) {
      it(`counts ${name}, ${countIncludePad ? 'with' : 'without'} the padding`, () => {
        const g = poolGeometry([1, ...size, 1], filterSize, { ...options, countIncludePad });
        const x = Float64Array.from(range(1, size[0] * size[1]));
        const ones = new Float64Array(want.length).fill(1);
        const got = runAvgPool(x, ones, g);
        expect(beyond(got.y, want, () => 1e-15, 'y')).toBe('');
        expect(inner(got.dx, x)).withContext('<x, dx> = <y, 1>').toBeCloseTo(inner(want, ones), 12);
      });
    }
  }
});

describe('numeric functions: convolution', () => {
  it('skips filter values of Infinity and NaN that lie over padding, in the definition', () => {
    const g = convGeometry([1, 1, 1, 1], [3, 3, 1, 1], { pad: 1 });
    const filter = Float64Array.of(NaN, Infinity, NaN, -Infinity, 2, Infinity, NaN, NaN, Infinity);
    const got = runConv(definition, { x: Float64Array.of(3), filter, dy: Float64Array.of(5) }, g);
    const want = { y: [6], dx: [10], dFilter: [0, 0, 0, 0, 15, 0, 0, 0, 0] };
    expect(differenceOf('definition', got, want)).toBe('');
  });

  it('skips such filter values in a depthwise convolution, in the definition and by SIMD', () => {
    const g = depthwiseGeometry([1, 1, 1, 5], [3, 3, 5, 1], { pad: 1 });
    const tap = (t: number) => (t === 4 ? 2 : [NaN, Infinity, -Infinity][t % 3]);
    const data = {
      x: new Float64Array(5).fill(3),
      filter: Float64Array.from({ length: 45 }, (_, i) => tap(Math.floor(i / 5))),
      dy: new Float64Array(5).fill(5),
    };
    const dFilter = data.filter.map((_, i) => (i >= 20 && i < 25 ? 15 : 0));
    const want = { y: Array(5).fill(6), dx: Array(5).fill(10), dFilter };
    for (const path of PATHS.filter((path) => path === 'definition' || isSimd(path))) {
      expect(differenceOf(path, runConv(convBy(path), data, g, newFloat32), want)).toBe('');
    }
  });

  it('shows the patch matrix of a 30x30x3 image: 784 rows of 27', () => {
    const g = convGeometry([1, 30, 30, 3], [3, 3, 3, 1]);
    const patches = im2col.im2col(Float64Array.from(range(0, 30 * 30 * 3 - 1)), g);
    expect(patches.length).toBe(784 * 27);
    expect([...patches.slice(0, 27)]).toEqual([...range(0, 8), ...range(90, 98), ...range(180, 188)]);
    expect(patches[784 * 27 - 1]).toBe(30 * 30 * 3 - 1);
  });

  for (const dataFormat of ['NHWC', 'NCHW'] as const) {
    it(`is the patch matrix times the filter, ${dataFormat}`, () => {
      const inShape = imageShape(dataFormat, 2, [5, 4], 3);
      const g = convGeometry(inShape, [2, 3, 3, 1], {
        dataFormat,
        pad: 'same',
        strides: 2,
        dilations: [2, 1],
      });
      const data = integerData(g, randomFrom(11));
      const [patches, K] = [im2col.im2col(data.x, g), data.filter.length];
      const y = range(0, g.y.batch * 2 - 1).map((i) =>
        inner(patches.subarray(i * K, (i + 1) * K), data.filter),
      );
      expect(difference(y, runConv(definition, data, g).y)).toBe('');
    });
  }
});

describe('numeric functions: activations', () => {
  const { exp, tanh } = Math;
  const ALPHA = 0.1;

  /** Value and slope at the points where a formula changes or ends. */
  const POINTS: [ActivationName, z: number, value: number, slope: number][] = [
    ['linear', 0, 0, 1],
    ['linear', -Infinity, -Infinity, 1],
    ['relu', 0, 0, 0],
    ['relu', -Infinity, 0, 0],
    ['relu', NaN, NaN, 0],
    ['relu6', 0, 0, 0],
    ['relu6', 6, 6, 1],
    ['relu6', 6.5, 6, 0],
    ['relu6', Infinity, 6, 0],
    ['elu', 0, 0, 1],
    ['elu', -1, exp(-1) - 1, exp(-1)],
    ['elu', -Infinity, -1, 0],
    ['leakyrelu', 0, 0, ALPHA],
    ['leakyrelu', -2, -0.2, ALPHA],
    ['prelu', 0, 0, ALPHA],
    ['prelu', -2, -0.2, ALPHA],
    ['sigmoid', 0, 0.5, 0.25],
    ['sigmoid', -1000, 0, 0],
    ['sigmoid', 1000, 1, 0],
    ['tanh', 0, 0, 1],
    ['tanh', 2, tanh(2), 1 - tanh(2) ** 2],
    ['tanh', -1000, -1, 0],
  ];
  for (const [name, z, value, slope] of POINTS) {
    it(`${name} of ${z} is ${value}, its slope ${slope}`, () => {
      const got = [activations[name].value(z, ALPHA), activations[name].slope(z, ALPHA)];
      expect(difference(got, [value, slope])).toBe('');
    });
  }

  for (const name of Object.keys(activations) as ActivationName[]) {
    it(`${name}'s slope is that of its values`, () => {
      const { value, slope } = activations[name];
      // No point is near the kinks at 0 and 6.
      const points = [-7, -2.5, -1, -0.3, 0.3, 1, 2.5, 5, 7];
      const step = 1e-5;
      const want = points.map((z) => (value(z + step, ALPHA) - value(z - step, ALPHA)) / (2 * step));
      const got = points.map((z) => slope(z, ALPHA));
      expect(beyond(got, want, () => 1e-9)).toBe('');
    });
  }
});

describe('numeric functions: bias and prelu', () => {
  const Y_SHAPE = [2, 2, 3, 4];
  const TENSOR_SHAPES = [
    [],
    [1],
    [4],
    [3, 1],
    [3, 4],
    [2, 1, 1],
    [2, 3, 4],
    [2, 1, 1, 1],
    [2, 1, 3, 1],
    Y_SHAPE,
  ];

  for (const biasShape of TENSOR_SHAPES) {
    it(`broadcast from [${biasShape}]`, () => {
      const random = randomFrom(12);
      const z = random.integers(sizeOf(Y_SHAPE));
      const bias = random.integers(sizeOf(biasShape), 100);
      for (const alphaShape of TENSOR_SHAPES) {
        const alpha = random.integers(sizeOf(alphaShape), 100);
        const y = z.slice();
        addBiasAndActivate(
          y,
          Y_SHAPE,
          broadcast('bias', bias, biasShape, Y_SHAPE),
          'prelu',
          broadcast('alpha', alpha, alphaShape, Y_SHAPE),
        );
        const want = z.map((value, i) => {
          const sum = value + broadcastValue(bias, biasShape, i);
          return sum < 0 ? sum * broadcastValue(alpha, alphaShape, i) : sum;
        });
        expect(difference(y, want, `with alpha of [${alphaShape}], y`)).toBe('');
      }
    });
  }

  /** The value that broadcasting pairs with the i-th value of y. Sizes of 1 repeat. */
  function broadcastValue(values: Float64Array, shape: number[], i: number): number {
    const at = coordinates(i, Y_SHAPE).slice(4 - shape.length);
    return values[shape.reduce((index, size, dimension) => index * size + (at[dimension] % size), 0)];
  }

  it('may be the same number everywhere', () => {
    const y = Float32Array.of(-1, 2, -3, 4);
    addBiasAndActivate(y, [1, 2, 2, 1], constant(1), 'leakyrelu', constant(0.5));
    expect([...y]).toEqual([0, 3, -1, 5]);
  });

  for (const shape of [[3], [4, 1], [3, 3, 4], [1, 2, 2, 3, 4], [0]]) {
    it(`refuse a shape of [${shape}]`, () => {
      expect(() => broadcast('bias', new Float64Array(sizeOf(shape)), shape, Y_SHAPE)).toThrowError(
        `tfjs-convgrad: bias is of shape [${shape}], but it must broadcast to the output's, [${Y_SHAPE}].`,
      );
    });
  }

  it('of one dimension lie along the channels', () => {
    const align = (shape: number[], dataFormat?: 'NHWC' | 'NCHW') =>
      alignedShape('bias', shape, [5, 5, 5, 5], dataFormat);
    expect(align([5], 'NHWC')).toEqual([1, 1, 1, 5]);
    expect(align([5])).toEqual([1, 1, 1, 5]);
    expect(align([5], 'NCHW')).toEqual([1, 5, 1, 1]);
    expect(align([5, 1, 5], 'NCHW')).toEqual([1, 5, 1, 5]);
  });
});

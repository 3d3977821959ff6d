import { backend_util } from '@tensorflow/tfjs-core';
import {
  convGeometry,
  type ConvOptions,
  depthwiseGeometry,
  type DimRoundingMode,
  type Geometry,
  isDepthwise,
  type Pair,
  poolGeometry,
  type PoolOptions,
  withDyShape,
} from '../kernels/geometry.js';
import { firstComplaint } from './support/num_compare.js';
import {
  axisPairs,
  type AxisPair,
  effectiveFilter,
  explicitPad,
  imageShape,
  type Pad,
  padName,
  PADS,
  pairOf,
  roomsOf,
  sides,
  toPadding,
} from './support/num_geometries.js';
import { randomFrom } from './support/num_random.js';

type Conv2DInfo = ReturnType<typeof backend_util.computeConv2DInfo>;
type TfjsMode = Exclude<DimRoundingMode, 'exact'>;
type TfjsPad = Parameters<typeof backend_util.computeConv2DInfo>[4];

/** One setting of all options that our geometry and tfjs's geometry both take. */
interface Case {
  pair: AxisPair;
  pad: Pad;
  dataFormat: 'NHWC' | 'NCHW';
  dimRoundingMode?: TfjsMode;
}

const CHANNELS = 2;
const OUT_CHANNELS = 3;
const MULTIPLIER = 3;
const MODES = [undefined, 'floor', 'round', 'ceil'] as const;

/** If pad is a string, tfjs's ops refuse a rounding mode, and tfjs's geometry ignores it. */
const modesFor = (pad: Pad) => (typeof pad === 'string' ? [undefined] : MODES);

function casesOf(pad: Pad): Case[] {
  const random = randomFrom(1);
  return modesFor(pad).flatMap((dimRoundingMode) =>
    axisPairs(typeof pad === 'string' ? 40 : 10).map((pair) => ({
      pair,
      pad,
      dataFormat: random.pick(['NHWC', 'NCHW'] as const),
      dimRoundingMode,
    })),
  );
}

const nameOf = (c: Case) => JSON.stringify(c);

const inShapeOf = ({ dataFormat, pair }: Omit<Case, 'pad'>) =>
  imageShape(dataFormat, 2, pairOf(pair, 'size'), CHANNELS);
const filterShapeOf = ({ pair }: Pick<Case, 'pair'>) => [...pairOf(pair, 'filter'), CHANNELS, OUT_CHANNELS];
const depthwiseShapeOf = ({ pair }: Pick<Case, 'pair'>) => [...pairOf(pair, 'filter'), CHANNELS, MULTIPLIER];

const optionsOf = ({ pair, pad, dataFormat, dimRoundingMode }: Case) => ({
  strides: pairOf(pair, 'stride'),
  dilations: pairOf(pair, 'dilation'),
  pad: toPadding(pad, dataFormat),
  dataFormat,
  dimRoundingMode,
});

const ourConv = (c: Case) => convGeometry(inShapeOf(c), filterShapeOf(c), optionsOf(c));
const ourDepthwise = (c: Case) => depthwiseGeometry(inShapeOf(c), depthwiseShapeOf(c), optionsOf(c));
const ourPool = (c: Case) => poolGeometry(inShapeOf(c), pairOf(c.pair, 'filter'), optionsOf(c));

type Shape4D = [number, number, number, number];

const tfjsConv = (c: Case) => tfjsInfo(c, filterShapeOf(c), false);
const tfjsDepthwise = (c: Case) => tfjsInfo(c, depthwiseShapeOf(c), true);

function tfjsInfo(c: Case, filterShape: number[], depthwise: boolean): Conv2DInfo {
  const { strides, dilations, pad, dimRoundingMode } = optionsOf(c);
  return backend_util.computeConv2DInfo(
    inShapeOf(c) as Shape4D,
    filterShape as Shape4D,
    strides,
    dilations,
    pad as TfjsPad,
    dimRoundingMode,
    depthwise,
    tfjsFormat(c),
  );
}

function tfjsPool(c: Case): Conv2DInfo {
  const { strides, dilations, pad, dimRoundingMode } = optionsOf(c);
  return backend_util.computePool2DInfo(
    inShapeOf(c) as Shape4D,
    pairOf(c.pair, 'filter'),
    strides,
    dilations,
    pad as TfjsPad,
    dimRoundingMode,
    tfjsFormat(c),
  );
}

const tfjsFormat = ({ dataFormat }: Case) => (dataFormat === 'NHWC' ? 'channelsLast' : 'channelsFirst');

/** The fields of tfjs's geometry that both geometries have, under our names. */
const underOurNames = ({ padInfo, dataFormat, ...info }: Conv2DInfo) => ({
  ...info,
  dataFormat: dataFormat === 'channelsLast' ? 'NHWC' : 'NCHW',
  padTop: padInfo.top,
  padBottom: padInfo.bottom,
  padLeft: padInfo.left,
  padRight: padInfo.right,
});

/** Names the first field that differs. The fields are compared as text, because tfjs has sizes of -0. */
function difference(ours: Geometry, tfjs: object): string {
  const got = new Map<string, unknown>(Object.entries(ours));
  const shared = Object.entries(tfjs).filter(([name]) => name !== 'filterShape'); // our poolings have none
  const different = shared.find(([name, want]) => String(got.get(name)) !== String(want));
  return different ? `${different[0]} is ${got.get(different[0])}, want ${different[1]}` : '';
}

/** If tfjs's size is negative, ours must be an error that names the effective filter of that axis. */
function complainAbout(c: Case, ours: (c: Case) => Geometry, tfjs: (c: Case) => Conv2DInfo): string {
  const info = tfjs(explicitIfUnequal(c));
  const axis = info.outHeight < 0 ? 0 : info.outWidth < 0 ? 1 : undefined;
  if (axis === undefined) return difference(ours(c), underOurNames(info));
  const message = attempt(() => ours(c));
  const want = `effective ${['height', 'width'][axis]} ${effectiveFilter(c.pair[axis])}`;
  return message.includes(want) ? '' : `got ${message}, want an error that names the ${want}`;
}

/** Deviation 3: for a numeric pad, tfjs uses the filter and the stride of the height for the width too. */
function explicitIfUnequal(c: Case): Case {
  const [rows, cols] = c.pair;
  const isUnequal = effectiveFilter(rows) !== effectiveFilter(cols) || rows.stride !== cols.stride;
  return typeof c.pad === 'number' && isUnequal ? { ...c, pad: allSides(c.pad) } : c;
}

const allSides = (pad: number) => sides(pad, pad, pad, pad);

/** The geometry as text, for comparisons. If there is an error, its message. */
function attempt(geometry: () => Geometry): string {
  try {
    return JSON.stringify(geometry());
  } catch (error) {
    return (error as Error).message;
  }
}

describe('geometry', () => {
  for (const pad of [0, ...PADS]) {
    it(`agrees with tfjs with pad ${padName(pad)}`, () => {
      const cases = casesOf(pad);
      expect(cases.length).toBe(126 * 40);
      expect(firstComplaint(cases, (c) => complainAbout(c, ourConv, tfjsConv), nameOf)).toBe('');
      expect(firstComplaint(cases, (c) => complainAbout(c, ourDepthwise, tfjsDepthwise), nameOf)).toBe('');
      expect(firstComplaint(cases, (c) => complainAbout(c, ourPool, tfjsPool), nameOf)).toBe('');
    });
  }

  it('rounds as asked with pad valid, which tfjs cannot be asked', () => {
    const complain = (c: Case) => {
      const [got, want] = (['valid', 0] as const).map((pad) => attempt(() => ourPool({ ...c, pad })));
      return got === want ? '' : `got ${got}, want ${want}`;
    };
    const cases = casesOf(0).filter((c) => c.dimRoundingMode);
    expect(firstComplaint(cases, complain, nameOf)).toBe('');
  });

  it('refuses strides that do not divide if exact, and is floor otherwise', () => {
    const complain = ({ pad, ...c }: Case) => {
      const options = { ...optionsOf({ ...c, pad }), dimRoundingMode: 'exact' } as const;
      const got = attempt(() => convGeometry(inShapeOf(c), filterShapeOf(c), options));
      const rooms = roomsOf(c.pair, pad as Exclude<Pad, 'same'>);
      const divides = rooms.every((room, i) => room % c.pair[i].stride === 0);
      const fits = rooms.every((room) => room >= 0);
      if (divides) return got === attempt(() => ourConv({ ...c, pad })) ? '' : got;
      return !fits || /stride along the (height|width) is \d, but with/.test(got) ? '' : got;
    };
    const cases = [0, ...PADS]
      .filter((pad) => typeof pad !== 'string')
      .flatMap((pad) => casesOf(pad).filter((c) => c.dimRoundingMode === 'floor'));
    expect(firstComplaint(cases, complain, nameOf)).toBe('');
  });
});

describe('geometry: defaults', () => {
  const same = (got: Geometry, want: Geometry) => expect(JSON.stringify(got)).toBe(JSON.stringify(want));

  it('takes strides 1, pad valid, dilations 1, NHWC and one group for a convolution', () => {
    const all: ConvOptions = { strides: 1, pad: 'valid', dilations: [1, 1], dataFormat: 'NHWC', groups: 1 };
    same(convGeometry([1, 5, 4, 2], [3, 2, 2, 1]), convGeometry([1, 5, 4, 2], [3, 2, 2, 1], all));
  });

  it('takes the same for a depthwise convolution', () => {
    const all: ConvOptions = { strides: 1, pad: 'valid', dilations: [1, 1], dataFormat: 'NHWC' };
    same(depthwiseGeometry([1, 5, 4, 2], [3, 2, 2, 3]), depthwiseGeometry([1, 5, 4, 2], [3, 2, 2, 3], all));
  });

  it('takes dilations of null for 1 in a depthwise convolution, as tfjs may pass them', () => {
    const nulls = depthwiseGeometry([1, 3, 5, 4], [3, 2, 3, 2], {
      dataFormat: 'NCHW',
      dilations: null as never,
    });
    same(nulls, depthwiseGeometry([1, 3, 5, 4], [3, 2, 3, 2], { dataFormat: 'NCHW' }));
  });

  it('takes null for dilations of 1, which tf.layers gives a depthwise convolution', () => {
    const options = { dilations: null } as unknown as ConvOptions;
    same(
      depthwiseGeometry([1, 5, 4, 2], [3, 2, 2, 3], options),
      depthwiseGeometry([1, 5, 4, 2], [3, 2, 2, 3]),
    );
  });

  it("takes the window's own size as the strides of a pooling", () => {
    const all: PoolOptions = { strides: [3, 2], pad: 'valid', dilations: 1, countIncludePad: false };
    same(poolGeometry([1, 7, 6, 2], [3, 2]), poolGeometry([1, 7, 6, 2], [3, 2], all));
  });

  it('makes a 1x1 pooling that keeps the shape the identity, if asked', () => {
    const pad = explicitPad(sides(2, 1, 0, 3), 'NHWC');
    const options: PoolOptions = { strides: 2, pad, identityIf1x1: true };
    same(poolGeometry([1, 3, 3, 2], 1, options), poolGeometry([1, 3, 3, 2], 1));
    expect(poolGeometry([1, 3, 3, 2], 1, { ...options, identityIf1x1: false }).padTop).toBe(2);
    expect(poolGeometry([1, 4, 3, 2], 1, { ...options, pad: 'same' }).outShape).toEqual([1, 2, 2, 2]);
    expect(poolGeometry([1, 3, 3, 2], [1, 2], { ...options, pad: 'same' }).strideHeight).toBe(2);
  });
});

describe('geometry: depthwise', () => {
  for (const dataFormat of ['NHWC', 'NCHW'] as const) {
    for (const channels of [1, 2, 5]) {
      it(`is that of a convolution with a group for each channel: ${channels}, ${dataFormat}`, () => {
        const options = { strides: [2, 1], dilations: [1, 2], pad: 1, dataFormat } as const;
        const inShape = imageShape(dataFormat, 2, [6, 7], channels);
        const g = depthwiseGeometry(inShape, [3, 2, channels, 2], options);
        expect(g).toEqual(convGeometry(inShape, [3, 2, 1, 2 * channels], { ...options, groups: channels }));
        expect(g.outShape).toEqual(imageShape(dataFormat, 2, [3, 7], 2 * channels));
        expect(isDepthwise(g)).toBe(channels > 1);
      });
    }
  }

  it('is of one empty group if there are no channels', () => {
    const { groups, filterShape, outShape } = depthwiseGeometry([1, 4, 4, 0], [3, 3, 0, 2]);
    expect([groups, filterShape, outShape]).toEqual([1, [3, 3, 0, 0], [1, 2, 2, 0]]);
  });

  it('is not what other groups are', () => {
    expect(isDepthwise(convGeometry([1, 4, 4, 4], [3, 3, 2, 4], { groups: 2 }))).toBeFalse();
    expect(isDepthwise(convGeometry([1, 4, 4, 1], [3, 3, 1, 4]))).toBeFalse();
  });
});

describe('geometry: frozen', () => {
  const conv = convGeometry([1, 4, 4, 2], [3, 3, 2, 1]);
  const geometries: Record<string, Geometry> = {
    convGeometry: conv,
    depthwiseGeometry: depthwiseGeometry([1, 4, 4, 2], [3, 3, 2, 1]),
    poolGeometry: poolGeometry([1, 4, 4, 2], 2),
    'poolGeometry of an identity': poolGeometry([1, 4, 4, 2], 1, { identityIf1x1: true }),
    withDyShape: withDyShape(conv, [1, 3, 3, 1]),
  };
  for (const [name, g] of Object.entries(geometries)) {
    it(`is what ${name} returns, throughout`, () => {
      const thawed = Object.entries({ itself: g, ...g }).filter(([, value]) => !Object.isFrozen(value));
      expect(thawed).toEqual([]);
    });
  }

  it("leaves the caller's arrays alone", () => {
    const [inShape, filterShape] = [
      [1, 4, 4, 2],
      [3, 3, 2, 1],
    ];
    convGeometry(inShape, filterShape);
    expect([inShape, filterShape].some((shape) => Object.isFrozen(shape))).toBe(false);
  });
});

describe('geometry: a pair of pads', () => {
  it('is for the sides of height and of width', () => {
    const options = { strides: 2, dilations: [1, 2] };
    const explicit = [[0, 0], [1, 1], [2, 2], [0, 0]]; // prettier-ignore
    const pair = convGeometry([1, 7, 8, 2], [3, 2, 2, 3], { ...options, pad: [1, 2] });
    expect(pair).toEqual(convGeometry([1, 7, 8, 2], [3, 2, 2, 3], { ...options, pad: explicit }));
  });
});

describe('geometry: bad arguments', () => {
  const conv = (options: object, inShape: unknown = [1, 4, 4, 2], filterShape: unknown = [3, 3, 2, 4]) =>
    convGeometry(inShape as number[], filterShape as number[], options as ConvOptions);
  const depthwise = (options: object, inShape: unknown = [1, 4, 4, 2], filterShape: unknown = [3, 3, 2, 1]) =>
    depthwiseGeometry(inShape as number[], filterShape as number[], options as ConvOptions);
  const pool = (options: object, filterSize: unknown = 2) =>
    poolGeometry([1, 4, 4, 2], filterSize as Pair, options as PoolOptions);

  const PAIR = 'it must be an integer of at least 1, or a pair of them.';
  const POSITIVE = 'it must be an integer of at least 1.';
  const SHAPE = 'it must have four dimensions, integers of at least 0.';
  const PADDING =
    "it must be 'same', 'valid', an integer, a pair [height, width], or four pairs of integers [before, after]";
  const BAD_PAIRS: [unknown, string][] = [
    [0, '0'],
    [-1, '-1'],
    [1.5, '1.5'],
    [NaN, 'NaN'],
    [Infinity, 'Infinity'],
    [null, 'null'],
    ['2', "'2'"],
    [[], '[]'],
    [[1], '[1]'],
    [[1, 2, 3], '[1,2,3]'],
    [[1, 0], '[1,0]'],
    [[NaN, 1], '[NaN,1]'],
  ];
  const BAD_PADS: [unknown, string][] = [
    ['SAME', "'SAME'"],
    [1.5, '1.5'],
    [NaN, 'NaN'],
    [null, 'null'],
    [[1, 1.5], '[1,1.5]'],
    [
      [
        [0, 0],
        [1, 1],
      ],
      '[[0,0],[1,1]]',
    ],
    [
      [
        [0, 0],
        [1, 1],
        [0, 0.5],
        [0, 0],
      ],
      '[[0,0],[1,1],[0,0.5],[0,0]]',
    ],
    [
      [
        [1, 0],
        [1, 1],
        [0, 0],
        [0, 0],
      ],
      '[[1,0],[1,1],[0,0],[0,0]]',
    ],
    [
      [
        [0, 0],
        [1, 1],
        [0, 0],
        [0, 1],
      ],
      '[[0,0],[1,1],[0,0],[0,1]]',
    ],
  ];

  interface Row {
    name: string;
    call: () => unknown;
    /** The message must contain these texts, in this order. */
    says: [argument: string, value: string, allowed: string];
  }
  const rows: Row[] = [
    ...BAD_PAIRS.flatMap(([value, text]): Row[] => [
      row(`strides ${text}`, () => conv({ strides: value }), 'strides', text, PAIR),
      row(`strides ${text} of a pooling`, () => pool({ strides: value }), 'strides', text, PAIR),
      row(`dilations ${text}`, () => conv({ dilations: value }), 'dilations', text, PAIR),
      row(`filterSize ${text}`, () => pool({ strides: 1 }, value), 'filterSize', text, PAIR),
    ]),
    ...BAD_PADS.map(([pad, text]) => row(`pad ${text}`, () => conv({ pad }), 'pad', text, PADDING)),
    row(
      'explicit pad on the channels of NCHW',
      () =>
        conv(
          {
            dataFormat: 'NCHW',
            pad: [
              [0, 0],
              [1, 1],
              [1, 1],
              [0, 0],
            ],
          },
          [1, 2, 4, 4],
        ),
      'pad',
      '[[0,0],[1,1],[1,1],[0,0]]',
      `${PADDING}, one for each dimension of NCHW, with [0, 0] for batch and channels.`,
    ),
    row('dataFormat', () => conv({ dataFormat: 'NCWH' }), 'dataFormat', 'NCWH', "'NHWC' or 'NCHW'."),
    row('dataFormat of a pooling', () => pool({ dataFormat: 'NCWH' }), 'dataFormat', 'NCWH', "or 'NCHW'."),
    row('dimRoundingMode', () => conv({ dimRoundingMode: 'up' }), 'dimRoundingMode', 'up', "or 'exact'."),
    row(
      "dimRoundingMode 'trunc'",
      () => conv({ dimRoundingMode: 'trunc' }),
      'dimRoundingMode',
      'trunc',
      "or 'exact'.",
    ),
    row(
      "dimRoundingMode with pad 'same'",
      () => conv({ dimRoundingMode: 'up', pad: 'same' }),
      'dimRoundingMode',
      'up',
      "or 'exact'.",
    ),
    ...[0, -1, 1.5, NaN, null].map((groups) =>
      row(`groups ${groups}`, () => conv({ groups }), 'groups', `${groups}`, POSITIVE),
    ),
    row(
      'groups that do not divide the output channels',
      () => conv({ groups: 3 }, [1, 4, 4, 6], [3, 3, 2, 4]),
      'groups',
      '3',
      'it must divide the 4 output channels.',
    ),
    row(
      'groups that do not divide the input channels',
      () => conv({ groups: 3 }, [1, 4, 4, 4], [3, 3, 1, 3]),
      'filter',
      '[3,3,1,3]',
      'its third dimension times groups (3) must be the 4 channels of x [1,4,4,4].',
    ),
    row(
      'filter of other channels',
      () => conv({}, [1, 4, 4, 3], [3, 3, 2, 4]),
      'filter',
      '[3,3,2,4]',
      'its third dimension times groups (1) must be the 3 channels of x [1,4,4,3].',
    ),
    row(
      'filter of other channels, NCHW',
      () => conv({ dataFormat: 'NCHW' }, [1, 3, 4, 2], [3, 3, 2, 4]),
      'filter',
      '[3,3,2,4]',
      'must be the 3 channels of x [1,3,4,2].',
    ),
    row(
      'depthwise filter of other channels',
      () => depthwise({}, [1, 4, 4, 3]),
      'filter',
      '[3,3,2,1]',
      'its third dimension must be the 3 channels of x [1,4,4,3].',
    ),
    row(
      'depthwise filter of other channels, NCHW',
      () => depthwise({ dataFormat: 'NCHW' }, [1, 3, 4, 2]),
      'filter',
      '[3,3,2,1]',
      'its third dimension must be the 3 channels of x [1,3,4,2].',
    ),
    row(
      'grouped filter for a depthwise one',
      () => depthwise({}, undefined, [3, 3, 1, 2]),
      'filter',
      '[3,3,1,2]',
      'its third dimension must be the 2 channels of x [1,4,4,2].',
    ),
    row('depthwise x of rank 3', () => depthwise({}, [4, 4, 2]), 'x', '[4,4,2]', SHAPE),
    row('depthwise x that is none', () => depthwise({}, null), 'x', 'null', SHAPE),
    row(
      'depthwise filter of rank 3',
      () => depthwise({}, undefined, [3, 3, 2]),
      'filterShape',
      '[3,3,2]',
      SHAPE,
    ),
    row(
      'depthwise filter of half a channel',
      () => depthwise({}, undefined, [3, 3, 2, 0.5]),
      'filterShape',
      '[3,3,2,0.5]',
      SHAPE,
    ),
    row(
      'depthwise filter of no taps',
      () => depthwise({}, undefined, [0, 3, 2, 1]),
      'filter',
      '[0,3',
      'at least 1',
    ),
    row('depthwise strides', () => depthwise({ strides: 0 }), 'strides', '0', PAIR),
    row('depthwise dilations', () => depthwise({ dilations: [1, 0] }), 'dilations', '[1,0]', PAIR),
    row('depthwise pad', () => depthwise({ pad: 'SAME' }), 'pad', "'SAME'", PADDING),
    row(
      'depthwise dataFormat',
      () => depthwise({ dataFormat: 'NCWH' }),
      'dataFormat',
      'NCWH',
      "'NHWC' or 'NCHW'.",
    ),
    row(
      'depthwise window too large',
      () => depthwise({}, undefined, [7, 1, 2, 1]),
      'filter',
      'height 7',
      'not be larger',
    ),
    row('x of rank 3', () => conv({}, [4, 4, 2]), 'x', '[4,4,2]', SHAPE),
    row('x of a negative size', () => conv({}, [1, -4, 4, 2]), 'x', '[1,-4,4,2]', SHAPE),
    row('x of a pooling of rank 3', () => poolGeometry([4, 4, 2], 2), 'x', '[4,4,2]', SHAPE),
    row('filter of rank 3', () => conv({}, undefined, [3, 3, 2]), 'filterShape', '[3,3,2]', SHAPE),
    row('filter of no taps', () => conv({}, undefined, [0, 3, 2, 4]), 'filter', '[0,3', 'at least 1'),
    row('window too large', () => pool({ strides: 1 }, [7, 1]), 'filter', 'height 7', 'not be larger'),
    row(
      'stride that does not divide, if exact',
      () => pool({ strides: [2, 3], dimRoundingMode: 'exact' }, [2, 3]),
      'stride along the width',
      '3',
      "with dimRoundingMode 'exact' it must divide 1.",
    ),
  ];

  for (const { name, call, says } of rows) {
    it(`names what is wrong with ${name}`, () => {
      expect(call).toThrowError(new RegExp(`^tfjs-convgrad: ${says.map(escaped).join('.*')}`));
    });
  }

  function row(name: string, call: () => unknown, ...says: Row['says']): Row {
    return { name, call, says };
  }

  function escaped(text: string): string {
    return text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
  }
});

describe('withDyShape', () => {
  const layouts = {
    NHWC: { y: [2, 3, 2, 4], larger: [2, 5, 3, 4], steps: { batch: 60, row: 12, col: 4, channel: 1 } },
    NCHW: { y: [2, 4, 3, 2], larger: [2, 4, 5, 3], steps: { batch: 60, row: 3, col: 1, channel: 15 } },
  };
  for (const [name, { y, larger, steps }] of Object.entries(layouts)) {
    const dataFormat = name as keyof typeof layouts;
    const g = convGeometry(imageShape(dataFormat, 2, [5, 4], 3), [3, 3, 3, 4], { dataFormat });
    const [channel, height, width] = dataFormat === 'NHWC' ? [3, 1, 2] : [1, 2, 3];
    const resized = (dimension: number, by: number) =>
      y.map((size, i) => (i === dimension ? size + by : size));

    it(`changes nothing for a dy of the output's shape, ${dataFormat}`, () => {
      expect(g.outShape).toEqual(y);
      expect(withDyShape(g, y)).toEqual(g);
    });

    it(`has the steps of a larger dy and keeps all else, ${dataFormat}`, () => {
      expect(withDyShape(g, larger)).toEqual({ ...g, y: steps });
    });

    const refused = {
      'fewer rows': resized(height, -1),
      'fewer columns': resized(width, -1),
      'another batch': resized(0, 1),
      'more channels': resized(channel, 1),
      'a rank of 3': y.slice(1),
    };
    for (const [what, dyShape] of Object.entries(refused)) {
      it(`refuses ${what}, ${dataFormat}`, () => {
        expect(() => withDyShape(g, dyShape)).toThrowError(
          /^tfjs-convgrad: dy is of shape \[.*\], but it must have (the shape|four dimensions)/,
        );
      });
    }
  }
});

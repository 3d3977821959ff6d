/** Specs of the WebAssembly kernels: every build, strips and their edges, Winograd, memory, engines without WebAssembly. */
import { CPU_PATHS, type CpuPath, isSimd } from '../kernels/runtime/options.js';
import * as avgDefinition from '../kernels/avg_pool/definition.js';
import * as avgSimd from '../kernels/avg_pool/simd.js';
import * as definition from '../kernels/conv2d/definition.js';
import * as simd from '../kernels/conv2d/simd/conv2d.js';
import * as depthwise from '../kernels/depthwise_conv2d/simd.js';
import { type Scheme, schemeFor } from '../kernels/conv2d/simd/winograd.js';
import type { WinogradTile } from '../kernels/runtime/options.js';
import { type GradientTile, gradientTileFor } from '../kernels/conv2d/simd/winograd_gradient.js';
import { lineFor } from '../kernels/conv2d/simd/winograd_line.js';
import {
  type ConvGeometry,
  convGeometry,
  type ConvOptions,
  depthwiseGeometry,
  type DimRoundingMode,
  isDepthwise,
  type Padding,
  poolGeometry,
  type PoolOptions,
  sizeOf,
  withDyShape,
} from '../kernels/geometry.js';
import * as maxDefinition from '../kernels/max_pool/definition.js';
import * as maxSimd from '../kernels/max_pool/simd.js';
import { memoryBytes, withSimd } from '../kernels/runtime/simd/instance.js';
import { type SimdLevel, whyNot } from '../kernels/runtime/simd/modules.js';
import { poolFor, setThreads, threadsInfo } from '../kernels/runtime/threads/threads.js';
import { whyNoWorkers } from '../kernels/runtime/threads/workers.js';
import { eachStrip, forwardAxes } from '../kernels/runtime/simd/strips.js';
import { backendInfo, configure, install } from '../src/index.js';
import { floats, integers, random } from '../src/verify/data.js';
import { compare, describeWorst } from '../src/verify/exact.js';
import { roundingBound } from '../src/verify/rounded.js';
import { bothWays, onHeap, outside, type Run } from './support/memory.js';
import { expectExactly, tf } from './support/tfjs.js';
import { gradientBound, lineBound, winogradBound } from './support/winograd_bound.js';

const LEVELS = CPU_PATHS.filter(isSimd);
const UNWRITTEN = 666.666;

const whole = (size: number, seed: number) => Float32Array.from(integers(size, seed));
const fractions = (size: number, seed: number) => Float32Array.from(floats(size, seed));

describe('WebAssembly', () => {
  for (const level of LEVELS) {
    describe(level, () => {
      const reason = whyNot(level);
      if (reason) it('is skipped', () => pending(reason));
      else {
        buildSpecs(bothWays(level));
        depthwiseSpecs(bothWays(level));
        poolSpecs(level);
        memorySpecs(level);
      }
    });
  }
  describe('on three threads', threadSpecs);
});

describe('strips', () => {
  const logOf = (count: number, places: number, isCalled: boolean) => {
    const log: string[] = [];
    eachStrip(count, places, {
      load: (i, at) => log.push(`load ${i} at ${at}`),
      compute(i, at, meanwhile) {
        log.push(`compute ${i} at ${at}`);
        for (let k = 0; k < 2 && isCalled; k++) meanwhile();
        log.push('computed');
      },
      store: (i, at) => log.push(`store ${i} at ${at}`),
    });
    return log;
  };

  it('are done one by one, in a single place', () => {
    const one = ['load 0 at 0', 'compute 0 at 0', 'computed', 'store 0 at 0'];
    const two = one.map((line) => line.replace('0 at', '1 at'));
    for (const isCalled of [true, false]) expect(logOf(2, 1, isCalled)).toEqual([...one, ...two]);
    expect(logOf(0, 1, true)).toEqual([]);
  });

  it('are stored and loaded while their neighbour is computed, in several places', () => {
    expect(logOf(4, 3, true)).toEqual([
      'load 0 at 0',
      'compute 0 at 0', 'load 1 at 1', 'computed',
      'compute 1 at 1', 'store 0 at 0', 'load 2 at 2', 'computed',
      'compute 2 at 2', 'store 1 at 1', 'load 3 at 0', 'computed',
      'compute 3 at 0', 'store 2 at 2', 'computed',
      'store 3 at 0',
    ]); // prettier-ignore
    expect(logOf(2, 2, false)).toEqual([
      'load 0 at 0',
      'compute 0 at 0', 'computed', 'load 1 at 1',
      'compute 1 at 1', 'computed', 'store 0 at 0',
      'store 1 at 1',
    ]); // prettier-ignore
  });
});

/** What the pool computes is compared with the definition and, to the bit, with one thread on a heap. */
function threadSpecs(): void {
  const level = LEVELS.find((l) => !whyNot(l));
  const reason = level ? whyNoWorkers() : 'no build runs here';
  if (!level || reason) {
    it('is skipped', () => pending(reason));
    return;
  }
  // Any work is shared out, even a single product.
  beforeAll(() => setThreads({ threads: 3, leastWork: 1 }));
  afterAll(() => setThreads({ threads: 1 }));

  it('serves', () => {
    expect(threadsInfo()).toEqual({ asked: 3, serving: 3 });
    const run = spyOn(poolFor(undefined)!, 'run').and.callThrough();
    const [x, filter] = [whole(20 * 20 * 4, 1), whole(3 * 3 * 4 * 8, 2)];
    const g = convGeometry([1, 20, 20, 4], [3, 3, 4, 8], { pad: 'same' });
    withSimd(level, (w) => simd.conv2d(w, x, filter, g, new Float32Array(sizeOf(g.outShape))));
    expect(run).toHaveBeenCalled();
  });

  buildSpecs(bothWays(level));
  depthwiseSpecs(bothWays(level));
  poolSpecs(level);
}

function buildSpecs(run: Run): void {
  it('equals the definition on random geometries', () => {
    const next = random(20261122);
    for (let i = 0; i < 400; i++) expectAllRight(run, drawn(next), i);
  });

  it('equals the definition on random depthwise geometries', () => {
    const next = random(20261129);
    for (let i = 0; i < 400; i++) expectAllRight(run, drawnDepthwise(next), i);
  });

  const large: [string, number[], number[], ConvOptions][] = [
    ['strips of rows', [1, 130, 130, 16], [3, 3, 16, 24], { pad: 'same' }],
    ['strips of rows, stride 2', [1, 131, 129, 16], [3, 3, 16, 12], { pad: 'same', strides: 2 }],
    ['strips of images', [9, 20, 21, 32], [3, 2, 32, 9], { pad: 'same', strides: [2, 3] }],
    ['rows in pieces', [1, 2, 3000, 40], [1, 3, 40, 8], { pad: 'same' }],
    ['rows in pieces, stride 2', [2, 3, 3001, 40], [3, 3, 40, 8], { pad: 'same', strides: 2, dimRoundingMode: 'ceil' }],
    ['strips in NCHW', [1, 16, 90, 91], [3, 3, 16, 8], { pad: 1, dataFormat: 'NCHW' }],
    ['strips of groups', [2, 60, 61, 48], [3, 3, 24, 10], { pad: 'same', groups: 2 }],
    ['parts of long runs', [1, 5, 6, 701], [1, 2, 701, 9], { pad: 'same' }],
    ['parts of long runs, stride 2', [1, 5, 6, 530], [3, 3, 530, 9], { pad: 'same', strides: 2 }],
    ['blocks of whole runs', [2, 7, 6, 60], [5, 3, 60, 70], { pad: 1 }],
    ['blocks of single taps', [1, 9, 9, 300], [2, 3, 300, 8], { pad: 2, dilations: [1, 2] }],
    ['blocks of groups', [1, 6, 5, 1030], [2, 1, 515, 20], { pad: 'same', groups: 2 }],
    ['blocks in strips', [3, 40, 42, 130], [2, 3, 130, 12], { pad: 'same' }],
    ['few target channels', [2, 20, 21, 44], [3, 3, 44, 5], { pad: 'same', strides: [2, 1] }],
    ['few target channels, in blocks', [2, 9, 10, 1028], [1, 3, 1028, 2], { pad: 'same' }],
    ['few source channels', [2, 60, 61, 3], [5, 5, 3, 64], { pad: 'same', strides: 2 }],
    ['depthwise strips of rows', [1, 113, 112, 32], [3, 3, 1, 32], { pad: 'same', groups: 32 }],
    ['depthwise strips of rows, stride 2', [2, 90, 91, 40], [3, 3, 1, 40], { pad: 'same', groups: 40, strides: 2 }],
    ['depthwise strips of images', [9, 14, 15, 64], [5, 5, 1, 64], { pad: 'same', groups: 64 }],
    ['depthwise rows in pieces', [1, 3, 1500, 60], [3, 3, 1, 60], { pad: 'same', groups: 60 }],
    ['depthwise strips of 256 channels', [1, 17, 18, 256], [3, 3, 1, 256], { pad: 'same', groups: 256 }],
    ['depthwise strips of 256 channels in NCHW', [1, 256, 17, 18], [3, 3, 1, 256], { pad: 'same', groups: 256, dataFormat: 'NCHW' }],
    ['depthwise strips in NCHW', [2, 24, 70, 71], [3, 3, 1, 48], { pad: 'same', groups: 24, dataFormat: 'NCHW' }],
    ['a dense layer', [3, 5, 6, 70], [5, 6, 70, 44], { strides: 2 }],
    ['a dense layer of odd width', [2, 1, 1, 301], [1, 1, 301, 203], {}],
    ['a dense layer in NCHW', [2, 130, 1, 1], [1, 1, 130, 164], { dataFormat: 'NCHW', dilations: 2 }],
    ['a dense layer of many images', [9, 1, 1, 67], [1, 1, 67, 40], {}],
  ]; // prettier-ignore
  for (const [title, x, filter, options] of large) {
    it(`equals the definition in ${title}`, () => expectAllRight(run, { x, filter, options }, 1));
  }

  it('adds the bias once and bounds whole sums, not those of blocks', () => {
    // many target channels, few of them, a dense layer
    for (const [size, channels] of [[2, 8], [2, 3], [1, 8]]) {
      const g = convGeometry([1, size, size, 1100], [1, 1, 1100, channels]);
      const x = new Float32Array(sizeOf(g.inShape)).fill(1);
      const filter = Float32Array.from({ length: channels * 1100 }, (_, i) => (i < channels * 550 ? -1 : 2));
      const y = new Float32Array(sizeOf(g.outShape));
      const bias = Float32Array.from({ length: channels }, (_, i) => 60 * i - 50);
      run([x, filter, y, bias], (w, x, filter, y, bias) =>
        simd.conv2d(w, x, filter, g, y, 0, { bias, lowest: 0, highest: 600 }),
      );
      expectExactly(y, Array.from(y, (_, i) => Math.min(500 + 60 * (i % channels), 600)));
    }
  }); // prettier-ignore

  for (const m of [2, 4] as const) winogradSpecs(run, m);
  lineSpecs(run);
  gradientSpecs(run);
}

/** On a heap the arrays lie in place; outside they are copied. A filter value over padding is no product: NaN must not show. */
function depthwiseSpecs(run: Run): void {
  const large: [string, number[], number, number[], ConvOptions][] = [
    ['one piece', [2, 60, 61, 48], 1, [3, 3], { pad: 'same' }],
    ['one piece, stride 2', [2, 61, 60, 33], 1, [3, 3], { pad: 'same', strides: 2 }],
    ['one piece, dilation 2', [1, 40, 41, 20], 1, [3, 3], { pad: 'same', dilations: 2 }],
    ['one piece, 5x5', [1, 33, 34, 36], 1, [5, 5], { pad: 'same', strides: [1, 2] }],
    ['a tall image', [1, 200, 2, 19], 1, [3, 2], { pad: 'same' }],
    ['strips in NCHW', [1, 16, 130, 91], 1, [3, 3], { pad: 1, dataFormat: 'NCHW' }],
    ['strips of repeated channels', [2, 60, 61, 24], 2, [3, 3], { pad: 'same', strides: [2, 1] }],
    ['strips of images', [70, 9, 8, 16], 3, [3, 3], { pad: 'valid' }],
    ['rows in pieces', [1, 3, 3000, 20], 2, [1, 3], { pad: 'same' }],
    ['many channels', [2, 7, 7, 1029], 1, [3, 3], { pad: 'same' }],
  ];
  for (const [title, x, multiplier, window, options] of large) {
    it(`equals the definition of a depthwise convolution in ${title}`, () => {
      const groups = x[options.dataFormat === 'NCHW' ? 1 : 3];
      const filter = [...window, 1, groups * multiplier];
      expectAllRight(run, { x, filter, options: { ...options, groups } }, 1);
    });
  }

  it('reads no padding: a depthwise filter may be NaN there', () => {
    const g = depthwiseGeometry([1, 3, 5, 20], [3, 3, 20, 1], { pad: 'same' });
    const x = new Float32Array(300).fill(1);
    const filter = new Float32Array(180).fill(1);
    filter.fill(NaN, 0, 60); // the upper row of taps
    const { got } = results(g.outShape);
    run([x, filter, got], (w, x, filter, y) => depthwise.conv2d(w, x, filter, g, y));
    got.forEach((value, i) => expect(Number.isNaN(value)).toBe(i >= 100));
  });

  it('keeps NaN within bounds, and bounds all else', () => {
    for (const channels of [2, 3, 4, 7, 16, 19]) {
      const g = depthwiseGeometry([1, 6, 6, channels], [3, 3, channels, 1], { pad: 'same' });
      const x = whole(sizeOf(g.inShape), 1);
      x[0] = NaN;
      const [filter, bias] = [whole(9 * channels, 2), whole(channels, 3)];
      const { got, want } = results(g.outShape);
      definition.conv2d(x, filter, g, want);
      run([x, filter, got, bias], (w, x, filter, y, bias) =>
        depthwise.conv2d(w, x, filter, g, y, { bias, lowest: 0, highest: 6 }),
      );
      expectExactly(got, want.map((sum, i) => Math.min(Math.max(0, sum + bias[i % channels]), 6)));
      expect(got.filter(Number.isNaN).length).toBe(4);
    }
  }); // prettier-ignore
}

function poolSpecs(level: SimdLevel): void {
  it('pools as the definition does on random geometries', () => {
    const next = random(20261123);
    for (let i = 0; i < 300; i++) expectPoolsRight(level, drawnPool(next), i);
  });

  it('pools as the definition does in strips', () => {
    const large: [number[], number, number][] = [
      [[2, 90, 91, 24], 3, 2],
      [[1, 130, 66, 32], 3, 1],
      [[70, 9, 8, 16], 2, 2],
      [[1, 300, 40, 16], 5, 3],
    ];
    for (const [x, filter, strides] of large) {
      expectPoolsRight(level, { x, filter, options: { strides, pad: 'same' } }, 1);
    }
  });

  it('leaves windows without a maximum to the definition', () => {
    for (const channels of [3, 4, 19]) expectGivenUp(level, channels);
  });
}

/** Max pooling gives up if one channel, whichever it is, has a window without a maximum. */
function expectGivenUp(level: SimdLevel, channels: number): void {
  const g = poolGeometry([1, 4, 4, channels], 2);
  const sizes = [16 * channels, 4 * channels];
  for (let channel = 0; channel < channels; channel++) {
    for (const nothing of [NaN, -Infinity]) {
      const [x, y] = sizes.map((size) => new Float32Array(size).fill(1));
      for (const cell of [0, 1, 4, 5]) x[channels * cell + channel] = nothing;
      for (const run of [outside(level), onHeap(level)]) {
        const forward = () => run([x, y], (w, x, y) => maxSimd.maxPool(w, x, g, y));
        x[channel] = nothing;
        expect(forward()).toBeTrue();
        const dx = x.slice();
        expect(run([x, y, dx], (w, x, dy, dx) => maxSimd.maxPoolGrad(w, x, dy, g, dx))).toBeTrue();
        x[channel] = 1;
        expect(forward()).toBeFalse();
        expect(y.every((value) => value === 1)).toBeTrue();
      }
    }
  }
}

function memorySpecs(level: SimdLevel): void {
  it('works in a memory that threads share', () => {
    const shared = { initial: 1, maximum: 1 << 16, shared: true };
    if (!isAllowed(shared)) return pending('the engine shares no memory here');
    const run = onHeap(level, shared);
    const next = random(20261128);
    for (let i = 0; i < 20; i++) expectAllRight(run, drawn(next), i);
  });

  it('does not grow with batch and image', () => {
    // An instance as large as this one is given up. So the instance below is new.
    for (const other of LEVELS.filter((l) => !whyNot(l))) withSimd(other, (w) => w.place(2 ** 26 + 1));
    withSimd(level, (w) => {
      const run = (batch: number, size: number) => {
        const g = convGeometry([batch, size, size, 4], [3, 3, 4, 8], { pad: 'same' });
        simd.conv2d(w, new Float32Array(sizeOf(g.inShape)), new Float32Array(288), g, new Float32Array(sizeOf(g.outShape)));
      }; // prettier-ignore
      run(1, 256);
      const before = memoryBytes();
      run(16, 256);
      run(1, 1024);
      expect(memoryBytes()).toBe(before);
      expect(before).toBeLessThan(2 ** 22);
    });
  });

  it('holds no transformed filter of more than 32 MB', () => {
    const scheme = (batch: number) =>
      schemeOf(convGeometry([batch, 28, 28, 512], [3, 3, 512, 512], { pad: 'same' }), 2);
    expect([scheme(1)?.n, scheme(2)?.n]).toEqual([7, 4]);
    const line = (channels: number) =>
      lineOf(convGeometry([1, 17, 17, 768], [1, 7, 768, channels], { pad: 'same' }));
    expect([line(768)?.m, line(800)]).toEqual([3, undefined]);
  });

  it('gives a large filter back', () => {
    // There are two strips of pixels. The packed filter (64 MiB) must stay for the second strip.
    const g = convGeometry([1, 1, 32, 4096], [1, 1, 4096, 4100]);
    const [x, filter] = [new Float32Array(32 * 4096).fill(1), new Float32Array(4096 * 4100).fill(1)];
    const y = new Float32Array(32 * 4100);
    withSimd(level, (w) => {
      simd.conv2d(w, x, filter, g, y);
      expect(memoryBytes()).toBeGreaterThan(2 ** 26);
    });
    expect(memoryBytes()).toBeLessThan(2 ** 26);
    expect(y.every((value) => value === 4096)).toBeTrue();
  });

  it('says so when there is no memory, and works again', () => {
    const g = convGeometry([1, 40, 40, 40], [3, 3, 40, 1000], { pad: 'same' });
    const arrays = () =>
      [g.inShape, g.filterShape, g.outShape].map((s) => new Float32Array(sizeOf(s)).fill(1));
    const run = () => {
      const [x, filter, y] = arrays();
      withSimd(level, (w) => simd.conv2d(w, x, filter, g, y));
      return y;
    };
    withSimd(level, (w) => w.place(2 ** 26 + 1)); // so that the next instance is new
    withSimd(level, (w) => w.place(0));
    spyOn(WebAssembly.Memory.prototype, 'grow').and.throwError(new RangeError('no more'));
    expect(run).toThrowError(/out of memory: \d+ MiB of WebAssembly memory are needed/);
    (WebAssembly.Memory.prototype.grow as jasmine.Spy).and.callThrough();
    expect(run()[1000 * 41]).toBe(360);
  });
}

/**
 * Cases: tiles that stick out of the image at each side, channels that fill no panel, every layout. The last number of a case
 * is n for m = 2: forward takes n x n products.
 */
function winogradSpecs(run: Run, m: 2 | 4): void {
  const cases: [number[], number[], ConvOptions, number?][] = [
    [[1, 32, 32, 16], [3, 3, 16, 16], { pad: 'same' }, 7],
    [[2, 33, 31, 20], [3, 3, 20, 18], { pad: 'valid' }, 7],
    [[1, 14, 13, 20], [3, 3, 20, 18], { pad: 'same' }],
    [[40, 5, 7, 16], [3, 3, 16, 16], { pad: [[0, 0], [2, 0], [1, 3], [0, 0]] }],
    [[1, 16, 33, 35], [3, 3, 16, 24], { pad: 'same', dataFormat: 'NCHW' }, 7],
    [[1, 34, 33, 40], [3, 3, 20, 32], { pad: 2, groups: 2 }, 7],
    [[1, 90, 91, 64], [3, 3, 64, 40], { pad: 'same' }, 7],
    [[1, 14, 13, 260], [3, 3, 260, 44], { pad: 'same' }],
    [[3, 13, 14, 260], [3, 3, 260, 40], { pad: 'same' }],
    [[2, 16, 15, 140], [3, 3, 140, 60], { pad: 'same' }, 7],
    [[2, 10, 9, 280], [3, 3, 140, 560], { pad: 'same', groups: 2 }],
    [[1, 17, 17, 320], [3, 3, 320, 290], { pad: 'same' }],
  ]; // prettier-ignore
  for (const [inShape, filterShape, options, side = 4] of cases) {
    const g = convGeometry(inShape, filterShape, options);
    const n = m === 2 ? side : 6;
    it(`${n}x${n} products are ${m === 2 ? 'exact' : 'right to the unit'} on whole numbers, on [${inShape}] * [${filterShape}]`, () => {
      expect(schemeOf(g, m)?.n).toBe(n as 4 | 6 | 7);
      expectBothRight(run, m, g);
    });
  }

  it(`tiles of winograd: ${m} keep to their bounds`, () => {
    for (let seed = 1; seed <= 8; seed++) {
      const size = seed % 2 === 0 ? [24, 26] : [14, 13];
      const g = convGeometry([1, ...size, 16 + 4 * seed], [3, 3, 16 + 4 * seed, 16], { pad: 'same' });
      const scheme = schemeOf(g, m) as Scheme;
      expect(scheme.n).toBe(m === 4 ? 6 : seed % 2 === 0 ? 7 : 4);
      const { x, filter, y, direct } = forward(run, m, g, 10 * seed);
      const bound = winogradBound(scheme, x, filter, g);
      const worst = compare(y.got, y.want, (i) => bound[i]);
      expect(worst.error).withContext(describeWorst(worst)).toBeLessThanOrEqual(1);
      expectOther(y.got, direct);
    }
  });

  it(`tiles of winograd: ${m} spread NaN over the tiles that meet it, and no further`, () => {
    for (const size of [14, 24]) {
      const g = convGeometry([1, size, size, 16], [3, 3, 16, 16], { pad: 'same' });
      const tile = (schemeOf(g, m) as Scheme).m;
      const x = new Float32Array(sizeOf(g.inShape)).fill(1);
      x[(10 * size + 10) * 16] = NaN;
      const y = new Float32Array(sizeOf(g.outShape));
      const filter = new Float32Array(sizeOf(g.filterShape)).fill(1);
      run([x, filter, y], (w, x, filter, y) => simd.conv2d(w, x, filter, g, y, m));
      for (let i = 0; i < y.length; i++) {
        const [row, col] = [Math.floor(i / 16 / size), Math.floor(i / 16) % size];
        const near = Math.max(Math.abs(row - 10), Math.abs(col - 10));
        if (near <= 1) expect(y[i]).toBeNaN();
        if (near >= tile + 1) expect(y[i]).not.toBeNaN();
      }
    }
  });
}

/** The scheme that Winograd's algorithm uses for the forward pass. `lineOf` gives the line. */
function schemeOf(g: ConvGeometry, m: WinogradTile) {
  return schemeFor(...imagesOf(g), forwardAxes(g), m);
}

function lineOf(g: ConvGeometry) {
  return lineFor(...imagesOf(g), forwardAxes(g));
}

function imagesOf({ batchSize: images, inChannels, outChannels, groups }: ConvGeometry) {
  return [
    { images, channels: inChannels / groups },
    { images, channels: outChannels / groups },
  ] as const;
}

/**
 * Filters along a line. Cases: pieces of every length, tiles that stick out, rows across the line, strides, strips, blocks,
 * channels that fill no vector.
 */
function lineSpecs(run: Run): void {
  const cases: [number[], number[], ConvOptions, 3 | 4][] = [
    [[1, 17, 17, 64], [1, 7, 64, 72], { pad: 'same' }, 3],
    [[1, 17, 17, 66], [7, 1, 66, 64], { pad: 'same' }, 3],
    [[2, 9, 11, 64], [1, 3, 64, 64], { pad: 'valid' }, 3],
    [[9, 9, 8, 64], [5, 1, 64, 64], { pad: [[0, 0], [2, 0], [1, 3], [0, 0]] }, 4],
    [[1, 64, 20, 11], [3, 1, 64, 64], { pad: 'same', dataFormat: 'NCHW' }, 4],
    [[2, 12, 12, 128], [1, 4, 64, 144], { pad: 'same', groups: 2 }, 3],
    [[1, 21, 20, 260], [7, 1, 260, 64], { pad: 'same' }, 3],
    [[1, 1, 900, 64], [1, 6, 64, 64], { pad: 'same' }, 4],
    [[3, 8, 20, 32], [1, 2, 32, 40], { pad: 'same' }, 4],
    [[1, 40, 41, 24], [5, 5, 24, 24], { pad: 'same' }, 4],
    [[2, 23, 29, 3], [7, 7, 3, 64], { pad: 'same', strides: 2 }, 3],
    [[1, 43, 42, 6], [11, 11, 6, 24], { pad: 'same', strides: 4 }, 4],
    [[3, 14, 20, 7], [5, 3, 7, 40], { pad: 'same' }, 4],
    [[1, 40, 31, 9], [4, 5, 9, 32], { pad: 1, strides: [2, 1] }, 4],
    [[2, 31, 20, 10], [8, 3, 10, 40], { pad: 'same', strides: [2, 1] }, 3],
    [[2, 5, 130, 5], [3, 9, 5, 40], { pad: 'same' }, 4],
    [[3, 60, 61, 12], [5, 7, 12, 32], { pad: 'same', strides: 2 }, 3],
    [[1, 12, 15, 140], [3, 5, 140, 24], { pad: 'same' }, 4],
    [[2, 30, 41, 1], [7, 7, 1, 152], { pad: 'same' }, 3],
    [[1, 1, 3000, 1], [1, 31, 1, 160], { pad: 'valid' }, 3],
    [[1, 24, 40, 2], [5, 5, 2, 160], { pad: 'same' }, 4],
  ]; // prettier-ignore
  for (const [inShape, filterShape, options, m] of cases) {
    const g = convGeometry(inShape, filterShape, options);
    it(`F(${m},${7 - m}) is exact on whole numbers, on [${inShape}] * [${filterShape}]`, () => {
      expect(lineOf(g)?.m).toBe(m);
      expectBothRight(run, 2, g);
    });
  }

  it('lines keep to their bounds', () => {
    for (let taps = 2; taps <= 10; taps++) {
      const windows: [number[], number, number][] = [[[1, taps], 30, 1], [[taps, 1], 30, 1], [[2, taps], 15, 1], [[2, taps], 150, 1], [[taps, 3], 20, 2]];
      for (const [window, channels, strides] of windows) {
        const g = convGeometry([1, 8 * strides, 27, channels], [...window, channels, 40], { pad: 'same', strides });
        const { x, filter, y, direct } = forward(run, 2, g, taps);
        const line = lineOf(g);
        const bound = line ? lineBound(line, x, filter, g) : new Float64Array(direct.length).fill(Infinity);
        const worst = compare(y.got, y.want, (i) => bound[i]);
        expect(worst.error).withContext(describeWorst(worst)).toBeLessThanOrEqual(1);
        expect(line !== undefined).withContext(`[${window}] of stride ${strides}`).toBe(strides === 1 || taps >= 4);
        if (line) expectOther(y.got, direct);
        else expectExactly(y.got, direct);
      }
    }
  }); // prettier-ignore

  it('lines are cut into the pieces that take the fewest products', () => {
    const cut = (taps: number, size: number, strides = 1) => {
      const g = convGeometry([1, 24, size * strides, 64], [1, taps, 64, 64], {
        pad: 'same',
        strides: [1, strides],
      });
      const line = lineOf(g);
      return line && [line.m, ...line.pieces.map((piece) => piece.map(({ index }) => index))];
    };
    expect(cut(1, 24)).toBeUndefined();
    expect(cut(2, 24)).toEqual([4, [0, 1]]);
    expect(cut(3, 24)).toEqual([4, [0, 1, 2]]);
    expect(cut(3, 9)).toEqual([3, [0, 1, 2]]);
    expect(cut(5, 24)).toEqual([4, [0, 1, 2], [3, 4]]);
    expect(cut(7, 17)).toEqual([3, [0, 1, 2, 3], [4, 5, 6]]);
    expect(cut(7, 24, 2)).toEqual([3, [0, 2, 4, 6], [1, 3, 5]]);
    expect(cut(3, 24, 2)).toBeUndefined();
    expect(cut(5, 9)).toBeUndefined();
    expect(cut(3, 5)).toBeUndefined();
    expect(cut(2, 27)).toEqual([4, [0, 1]]);
    expect(cut(2, 19)).toBeUndefined();
    expect(cut(5, 1)).toBeUndefined();
    expect(cut(11, 24, 4)).toEqual([4, [0, 4, 8], [1, 5, 9], [2, 6, 10], [3, 7]]);
  });

  it('lines add the bias once, and bound whole sums', () => {
    for (const taps of [3, 4]) {
      const g = convGeometry([1, 12, 12, 64], [1, taps, 64, 64]);
      const filter = new Float32Array(sizeOf(g.filterShape)).fill(1);
      filter.fill(-1, 0, 64 * 64);
      const bias = Float32Array.from({ length: 64 }, (_, i) => i);
      const y = results(g.outShape).got;
      const epilogue = { lowest: 80, highest: 64 * (taps - 2) + 40 };
      const x = new Float32Array(sizeOf(g.inShape)).fill(1);
      run([x, filter, y, bias], (w, x, filter, y, bias) =>
        simd.conv2d(w, x, filter, g, y, 2, { ...epilogue, bias }),
      );
      const want = Array.from(y, (_, i) =>
        Math.min(Math.max(64 * (taps - 2) + (i % 64), epilogue.lowest), epilogue.highest),
      );
      expectExactly(y, want);
    }
  });

  it('lines spread NaN over the tiles that meet it alone', () => {
    const g = convGeometry([1, 8, 24, 64], [1, 4, 64, 64]);
    const x = new Float32Array(sizeOf(g.inShape)).fill(1);
    x[(5 * 24 + 10) * 64] = Infinity;
    const y = new Float32Array(sizeOf(g.outShape));
    const filter = new Float32Array(sizeOf(g.filterShape)).fill(1);
    run([x, filter, y], (w, x, filter, y) => simd.conv2d(w, x, filter, g, y, 2));
    // A window has four cells, a tile three outputs. Outputs 7 to 10 see the Infinity. Outputs 6 to 11 share a tile with them.
    y.forEach((value, i) => {
      const [row, col] = [Math.floor(i / 64 / 21), Math.floor(i / 64) % 21];
      if (row === 5 && col >= 7 && col <= 10) expect(Number.isFinite(value)).toBeFalse();
      if (row !== 5 || col < 6 || col > 11) expect(value).toBe(256);
    });
  });
}

/**
 * The gradient of the filter. Cases: tiles that stick out, padding on one side, strips of rows, of columns and of images,
 * layouts, groups.
 */
function gradientSpecs(run: Run): void {
  const cases: [number[], number[], ConvOptions, 4 | 7][] = [
    [[1, 32, 32, 16], [3, 3, 16, 16], { pad: 'same' }, 7],
    [[1, 26, 25, 16], [3, 3, 16, 16], { pad: 'valid' }, 7],
    [[2, 13, 11, 20], [3, 3, 20, 24], { pad: 'valid' }, 4],
    [[40, 7, 5, 8], [3, 3, 8, 16], { pad: [[0, 0], [2, 0], [1, 3], [0, 0]] }, 7],
    [[40, 5, 7, 8], [3, 3, 8, 16], { pad: [[0, 0], [2, 0], [1, 3], [0, 0]] }, 4],
    [[1, 16, 23, 25], [3, 3, 16, 8], { pad: 'same', dataFormat: 'NCHW' }, 7],
    [[1, 16, 13, 25], [3, 3, 16, 8], { pad: 'same', dataFormat: 'NCHW' }, 4],
    [[2, 14, 13, 24], [3, 3, 12, 32], { pad: 2, groups: 2 }, 7],
    [[1, 14, 13, 24], [3, 3, 12, 32], { pad: 1, groups: 2 }, 4],
    [[1, 40, 41, 32], [3, 3, 32, 24], { pad: 'same' }, 7],
    [[1, 2, 900, 16], [3, 3, 16, 16], { pad: 'same' }, 4],
    [[1, 4, 901, 16], [3, 3, 16, 16], { pad: 'same' }, 7],
    [[3, 15, 17, 36], [3, 3, 36, 40], { pad: 'same' }, 7],
    [[3, 14, 13, 36], [3, 3, 36, 40], { pad: 'same' }, 4],
    [[1, 10, 11, 260], [3, 3, 260, 72], { pad: 'same' }, 4],
  ]; // prettier-ignore
  const tileOf = (g: ConvGeometry) => gradientTileFor(...imagesOf(g), forwardAxes(g));
  const gradients = (g: ConvGeometry, make: typeof whole, dyShape: readonly number[] = g.outShape) => {
    const [x, dy] = [g.inShape, dyShape].map((s, i) => make(sizeOf(s), i + 1));
    const { got, want: sums } = results(g.filterShape);
    const direct = results(g.filterShape).got;
    run([x, dy, got], (w, x, dy, dFilter) => simd.conv2dBackpropFilter(w, x, dy, g, dFilter, 2));
    run([x, dy, direct], (w, x, dy, dFilter) => simd.conv2dBackpropFilter(w, x, dy, g, dFilter, 0));
    const want = () => {
      definition.conv2dBackpropFilter(x, dy, g, sums);
      return sums;
    };
    return { x, dy, got, direct, want };
  };
  for (const [inShape, filterShape, options, n] of cases) {
    it(`the gradient by ${n}x${n} products is exact on whole numbers, on [${inShape}] * [${filterShape}]`, () => {
      const g = convGeometry(inShape, filterShape, options);
      expect(tileOf(g)?.n).toBe(n);
      const { got, want } = gradients(g, whole);
      const worst = compare(got, want());
      expect(worst.error).withContext(describeWorst(worst)).toBe(0);
      const other = gradients(g, fractions);
      expectOther(other.got, other.direct);
    });
  }

  it('leaves 12 channels to the direct sum', () => {
    const g = convGeometry([1, 14, 13, 16], [3, 3, 16, 12], { pad: 'same' });
    const { got, want } = gradients(g, whole);
    expect(compare(got, want()).error).toBe(0);
    const other = gradients(g, fractions);
    expectExactly(other.got, other.direct);
  });

  it('the gradient leaves out what lies past y in a larger dy', () => {
    for (const [size, n] of [
      [13, 4],
      [30, 7],
    ]) {
      const forward = convGeometry([1, size, size, 8], [3, 3, 8, 8], { pad: 'valid' });
      const dyShape = [1, size - 1, size - 1, 8];
      const g = withDyShape(forward, dyShape);
      expect(tileOf(g)?.n).toBe(n as 4 | 7);
      const { got, want } = gradients(g, whole, dyShape);
      expectExactly(got, want());
    }
  });

  it('the gradient keeps to its bounds', () => {
    // The last case of each n has two strips.
    for (const [i, [batch, height, width, n]] of [
      [1, 14, 12, 4], [2, 17, 12, 4], [9, 14, 14, 4], [1, 23, 24, 7], [3, 18, 12, 7], [9, 19, 12, 7],
    ].entries()) {
      const g = convGeometry([batch, height, width, 8], [3, 3, 8, 16], { pad: 'same' });
      const tile = tileOf(g) as GradientTile;
      expect(tile.n).toBe(n as 4 | 7);
      const { x, dy, got, want, direct } = gradients(g, (size, seed) => fractions(size, seed + 10 * i));
      const bound = gradientBound(tile, x, dy, g);
      const worst = compare(got, want(), (k) => bound[k]);
      expect(worst.error).withContext(describeWorst(worst)).toBeLessThanOrEqual(1);
      expectOther(got, direct);
    }
  }); // prettier-ignore

  it('the gradient spreads NaN over the taps of the channels that meet it alone', () => {
    for (const size of [12, 24]) {
      const g = convGeometry([1, size, size, 8], [3, 3, 8, 8], { pad: 'same' });
      const [x, dy] = [g.inShape, g.outShape].map((shape) => new Float32Array(sizeOf(shape)).fill(1));
      x[(5 * size + 6) * 8 + 3] = Infinity;
      dy[(7 * size + 2) * 8 + 6] = Infinity;
      const dFilter = results(g.filterShape).got;
      run([x, dy, dFilter], (w, x, dy, dFilter) => simd.conv2dBackpropFilter(w, x, dy, g, dFilter, 2));
      dFilter.forEach((value, i) => {
        expect(Number.isFinite(value)).toBe((i >> 3) % 8 !== 3 && i % 8 !== 6);
      });
    }
  });
}

/**
 * Compares forward and the gradient of the input with the definition, on whole numbers. With m = 2 both must be equal. With
 * m = 4 the constants are not exact, so both must be equal after rounding to whole numbers.
 */
function expectBothRight(run: Run, m: 2 | 4, g: ConvGeometry): void {
  const { y, dx } = bothPasses(run, m, g, whole);
  for (const { got, want } of [y, dx]) {
    const worst = compare(m === 2 ? got : got.map(Math.round), want);
    expect(worst.error).withContext(describeWorst(worst)).toBe(0);
  }
  expect(y.got.some((value) => value !== 0)).toBeTrue();
}

/** Forward and the gradient of the input, with the definition's results for the same inputs. */
function bothPasses(
  run: Run,
  winograd: WinogradTile,
  g: ConvGeometry,
  make: (size: number, seed: number) => Float32Array,
) {
  const [x, filter, dy] = [g.inShape, g.filterShape, g.outShape].map((s, i) => make(sizeOf(s), i + 1));
  const y = results(g.outShape);
  const dx = results(g.inShape);
  definition.conv2d(x, filter, g, y.want);
  definition.conv2dBackpropInput(dy, filter, g, dx.want);
  run([x, filter, y.got], (w, x, filter, y) => simd.conv2d(w, x, filter, g, y, winograd));
  run([dy, filter, dx.got], (w, dy, filter, dx) => simd.conv2dBackpropInput(w, dy, filter, g, dx, winograd));
  return { x, filter, y, dx };
}

/** Forward by Winograd, by the definition and by the direct sum, on fractions. */
function forward(run: Run, winograd: WinogradTile, g: ConvGeometry, seed: number) {
  const [x, filter] = [g.inShape, g.filterShape].map((s, i) => fractions(sizeOf(s), seed + i + 1));
  const y = results(g.outShape);
  const direct = results(g.outShape).got;
  definition.conv2d(x, filter, g, y.want);
  run([x, filter, y.got], (w, x, filter, y) => simd.conv2d(w, x, filter, g, y, winograd));
  run([x, filter, direct], (w, x, filter, y) => simd.conv2d(w, x, filter, g, y, 0));
  return { x, filter, y, direct };
}

/** Expects that Winograd served: its rounding errors are not those of the direct sum. */
function expectOther(winograd: ArrayLike<number>, direct: ArrayLike<number>): void {
  expect(compare(winograd, direct).error).withContext('the direct sum').toBe(Infinity);
}

function results(shape: readonly number[]) {
  const size = sizeOf(shape);
  return { got: new Float32Array(size).fill(UNWRITTEN), want: new Float64Array(size) };
}

interface Problem {
  x: number[];
  filter: number[];
  options: ConvOptions;
  /** dy has one row and one column more than y. conv2dTranspose may pass such a dy. */
  largerDy?: boolean;
}

/** Compares forward and both gradients with the definition on whole numbers, cell by cell. */
function expectAllRight(run: Run, problem: Problem, seed: number): void {
  const forward = convGeometry(problem.x, problem.filter, problem.options);
  const rest = forward.dataFormat === 'NHWC' ? [1, 1, 0] : [0, 1, 1];
  const dyShape = forward.outShape.map((size, i) => size + (problem.largerDy ? [0, ...rest][i] : 0));
  const g = withDyShape(forward, dyShape);
  const make = (shape: readonly number[], i: number) =>
    Float32Array.from(integers(sizeOf(shape), 3 * seed + i, 4));
  const [x, filter, dy] = [g.inShape, g.filterShape, dyShape].map(make);
  const [y, dx, dFilter] = [results(g.outShape), results(g.inShape), results(g.filterShape)];
  definition.conv2d(x, filter, forward, y.want);
  definition.conv2dBackpropInput(dy, filter, g, dx.want);
  definition.conv2dBackpropFilter(x, dy, g, dFilter.want);
  const { conv2d, conv2dBackpropInput, conv2dBackpropFilter } = isDepthwise(g) ? depthwise : simd;
  run([x, filter, y.got], (w, x, filter, y) => conv2d(w, x, filter, forward, y));
  run([dy, filter, dx.got], (w, dy, filter, dx) => conv2dBackpropInput(w, dy, filter, g, dx));
  run([x, dy, dFilter.got], (w, x, dy, dFilter) => conv2dBackpropFilter(w, x, dy, g, dFilter));
  for (const [name, { got, want }] of Object.entries({ y, dx, dFilter })) {
    const worst = compare(got, want);
    const context = `${name} of ${JSON.stringify(problem)}: ${describeWorst(worst)}`;
    expect(worst.error).withContext(context).toBe(0);
  }
}

/** The same, where each channel is a group. */
function drawnDepthwise(next: () => number): Problem {
  return drawn(next, (below) => {
    const channels = 2 + below(40);
    return {
      groups: channels,
      inChannels: channels,
      outChannels: channels * (below(3) === 0 ? below(4) : 1),
    };
  });
}

type Below = (n: number) => number;
function drawnGroups(below: Below) {
  const groups = [1, 1, 1, 2, 3][below(5)];
  return { groups, inChannels: groups * below(10), outChannels: groups * below(18) };
}

/** A random small geometry of any kind: strides, dilations, pads (also negative), groups, layout, rounding mode. */
function drawn(next: () => number, drawGroups = drawnGroups): Problem {
  const below = (n: number) => Math.floor(next() * n);
  const pick = <T>(values: readonly T[]) => values[below(values.length)];
  for (;;) {
    const { groups, inChannels, outChannels } = drawGroups(below);
    const dataFormat = pick(['NHWC', 'NHWC', 'NCHW'] as const);
    const side = () => [below(3) - 1, below(3)];
    const image = [1 + below(9), 1 + below(9)];
    const order = <T>(rows: T, cols: T, channels: T) =>
      dataFormat === 'NHWC' ? [rows, cols, channels] : [channels, rows, cols];
    const options = {
      strides: [1 + below(3), 1 + below(3)],
      dilations: [1 + below(3), 1 + below(2)],
      pad: pick<Padding>(['same', 'valid', below(3), [[0, 0], ...order(side(), side(), [0, 0])]]),
      dimRoundingMode: pick<DimRoundingMode>(['floor', 'ceil', 'round']),
      dataFormat,
      groups,
    };
    const x = [1 + below(3), ...order(image[0], image[1], inChannels)];
    const filter = [1 + below(4), 1 + below(4), inChannels / groups, outChannels];
    try {
      convGeometry(x, filter, options);
      return { x, filter, options, largerDy: below(4) === 0 };
    } catch {
      // a window that does not fit: draw again
    }
  }
}

interface PoolProblem {
  x: number[];
  filter: number | number[];
  options: PoolOptions;
  largerDy?: boolean;
}

/** A random pooling: any number of channels, a window of any kind. */
function drawnPool(next: () => number): PoolProblem {
  const below = (n: number) => Math.floor(next() * n);
  const pick = <T>(values: readonly T[]) => values[below(values.length)];
  for (;;) {
    const x = [1 + below(3), 1 + below(9), 1 + below(9), 1 + below(40)];
    const side = () => [below(3) - 1, below(3)];
    try {
      const filter = [1 + below(4), 1 + below(4)];
      const options = {
        strides: [1 + below(4), 1 + below(4)],
        dilations: [1 + below(2), 1 + below(3)],
        pad: pick<Padding>(['same', 'valid', below(2), [[0, 0], side(), side(), [0, 0]]]),
        dimRoundingMode: pick<DimRoundingMode>(['floor', 'ceil', 'round']),
        countIncludePad: below(2) === 0,
      };
      poolGeometry(x, filter, options);
      return { x, filter, options, largerDy: below(4) === 0 };
    } catch {
      // a window that does not fit: draw again
    }
  }
}

function isAllowed(descriptor: WebAssembly.MemoryDescriptor): boolean {
  try {
    return new WebAssembly.Memory(descriptor).buffer.byteLength > 0;
  } catch {
    return false;
  }
}

/** Compares forward and gradients of both poolings with the definitions: max pooling exactly, average pooling to rounding. */
function expectPoolsRight(level: SimdLevel, problem: PoolProblem, seed: number): void {
  const forward = poolGeometry(problem.x, problem.filter, problem.options);
  const g = withDyShape(forward, forward.outShape.map((size, i) => size + (problem.largerDy ? [0, 1, 1, 0][i] : 0))); // prettier-ignore
  const make = (size: number, i: number) => Float32Array.from(integers(size, 3 * seed + i, 4));
  const [x, dy] = [make(sizeOf(g.inShape), 0), make(g.y.batch * g.batchSize, 1)];
  const [max, dMax] = [results(g.outShape), results(g.inShape)];
  const [avg, dAvg] = [results(g.outShape), results(g.inShape)];
  const positions = new Int32Array(dy.length);
  maxDefinition.maxPool(x, forward, max.want, new Int32Array(max.want.length));
  maxDefinition.maxPool(x, g, new Float64Array(dy.length), positions);
  maxDefinition.maxPoolGrad(dy, positions, dMax.want);
  avgDefinition.avgPool(x, forward, avg.want);
  avgDefinition.avgPoolGrad(dy, g, dAvg.want);
  for (const run of [outside(level), onHeap(level)]) {
    for (const { got } of [max, dMax, avg, dAvg]) got.fill(UNWRITTEN);
    run([x, avg.got], (w, x, y) => avgSimd.avgPool(w, x, forward, y));
    run([dy, dAvg.got], (w, dy, dx) => avgSimd.avgPoolGrad(w, dy, g, dx));
    const gaveUp = [
      run([x, max.got], (w, x, y) => maxSimd.maxPool(w, x, forward, y)),
      run([x, dy, dMax.got], (w, x, dy, dx) => maxSimd.maxPoolGrad(w, x, dy, g, dx)),
    ];
    const context = JSON.stringify(problem);
    const hasEmpty = max.want.includes(-Infinity);
    expect(gaveUp[0]).withContext(context).toBe(hasEmpty);
    expect(gaveUp[1] && !hasEmpty)
      .withContext(context)
      .toBeFalse();
    const window = g.filterHeight * g.filterWidth;
    for (const [name, { got, want }, bound] of [
      ['max', max, 0],
      ['dMax', dMax, 0],
      ['avg', avg, roundingBound(1, 4)],
      ['dAvg', dAvg, roundingBound(window, 4 * window)],
    ] as const) {
      if ((name === 'max' && gaveUp[0]) || (name === 'dMax' && gaveUp[1])) continue;
      const worst = compare(got, want, () => bound);
      expect(worst.error)
        .withContext(`${name} of ${context}: ${describeWorst(worst)}`)
        .toBeLessThanOrEqual(bound && 1);
    }
  }
}

describe('configure()', () => {
  afterEach(() => configure({ cpu: { path: 'auto', winograd: 2 } }));

  it('chooses the path and Winograd, and backendInfo() says so', () => {
    const best = LEVELS.find((level) => !whyNot(level)) ?? 'im2col';
    expect(backendInfo().cpu).toEqual(jasmine.objectContaining({ path: 'auto', winograd: 2, serving: best }));
    configure({ cpu: { path: 'im2col' } });
    configure({ cpu: { winograd: 0 } });
    expect(backendInfo().cpu).toEqual(
      jasmine.objectContaining({ path: 'im2col', winograd: 0, serving: 'im2col' }),
    );
    configure({});
    expect(backendInfo().cpu.path).toBe('im2col');
  });

  it('refuses what there is not and changes nothing', () => {
    expect(() => configure({ cpu: { path: 'gpu' as CpuPath, winograd: 0 } })).toThrowError(
      /path is 'gpu', but it must be one of auto, relaxed-simd, simd, im2col, thin, definition/,
    );
    expect(() => configure({ cpu: { path: 'thin', winograd: 3 as 2 } })).toThrowError(
      /winograd is 3, but it must be one of 0, 2, 4/,
    );
    expect(backendInfo().cpu).toEqual(jasmine.objectContaining({ path: 'auto', winograd: 2 }));
  });

  for (const level of LEVELS.filter(whyNot)) {
    it(`refuses ${level} where the engine does not run it`, () => {
      expect(() => configure({ cpu: { path: level } })).toThrowError(
        new RegExp(`path is ${level}, but it must be one that this engine runs: `),
      );
      expect(backendInfo().cpu.unavailable[level]).toMatch(/Error/);
    });
  }

  it('Winograd differs from the direct sum in the last bits alone', async () => {
    await tf.setBackend('cpu');
    const x = tf.randomNormal<tf.Rank.R4>([1, 24, 24, 32]);
    const filter = tf.randomNormal<tf.Rank.R4>([3, 3, 32, 32]);
    const { uninstall } = install({ backends: ['cpu'] });
    const results = ([0, 2, 4] as const).map((winograd) => {
      configure({ cpu: { winograd } });
      return tf.conv2d(x, filter, 1, 'same').dataSync();
    });
    uninstall();
    const distance = (a: ArrayLike<number>, b: ArrayLike<number>) =>
      Math.max(...Array.from(a, (value, i) => Math.abs(value - b[i])));
    const off = [distance(results[1], results[0]), distance(results[2], results[0])];
    if (isSimd(backendInfo().cpu.serving)) expect(Math.min(...off)).toBeGreaterThan(0);
    expect(Math.max(...off)).toBeLessThan(1e-3);
    tf.dispose([x, filter]);
  });
});

describe('a page that forbids WebAssembly', () => {
  it('is served by the plain path', async () => {
    if (typeof document === 'undefined') return pending('there are pages in browsers alone');
    const frame = document.createElement('iframe');
    const policy = `script-src ${location.origin}`;
    const script = `${location.origin}/base/build/test/csp_page.js`;
    frame.srcdoc = `<meta http-equiv="Content-Security-Policy" content="${policy}"><script src="${script}"></script>`;
    const message = new Promise<MessageEvent>((resolve) => {
      addEventListener('message', (event) => event.source === frame.contentWindow && resolve(event));
    });
    document.body.append(frame);
    const { data } = await message;
    frame.remove();
    expect(data.error).toBeUndefined();
    expectExactly(data.ours, data.builtin);
    expect(data.info.cpu.serving).toBe('im2col');
    expect(Object.keys(data.info.cpu.unavailable)).toEqual(LEVELS);
  });
});

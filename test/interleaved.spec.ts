/**
 * Specs of what threads share. The parts of a job are not run by threads: their steps are run one at a time, in a random order, and so is
 * what the calling thread does meanwhile. Scratch memory begins as NaN. Whatever the order, the results must be those of one thread, to
 * the bit. Threads would meet few of these orders.
 */
import { conv2d, conv2dBackpropFilter, conv2dBackpropInput } from '../kernels/conv2d/simd/conv2d.js';
import { convGeometry, type ConvOptions, sizeOf } from '../kernels/geometry.js';
import { matMulGeometry } from '../kernels/mat_mul/geometry.js';
import { matMul } from '../kernels/mat_mul/simd.js';
import { bestSimd } from '../kernels/runtime/options.js';
import { type MicroKernels, named, type Positional } from '../kernels/runtime/simd/calls.js';
import type { Simd } from '../kernels/runtime/simd/instance.js';
import { exportsOf, moduleFor, type SimdLevel } from '../kernels/runtime/simd/modules.js';
import type { Pool } from '../kernels/runtime/threads/pool.js';
import { onOneThread, runSteps, type Sequences } from '../kernels/runtime/threads/steps.js';
import { threaded } from '../kernels/runtime/threads/threaded.js';
import { setThreads } from '../kernels/runtime/threads/threads.js';
import { MOST_CALLS, MOST_TASKS } from '../kernels/runtime/threads/worker.js';
import { floats, random } from '../src/verify/data.js';

type Work = (simd: Simd, ...arrays: Float32Array[]) => void;
/** Inputs, and the number of values of the result, which `work` gets last. */
interface Problem {
  title: string;
  inputs: Float32Array[];
  size: number;
  work: Work;
}

/** In bytes. Below lie the arrays, if they lie in memory. */
const SCRATCH = 1 << 24;
/** In pages of 64 KiB. */
const PAGES = 1 << 11;

/** Runs steps of tasks that are not done yet, and `meanwhile`, in a random order. Counts what it has run. */
function poolOf(memory: WebAssembly.Memory, threads: number, next: () => number, seen: typeof NONE): Pool {
  const run: Pool['run'] = (_, direct, tasks, meanwhile) => {
    expect(tasks.length).toBeLessThanOrEqual(MOST_TASKS);
    expect(tasks.length * tasks[0].length).toBeLessThanOrEqual(MOST_CALLS);
    const queues = tasks.map((steps) => steps.map((step) => () => runSteps(direct, [step])));
    seen.jobs++;
    seen.sequences += Number(tasks[0].length > 1);
    if (meanwhile) {
      seen.copies++;
      queues.push([() => (meanwhile(), false)]);
    }
    let isTrue = false;
    for (let left = queues.filter(({ length }) => length); left.length; left = left.filter((q) => q.length)) {
      if (left[Math.floor(next() * left.length)].shift()!()) isTrue = true;
    }
    return isTrue;
  };
  return { memory, threads: () => threads, isAsleep: () => false, run, close: () => undefined };
}
const NONE = { jobs: 0, sequences: 0, copies: 0 };

/** Addresses of arrays of these sizes in bytes, one after the other, and where they end. */
function placed(start: number, sizes: readonly number[]): [addresses: number[], end: number] {
  let end = start;
  const addresses = sizes.map((size) => {
    const address = end;
    end += 64 * Math.ceil(size / 64);
    return address;
  });
  return [addresses, end];
}

function simdOn({ buffer }: WebAssembly.Memory, kernels: MicroKernels & Sequences): Simd {
  const [f32, i32] = [new Float32Array(buffer), new Int32Array(buffer)];
  const place = (...sizes: number[]): number[] => {
    const [addresses, end] = placed(SCRATCH, sizes);
    if (end > buffer.byteLength) throw new Error(`scratch memory of ${end - SCRATCH} bytes is too large`);
    f32.fill(NaN, SCRATCH / 4, end / 4);
    return addresses;
  };
  return { ...kernels, f32, i32, place };
}

/** The result of the work on arrays outside of the memory, or in it. */
function resultOf(simd: Simd, { inputs, size, work }: Problem, isInMemory: boolean): Float32Array {
  let arrays = [...inputs, new Float32Array(size)];
  if (isInMemory) {
    const [addresses, end] = placed(0, arrays.map(({ byteLength }) => byteLength)); // prettier-ignore
    if (end > SCRATCH) throw new Error(`arrays of ${end} bytes are too large`);
    arrays = arrays.map(({ length }, i) => new Float32Array(simd.f32.buffer, addresses[i], length));
    inputs.forEach((values, i) => arrays[i].set(values));
  }
  const result = arrays[inputs.length].fill(NaN);
  work(simd, ...arrays);
  return result.slice();
}

const bitsOf = (values: Float32Array) => new Int32Array(values.buffer);

const drawnFloats = (size: number, next: () => number) => Float32Array.from(floats(size, next));

function convProblems(x: number[], filter: number[], options: ConvOptions, next: () => number): Problem[] {
  const g = convGeometry(x, filter, options);
  const [xs, filters, dys] = [g.inShape, g.filterShape, g.outShape].map((shape) =>
    drawnFloats(sizeOf(shape), next),
  );
  const bias = drawnFloats(g.outChannels, next);
  const title = JSON.stringify({ x, filter, options });
  return [
    {
      title: `y of ${title}`,
      inputs: [xs, filters, bias],
      size: dys.length,
      work: (simd, x, filter, bias, y) => conv2d(simd, x, filter, g, y, 2, { bias, lowest: -1, highest: 2 }),
    },
    {
      title: `dx of ${title}`,
      inputs: [dys, filters],
      size: xs.length,
      work: (simd, dy, filter, dx) => conv2dBackpropInput(simd, dy, filter, g, dx, 2),
    },
    {
      title: `dFilter of ${title}`,
      inputs: [xs, dys],
      size: filters.length,
      work: (simd, x, dy, dFilter) => conv2dBackpropFilter(simd, x, dy, g, dFilter, 2),
    },
  ];
}

function productProblem(
  a: number[],
  b: number[],
  transposed: [boolean, boolean],
  next: () => number,
): Problem {
  const g = matMulGeometry(a, b, ...transposed);
  const [as, bs, bias] = [sizeOf(a), sizeOf(b), g.cols].map((size) => drawnFloats(size, next));
  return {
    title: `[${a}] * [${b}], transposed: ${transposed}`,
    inputs: [as, bs, bias],
    size: sizeOf(g.outShape),
    work: (simd, a, b, bias, c) => matMul(simd, a, b, g, c, { bias, lowest: -1, highest: 1 }),
  };
}

/** Convolutions of any kind, small enough to be many. Undefined if the window does not fit. */
function drawnConv(next: () => number): Problem[] {
  const pick = <T>(...values: readonly T[]) => values[Math.floor(next() * values.length)];
  const groups = pick(1, 1, 1, 2);
  const [inChannels, outChannels] = [pick(1, 2, 3, 8, 16, 40), pick(1, 5, 8, 12, 24, 72)];
  const [height, width] = pick([5, 5], [7, 9], [16, 16], [33, 30], [1, 60]);
  const window = pick([3, 3], [3, 3], [1, 1], [7, 7], [1, 7], [5, 2], [2, 2]);
  const dataFormat = pick('NHWC' as const, 'NHWC' as const, 'NCHW' as const);
  const channels = inChannels * groups;
  const batch = pick(0, 1, 2, 5);
  const x = dataFormat === 'NHWC' ? [batch, height, width, channels] : [batch, channels, height, width];
  const options: ConvOptions = { pad: pick('same', 'valid'), strides: pick(1, 1, 2), dataFormat, groups };
  try {
    return convProblems(x, [...window, inChannels, outChannels * groups], options, next);
  } catch {
    return [];
  }
}

describe('parts of a call', () => {
  const level = bestSimd();
  if (!level) return it('are skipped', () => pending('no build of the WebAssembly kernels runs here'));
  // Any work is shared out, even a single product.
  beforeAll(() => setThreads({ threads: 1, leastWork: 1 }));
  afterAll(() => setThreads({ threads: 1 }));

  const memory = new WebAssembly.Memory({ initial: PAGES });
  const direct = named(exportsOf(moduleFor(level, false), memory) as Positional);
  const one = simdOn(memory, { ...direct, ...onOneThread(direct) });

  /** Whether the results of all problems are those of one thread. Returns what has run. */
  const expectSame = (problems: readonly Problem[], next: () => number) => {
    const seen = { ...NONE };
    for (const problem of problems) {
      const threads = 2 + Math.floor(next() * 7);
      const isInMemory = next() < 0.5;
      const pool = poolOf(memory, threads, next, seen);
      const many = simdOn(memory, threaded(direct, pool, level as SimdLevel));
      const [want, got] = [one, many].map((simd) => bitsOf(resultOf(simd, problem, isInMemory)));
      expect(got.findIndex((bits, i) => bits !== want[i]))
        .withContext(
          `${problem.title} by ${threads} threads, ${isInMemory ? 'in' : 'outside of'} memory: first difference`,
        )
        .toBe(-1);
    }
    return seen;
  };

  it('give the same in any order, of random convolutions', () => {
    const next = random(20261129);
    const seen = expectSame(Array.from({ length: 80 }, () => drawnConv(next)).flat(), next);
    for (const count of Object.values(seen)) expect(count).toBeGreaterThan(40);
  });

  const large: [string, number[], number[], ConvOptions][] = [
    ['tiles of Winograd, in strips', [2, 40, 42, 16], [3, 3, 16, 24], { pad: 'same' }],
    ['panels of Winograd, in blocks', [1, 14, 13, 140], [3, 3, 140, 300], { pad: 'same' }],
    ['a line of one channel', [1, 1, 3000, 1], [1, 31, 1, 160], { pad: 'valid' }],
    ['a line of three channels', [1, 60, 61, 3], [7, 7, 3, 64], { pad: 'same', strides: 2 }],
    ['many panels of few pixels', [1, 6, 5, 260], [2, 1, 260, 200], { pad: 'same' }],
    ['many blocks', [1, 9, 9, 300], [5, 3, 300, 24], { pad: 2 }],
    ['a gradient in pieces', [1, 10, 11, 260], [3, 3, 260, 72], { pad: 'same' }],
    ['strips of a wide image', [1, 3, 3000, 12], [3, 3, 12, 12], { pad: 'same', strides: 2 }],
  ];
  for (const [title, x, filter, options] of large) {
    it(`give the same in any order, of ${title}`, () => {
      const next = random(1);
      for (let i = 0; i < 3; i++) expectSame(convProblems(x, filter, options, next), next);
    });
  }

  it('give the same in any order, of matrix products', () => {
    const next = random(2);
    const sizes = [[5, 300, 40], [300, 20, 13], [130, 700, 21], [7, 520, 603], [600, 260, 9]]; // prettier-ignore
    const problems = sizes.flatMap(([rows, depth, cols]) =>
      [[false, false], [true, false], [false, true], [true, true]].map(([a, b]) =>
        productProblem(a ? [depth, rows] : [rows, depth], b ? [cols, depth] : [depth, cols], [a, b], next),
      ),
    ); // prettier-ignore
    const seen = expectSame(problems, next);
    for (const count of Object.values(seen)) expect(count).toBeGreaterThan(5);
  });
});

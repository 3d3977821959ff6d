/**
 * Specs of the elementwise kernels and of sums, beside those generated from their cases: every way in which small shapes
 * broadcast and every choice of axes, by tfjs's own kernels; special values; and the dtypes that tfjs's own kernels serve.
 */
import { MathBackendCPU } from '@tensorflow/tfjs-backend-cpu';
import { broadcastIndex, broadcastShape, broadcastSteps, forEachRun } from '../kernels/broadcast.js';
import { applyGradient, type WithGradient } from '../kernels/elementwise/definition.js';
import { sizeOf } from '../kernels/geometry.js';
import { OWN } from '../kernels/registry.js';
import { install } from '../src/index.js';
import { registerOwn } from '../src/ops.js';
import { gradCheck } from '../src/verify/index.js';
import { describeOnBackends, expectExactly, installed, tf, whileInstalled } from './support/tfjs.js';

/** All shapes of up to this rank with sizes from 1 to 3. */
function shapes(rank: number): number[][] {
  if (rank === 0) return [[]];
  const smaller = shapes(rank - 1);
  const longest = smaller.filter((shape) => shape.length === rank - 1);
  return [...smaller, ...longest.flatMap((shape) => [1, 2, 3].map((size) => [...shape, size]))];
}

const fits = (a: number[], b: number[]) => {
  const [short, long] = a.length < b.length ? [a, b] : [b, a];
  const end = long.slice(long.length - short.length);
  return short.every((size, d) => size === end[d] || size === 1 || end[d] === 1);
};

const SPECIAL = [NaN, -NaN, Infinity, -Infinity, 0, -0, 1e-45, -1e-45, 3e38, -3e38, 6, 6.5, -1, 2];

describe('broadcasting', () => {
  it('goes through every pair of small shapes as cell by cell', () => {
    for (const a of shapes(4)) {
      for (const b of shapes(3).filter((b) => fits(a, b))) {
        const whole = broadcastShape(a, b);
        const steps = [a, b].map((shape) => broadcastSteps(shape, whole.length));
        const got: number[][] = [];
        forEachRun(whole, steps, (at, starts, count, steps) => {
          for (let i = 0; i < count; i++) got[at + i] = starts.map((start, k) => start + i * steps[k]);
        });
        const want = Array.from({ length: sizeOf(whole) }, (_, i) =>
          [a, b].map((shape) => broadcastIndex(i, whole, shape)),
        );
        if (JSON.stringify(got) !== JSON.stringify(want)) fail(`[${a}] and [${b}]: ${got}`);
      }
    }
    expect(broadcastShape([2, 1, 3], [4, 1])).toEqual([2, 4, 3]);
  });

  it('merges dimensions into as few runs as there can be', () => {
    const runsOf = (whole: number[], ...arrays: number[][]) => {
      let runs = 0;
      const steps = arrays.map((shape) => broadcastSteps(shape, whole.length));
      forEachRun(whole, steps, () => runs++);
      return runs;
    };
    expect(runsOf([2, 3, 4, 5], [2, 3, 4, 5], [])).toBe(1);
    expect(runsOf([2, 3, 4, 5], [2, 3, 4, 5], [5])).toBe(24);
    expect(runsOf([2, 3, 4, 5], [2, 3, 4, 5], [2, 1, 1, 1])).toBe(2);
    expect(runsOf([0, 3], [3])).toBe(0);
  });

  it('refuses shapes that do not fit, and names them', () => {
    expect(() => broadcastShape([2, 3], [2])).toThrowError(/a is of shape \[2,3\] and b of shape \[2\]/);
  });
});

describe('elementwise kernels on cpu', () => {
  beforeEach(async () => {
    await tf.setBackend('cpu');
    registerOwn();
    tf.engine().startScope();
  });
  afterEach(() => tf.engine().endScope());

  const run = (name: string, inputs: tf.NamedTensorMap, attrs: tf.NamedAttrMap = {}) =>
    tf.engine().runKernel(name, inputs, attrs) as tf.Tensor;
  const expectBuiltin = (name: string, inputs: tf.NamedTensorMap, attrs?: tf.NamedAttrMap) =>
    expectExactly(run(OWN + name, inputs, attrs), run(name, inputs, attrs));

  for (const name of ['Relu', 'Relu6', 'ClipByValue', 'Step']) {
    it(`${name} has the built-in's special values`, () => {
      for (const alpha of [0, -0.5, 1e20]) {
        expectBuiltin(name, { x: tf.tensor(SPECIAL) }, { alpha, clipValueMin: -1, clipValueMax: 6.25 });
      }
    });
  }

  for (const name of ['Add', 'Sub', 'Multiply', 'RealDiv']) {
    it(`${name} has the built-in's special values`, () => {
      expectBuiltin(name, { a: tf.tensor(SPECIAL), b: tf.tensor(SPECIAL, [SPECIAL.length, 1]) });
    });
  }

  it('sums and means over every choice of axes are the built-in ones', () => {
    for (const shape of shapes(4)) {
      const x = tf.tensor(Float32Array.from({ length: sizeOf(shape) }, (_, i) => i), shape); // prettier-ignore
      for (let choice = 0; choice < 2 ** shape.length; choice++) {
        const axis = shape.map((_, d) => d).filter((d) => choice & (1 << d));
        for (const keepDims of [false, true]) expectBuiltin('Sum', { x }, { axis, keepDims });
      }
    }
  });

  it('a mean over an axis that is named twice is over it once, and one over nothing is 0', () => {
    const x = tf.tensor2d([1, 2, 3, 4], [2, 2]);
    expectExactly(run(`${OWN}Mean`, { x }, { axis: [0, -2] }), [2, 3]);
    expectBuiltin('Mean', { x: tf.zeros([0, 2]) }, { axis: 0 });
  });

  it('names an axis that there is not', () => {
    expect(() => run(`${OWN}Sum`, { x: tf.ones([2, 3]) }, { axis: 2 })).toThrowError(
      /axis is 2, but it must be a whole number from -2 to 1, as x is of rank 2/,
    );
  });

  it('take a tensor that was cast from int32, whose array tfjs keeps', () => {
    const x = () => tf.cast(tf.tensor([-1, 2, 3], [3], 'int32'), 'float32');
    const results = () => [
      tf.relu(x()),
      tf.add(x(), 0.5),
      tf.sum(x()),
      tf.matMul(tf.reshape(x(), [1, 3]), tf.ones([3, 1])),
    ];
    installed(results).forEach((result, i) => {
      expectExactly(result, [[0, 2, 3], [-0.5, 2.5, 3.5], [4], [4]][i]);
      expect(result.dataSync()).toBeInstanceOf(Float32Array);
    });
  });

  it('leave other dtypes to the built-ins, also as copies that outlast the plugin', async () => {
    const { uninstall } = install({ backends: ['cpu'] });
    tf.registerBackend('copy', () => new MathBackendCPU());
    tf.copyRegisteredKernels('cpu', 'copy');
    uninstall();
    await tf.setBackend('copy');
    const whole = () => tf.tensor([7, -3], [2], 'int32');
    expectExactly(tf.add(whole(), whole()), [14, -6]);
    await tf.setBackend('cpu');
    tf.removeBackend('copy');
    for (const { kernelName } of tf.getKernelsForBackend('copy')) tf.unregisterKernel(kernelName, 'copy');
  });

  it('leave other dtypes to the built-ins', () => {
    const results = () => [
      tf.add(tf.tensor([7, -3], [2], 'int32'), tf.tensor([2], [1], 'int32')),
      tf.add(tf.tensor([7], [1], 'int32'), tf.tensor([0.5])),
      tf.mul(tf.complex([1, 2], [3, 4]), tf.complex([5], [6])),
      tf.relu(tf.tensor([-1, 2], [2], 'int32')),
      tf.sum(tf.tensor([1, 0, 1], [3], 'bool')),
      tf.mean(tf.tensor([1, 2], [2], 'int32')),
      tf.clipByValue(tf.tensor([-5, 9], [2], 'int32'), 0, 6),
    ];
    const expected = results();
    installed(results).forEach((result, i) => {
      expect(result.dtype).toBe(expected[i].dtype);
      expectExactly(result, expected[i]);
    });
  });

  it('name another dtype where no built-in can serve', () => {
    expect(() => run(`${OWN}Relu`, { x: tf.tensor([1], [1], 'int32') })).toThrowError(
      'tfjs-convgrad: x is of dtype int32, but it must be float32.',
    );
  });

  const activations: Record<string, (x: tf.Tensor) => tf.Tensor> = {
    relu: tf.relu,
    relu6: tf.relu6,
    clipByValue: (x) => tf.clipByValue(x, -1, 6.25),
  };
  for (const [name, op] of Object.entries(activations)) {
    it(`${name} has tfjs's gradient, at kinks and special values too, of any dtype`, () => {
      const x = tf.tensor([...SPECIAL, 1, 6.25]);
      const gradients = () => [
        tf.grad(op)(x, tf.range(1, x.size + 1)),
        tf.grad(op)(x, tf.fill(x.shape, Infinity)),
        tf.grad((x) => tf.cast(op(tf.cast(x, 'int32')), 'float32'))(tf.tensor([-2, 0, 3, 6, 7])),
      ];
      const expected = gradients();
      installed(gradients).forEach((gradient, i) => expectExactly(gradient, expected[i]));
    });

    it(`${name} has gradients of the first and the second order`, async () => {
      const x = tf.tensor([-3, -0.75, 0.5, 2, 5.5, 7]);
      for (const order of [1, 2] as const) {
        const report = await whileInstalled(() => gradCheck((x) => tf.mul(op(x), x), [x], { order }));
        expect(report.verdict).withContext(String(report)).toBe('right');
      }
    });
  }

  it('keep the gradients of tfjs', () => {
    const loss = (x: tf.Tensor, bias: tf.Tensor) =>
      tf.sum(tf.square(tf.relu(tf.add(tf.div(x, 2), tf.mean(bias)))));
    const gradients = () => tf.grads(loss)([tf.tensor(SPECIAL.slice(4)), tf.tensor([1, 2, 4, 1])]);
    const expected = gradients();
    installed(gradients).forEach((gradient, i) => expectExactly(gradient, expected[i]));
  });
});

describeOnBackends('gradients of activations', (backendName) => {
  beforeAll(() => registerOwn());

  const op = (x: tf.Tensor) => tf.clipByValue(x, -0.7, 0.1);
  /** Few values, and so many that the micro-kernels serve. The last ones do not fill a vector. */
  const sizes = [7, 1027];

  it('of clipByValue are 1 where it has clipped before, at bounds that are no float32', () => {
    for (const size of sizes) {
      for (const value of [1, -1]) {
        const clipped = op(tf.fill([size], value));
        const gradient = () => tf.grad(op)(clipped);
        expectExactly(gradient(), Array(size).fill(1));
        expectExactly(installed(gradient), Array(size).fill(1));
      }
    }
  });

  for (const name of backendName === 'webgl' ? [] : ['Relu', 'Relu6', 'ClipByValue']) {
    it(`of ${name} have special values as one by one`, () => {
      const attrs = { clipValueMin: -1, clipValueMax: 6.25 };
      const pairs = SPECIAL.flatMap((x) => SPECIAL.map((dy) => ({ x, dy })));
      for (let start = 0; start < 8; start++) {
        const some = [...pairs.slice(start), ...pairs, ...pairs].slice(0, 515); // another rest of a vector each time
        const [x, dy] = [tf.tensor(some.map(({ x }) => x)), tf.tensor(some.map(({ dy }) => dy))];
        const got = tf.engine().runKernel(`${OWN}${name}Grad`, { dy, x }, attrs) as tf.Tensor;
        const want = new Float32Array(some.length);
        const [xs, dys] = [x, dy].map((t) => t.dataSync() as Float32Array);
        applyGradient(name as WithGradient, dys, xs, attrs, want);
        expectExactly(got, Array.from(want));
      }
    });
  }
});

describe('clone on wasm', () => {
  beforeEach(() => tf.setBackend('wasm'));

  it('copies nothing, and counts what is held', async () => {
    await whileInstalled(async () => {
      for (const x of [tf.tensor([1, 2, 3]), tf.tensor([1, 2], [2], 'int32'), tf.tensor(['ab', 'c'])]) {
        const before = tf.memory();
        const copies = [x.clone(), x.clone()];
        if (x.dtype !== 'string') expect(tf.memory().numDataBuffers).toBe(before.numDataBuffers);
        expect(copies[0].dtype).toBe(x.dtype);
        const values = [...x.dataSync()] as number[];
        copies[0].dispose();
        expect([...(copies[1].dataSync() as Float32Array)]).toEqual(values);
        copies[1].dispose();
        expect(tf.memory()).toEqual(before);
        x.dispose();
      }
    });
  });

  it('takes a tensor that still lies on another backend', async () => {
    await tf.setBackend('cpu');
    const x = tf.tensor([1, 2, 3]);
    await tf.setBackend('wasm');
    const copy = installed(() => tf.clone(x));
    expectExactly(copy, [1, 2, 3]);
    x.dispose();
    expectExactly(copy, [1, 2, 3]);
    copy.dispose();
  });
});

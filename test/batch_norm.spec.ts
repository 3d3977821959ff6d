/** Specs of tf.batchNorm on the kernels of cpu and wasm: its gradients of the first and second order, and their micro-kernels. */
import * as definition from '../kernels/batch_norm/definition.js';
import * as simd from '../kernels/batch_norm/simd.js';
import { KERNELS } from '../kernels/all.js';
import { inner } from '../kernels/arrays.js';
import { CPU_PATHS, isSimd } from '../kernels/runtime/options.js';
import { whyNot } from '../kernels/runtime/simd/modules.js';
import { floats, integers } from '../src/verify/data.js';
import { difference } from '../src/verify/differences.js';
import { gradCheck } from '../src/verify/index.js';
import { bothWays } from './support/memory.js';
import {
  describeOnBackends,
  expectExactly,
  expectNoLeak,
  installed,
  tf,
  whileInstalled,
} from './support/tfjs.js';

const EPSILON = 0.1;

/** Shapes of x and of the parameters, and the parameters that are there besides mean and variance. */
const CASES: Record<string, [x: number[], parameter: number[], offset?: 'offset', scale?: 'scale']> = {
  'x of rank 4': [[2, 3, 2, 3], [3], 'offset', 'scale'],
  'x of rank 3': [[3, 2, 2], [2], 'offset', 'scale'],
  'x of rank 2': [[4, 3], [3], 'offset', 'scale'],
  'x of rank 1': [[4], [4], 'offset', 'scale'],
  'x of rank 5': [[2, 1, 2, 2, 2], [2], 'offset', 'scale'],
  'enough pixels for SIMD': [[4, 6, 5, 3], [3], 'offset', 'scale'],
  'no offset': [[2, 2, 2, 3], [3], undefined, 'scale'],
  'no scale': [[2, 2, 2, 3], [3], 'offset'],
  'neither offset nor scale': [[2, 2, 2, 3], [3]],
  "parameters of x's shape": [[2, 1, 2, 3], [2, 1, 2, 3], 'offset', 'scale'],
  "parameters of x's shape, rank 2": [[2, 3], [2, 3], 'offset', 'scale'],
  'parameters [1, 1, 1, channels]': [[2, 1, 2, 3], [1, 1, 1, 3], 'offset', 'scale'],
  'parameters of channels that come first': [[2, 3, 1, 2], [1, 3, 1, 1], 'offset', 'scale'],
  'parameters of one value': [[2, 1, 2, 3], [1], 'offset', 'scale'],
}; // prettier-ignore

const fractions = (shape: number[], seed: number, from = -1, to = 1) =>
  tf.tensor(
    Float32Array.from(floats(tf.util.sizeFromShape(shape), seed), (v) => from + ((v + 1) / 2) * (to - from)),
    shape,
  );

/** tf.batchNorm of a list of inputs: x, mean, variance and those of offset and scale that are there. */
function normOf([x, parameter, ...there]: (typeof CASES)[string]) {
  const names = there.filter((name) => name !== undefined);
  const f = (...[x, mean, variance, ...rest]: tf.Tensor[]) => {
    const [offset, scale] = (['offset', 'scale'] as const).map((name) => rest[names.indexOf(name)]);
    return tf.batchNorm(x, mean as tf.Tensor1D, variance as tf.Tensor1D, offset as tf.Tensor1D, scale as tf.Tensor1D, EPSILON); // prettier-ignore
  };
  const inputs = [
    fractions(x, 1),
    fractions(parameter, 2),
    fractions(parameter, 3, 0.5, 2),
    ...names.map((_, i) => fractions(parameter, 4 + i)),
  ];
  return { f, inputs };
}

describeOnBackends('tf.batchNorm', (backendName) => {
  if (!KERNELS[backendName].kernels.FusedBatchNorm) {
    it("is tfjs's own", () => pending(`the plugin has no batch normalization on ${backendName}`));
    return;
  }

  for (const [title, one] of Object.entries(CASES)) {
    it(`has right gradients of the first and second order: ${title}`, async () => {
      const { f, inputs } = normOf(one);
      const report = await whileInstalled(() => gradCheck(f, inputs, { order: 2 }));
      expect(report.verdict).withContext(String(report)).toBe('right');
    });
  }

  it('adds up once for all parameters, tiles nothing and leaves nothing behind', () => {
    const { f, inputs } = normOf(CASES['x of rank 4']);
    const gradients = () => tf.grads(f)(inputs);
    const runKernel = spyOn(tf.engine(), 'runKernel').and.callThrough();
    installed(() => expectNoLeak(gradients));
    const names = runKernel.calls.allArgs().map(([kernelName]) => kernelName);
    expect(names.filter((name) => name === 'BatchNormSums').length).toBe(1);
    expect(names).not.toContain('Tile');
    expect(names).not.toContain('Sum');
  });
});

describe('the definition of batch normalization', () => {
  it('has the gradients that differences have', () => {
    const [pixels, channels] = [5, 3];
    const [x, dy] = [1, 2].map((seed) => floats(pixels * channels, seed));
    const [mean, offset, scale] = [3, 4, 5].map((seed) => floats(channels, seed));
    const point = { x, mean, variance: floats(channels, 6).map((v) => v + 1.5), offset, scale };
    const { x: dx, ...rest } = Object.fromEntries(
      Object.entries(point).map(([name, { length }]) => [name, new Float64Array(length).fill(666.666)]),
    ) as typeof point;
    definition.batchNormGrad(dy, x, { ...point, epsilon: EPSILON }, { x: dx, ...rest });
    for (const [name, gradient] of Object.entries({ x: dx, ...rest })) {
      const loss = (at: Float64Array) => {
        const { x, ...parameters } = { ...point, [name]: at };
        const y = new Float64Array(x.length);
        definition.batchNorm(x, { ...parameters, epsilon: EPSILON }, y);
        return inner(dy, y);
      };
      gradient.forEach((value, i) => {
        // y is linear in all but the variance. There |y'''| < 15/8 |x - mean| |scale| / 0.5^3.5 < 45, so the loss is below 225.
        const step = name === 'variance' ? 2 ** -12 : 1;
        const bound = (name === 'variance' ? (step ** 2 * 225) / 6 : 0) + 2 ** -36;
        expect(Math.abs(value - difference(loss, point[name as keyof typeof point], i, step)))
          .withContext(`${name} ${i}`)
          .toBeLessThan(bound);
      });
    }
  });
});

/** [pixels, channels]: rows of one and of several pixels, rests of every kind, strips. */
const SIZES = [
  [4, 1], [1000, 1], [333, 2], [341, 3], [1001, 4], [77, 5], [6, 16], [90, 20], [43, 33], [5, 48], [700, 64], [9, 515], [4, 2500],
]; // prettier-ignore

describe('batch normalization by SIMD', () => {
  for (const level of CPU_PATHS.filter(isSimd)) {
    const reason = whyNot(level);
    it(`equals the definition on whole numbers: ${level}`, () => {
      if (reason) return pending(reason);
      for (const [pixels, channels] of SIZES) expectDefinition(bothWays(level), pixels, channels);
    });
  }
});

/** The variances are such that the multipliers are whole numbers, too. */
function expectDefinition(run: ReturnType<typeof bothWays>, pixels: number, channels: number): void {
  const whole = (size: number, seed: number) => Float32Array.from(integers(size, seed));
  const [x, dy] = [1, 2].map((seed) => whole(pixels * channels, seed));
  const [mean, offset, scale] = [3, 4, 5].map((seed) => whole(channels, seed));
  const p = { mean, variance: new Float32Array(channels).fill(0.25), offset, scale, epsilon: 0 };
  const [y, want] = [0, 1].map(() => new Float32Array(x.length).fill(666.666));
  const names = ['mean', 'variance', 'offset', 'scale'] as const;
  run([x, y, ...names.map((name) => p[name])], (w, x, y, mean, variance, offset, scale) =>
    simd.batchNorm(w, x, { mean, variance, offset, scale, epsilon: 0 }, y),
  );
  definition.batchNorm(x, p, want);
  expectExactly(y, want);

  const wanted = new Float32Array(2 * channels).fill(666.666);
  definition.batchNormSums(dy, x, mean, wanted);
  const sums = run([dy, x, mean], (w, dy, x, mean) => {
    const out = new Float32Array(2 * channels).fill(666.666);
    simd.batchNormSums(w, dy, x, mean, out);
    return Array.from(out);
  });
  expectExactly(sums, wanted);
}

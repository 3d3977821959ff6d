/** Specs of tfjs-convgrad/verify. It must find wrong gradients, accept right ones, and name the wrong elements. */
import { install, type Installation } from '../src/index.js';
import {
  assertGradients,
  checkAdjoint,
  compareKernels,
  definition,
  type Differentiable,
  gradCheck,
  type GradCheckOptions,
  type Implementation,
  kernel,
  type Verdict,
} from '../src/verify/index.js';
import { type Entry, reportOf } from '../src/verify/grad-report.js';
import { matchers } from '../src/verify/jasmine.js';
import { OWN } from '../kernels/registry.js';
import { registerOwn } from '../src/ops.js';
import { subjects } from '../kernels/subjects.js';
import { floats, integers, random } from '../src/verify/data.js';
import { shareOf } from './support/share.js';
import { describeOnBackends, tf, whileInstalled } from './support/tfjs.js';
import { type OpCase, rightOps, wrongOps } from './verify/ops.js';
import { inputsFor, planted } from './verify/planted.js';
import { network, roughCases, smallNetworkInputs } from './verify/rough.js';

type T4 = tf.Tensor4D;
type F = (...inputs: tf.Tensor[]) => tf.Tensor | tf.Tensor[];

/** f with `gradient` as its gradient. */
const withGradient = (f: (x: tf.Tensor) => tf.Tensor, gradient: (dy: tf.Tensor, x: tf.Tensor) => tf.Tensor) =>
  tf.customGrad((...args) => {
    const [x, save] = args as unknown as [tf.Tensor, tf.GradSaveFunc];
    save([x]);
    return { value: f(x), gradFunc: (dy: tf.Tensor, [x]: tf.Tensor[]) => gradient(dy, x) };
  });

const thrice = (scale: number) =>
  withGradient(
    (x) => tf.mul(x, 3),
    (dy) => tf.mul(dy, 3 * scale),
  );

const ON_WEBGL = [
  ...[
    'abs',
    'div, broadcast',
    'exp',
    'maximum',
    'relu',
    'sin',
    'tanh',
    'softmax',
    'matMul',
    'transpose',
    'concat',
  ],
  ...[
    "conv2d, 'same', strides 2",
    "avgPool, 'valid'",
    "avgPool, 'same'",
    'maxPool',
    "conv2d, 'ceil'",
    'mirrorPad',
    'topk',
  ],
];

/** tfjs lacks the kernels of their gradients on wasm, or has wrong ones. */
const NOT_ON_WASM = ['gather', 'gather, axis 1', 'unsortedSegmentSum', 'conv3d', 'dilation2d', 'einsum'];

async function expectVerdict(
  verdict: Verdict,
  f: Differentiable,
  inputs: tf.Tensor[],
  options?: GradCheckOptions,
): Promise<void> {
  const report = await gradCheck(f, inputs, options);
  expect(report.verdict).withContext(String(report)).toBe(verdict);
}

describeOnBackends('verify', (backendName) => {
  // On webgl every step is a round trip to the GPU; npm run verify:report checks every op there, too.
  const isWebgl = backendName === 'webgl';
  const isWasm = backendName === 'wasm';
  /** On wasm the plugin is installed, as tfjs cannot differentiate a convolution there. On webgl it has no matMul. */
  const isServed = (name: string) =>
    (isWebgl ? /^(conv2d|maxPool|avgPool), / : /^(conv2d|maxPool|avgPool|matMul), /).test(name);
  const isChosen = ({ name }: OpCase) =>
    isWebgl ? ON_WEBGL.includes(name) : !(isWasm && NOT_ON_WASM.includes(name));
  let installation: Installation | undefined;
  if (isWasm) beforeEach(() => (installation = install()));
  const uninstall = () => installation?.uninstall();
  afterEach(uninstall);
  // tfjs's profiler reads every result, and on webgl that itself looks like a leak to the check of IS_TEST.
  beforeEach(() => tf.env().set('IS_TEST', backendName === 'cpu'));

  describe('accepts every op of tfjs-core that is right:', () => {
    // On webgl every step is a round trip to the GPU.
    const seeds = isWebgl ? [1] : [1, 2, 3];
    // tfjs's own check of its kernels takes what softmaxCrossEntropy saves for its gradient for a leak.
    beforeEach(() => tf.env().set('IS_TEST', false));

    for (const { name, f, inputs } of rightOps(backendName).filter(isChosen)) {
      it(name, async () => {
        for (const seed of seeds) await expectVerdict('right', f, inputs(seed), { seed });
      });
    }
  });

  describe('finds what is wrong with tfjs 4.22:', () => {
    for (const { name, f, inputs, find } of wrongOps(backendName).filter(isChosen)) {
      if (isWasm && isServed(name)) continue;
      it(`${name} (${find})`, async () => {
        const report = await gradCheck(f, inputs(1)).catch((error: Error) => error);
        if (report instanceof Error) expect(report.message).toMatch(/gradient/i);
        else expect(report.verdict).withContext(String(report)).toBe('wrong');
      });
    }

    it('and accepts the plugin in its place', () =>
      whileInstalled(async () => {
        for (const { name, f, inputs } of wrongOps(backendName)) {
          if (isServed(name)) await expectVerdict('right', f, inputs(1));
        }
      }));
  });

  describe('finds planted bugs:', () => {
    for (const bug of planted) {
      const seeds = backendName === 'cpu' ? [1, 2, 3] : [1];
      it(bug.bug, async () => {
        for (const seed of seeds) {
          if (bug.exact) await expectVerdict('wrong', bug.f, inputsFor(bug, seed, true), { exact: true });
          if (!bug.needsExact) await expectVerdict('wrong', bug.f, inputsFor(bug, seed, false), { seed });
        }
      });
    }
  });

  describe('raises no false alarm on', () => {
    /** Milliseconds: all steps of all directions are drawn, which takes long where a busy processor renders. */
    const patience = 300_000;
    // Those after 20 have been false alarms.
    const all = [...Array.from({ length: 20 }, (_, i) => i + 1), 53, 155];
    const seeds = backendName === 'cpu' ? shareOf(all, 6) : [1];

    for (const { name, f, inputs } of isWebgl ? shareOf(roughCases, 6) : roughCases) {
      it(
        name,
        async () => {
          for (const seed of seeds) {
            const report = await gradCheck(f, inputs(seed), { seed });
            expect(report.verdict).withContext(String(report)).not.toBe('wrong');
          }
        },
        patience,
      );
    }

    it(
      'a network with relu, but finds its gradient wrong where it is',
      async () => {
        const leaky = withGradient(tf.relu, (dy, x) => tf.mul(dy, tf.step(x, 0.02)));
        const inputs = isWebgl ? smallNetworkInputs : roughCases[0].inputs;
        for (const seed of seeds.slice(0, 5)) {
          await expectVerdict('wrong', network(leaky), inputs(seed), { seed });
        }
      },
      patience,
    );
  });

  describe('exact', () => {
    it('accepts convolutions and piecewise linear functions with no tolerance', async () => {
      const [x, filter] = inputsFor(planted[0], 1, true);
      const conv: F = (x, filter) => tf.conv2d(x as T4, filter as T4, 2, 'same');
      const report = await gradCheck(conv, [x, filter], { exact: true });
      expect(report.verdict).withContext(String(report)).toBe('right');
      expect(report.worst?.bound).toBe(0);
      await expectVerdict('right', (x) => tf.relu(x), [x], { exact: true });
      await whileInstalled(() => expectVerdict('right', conv, [x, filter], { exact: true, order: 2 }));
    });

    it('takes 1.0001 for wrong, and says that it is a factor', async () => {
      const report = await gradCheck(thrice(1.0001), [tf.tensor1d([1, -2, 3])], { exact: true });
      expect(report.verdict).toBe('wrong');
      expect(report.wrong).toBe(3);
      expect(report.advice[0]).toContain('1.0001 times');
    });

    it('is unsure where f is not linear, or rounds', async () => {
      const x = tf.tensor1d([1, 2, 3]);
      await expectVerdict('unsure', (x) => tf.square(x), [x], { exact: true });
      await expectVerdict('unsure', (x) => tf.div(x, 3), [x], { exact: true });
      // At powers of two the values look linear. But they are rounded.
      await expectVerdict('unsure', (x) => tf.mul(x, 0.1), [tf.zeros([2])], { exact: true });
    });

    it('is unsure if it cannot tell a single element, and names it', async () => {
      const leaky = withGradient(
        (x) => tf.leakyRelu(x, 0.1),
        (dy, x) => tf.mul(dy, tf.where(tf.greater(x, 0), tf.onesLike(x), tf.fill(x.shape, 5))),
      );
      const report = await gradCheck(leaky, [tf.tensor1d([-2, -1, 1, 3])], { exact: true });
      expect(report.verdict).withContext(String(report)).toBe('unsure');
      expect(report.uncertain).toEqual([0, 1].map((i) => `input 0, element [${i}], in output 0, element [${i}]`)); // prettier-ignore
      expect(String(report)).toMatch(/\(14 compared, 0 left out, 2 uncertain; .*, exact\)/);
      expect(String(report)).toContain('Too uncertain to tell: input 0, element [0]');
      const scaled = withGradient(
        (x) => tf.mul(x, [1 / 3, 1, 2]),
        (dy) => tf.mul(dy, [100, 1, 2]),
      );
      await expectVerdict('unsure', scaled, [tf.tensor1d([1, 2, 3])], { exact: true });
      await expectVerdict('wrong', scaled, [tf.tensor1d([1, 2, 3])]);
      await expectVerdict('wrong', leaky, [tf.tensor1d([-2, -1, 1, 3])]);
    });

    it('refuses inputs that are not whole', async () => {
      await expectAsync(gradCheck((x) => x, [tf.scalar(0.5)], { exact: true })).toBeRejectedWithError(
        'tfjs-convgrad: inputs hold 0.5, but with exact they must be whole numbers.',
      );
    });
  });

  describe('at a kink', () => {
    it('leaves the element out and names it', async () => {
      const report = await gradCheck((x) => tf.relu(x), [tf.tensor1d([-1, 0, 2, 3])]);
      expect(report.verdict).withContext(String(report)).toBe('right');
      expect(report.kinks).toEqual(['input 0, element [1], in output 0, element [1]']);
      expect(report.compared).toBe(15);
      expect(String(report)).toContain('Left out, at a kink: input 0, element [1]');
    });

    it('of a maximum leaves out every element that ties', async () => {
      const report = await gradCheck((x) => tf.max(x), [tf.tensor1d([4, 1, 4, 2])]);
      expect(report.kinks.map((kink) => kink.slice(0, 20))).toEqual([
        'input 0, element [0]',
        'input 0, element [2]',
      ]);
      // tfjs gives the whole slope to both.
      expect(report.verdict).withContext(String(report)).toBe('wrong');
      expect(report.worst).toEqual(jasmine.objectContaining({ together: [[0], [2]], got: 2 }));
      expect(report.worst!.want).toBeCloseTo(1, 5);
      expect(String(report)).toContain('input 0, elements [0], [2] together, in output 0: got 2, want ');
      expect(report.advice[0]).toContain('that tie');
    });

    it('finds a wrong gradient beside it', async () => {
      const f = withGradient(tf.relu, (dy, x) => tf.mul(tf.mul(dy, tf.step(x)), 1.01));
      await expectVerdict('wrong', f, [tf.tensor1d([-1, 0, 2, 3])]);
    });

    it('accepts any gradient between the slopes on its two sides, and no other', async () => {
      /** A function with this gradient at its second element. */
      const at = (f: (x: tf.Tensor) => tf.Tensor, value: number) =>
        withGradient(f, (dy, x) => {
          const slope = tf.sub(f(tf.mul(x, 2)), f(x)); // of x times it, as f is linear on each side
          return tf.mul(dy, tf.where(tf.equal(x, 0), tf.fill(x.shape, value), tf.div(slope, x)));
        });
      const x = () => [tf.tensor1d([-1, 0, 2, 3])];
      for (const exact of [true, false]) {
        for (const value of [0, 0.25, 1]) await expectVerdict('right', at(tf.relu, value), x(), { exact });
        for (const value of [12345, 1.01, -0.01, Infinity, NaN])
          await expectVerdict('wrong', at(tf.relu, value), x(), { exact });
        for (const value of [-1, 0, 1]) await expectVerdict('right', at(tf.abs, value), x(), { exact });
        for (const value of [-1.01, 1.01]) await expectVerdict('wrong', at(tf.abs, value), x(), { exact });
      }
      const report = await gradCheck(at(tf.relu, 12345), x(), { exact: true });
      expect(report.worst).toEqual(
        jasmine.objectContaining({ index: [1], got: 12345, want: 1, range: [0, 1] }),
      );
      expect(String(report)).toContain('got 12345, want between 0 and 1 within 0, ');
      expect(report.advice[0]).toContain('kink');
    });

    it('finds one that is past the slopes in a large input, too', async () => {
      const x = tf.tensor1d(Float32Array.from({ length: 300 }, (_, i) => (i % 50 === 7 ? 0 : 1 + (i % 9))));
      const f = (value: number) =>
        withGradient(tf.relu, (dy, x) => tf.mul(dy, tf.where(tf.equal(x, 0), tf.fill(x.shape, value), tf.step(x)))); // prettier-ignore
      await expectVerdict('right', f(0.5), [x]);
      await expectVerdict('right', f(0.5), [x], { exact: true });
      const sum = (value: number) => (x: tf.Tensor) => tf.sum(f(value)(x));
      for (const wrong of [f(12345), sum(12345)]) {
        const report = await gradCheck(wrong, [x]);
        expect(report.verdict).withContext(String(report)).toBe('wrong');
        expect(report.worst!.index![0] % 50).toBe(7);
      }
    });

    it('of a maximum accepts what its ties have together, however they share it', async () => {
      const max = (shares: number[]) =>
        withGradient(
          (x) => tf.max(x),
          (dy) => tf.mul(dy, shares),
        );
      const x = () => [tf.tensor1d([4, 1, 4, 4])];
      for (const exact of [true, false]) {
        for (const shares of [
          [1, 0, 0, 0],
          [0, 0, 0, 1],
          [0.25, 0, 0.5, 0.25],
        ]) {
          // prettier-ignore
          const report = await gradCheck(max(shares), x(), { exact });
          expect(report.verdict).withContext(String(report)).toBe('unsure'); // nothing else has a slope
        }
        for (const shares of [
          [1, 0, 1, 0],
          [0.5, 0, 0, 0.25],
          [0, 0, 0, 0],
          [0.5, 0.5, 0, 0],
        ])
          // prettier-ignore
          await expectVerdict('wrong', max(shares), x(), { exact });
      }
    });

    it('of poolings finds that each tied cell gets the whole gradient, in small and large images', async () => {
      const pool: F = (x) => tf.maxPool(x as T4, 2, 2, 'valid');
      /** The whole gradient of a window to each cell that holds its maximum. */
      const wrong = withGradient(pool as (x: tf.Tensor) => tf.Tensor, (dy, x) => {
        const spread = (y: tf.Tensor) => tf.reshape(tf.tile(tf.reshape(y, [-1, 1, y.shape[2]!, 1]), [1, 2, 1, 2]), x.shape); // prettier-ignore
        return tf.where(tf.equal(x, spread(pool(x) as tf.Tensor)), spread(dy), tf.zerosLike(x));
      });
      for (const size of isWebgl ? [4] : [4, 20]) {
        const cells = Float32Array.from({ length: size * size }, (_, i) => (7 * i * i) % 5);
        const x = tf.tensor4d(cells, [1, size, size, 1]);
        await expectVerdict('wrong', wrong, [x], { exact: true });
        await expectVerdict('wrong', wrong, [x]);
        const report = await gradCheck(pool, [x], { exact: true });
        expect(report.verdict).withContext(String(report)).not.toBe('wrong');
      }
    });

    it('raises no alarm where kinks of several elements cancel', async () => {
      const f: F = (x, y) => tf.sub(tf.relu(x), tf.mul(tf.abs(y), 0.5));
      await expectVerdict('unsure', f, [tf.zeros([1]), tf.zeros([1])]);
      await expectVerdict('unsure', (x) => tf.sum(tf.mul(tf.relu(x), [1, -1])), [tf.zeros([2])]);
      // Along a random direction it looks smooth with a slope, although the gradient is 0.
      const signs = tf.tensor1d(Array.from({ length: 300 }, (_, i) => (i % 3 === 0 ? -1 : 1)));
      const cells = tf.tensor1d(Array.from({ length: 300 }, (_, i) => (i < 2 ? 0 : 1 + (i % 5))));
      for (const seed of isWebgl ? [1] : [1, 2, 3, 4, 5, 6]) {
        for (const exact of [true, false])
          await expectVerdict('right', (x) => tf.sum(tf.mul(tf.relu(x), signs)), [cells], { seed, exact });
      }
    });

    it('says nothing of a jump, whatever the gradient is', async () => {
      const f = withGradient(
        (x) => tf.add(tf.floor(x), x),
        (dy) => tf.mul(dy, 7),
      );
      await expectVerdict('unsure', f, [tf.tensor1d([1, 2])]);
      await expectVerdict('wrong', f, [tf.tensor1d([1.5, 2.5, 3])]);
    });

    it('is unsure where kinks are all there is', async () => {
      const report = await gradCheck((x) => tf.abs(x), [tf.zeros([3])]);
      expect(report.verdict).toBe('unsure');
      expect(report.advice[0]).toContain('kinks');
    });

    it('of some outputs still compares the others, along random directions', async () => {
      const x = tf.tensor1d(Float32Array.from({ length: 300 }, (_, i) => (i % 50 === 7 ? 0 : 1 + (i % 9))));
      const report = await gradCheck((x) => tf.relu(x), [x]);
      expect(report.verdict).withContext(String(report)).toBe('right');
      expect(report.kinks).toContain('output 0, element [7]');
    });
  });

  it('never says right of a gradient with a wrong element, nor wrong of one without', async () => {
    const functions: [(x: tf.Tensor) => tf.Tensor, (x: number) => number][] = [
      [tf.relu, (x) => Math.max(x, 0)],
      [tf.abs, Math.abs],
      [(x) => tf.leakyRelu(x, 0.5), (x) => Math.max(x, x / 2)],
      [(x) => tf.clipByValue(x, -1, 1), (x) => Math.min(Math.max(x, -1), 1)],
      [(x) => tf.minimum(tf.mul(x, 3), x), (x) => Math.min(3 * x, x)],
      [(x) => tf.mul(x, -2), (x) => -2 * x],
    ];
    for (const seed of isWebgl
      ? [1, 2]
      : shareOf(
          Array.from({ length: 60 }, (_, i) => i),
          4,
        )) {
      const next = random(seed);
      const [f, inFloat64] = functions[seed % functions.length];
      const x = integers(6, next, 2);
      let ok = true;
      const slopes = Array.from(x, (at) => {
        const sides = [-1, 1].map((sign) => (inFloat64(at + sign / 4) - inFloat64(at)) / (sign / 4));
        const [low, high] = [Math.min(...sides), Math.max(...sides)];
        if (next() < 0.8) return low + (high - low) * [0, 0.5, 1][Math.floor(3 * next())];
        ok = false;
        return [low - 0.5, high + 0.25, 12345, NaN, -Infinity][Math.floor(5 * next())];
      });
      for (const exact of [true, false]) {
        const wrong = withGradient(f, (dy) => tf.mul(dy, slopes));
        const report = await gradCheck(wrong, [tf.tensor1d([...x])], { exact, seed });
        expect(report.verdict)
          .withContext(`${seed}: ${x} ${slopes} ${String(report)}`)
          .not.toBe(ok ? 'wrong' : 'right');
        if (exact && !ok) expect(report.verdict).withContext(String(report)).toBe('wrong');
      }
    }
  });

  describe('of second order', () => {
    const x = () => tf.tensor1d([0.5, -0.3, 0.8]);

    it('accepts products, sines and squares, in the inputs and in dy', async () => {
      await expectVerdict(
        'right',
        (a, b) => tf.mul(tf.square(a), tf.sin(b)),
        [x(), tf.tensor1d([0.2, 0.9, -0.4])],
        {
          order: 2,
        },
      );
    });

    it('finds that tfjs loses the gradient of a gradient that uses the output', async () => {
      const report = await gradCheck((x) => tf.exp(x), [x()], { order: 2 });
      expect(report.verdict).toBe('wrong');
      expect(report.what).toBe('The second-order gradient');
      expect(report.worst?.got).toBe(0);
    });

    it('is not wrong where the gradient is rounded more than the function', async () => {
      const sigmoid = withGradient(tf.sigmoid, (dy, x) => {
        const y = tf.div(1, tf.add(1, tf.exp(tf.neg(x)))); // 1 - y cancels
        return tf.mul(dy, tf.mul(y, tf.sub(1, y)));
      });
      for (const z of [6, 7, 8, 9, 10]) {
        const report = await gradCheck(sigmoid, [tf.tensor1d([z, 0.5])], { order: 2 });
        expect(report.verdict).withContext(String(report)).not.toBe('wrong');
      }
    });

    it('finds a wrong second derivative behind a right first one', async () => {
      const cos = withGradient(tf.cos, (dy, x) => tf.mul(dy, tf.sin(x)));
      const sin = withGradient(tf.sin, (dy, x) => tf.mul(dy, cos(x)));
      await expectVerdict('right', sin, [x()]);
      await expectVerdict('wrong', sin, [x()], { order: 2 });
    });

    it('reports the first order where that is wrong', async () => {
      expect((await gradCheck(thrice(2), [x()], { order: 2 })).what).toBe('The gradient');
    });

    it('accepts this plugin where tfjs has nothing', () =>
      whileInstalled(async () => {
        const [image, filter] = inputsFor(planted[0], 1, false);
        const conv: F = (x, filter) => tf.conv2d(x as T4, filter as T4, 1, 'valid');
        await expectVerdict('right', conv, [tf.slice(image, [0], [1]), filter], { order: 2 });
      }));
  });

  describe('of several inputs and outputs', () => {
    const a = () => tf.tensor1d([1, 2, 3]);
    const b = () => tf.tensor1d([0.5, -1, 2]);

    // A gather has no gradient on wasm.
    if (!isWasm)
      it('checks each output in each input, and leaves whole-number inputs and outputs alone', async () => {
        const f: F = (x, index, y) => [tf.gather(tf.mul(x, y), index), tf.argMax(x), tf.add(x, tf.square(y))];
        const report = await gradCheck(f, [a(), tf.tensor1d([2, 0], 'int32'), b()]);
        expect(report.verdict).withContext(String(report)).toBe('right');
        expect(report.compared).toBe((2 + 3) * (3 + 3));
      });

    it('names the input and the output that are wrong', async () => {
      const wrong = thrice(1.5);
      const report = await gradCheck(((x: tf.Tensor, y: tf.Tensor) => [tf.mul(x, y), wrong(y)]) as F, [
        a(),
        b(),
      ]);
      expect(report.verdict).toBe('wrong');
      expect(report.worst).toEqual(jasmine.objectContaining({ input: 1, output: 1 }));
    });

    it('takes what an output does not depend on for 0', async () => {
      await expectVerdict('right', (x, y) => [tf.square(x), tf.square(y)], [a(), b()]);
    });

    it('tells a gradient that never arrives', async () => {
      const f = withGradient(tf.sin, (dy) => tf.zerosLike(dy));
      const report = await gradCheck(f, [a()]);
      expect(report.verdict).toBe('wrong');
      expect(report.advice[0]).toContain('No gradient reaches input 0');
    });
  });

  describe('of large inputs', () => {
    const x = () => tf.reshape(tf.linspace(-1, 1, 2000), [40, 50]);

    it('accepts what is right by random directions', async () => {
      await expectVerdict('right', (x) => tf.sin(tf.square(x)), [x()]);
      await expectVerdict('right', (x) => tf.mean(tf.square(x)), [x()]);
    });

    it('finds the one element that is wrong', async () => {
      const mask = tf.reshape(tf.oneHot(tf.scalar(1234, 'int32'), 2000), [40, 50]);
      const f = withGradient(
        (x) => tf.mul(x, 2),
        (dy) => tf.mul(tf.mul(dy, 2), tf.sub(1, mask)),
      );
      const report = await gradCheck(f, [x()]);
      expect(report.verdict).withContext(String(report)).toBe('wrong');
      expect(report.worst?.index).toEqual([24, 34]);
      expect(report.advice[0]).toContain('Few elements of input 0 are wrong');
    });
  });

  describe('its report', () => {
    it('has the worst element, what was got and wanted, the bound, the seed and a text', async () => {
      const f = withGradient(
        (x) => tf.mul(x, 2),
        (dy) => tf.mul(dy, tf.tensor2d([[2, 2, 2], [2, 2, 3]])), // prettier-ignore
      );
      const x = tf.tensor2d([[1, 2, 3], [4, 5, 6]]); // prettier-ignore
      const report = await gradCheck(f, [x], { seed: 42 });
      expect(report).toEqual(
        jasmine.objectContaining({
          verdict: 'wrong',
          seed: 42,
          backend: backendName,
          compared: 36,
          wrong: 1,
        }),
      );
      const worst = report.worst!;
      expect(worst).toEqual(
        jasmine.objectContaining({ input: 0, index: [1, 2], output: 0, outputIndex: [1, 2], got: 3 }),
      );
      expect(worst.want).toBeCloseTo(2, 4);
      expect(worst.bound).toBeLessThan(1e-3);
      expect(worst.error).toBeCloseTo(Math.abs(worst.got - worst.want) / worst.bound, 9);
      const [first, second, advice] = String(report).split('\n');
      expect(first).toBe(
        `The gradient is WRONG (36 compared, 1 wrong, 0 left out, 0 uncertain; ${backendName}, seed 42).`,
      );
      expect(second).toMatch(
        /^Worst: input 0, element \[1,2\], in output 0, element \[1,2\]: got 3, want (2|1\.99999)\d* within /,
      );
      expect(advice).toContain('1 of the 6 elements of input 0');
    });

    it('counts only elements that are not 0, and says where the wrong ones are', async () => {
      const advice = async (f: F, shape: number[]) => {
        const x = tf.tensor(Float32Array.from(floats(tf.util.sizeFromShape(shape), 1)), shape);
        const { verdict, advice } = await gradCheck(f, [x]);
        expect(verdict).toBe('wrong');
        return advice[0];
      };
      const random = withGradient(
        (x) => tf.mul(x, 2),
        (dy) => tf.mul(dy, [1, 2.5, 3, 5]),
      );
      expect(await advice(random, [4])).toBe('All 4 elements of input 0 that were compared and are not 0 are wrong.'); // prettier-ignore
      const exchanged = withGradient(
        (x) => tf.mul(x, [[1, 2, 3], [4, 5, 6], [7, 8, 9]]), // prettier-ignore
        (dy) => tf.mul(tf.transpose(dy), [[1, 4, 7], [2, 5, 8], [3, 6, 9]]), // prettier-ignore
      );
      expect(await advice((x) => tf.sum(exchanged(x)), [3, 3])).toContain('axes 0 and 1 are exchanged');
      const shifted = withGradient(
        (x) => tf.mul(x, [1, 2, 3, 4, 5]),
        () => tf.tensor1d([0, 1, 2, 3, 4]),
      );
      expect(await advice((x) => tf.sum(shifted(x)), [5])).toContain(
        'where its neighbour along axis 0 should be',
      );
      if (isWasm) return;
      const pool: F = (x) => tf.avgPool(x as T4, 3, 1, 'same');
      for (const shape of isWebgl
        ? [[1, 4, 4, 1]]
        : [
            [1, 6, 6, 1],
            [2, 8, 8, 3],
          ])
        // prettier-ignore
        expect(await advice(pool, shape)).toMatch(/near the border of the (in|out)put along axes 1 and 2/);
    });

    it('is the same for the same seed', async () => {
      const check = async () =>
        String(await gradCheck((x) => tf.sin(x), [tf.linspace(-1, 1, 20)], { seed: 3 }));
      expect(await check()).toBe(await check());
    });

    it('is thrown by assertGradients unless the gradient is right', async () => {
      const x = tf.tensor1d([1, 2]);
      expect((await assertGradients((x) => tf.sin(x), [x])).verdict).toBe('right');
      const error = await assertGradients(thrice(-1), [x]).catch((e) => e);
      expect(error.message).toContain('The gradient is WRONG');
      expect(error.message).toContain('wrong sign');
      expect(error.report.verdict).toBe('wrong');
      await expectAsync(assertGradients((x) => tf.abs(x), [tf.zeros([1])])).toBeRejectedWithError(/UNSURE/);
    });

    it('is unsure where rounding hides the slope', async () => {
      await expectVerdict('unsure', (x) => tf.add(tf.mul(x, 1e-6), 1000), [tf.tensor1d([1, 2])]);
    });

    it('is unsure if a single element may be anything, and names it', () => {
      const entry = (index: number, more: object) =>
        ({ input: 0, index: [index], shapes: [[4]], got: 1, want: 1, bound: 0.001, state: 'agrees', kinks: [], ...more }) as const; // prettier-ignore
      const facts = { what: 'The gradient', seed: 1, exact: false, backend: backendName } as const;
      const reportWith = (isCoarse: boolean) => {
        const last = { bound: 0.4, state: 'unsure', isCoarse };
        return reportOf(facts, [0, 1, 2, 3].map((i) => entry(i, i === 3 ? last : {})) as Entry[]);
      };
      expect(reportWith(true).verdict).toBe('right');
      expect(reportWith(false).verdict).toBe('unsure');
      expect(reportWith(true).uncertain).toEqual(['input 0, element [3]']);
    });

    it('gives no factor that does not explain what is wrong', async () => {
      const offset = [0, 0, 0, 1e7];
      const f: F = (x) => tf.sub(tf.add(x, offset), offset); // the last element is rounded to whole numbers
      const report = await gradCheck(f, [tf.tensor1d([1, 2, 3, 4])]);
      expect(report.advice.join()).not.toContain('times its right value');
    });

    it('is right where the gradient is rounded more than the function', async () => {
      const f = withGradient(
        (x) => tf.square(x),
        (dy, x) => tf.mul(dy, tf.sub(tf.add(tf.mul(x, 2), 1e4), 1e4)),
      );
      await expectVerdict('right', f, [tf.tensor1d([0.7, 0.8, 0.9, 1.1])]);
    });

    it('says that f may be constant, rather than its gradient wrong', async () => {
      const report = await gradCheck((x) => tf.sub(tf.add(x, 1e8), 1e8), [tf.tensor1d([1, 2])]);
      expect(report.advice[0]).toContain('f does not change');
    });

    it('names a scalar without an index', async () => {
      const report = await gradCheck((x) => tf.sin(x), [tf.scalar(1)]);
      expect(String(report)).toContain('Worst: input 0, in output 0: got');
    });

    it('is unsure where a gradient of 0 may hide a slope', async () => {
      const f = withGradient(
        (x) => tf.add(1, tf.mul(1e-4, tf.square(x))),
        (dy) => tf.zerosLike(dy),
      );
      await expectVerdict('unsure', f, [tf.tensor1d([0.5, -0.3, 0.4])]);
      await expectVerdict('unsure', (x) => tf.floor(x), [tf.tensor1d([1, 2])]); // f jumps there
    });

    it('is right although wide steps leave the domain of f', async () => {
      await expectVerdict('right', (x) => tf.log(tf.sub(1, x)), [tf.tensor1d([0.7, 0.8, 0.9])]);
      await expectVerdict('right', (x) => tf.rsqrt(x), [tf.tensor1d([0.1, 1, 2])]);
    });

    it('says that NaN and Infinity are wrong, and is unsure where f itself is', async () => {
      const check = async (value: number) =>
        String(
          await gradCheck(
            withGradient(tf.sin, (dy) => tf.fill(dy.shape, value)),
            [tf.tensor1d([1, 2])],
          ),
        );
      expect(await check(NaN)).toContain('The gradient in input 0 is NaN');
      expect(await check(Infinity)).toContain('The gradient in input 0 is Infinity');
      // This is 0 times the infinite slope of the square root at 0. tfjs's webgl takes that for 1.
      const words = isWebgl ? 'got 1, want 0' : '0 times';
      expect(String(await gradCheck((x) => tf.sqrt(x), [tf.tensor1d([0, 1])]))).toContain(words);
      await expectVerdict('unsure', (x) => tf.log(x), [tf.tensor1d([-1, -2])]);
    });
  });

  it('leaves the inputs alone, whatever f does to its own', async () => {
    const x = tf.tensor1d([1, 2]);
    const f: F = (x) => {
      const y = tf.sin(x);
      x.dispose();
      return y;
    };
    await expectVerdict('right', f, [x]);
    expect(x.isDisposed).toBeFalse();
  });

  it('leaves no tensor behind, also where something throws', async () => {
    const x = tf.tensor1d([0.5, 2]);
    const count = () => [tf.memory().numTensors, tf.engine().backend.numDataIds()];
    const before = count();
    await gradCheck((x) => [tf.sin(x), x, tf.relu(tf.sub(x, 2))], [x], { order: 2 });
    await gradCheck((x) => tf.topk(x, 1).values, [x]).catch(() => {});
    await gradCheck(() => { throw new Error('f'); }, [x]).catch(() => {}); // prettier-ignore
    await checkAdjoint((x) => tf.mul(x, 2), [x]);
    expect(count()).toEqual(before);
    expect(x.isDisposed).toBeFalse();
  });

  it('refuses bad arguments and says which', async () => {
    const x = tf.scalar(1);
    const message = async (...args: unknown[]) =>
      gradCheck(...(args as Parameters<typeof gradCheck>)).then(
        () => '',
        (error: Error) => error.message,
      );
    expect(await message(1, [x])).toContain('f is 1, but it must be a function');
    expect(await message(tf.sin, [])).toContain('inputs is [], but it must be a list of tensors');
    expect(await message(tf.sin, undefined)).toContain('inputs is undefined, but it must be a list of');
    expect(await message(tf.sin, x)).toContain('inputs is a tensor, but it must be a list of tensors');
    for (const input of [1, null, undefined, [1, 2]]) {
      const shown = Array.isArray(input) ? '[1,2]' : `${input}`;
      expect(await message(tf.sin, [x, input])).toContain(`inputs[1] is ${shown}, but it must be a tensor`);
    }
    const disposed = tf.scalar(1);
    disposed.dispose();
    expect(await message(tf.sin, [disposed])).toContain('inputs[0] is a disposed tensor');
    expect(await message(tf.sin, [x, tf.tensor1d([1, NaN])])).toContain('inputs[1] holds NaN, but');
    expect(await message(tf.sin, [tf.scalar(-Infinity)])).toContain('inputs[0] holds -Infinity, but');
    expect(await message(tf.sin, [tf.scalar(1, 'int32')])).toContain('at least one must be float32');
    expect(await message(tf.sin, [x], null)).toContain('the options of gradCheck are null, but they must be');
    expect(await message(tf.sin, [x], 2)).toContain('the options of gradCheck are 2, but they must be');
    expect(await message(tf.sin, [x], { sead: 3 })).toMatch(/name 'sead'.*Did you mean 'seed'\?/);
    expect(await message(tf.sin, [x], { tolerance: 1 })).toContain("name 'tolerance', but only these");
    expect(await message(tf.sin, [x], { order: 3 })).toContain('order is 3, but it must be 1 or 2');
    expect(await message(tf.sin, [x], { seed: 0.5 })).toContain('seed is 0.5, but it must be a whole');
    expect(await message(tf.sin, [x], { exact: 'no' })).toContain(
      'exact is no, but it must be true or false',
    );
    expect(await message(() => 3, [x])).toContain('f gives 3, but it must give a tensor');
    expect(await message(() => undefined, [x])).toContain('f gives undefined, but it must give a tensor');
    expect(await message(() => [x, 3], [x])).toContain('f gives [a tensor,3], but it must give a tensor');
    expect(await message(async () => x, [x])).toContain('f gives [object Promise]');
    expect(await message((x: tf.Tensor) => tf.argMax(x), [tf.ones([2])])).toContain('no float32 values');
  });

  it('refuses an f whose outputs change from call to call', async () => {
    let calls = 0;
    const growing: F = (x) => tf.tile(x, [++calls]);
    const more: F = (x) => Array.from({ length: ++calls }, () => tf.sin(x));
    for (const [f, message] of [
      [growing, /f gives float32 \[4\], but gave float32 \[2\] before/],
      [more, /f gives float32 \[2\], float32 \[2\].*, but gave/],
    ] as const) {
      calls = 0;
      await expectAsync(gradCheck(f, [tf.tensor1d([1, 2])])).toBeRejectedWithError(message);
    }
  });

  describe('checkAdjoint', () => {
    const conv: F = (x, filter) => tf.conv2d(x as T4, filter as T4, 2, 'same');
    const verdictOf = async (...args: Parameters<typeof checkAdjoint>) =>
      (await checkAdjoint(...args)).verdict;

    it('accepts a gradient that is the transpose, in every input, exactly too', async () => {
      expect(await verdictOf(conv, inputsFor(planted[0], 1, false))).toBe('right');
      expect(await verdictOf(conv, inputsFor(planted[0], 1, true), { exact: true })).toBe('right');
    });

    it('takes an adjoint that is no gradient yet', async () => {
      const [x, filter] = inputsFor(planted[0], 1, true);
      const f: F = (x) => conv(x, filter);
      const adjoint = (dy: tf.Tensor) =>
        tf.conv2dTranspose(dy as T4, filter as T4, x.shape as T4['shape'], 2, 'same');
      expect(await verdictOf(f, [x], { adjoint, exact: true })).toBe('right');
      const scaled = (dy: tf.Tensor) => tf.mul(adjoint(dy), 1.0001);
      expect(await verdictOf(f, [x], { adjoint: scaled, exact: true })).toBe('wrong');
    });

    it("finds tfjs's average pooling wrong and this plugin's right", async () => {
      uninstall();
      const pool: F = (x) => tf.avgPool(x as T4, 3, 1, 'same');
      const x = inputsFor(planted[0], 1, false).slice(0, 1);
      expect(await verdictOf(pool, x)).toBe('wrong');
      await whileInstalled(async () => expect(await verdictOf(pool, x)).toBe('right'));
    });

    for (const bug of planted) {
      it(`finds ${bug.bug}`, async () => {
        expect(await verdictOf(bug.f, inputsFor(bug, 1, bug.exact), { exact: bug.exact })).toBe('wrong');
      });
    }

    it('is unsure of what is not linear', async () => {
      const report = await checkAdjoint((x) => tf.square(x), [tf.tensor1d([1, 2])]);
      expect(report.verdict).toBe('unsure');
      expect(String(report)).toContain('f is not linear in input 0.');
    });
  });

  describe('compareKernels', () => {
    const find = (name: string, caseName: string) =>
      subjects().find((s) => s.kernelName === name && s.caseName === caseName)!;
    const ours = (name: string) => kernel(OWN + name);

    beforeAll(() => registerOwn());

    it('compares any two: definition, built-in and plugin, by four proofs', async () => {
      const dx = find('Conv2DBackpropInput', 'same');
      const builtin = kernel('Conv2DBackpropInput');
      const comparison = await compareKernels(dx, ours('Conv2DBackpropInput'), builtin, { seed: 2 });
      expect(comparison.verdict).withContext(String(comparison)).toBe('right');
      const { exact, rounded, adjoint, differences } = comparison;
      for (const proof of [exact, rounded, adjoint, differences]) expect(proof!.error).toBeLessThanOrEqual(1);
      expect(exact!.error).toBe(0);
      expect(String(comparison)).toContain(
        'ConvgradConv2DBackpropInput and Conv2DBackpropInput, same, seed 2: right',
      );
    });

    it('finds the built-in average pooling gradient wrong by each proof that applies', async () => {
      uninstall();
      const grad = find('AvgPoolGrad', '3x3, stride 1, same');
      const comparison = await compareKernels(grad, kernel('AvgPoolGrad'), definition(grad.definition));
      expect(comparison.verdict).toBe('wrong');
      for (const name of ['rounded', 'adjoint', 'differences'] as const) {
        expect(comparison[name]!.error).withContext(name).toBeGreaterThan(1000);
      }
    });

    const dx = find('Conv2DBackpropInput', 'same');
    const bugs: Record<string, (result: Float64Array) => Float64Array> = {
      sign: (result) => result.map((v) => -v),
      '1.0001': (result) => result.map((v) => v * 1.0001),
      'a dropped last row': (result) => result.map((v, i) => (i >= result.length - 15 ? 0 : v)),
      'one element': (result) => result.map((v, i) => (i === 4 ? v + 1e-3 : v)),
    };
    for (const [bug, change] of Object.entries(bugs)) {
      it(`finds ${bug}`, async () => {
        const wrong: Implementation = {
          name: 'mine',
          rounds: true,
          run: async (values) => change(dx.definition(values)),
        };
        const comparison = await compareKernels(dx, wrong, definition(dx.definition));
        expect(comparison.verdict).toBe('wrong');
        expect(comparison.exact!.error).toBe(Infinity);
        expect(comparison.rounded.error).toBeGreaterThan(1);
      });
    }
  });

  describe('the matcher of Jasmine', () => {
    beforeAll(() => jasmine.addAsyncMatchers(matchers));

    it('accepts a right gradient, and refuses a wrong one', async () => {
      const x = tf.tensor1d([1, 2]);
      await expectAsync((x: tf.Tensor) => tf.sin(x)).toHaveCorrectGradient([x]);
      await expectAsync(thrice(1.1)).not.toHaveCorrectGradient([x], { exact: true });
    });

    it('says what the report says', async () => {
      const { compare, negativeCompare } = matchers.toHaveCorrectGradient();
      const failed = await compare(thrice(1.1), [tf.scalar(1)]);
      expect(failed.pass).toBeFalse();
      expect(failed.message).toContain('The gradient is WRONG');
      expect((await negativeCompare((x) => tf.sin(x), [tf.scalar(1)])).pass).toBeFalse();
      const unsure = [tf.zeros([1])];
      expect((await compare((x) => tf.abs(x), unsure)).pass).toBeFalse();
      expect((await negativeCompare((x) => tf.abs(x), unsure)).pass).toBeFalse();
    });
  });
});

/** Measures the results that docs/verify.md reports, on one backend, in Node or in a browser. */
import * as tf from '@tensorflow/tfjs-core';
import { OWN } from '../../kernels/registry.js';
import { registerOwn } from '../../src/ops.js';
import { type Differentiable, gradCheck } from '../../src/verify/index.js';
import { distinct, floats, integers } from '../../src/verify/data.js';
import { avgPool, conv2d, maxPool } from '../../src/index.js';
import { opCases, rightOps } from './ops.js';
import { inputsFor, planted } from './planted.js';
import { roughCases } from './rough.js';
import { otherRules, type Rule } from './rules.js';

type T4 = tf.Tensor4D;

export interface Counts {
  right: number;
  wrong: number;
  unsure: number;
  throws: number;
}

export interface OpResult extends Counts {
  name: string;
  find?: string;
  on?: string;
  /** The largest error among the verdicts 'right', in units of its bound. */
  error: number;
  /** The text of the first verdict that is not 'right', or of the first error. */
  said?: string;
}

export interface RuleResult {
  rule: string;
  seeds: number;
  /** How often the rule refuses a right gradient. */
  refused: number;
  /** How often it refuses the gradient scaled by 1.0001 and by 1.01. */
  scaled: number[];
}

export interface PlantedResult {
  bug: string;
  seeds: number;
  found: number;
  foundExactly?: number;
}

export const SCALES = [1.0001, 1.01];

async function countVerdicts(
  f: Differentiable,
  inputs: (seed: number) => tf.Tensor[],
  seeds: number,
  exact = false,
  order: 1 | 2 = 1,
): Promise<Counts & { error: number; said?: string }> {
  const result: Counts & { error: number; said?: string } = {
    right: 0,
    wrong: 0,
    unsure: 0,
    throws: 0,
    error: 0,
  };
  for (let seed = 1; seed <= seeds; seed++) {
    const tensors = inputs(seed);
    try {
      const report = await gradCheck(f, tensors, { seed, exact, order });
      result[report.verdict]++;
      if (report.verdict === 'right') result.error = Math.max(result.error, report.worst?.error ?? 0);
      else result.said ??= String(report);
    } catch (error) {
      result.throws++;
      result.said ??= (error as Error).message;
    }
    tf.dispose(tensors);
  }
  return result;
}

/** Measures every built-in op with seeds from 1 to `seeds`. */
export async function measureOps(seeds: number, onResult: (result: OpResult) => void): Promise<void> {
  for (const { name, f, inputs, find, on } of opCases) {
    onResult({ name, find, on, ...(await countVerdicts(f, inputs, seeds)) });
  }
}

/** Whole numbers. No two are equal. */
const untied: typeof integers = (size, source) => distinct(size, source).map((value) => 8 * value);

const draw = (make: typeof floats, shapes: number[][]) => (seed: number) =>
  shapes.map((shape, i) =>
    tf.tensor(Float32Array.from(make(tf.util.sizeFromShape(shape), 10 * seed + i)), shape),
  );

/** Measures this plugin's kernels of conv2d, of pooling and of their gradients, by default and with `exact`. */
export async function measureOwn(
  seeds: number,
  onResult: (result: OpResult) => void,
  op = '',
): Promise<void> {
  registerOwn();
  const run = (name: string, inputs: Record<string, tf.Tensor>, attrs: object) =>
    tf.engine().runKernel(OWN + name, inputs, attrs as tf.NamedAttrMap) as tf.Tensor;
  const x = [1, 3, 3, 1];
  const filter = [2, 2, 1, 1];
  const window = { strides: 1, pad: 'same', dilations: 1, dataFormat: 'NHWC' };
  const pool = { filterSize: 2, ...window };
  const cases: Record<string, { f: Differentiable; shapes: number[][]; whole?: typeof integers }> = {
    Conv2D: {
      f: (x: T4, filter: T4) => conv2d(x, filter, { pad: 'same' }),
      shapes: [x, filter],
    },
    Conv2DBackpropInput: {
      f: (dy: T4, filter: T4) => run('Conv2DBackpropInput', { dy, filter }, { ...window, inputShape: x }),
      shapes: [x, filter],
    },
    Conv2DBackpropFilter: {
      f: (x: T4, dy: T4) => run('Conv2DBackpropFilter', { x, dy }, { ...window, filterShape: filter }),
      shapes: [x, x],
    },
    MaxPool: { f: (x: T4) => maxPool(x, 2, { strides: 1, pad: 'same' }), shapes: [x], whole: untied },
    MaxPoolGrad: {
      f: (dy: T4) =>
        tf.tidy(() => {
          const input = tf.reshape(tf.range(0, 9), [1, 3, 3, 1]);
          const output = run('MaxPool', { x: input }, pool);
          return run('MaxPoolGrad', { dy, input, output }, pool);
        }),
      shapes: [x],
    },
    AvgPool: { f: (x: T4) => avgPool(x, 2, { strides: 1, pad: 'same' }), shapes: [x] },
    AvgPoolGrad: {
      f: (dy: T4) => run('AvgPoolGrad', { dy, input: tf.ones([1, 3, 3, 1]) }, pool),
      shapes: [x],
    },
  };
  for (const [name, { f, shapes, whole = integers }] of Object.entries(cases)) {
    if (op && name !== op) continue;
    onResult({ name, ...(await countVerdicts(f, draw(floats, shapes), seeds)) });
    onResult({ name: `${name}, exact`, ...(await countVerdicts(f, draw(whole, shapes), seeds, true)) });
  }
}

/** Measures every rule on the gradient of a convolution by x: the right gradient, and scaled ones. */
export async function measureRules(seeds: number, onResult: (result: RuleResult) => void): Promise<void> {
  const ours =
    (exact: boolean): Rule =>
    async (f, x, seed) =>
      (await gradCheck(f, [x], { seed, exact })).verdict === 'right';
  const rules: Record<string, Rule> = {
    ...otherRules,
    gradCheck: ours(false),
    'gradCheck, exact': ours(true),
  };
  for (const [rule, accepts] of Object.entries(rules)) {
    const make = rule.endsWith('exact') ? integers : floats;
    const refusals = async (scale: number) => {
      let count = 0;
      for (let seed = 1; seed <= seeds; seed++) {
        const [x, filter] = draw(make, [[2, 5, 5, 2], [3, 3, 2, 3]])(seed); // prettier-ignore
        if (!(await accepts(scaledConv(filter as T4, scale), x, seed))) count++;
        tf.dispose([x, filter]);
      }
      return count;
    };
    const [refused, ...scaled] = [await refusals(1), await refusals(SCALES[0]), await refusals(SCALES[1])];
    onResult({ rule, seeds, refused, scaled });
  }
}

const scaledConv = (filter: T4, scale: number) => {
  const attrs = { strides: 1, pad: 'same', dataFormat: 'NHWC', dimRoundingMode: undefined };
  return tf.customGrad((...inputs) => {
    const [x] = inputs as unknown as T4[];
    const gradFunc = (dy: tf.Tensor) => {
      const all = { ...attrs, inputShape: x.shape } as unknown as tf.NamedAttrMap;
      return tf.mul(tf.engine().runKernel('Conv2DBackpropInput', { dy, filter }, all) as tf.Tensor, scale);
    };
    return { value: tf.conv2d(x, filter, 1, 'same'), gradFunc };
  });
};

export async function measurePlanted(
  seeds: number,
  onResult: (result: PlantedResult) => void,
): Promise<void> {
  for (const bug of planted) {
    const count = async (exact: boolean) =>
      (await countVerdicts(bug.f, (seed) => inputsFor(bug, seed, exact), seeds, exact)).wrong;
    onResult({
      bug: bug.bug,
      seeds,
      found: await count(false),
      ...(bug.exact && { foundExactly: await count(true) }),
    });
  }
}

/** Measures the second gradients of the ops whose gradients are right. */
export async function measureSecond(seeds: number, onResult: (result: OpResult) => void): Promise<void> {
  for (const { name, f, inputs } of rightOps(tf.getBackend())) {
    onResult({ name, ...(await countVerdicts(f, inputs, seeds, false, 2)) });
  }
}

/** Measures functions that have right gradients, but are hard for differences. */
export async function measureRough(seeds: number, onResult: (result: OpResult) => void): Promise<void> {
  for (const { name, f, inputs } of roughCases) {
    onResult({ name, ...(await countVerdicts(f, inputs, seeds)) });
  }
}

export const MEASURES = {
  ops: measureOps,
  second: measureSecond,
  own: measureOwn,
  rough: measureRough,
  rules: measureRules,
  planted: measurePlanted,
};
export type Measure = keyof typeof MEASURES;

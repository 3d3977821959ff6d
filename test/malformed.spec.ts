/**
 * Specs of malformed calls of all public functions. Each is refused with words that begin with the package's name, and leaves no tensor
 * behind, unless it is one of those that mean something.
 */
import { avgPool, configure, conv2d, install, maxPool } from '../src/index.js';
import * as numeric from '../src/numeric.js';
import * as verify from '../src/verify/index.js';
import { describeOnBackends, tf } from './support/tfjs.js';

type Any = (...args: unknown[]) => unknown;
const any = (f: unknown) => f as Any;

/** Values that are wrong for nearly every argument. */
const WRONG: Record<string, () => unknown> = {
  NaN: () => NaN,
  Infinity: () => Infinity,
  '-1': () => -1,
  '0': () => 0,
  '1.5': () => 1.5,
  "'2'": () => '2',
  '[1,2,3]': () => [1, 2, 3],
  '[]': () => [],
  '{}': () => ({}),
  null: () => null,
  true: () => true,
  '2n': () => 2n,
  symbol: () => Symbol('s'),
  function: () => () => 1,
  tensor: () => tf.scalar(2),
  '[1,NaN]': () => [1, NaN],
  "['1',1]": () => ['1', 1],
  Float32Array: () => Float32Array.of(1, 1),
};
/** Those that mean something, by argument. */
const MEANT: Record<string, readonly string[]> = {
  pad: ['-1', '0'],
  dimRoundingMode: ['null'],
  leakyreluAlpha: ['-1', '0', '1.5'],
  bias: ['NaN', 'Infinity', '-1', '0', '1.5', 'null', 'tensor'],
  preluActivationWeights: ['Infinity', '-1', '1.5', 'tensor'],
  countIncludePad: ['true'],
  backends: ['[]'],
  ops: ['[]'],
  options: ['{}'],
  cpu: ['{}'],
  winograd: ['0'],
  seed: ['-1', '0'],
  exact: ['true'],
};

/** Values that are no tensors of an image. */
const NO_TENSORS: Record<string, () => unknown> = {
  undefined: () => undefined,
  null: () => null,
  number: () => 1,
  string: () => 'a',
  object: () => ({}),
  function: () => () => 1,
  'a disposed tensor': () => {
    const t = tf.ones([1, 4, 4, 2]);
    t.dispose();
    return t;
  },
  'a tensor of strings': () => tf.tensor(['a']),
  'a tensor of rank 1': () => tf.ones([4]),
  'a tensor of rank 5': () => tf.ones([1, 1, 4, 4, 2]),
  'a ragged array': () => [[1], [1, 2]],
  'an object like a tensor': () => ({ dataId: {}, shape: [1, 4, 4, 2], dtype: 'float32', rank: 4, size: 32 }),
  promise: () => Promise.resolve(1),
  true: () => true,
  NaN: () => NaN,
  symbol: () => Symbol('x'),
};

/** Calls f with each value in the place of the argument. */
async function refuses(
  name: string,
  argument: string,
  f: (value: unknown) => unknown,
  values = WRONG,
): Promise<number> {
  const names = Object.keys(values).filter((value) => !MEANT[argument]?.includes(value));
  for (const of of names) {
    const before = tf.memory().numTensors;
    const value = values[of]();
    const made = tf.memory().numTensors;
    let said = 'nothing';
    try {
      await f(value);
    } catch (error) {
      said = String(error);
    }
    expect(said)
      .withContext(`${name}, ${argument} ${of}`)
      .toMatch(/^Error: tfjs-convgrad: /);
    expect(tf.memory().numTensors).withContext(`tensors after ${name}, ${argument} ${of}`).toBe(made);
    expect(made - before).toBeLessThan(4);
  }
  return names.length;
}

describeOnBackends('malformed calls', () => {
  const conv = (options: object) => any(conv2d)(tf.ones([1, 4, 4, 2]), tf.ones([2, 2, 2, 4]), options);

  /** In a tidy, so that only what the call leaves counts. */
  const inTidy = (f: (value: unknown) => unknown) => (value: unknown) =>
    tf.tidy(() => f(value) as tf.TensorContainer);

  it('of our own ops are refused in words', async () => {
    let count = 0;
    for (const option of ['strides', 'pad', 'dilations', 'groups', 'dataFormat', 'dimRoundingMode', 'bias']) {
      count += await refuses('conv2d', option, inTidy((value) => conv({ [option]: value }))); // prettier-ignore
    }
    count += await refuses(
      'conv2d',
      'activation',
      inTidy((activation) => conv({ activation })),
    );
    count += await refuses('conv2d', 'leakyreluAlpha', inTidy((leakyreluAlpha) => conv({ activation: 'leakyrelu', leakyreluAlpha }))); // prettier-ignore
    count += await refuses('conv2d', 'preluActivationWeights', inTidy((weights) => conv({ activation: 'prelu', preluActivationWeights: weights }))); // prettier-ignore
    for (const [name, pool] of Object.entries({ maxPool, avgPool })) {
      const options = ['strides', 'pad', 'dilations', 'dataFormat', 'dimRoundingMode'];
      for (const option of name === 'avgPool' ? [...options, 'countIncludePad'] : options) {
        count += await refuses(name, option, inTidy((value) => any(pool)(tf.ones([1, 4, 4, 2]), 2, { [option]: value }))); // prettier-ignore
      }
      count += await refuses(
        name,
        'filterSize',
        inTidy((value) => any(pool)(tf.ones([1, 4, 4, 2]), value)),
      );
      count += await refuses(
        name,
        'options',
        inTidy((value) => any(pool)(tf.ones([1, 4, 4, 2]), 2, value)),
      );
      count += await refuses(name, 'x', inTidy((x) => any(pool)(x, 2)), NO_TENSORS); // prettier-ignore
    }
    count += await refuses(
      'conv2d',
      'options',
      inTidy((options) => conv(options as object)),
    );
    count += await refuses('conv2d', 'x', inTidy((x) => any(conv2d)(x, tf.ones([2, 2, 2, 4]))), NO_TENSORS); // prettier-ignore
    count += await refuses('conv2d', 'filter', inTidy((filter) => any(conv2d)(tf.ones([1, 4, 4, 2]), filter)), NO_TENSORS); // prettier-ignore
    expect(count).toBeGreaterThan(400);
  });

  it('of install() and configure() are refused in words, and nothing is changed', async () => {
    const kernels = () => tf.getKernelsForBackend(tf.getBackend());
    const before = kernels();
    await refuses('install', 'options', (value) => any(install)(value));
    await refuses('install', 'backends', (backends) => any(install)({ backends }));
    await refuses('install', 'ops', (ops) => any(install)({ ops }));
    await refuses('install', 'an op', (op) => any(install)({ ops: ['conv2d', op] }));
    await refuses('configure', 'options', (value) => any(configure)(value));
    await refuses('configure', 'cpu', (cpu) => any(configure)({ cpu }));
    await refuses('configure', 'path', (path) => any(configure)({ cpu: { path } }));
    await refuses('configure', 'winograd', (winograd) => any(configure)({ cpu: { winograd } }));
    expect(kernels()).toEqual(before);
  });

  it('of the checks are refused in words', async () => {
    const twice = (x: tf.Tensor) => tf.mul(x, 2);
    const x = tf.ones([2]);
    for (const name of ['gradCheck', 'assertGradients', 'checkAdjoint'] as const) {
      const check = any(verify[name]);
      await refuses(name, 'f', (f) => check(f, [x]));
      await refuses(name, 'inputs', (inputs) => check(twice, inputs));
      await refuses(name, 'options', (options) => check(twice, [x], options));
      await refuses(name, 'seed', (seed) => check(twice, [x], { seed }));
      await refuses(name, 'exact', (exact) => check(twice, [x], { exact }));
    }
    await refuses('gradCheck', 'order', (order) => any(verify.gradCheck)(twice, [x], { order }));
    await refuses('checkAdjoint', 'adjoint', (adjoint) => any(verify.checkAdjoint)(twice, [x], { adjoint }));
  });

  it('of the geometries are refused in words', async () => {
    for (const [name, filter] of [
      ['convGeometry', [2, 2, 2, 4]],
      ['depthwiseGeometry', [2, 2, 2, 1]],
      ['poolGeometry', 2],
    ] as const) {
      // prettier-ignore
      const geometry = any(numeric[name]);
      await refuses(name, 'inShape', (shape) => geometry(shape, filter));
      await refuses(name, 'the filter', (value) => geometry([1, 4, 4, 2], value));
      await refuses(name, 'options', (options) => geometry([1, 4, 4, 2], filter, options));
      // Dilations of null mean none: tf.depthwiseConv2d passes them on.
      for (const option of ['strides', 'pad', 'dataFormat', 'dimRoundingMode']) {
        await refuses(name, option, (value) => geometry([1, 4, 4, 2], filter, { [option]: value }));
      }
      expect(() => geometry([1, 4, 4, 2], filter, { stride: 2 })).toThrowError(/Did you mean 'strides'\?/);
    }
  });

  it('of the numeric functions are refused in words: arrays of another length, and what is none', async () => {
    const floats = (length: number) => new Float32Array(length);
    const [conv, grouped] = [numeric.convGeometry([1, 4, 5, 4], [2, 2, 4, 6]), numeric.depthwiseGeometry([1, 4, 5, 4], [2, 2, 4, 1])]; // prettier-ignore
    const pool = numeric.poolGeometry([1, 4, 5, 4], 2);
    const [x, y, filter] = [80, 72, 96];
    const [deepY, deepFilter, poolY] = [48, 16, 16];
    const four = () => ({ mean: floats(4), variance: floats(4), offset: floats(4), scale: floats(4) });
    // A number is the length of an array.
    const calls: Partial<Record<keyof typeof numeric, unknown[]>> = {
      conv2d: [x, filter, conv, y],
      conv2dBackpropInput: [y, filter, conv, x],
      conv2dBackpropFilter: [x, y, conv, filter],
      biasGrad: [y, conv, 6],
      im2col: [x, conv],
      depthwiseConv2d: [x, deepFilter, grouped, deepY],
      depthwiseConv2dBackpropInput: [deepY, deepFilter, grouped, x],
      depthwiseConv2dBackpropFilter: [x, deepY, grouped, deepFilter],
      oihwToHwio: [filter, [6, 4, 2, 2]],
      hwioToOihw: [filter, [2, 2, 4, 6]],
      maxPool: [x, pool, poolY, poolY],
      avgPool: [x, pool, poolY],
      avgPoolGrad: [poolY, pool, x],
      batchNorm: [x, { ...four(), epsilon: 1 }, x],
      batchNormGrad: [x, x, { ...four(), epsilon: 1 }, { ...four(), x: floats(x) }],
    };
    for (const [name, given] of Object.entries(calls)) {
      const f = any(numeric[name as keyof typeof numeric]);
      const args = given.map((value) => (typeof value === 'number' ? floats(value) : value));
      expect(() => f(...args))
        .withContext(name)
        .not.toThrow();
      for (let i = 0; i < args.length; i++) {
        const call = (value: unknown) => f(...args.slice(0, i), value, ...args.slice(i + 1));
        await refuses(name, `argument ${i}`, call);
        const length = given[i];
        if (typeof length !== 'number') continue;
        for (const other of [length - 1, length + 1]) {
          expect(() => call(floats(other)))
            .withContext(`${name}, argument ${i}`)
            .toThrowError(/^tfjs-convgrad: /);
        }
      }
    }
    const maxPoolGrad = any(numeric.maxPoolGrad);
    expect(() => maxPoolGrad(floats(poolY), new Int32Array(poolY), floats(x))).not.toThrow();
    expect(() => maxPoolGrad(floats(poolY - 1), new Int32Array(poolY), floats(x))).toThrowError(/dy of maxPoolGrad is a typed array of length 15, but it must be a typed array of length 16/); // prettier-ignore
    expect(() => numeric.conv2d(floats(79), floats(filter), conv, floats(y))).toThrowError(
      'tfjs-convgrad: x of conv2d is a typed array of length 79, but it must be a typed array of length 80.',
    );
  });
});

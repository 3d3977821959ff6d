/** What the specs that go through tfjs share: tfjs with every gradient, strict comparisons, data, the registries. */
import * as tf from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-core/dist/register_all_gradients.js';
import '@tensorflow/tfjs-backend-cpu';
import '@tensorflow/tfjs-backend-webgl';
import { BACKENDS, type BackendName, FUSED_GRADIENTS, KERNEL_NAMES, OWN } from '../../kernels/registry.js';
import { install } from '../../src/index.js';
import * as data from '../../src/verify/data.js';
import { compare, describeWorst } from '../../src/verify/exact.js';
import './wasm.js';

export { tf };

// Otherwise the first tensor would start wasm, which takes a while.
void tf.setBackend('cpu');

// Without fences tfjs waits for the GPU when it reads a tensor. With them it asks by timer whether the GPU is done, and each of
// the thousands of reads takes several milliseconds longer.
tf.env().set('WEBGL_FENCE_API_ENABLED', false);
tf.env().set('WEBGL_DISJOINT_QUERY_TIMER_EXTENSION_VERSION', 0);

/**
 * Describes something on every backend of the plugin. Each spec runs in a scope of its own with the engine's check of every
 * kernel for leaked data ids, and must leave the registries as it found them.
 */
export function describeOnBackends(title: string, specs: (backendName: BackendName) => void): void {
  describeWhereAvailable(title, (backendName) => {
    let registered: Registered;

    beforeEach(async () => {
      // On wasm a clone is a copy, and the engine takes the copies that ops save for their gradients for leaks.
      tf.env().set('IS_TEST', backendName !== 'wasm');
      await tf.setBackend(backendName);
      registered = readRegistries();
      tf.engine().startScope();
    });

    afterEach(() => {
      tf.engine().endScope();
      expectRegistries(registered);
      tf.env().set('IS_TEST', false);
    });

    specs(backendName);
  });
}

/** Describes something on every backend of the plugin. For a backend that is missing here, one pending spec says so. */
export function describeWhereAvailable(title: string, specs: (backendName: BackendName) => void): void {
  for (const backendName of BACKENDS) {
    const available = backendName !== 'webgl' || tf.env().getBool('HAS_WEBGL');
    describe(`${title} on ${backendName}`, () => {
      if (available) specs(backendName);
      else it('is skipped', () => pending(`there is no ${backendName} here`));
    });
  }
}

/** What f returns with the plugin installed. */
export function installed<T>(f: () => T): T {
  const { uninstall } = install();
  try {
    return f();
  } finally {
    uninstall();
  }
}

/** What f returns by tfjs's own kernels. Those on wasm lack gradients and options, so cpu serves in their place. */
export function byBuiltins<T>(f: () => T): T {
  const backendName = tf.getBackend();
  if (backendName !== 'wasm') return f();
  // A backend that is ready is set at once. The promise only reports it.
  void tf.setBackend('cpu');
  try {
    return f();
  } finally {
    void tf.setBackend(backendName);
  }
}

export async function whileInstalled<T>(f: () => Promise<T>): Promise<T> {
  const { uninstall } = install();
  try {
    return await f();
  } finally {
    uninstall();
  }
}

/** Every registered kernel and gradient, by a name that identifies it. */
export type Registered = Map<string, tf.KernelConfig | tf.GradConfig>;

const OWN_NAMES: string[] = KERNEL_NAMES.map((name) => OWN + name);
/** tfjs exports each kernel's name as a constant. Other names are those of scopes. */
const GRADIENT_NAMES = [
  ...Object.values(tf).filter((value) => typeof value === 'string'),
  ...Object.values(FUSED_GRADIENTS).map(({ scope }) => scope),
];

export function readRegistries(): Registered {
  const backends = [...new Set([...BACKENDS, ...tf.engine().backendNames()])];
  const kernels = backends.flatMap((name) => tf.getKernelsForBackend(name));
  const gradients = [...GRADIENT_NAMES, ...OWN_NAMES].map((name) => tf.getGradient(name));
  const registered: Registered = new Map();
  for (const config of kernels) registered.set(`${config.backendName} ${config.kernelName}`, config);
  for (const config of gradients) if (config) registered.set(`gradient of ${config.kernelName}`, config);
  return registered;
}

/** Expects the same config objects, except those of our own ops: their first call registers them for good. */
export function expectRegistries(expected: Registered): void {
  const actual = readRegistries();
  const changed = [...new Set([...actual.keys(), ...expected.keys()])].filter(
    (key) => actual.get(key) !== expected.get(key) && !OWN_NAMES.includes(key.split(' ').at(-1) as string),
  );
  expect(changed).withContext('changed in the registries').toEqual([]);
}

export type Values = tf.Tensor | ArrayLike<number>;

/** Expects equal values. 0 equals -0, and NaN equals only NaN. If both are tensors, their shapes must be equal too. */
export function expectExactly(actual: Values, expected: Values): void {
  expectWithin(actual, expected, 0);
}

/** Expects |actual - expected| <= bound for each element. Infinities and NaN must be equal. */
export function expectWithin(actual: Values, expected: Values, bound: Values | number): void {
  const [got, want] = [valuesOf(actual), valuesOf(expected)];
  const bounds = typeof bound === 'number' ? want.map(() => bound) : valuesOf(bound);
  if (actual instanceof tf.Tensor && expected instanceof tf.Tensor) {
    expect(actual.shape).toEqual(expected.shape);
  }
  const worst = compare(got, want, (i) => bounds[i]);
  expect(worst.error).withContext(describeWorst(worst)).toBeLessThanOrEqual(1);
}

export function valuesOf(values: Values): number[] {
  return Array.from(values instanceof tf.Tensor ? (values.dataSync() as Float32Array) : values);
}

/** Expects that f leaves behind neither tensors nor data in the backend. */
export function expectNoLeak(f: () => unknown): void {
  const count = () => [tf.memory().numTensors, tf.engine().backend.numDataIds()];
  const before = count();
  tf.tidy(() => void f());
  expect(count()).withContext('tensors, data ids').toEqual(before);
}

/**
 * Whole numbers from -3 to 3, always the same for the same seed. Sums of their products are exact in float32.
 * The type is a tensor of rank 4, because most shapes here have rank 4.
 */
export function integers(shape: number[], seed = 1): tf.Tensor4D {
  return tensorOf(data.integers(tf.util.sizeFromShape(shape), seed, 3), shape);
}

/** The whole numbers from 0 on, in random order. No two are equal, so no two are closer than 1. */
export function distinct(shape: number[], seed = 1): tf.Tensor4D {
  const size = tf.util.sizeFromShape(shape);
  return tensorOf(data.distinct(size, seed).map((value) => 8 * value + Math.floor(size / 2)), shape); // prettier-ignore
}

function tensorOf(values: Float64Array, shape: number[]): tf.Tensor4D {
  return tf.tensor(Float32Array.from(values), shape as tf.Tensor4D['shape']);
}

/** The filter with zeros between its taps, so that its dilation is 1. */
export function upsampled(filter: tf.Tensor4D, [height, width]: number[]): tf.Tensor4D {
  return spread(spread(filter, 0, height), 1, width);
}

/** t with step - 1 zeros between its elements along the axis. */
function spread(t: tf.Tensor4D, axis: number, step: number): tf.Tensor4D {
  const size = t.shape[axis];
  const sizeAfter = tf.util.sizeFromShape(t.shape.slice(axis + 1));
  const columns = tf.reshape(t, [-1, size, 1, sizeAfter]);
  const padded = tf.pad(columns, [[0, 0], [0, 0], [0, step - 1], [0, 0]]); // prettier-ignore
  const all = tf.reshape(padded, [-1, size * step, sizeAfter]);
  const shape = t.shape.map((n, i) => (i === axis ? (n - 1) * step + 1 : n));
  return tf.reshape(tf.slice(all, 0, [-1, shape[axis], -1]), shape as tf.Tensor4D['shape']);
}

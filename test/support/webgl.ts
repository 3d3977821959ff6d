/**
 * Helpers of the specs for webgl only: subjects that run together and are then read, other kinds of WebGL, internals of the
 * backend.
 */
import { GPGPUContext, MathBackendWebGL, setWebGLContext } from '@tensorflow/tfjs-backend-webgl';
import type { Subject } from '../../kernels/proof.js';
import { OWN } from '../../kernels/registry.js';
import { boundOf, inputsOf } from '../../src/verify/compare-kernels.js';
import { integers } from '../../src/verify/data.js';
import { compare, describeWorst } from '../../src/verify/exact.js';
import { runSubject } from '../../src/verify/prove.js';
import { tf } from './tfjs.js';

export type Flags = Record<string, number | boolean>;

/** The parts of the active backend that specs look at. Its types do not have all of them. */
export interface Inside {
  numDataIds(): number;
  binaryCache: Record<string, unknown>;
  gpgpu: { gl: WebGL2RenderingContext; executeProgram(): void };
  textureManager: { getNumUsedTextures(): number };
  texData: tf.DataStorage<unknown>;
}
export const inside = () => tf.backend() as unknown as Inside;

/** Milliseconds. Without a GPU, the compilation of one shader takes 50 to 200 ms. */
export const PATIENCE = 300_000;

/** Number of kernels that run before the specs wait for the results of all of them. */
const TOGETHER = 48;

/** With this flag tfjs compiles its own programs, which pack and unpack textures, once. Without it, once for each shape. */
const SHAPES_FLAG = 'WEBGL_USE_SHAPES_UNIFORMS';

/**
 * Complaints about our kernels on these subjects, on whole numbers. The results must be equal to the definition. If the
 * subject is not exact (the GPU divides, for example), they must be within the derived bound.
 * @param max largest magnitude of the whole numbers
 * @param largest subjects whose definition gives a larger magnitude are left out
 * @param compilesOnce whether tfjs compiles its own programs once for all shapes
 * @returns at most five complaints
 */
export async function complaints(
  all: readonly Subject[],
  { max = 4, largest = Infinity, compilesOnce = true } = {},
): Promise<string[]> {
  const shapesFlag = tf.env().getBool(SHAPES_FLAG);
  tf.env().set(SHAPES_FLAG, compilesOnce);
  const wrong: string[] = [];
  for (let i = 0; i < all.length && wrong.length < 5; i += TOGETHER) {
    const some = all.slice(i, i + TOGETHER).map((subject) => {
      const values = inputsOf(subject, (size, i) => integers(size, i + 1, max));
      return { subject, values, want: subject.definition(values) };
    });
    const served = some.filter(({ want }) => want.every((value) => !(Math.abs(value) > largest)));
    const results = await Promise.all(served.map(({ subject, values }) => runSubject(subject, OWN, values)));
    served.forEach(({ subject, values, want }, k) => {
      const worst = compare(results[k], want, subject.exact ? undefined : boundOf(subject, values));
      if (worst.error > (subject.exact ? 0 : 1))
        wrong.push(`${subject.kernelName} ${subject.caseName}: ${describeWorst(worst)}`);
    });
  }
  tf.env().set(SHAPES_FLAG, shapesFlag);
  return wrong.slice(0, 5);
}

/**
 * Runs f on a new backend that has the same kernels. The backend is made with these flags. All other flags are evaluated
 * again.
 * @param gl the context of the backend. By default its context and its programs are those of 'webgl'.
 */
export async function withFlags(
  flags: Flags,
  f: () => Promise<void>,
  gl?: () => WebGLRenderingContext,
): Promise<void> {
  const saved = { ...tf.env().getFlags() };
  tf.env().setFlags(flags);
  tf.registerBackend('variant', () => new MathBackendWebGL(gl && new GPGPUContext(gl())));
  tf.copyRegisteredKernels('webgl', 'variant');
  try {
    await tf.setBackend('variant');
    await f();
  } finally {
    tf.env().setFlags(saved);
    await tf.setBackend('webgl');
    tf.removeBackend('variant');
    tf.getKernelsForBackend('variant').forEach(({ kernelName }) =>
      tf.unregisterKernel(kernelName, 'variant'),
    );
  }
}

/** withFlags, in a context of its own, which has no programs yet. It is lost afterwards: a browser keeps few contexts. */
export async function onNewContext(f: () => Promise<void>, flags: Flags = {}): Promise<void> {
  const shared = inside().gpgpu.gl;
  const canvas = document.createElement('canvas');
  const attributes = { alpha: false, antialias: false, depth: false };
  const make = () =>
    canvas.getContext(flags.WEBGL_VERSION === 1 ? 'webgl' : 'webgl2', attributes) as WebGLRenderingContext;
  const withoutFences = { WEBGL_FENCE_API_ENABLED: false, WEBGL_DISJOINT_QUERY_TIMER_EXTENSION_VERSION: 0 };
  try {
    await withFlags({ ...withoutFences, ...flags }, f, make);
  } finally {
    make().getExtension('WEBGL_lose_context')?.loseContext();
    setWebGLContext(2, shared); // tfjs makes its next backend in the context that it saw last
  }
}

/** What a kernel gives: dtype and shape, and the values. */
export interface Result {
  kind: string;
  values: ArrayLike<number>;
}

/** dtype and shape */
export const kindOf = ({ dtype, shape }: tf.Tensor) => `${dtype} [${shape}]`;

/** The results of f. */
export function resultsOf(f: () => tf.Tensor[]): Result[] {
  const results: Result[] = [];
  tf.tidy(() => {
    for (const t of f()) results.push({ kind: kindOf(t), values: t.dataSync() as Float32Array });
  });
  return results;
}

export function expectEqual(got: Result[], want: Result[], name: string): void {
  expect(got.map(({ kind }) => kind)).toEqual(want.map(({ kind }) => kind));
  got.forEach(({ values }, i) => {
    const worst = compare(values, want[i].values);
    expect(worst.error)
      .withContext(`${name}: ${describeWorst(worst)}`)
      .toBe(0);
  });
}

export function forgetPrograms(): void {
  const { gpgpu, binaryCache } = inside() as unknown as {
    gpgpu: MathBackendWebGL['gpgpu'];
    binaryCache: Record<string, { webGLProgram: Parameters<MathBackendWebGL['gpgpu']['deleteProgram']>[0] }>;
  };
  for (const key of Object.keys(binaryCache)) {
    gpgpu.deleteProgram(binaryCache[key].webGLProgram);
    delete binaryCache[key];
  }
}

/** The outputs of the subject's kernel. `prefix` is as in `prove`. */
export const runOn = (prefix: string, { kernelName, attrs }: Subject, inputs: tf.NamedTensorMap) =>
  [tf.engine().runKernel(prefix + kernelName, inputs, attrs)].flat() as tf.Tensor[];

/** New tensors for a subject, always of the same values. */
export const tensorsOf = ({ inputs }: Subject): tf.NamedTensorMap =>
  Object.fromEntries(Object.entries(inputs).map(([name, shape], i) => [name, numbers([...shape], i + 1)]));

/** Whole numbers. */
export const numbers = (shape: number[], seed: number) =>
  tf.tensor<tf.Rank>(Float32Array.from(integers(tf.util.sizeFromShape(shape), seed)), shape) as tf.Tensor4D;

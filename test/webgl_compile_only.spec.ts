/**
 * Specs of compiling ahead. With the flag ENGINE_COMPILE_ONLY a dummy run compiles its programs, and draws nothing. A run after it
 * compiles nothing.
 */
import type { MathBackendWebGL } from '@tensorflow/tfjs-backend-webgl';
import type { Subject } from '../kernels/proof.js';
import { OWN } from '../kernels/registry.js';
import { TARGETS_FLAG } from '../kernels/runtime/webgl/texels.js';
import { subjectsOn } from '../kernels/subjects.js';
import { avgPool, conv2d, maxPool } from '../src/index.js';
import { registerOwn } from '../src/ops.js';
import { shareOf } from './support/share.js';
import { tf, whileInstalled } from './support/tfjs.js';
import {
  expectEqual,
  type Flags,
  forgetPrograms,
  inside,
  kindOf,
  numbers,
  onNewContext,
  PATIENCE,
  type Result,
  resultsOf,
  runOn,
  tensorsOf,
} from './support/webgl.js';

type T4 = tf.Tensor4D;

/** What a driver answers only when it has compiled. */
const WAITS = ['getShaderParameter', 'getProgramParameter', 'getUniformLocation', 'getAttribLocation'];

/** Makes a dummy run of f, and returns the kinds of its results. It must leave nothing behind. */
function compileAhead(f: () => tf.Tensor[]): string[] {
  const before = counts();
  const kinds: string[] = [];
  tf.env().set('ENGINE_COMPILE_ONLY', true);
  try {
    tf.tidy(() => void kinds.push(...f().map(kindOf)));
  } finally {
    tf.env().set('ENGINE_COMPILE_ONLY', false);
  }
  expect(counts()).withContext('tensors, data ids, textures after a dummy run').toEqual(before);
  return kinds;
}

const counts = () => [
  tf.memory().numTensors,
  inside().numDataIds(),
  inside().textureManager.getNumUsedTextures(),
];

async function complete(): Promise<void> {
  const backend = tf.backend() as MathBackendWebGL;
  await backend.checkCompileCompletionAsync();
  backend.getUniformLocations();
}

/** The results of f after a dummy run. It must compile nothing. */
function resultsAfter(dummy: string[], name: string, f: () => tf.Tensor[]): Result[] {
  const results = resultsOf(() => {
    let tensors: tf.Tensor[] = [];
    const compiled = callsOf(['compileShader', 'linkProgram'], () => (tensors = f()));
    expect(compiled).withContext(`what ${name} compiles after a dummy run`).toEqual([]);
    return tensors;
  });
  expect(dummy)
    .withContext(`results of the dummy run of ${name}`)
    .toEqual(results.map(({ kind }) => kind));
  return results;
}

/** The calls of the context's methods that f makes. */
function callsOf(methods: readonly string[], f: () => void): string[] {
  const gl = inside().gpgpu.gl as unknown as Record<string, (...args: unknown[]) => unknown>;
  const calls: string[] = [];
  for (const method of methods) {
    const original = gl[method];
    gl[method] = (...args) => {
      calls.push(method);
      return original.apply(gl, args);
    };
  }
  try {
    f();
  } finally {
    for (const method of methods) delete gl[method];
  }
  return calls;
}

const programs = () => Object.keys(inside().binaryCache).sort();

/** Number of kernels that are compiled ahead before the specs wait for all of them. */
const TOGETHER = 32;

/** Compiles each kernel ahead, runs it, and compares its results with those of a run on tensors that have been in no dummy run. */
async function checkAll(subjects: readonly Subject[], prefix: string): Promise<void> {
  for (let i = 0; i < subjects.length; i += TOGETHER) {
    const dummies = subjects.slice(i, i + TOGETHER).map((subject) => {
      const inputs = tensorsOf(subject);
      return { subject, inputs, kinds: compileAhead(() => runOn(prefix, subject, inputs)) };
    });
    await complete();
    for (const { subject, inputs, kinds } of dummies) {
      const name = `${subject.kernelName} ${subject.caseName}`;
      const got = resultsAfter(kinds, name, () => runOn(prefix, subject, inputs));
      tf.dispose(inputs);
      expectEqual(got, resultsOf(() => runOn(prefix, subject, tensorsOf(subject))), name); // prettier-ignore
    }
  }
}

/** Tensors that have been nowhere yet, each for several uses. */
const uploads = () => ({
  x: numbers([2, 12, 13, 3], 1),
  filter: numbers([3, 3, 3, 8], 2),
  taps: numbers([3, 3, 3, 1], 3),
  flat: numbers([2 * 6 * 35], 4),
  column: numbers([64, 1], 5),
  bias: numbers([8], 6),
  one: numbers([], 7),
});
type Uploads = ReturnType<typeof uploads>;

/** Uses of the same tensors, by our ops and by tfjs's. */
const USES: Record<string, (inputs: Uploads) => tf.Tensor[]> = {
  'one tensor, by several kernels': ({ x, filter, taps }) => [
    tf.conv2d(x, filter, 1, 'same'),
    tf.maxPool(x, 3, 1, 'same'),
    tf.avgPool(x, 2, 2, 'valid'),
    tf.depthwiseConv2d(x, taps, 1, 'same'),
    conv2d(x, filter, { strides: 2 }),
    tf.maxPoolWithArgmax(x, 2, 2, 'same').indexes,
  ],
  'one tensor, first by tfjs, unpacked': ({ x, filter }) => [tf.sum(x, 3), tf.conv2d(x, filter, 1, 'same')],
  'one tensor, first by tfjs, packed': ({ x, filter }) => [tf.add(x, 1), tf.conv2d(x, filter, 1, 'same')],
  'one tensor, then by tfjs': ({ x, filter }) => [
    tf.conv2d(x, filter, 1, 'same'),
    tf.sum(x, 3),
    tf.add(x, 1),
  ],
  'slices of it': ({ flat, filter }) => {
    const x = tf.reshape<tf.Rank.R4>(flat, [4, 5, 7, 3]);
    const parts = [2, 1].map((size) => tf.slice<tf.Rank.R4, T4>(x, [1, 0, 0, 0], [size, 5, 7, 3]));
    const tiny = tf.slice(flat, 3, 4);
    return [
      conv2d(parts[0], filter),
      maxPool(parts[1], 2),
      maxPool(tf.reshape<tf.Rank.R4>(tiny, [1, 2, 2, 1]), 1),
      maxPool(tf.reshape<tf.Rank.R4>(tiny, [1, 1, 2, 2]), 1, { dataFormat: 'NCHW' }),
    ];
  },
  'a column of values': ({ column }) => [
    maxPool(tf.reshape<tf.Rank.R4>(column, [1, 8, 8, 1]), 2),
    avgPool(tf.reshape<tf.Rank.R4>(column, [1, 8, 8, 1]), 2),
  ],
  'a column of values, in NCHW': ({ column }) => [
    maxPool(tf.reshape<tf.Rank.R4>(column, [1, 1, 8, 8]), 2, { dataFormat: 'NCHW' }),
    avgPool(tf.reshape<tf.Rank.R4>(column, [1, 1, 8, 8]), 2, { dataFormat: 'NCHW' }),
  ],
  'bias of a vector and of one value': ({ x, filter, bias, one }) => [
    tf.fused.conv2d({ x, filter, strides: 1, pad: 'same', bias: bias as tf.Tensor, activation: 'relu' }),
    conv2d(x, filter, { bias: one, activation: 'tanh' }),
    conv2d(x, filter, { bias: one, activation: 'prelu', preluActivationWeights: bias } as object),
  ],
  'a tensor as both inputs': ({ x }) => [
    conv2d(x, tf.reshape<tf.Rank.R4>(x, [12, 13, 3, 2]), { pad: 'same' }),
    conv2d(x, tf.reshape<tf.Rank.R4>(x, [13, 8, 3, 3]), { pad: 'same' }),
  ],
  'a step of training': ({ x, filter, taps }) => {
    const loss = (x: tf.Tensor, filter: tf.Tensor, taps: tf.Tensor) => {
      const y = tf.relu(
        tf.conv2d(tf.depthwiseConv2d(x as T4, taps as T4, 1, 'same'), filter as T4, 1, 'same'),
      );
      return tf.sum(tf.square(tf.add(tf.maxPool(y as T4, 2, 2, 'same'), tf.avgPool(y as T4, 2, 2, 'same'))));
    };
    const { value, grads } = tf.valueAndGrads(loss)([x, filter, taps]);
    return [value, ...grads];
  },
};

describe('webgl compiles ahead', () => {
  if (!tf.env().getBool('HAS_WEBGL')) {
    it('is skipped', () => pending('there is no webgl here'));
    return;
  }

  beforeAll(async () => {
    await tf.setBackend('webgl');
    registerOwn();
  });

  const all = subjectsOn('webgl');
  const fitting = all.filter(({ outShape, inputs }) =>
    [outShape, ...Object.values(inputs)].every((shape) => tf.util.sizeFromShape([...shape]) < 64 * 64),
  );
  const kinds: [title: string, prefix: string, subjects: readonly Subject[], flags: Flags][] = [
    ['our own ops', OWN, all, {}],
    ["kernels in tfjs's place", '', all, {}],
    ['webgl 1', OWN, fitting, { WEBGL_VERSION: 1 }],
    ['half-float textures', OWN, fitting, { WEBGL_FORCE_F16_TEXTURES: true }],
    ['simple programs', OWN, fitting, { [TARGETS_FLAG]: 0 }],
    ['four targets', OWN, fitting, { [TARGETS_FLAG]: 4 }],
    ['small textures', OWN, fitting, { WEBGL_MAX_TEXTURE_SIZE: 64 }],
  ];
  for (const [title, prefix, subjects, flags] of kinds) {
    it(
      `the programs of ${title}`,
      () => whileInstalled(() => onNewContext(() => checkAll(shareOf(subjects, 20), prefix), flags)),
      PATIENCE,
    );
  }

  for (const [title, use] of Object.entries(USES)) {
    it(
      `exactly the programs that use ${title}`,
      async () => {
        const check = async () => {
          let want: string[] = [];
          const plain = resultsOf(() => {
            const tensors = use(uploads());
            want = programs();
            return tensors;
          });
          forgetPrograms();
          const given = uploads();
          const kinds = compileAhead(() => use(given));
          const compiled = programs();
          const without = (some: string[], others: string[]) => some.filter((key) => !others.includes(key));
          expect(without(compiled, want)).withContext('programs that no run needs').toEqual([]);
          expect(without(want, compiled)).withContext('programs that are missing').toEqual([]);
          await complete();
          const results = resultsAfter(kinds, title, () => use(given));
          expectEqual(results, plain, title);
          tf.dispose(Object.values(given));
        };
        await whileInstalled(() => onNewContext(check, { WEBGL_CPU_FORWARD: false }));
      },
      PATIENCE,
    );
  }

  it('without waiting for the driver, and without drawing', async () => {
    const check = async () => {
      const given = uploads();
      resultsOf(() => [maxPool(given.x, 2)]); // compiles tfjs's vertex shader
      const step = () => USES['a step of training'](given);
      expect(callsOf([...WAITS, 'drawElements'], () => compileAhead(step))).toEqual([]);
      tf.dispose(Object.values(given));
    };
    await whileInstalled(() => onNewContext(check));
  });

  it('programs that a run completes by itself, if nobody did', async () => {
    await onNewContext(async () => {
      const { x, filter, bias } = uploads();
      const f = () => [conv2d(x, filter, { bias })];
      const want = resultsOf(f); // x, filter and bias are uploaded now
      forgetPrograms();
      compileAhead(f);
      expectEqual(resultsOf(f), want, 'conv2d');
    });
  });
});

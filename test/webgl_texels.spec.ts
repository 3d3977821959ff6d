/** Specs of the packed webgl programs: every variant, the possible contents of their textures, what they leave behind. */
import { MathBackendWebGL } from '@tensorflow/tfjs-backend-webgl';
import type { ConvCase } from '../kernels/conv2d/cases.js';
import type { PoolCase } from '../kernels/max_pool/cases.js';
import { TARGETS_FLAG } from '../kernels/runtime/webgl/texels.js';
import { conv2d, maxPool } from '../src/index.js';
import { registerOwn } from '../src/ops.js';
import { integers } from '../src/verify/data.js';
import { compare } from '../src/verify/exact.js';
import { avgPoolSubjects } from '../kernels/avg_pool/subjects.js';
import { convSubjects } from '../kernels/conv2d/subjects.js';
import { depthwiseSubjects } from '../kernels/depthwise_conv2d/subjects.js';
import { maxPoolSubjects } from '../kernels/max_pool/subjects.js';
import type { Subject } from '../kernels/proof.js';
import { subjectsOn } from '../kernels/subjects.js';
import { shareOf } from './support/share.js';
import { installed, tf } from './support/tfjs.js';
import { complaints, inside, PATIENCE, withFlags } from './support/webgl.js';

type T4 = tf.Tensor4D;

/**
 * Shapes that the named cases do not have: groups of taps, many blocks, strides and dilations with and without a common
 * divisor.
 */
const CONVS: ConvCase[] = [
  { name: '3x39', x: [1, 5, 40, 3], filter: [3, 39, 3, 4], pad: 'same' },
  { name: '1x8', x: [2, 3, 9, 2], filter: [1, 8, 2, 9], pad: 'same' },
  { name: '5x9, stride 2', x: [1, 9, 17, 5], filter: [5, 9, 5, 3], pad: 'same', strides: 2 },
  { name: 'stride 3', x: [2, 10, 11, 4], filter: [4, 4, 4, 17], strides: 3, pad: 1 },
  { name: 'stride 4, dilation 2', x: [1, 13, 14, 3], filter: [3, 5, 3, 5], strides: 4, dilations: 2, pad: 3 },
  {
    name: 'stride 3, dilation 2',
    x: [1, 13, 14, 3],
    filter: [3, 5, 3, 5],
    strides: 3,
    dilations: 2,
    pad: 'same',
  },
  { name: 'dilation 3', x: [1, 12, 20, 2], filter: [3, 8, 2, 3], dilations: 3, pad: 'same' },
  { name: 'one column', x: [3, 7, 1, 6], filter: [3, 1, 6, 33] },
  { name: 'three columns', x: [1, 4, 3, 33], filter: [1, 1, 33, 34] },
  { name: 'many blocks', x: [3, 9, 19, 9], filter: [3, 3, 9, 35], pad: 'same' },
  { name: 'one channel', x: [2, 9, 13, 1], filter: [3, 3, 1, 9], pad: 'same' },
  { name: 'two channels to one', x: [1, 9, 12, 2], filter: [3, 3, 2, 1], dilations: 2, pad: 'same' },
  { name: 'one row, one channel', x: [1, 6, 11, 1], filter: [1, 3, 1, 2], pad: 'same' },
  { name: 'no padding', x: [1, 6, 15, 3], filter: [3, 3, 3, 10] },
  { name: 'padding at the right alone', x: [1, 5, 8, 3], filter: [2, 2, 3, 4], pad: 'same' },
  { name: '1x1', x: [2, 5, 11, 6], filter: [1, 1, 6, 18] },
  { name: '1x1, stride 2', x: [1, 7, 10, 5], filter: [1, 1, 5, 7], strides: 2 },
  { name: '1x1, pad 1', x: [1, 4, 5, 4], filter: [1, 1, 4, 3], pad: 1 },
  { name: 'negative pads', x: [1, 9, 9, 3], filter: [2, 2, 3, 3], pad: [[0, 0], [-1, 0], [-3, 1], [0, 0]] }, // prettier-ignore
];

/** Whole and partial blocks, rows of taps in one group and in several, every phase of stride 2, and strides that have no program. */
const DEPTHWISE: ConvCase[] = [
  { name: 'many blocks', x: [2, 13, 19, 9], filter: [3, 3, 9, 1], pad: 'same' },
  { name: 'no padding', x: [1, 11, 15, 4], filter: [3, 3, 4, 1] },
  { name: 'stride 2, even sizes', x: [2, 14, 18, 6], filter: [3, 3, 6, 1], strides: 2, pad: 'same' },
  { name: 'stride 2, odd sizes', x: [1, 13, 17, 5], filter: [3, 3, 5, 1], strides: 2, pad: 'same' },
  { name: 'strides [2, 1]', x: [1, 9, 11, 3], filter: [3, 4, 3, 1], strides: [2, 1], pad: 'same' },
  { name: 'strides [1, 2], pad 2', x: [1, 9, 11, 3], filter: [4, 3, 3, 1], strides: [1, 2], pad: [1, 2] },
  { name: 'stride 3', x: [2, 13, 14, 3], filter: [3, 3, 3, 1], strides: 3, pad: 'same' },
  { name: '5x5', x: [1, 11, 13, 4], filter: [5, 5, 4, 1], pad: 'same' },
  { name: '5x5, stride 2', x: [1, 12, 13, 4], filter: [5, 5, 4, 1], strides: 2, pad: 'same' },
  { name: '7x7', x: [1, 12, 11, 3], filter: [7, 7, 3, 1], pad: 'same' },
  { name: '3x39', x: [1, 5, 40, 3], filter: [3, 39, 3, 1], pad: 'same' },
  { name: '1x2', x: [1, 4, 5, 3], filter: [1, 2, 3, 1] },
  { name: '1x18', x: [1, 3, 40, 3], filter: [1, 18, 3, 1], pad: 'same' },
  { name: 'one row', x: [2, 1, 30, 5], filter: [1, 5, 5, 1], pad: 'same' },
  { name: 'one row, stride 2', x: [2, 1, 30, 5], filter: [1, 5, 5, 1], strides: 2, pad: 'same' },
  { name: 'one column', x: [2, 30, 1, 5], filter: [5, 1, 5, 1], strides: 2, pad: 'same' },
  { name: 'dilation 2', x: [1, 13, 14, 3], filter: [3, 3, 3, 1], dilations: 2, pad: 'same' },
  { name: 'dilation 3, pad 4', x: [1, 10, 9, 3], filter: [3, 3, 3, 1], dilations: 3, pad: 4 },
  {
    name: 'stride 2, dilation 2',
    x: [1, 12, 14, 3],
    filter: [3, 3, 3, 1],
    strides: 2,
    dilations: 2,
    pad: 'same',
  },
  { name: 'stride 2, dilation 3', x: [1, 15, 16, 3], filter: [3, 3, 3, 1], strides: 2, dilations: 3, pad: 3 },
  { name: 'negative pads', x: [1, 12, 12, 3], filter: [3, 3, 3, 1], strides: 2, pad: [[0, 0], [-1, 0], [-3, 1], [0, 0]] }, // prettier-ignore
];

const POOLS: PoolCase[] = [
  { name: '9 wide', x: [1, 5, 12, 3], filterSize: [2, 9], strides: 1, pad: 'same' },
  { name: '8 wide, stride 2', x: [2, 6, 19, 2], filterSize: [3, 8], strides: 2, pad: 2 },
  { name: '7x7, stride 3', x: [1, 14, 15, 3], filterSize: 7, strides: 3, pad: 'same' },
  { name: '2x2, stride 2, pad 1', x: [1, 6, 8, 2], filterSize: 2, strides: 2, pad: 1 },
  {
    name: '3x3, stride 2, dilation 3',
    x: [1, 15, 16, 3],
    filterSize: 3,
    strides: 2,
    dilations: 3,
    pad: 'same',
  },
  { name: 'wider than what is unrolled', x: [1, 3, 40, 2], filterSize: [2, 20], strides: 1, pad: 'same' },
  { name: 'negative pads', x: [1, 9, 9, 3], filterSize: 2, strides: 3, pad: [[0, 0], [-1, 0], [-4, 1], [0, 0]] }, // prettier-ignore
];

const own = () => [
  ...CONVS.flatMap(convSubjects),
  ...DEPTHWISE.flatMap(depthwiseSubjects),
  ...POOLS.flatMap(maxPoolSubjects),
  ...POOLS.flatMap(avgPoolSubjects),
];

/** Number of passes that f draws. */
function drawsOf(f: () => void): number {
  const { gpgpu } = inside();
  const { executeProgram } = gpgpu;
  let draws = 0;
  gpgpu.executeProgram = () => {
    draws++;
    executeProgram.call(gpgpu);
  };
  try {
    f();
  } finally {
    gpgpu.executeProgram = executeProgram;
  }
  return draws;
}

const packed = (shape: number[], seed = 1) =>
  tf.tidy(() =>
    tf.mul(tf.tensor(Float32Array.from(integers(tf.util.sizeFromShape(shape), seed)), shape), 1),
  ) as T4;

describe('packed webgl', () => {
  if (!tf.env().getBool('HAS_WEBGL')) {
    it('is skipped', () => pending('there is no webgl here'));
    return;
  }

  beforeAll(async () => {
    await tf.setBackend('webgl');
    registerOwn();
  });

  it(
    'is right on shapes of many blocks',
    async () => {
      expect(tf.env().getNumber(TARGETS_FLAG)).toBe(8);
      expect(await complaints(own())).toEqual([]);
    },
    PATIENCE,
  );

  for (const targets of [0, 1, 4]) {
    it(
      `is right with ${targets} targets`,
      async () => {
        const small = subjectsOn('webgl').filter(
          ({ exact, caseName }, i) => exact && caseName !== 'digits' && i % 3 === 0,
        );
        await withFlags({ [TARGETS_FLAG]: targets }, async () => {
          expect(tf.env().getNumber(TARGETS_FLAG)).toBe(targets);
          const all = targets === 0 ? own() : shareOf([...own(), ...small], 3);
          expect(await complaints(all, { max: 2 })).toEqual([]);
        });
      },
      PATIENCE,
    );
  }

  it(
    'is right in textures that hold several rows to a line',
    async () => {
      await withFlags({ WEBGL_MAX_TEXTURE_SIZE: 48 }, async () => {
        const fitting = (s: Subject) =>
          [s.outShape, ...Object.values(s.inputs)].every(
            (shape) => tf.util.sizeFromShape([...shape]) < 48 * 48,
          );
        const all = own().filter(fitting);
        expect(all.length).toBeGreaterThan(40);
        expect(await complaints(shareOf(all, 3))).toEqual([]);
      });
    },
    PATIENCE,
  );

  it('reads the right texels of the largest textures', async () => {
    const most = tf.env().getNumber('WEBGL_MAX_TEXTURE_SIZE');
    const run = async (backendName: string) => {
      await tf.setBackend(backendName);
      return tf.tidy(() =>
        [
          [1, 1, 2 * most - 2, 2],
          [1, 1, 2, 2 * most - 2],
        ].map((shape) => {
          const x = tf.reshape<tf.Rank.R4>(tf.range(0, tf.util.sizeFromShape(shape)), shape as T4['shape']);
          return Array.from(maxPool(x, [1, 2], { strides: [1, 2] }).dataSync());
        }),
      );
    };
    const want = await run('cpu');
    expect(await run('webgl')).toEqual(want);
  });

  it('does not read what stands past odd sizes, and leaves 0 there', async () => {
    const run = async (backendName: string) => {
      await tf.setBackend(backendName);
      // Past the width and the channels stands 0. tfjs takes its logarithm too, so -Infinity stands there.
      const odd = (shape: number[], seed: number) =>
        tf.add(packed(shape, seed), tf.log(tf.mul(tf.ones(shape), 1))) as T4;
      const results = tf.tidy(() => {
        const [x, filter, taps] = [odd([1, 5, 7, 3], 1), odd([3, 3, 3, 5], 2), odd([3, 3, 1, 3], 6)];
        const loss = (x: tf.Tensor, filter: tf.Tensor) => {
          const y = conv2d(x as T4, filter as T4, { pad: 'same' });
          return tf.sum(tf.mul(odd([1, 3, 4, 5], 3), maxPool(y, 2, { pad: 'same' })));
        };
        const { value, grads } = tf.valueAndGrads(loss)([x, filter]);
        const ofOddDy = (filter: T4, groups: number, dy: T4) => {
          const f = (x: tf.Tensor, filter: tf.Tensor) =>
            conv2d(x as T4, filter as T4, { pad: 'same', groups });
          return [f(x, filter), ...tf.grads(f)([x, filter], dy)];
        };
        const direct = [
          ...ofOddDy(filter, 1, odd([1, 5, 7, 5], 7)),
          ...ofOddDy(taps, 3, odd([1, 5, 7, 3], 8)),
        ];
        const y = tf.reshape<tf.Rank.R2>(conv2d(odd([1, 1, 3, 5], 4), odd([1, 1, 5, 3], 5)), [3, 3]);
        const product = tf.matMul(y, y); // reads the values past the edges of its factors
        return [value, ...grads, ...direct, product].map((t) => Array.from(t.dataSync()));
      });
      return results;
    };
    const want = await run('cpu');
    const forward = tf.env().getBool('WEBGL_CPU_FORWARD');
    tf.env().set('WEBGL_CPU_FORWARD', false); // otherwise small tensors are computed on the CPU and uploaded clean
    try {
      expect(await run('webgl')).toEqual(want);
    } finally {
      tf.env().set('WEBGL_CPU_FORWARD', forward);
    }
  });

  it('reads one upload in several shapes, and slices with an offset', async () => {
    const run = async (backendName: string) => {
      await tf.setBackend(backendName);
      return tf.tidy(() => {
        const flat = tf.tensor1d(Float32Array.from(integers(6 * 35, 5)));
        const filter = tf.tensor4d(Float32Array.from(integers(30, 6)), [1, 2, 5, 3]);
        const one = conv2d(tf.reshape<tf.Rank.R4>(flat, [1, 6, 7, 5]), filter);
        const other = conv2d(tf.reshape<tf.Rank.R4>(flat, [2, 7, 3, 5]), filter);
        const part = tf.slice4d(tf.reshape<tf.Rank.R4>(flat, [3, 2, 7, 5]), [1, 0, 0, 0], [2, 2, 7, 5]);
        const all = [one, other, conv2d(part, filter), maxPool(part, 2)];
        return all.map((t) => Array.from(t.dataSync()));
      });
    };
    const want = await run('cpu');
    expect(await run('webgl')).toEqual(want);
  });

  it('searches for maxima once in a training step', () => {
    const x = packed([2, 8, 8, 4]);
    const dy = packed([2, 4, 4, 4], 2);
    const pool = (x: tf.Tensor) => maxPool(x as T4, 2);
    tf.dispose(tf.grad(pool)(x, dy)); // compiles
    const draws = drawsOf(() => tf.dispose(tf.grad(pool)(x, dy)));
    expect(draws).toBe(2); // the op, which writes the positions too, and the gradient
    tf.dispose([x, dy]);
  });

  it('keeps the positions of each pooling apart', async () => {
    const f = (x: tf.Tensor) => {
      const once = maxPool(x as T4, 2);
      const again = maxPool(x as T4, 3, { strides: 1 });
      return tf.add(tf.sum(tf.square(once)), tf.sum(maxPool(again, 2, { strides: 1 })));
    };
    const run = async (backendName: string) => {
      await tf.setBackend(backendName);
      return tf.tidy(() =>
        Array.from(
          tf
            .grad(f)(packed([1, 8, 8, 3], 7))
            .dataSync(),
        ),
      );
    };
    const want = await run('cpu');
    expect(await run('webgl')).toEqual(want);
  });

  it('lets positions go that no gradient has asked for', () => {
    const count = () => [inside().numDataIds(), inside().textureManager.getNumUsedTextures()];
    const x = packed([1, 8, 8, 2]);
    const recorded = () =>
      tf.tidy(() => {
        tf.valueAndGrad((x) => {
          maxPool(x as T4, 2);
          return tf.sum(x);
        })(x);
      });
    recorded();
    maxPool(x, 2).dispose();
    const before = count();
    for (let i = 0; i < 5; i++) recorded();
    maxPool(x, 2).dispose();
    expect(count()).toEqual(before);
    x.dispose();
  });

  it('compiles nothing for new sizes', () => {
    const step = (n: number) =>
      tf.tidy(() => {
        const x = tf.ones<tf.Rank.R4>([2, n, n + 2, 2 * n]);
        const filter = tf.ones<tf.Rank.R4>([3, 3, 2 * n, n]);
        const taps = tf.ones<tf.Rank.R4>([3, 3, 1, n]);
        const f = (x: tf.Tensor, filter: tf.Tensor, taps: tf.Tensor) => {
          const y = conv2d(x as T4, filter as T4, { pad: 'same' });
          return maxPool(conv2d(y, taps as T4, { pad: 'same', groups: n }), 2);
        };
        tf.grads(f)([x, filter, taps]);
      });
    const compiled = () =>
      Object.keys(inside().binaryCache).filter((key) => key.startsWith('convgrad')).length;
    step(10);
    const before = compiled();
    for (let i = 1; i <= 8; i++) step(10 + 2 * i);
    expect(before).toBeGreaterThan(5);
    expect(compiled()).toBe(before);
  });

  it('leaves the state of the context as it was', async () => {
    const { gl } = inside().gpgpu;
    const [x, filter] = [packed([2, 9, 9, 8]), packed([3, 3, 8, 16], 2)];
    tf.tidy(() => conv2d(x, filter));
    for (let i = 1; i < 8; i++) {
      expect(gl.getParameter(gl.DRAW_BUFFER0 + i))
        .withContext(`draw buffer ${i}`)
        .toBe(gl.NONE);
      const type = gl.getFramebufferAttachmentParameter(
        gl.FRAMEBUFFER,
        gl.COLOR_ATTACHMENT0 + i,
        gl.FRAMEBUFFER_ATTACHMENT_OBJECT_TYPE,
      );
      expect(type).withContext(`attachment ${i}`).toBe(gl.NONE);
    }
    expect(gl.getError()).toBe(gl.NO_ERROR);
    const [ours, theirs] = [conv2d(x, filter), tf.conv2d(x, filter, 1, 'valid')];
    expect(compare(await ours.data(), await theirs.data()).error).toBe(0);
    tf.dispose([x, filter, ours, theirs]);
  });

  it('refuse a number of targets that is none', () => {
    for (const wrong of [-1, 9, 2.5, NaN, 'four']) {
      tf.env().set(TARGETS_FLAG, wrong as number);
      expect(() => tf.tidy(() => maxPool(tf.ones<tf.Rank.R4>([1, 4, 4, 1]), 2))).toThrowError(
        `tfjs-convgrad: the flag ${TARGETS_FLAG} is ${wrong}, but it must be a whole number from 0 to 8.`,
      );
    }
    tf.env().set(TARGETS_FLAG, 8);
  });

  it('sums in floats again after half floats', async () => {
    await withFlags({ WEBGL_RENDER_FLOAT32_ENABLED: false }, async () => {
      const sum = () =>
        tf.tidy(
          () =>
            conv2d(
              tf.fill<tf.Rank.R4>([1, 1, 8, 3], 91),
              tf.fill<tf.Rank.R4>([1, 1, 3, 16], 15),
            ).dataSync()[0],
        );
      // 4095 is no half float. Drivers round it up or down.
      expect([4094, 4096]).toContain(sum());
      tf.env().set('WEBGL_RENDER_FLOAT32_ENABLED', true);
      expect(sum()).toBe(91 * 15 * 3);
    });
  });

  it('is measured by tf.time, draw by draw', async () => {
    const backend = tf.backend() as MathBackendWebGL;
    const [x, filter] = [packed([2, 9, 9, 8]), packed([3, 3, 8, 16], 2)];
    const measured = spyOn(
      backend as unknown as { getQueryTime(): unknown },
      'getQueryTime',
    ).and.callThrough();
    let times: Promise<unknown> | undefined;
    const draws = drawsOf(() => (times = backend.time(() => tf.tidy(() => void conv2d(x, filter)))));
    await times;
    expect(draws).toBe(2);
    expect(measured).toHaveBeenCalledTimes(2);
    tf.dispose([x, filter]);
  });

  it('says that the context is lost, and works on a new backend', async () => {
    const contexts: WebGLRenderingContext[] = [];
    const start = async () => {
      const canvas = document.createElement('canvas');
      const backend = new MathBackendWebGL(canvas);
      contexts.push(backend.gpgpu.gl);
      tf.registerBackend('fragile', () => backend);
      tf.copyRegisteredKernels('webgl', 'fragile');
      await tf.setBackend('fragile');
    };
    const stop = async () => {
      await tf.setBackend('webgl');
      tf.removeBackend('fragile');
      tf.getKernelsForBackend('fragile').forEach(({ kernelName }) =>
        tf.unregisterKernel(kernelName, 'fragile'),
      );
    };
    const run = () => Array.from(tf.tidy(() => maxPool(tf.ones<tf.Rank.R4>([1, 4, 4, 2]), 2).dataSync()));
    await start();
    expect(run()).toEqual(Array(8).fill(1));
    contexts[0].getExtension('WEBGL_lose_context')!.loseContext();
    expect(run).toThrowError(/the WebGL context of this backend is lost/);
    const nchw = () => maxPool(tf.ones<tf.Rank.R4>([1, 2, 4, 4]), 2, { dataFormat: 'NCHW' });
    expect(() => tf.tidy(nchw)).toThrowError(/the WebGL context of this backend is lost/);
    await stop();
    await start();
    expect(run()).toEqual(Array(8).fill(1));
    await stop();
  });

  it('trains through the built-in ops with the plugin installed', async () => {
    const run = async (backendName: string) => {
      await tf.setBackend(backendName);
      const f = (x: tf.Tensor, filter: tf.Tensor) =>
        tf.sum(
          tf.square(tf.maxPool(tf.relu(tf.conv2d(x as T4, filter as T4, 2, 'same')) as T4, 2, 2, 'same')),
        );
      return installed(() =>
        tf.tidy(() =>
          tf
            .grads(f)([packed([2, 9, 9, 3], 3), packed([3, 3, 3, 5], 4)])
            .map((t) => Array.from(t.dataSync())),
        ),
      );
    };
    const want = await run('cpu');
    expect(await run('webgl')).toEqual(want);
  });
});

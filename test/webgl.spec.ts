/** Specs of the parts that only webgl has: textures, shaders and their limits. kernels.spec.ts tests the kernels themselves. */
import { MathBackendWebGL } from '@tensorflow/tfjs-backend-webgl';
import type { ConvCase } from '../kernels/conv2d/cases.js';
import {
  type ConvGeometry,
  convGeometry,
  type Geometry,
  type PoolGeometry,
  poolGeometry,
} from '../kernels/geometry.js';
import type { PoolCase } from '../kernels/max_pool/cases.js';
import { runShader, windowUniforms } from '../kernels/runtime/webgl/program.js';
import { avgPool, conv2d, maxPool } from '../src/index.js';
import { registerOwn } from '../src/ops.js';
import { floats, integers } from '../src/verify/data.js';
import { compare } from '../src/verify/exact.js';
import { avgPoolSubjects } from '../kernels/avg_pool/subjects.js';
import { convSubjects } from '../kernels/conv2d/subjects.js';
import { depthwiseSubjects } from '../kernels/depthwise_conv2d/subjects.js';
import { maxPoolSubjects } from '../kernels/max_pool/subjects.js';
import type { Subject } from '../kernels/proof.js';
import { subjectsOn } from '../kernels/subjects.js';
import { padName, PADS, smallConvs, smallPools } from './support/num_geometries.js';
import { shareOf } from './support/share.js';
import { installed, tf, whileInstalled } from './support/tfjs.js';
import { complaints, type Flags, inside, PATIENCE, withFlags } from './support/webgl.js';

type T4 = tf.Tensor4D;

const explicitPads = (g: Geometry) => {
  const [rows, cols] = [[g.padTop, g.padBottom], [g.padLeft, g.padRight]]; // prettier-ignore
  return g.dataFormat === 'NHWC' ? [[0, 0], rows, cols, [0, 0]] : [[0, 0], [0, 0], rows, cols]; // prettier-ignore
};

const windowOf = (g: Geometry) => ({
  name: JSON.stringify(g),
  x: g.inShape,
  strides: [g.strideHeight, g.strideWidth],
  dilations: [g.dilationHeight, g.dilationWidth],
  pad: explicitPads(g),
  dataFormat: g.dataFormat,
});

/** The geometry as a case. It is undefined if a rounding mode has added windows that plain pads do not give. */
function convCase(g: ConvGeometry): ConvCase | undefined {
  const c = { ...windowOf(g), filter: g.filterShape, groups: g.groups };
  return `${convGeometry(c.x, c.filter, c).outShape}` === `${g.outShape}` ? c : undefined;
}

/** A depthwise convolution over the same window, with as many filters for each channel as a group has outputs. */
function depthwiseCase(g: ConvGeometry): ConvCase {
  const multiplier = g.outChannels / g.groups;
  return { ...windowOf(g), filter: [g.filterHeight, g.filterWidth, g.inChannels, multiplier] };
}

function poolCase(g: PoolGeometry): PoolCase | undefined {
  const c = { ...windowOf(g), filterSize: [g.filterHeight, g.filterWidth] };
  return `${poolGeometry(c.x, c.filterSize, c).outShape}` === `${g.outShape}` ? c : undefined;
}

/** One step of training a small network, through tfjs's ops. */
function gradientsOfNet(x: T4, filter: T4): tf.Tensor[] {
  const f = (x: tf.Tensor, filter: tf.Tensor) => {
    const y = tf.relu(tf.conv2d(x as T4, filter as T4, 1, 'same'));
    return tf.sum(tf.square(tf.add(tf.maxPool(y as T4, 2, 2, 'same'), tf.avgPool(y as T4, 2, 2, 'same'))));
  };
  return tf.grads(f)([x, filter]);
}

function subjectsOf(g: ConvGeometry | PoolGeometry): Subject[] {
  if ('filterShape' in g) {
    const c = convCase(g);
    return c ? [...convSubjects(c), ...depthwiseSubjects(depthwiseCase(g))] : [];
  }
  const c = poolCase(g);
  return c ? [...maxPoolSubjects(c), ...avgPoolSubjects(c)] : [];
}

/** Groups of geometries that mostly share their programs. A packed program is made for a row of the filter. */
function byFilterRow<G extends Geometry>(all: readonly G[]): Map<string, G[]> {
  const rows = new Map<string, G[]>();
  for (const g of all) {
    const row = `${g.filterWidth}, ${g.strideWidth}, ${g.dilationWidth}`;
    rows.set(row, [...(rows.get(row) ?? []), g]);
  }
  return rows;
}

describe('webgl', () => {
  if (!tf.env().getBool('HAS_WEBGL')) {
    it('is skipped', () => pending('there is no webgl here'));
    return;
  }

  beforeAll(async () => {
    await tf.setBackend('webgl');
    registerOwn();
  });

  for (const pad of PADS) {
    it(
      `equals the definition on small geometries with pad ${padName(pad)}`,
      async () => {
        const rows = [...byFilterRow([...smallConvs(pad), ...smallPools(pad)]).values()];
        expect(rows.length).toBe(18);
        // A program takes longer to compile than many geometries take to run. So the spec takes few rows, but more of the
        // geometries of each row.
        for (const row of shareOf(rows, rows.length)) {
          expect(await complaints(shareOf(row, 3).flatMap(subjectsOf))).toEqual([]);
        }
      },
      PATIENCE,
    );
  }

  describe('shader library', () => {
    const g = convGeometry([2, 3, 4, 5], [3, 3, 5, 1], { pad: 'same' });
    const inverse = (steps: string) =>
      `void main() { int i = getOutputCoords(); setOutput(float(indexOf(coordsOf(i, ${steps}, xSize), ${steps}))); }`;
    const run = (code: string, uniforms = {}) =>
      runShader(
        tf.backend() as MathBackendWebGL,
        {},
        { ...windowUniforms(g), ...uniforms },
        [120],
        'float32',
        code,
      );
    const values = async (code: string, uniforms = {}) => {
      const t = tf.engine().makeTensorFromTensorInfo(run(code, uniforms));
      const data = Array.from(await t.data());
      t.dispose();
      return data;
    };

    it('finds coordinates and indexes in NHWC', async () => {
      expect(await values(inverse('xSteps'))).toEqual(Array.from({ length: 120 }, (_, i) => i));
      const column = 'void main() { setOutput(float(coordsOf(getOutputCoords(), xSteps, xSize).z)); }';
      expect(await values(column)).toEqual(Array.from({ length: 120 }, (_, i) => Math.floor(i / 5) % 4));
    });

    it('finds coordinates and indexes in NCHW', async () => {
      const steps = { xSteps: [60, 4, 1, 12] };
      expect(await values(inverse('xSteps'), steps)).toEqual(Array.from({ length: 120 }, (_, i) => i));
      const channel = 'void main() { setOutput(float(coordsOf(getOutputCoords(), xSteps, xSize).w)); }';
      expect(await values(channel, steps)).toEqual(
        Array.from({ length: 120 }, (_, i) => Math.floor(i / 12) % 5),
      );
    });

    it('finds the windows that start at a row', async () => {
      const code = 'void main() { setOutput(float(positionOf(getOutputCoords() - 10, 3, 20))); }';
      const position = (start: number) => (start < 0 || start % 3 || start / 3 >= 20 ? -1 : start / 3);
      expect(await values(code)).toEqual(Array.from({ length: 120 }, (_, i) => position(i - 10)));
    });
  });

  it('leaves a depthwise multiplier to the built-in, except where the built-in is wrong', () => {
    const name = 'DepthwiseConv2dNative';
    const builtin = tf.getKernel(name, 'webgl');
    const kernelFunc = jasmine.createSpy('built-in', builtin.kernelFunc).and.callThrough();
    const register = (config: tf.KernelConfig) => {
      tf.unregisterKernel(name, 'webgl');
      tf.registerKernel(config);
    };
    register({ ...builtin, kernelFunc });
    const calls = (multiplier: number, dilations: number | null) => {
      kernelFunc.calls.reset();
      const filter = tf.ones<tf.Rank.R4>([3, 3, 2, multiplier]);
      const op = () =>
        tf.depthwiseConv2d(tf.ones<tf.Rank.R4>([1, 6, 6, 2]), filter, 1, 'same', 'NHWC', dilations as number);
      tf.tidy(() => void installed(op));
      filter.dispose();
      return kernelFunc.calls.count();
    };
    expect([calls(2, 1), calls(2, null), calls(1, 1), calls(2, 2)]).toEqual([1, 1, 0, 0]);
    register(builtin);
  });

  it('compiles no shader for a new shape', async () => {
    const run = (size: number, channels: number) => {
      const x = tf.ones<tf.Rank.R4>([2, size, size, channels]);
      return tf.tidy(() => conv2d(x, tf.ones<tf.Rank.R4>([3, 3, channels, 8]), { pad: 'same' })).dispose();
    };
    run(20, 7);
    const before = Object.keys(inside().binaryCache).filter((key) => key.includes('filterSteps')).length;
    for (let i = 0; i < 8; i++) run(21 + i, 8 + i);
    const after = Object.keys(inside().binaryCache).filter((key) => key.includes('filterSteps')).length;
    expect(before).toBeGreaterThan(0);
    expect(after).toBe(before);
  });

  it('leaves nothing behind over 1,000 steps', async () => {
    const x = tf.randomNormal<tf.Rank.R4>([2, 6, 6, 2], 0, 1, 'float32', 1);
    const filter = tf.randomNormal<tf.Rank.R4>([3, 3, 2, 3], 0, 1, 'float32', 2);
    const step = () => tf.dispose(gradientsOfNet(x, filter));
    const count = () => [
      tf.memory().numTensors,
      inside().numDataIds(),
      inside().textureManager.getNumUsedTextures(),
      Object.keys(inside().binaryCache).length,
    ];
    await whileInstalled(async () => {
      for (let i = 0; i < 3; i++) step();
      const before = count();
      for (let i = 0; i < 1000; i++) {
        step();
        if (i % 100 === 0) await tf.nextFrame();
      }
      expect(count()).toEqual(before);
    });
    tf.dispose([x, filter]);
  });

  it('trains, with the losses that cpu has for the same weights', async () => {
    const x: [number, number, number, number] = [8, 8, 8, 1];
    const inputs = Float32Array.from(integers(512, 5));
    const labels = [0, 1, 2, 0, 1, 2, 0, 1];
    const loss = (filter: tf.Tensor, dense: tf.Tensor) => {
      const y = tf.relu(tf.conv2d(tf.tensor(inputs, x) as T4, filter as T4, 1, 'same'));
      const flat = tf.reshape<tf.Rank.R2>(tf.maxPool(y as T4, 2, 2, 'same'), [8, 64]);
      const target = tf.oneHot(tf.tensor1d(labels, 'int32'), 3);
      return tf.losses.softmaxCrossEntropy(target, tf.matMul(flat, dense as tf.Tensor2D)) as tf.Scalar;
    };
    let weights = [floats(36, 1).map((w) => w / 4), floats(192, 2).map((w) => w / 8)];
    const tensors = () => [
      tf.tensor(Float32Array.from(weights[0]), [3, 3, 1, 4]),
      tf.tensor(Float32Array.from(weights[1]), [64, 3]),
    ];
    const found: number[] = [];
    for (let step = 0; step < 10; step++) {
      await tf.setBackend('cpu');
      const onCpu = tf.tidy(
        () => installed(() => loss(...(tensors() as [tf.Tensor, tf.Tensor]))).dataSync()[0],
      );
      await tf.setBackend('webgl');
      const [onWebgl, gradients] = tf.tidy(() => {
        const { value, grads } = installed(() => tf.valueAndGrads(loss)(tensors()));
        return [value.dataSync()[0], grads.map((gradient) => gradient.dataSync())] as const;
      });
      // A logit is a sum of 64 products of a pooled cell and a weight. A pooled cell is itself a sum of 9 and is below
      // 4 * 9 / 4. A weight is below 1/8. The softmax of three adds its own roundings and passes each error on at most once.
      expect(Math.abs(onWebgl - onCpu)).toBeLessThanOrEqual((64 + 9 + 8) * 2 ** -24 * 64 * 9 * (1 / 8 + 1));
      found.push(onWebgl);
      weights = weights.map((w, k) => w.map((value, i) => value - 0.02 * gradients[k][i]));
    }
    expect(found[9]).toBeLessThan(found[0]);
  });

  it('runs beside the built-ins', async () => {
    const x = tf.tensor4d(Float32Array.from(integers(2 * 6 * 6 * 2, 1)), [2, 6, 6, 2]);
    const filter = tf.tensor4d(Float32Array.from(integers(3 * 3 * 2 * 4, 2)), [3, 3, 2, 4]);
    const [ours, theirs] = [conv2d(x, filter), tf.conv2d(x, filter, 1, 'valid')];
    expect(compare(await ours.data(), await theirs.data()).error).toBe(0);
    const withPlugin = installed(() => tf.conv2d(x, filter, 1, 'valid'));
    expect(compare(await withPlugin.data(), await theirs.data()).error).toBe(0);
    tf.dispose([x, filter, ours, theirs, withPlugin]);
  });

  it('takes inputs that are packed, sliced or reshaped', async () => {
    const make = (backendName: string) => async () => {
      await tf.setBackend(backendName);
      const y = tf.tidy(() => {
        const flat = tf.tensor1d(Float32Array.from(integers(400, 3)));
        const packed = tf.add(tf.reshape<tf.Rank.R4>(flat, [2, 10, 10, 2]), 1); // binary ops give packed textures
        const sliced = tf.slice<tf.Rank.R4, T4>(packed as T4, [1, 2, 1, 0], [1, 7, 8, 2]);
        const filter = tf.slice<tf.Rank.R4, T4>(tf.reshape(flat, [5, 5, 4, 4]), [0, 0, 0, 0], [3, 3, 2, 4]);
        return conv2d(maxPool(sliced, 2, { strides: 1 }), filter);
      });
      const data = Array.from(await y.data());
      y.dispose();
      return data;
    };
    const onCpu = await make('cpu')();
    expect(await make('webgl')()).toEqual(onCpu);
  });

  it('fills a texture to its last value', async () => {
    const largest = tf.env().getNumber('WEBGL_MAX_TEXTURE_SIZE');
    tf.env().set('WEBGL_MAX_TEXTURE_SIZE', 20);
    try {
      const x = tf.tensor4d(Float32Array.from(integers(400, 1)), [1, 20, 20, 1]);
      const y = maxPool(x, 1);
      expect(compare(await y.data(), await x.data()).error).toBe(0);
      tf.dispose([x, y]);
    } finally {
      tf.env().set('WEBGL_MAX_TEXTURE_SIZE', largest);
    }
  });

  it('refuses tensors that do not fit into a texture, and leaves nothing behind', () => {
    const x = tf.ones<tf.Rank.R4>([1, 20, 20, 1]);
    const largest = tf.env().getNumber('WEBGL_MAX_TEXTURE_SIZE');
    tf.env().set('WEBGL_MAX_TEXTURE_SIZE', 8);
    const before = [tf.memory().numTensors, inside().numDataIds()];
    try {
      expect(() => tf.tidy(() => maxPool(x, 2))).toThrowError(
        /result is of shape \[1,10,10,1\], but on this GPU a tensor has at most 8 x 8 values/,
      );
      expect(() => tf.tidy(() => avgPool(x, 10))).toThrowError(/x is of shape \[1,20,20,1\]/);
      expect([tf.memory().numTensors, inside().numDataIds()]).toEqual(before);
    } finally {
      tf.env().set('WEBGL_MAX_TEXTURE_SIZE', largest);
      x.dispose();
    }
  });

  /** Other kinds of WebGL. Each is a separate backend with the same kernels. */
  const kinds: [
    name: string,
    flags: Flags,
    exact: { max: number; largest?: number; compilesOnce?: boolean },
    parts?: number, // of which one is taken
  ][] = [
    ['webgl1', { WEBGL_VERSION: 1 }, { max: 4 }],
    // Half floats hold whole numbers up to 2^11. tfjs reads their infinities back as NaN.
    ['half-float textures', { WEBGL_FORCE_F16_TEXTURES: true }, { max: 1, largest: 2 ** 11 }],
    ['WEBGL_PACK false', { WEBGL_PACK: false }, { max: 4 }],
    // Flags that change how tfjs makes, uploads, reads and frees textures.
    ['textures that are deleted', { WEBGL_DELETE_TEXTURE_THRESHOLD: 0 }, { max: 4 }, 9],
    ['textures that are unpacked', { WEBGL_LAZILY_UNPACK: false }, { max: 4 }, 9],
    // tfjs's programs for all shapes unpack some of these textures wrongly. It does not use them by itself.
    ['textures that are made squarish', { WEBGL_MAX_SIZE_FOR_NARROW_TEXTURE: 4 }, { max: 4, compilesOnce: false }, 9], // prettier-ignore
    ['no tensors in uniforms', { WEBGL_SIZE_UPLOAD_UNIFORM: 0 }, { max: 4 }, 9],
    ['large tensors in uniforms', { WEBGL_SIZE_UPLOAD_UNIFORM: 200 }, { max: 4 }, 9],
    ["tfjs's own isnan", { WEBGL2_ISNAN_CUSTOM: true }, { max: 4 }, 9],
    ['the checks of DEBUG', { DEBUG: true }, { max: 4 }, 9],
  ];
  for (const [name, flags, exact, parts = 3] of kinds) {
    it(
      `is right with ${name}`,
      async () => {
        if (flags.DEBUG) for (const method of ['log', 'warn'] as const) spyOn(console, method);
        const small = subjectsOn('webgl').filter((subject) => subject.exact && subject.caseName !== 'digits');
        await withFlags(flags, async () =>
          expect(await complaints(shareOf(small, parts), exact)).toEqual([]),
        );
      },
      PATIENCE,
    );
  }
});

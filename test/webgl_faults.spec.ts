/**
 * Specs of what fails on webgl. A kernel must say what failed and leave nothing behind. The next call must be right. Each fault strikes
 * at every place that a kernel reaches, in the plugin's programs and in those with which tfjs uploads and converts tensors.
 */
import type { MathBackendWebGL } from '@tensorflow/tfjs-backend-webgl';
import type { Subject } from '../kernels/proof.js';
import { OWN } from '../kernels/registry.js';
import { subjectsOn } from '../kernels/subjects.js';
import { maxPool } from '../src/index.js';
import { registerOwn } from '../src/ops.js';
import { type Fault, type Method, methodOf, NO_PROGRAM, NO_ROOM, withFault, withMethods } from './support/faults.js'; // prettier-ignore
import { shareOf } from './support/share.js';
import { tf } from './support/tfjs.js';
import { numbers, expectEqual, forgetPrograms, inside, onNewContext, PATIENCE, resultsOf, runOn, tensorsOf } from './support/webgl.js'; // prettier-ignore

/** Runs f. The k-th call of the context's method fails. Returns whether there was one. */
const struck = (fault: Fault, k: number, f: () => void) => withFault(inside().gpgpu.gl, fault, k, f) >= k;

/** Runs f. After `count` programs have been linked, the method fails. Returns whether it did. */
function withFaultAfter({ method, fails }: Fault, count: number, f: () => void): boolean {
  const { gl } = inside().gpgpu;
  const [original, link] = [methodOf(gl, method), methodOf(gl, 'linkProgram')];
  let [linked, failed] = [0, false];
  const linkProgram: Method = (program) => void (linked++, link(program));
  const faulty: Method = (...args) => {
    if (linked < count) return original(...args);
    failed = true;
    return fails(original, ...args);
  };
  withMethods(gl, { linkProgram, [method]: faulty }, f);
  return failed;
}

const counts = () => [
  tf.memory().numTensors,
  inside().numDataIds(),
  inside().textureManager.getNumUsedTextures(),
  (tf.memory() as unknown as { numBytesInGPU: number }).numBytesInGPU,
];

const nameOf = ({ kernelName, caseName }: Subject) => `${kernelName} ${caseName}`;

/** tfjs's name of the kernel that serves. Fused kernels have none of their own. */
const served = ({ kernelName }: Subject) =>
  ({ FusedConv2D: 'Conv2D', FusedDepthwiseConv2D: 'DepthwiseConv2dNative' })[kernelName as string] ??
  kernelName;

/** Runs the subject on new inputs, during a fault. Returns whether the fault was reached. */
function strike(subject: Subject, says: RegExp, during: (f: () => void) => boolean): boolean {
  const before = counts();
  let error: unknown;
  const reached = during(() => {
    const inputs = tensorsOf(subject);
    try {
      tf.tidy(() => void runOn(OWN, subject, inputs));
    } catch (e) {
      error = e;
    }
    tf.dispose(inputs);
  });
  if (reached) {
    const message = String(error).replace(/\s+/g, ' ');
    expect(message).withContext(nameOf(subject)).toContain(`Error: tfjs-convgrad: ${served(subject)} failed on webgl: `); // prettier-ignore
    expect(message).withContext(nameOf(subject)).toMatch(says);
  } else expect(error).withContext(nameOf(subject)).toBeUndefined();
  expect(counts())
    .withContext(`tensors, data ids, textures, bytes after ${nameOf(subject)}`)
    .toEqual(before);
  return reached;
}

/** The first case of each kernel, of those that `accept` takes. */
function samples(accept: (subject: Subject) => boolean): Subject[] {
  const all = subjectsOn('webgl').filter(accept).reverse();
  return [...new Map(all.map((subject) => [subject.kernelName, subject])).values()];
}

const isPlain = ({ attrs, caseName }: Subject) =>
  (attrs.dataFormat ?? 'NHWC') === 'NHWC' && (attrs.groups ?? 1) === 1 && caseName !== 'digits';

describe('webgl faults', () => {
  if (!tf.env().getBool('HAS_WEBGL')) {
    it('are skipped', () => pending('there is no webgl here'));
    return;
  }

  beforeAll(async () => {
    await tf.setBackend('webgl');
    registerOwn();
  });

  const simple = samples((subject) => subject.attrs.dataFormat === 'NCHW');
  const subjects = [...samples(isPlain), ...simple];

  for (const [what, fault] of Object.entries(NO_ROOM)) {
    it(
      `no room for ${what}`,
      () =>
        // Without a pool of textures each tensor needs a new one.
        onNewContext(
          async () => {
            resultsOf(() => [maxPool(tf.ones<tf.Rank.R4>([1, 2, 2, 1]), 2)]); // evaluates tfjs's flags, which make textures
            const at = (subject: Subject, k: number) =>
              strike(subject, fault.says, (f) => struck(fault, k, f));
            const reached = subjects.filter((subject) => at(subject, 1)); // few kernels make a framebuffer
            for (const subject of shareOf(reached, 5)) {
              const run = () => runOn(OWN, subject, tensorsOf(subject));
              let k = 1;
              while (at(subject, k)) k++;
              const want = resultsOf(run);
              for (let i = 1; i < k; i++) {
                at(subject, i);
                expectEqual(resultsOf(run), want, nameOf(subject));
              }
            }
            expect(reached.length).toBeGreaterThan(0);
          },
          { WEBGL_DELETE_TEXTURE_THRESHOLD: 0 },
        ),
      PATIENCE,
    );
  }

  const some = [...samples(isPlain), ...simple.slice(0, 2)];
  for (const [what, fault] of Object.entries(NO_PROGRAM)) {
    it(
      `without ${what}`,
      () =>
        onNewContext(async () => {
          spyOn(console, 'log'); // tfjs prints the sources
          let strikes = 0;
          for (const subject of shareOf(some, 5)) {
            const run = () => runOn(OWN, subject, tensorsOf(subject));
            const want = resultsOf(run);
            forgetPrograms();
            // Each attempt makes one more program than the one before.
            let count = 0;
            while (strike(subject, fault.says, (f) => withFaultAfter(fault, count, f))) {
              count = 1;
              strikes++;
            }
            expectEqual(resultsOf(run), want, nameOf(subject));
          }
          expect(strikes).toBeGreaterThan(0);
        }),
      PATIENCE,
    );
  }

  it('two textures that the GPU never draws into together', async () => {
    await onNewContext(async () => {
      const subject = samples(isPlain).find(({ kernelName }) => kernelName === 'MaxPoolWithArgmax')!;
      resultsOf(() => [maxPool(tf.ones<tf.Rank.R4>([1, 2, 2, 1]), 2)]); // evaluates tfjs's flags
      const run = () => tf.tidy(() => void runOn(OWN, subject, tensorsOf(subject)));
      withMethods(inside().gpgpu.gl, { checkFramebufferStatus: () => 36061 }, () => {
        for (let i = 0; i < 2; i++)
          expect(run).toThrowError(/MaxPoolWithArgmax .* cannot draw into 2 textures/);
      });
      expect(run).not.toThrow();
    });
  });

  it('a program compiled ahead that does not compile', async () => {
    await onNewContext(async () => {
      spyOn(console, 'log');
      const x = numbers([1, 5, 5, 2], 1);
      const f = () => [maxPool(x, 2)];
      const want = resultsOf(f); // uploads x
      forgetPrograms();
      const { method, fails } = NO_PROGRAM['a shader that compiles'];
      const { gl } = inside().gpgpu;
      const original = methodOf(gl, method);
      tf.env().set('ENGINE_COMPILE_ONLY', true);
      withMethods(gl, { [method]: (...args) => fails(original, ...args) }, () => tf.tidy(() => void f()));
      tf.env().set('ENGINE_COMPILE_ONLY', false);
      const backend = tf.backend() as MathBackendWebGL;
      await expectAsync(backend.checkCompileCompletionAsync()).toBeRejected();
      expect(() => tf.tidy(f)).toThrowError(/tfjs-convgrad: MaxPool failed .* The driver says: ERROR/);
      expectEqual(resultsOf(f), want, 'maxPool');
    });
  });

  it('a lost context, at every kernel', async () => {
    await onNewContext(async () => {
      const inputs = subjects.map(tensorsOf);
      inside().gpgpu.gl.getExtension('WEBGL_lose_context')!.loseContext();
      const before = counts();
      subjects.forEach((subject, i) => {
        expect(() => tf.tidy(() => void runOn(OWN, subject, inputs[i])))
          .withContext(nameOf(subject))
          .toThrowError(
            new RegExp(`tfjs-convgrad: ${served(subject)} cannot run: the WebGL context .* is lost`),
          );
      });
      expect(counts()).toEqual(before);
      tf.dispose(inputs);
    });
  });

  for (const isUsedBefore of [true, false]) {
    it(`a context that was lost and is restored, ${isUsedBefore ? 'after' : 'before'} the first kernel`, async () => {
      await onNewContext(async () => {
        const { gl } = inside().gpgpu;
        const heard = (name: string) =>
          new Promise((resolve) => {
            gl.canvas.addEventListener(name, (event) => resolve(event.preventDefault()), { once: true }); // tfjs prevents it, too
          });
        const run = () => tf.tidy(() => maxPool(tf.ones<tf.Rank.R4>([1, 2, 2, 1]), 2).dataSync());
        if (isUsedBefore) expect([...run()]).toEqual([1]);
        const extension = gl.getExtension('WEBGL_lose_context')!;
        const [lost, restored] = ['webglcontextlost', 'webglcontextrestored'].map(heard);
        extension.loseContext();
        await lost;
        await new Promise((resolve) => setTimeout(resolve)); // the event is over
        extension.restoreContext();
        await restored;
        expect(gl.isContextLost()).toBeFalse();
        const before = counts();
        expect(run).toThrowError(
          /tfjs-convgrad: MaxPool cannot run: the WebGL context of this backend was lost/,
        );
        expect(counts()).toEqual(before);
      });
    });
  }

  it('no method of the context or the backend, whether a kernel runs through or fails', async () => {
    await onNewContext(
      async () => {
        const backend = tf.backend() as MathBackendWebGL;
        const methods = () => [
          backend.gpgpu.gl.getShaderInfoLog,
          backend.gpgpu.gl.getProgramInfoLog,
          backend.write,
        ];
        const before = methods();
        const x = tf.ones<tf.Rank.R4>([1, 2, 2, 1]);
        tf.tidy(() => void maxPool(x, 2));
        expect(methods()).toEqual(before);
        struck(NO_ROOM['a texture'], 1, () => expect(() => maxPool(x, 1)).toThrowError(/MaxPool failed/));
        expect(methods()).toEqual(before);
        x.dispose();
      },
      { WEBGL_DELETE_TEXTURE_THRESHOLD: 0 },
    );
  });

  for (const method of ['drawElements', 'createTexture', 'linkProgram']) {
    it(`a context that is lost at ${method}`, async () => {
      await onNewContext(async () => {
        const before = counts();
        const lose: Method = () => {
          inside().gpgpu.gl.getExtension('WEBGL_lose_context')!.loseContext();
          return null;
        };
        const x = tf.ones<tf.Rank.R4>([1, 4, 4, 2]);
        const fault = { method, fails: lose, says: /is lost/ };
        struck(fault, 2, () => {
          expect(() => tf.tidy(() => maxPool(x, 2))).toThrowError(
            /tfjs-convgrad: MaxPool cannot run: .* is lost/,
          );
        });
        x.dispose();
        expect(counts().slice(0, 3)).toEqual(before.slice(0, 3));
      });
      expect(resultsOf(() => [maxPool(tf.ones<tf.Rank.R4>([1, 2, 2, 1]), 2)])[0].values[0]).toBe(1);
    });
  }
});

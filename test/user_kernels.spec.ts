/** Specs of what `compare --kernels` takes from a module, and of the rows that it makes of it. */
import type { Comparison } from '../src/cli/comparison.js';
import { remarksOn } from '../src/cli/remarks.js';
import { runComparisons } from '../src/cli/run-comparisons.js';
import { readModule, USER } from '../src/cli/user-kernels.js';
import type { GivenCase, Values } from '../src/verify/index.js';
import { tf } from './support/tfjs.js';
import { inside } from './support/webgl.js';

const ASKED = { op: '', case: '', seed: 1, milliseconds: 0 };

/** A module's kernel on cpu that computes each element from those of x. */
const onCpu = (kernelName: string, valueAt: (x: Float32Array, i: number) => number) => ({
  kernelName,
  backendName: 'cpu',
  kernelFunc: ({ inputs: { x }, backend }: { inputs: tf.NamedTensorInfoMap; backend: tf.KernelBackend }) => {
    const values = (backend as unknown as { readSync(id: object): Float32Array }).readSync(x!.dataId);
    const y = values.map((_, i) => valueAt(values, i));
    return { dataId: backend.write(y, x!.shape, 'float32'), shape: x!.shape, dtype: 'float32' };
  },
});

const twice: GivenCase = {
  kernelName: 'Twice',
  inputs: { x: [2, 3] },
  definition: ({ x }: Values) => x.map((v) => 2 * v),
};

const rowsOf = (module: object) => runComparisons(ASKED, readModule('mine.js', module), () => {});

async function rowOf(module: object): Promise<Comparison> {
  const rows = await rowsOf(module);
  expect(rows.length).toBe(1);
  return rows[0];
}

describe("a module's exports", () => {
  const kernels = [onCpu('Twice', (x, i) => 2 * x[i])];
  const f = (x: tf.Tensor) => tf.mul(x, 2);
  const inputs = () => [tf.tensor1d([1, 2])];

  const refused: Record<string, [module: object, says: string]> = {
    'a case of a kernel that is not exported': [{ kernels, cases: [{ ...twice, kernelName: 'Twise' }] }, "tfjs-convgrad: kernelName of cases[0] of mine.js is 'Twise', but only these are supported: Twice. Did you mean 'Twice'?"],
    'cases without kernels': [{ cases: [twice] }, "cases[0] of mine.js names the kernel 'Twice', but mine.js exports no kernels."],
    'a case without a definition': [{ kernels, cases: [twice, { kernelName: 'Twice', inputs: { x: [2] } }] }, 'tfjs-convgrad: cases[1] of mine.js has no definition, but a case must have kernelName, inputs and definition.'],
    'a case that is none': [{ kernels, cases: [null] }, 'tfjs-convgrad: cases[0] of mine.js is null, but it must be an object with kernelName, inputs and definition.'],
    'a field that no case has': [{ kernels, cases: [{ ...twice, outputShape: [2, 3] }] }, "cases[0] of mine.js has the field 'outputShape', but only these are supported: "],
    'cases that are no list': [{ kernels, cases: twice }, 'cases of mine.js is an object, but it must be an array.'],
    'a second kernel of the same name': [{ kernels: [...kernels, ...kernels] }, 'kernels[1] of mine.js is a second Twice on cpu, but there must be one of each.'],
    'an op that is a function': [{ ops: { blur: f } }, 'ops.blur of mine.js is a function, but it must be { f, inputs }: a function, and a function that returns a list of its arguments.'],
    'an op without inputs': [{ ops: { blur: { f } } }, 'ops.blur of mine.js is an object, but it must be { f, inputs }'],
    'an op whose inputs are a list': [{ ops: { blur: { f, inputs: [] } } }, 'ops.blur of mine.js is an object, but it must be { f, inputs }'],
    'a field that no op has': [{ ops: { blur: { f, inputs, option: {} } } }, "tfjs-convgrad: ops.blur of mine.js has the field 'option', but only these are supported: f, inputs, options. Did you mean 'options'?"],
  }; // prettier-ignore
  for (const [what, [module, says]] of Object.entries(refused))
    it(`are refused: ${what}`, () => {
      let message = '';
      try {
        readModule('mine.js', module);
      } catch (error) {
        message = (error as Error).message;
      }
      expect(message).toContain(says);
    });

  it('may have a case of a kernel for another backend', () => {
    const onWebgl = { ...kernels[0], backendName: 'webgl' };
    expect(readModule('mine.js', { kernels: [onWebgl], cases: [twice] }).cases.length).toBe(1);
  });
});

describe("a row of a module's kernel", () => {
  beforeEach(() => tf.setBackend('cpu'));
  afterEach(() => {
    for (const { kernelName } of tf.getKernelsForBackend('cpu'))
      if (kernelName.startsWith(USER)) tf.unregisterKernel(kernelName, 'cpu');
  });

  it('is right, and has nothing to say', async () => {
    const row = await rowOf({ kernels: [onCpu('Twice', (x, i) => 2 * x[i])], cases: [twice] });
    expect(row).toEqual(jasmine.objectContaining({ op: 'Twice', case: '2x3', ok: true }));
    expect(Object.keys(row)).not.toContain('worst');
    expect(remarksOn(row)).toEqual([]);
  });

  it('names the worst element of a wrong result: got, want and bound', async () => {
    const off = onCpu('Twice', (x, i) => 2 * x[i] + (i === 4 ? 0.5 : 0));
    const { ok, worst, ...row } = await rowOf({ kernels: [off], cases: [{ ...twice, terms: 1 }] });
    expect(ok).toBeFalse();
    expect(worst!.proof).toBe('rounded');
    expect(worst!.element).toEqual([1, 1]);
    expect(worst!.got - worst!.want).toBeCloseTo(0.5, 6);
    expect(worst!.bound).toBeCloseTo(2 * 2 ** -24 * Math.abs(worst!.want), 12);
    const [element, advice] = remarksOn({ ...row, ok, worst });
    expect(element).toMatch(
      /^rounded: element \[1, 1\] is \S+, want \S+: the error is \S+ times the bound \S+$/,
    );
    expect(advice).toMatch(/^magnitude was not given: /);
  });

  it('names the exact element where whole numbers are wrong', async () => {
    const off = onCpu('Twice', (x, i) => 2 * x[i] + (i === 5 ? 1 : 0));
    const { worst, error } = await rowOf({ kernels: [off], cases: [{ ...twice, exact: true }] });
    expect(error).toBe(Infinity);
    expect(worst).toEqual({
      proof: 'exact',
      element: [1, 2],
      got: worst!.want + 1,
      want: worst!.want,
      bound: 0,
    });
  });

  it('names the element that differs from the built-in, where the kernel agrees with its own definition', async () => {
    const negated = { ...twice, kernelName: 'Neg', outShape: [2, 3], terms: 0 };
    const { worst, builtin, ok, message } = await rowOf({
      kernels: [onCpu('Neg', (x, i) => 2 * x[i])],
      cases: [negated],
    });
    expect([ok, builtin, worst!.proof, message]).toEqual([false, 'differs', 'built-in', undefined]);
    expect(worst!.got).toBe(-2 * worst!.want);
    const differing = { ...negated, tfjsDiffers: 'row 0: it is another function' };
    const row = await rowOf({ kernels: [onCpu('Neg', (x, i) => 2 * x[i])], cases: [differing] });
    expect([row.ok, row.builtin]).toEqual([true, 'row 0: it is another function']);
  });

  it('says in what form a gradient is wrong as an adjoint, which has no element', async () => {
    const loss = {
      start: ({ x }: Values) => x,
      value: (at: Float64Array) => at.reduce((sum, v) => sum + v * v, 0),
      step: 1e-3,
      linear: false,
    };
    const row = await rowOf({ kernels: [onCpu('Twice', (x, i) => 2 * x[i])], cases: [{ ...twice, loss }] });
    // The loss is not linear, so <x, gradient> is twice the loss.
    expect(row.ok).toBeFalse();
    expect(row.worst!.proof).toBe('adjoint');
    expect(row.worst!.element).toBeNull();
    expect(row.worst!.got).toBeCloseTo(2 * row.worst!.want, 5);
    expect(remarksOn(row)[0]).toMatch(/^adjoint: <x, gradient> is /);
  });

  it('says how many elements there are where there are too few', async () => {
    const short = onCpu('Twice', () => 0);
    const kernelFunc = (args: Parameters<typeof short.kernelFunc>[0]) => {
      const shape = args.inputs.x!.shape;
      return { dataId: args.backend.write(new Float32Array(5), shape, 'float32'), shape, dtype: 'float32' };
    };
    const row = await rowOf({ kernels: [{ ...short, kernelFunc }], cases: [{ ...twice, magnitude: ({ x }: Values) => x.map(() => 1), terms: 1 }] }); // prettier-ignore
    expect(row.worst).toEqual({ proof: 'rounded', element: null, got: 5, want: 6, bound: 0 });
    expect(remarksOn(row)).toEqual(['rounded: the result has 5 elements, but it must have 6']);
  });

  it('says what is wrong with a definition, and whose it is', async () => {
    const kernels = [onCpu('Twice', (x, i) => 2 * x[i])];
    const definition = ({ x }: Values) => x.slice(0, 2);
    const { ok, message } = await rowOf({ kernels, cases: [{ ...twice, definition }] });
    expect(ok).toBeFalse();
    expect(message).toMatch(/^tfjs-convgrad: definition of cases\[0\] of mine\.js gives 2 elements, but outShape \[2,3\] has 6\. outShape was not given/); // prettier-ignore
  });

  it("says a kernel's name as the module does, where its result has another shape or is none", async () => {
    const missing = { kernelName: 'Twice', backendName: 'cpu', kernelFunc: () => undefined };
    const nothing = await rowOf({ kernels: [missing], cases: [twice] });
    expect(nothing.message).toBe('tfjs-convgrad: kernel Twice gives undefined, but it must give { dataId, shape, dtype } or a list of them.'); // prettier-ignore
    const other = { ...twice, kernelName: 'Thrice', outShape: [3, 2] };
    const shaped = await rowOf({ kernels: [onCpu('Thrice', (x, i) => 2 * x[i])], cases: [other] });
    expect(shaped.message).toBe(
      'tfjs-convgrad: Thrice, 2x3: the result is of shape [2,3], but it must be [3,2].',
    );
  });

  it('is not compared with itself where it is the built-in', async () => {
    const row = await rowOf({ kernels: [tf.getKernel('Neg', 'cpu')], cases: [{ ...twice, kernelName: 'Neg', definition: ({ x }: Values) => x.map((v) => -v) }] }); // prettier-ignore
    expect([row.ok, row.builtin]).toEqual([true, 'none']);
  });

  describe('that is an op', () => {
    const wrong = tf.customGrad((x) => ({
      value: tf.mul(x as tf.Tensor, 2),
      gradFunc: (dy) => tf.mul(dy as tf.Tensor, 3),
    }));

    it('has its worst element, too, and says it once', async () => {
      const row = await rowOf({
        ops: { wrong: { f: (x: tf.Tensor) => wrong(x), inputs: () => [tf.tensor1d([1, 2])] } },
      });
      expect(row.ok).toBeFalse();
      expect(row.worst!.proof).toBe('gradient');
      expect(row.worst!.element!.length).toBe(1);
      expect(row.worst!.got / row.worst!.want).toBeCloseTo(1.5, 3);
      expect(remarksOn(row)).toEqual([row.message!]);
    });

    it('says so where its inputs are no list', async () => {
      const row = await rowOf({ ops: { one: { f: tf.square, inputs: () => tf.scalar(1) } } });
      expect(row.message).toBe(
        'inputs of ops.one gives an object, but it must give a list of tensors, the arguments of f.',
      );
    });
  });
});

describe('a shader of a module', () => {
  if (!tf.env().getBool('HAS_WEBGL')) return it('is skipped', () => pending('there is no webgl here'));

  const backendName = 'webgl';
  beforeEach(() => tf.setBackend(backendName));
  afterEach(() => tf.setBackend('cpu'));

  /** A kernel of a shader that computes y of x. */
  const shader = (kernelName: string, y: string) => ({
    kernelName,
    backendName,
    kernelFunc: ({ inputs: { x }, backend }: { inputs: tf.NamedTensorInfoMap; backend: unknown }) => {
      const userCode = `void main() { float x = getXAtOutCoords(); setOutput(${y}); }`;
      const program = { variableNames: ['X'], outputShape: x!.shape, userCode };
      return (backend as { compileAndRun(p: object, i: object[]): tf.TensorInfo }).compileAndRun(program, [
        x!,
      ]);
    },
  });

  afterEach(() => {
    for (const { kernelName } of tf.getKernelsForBackend('webgl'))
      if (kernelName.startsWith(USER)) tf.unregisterKernel(kernelName, 'webgl');
  });

  it('that does not compile: its row has the words of the driver, and the line of the shader', async () => {
    spyOn(console, 'log');
    const [bad, good] = await rowsOf({
      kernels: [shader('Twice', '2. * y'), shader('Good', '2. * x')],
      cases: [twice, { ...twice, kernelName: 'Good' }],
    });
    expect(bad.message).toMatch(
      /^tfjs-convgrad: Twice failed on webgl: A program does not compile or link on this GPU\. The driver says: ERROR: 0:\d+: 'y' : undeclared identifier, in the line: .*setOutput\(2\. \* y\)/,
    );
    expect(good.ok).withContext(String(good.message)).toBeTrue();
  });

  it('leaves the context as it was', async () => {
    spyOn(console, 'log');
    await rowsOf({ kernels: [shader('Twice', '2. * y')], cases: [twice] });
    const { gl } = inside().gpgpu;
    const own = Object.getPrototypeOf(gl) as WebGLRenderingContext;
    for (const name of ['getShaderInfoLog', 'getProgramInfoLog'] as const)
      expect(gl[name]).withContext(name).toBe(own[name]);
  });
});

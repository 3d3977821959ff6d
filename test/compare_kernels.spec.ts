/** Specs of the cases that compareKernels and the command take: defaults, and what is refused. On cpu, and of shaders on webgl. */
import { compareKernels, definition, type GivenCase, kernel, type Values } from '../src/verify/index.js';
import { tf } from './support/tfjs.js';

type Write = (values: Record<string, Float32Array>) => ArrayLike<number>;

/** Registers a kernel on cpu that computes its values by `write`, in the shape of its first input or in the given one. */
function register(kernelName: string, write: Write, shape?: number[]): void {
  tf.registerKernel({
    kernelName,
    backendName: 'cpu',
    kernelFunc: ({ inputs, backend }) => {
      const cpu = backend as tf.KernelBackend & { readSync(id: object): Float32Array };
      const read = (info?: tf.TensorInfo) => cpu.readSync(info!.dataId);
      // As a kernel does: it asks for the inputs that it knows.
      const values = new Proxy({}, { get: (_, name) => read(inputs[name as string]) });
      const out = shape ?? (inputs.x ?? inputs.X)!.shape;
      const dataId = cpu.write(Float32Array.from(write(values)), out, 'float32');
      return { dataId, shape: out, dtype: 'float32' };
    },
  });
}

const KERNELS: Record<string, [Write, shape?: number[]]> = {
  SpecDouble: [({ x }) => x.map((v) => 2 * v)],
  SpecScale: [({ x, factor }) => x.map((v) => v * factor[0])],
  SpecOff: [({ x }) => x.map((v, i) => 2 * v + (i === 4 ? 0.5 : 0))],
  SpecSum: [({ x }) => [x.reduce((a, b) => a + b)], [1]],
  // In float32 the order of the terms decides what is rounded.
  SpecEdges: [({ x }) => x.map((v, i) => Math.fround(Math.fround(Math.fround(v * 1e4) + x[0]) - Math.fround(v * 1e4)) + 0 * i)], // prettier-ignore
};

describe('compareKernels', () => {
  beforeAll(() => {
    for (const [name, [write, shape]] of Object.entries(KERNELS)) register(name, write, shape);
  });
  afterAll(() => Object.keys(KERNELS).forEach((name) => tf.unregisterKernel(name, 'cpu')));
  beforeEach(() => tf.setBackend('cpu'));

  const double: GivenCase = {
    kernelName: 'SpecDouble',
    inputs: { x: [2, 3] },
    definition: ({ x }) => x.map((v) => 2 * v),
  };
  const message = async (c: unknown, ...rest: unknown[]) =>
    compareKernels(...([c, ...rest] as Parameters<typeof compareKernels>)).then(
      ({ verdict }) => verdict as string,
      (error: Error) => error.message,
    );

  it('needs only the name of a kernel, its inputs and a definition', async () => {
    const { verdict, caseName, a, b } = await compareKernels(double);
    expect([verdict, caseName, a, b]).toEqual(['right', '2x3', 'SpecDouble', 'definition']);
  });

  it('takes implementations for a case that names none', async () => {
    const c: GivenCase = { inputs: { x: [2, 3] } };
    const twice = definition(({ x }) => x.map((v) => 2 * v));
    expect((await compareKernels(c, kernel('SpecDouble'), twice)).verdict).toBe('right');
    expect((await compareKernels(c, kernel('SpecOff'), twice)).verdict).toBe('wrong');
  });

  it('says which element is wrong, by its coordinates, and by how much', async () => {
    const comparison = await compareKernels({ ...double, kernelName: 'SpecOff', magnitude: ({ x }) => x.map(() => 1), terms: 1 }); // prettier-ignore
    expect(comparison.rounded.index).toBe(4);
    const { got, want } = comparison.rounded;
    expect(got - want).toBeCloseTo(0.5, 6);
    expect(String(comparison)).toContain(
      `rounded: element [1, 1] is ${got}, want ${want}: the error is 4.19e+6 times the bound 1.19e-7`,
    );
    expect(comparison.advice).toBeUndefined();
  });

  it('says that whole numbers must be equal', async () => {
    const comparison = await compareKernels({ ...double, kernelName: 'SpecOff', exact: true });
    expect(String(comparison)).toMatch(/exact: element \[1, 1\] is \S+, want \S+: they must be equal/);
  });

  it('takes the terms of a linear definition for its magnitude', async () => {
    // On [-1, 1) the sum of 4096 numbers is some twenty times smaller than the sum of their magnitudes.
    const sum: GivenCase = {
      kernelName: 'SpecSum',
      inputs: { x: [4096] },
      outShape: [1],
      terms: 4096,
      definition: ({ x }) => Float64Array.of(x.reduce((a, b) => a + b)),
    };
    const { rounded } = await compareKernels({ ...sum, kernelName: undefined }, kernel('SpecSum'));
    const ofTerms = await compareKernels({
      ...sum,
      magnitude: ({ x }) => Float64Array.of(x.reduce((a, b) => a + Math.abs(b), 0)),
    });
    expect(rounded.bound).toBe(ofTerms.rounded.bound);
    expect(rounded.bound).toBeGreaterThan(0);
  });

  it('takes the result for the magnitude where a definition is not linear, or subtracts', async () => {
    const definitions: Record<string, (values: Values) => Float64Array> = {
      exponential: ({ x }) => x.map(Math.exp),
      difference: ({ x }) => x.map((v, i) => v - x[(i + 1) % 8]),
    };
    for (const [name, definition] of Object.entries(definitions))
      for (let k = 0; k < 8; k++) {
        const run = (inputs: Values) => definition(inputs).map((y, i) => (i === k ? y + 1 : y));
        const off = { name: 'off', rounds: true, run };
        const { rounded } = await compareKernels({ inputs: { x: [8] }, terms: 1, definition }, off);
        expect(rounded.index).withContext(name).toBe(k);
        expect(rounded.bound)
          .withContext(`${name} ${k}`)
          .toBeCloseTo(2 * 2 ** -24 * Math.abs(rounded.want), 12);
      }
  });

  it('says what magnitude and terms are where a right kernel is above their defaults', async () => {
    const edges: GivenCase = {
      kernelName: 'SpecEdges',
      inputs: { x: [16] },
      definition: ({ x }) => x.map((v) => v * 1e4 + x[0] - v * 1e4 + 1e-30 * Math.cos(v)),
    };
    const comparison = await compareKernels(edges);
    expect(comparison.verdict).toBe('wrong');
    expect(comparison.advice).toContain(
      'magnitude was not given: if the terms of a sum cancel, give the case a function',
    );
    expect(comparison.advice).toContain('terms was not given, so it is 4');
    expect(String(comparison)).toContain(comparison.advice!);
    const magnitude = ({ x }: Values) => x.map((v) => 2e4 * Math.abs(v) + Math.abs(x[0]));
    const advised = await compareKernels({ ...edges, magnitude });
    expect(advised.verdict).withContext(String(advised)).toBe('right');
    expect(advised.advice).toBeUndefined();
  });

  describe('refuses', () => {
    const W = 'the case of compareKernels';

    it('a case that lacks something, and names what a case must have', async () => {
      const { kernelName, inputs, definition: f } = double;
      expect(await message(undefined)).toBe(`tfjs-convgrad: ${W} is undefined, but it must be an object with inputs, kernelName and definition.`); // prettier-ignore
      expect(await message({ inputs, definition: f })).toBe(`tfjs-convgrad: ${W} has no kernelName, but a case must have inputs, kernelName and definition.`); // prettier-ignore
      expect(await message({ kernelName, definition: f })).toContain('has no inputs, but');
      expect(await message({ kernelName, inputs })).toContain('has no definition, but');
      const run = { name: 'mine', rounds: true, run: () => [1] };
      expect(await message({ inputs }, run, run)).toBe(`tfjs-convgrad: ${W} has no magnitude and no definition, but it must have one of them.`); // prettier-ignore
    });

    it('unknown fields, with the nearest', async () => {
      expect(await message({ ...double, outshape: [2, 3] })).toMatch(
        /^tfjs-convgrad: the case of compareKernels has the field 'outshape', but only these are supported: .*, outShape, .*\. Did you mean 'outShape'\?$/,
      );
    });

    it('fields that are not what they must be', async () => {
      const wrong: Record<string, [value: unknown, says: string][]> = {
        kernelName: [[7, "kernelName of W is 7, but it must be a kernel's name."]],
        inputs: [
          [[[2]], "inputs of W is [[2]], but it must be an object with each input's shape"],
          [{}, 'inputs of W is an object, but it must be'],
          [{ x: 3 }, 'inputs.x of W is 3, but it must be a shape, such as [2, 3].'],
          [{ x: [2, -1] }, 'inputs.x of W is [2,-1], but it must be a shape'],
        ],
        outShape: [['2x3', "outShape of W is '2x3', but it must be a shape, such as [2, 3]."]],
        attrs: [[3, 'attrs of W is 3, but it must be an object.']],
        output: [[-1, 'output of W is -1, but it must be a whole number from 0.']],
        exact: [['no', "exact of W is 'no', but it must be true or false."]],
        terms: [
          [-1, 'terms of W is -1, but it must be a finite number from 0.'],
          [Infinity, 'terms of W is Infinity, but it must be a finite number from 0.'],
        ],
        magnitude: [[[1], 'magnitude of W is [1], but it must be a function of the inputs.']],
        definition: [['x', "definition of W is 'x', but it must be a function of the inputs."]],
        loss: [
          [() => 1, 'loss of W is a function, but it must be an object with start, value, step and linear.'],
        ],
        untied: [['y', "untied of W is 'y', but only these are supported: x."]],
      };
      for (const [field, all] of Object.entries(wrong))
        for (const [value, says] of all)
          expect(await message({ ...double, [field]: value })).toContain(
            `tfjs-convgrad: ${says.replace(' W ', ` ${W} `)}`,
          );
    });

    it('implementations and seeds that are none', async () => {
      expect(await message(double, 'SpecDouble')).toBe("tfjs-convgrad: a is 'SpecDouble', but it must be kernel(name), definition(f) or an object with name, rounds and run."); // prettier-ignore
      expect(await message(double, undefined, double.definition)).toContain(
        'tfjs-convgrad: b is a function, but',
      );
      expect(await message(double, undefined, undefined, { seed: '1' })).toBe("tfjs-convgrad: seed is '1', but it must be a whole number."); // prettier-ignore
    });

    it('the name of a kernel that is not registered, with the nearest', async () => {
      expect(await message({ ...double, kernelName: 'SpecDuoble' })).toBe(
        "tfjs-convgrad: 'SpecDuoble' is no kernel that is registered on cpu. Did you mean 'SpecDouble'?",
      );
    });

    it('an output that a kernel does not have', async () => {
      expect(await message({ ...double, output: 1 })).toBe('tfjs-convgrad: output of SpecDouble, 2x3 is 1, but the kernel has 1 outputs, from 0.'); // prettier-ignore
    });

    it('a definition or a magnitude of another length, and says what outShape is by default', async () => {
      const short = ({ x }: Values) => x.slice(1);
      expect(await message({ ...double, definition: short, outShape: [2, 3] })).toBe(
        `tfjs-convgrad: definition of ${W} gives 5 elements, but outShape [2,3] has 6.`,
      );
      expect(await message({ ...double, definition: short })).toBe(
        `tfjs-convgrad: definition of ${W} gives 5 elements, but outShape [2,3] has 6. outShape was not given, so it is the shape of the first input, x: give the shape of the result as outShape.`,
      );
      expect(await message({ ...double, magnitude: short, outShape: [2, 3] })).toContain(
        `tfjs-convgrad: magnitude of ${W} gives 5 elements, but`,
      );
      expect(await message({ ...double, magnitude: short, exact: true })).toContain('gives 5 elements, but');
    });

    it('a definition or a magnitude that gives no numbers', async () => {
      const of = (definition: unknown) => message({ ...double, definition });
      expect(await of(() => undefined)).toBe(`tfjs-convgrad: definition of ${W} gives undefined, but it must give a Float64Array: the elements of the result, flat and row-major.`); // prettier-ignore
      expect(await of(async () => [1])).toContain('gives an object, but it must give a Float64Array');
      expect(await of(() => [[1, 2, 3], [4, 5, 6]])).toContain('gives an array that holds [1,2,3], but it must hold numbers'); // prettier-ignore
      expect(await of(({ x }: Values) => Array.from(x, (v) => 2 * v))).toBe('right');
    });

    it('a magnitude that would make any bound, or none', async () => {
      for (const value of [-1, NaN, Infinity])
        expect(await message({ ...double, magnitude: ({ x }: Values) => x.fill(value) })).toBe(
          `tfjs-convgrad: magnitude of ${W} gives ${value} for element [0,0], but it must give finite numbers from 0.`,
        );
    });

    it('a result of another shape than outShape, and says what outShape is by default', async () => {
      const sum = { ...double, kernelName: 'SpecSum' };
      expect(await message({ ...sum, outShape: [2, 3] })).toBe(
        'tfjs-convgrad: SpecSum, 2x3: the result is of shape [1], but it must be [2,3].',
      );
      expect(await message(sum)).toContain('must be [2,3]. outShape was not given, so it is the shape of');
    });

    it('inputs that the definition or the kernel knows by other names', async () => {
      const scale: GivenCase = {
        kernelName: 'SpecScale',
        inputs: { x: [2, 3], factor: [1] },
        definition: ({ x, factor }) => x.map((v) => v * factor[0]),
      };
      expect(await message(scale)).toBe('right');
      const misspelt = { ...scale, inputs: { x: [2, 3], facter: [1] } };
      const says = (who: string) => `tfjs-convgrad: ${who} asks for the input 'factor', but the case has only these: x, facter. One of 'factor' and 'facter' is misspelt.`; // prettier-ignore
      expect(await message(misspelt)).toBe(says(`definition of ${W}`));
      const asMisspelt = ({ x, facter }: Values) => x.map((v) => v * facter[0]);
      expect(await message({ ...misspelt, definition: asMisspelt })).toBe(says('kernel SpecScale'));
      expect(
        await message({ ...misspelt, definition: asMisspelt, magnitude: ({ factor }: Values) => factor }),
      ).toBe(says(`magnitude of ${W}`));
      const unlike = { ...scale, inputs: { x: [2, 3] } };
      expect(await message(unlike)).toMatch(/asks for the input 'factor', but the case has only these: x\. It throws: .*undefined/); // prettier-ignore
    });

    it('no input that is optional', async () => {
      const optional = ({ x, bias }: Values) =>
        x.map((v, i) => 2 * v + ((bias as Float64Array | undefined)?.[i] ?? 0));
      expect(await message({ ...double, definition: optional })).toBe('right');
    });
  });

  it('leaves no tensor behind, also where it throws', async () => {
    const count = () => [tf.memory().numTensors, tf.engine().backend.numDataIds()];
    const before = count();
    await message(double);
    await message({ ...double, output: 1 });
    await message({ ...double, kernelName: 'SpecSum' });
    await message({ ...double, inputs: { X: [2, 3] }, definition: ({ X }: Values) => X });
    expect(count()).toEqual(before);
  });
});

/**
 * Specs of checkModel: it must find a wrong kernel anywhere in a model and name nothing else, and raise no alarm where all kernels are
 * right to rounding.
 */
import { type GraphModel, loadGraphModel } from '@tensorflow/tfjs-converter';
import * as tfl from '@tensorflow/tfjs-layers';
import { checkModel, type CheckModelOptions, type ModelOp, type ModelReport } from '../src/verify/index.js';
import { ARCHITECTURES, architecture } from './support/architectures.js';
import { GRAPHS, prepared } from './support/graphs.js';
import { shareOf } from './support/share.js';
import { describeOnBackends, tf, whileInstalled } from './support/tfjs.js';
import { inside, PATIENCE, withFlags } from './support/webgl.js';

type T4 = tf.Tensor4D;

const FAULT = 1 / 128;

const image = (shape: T4['shape'], seed = 3) => tf.randomUniform<tf.Rank.R4>(shape, -1, 1, 'float32', seed);
/** The cpu backend counts too: kernels run there without the engine. */
const memory = () => {
  const { numTensors, numDataBuffers } = tf.memory();
  return [numTensors, numDataBuffers, (tf.engine().findBackend('cpu') as tf.KernelBackend).numDataIds()];
};
const wrongOps = ({ ops }: ModelReport) => ops.filter(({ state }) => state === 'wrong');
const nameOf = ({ index, kernel, phase }: ModelOp) => `${phase} ${index} ${kernel}`;

/** The report of a check that leaves no tensor behind. */
async function checked(...args: Parameters<typeof checkModel>): Promise<ModelReport> {
  const before = memory();
  const report = await checkModel(...args);
  expect(memory()).withContext('tensors, data buffers, data ids on cpu').toEqual(before);
  return report;
}

function expectVerdict(report: ModelReport, verdict: ModelReport['verdict']): void {
  expect(report.verdict).withContext(String(report)).toBe(verdict);
}

/** Runs f while a kernel of the active backend gives, for the chosen calls, one value of its last output too large by `fault`. */
async function withFault<T>(
  kernelName: string,
  isWrong: (inputs: Record<string, tf.TensorInfo>) => boolean,
  f: () => Promise<T>,
  fault = FAULT,
): Promise<T> {
  const config = tf.getKernel(kernelName, tf.getBackend());
  const add = tf.getKernel('Add', tf.getBackend());
  const kernelFunc: tf.KernelFunc = (args) => {
    const made = config.kernelFunc(args);
    if (!isWrong(args.inputs as Record<string, tf.TensorInfo>)) return made;
    const results = [made].flat();
    const result = results.pop()!;
    const backend = args.backend as tf.KernelBackend;
    const { shape } = result;
    const faults = new Float32Array(tf.util.sizeFromShape(shape));
    faults[faults.length >> 1] = fault;
    const b = { dataId: backend.write(faults, shape, 'float32'), shape, dtype: 'float32' } as const;
    const spoiled = add.kernelFunc({ inputs: { a: result, b }, attrs: {}, backend });
    [result, b].forEach(({ dataId }) => backend.disposeData(dataId));
    return Array.isArray(made) ? [...results, spoiled as tf.TensorInfo] : spoiled;
  };
  tf.unregisterKernel(kernelName, config.backendName);
  tf.registerKernel({ ...config, kernelFunc });
  try {
    return await f();
  } finally {
    tf.unregisterKernel(kernelName, config.backendName);
    tf.registerKernel(config);
  }
}

/** Shapes as one text. */
const shapeOf = ({ shape }: tf.TensorInfo) => shape.join('x');

/** A MobileNetV2 of few blocks: convolutions, depthwise convolutions, sums, an average and a softmax. Batch normalization is folded. */
function mobileNet() {
  let at = 0;
  const weights: tf.Tensor[] = [];
  const weight = (shape: number[], terms: number): tf.Tensor => {
    const size = Math.sqrt(6 / terms);
    weights[at] ??= tf.keep(tf.randomUniform(shape, -size, size, 'float32', at + 1));
    return weights[at++];
  };
  const conv = (x: T4, filters: number, size: number, strides: number, activation: 'linear' | 'relu6') =>
    tf.fused.conv2d({
      x,
      filter: weight([size, size, x.shape[3], filters], size * size * x.shape[3]) as T4,
      bias: weight([filters], 100),
      strides,
      pad: 'same',
      activation,
    });
  const block = (x: T4, wide: number, filters: number, strides: number) => {
    const z = conv(x, wide, 1, 1, 'relu6');
    const filter = weight([3, 3, wide, 1], 9) as T4;
    const bias = weight([wide], 100);
    const y = tf.fused.depthwiseConv2d({ x: z, filter, bias, strides, pad: 'same', activation: 'relu6' });
    return conv(y, filters, 1, 1, 'linear');
  };
  const predict = (x: T4) => {
    at = 0;
    let y = conv(x, 8, 3, 2, 'relu6');
    y = block(y, 24, 12, 2);
    y = tf.add(y, block(y, 40, 12, 1));
    y = block(y, 48, 16, 2);
    const averages = tf.mean<tf.Tensor2D>(y, [1, 2]);
    return tf.softmax(tf.matMul(averages, weight([16, 10], 16) as tf.Tensor2D));
  };
  return { predict, weights };
}

/** Where a fault is planted: the kernel, and the call by the shape of an input. */
const PLACES: Record<string, [kernelName: string, input: string, shape: string]> = {
  'the first convolution': ['FusedConv2D', 'filter', '3x3x3x8'],
  'a depthwise convolution amid': ['FusedDepthwiseConv2D', 'filter', '3x3x40x1'],
  'the sum of a shortcut': ['Add', 'a', '1x8x8x12'],
  'the last convolution': ['FusedConv2D', 'filter', '1x1x48x16'],
  'the average': ['Mean', 'x', '1x4x4x16'],
  'the product at the end': ['BatchMatMul', 'b', '16x10'],
  'the softmax': ['Softmax', 'logits', '1x10'],
};

/** A graph that chooses between two branches as it runs, so that tfjs can only run it asynchronously. */
async function branchingModel(): Promise<GraphModel> {
  return graphOf([
    { name: 'x', op: 'Placeholder', attr: float },
    { name: 'isUp', op: 'Placeholder', attr: { dtype: { type: 'DT_BOOL' } } },
    { name: 'switch', op: 'Switch', input: ['x', 'isUp'], attr: { T: { type: 'DT_FLOAT' } } },
    { name: 'up', op: 'Exp', input: ['switch:1'], attr: {} },
    { name: 'down', op: 'Neg', input: ['switch'], attr: {} },
    { name: 'y', op: 'Merge', input: ['up', 'down'], attr: {} },
  ]);
}

const float = { dtype: { type: 'DT_FLOAT' } };

async function graphOf(node: object[]): Promise<GraphModel> {
  const modelTopology = { node, versions: { producer: '1' } };
  return loadGraphModel(tf.io.fromMemory({ modelTopology, weightSpecs: [], weightData: new ArrayBuffer(0) }));
}

describeOnBackends('check_model', (backendName) => {
  const isCpu = backendName === 'cpu';
  const isWebgl = backendName === 'webgl';
  // What is kept for reading looks like a leak to tfjs's check of ops with gradients of their own.
  beforeEach(() => tf.env().set('IS_TEST', false));

  const places = isWebgl ? shareOf(Object.keys(PLACES), 6) : Object.keys(PLACES);
  for (const place of places) {
    it(
      `finds a fault in ${place} and names nothing else`,
      async () => {
        const [kernelName, input, shape] = PLACES[place];
        const { predict, weights } = mobileNet();
        const x = image([1, 32, 32, 3]);
        tf.tidy(() => predict(x)); // makes the weights
        const report = await withFault(
          kernelName,
          (inputs) => shapeOf(inputs[input]) === shape,
          () => checked(predict, x),
        );
        expectVerdict(report, 'wrong');
        const wrong = wrongOps(report);
        expect(wrong.map(({ kernel }) => kernel)).toEqual([kernelName]);
        expect(wrong[0].inputs[input].join('x')).toBe(shape);
        const { worst, outputs } = wrong[0];
        const middle = tf.util.sizeFromShape([...outputs[0]]) >> 1;
        expect(tf.util.locToIndex([...worst!.index], outputs[0].length, tf.util.computeStrides([...outputs[0]]))).toBe(middle); // prettier-ignore
        expect(worst!.got - worst!.want).toBeCloseTo(FAULT, 4);
        expect(report.contributions[0].index).toBe(wrong[0].index);
        expect(String(report)).toContain(`WRONG: #${wrong[0].index} ${kernelName}`);
        tf.dispose([weights, x]);
      },
      PATIENCE,
    );
  }

  describe('raises no alarm', () => {
    for (const name of shareOf(ARCHITECTURES, isWebgl ? 5 : 3)) {
      for (const gradients of isWebgl ? [false] : [false, true]) {
        it(
          `${name}${gradients ? ', with gradients' : ''}`,
          async () => {
            const { model, x } = architecture(name);
            const check = () => checked(model, x, { gradients });
            // tfjs's own kernels cannot train on wasm.
            const report = await (backendName === 'wasm' && gradients ? whileInstalled(check) : check());
            expect(wrongOps(report).map(nameOf)).withContext(String(report)).toEqual([]);
            expect(report.slopes?.filter(({ state }) => state === 'wrong') ?? []).toEqual([]);
            expect(report.ops.filter(({ state }) => state === 'not judged')).toEqual([]);
            if (!gradients) expectVerdict(report, 'right');
            model.dispose();
            x.dispose();
          },
          PATIENCE,
        );
      }
    }

    for (const graph of isWebgl ? [] : GRAPHS) {
      it(`${graph.name.split(/[ ,]/)[0]}, with the plugin and without it`, async () => {
        const { predict, weights } = prepared(graph);
        const x = image([1, 64, 64, 3]);
        tf.dispose(predict(x));
        expectVerdict(await checked(predict, x), 'right');
        expectVerdict(await whileInstalled(() => checked(predict, x)), 'right');
        tf.dispose([weights, x]);
      });
    }
  });

  it(
    'finds that the gradient of average pooling is wrong at padding, and that the plugin mends it',
    async () => {
      const f = (x: T4) => tf.avgPool(x, 3, 1, 'same');
      const x = image([1, 5, 5, 2]);
      const report = await checked(f, x, { gradients: true });
      expectVerdict(report, 'wrong');
      expect(wrongOps(report).map(({ kernel, phase }) => `${phase} ${kernel}`)).toEqual([
        'backward AvgPoolGrad',
      ]);
      const forward = report.ops.find(({ kernel }) => kernel === 'AvgPool')!;
      expect(wrongOps(report)[0].of).toBe(forward.index);
      report.contributions.forEach(({ index }) => expect(report.ops[index].phase).toBe('forward'));
      expect(report.slopes!.some(({ state }) => state === 'wrong')).toBeTrue();
      expectVerdict(await whileInstalled(() => checked(f, x, { gradients: true })), 'right');
      x.dispose();
    },
    PATIENCE,
  );

  it('allows the gradient of a maximum to go to any of the cells that are equal, but not past them', async () => {
    const f = (x: T4) => tf.maxPool(tf.relu(x), 3, 2, 'same');
    const x = tf.sub<T4>(image([1, 6, 6, 2]), 0.8);
    const loss = (y: tf.Tensor) => tf.sum(tf.mul(y, tf.reshape(tf.div(tf.range(1, y.size + 1), 7), y.shape)));
    const check = () => checked(f, x, { gradients: true, loss });
    const pooled = async (report: Promise<ModelReport>) =>
      (await report).ops.find(({ kernel }) => kernel === 'MaxPoolGrad')!.state;
    // tfjs loses the gradient of a window of zeros on wasm.
    expect(await pooled(check())).toBe(backendName === 'wasm' ? 'wrong' : 'right');
    expect(await pooled(whileInstalled(check))).toBe('right');
    expect(await pooled(whileInstalled(() => withFault('MaxPoolGrad', () => true, check)))).toBe('wrong');
    x.dispose();
  });

  it(
    'knows how far off elementary functions may be',
    async () => {
      const any = [tf.abs, tf.asinh, tf.atan, tf.cos, tf.cosh, tf.elu, tf.exp, tf.expm1, tf.leakyRelu, tf.selu, tf.sigmoid, tf.sin, tf.sinh, tf.softplus, tf.square, tf.tanh, tf.floor, tf.round, tf.sign];
      const positive = [tf.log, tf.log1p, tf.reciprocal, tf.rsqrt, tf.sqrt];
      const inside = [tf.acos, tf.asin, tf.atanh, tf.tan];
      const f = (x: tf.Tensor) => {
        const y = tf.add(tf.abs(x), 0.01);
        return [any.map((op) => op(x)), positive.map((op) => op(y)), inside.map((op) => op(tf.mul(x, 0.2))), tf.acosh(tf.add(y, 1))].flat();
      };
      const x = tf.randomUniform([300], -4, 4, 'float32', 9);
      const report = await checked(f, x);
      expect(wrongOps(report).map(nameOf)).withContext(String(report)).toEqual([]);
      expect(report.ops.filter(({ by }) => by !== 'definition').map(nameOf)).toEqual([]);
      const spoiled = await withFault('Tanh', () => true, () => checked(f, x), 1e-4);
      expect(wrongOps(spoiled).map(({ kernel }) => kernel)).toEqual(['Tanh']);
      x.dispose();
    },
    PATIENCE,
  ); // prettier-ignore

  if (isWebgl) {
    it('finds that a dilated depthwise convolution of tfjs reads past its image', async () => {
      tf.env().set('WEBGL_CPU_FORWARD', false);
      const x = tf.zeros<tf.Rank.R4>([1, 1, 5, 2]);
      const filter = tf.tensor4d([1, 1, 10, 10], [1, 2, 2, 1]);
      // What exp leaves past the odd width is not 0.
      const f = (x: T4) => tf.depthwiseConv2d(tf.exp(tf.mul<T4>(x, 1)), filter, 1, 'same', 'NHWC', [1, 2]);
      const report = await checked(f, x);
      expect(wrongOps(report).map(({ kernel }) => kernel)).toEqual(['DepthwiseConv2dNative']);
      expectVerdict(await whileInstalled(() => checked(f, x)), 'right');
      tf.env().set('WEBGL_CPU_FORWARD', true);
      tf.dispose([x, filter]);
    });

    it(
      'finds where half floats overflow',
      () =>
        withFlags({ WEBGL_FORCE_F16_TEXTURES: true, WEBGL_CPU_FORWARD: false }, async () => {
          const x = tf.fill<tf.Rank.R4>([1, 4, 4, 4], 20);
          const filter = tf.fill<tf.Rank.R4>([3, 3, 4, 4], 2);
          const f = (x: T4) => {
            const y = tf.conv2d(x, filter, 1, 'same'); // 1440 amid the image
            return tf.relu(tf.mul(y, 50)); // 72000
          };
          const report = await checked(f, x);
          expectVerdict(report, 'wrong');
          expect(report.halfFloats).toBeTrue();
          const [overflow] = wrongOps(report);
          expect(overflow.kernel).toBe('Multiply');
          expect(overflow.reason).toContain('65504');
          expect(overflow.worst!.want).toBe(72000);
          // Some drivers give the largest half float instead of Infinity.
          expect(report.firstNonFinite?.index ?? overflow.index).toBe(overflow.index);
          expectVerdict(await checked((x: T4) => tf.relu(tf.conv2d(x, filter, 1, 'same')), x), 'right');
          tf.dispose([x, filter]);
        }),
      PATIENCE,
    );

    it('leaves the textures as they are', async () => {
      const x = image([1, 8, 8, 4]);
      const f = (x: T4) => tf.relu(tf.mul(x, 2));
      await checked(f, x);
      const before = inside().textureManager.getNumUsedTextures();
      await checked(f, x);
      expect(inside().textureManager.getNumUsedTextures()).toBe(before);
      x.dispose();
    });
    return;
  }

  if (backendName === 'wasm') {
    it("finds that 'same' pads wrongly where the stride is above the window", async () => {
      const x = image([1, 4, 3, 1]);
      const filter = tf.ones<tf.Rank.R4>([1, 2, 1, 1]);
      const f = (x: T4) => tf.relu(tf.depthwiseConv2d(x, filter, 2, 'same'));
      const report = await checked(f, x);
      expect(wrongOps(report).map(({ kernel }) => kernel)).toEqual(['DepthwiseConv2dNative']);
      expectVerdict(await whileInstalled(() => checked(f, x)), 'right');
      tf.dispose([x, filter]);
    });
  }

  describe('takes the attributes of', () => {
    const filterOf = (...shape: T4['shape']) => image(shape, 5);
    const vector = (size: number) => tf.randomUniform([size], -1, 1, 'float32', 6);
    const fused = (x: T4, options: object) =>
      tf.fused.conv2d({ x, filter: filterOf(3, 2, 3, 4), strides: 1, pad: 'same', ...options });
    const models: Record<string, (x: T4) => tf.Tensor | tf.Tensor[]> = {
      'pads and strides of every form': (x) => [
        tf.conv2d(x, filterOf(3, 3, 3, 2), [2, 1], [[0, 0], [1, 2], [0, 1], [0, 0]]),
        tf.conv2d(x, filterOf(3, 3, 3, 2), 2, 1, 'NHWC', 1, 'floor'),
        tf.depthwiseConv2d(x, filterOf(3, 3, 3, 2), 1, 'same', 'NHWC', 2),
        tf.avgPool(x, [2, 3], [1, 2], 'same'),
        tf.maxPool(x, 3, 2, 1, 'floor'),
      ],
      'fused activations': (x) => [
        fused(x, { activation: 'relu', bias: vector(4) }),
        fused(x, { activation: 'prelu', preluActivationWeights: vector(4) }),
        fused(x, { activation: 'leakyrelu', leakyreluAlpha: 3 }),
        fused(x, { activation: 'elu', bias: vector(4) }),
        fused(x, { activation: 'sigmoid' }),
      ],
      'matrix products and normalization': (x) => [
        tf.matMul(tf.reshape<tf.Rank.R3>(x, [2, 6, 15]), image([1, 1, 2, 15]).reshape<tf.Tensor3D>([1, 2, 15]), false, true),
        tf.fused.matMul({ a: tf.reshape<tf.Rank.R2>(x, [12, 15]), b: tf.reshape<tf.Rank.R2>(image([1, 1, 15, 3]), [15, 3]), bias: vector(3), activation: 'relu' }),
        tf.batchNorm(x, vector(3), tf.abs(vector(3)), undefined, vector(3), 0.01),
      ],
      'whole numbers and truth values': (x) => {
        const whole = tf.cast(tf.mul(x, 9), 'int32');
        const isLarge = tf.greater(whole, 3);
        return [tf.add(whole, whole), tf.mul(whole, whole), tf.sum(whole, 1), tf.max(whole, [1, 2]), tf.relu(whole), tf.where(isLarge, x, tf.neg(x)), tf.argMax(x, 3), tf.logicalAnd(isLarge, tf.logicalNot(isLarge))];
      },
      'what moves elements': (x) => [
        tf.transpose(x, [3, 0, 2, 1]),
        tf.concat([x, tf.reverse(x, 2)], -1),
        tf.slice(x, [0, 1, 2], [2, -1, 3]),
        tf.pad(x, [[1, 0], [0, 2], [0, 0], [1, 1]], 3),
        tf.tile(x, [1, 2, 1, 3]),
        tf.stack([x, x], 1),
        ...tf.unstack(x, 3),
        ...tf.split(x, [1, 2], 3),
      ],
    }; // prettier-ignore
    for (const [name, model] of Object.entries(models)) {
      it(name, async () => {
        const x = image([2, 6, 5, 3]);
        const report = await checked(model, x);
        expectVerdict(report, 'right');
        const kernels = new Set(report.ops.map(({ kernel }) => kernel));
        for (const kernel of name === 'whole numbers and truth values' ? [] : kernels) {
          const spoiled = await withFault(kernel, () => true, () => checked(model, x), 1e-4); // prettier-ignore
          expect(wrongOps(spoiled).map(({ kernel }) => kernel)).toContain(kernel);
        }
        x.dispose();
      });
    }
  });

  it('tells an Infinity that is an overflow from one that is not', async () => {
    const x = tf.tensor1d([1, 1e30, 2]);
    const square = await checked((x: tf.Tensor) => tf.square(x), x);
    expect(square.ops[0].state).toBe('right');
    expect(square.firstNonFinite!.elements).toEqual([{ output: 0, index: [1], value: Infinity }]);
    const f = (x: tf.Tensor) => tf.relu(x);
    const relu = await withFault('Relu', () => true, () => checked(f, x), Infinity); // prettier-ignore
    expect(wrongOps(relu).map(({ kernel }) => kernel)).toEqual(['Relu']);
    x.dispose();
  });

  it('judges every output of a kernel', async () => {
    const x = image([1, 2, 2, 4]);
    const f = (x: T4) => tf.split(x, 4, 3);
    const report = await withFault('SplitV', () => true, () => checked(f, x)); // prettier-ignore
    expect(wrongOps(report).map(({ worst }) => worst!.output)).toEqual([3]);
    expect(String(report)).toContain('output 3, element [0,1,0,0] is');
    x.dispose();
  });

  it('judges kernels that have no definition by cpu, and says so, or that it cannot', async () => {
    const x = image([1, 3, 4, 2]);
    const f = (x: T4) => tf.image.resizeBilinear(x, [6, 7]);
    const report = await checked(f, x);
    const [op] = report.ops;
    expect(op.kernel).toBe('ResizeBilinear');
    expect(op.state).toBe(isCpu ? 'not judged' : 'compared');
    expectVerdict(report, isCpu ? 'unsure' : 'right');
    expect(String(report)).toContain(isCpu ? 'cpu would be compared with itself' : '1 compared with cpu');
    if (!isCpu) {
      const wrong = await withFault('ResizeBilinear', () => true, () => checked(f, x), 1e-4); // prettier-ignore
      expect(wrongOps(wrong).map(({ by }) => by)).toEqual(['cpu']);
    }
    x.dispose();
  });

  it('finds the first op that makes NaN or Infinity, and does not judge what follows it', async () => {
    const x = tf.tensor1d([1, 0, 4, 2]);
    const report = await checked((x: tf.Tensor) => tf.sub(tf.square(tf.log(x)), 1), x);
    const { kernel, count, elements } = report.firstNonFinite!;
    expect({ kernel, count, elements }).toEqual({
      kernel: 'Log',
      count: 1,
      elements: [{ output: 0, index: [1], value: -Infinity }],
    });
    expect(report.ops.map(({ state }) => state)).toEqual(['right', 'not judged', 'not judged']);
    expectVerdict(report, 'unsure');
    expect(String(report)).toContain('#0 Log is the first that makes NaN or Infinity of finite values: 1 elements, [1] is -Infinity.'); // prettier-ignore
    x.dispose();
  });

  it('blames no op for values that were not finite before it, or that it is told', async () => {
    const x = tf.tensor1d([NaN, 1]);
    const report = await checked((x: tf.Tensor) => tf.add(tf.neg(x), tf.fill([2], -Infinity)), x);
    expect(report.firstNonFinite).toBeUndefined();
    expect(wrongOps(report)).toEqual([]);
    expectVerdict(report, 'unsure');
    x.dispose();
  });

  it('is JSON, with texts for Infinity', async () => {
    const x = tf.tensor1d([1, 2]);
    const report = await withFault('Relu', () => true, () => checked((x: tf.Tensor) => tf.relu(x), x)); // prettier-ignore
    const parsed = JSON.parse(JSON.stringify(report)) as { verdict: string; ops: { error: unknown }[] };
    expect(parsed.verdict).toBe('wrong');
    expect(parsed.ops[0].error).toBe('Infinity');
    x.dispose();
  });

  it('takes models of every kind, and names layers', async () => {
    const { model, x } = architecture('LeNet, with tanh');
    const { ops } = await checked(model, x);
    const names = model.layers.map(({ name }) => name);
    const outside = ops.filter(({ layer }) => layer === undefined || !names.includes(layer));
    expect(outside.map(({ kernel }) => kernel)).toEqual(['Slice', 'Identity']); // of predict, around the batch
    expect(Object.keys(model.layers[1])).not.toContain('call');
    model.dispose();

    const plain = await graphOf([
      { name: 'x', op: 'Placeholder', attr: float },
      { name: 'y', op: 'Tanh', input: ['x'], attr: {} },
    ]);
    const { parameters, verdict } = await checked(plain, { x }, { gradients: true });
    expect([verdict, parameters!.map(({ name }) => name)]).toEqual(['right', ['x']]);
    plain.dispose();

    const graph = await branchingModel();
    for (const [isUp, kernel] of [
      [true, 'Exp'],
      [false, 'Neg'],
    ] as const) {
      const inputs = { x, isUp: tf.scalar(isUp, 'bool') };
      const report = await checked(graph, inputs);
      expect(report.ops.map(({ kernel }) => kernel)).toContain(kernel);
      expectVerdict(report, 'right');
      await expectAsync(checkModel(graph, inputs, { gradients: true })).toBeRejectedWithError(/executeAsync/);
      inputs.isUp.dispose();
    }
    graph.dispose();
    x.dispose();
  });

  it('cuts a model into windows, and samples', async () => {
    const { predict, weights } = mobileNet();
    const x = image([1, 32, 32, 3]);
    tf.tidy(() => predict(x));
    const most = { numTensors: 0 };
    const watched = (x: T4) => {
      const y = predict(x);
      most.numTensors = Math.max(most.numTensors, tf.memory().numTensors);
      return y;
    };
    const whole = await checked(watched, x);
    const before = most.numTensors;
    most.numTensors = 0;
    const cut = await checked(watched, x, { maxBytes: 1 });
    const plain = ({ ops }: ModelReport) => ops.map((op) => ({ ...op, milliseconds: 0 }));
    expect(plain(cut)).toEqual(plain(whole));
    expect(most.numTensors).toBeLessThan(before - whole.ops.length / 2);

    const sample = await checked(predict, x, { maxElements: 100 });
    const sampled = sample.ops.filter((op) => op.sampled !== undefined);
    expect(sampled.map(({ sampled }) => sampled)).toEqual(sampled.map(() => 100));
    expect(sampled.length).toBe(
      whole.ops.filter(({ outputs }) => tf.util.sizeFromShape([...outputs[0]]) > 100).length,
    );
    expect(String(sample)).toContain('Sampled: #0 FusedConv2D (100 elements)');
    expectVerdict(sample, 'right');
    const spoil = (maxElements: number) => withFault('FusedConv2D', () => true, () => checked(predict, x, { maxElements })); // prettier-ignore
    const found = wrongOps(await spoil(Infinity)).length;
    expect(wrongOps(await spoil(2 ** 9)).length).toBeLessThan(found); // one wrong element is seldom drawn
    tf.dispose([weights, x]);
  });

  it('samples products of many matrices', async () => {
    const [a, b] = [[2, 12, 40], [2, 12, 9]].map((shape, i) => tf.randomUniform<tf.Rank.R3>(shape as [number, number, number], -1, 1, 'float32', i + 1)); // prettier-ignore
    const f = (a: tf.Tensor3D, b: tf.Tensor3D) => tf.matMul(a, b, true, false);
    const report = await checked(f, [a, b], { maxElements: 100 });
    expectVerdict(report, 'right');
    expect(report.ops.map(({ sampled, by }) => [sampled, by])).toEqual([[100, 'definition']]);
    tf.dispose([a, b]);
  });

  describe('with gradients', () => {
    it('restores the weights and names gradients that are zero', async () => {
      const model = tfl.sequential({
        layers: [
          tfl.layers.dense({ units: 3, inputShape: [4], activation: 'tanh', name: 'first' }),
          tfl.layers.dense({ units: 2, name: 'second' }),
        ],
      });
      // The second layer hides the first.
      const weights = model.getWeights().map((w, i) => (i === 2 ? tf.zerosLike(w) : tf.randomUniform(w.shape, -1, 1, 'float32', i + 1))); // prettier-ignore
      model.setWeights(weights);
      const x = tf.randomUniform([2, 4], -1, 1, 'float32', 1);
      const before = model.getWeights().map((w) => [...w.dataSync()]);
      const report = await checked(model, x, { gradients: true });
      expect(model.getWeights().map((w) => [...w.dataSync()])).toEqual(before);
      expect(report.parameters!.map(({ state }) => state)).toEqual(['zero', 'zero', undefined, undefined]);
      const names = model.trainableWeights.map(({ name }) => name);
      expect(report.parameters!.map(({ name }) => name)).toEqual(names);
      expect(String(report)).toContain(`The gradient is zero: ${names[0]}, ${names[1]}.`);
      expectVerdict(report, 'right');
      const backward = report.ops.filter(({ phase }) => phase === 'backward');
      expect(backward.some(({ layer }) => layer === 'first')).toBeTrue();
      model.dispose();
      tf.dispose([weights, x]);
    });

    it('finds a gradient that is wrong though every kernel is right', async () => {
      const halved = tf.customGrad((x, save) => {
        (save as tf.GradSaveFunc)([x as tf.Tensor]);
        return {
          value: tf.square(x as tf.Tensor),
          gradFunc: (dy: tf.Tensor, [x]: tf.Tensor[]) => tf.mul(dy, x),
        };
      });
      const variable = tf.variable(tf.tensor1d([1, -2, 3]), true);
      const report = await checked((x: tf.Tensor) => halved(tf.mul(x, variable)), tf.tensor1d([1, 2, 3]), {
        gradients: true,
        loss: (y: tf.Tensor) => tf.sum(y),
      });
      expect(report.parameters!.map(({ name }) => name)).toEqual([variable.name]);
      expect(wrongOps(report)).toEqual([]);
      expectVerdict(report, 'wrong');
      report.slopes!.forEach(({ got, want }) => expect(got / want).toBeCloseTo(0.5, 3));
      variable.dispose();
    });
  });

  describe('throws, and leaves nothing behind:', () => {
    const x = () => tf.tensor1d([1, 2]);
    const f = (x: tf.Tensor) => tf.relu(x);
    const bad: [name: string, model: unknown, inputs: () => unknown, options: CheckModelOptions | undefined, message: RegExp][] = [
      ['a model that is none', 3, x, undefined, /model is 3, but it must be a tf.LayersModel, a tf.GraphModel or a function/],
      ['inputs that are none', f, () => 'x', undefined, /inputs is 'x', but it must be a tensor or a list of tensors/],
      ['an input that is none', f, () => [x(), 1], undefined, /inputs\[1\] is 1, but it must be a tensor/],
      ['an unknown option', f, x, { seeds: 1 } as never, /Did you mean 'seed'/],
      ['a bad seed', f, x, { seed: 0.5 }, /seed is 0.5, but it must be a whole number/],
      ['a bad limit', f, x, { maxElements: 0 }, /maxElements is 0, but it must be a number above 0/],
      ['a loss without gradients', f, x, { loss: f }, /loss is .* but it must be given together with gradients/s],
      ['a loss of many elements', f, x, { gradients: true, loss: f }, /loss is .* but it must be one that returns a tensor of one element/],
      ['a model that returns none', () => 3, x, undefined, /model is one that returns 3/],
      ['a model that throws amid', (x: tf.Tensor) => [tf.square(x), fail()], x, undefined, /stop/],
      ['a loss that throws', (x: tf.Tensor) => tf.square(x), x, { gradients: true, loss: fail }, /stop/],
    ]; // prettier-ignore
    for (const [name, model, inputs, options, message] of bad) {
      it(name, async () => {
        const given = inputs();
        const before = memory();
        const runKernel = Object.getOwnPropertyDescriptor(tf.engine(), 'runKernel');
        await expectAsync(checkModel(model as never, given as never, options)).toBeRejectedWithError(message);
        expect(memory()).toEqual(before);
        expect(Object.getOwnPropertyDescriptor(tf.engine(), 'runKernel')).toEqual(runKernel);
      });
    }

    it('a model of random values', async () => {
      const given = x();
      const before = memory();
      const model = (x: tf.Tensor) => tf.mul(x, tf.randomUniform([2]));
      await expectAsync(checkModel(model, given)).toBeRejectedWithError(
        /output 0 differs by .* must be deterministic/,
      );
      expect(memory()).toEqual(before);
    });

    it('a model that is not deterministic', async () => {
      let calls = 0;
      const model = (x: tf.Tensor) => (calls++ === 0 ? tf.relu(x) : tf.square(tf.neg(x)));
      const given = x();
      const before = memory();
      await expectAsync(checkModel(model, given)).toBeRejectedWithError(
        /must be deterministic.* call 0 was Relu, x float32 \[2\].*and then Neg/s,
      );
      expect(memory()).toEqual(before);
    });
  });

  it('says how far it is, waits, and can be ended anywhere', async () => {
    const w = tf.variable(tf.ones([3, 2]));
    const x = tf.tensor2d([1, 2, 3], [1, 3]);
    const model = (x: tf.Tensor2D) => tf.matMul(x, w as tf.Tensor as tf.Tensor2D);
    const steps: [done: number, all: number][] = [];
    const weights = () => Array.from(w.dataSync());
    let isPaused = false;
    const onProgress = async (done: number, all: number) => {
      expect(isPaused).toBe(false);
      isPaused = true;
      await new Promise((resolve) => setTimeout(resolve));
      isPaused = false;
      steps.push([done, all]);
    };
    const { ops } = await checked(model, x, { gradients: true, onProgress });
    const last = steps.findIndex(([done]) => done === ops.length);
    expect(steps.slice(0, last)).toEqual(ops.map((_, i) => [i, ops.length]));
    expect(steps.length - last).toBeGreaterThan(10); // runs along random directions
    const before = memory();
    for (const end of [0, 1, last, last + 3]) {
      let count = 0;
      const stop = () => void (count++ >= end && fail());
      await expectAsync(checkModel(model, x, { gradients: true, onProgress: stop })).toBeRejectedWithError(
        'stop',
      );
      expect([...memory(), weights()]).toEqual([...before, [1, 1, 1, 1, 1, 1]]);
    }
    tf.dispose([w, x]);
  });

  function fail(): never {
    throw new Error('stop');
  }
});

/** The kernels on tfjs's wasm backend: they read and write its memory in place, and that memory may grow and move. */
import * as tfl from '@tensorflow/tfjs-layers';
import { avgPool, backendInfo, configure, conv2d, maxPool } from '../src/index.js';
import { compare } from '../src/verify/exact.js';
import { floats, random } from '../src/verify/data.js';
import { roundingBound, UNIT } from '../src/verify/rounded.js';
import { KERNELS } from '../kernels/all.js';
import type { BackendName, KernelName } from '../kernels/registry.js';
import { bestSimd, type CpuOptions } from '../kernels/runtime/options.js';
import {
  expectExactly,
  expectNoLeak,
  expectWithin,
  installed,
  integers,
  tf,
  valuesOf,
  whileInstalled,
} from './support/tfjs.js';
import {
  insideWasm,
  memoryOfWasm,
  onSharedMemory,
  THREADS,
  threadsOfWasm,
  remakeWasm,
  startWasm,
  type WatchedHeap,
  watchHeap,
} from './support/wasm.js';

type T4 = tf.Tensor4D;

const bytes = () => memoryOfWasm().buffer.byteLength;

/** A kernel, the shapes of its inputs, and its attributes. `holes`: its micro-kernel gives up, on windows of NaN. */
type Call = [kernelName: string, inputs: Record<string, number[]>, attrs?: tf.NamedAttrMap, holes?: 'holes'];

/** A call for each way in which the kernels use the heap. All of them are large enough for the micro-kernels. */
const CALLS: Record<string, Call> = {
  'conv2d': ['Conv2D', { x: [2, 20, 20, 6], filter: [3, 3, 6, 8] }],
  'conv2d to few channels': ['Conv2D', { x: [2, 20, 20, 8], filter: [3, 3, 8, 3] }],
  'conv2d, channels first': ['Conv2D', { x: [2, 6, 20, 20], filter: [3, 3, 6, 8] }, { dataFormat: 'NCHW' }],
  'conv2d with groups': ['Conv2D', { x: [2, 12, 12, 8], filter: [3, 3, 4, 16] }, { groups: 2 }],
  'conv2d by Winograd': ['Conv2D', { x: [1, 16, 16, 16], filter: [3, 3, 16, 16] }],
  'conv2d along a line': ['Conv2D', { x: [1, 24, 24, 16], filter: [1, 7, 16, 32] }],
  'conv2d of 1x1': ['Conv2D', { x: [2, 12, 12, 16], filter: [1, 1, 16, 24] }],
  'conv2d of whole images': ['Conv2D', { x: [2, 6, 6, 16], filter: [6, 6, 16, 40] }, { pad: 'valid' }],
  'conv2d with relu': ['FusedConv2D', { x: [2, 20, 20, 6], filter: [3, 3, 6, 8], bias: [8] }, { activation: 'relu' }],
  'conv2d with elu': ['FusedConv2D', { x: [2, 20, 20, 6], filter: [3, 3, 6, 8], bias: [8] }, { activation: 'elu' }],
  'conv2d with prelu': ['FusedConv2D', { x: [2, 20, 20, 6], filter: [3, 3, 6, 8], bias: [8], preluActivationWeights: [8] }, { activation: 'prelu' }],
  'conv2d of whole images with bias': ['FusedConv2D', { x: [2, 6, 6, 16], filter: [6, 6, 16, 40], bias: [40] }, { pad: 'valid' }],
  'dx of conv2d': ['Conv2DBackpropInput', { dy: [2, 10, 10, 8], filter: [3, 3, 6, 8] }, { strides: [2, 2], inputShape: [2, 20, 20, 6] }],
  'dx of conv2d by Winograd': ['Conv2DBackpropInput', { dy: [1, 16, 16, 16], filter: [3, 3, 16, 16] }, { inputShape: [1, 16, 16, 16] }],
  'dx of conv2d of whole images': ['Conv2DBackpropInput', { dy: [2, 1, 1, 40], filter: [6, 6, 16, 40] }, { pad: 'valid', inputShape: [2, 6, 6, 16] }],
  'dFilter of conv2d': ['Conv2DBackpropFilter', { x: [2, 20, 20, 6], dy: [2, 10, 10, 8] }, { strides: [2, 2], filterShape: [3, 3, 6, 8] }],
  'dFilter of conv2d by Winograd': ['Conv2DBackpropFilter', { x: [2, 16, 16, 32], dy: [2, 16, 16, 32] }, { filterShape: [3, 3, 32, 32] }],
  'depthwiseConv2d': ['DepthwiseConv2dNative', { x: [2, 20, 20, 24], filter: [3, 3, 24, 1] }],
  'depthwiseConv2d with a multiplier': ['DepthwiseConv2dNative', { x: [2, 20, 20, 6], filter: [3, 3, 6, 2] }, { strides: [2, 2], dilations: 2 }],
  'depthwiseConv2d, channels first': ['DepthwiseConv2dNative', { x: [2, 8, 20, 20], filter: [3, 3, 8, 1] }, { dataFormat: 'NCHW' }],
  'depthwiseConv2d with relu6': ['FusedDepthwiseConv2D', { x: [2, 20, 20, 8], filter: [3, 3, 8, 1], bias: [8] }, { activation: 'relu6' }],
  'depthwiseConv2d with prelu': ['FusedDepthwiseConv2D', { x: [2, 20, 20, 8], filter: [3, 3, 8, 1], bias: [8], preluActivationWeights: [8] }, { activation: 'prelu' }],
  'dx of depthwiseConv2d': ['DepthwiseConv2dNativeBackpropInput', { dy: [2, 10, 10, 12], filter: [3, 3, 12, 1] }, { strides: [2, 2], inputShape: [2, 20, 20, 12] }],
  'dx of depthwiseConv2d with a multiplier': ['DepthwiseConv2dNativeBackpropInput', { dy: [2, 20, 20, 12], filter: [3, 3, 6, 2] }, { inputShape: [2, 20, 20, 6] }],
  'dFilter of depthwiseConv2d': ['DepthwiseConv2dNativeBackpropFilter', { x: [2, 20, 20, 12], dy: [2, 20, 20, 12] }, { filterShape: [3, 3, 12, 1] }],
  'maxPool': ['MaxPool', { x: [2, 24, 24, 8] }],
  'maxPool that gives up': ['MaxPool', { x: [2, 24, 24, 8] }, {}, 'holes'],
  'dx of maxPool': ['MaxPoolGrad', { input: [2, 24, 24, 8], output: [2, 12, 12, 8], dy: [2, 12, 12, 8] }],
  'dx of maxPool that gives up': ['MaxPoolGrad', { input: [2, 24, 24, 8], output: [2, 12, 12, 8], dy: [2, 12, 12, 8] }, {}, 'holes'],
  'avgPool': ['AvgPool', { x: [2, 24, 24, 8] }],
  'batchNorm': ['FusedBatchNorm', { x: [2, 12, 12, 6], mean: [6], variance: [6], offset: [6], scale: [6] }, { varianceEpsilon: 2 }],
  'sums of batchNorm': ['BatchNormSums', { dy: [2, 12, 12, 6], x: [2, 12, 12, 6], mean: [6] }],
  'dx of avgPool': ['AvgPoolGrad', { input: [2, 24, 24, 8], dy: [2, 12, 12, 8] }],
}; // prettier-ignore

/** The call with the plugin installed. Its inputs are made now. */
function runnerOf([kernelName, inputs, attrs, holes]: Call): () => tf.Tensor {
  const tensors: tf.NamedTensorMap = {};
  Object.entries(inputs).forEach(([name, shape], i) => {
    const values = fractions(shape, i + 1);
    if (holes && i === 0) values.fill(NaN, values.length / 2);
    tensors[name] = tf.tensor(values, shape);
  });
  const strides = kernelName.includes('Pool') ? [2, 2] : [1, 1];
  const all = { filterSize: [3, 3], strides, dilations: [1, 1], pad: 'same', dataFormat: 'NHWC', ...attrs };
  return () => installed(() => tf.engine().runKernel(kernelName, tensors, all) as tf.Tensor);
}

function fractions(shape: number[], seed: number): Float32Array {
  return Float32Array.from(floats(tf.util.sizeFromShape(shape), seed));
}

/** The bits of the values: NaN equals NaN, and 0 is not -0. */
const bitsOf = (t: tf.Tensor) => new Int32Array((t.dataSync() as Float32Array).buffer);

describe('the wasm backend', () => {
  beforeEach(async () => {
    await tf.setBackend('wasm');
    tf.engine().startScope();
  });
  afterEach(() => {
    tf.engine().endScope();
    configure({ cpu: { path: 'auto' } });
  });

  it('has the memory and the threads that this run asks for', () => {
    expect(threadsOfWasm()).toBe(onSharedMemory ? THREADS : undefined);
  });

  const ops: [name: string, op: (x: T4) => tf.Tensor][] = [
    ['conv2d', (x) => conv2d(x, tf.ones<tf.Rank.R4>([1, 1, 1, 8]))],
    ['maxPool', (x) => maxPool(x, 2, { strides: 1, pad: 'same' })],
    ['avgPool', (x) => avgPool(x, 2, { strides: 1, pad: 'same' })],
  ];
  for (const [name, op] of ops) {
    it(`may grow while ${name} allocates its result`, () => {
      const channels = name === 'conv2d' ? 1 : 8;
      const x = integers([1, 512, 512, channels]);
      const expected = op(x).dataSync().slice();
      const before = bytes();
      const held: tf.Tensor[] = [];
      while (bytes() === before) held.push(op(x));
      expect(compare(held[held.length - 1].dataSync() as Float32Array, expected as Float32Array).error).toBe(
        0,
      );
      tf.dispose(held);
    });
  }

  it('keeps nothing of a result that fails', () => {
    const x = tf.tensor([1, 2, 3, 4], [1, 2, 2, 1], 'int32');
    const broken = tf.engine().makeTensorFromTensorInfo({ ...x, dtype: 'complex64' });
    const filter = integers([1, 1, 1, 1]);
    expectNoLeak(() =>
      expect(() =>
        installed(() =>
          tf.engine().runKernel('Conv2D', { x: broken, filter } as never, { strides: 1, pad: 'same' }),
        ),
      ).toThrowError(/x is of dtype complex64/),
    );
  });

  it('refuses a result for which there is no memory, and writes nothing', () => {
    const x = integers([1, 4, 4, 1]);
    const malloc = spyOn(insideWasm().wasm, '_malloc').and.returnValue(0);
    expectNoLeak(() => {
      expect(() => maxPool(x, 2)).toThrowError(/out of memory: a result of shape \[1,2,2,1\].*malloc failed/);
      expect(() => maxPool(x, 1, { pad: 2 ** 17 })).toThrowError(/out of memory: a result of shape/);
    });
    malloc.and.callThrough();
    expect(maxPool(x, 2).shape).toEqual([1, 2, 2, 1]);
  });

  it('keeps nothing of maxPoolWithArgmax if there is no memory for one of its results', () => {
    const x = integers([1, 4, 4, 4]);
    const { wasm } = insideWasm();
    const { malloc } = wasm.asm;
    for (const failing of [0, 1]) {
      let left = failing;
      spyOn(wasm, '_malloc').and.callFake((bytes: number) => (left-- === 0 ? 0 : malloc(bytes)));
      expectNoLeak(() =>
        expect(() => installed(() => tf.maxPoolWithArgmax(x as T4, 2, 2, 'same'))).toThrowError(
          /out of memory: a result of shape \[1,2,2,4\]/,
        ),
      );
      (wasm._malloc as jasmine.Spy).and.callThrough();
      wasm._malloc = malloc;
    }
  });

  it('leaves its memory as it was over 10,000 steps', () => {
    const x = integers([1, 4, 4, 4]);
    const filter = integers([2, 2, 4, 4], 2);
    const loss = (x: tf.Tensor, filter: tf.Tensor) => {
      const y = tf.conv2d(x as T4, filter as T4, 1, 'same');
      return tf.sum(tf.avgPool(tf.maxPool(y as T4, 2, 2, 'same'), 2, 1, 'same')) as tf.Scalar;
    };
    const step = () => tf.dispose(tf.grads(loss)([x, filter]));
    const count = () => [tf.memory().numTensors, tf.engine().backend.numDataIds(), bytes()];
    const path = bestSimd() ?? 'auto'; // by default, the micro-kernels do not serve such small work
    configure({ cpu: { path } });
    installed(() => {
      for (let i = 0; i < 10; i++) step();
      const before = count();
      for (let i = 0; i < 10_000; i++) step();
      expect(count()).toEqual(before);
    });
  });

  it('takes inputs that lie on another backend, for which its memory grows', async () => {
    await remakeWasm();
    await tf.setBackend('cpu');
    const [x, filter, bias] = [tf.ones([1, 512, 512, 16]), integers([1, 1, 16, 8], 2), integers([8], 3)];
    await tf.setBackend('wasm');
    const before = bytes();
    const y = installed(() =>
      tf.fused.conv2d({ x: x as T4, filter, strides: 1, pad: 'same', bias: bias as tf.Tensor }),
    );
    expect(bytes()).toBeGreaterThan(before);
    expectExactly(tf.max(y, [0, 1, 2]), tf.add(tf.sum(filter, [0, 1, 2]), bias));
    expectExactly(tf.min(y, [0, 1, 2]), tf.max(y, [0, 1, 2]));
  });

  it('is served by plain TypeScript where SIMD is not to serve', () => {
    for (const call of Object.values(CALLS)) {
      const run = runnerOf(call);
      const fast = run().dataSync().slice();
      configure({ cpu: { path: 'im2col' } });
      expectWithin(run().dataSync(), fast, 1e-4 * Math.max(...fast.map(Math.abs).filter(isFinite)));
      configure({ cpu: { path: 'auto' } });
    }
  });

  it('is served on copies where its memory is not found, and backendInfo() says so', () => {
    expect(backendInfo().wasm).toEqual({ serving: backendInfo().cpu.serving, inPlace: true });
    const unknown = Object.create(tf.backend(), {
      wasm: {
        value: Object.create(insideWasm().wasm, { asm: { value: {} }, wasmMemory: { value: undefined } }),
      },
    });
    const x = integers([2, 12, 12, 16]);
    const filter = integers([1, 1, 16, 24], 2);
    const run = (backend: object) => {
      const call = { inputs: { x, filter }, attrs: { strides: 1, pad: 'same' }, backend };
      return tf.engine().makeTensorFromTensorInfo(KERNELS.wasm.kernels.Conv2D!(call) as tf.TensorInfo);
    };
    expectExactly(run(unknown).dataSync(), run(tf.backend()).dataSync());
    const { registry } = tf.engine();
    const known = registry.wasm;
    registry.wasm = unknown;
    const { wasm } = backendInfo();
    registry.wasm = known;
    expect(wasm?.inPlace).toBeFalse();
    expect(wasm?.reason).toMatch(/keeps its memory where it is not found/);
  });

  it('is not started by backendInfo()', async () => {
    const factory = tf.findBackendFactory('wasm');
    await tf.setBackend('cpu');
    tf.removeBackend('wasm');
    tf.registerBackend('wasm', factory);
    expect(backendInfo().wasm).toBeUndefined();
    await tf.ready();
    expect(tf.engine().registry.wasm).toBeUndefined();
    await startWasm();
    expect(backendInfo().wasm?.inPlace).toBeTrue();
  });

  it('is served again when it is made anew', async () => {
    const results = () => Object.values(CALLS).map((call) => tf.tidy(() => bitsOf(runnerOf(call)())));
    const [first, memory] = [results(), memoryOfWasm()];
    await remakeWasm();
    expect(memoryOfWasm()).not.toBe(memory);
    results().forEach((bits, i) => expectExactly(bits, first[i]));
  });
});

describe('the heap of the wasm backend', () => {
  let heap: WatchedHeap;
  beforeEach(async () => {
    await remakeWasm();
    heap = watchHeap();
    tf.engine().startScope();
  });
  afterEach(() => tf.engine().endScope());
  afterAll(remakeWasm);

  for (const [name, call] of Object.entries(CALLS)) {
    it(`may grow at each allocation of ${name}`, () => {
      const run = runnerOf(call);
      const expected = tf.tidy(() => bitsOf(run()));
      const [before, held] = [heap.asked(), [...heap.held]];
      heap.before(() => {
        heap.grow();
        return true;
      });
      const result = run();
      heap.before(() => true);
      expect(heap.asked() - before)
        .withContext('blocks: the result, and scratch')
        .toBeGreaterThan(bestSimd() ? 1 : 0);
      expectExactly(bitsOf(result), expected);
      result.dispose();
      expect([...heap.held])
        .withContext('blocks held')
        .toEqual(held);
    });

    it(`may have no memory for an allocation of ${name}`, () => {
      const run = runnerOf(call);
      const before = heap.asked();
      const expected = tf.tidy(() => bitsOf(run()));
      const blocks = heap.asked() - before;
      const held = [...heap.held];
      for (let failing = 0; failing < blocks; failing++) {
        let left = failing;
        // What threads cannot do, this one tries again. So no block is given from then on.
        heap.before(() => left-- > 0);
        expectNoLeak(() => expect(run).toThrowError(/tfjs-convgrad: out of memory: /));
        heap.before(() => true);
        expect([...heap.held])
          .withContext(`blocks held after block ${failing} was refused`)
          .toEqual(held);
        expectExactly(
          tf.tidy(() => bitsOf(run())),
          expected,
        );
      }
    });
  }
});

const STEPS = 10;

/** A call of a kernel. */
interface Run {
  name: KernelName;
  inputs: tf.NamedTensorMap;
  attrs: tf.NamedAttrMap;
}

/** The number of values of a tensor for each position of a dimension. */
const sizePer = (dimension: number, { shape }: tf.Tensor) =>
  tf.util.sizeFromShape(shape.filter((_, i) => i !== dimension));

/** The number of terms in a sum of the kernel: products, a bias, or cells. 0: the result is exact. Windows do not overlap. */
const TERMS: { [name in KernelName]?: (inputs: tf.NamedTensorMap, attrs: tf.NamedAttrMap) => number } = {
  Conv2D: ({ filter }) => sizePer(3, filter),
  FusedConv2D: ({ filter }) => sizePer(3, filter) + 1,
  Conv2DBackpropInput: ({ filter }) => sizePer(2, filter),
  Conv2DBackpropFilter: ({ dy }) => sizePer(3, dy),
  MaxPool: () => 0,
  MaxPoolGrad: () => 0,
  AvgPool: (_, { filterSize }) => (filterSize as number[])[0] ** 2,
  AvgPoolGrad: () => 1,
};

/** Expects the result of a kernel to be that of plain TypeScript, to rounding. */
function expectRounded(run: Run, result: tf.Tensor): void {
  const terms = TERMS[run.name]!(run.inputs, run.attrs);
  const { path, winograd } = backendInfo().cpu;
  configure({ cpu: { path: 'im2col' } });
  const [want, magnitudes] = [plainly(run), plainly(run, Math.abs)];
  configure({ cpu: { path, winograd } });
  // One rounding more: `want` is rounded too.
  expectWithin(result, want, terms && magnitudes.map((sum) => roundingBound(terms + 1, sum)));
}

/** What the kernel makes of the inputs, changed by `change`. The arrays serve as data ids, so no tensor moves to another backend. */
function plainly({ name, inputs, attrs }: Run, change = (value: number) => value): Float32Array {
  const backend = { readSync: (dataId: object) => dataId, write: (values: object) => values };
  const arrays: Record<string, tf.TensorInfo> = {};
  for (const [key, tensor] of Object.entries(inputs)) {
    if (!tensor) continue; // an optional input
    const { shape, dtype } = tensor;
    arrays[key] = { shape, dtype, dataId: Float32Array.from(valuesOf(tensor), change) };
  }
  return (KERNELS.cpu.kernels[name]!({ inputs: arrays, attrs, backend }) as tf.TensorInfo)
    .dataId as Float32Array;
}

const SHARED = ['Conv2DBackpropInput', 'Conv2DBackpropFilter', 'AvgPool', 'AvgPoolGrad'];

/**
 * Models and the kernels of the plugin that serve them. `terms` is the length of the longest sum in a step: that over the pixels of
 * a batch, in the gradient of a filter.
 */
const MODELS = [
  {
    name: 'a LeNet',
    make: lenet,
    batch: 4,
    terms: 4 * 16 * 16,
    kernels: ['Conv2D', 'MaxPool', 'MaxPoolGrad', ...SHARED],
  },
  {
    name: 'a ResNet block',
    make: resnet,
    batch: 6,
    terms: 6 * 12 * 12,
    kernels: ['FusedConv2D', ...SHARED],
  },
];
type Model = (typeof MODELS)[number];

/**
 * Two proofs, which share no micro-kernel with their reference: that is the plain TypeScript of the path im2col, with float64 sums.
 *
 * 1. Strict. Each convolution and pooling of each step, forward and backward, is computed again from the same inputs. Each element is
 *    within `roundingBound`. Where all numbers are exact in float32, whole models are exact: see the stacks of models.spec.ts.
 *
 * 2. Measured. Training on wasm and on cpu, from the same weights and with the same batches, gives the same losses and weights. The
 *    two differ by roundings, which the steps amplify. A float32 sum of n terms is the exact sum of terms that are moved by at
 *    most (n + 1) * 2^-24 of themselves. The terms of a convolution and of a dense layer are products with weights, so moving the
 *    weights by this much moves the results about as much as roundings may. Further runs on cpu move all weights ahead of each
 *    step, at random. The bound is the largest change of a loss, or of a weight, that they show.
 *
 *    It is not strict, because a few random moves need not be the worst ones. It is wide, because n is that of the longest sum, and
 *    roundings mostly cancel each other.
 */
describe('training on the wasm backend', () => {
  beforeEach(() => tf.engine().startScope());
  afterEach(() => {
    tf.engine().endScope();
    configure({ cpu: { path: 'auto', winograd: 2 } });
  });

  for (const model of MODELS) {
    it(`of ${model.name} keeps each convolution and pooling to its bound`, async () => {
      const runKernel = tf.engine().runKernel.bind(tf.engine());
      const seen = new Set<string>();
      const checked = (name: KernelName, inputs: tf.NamedTensorMap, attrs: tf.NamedAttrMap) => {
        const result = runKernel(name, inputs, attrs) as tf.Tensor;
        if (name in TERMS) {
          seen.add(name);
          expectRounded({ name, inputs, attrs }, result);
        }
        return result;
      };
      spyOn(tf.engine(), 'runKernel').and.callFake(checked as never);
      // Winograd's algorithm has other bounds: see simd.spec.ts.
      await train(model, 'wasm', { path: 'auto', winograd: 0 });
      expect(seen).toEqual(new Set(model.kernels));
    });

    it(`of ${model.name} has the losses and the weights of training on cpu`, async () => {
      const got = await train(model, 'wasm', { path: 'auto' });
      const want = await train(model, 'cpu', { path: 'im2col' });
      const moved: Training[] = [];
      for (let seed = 1; seed <= 3; seed++) {
        const next = random(seed);
        const move = (w: number) => w * (1 + (model.terms + 1) * UNIT * (2 * next() - 1));
        moved.push(await train(model, 'cpu', { path: 'im2col' }, move));
      }
      want.forEach((values, i) => {
        const changes = moved.flatMap((other) => values.map((value, k) => Math.abs(other[i][k] - value)));
        const bound = Math.max(...changes);
        expectWithin(got[i], values, bound);
        // Losses and weights are about 1. A bound near 1 would prove nothing.
        expect(bound).toBeLessThan(2 ** -10);
      });
    });
  }
});

/** The loss of each step, and after them each weight of the trained model. */
type Training = number[][];

/** @param move changes the weights ahead of each step */
async function train(
  { make, batch }: Model,
  backendName: BackendName,
  cpu: CpuOptions,
  move = (weight: number) => weight,
): Promise<Training> {
  await tf.setBackend(backendName);
  configure({ cpu });
  const model = make();
  model.setWeights(
    model.getWeights().map((weight, i) => (weight.rank === 1 ? weight : scaled(weight.shape, i))),
  );
  model.compile({ optimizer: tf.train.sgd(0.05), loss: 'meanSquaredError' });
  const batchOf = (symbol: tfl.SymbolicTensor, seed: number) => {
    const shape = [batch, ...(symbol.shape.slice(1) as number[])];
    return tf.tensor(fractions(shape, seed), shape);
  };
  const losses: number[] = [];
  await whileInstalled(async () => {
    for (let i = 0; i < STEPS; i++) {
      model.setWeights(
        model.getWeights().map((weight) => tf.tensor(valuesOf(weight).map(move), weight.shape)),
      );
      const [x, y] = [batchOf(model.inputs[0], 2 * i), batchOf(model.outputs[0], 2 * i + 1)];
      losses.push((await model.trainOnBatch(x, y)) as number);
    }
  });
  const weights = model.getWeights().map(valuesOf);
  model.dispose();
  return [...losses.map((loss) => [loss]), ...weights];
}

/** Random weights of a kernel: of the variance that keeps the variance of the layer's input. */
function scaled(shape: number[], seed: number): tf.Tensor {
  const depth = tf.util.sizeFromShape(shape.slice(0, -1));
  return tf.tensor(
    fractions(shape, seed).map((value) => Math.sqrt(3 / depth) * value),
    shape,
  );
}

/** The pooling micro-kernels take 16 channels at a time, and then 4. The first pooling has 20, so both serve. */
function lenet(): tfl.LayersModel {
  return tfl.sequential({
    layers: [
      tfl.layers.inputLayer({ inputShape: [16, 16, 4] }),
      tfl.layers.conv2d({ filters: 20, kernelSize: 5, padding: 'same', activation: 'relu' }),
      tfl.layers.maxPooling2d({ poolSize: 2 }),
      tfl.layers.conv2d({ filters: 16, kernelSize: 3, padding: 'same', activation: 'relu' }),
      tfl.layers.averagePooling2d({ poolSize: 2 }),
      tfl.layers.flatten(),
      tfl.layers.dense({ units: 10 }),
    ],
  });
}

/** Two convolutions with batch normalization beside a shortcut, all at half of the resolution; a mean; a dense layer. */
function resnet(): tfl.LayersModel {
  const conv = (filters: number, kernelSize: number, strides: number) =>
    tfl.layers.conv2d({ filters, kernelSize, strides, padding: 'same', useBias: false });
  const through = (x: tfl.SymbolicTensor, ...layers: tfl.layers.Layer[]) =>
    layers.reduce((t, layer) => layer.apply(t) as tfl.SymbolicTensor, x);
  const normalization = () => tfl.layers.batchNormalization();
  const x = tfl.input({ shape: [12, 12, 16] });
  const path = through(
    x,
    conv(16, 3, 1),
    normalization(),
    tfl.layers.reLU(),
    conv(24, 3, 2),
    normalization(),
  );
  const sum = tfl.layers.add().apply([path, conv(24, 1, 2).apply(x) as tfl.SymbolicTensor]);
  const mean = tfl.layers.averagePooling2d({ poolSize: 6 });
  const head = [tfl.layers.reLU(), mean, tfl.layers.flatten(), tfl.layers.dense({ units: 10 })];
  return tfl.model({ inputs: x, outputs: through(sum as tfl.SymbolicTensor, ...head) });
}

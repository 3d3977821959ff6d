/** The kernels on tfjs's wasm backend: they read and write its memory in place, and that memory may grow and move. */
import { avgPool, conv2d, maxPool } from '../src/index.js';
import { compare } from '../src/verify/exact.js';
import { floats } from '../src/verify/data.js';
import { bestSimd } from '../kernels/runtime/options.js';
import { expectExactly, expectNoLeak, installed, integers, tf } from './support/tfjs.js';
import { insideWasm, remakeWasm, type WatchedHeap, watchHeap } from './support/wasm.js';

type T4 = tf.Tensor4D;

const bytes = () => insideWasm().wasm.asm.memory.buffer.byteLength;

/** A kernel, the shapes of its inputs, and its attributes. `holes`: its micro-kernel gives up, on windows of NaN. */
type Call = [kernelName: string, inputs: Record<string, number[]>, attrs?: tf.NamedAttrMap, holes?: 'holes'];

/** A call for each way in which the kernels use the heap. All of them are large enough for the micro-kernels. */
const CALLS: Record<string, Call> = {
  'conv2d': ['Conv2D', { x: [2, 20, 20, 6], filter: [3, 3, 6, 8] }],
  'conv2d to few channels': ['Conv2D', { x: [2, 20, 20, 8], filter: [3, 3, 8, 3] }],
  'conv2d, channels first': ['Conv2D', { x: [2, 6, 20, 20], filter: [3, 3, 6, 8] }, { dataFormat: 'NCHW' }],
  'conv2d with groups': ['Conv2D', { x: [2, 12, 12, 8], filter: [3, 3, 4, 16] }, { groups: 2 }],
  'conv2d by Winograd': ['Conv2D', { x: [1, 16, 16, 16], filter: [3, 3, 16, 16] }],
  'conv2d along a line': ['Conv2D', { x: [1, 24, 24, 16], filter: [1, 7, 16, 16] }],
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
  'maxPool': ['MaxPool', { x: [2, 24, 24, 8] }],
  'maxPool that gives up': ['MaxPool', { x: [2, 24, 24, 8] }, {}, 'holes'],
  'dx of maxPool': ['MaxPoolGrad', { input: [2, 24, 24, 8], output: [2, 12, 12, 8], dy: [2, 12, 12, 8] }],
  'dx of maxPool that gives up': ['MaxPoolGrad', { input: [2, 24, 24, 8], output: [2, 12, 12, 8], dy: [2, 12, 12, 8] }, {}, 'holes'],
  'avgPool': ['AvgPool', { x: [2, 24, 24, 8] }],
  'dx of avgPool': ['AvgPoolGrad', { input: [2, 24, 24, 8], dy: [2, 12, 12, 8] }],
}; // prettier-ignore

/** The call with the plugin installed. Its inputs are made now. */
function runnerOf([kernelName, inputs, attrs, holes]: Call): () => tf.Tensor {
  const tensors: tf.NamedTensorMap = {};
  Object.entries(inputs).forEach(([name, shape], i) => {
    const values = Float32Array.from(floats(tf.util.sizeFromShape(shape), i + 1));
    if (holes && i === 0) values.fill(NaN, values.length / 2);
    tensors[name] = tf.tensor(values, shape);
  });
  const strides = kernelName.includes('Pool') ? [2, 2] : [1, 1];
  const all = { filterSize: [3, 3], strides, dilations: [1, 1], pad: 'same', dataFormat: 'NHWC', ...attrs };
  return () => installed(() => tf.engine().runKernel(kernelName, tensors, all) as tf.Tensor);
}

/** The bits of the values: NaN equals NaN, and 0 is not -0. */
const bitsOf = (t: tf.Tensor) => new Int32Array((t.dataSync() as Float32Array).buffer);

describe('the wasm backend', () => {
  beforeEach(async () => {
    await tf.setBackend('wasm');
    tf.engine().startScope();
  });
  afterEach(() => tf.engine().endScope());

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

  it('leaves its memory as it was over 1,000 steps', () => {
    const x = integers([2, 12, 12, 4]);
    const filter = integers([3, 3, 4, 8], 2);
    const loss = (x: tf.Tensor, filter: tf.Tensor) => {
      const y = tf.conv2d(x as T4, filter as T4, 1, 'same');
      return tf.sum(tf.avgPool(tf.maxPool(y as T4, 2, 2, 'same'), 2, 1, 'same')) as tf.Scalar;
    };
    const step = () => tf.dispose(tf.grads(loss)([x, filter]));
    const count = () => [tf.memory().numTensors, tf.engine().backend.numDataIds(), bytes()];
    installed(() => {
      for (let i = 0; i < 10; i++) step();
      const before = count();
      for (let i = 0; i < 1000; i++) step();
      expect(count()).toEqual(before);
    });
  });

  it('is served again when it is made anew', async () => {
    const results = () => Object.values(CALLS).map((call) => tf.tidy(() => bitsOf(runnerOf(call)())));
    const [first, { memory }] = [results(), insideWasm().wasm.asm];
    await remakeWasm();
    expect(insideWasm().wasm.asm.memory).not.toBe(memory);
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
        heap.before(() => left-- !== 0);
        expectNoLeak(() => expect(run).toThrowError(/tfjs-convgrad: out of memory: .*malloc failed/));
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

/** The kernels on tfjs's wasm backend: they read and write its memory in place, and that memory may grow and move. */
import { avgPool, conv2d, maxPool } from '../src/index.js';
import { compare } from '../src/verify/exact.js';
import { expectExactly, expectNoLeak, installed, integers, tf } from './support/tfjs.js';
import { insideWasm } from './support/wasm.js';

type T4 = tf.Tensor4D;

const bytes = () => insideWasm().wasm.asm.memory.buffer.byteLength;

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
    const factory = tf.findBackendFactory('wasm');
    const x = [[[[-3], [-1]], [[-2], [-4]]]]; // prettier-ignore
    const op = () => tf.tidy(() => Array.from(maxPool(x, 2).dataSync()));
    const before = op();
    tf.removeBackend('wasm');
    tf.registerBackend('wasm', factory);
    await tf.setBackend('wasm');
    expect(op()).toEqual(before);
    expectExactly(op(), [-1]);
  });
});

/** Specs of large results in memory that Node has not cleared. */
import type { NamedAttrMap } from '@tensorflow/tfjs-core';
import { unwritten } from '../kernels/arrays.js';
import { CPU_PATHS, isSimd } from '../kernels/runtime/options.js';
import { OWN } from '../kernels/registry.js';
import { whyNot } from '../kernels/runtime/simd/modules.js';
import { configure } from '../src/index.js';
import { registerOwn } from '../src/ops.js';
import { integers } from '../src/verify/data.js';
import { tf } from './support/tfjs.js';

const conv = { strides: 1, pad: 'same', dataFormat: 'NHWC', dilations: 1 };
const pool = { filterSize: 2, strides: 2, pad: 'valid' };
const aroundImage = [[0, 0], [3, 4], [4, 3], [0, 0]]; // prettier-ignore

/** Kernel, shapes of its inputs, attributes. Some cells are in no window, and some windows hold no cell. */
const RUNS: [string, Record<string, number[]>, NamedAttrMap][] = [
  ['Conv2D', { x: [2, 40, 41, 12], filter: [3, 3, 12, 20] }, conv],
  ['Conv2D', { x: [1, 33, 35, 16], filter: [3, 3, 16, 24] }, conv],
  ['Conv2D', { x: [1, 40, 40, 3], filter: [2, 2, 3, 9] }, { ...conv, pad: aroundImage }],
  ['Conv2D', { x: [2, 12, 30, 31], filter: [3, 3, 6, 14] }, { ...conv, dataFormat: 'NCHW', groups: 2 }],
  [
    'Conv2DBackpropInput',
    { dy: [2, 14, 14, 10], filter: [2, 1, 12, 10] },
    { ...conv, strides: 3, inputShape: [2, 40, 40, 12] },
  ],
  ['Conv2DBackpropFilter', { x: [1, 5, 6, 60], dy: [1, 5, 6, 70] }, { ...conv, filterShape: [3, 3, 60, 70] }],
  ['MaxPool', { x: [2, 40, 41, 16] }, { ...pool, pad: aroundImage }],
  ['AvgPool', { x: [2, 40, 41, 16] }, { ...pool, pad: aroundImage }],
  ['AvgPool', { x: [2, 80, 81, 3] }, { ...pool, pad: aroundImage }],
];

describe('a large result', () => {
  for (const path of CPU_PATHS.filter(isSimd)) {
    const reason = whyNot(path);
    if (reason) {
      it(`by ${path} is skipped`, () => pending(reason));
      continue;
    }
    it(`by ${path} is written everywhere`, async () => {
      await tf.setBackend('cpu');
      registerOwn();
      configure({ cpu: { path } });
      const allocate = spyOn(Buffer, 'allocUnsafeSlow');
      for (const [kernelName, shapes, attrs] of RUNS) {
        const inputs = Object.entries(shapes).map(
          ([name, shape], i) => [name, tf.tensor(Float32Array.from(integers(shape.reduce((a, b) => a * b), i)), shape)], // prettier-ignore
        );
        const run = () => {
          const y = tf.engine().runKernel(OWN + kernelName, Object.fromEntries(inputs), attrs) as tf.Tensor;
          return y.dataSync();
        };
        allocate.and.callFake((bytes) => Buffer.alloc(bytes, 255)); // NaNs
        const onDirty = run();
        expect(allocate).withContext(kernelName).toHaveBeenCalledOnceWith(onDirty.byteLength);
        allocate.and.callFake((bytes) => Buffer.alloc(bytes));
        expect(onDirty)
          .withContext(`${kernelName} ${JSON.stringify(shapes)}`)
          .toEqual(run());
        allocate.calls.reset();
      }
      configure({ cpu: { path: 'auto' } });
    });
  }

  it('has a buffer of its own', () => {
    const values = unwritten(5000);
    expect(values.length).toBe(5000);
    expect(values.buffer.byteLength).toBe(20000);
  });

  it('that is larger than memory is refused as before', () => {
    expect(() => unwritten(2 ** 50)).toThrowError(RangeError);
  });
});

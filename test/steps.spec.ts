/** Specs of long training: after many steps, nothing is held that was not held after the first ones. */
import { backendInfo, install } from '../src/index.js';
import { plan } from './support/plan.js';
import { describeOnBackends, distinct, integers, tf } from './support/tfjs.js';

/** The WebGL backend's own counts. */
interface GpuMemory {
  numBytesInGPUAllocated?: number;
}

describeOnBackends('long training', () => {
  const STEPS = plan.all ? 10_000 : 200;

  it(`holds no more after ${STEPS} steps than after the first ones`, () => {
    const { uninstall } = install();
    const x = distinct([4, 6, 6, 2]) as tf.Tensor4D;
    const filter = tf.variable(tf.mul(integers([3, 3, 2, 8]), 0.01) as tf.Tensor4D);
    const depthwise = tf.variable(tf.mul(integers([3, 3, 8, 1]), 0.01) as tf.Tensor4D);
    const dense = tf.variable(tf.mul(integers([32, 3]), 0.01) as tf.Tensor2D);
    const optimizer = tf.train.sgd(1e-4);
    const loss = () => {
      const y = tf.fused.conv2d({ x, filter, strides: 1, pad: 'same', activation: 'relu' });
      const z = tf.maxPool(tf.relu(tf.depthwiseConv2d(y, depthwise, 1, 'same')), 3, 3, 'same');
      return tf.mean(tf.square(tf.matMul(tf.reshape(z, [4, 32]), dense))) as tf.Scalar;
    };
    const steps = (count: number) => {
      for (let i = 0; i < count; i++) optimizer.minimize(loss, false, [filter, depthwise, dense]);
      filter.dataSync(); // the queue of webgl is done
    };
    const held = () => {
      const { numTensors, numDataBuffers, numBytes, ...others } = tf.memory();
      const gpu = (others as GpuMemory).numBytesInGPUAllocated;
      return { numTensors, numDataBuffers, numBytes, gpu, wasm: backendInfo().cpu.wasmBytes };
    };
    steps(5);
    const before = held();
    steps(STEPS);
    expect(held()).toEqual(before);
    expect(filter.dataSync().every(Number.isFinite)).toBeTrue();
    [x, filter, depthwise, dense, optimizer].forEach((one) => one.dispose());
    uninstall();
  });
});

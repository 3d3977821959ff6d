/** Trains a small CNN in Node on the wasm backend, without a native add-on. It tells stripes across from stripes down. */
import * as tf from '@tensorflow/tfjs';
import * as wasm from '@tensorflow/tfjs-backend-wasm';
import { backendInfo, configure, install, startSharedWasm } from 'tfjs-convgrad';

await startSharedWasm(wasm); // tf.setBackend('wasm') serves, too, but then threads need copies
install();
await configure({ threads: 'auto' }); // all cores; without it, one

const model = tf.sequential({
  layers: [
    tf.layers.conv2d({ filters: 8, kernelSize: 3, activation: 'relu', inputShape: [12, 12, 1] }),
    tf.layers.maxPooling2d({ poolSize: 2 }),
    tf.layers.flatten(),
    tf.layers.dense({ units: 2, activation: 'softmax' }),
  ],
});
model.compile({ optimizer: tf.train.adam(0.01), loss: 'categoricalCrossentropy', metrics: ['accuracy'] });

const { x, y } = stripes(256);
const onEpochEnd = (epoch, { loss, acc }) =>
  console.log(`epoch ${epoch + 1}: loss ${loss.toFixed(3)}, accuracy ${acc.toFixed(2)}`);
await model.fit(x, y, { epochs: 5, verbose: 0, callbacks: { onEpochEnd } });
console.log(
  `done on ${tf.getBackend()}, served by ${backendInfo().wasm.serving}, ${backendInfo().threads.serving} threads`,
);

/** Noisy images of stripes two pixels wide, and their classes, one-hot. */
function stripes(count) {
  const line = tf.tensor1d([0, 0, 1, 1, 0, 0, 1, 1, 0, 0, 1, 1]);
  const isDown = tf.randomUniform([count, 1, 1, 1], 0, 2, 'int32');
  const images = tf.where(isDown.cast('bool'), line.reshape([1, 1, 12, 1]), line.reshape([1, 12, 1, 1]));
  return { x: images.add(tf.randomNormal([count, 12, 12, 1])), y: tf.oneHot(isDown.reshape([count]), 2) };
}

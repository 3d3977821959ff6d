/** Trains a small CNN on the wasm backend, so that the page stays free. It tells stripes across from stripes down. */
/* global postMessage */
import * as tf from '@tensorflow/tfjs';
import { setWasmPaths } from '@tensorflow/tfjs-backend-wasm';
import plain from '@tensorflow/tfjs-backend-wasm/dist/tfjs-backend-wasm.wasm?url';
import simd from '@tensorflow/tfjs-backend-wasm/dist/tfjs-backend-wasm-simd.wasm?url';
import threaded from '@tensorflow/tfjs-backend-wasm/dist/tfjs-backend-wasm-threaded-simd.wasm?url';
import { backendInfo, install } from 'tfjs-convgrad/wasm';

setWasmPaths({
  'tfjs-backend-wasm.wasm': plain,
  'tfjs-backend-wasm-simd.wasm': simd,
  'tfjs-backend-wasm-threaded-simd.wasm': threaded,
});
train();

async function train() {
  await tf.setBackend('wasm');
  install();

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
    postMessage(`epoch ${epoch + 1}: loss ${loss.toFixed(3)}, accuracy ${acc.toFixed(2)}`);
  await model.fit(x, y, { epochs: 5, callbacks: { onEpochEnd } });
  postMessage(`done on ${tf.getBackend()}, served by ${backendInfo().wasm.serving}`);
}

/** Noisy images of stripes two pixels wide, and their classes, one-hot. */
function stripes(count) {
  const line = tf.tensor1d([0, 0, 1, 1, 0, 0, 1, 1, 0, 0, 1, 1]);
  const isDown = tf.randomUniform([count, 1, 1, 1], 0, 2, 'int32');
  const images = tf.where(isDown.cast('bool'), line.reshape([1, 1, 12, 1]), line.reshape([1, 12, 1, 1]));
  return { x: images.add(tf.randomNormal([count, 12, 12, 1])), y: tf.oneHot(isDown.reshape([count]), 2) };
}

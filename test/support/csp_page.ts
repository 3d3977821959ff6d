/** Runs in a separate page whose Content-Security-Policy forbids WebAssembly. It reports to the page around it. */
import * as tf from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-backend-cpu';
import { backendInfo, install } from '../../src/index.js';

async function report(): Promise<object> {
  await tf.setBackend('cpu');
  const x = tf.ones<tf.Rank.R4>([1, 8, 8, 8]);
  const filter = tf.ones<tf.Rank.R4>([3, 3, 8, 8]);
  const convolve = () => Array.from(tf.conv2d(x, filter, 1, 'valid').dataSync());
  const builtin = convolve();
  const { uninstall } = install();
  const ours = convolve();
  uninstall();
  return { builtin, ours, info: backendInfo() };
}

report().then(
  (result) => parent.postMessage(result, '*'),
  (error: Error) => parent.postMessage({ error: String(error) }, '*'),
);

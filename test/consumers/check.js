/**
 * What every consumer runs. It installs the plugin, and compares results, gradients and a step of training with numbers that were
 * worked out by hand. It is a classic script, so that pages, workers, ES modules and CommonJS can load it.
 * @param tf tfjs, with tf.layers
 * @param convgrad the plugin
 * @param workerUrl of the plugin's worker, where it is not to bring one along
 * @returns a line that says what serves
 */
globalThis.check = async (tf, convgrad, backendName, workerUrl) => {
  if (!(await tf.setBackend(backendName))) throw new Error(`The backend ${backendName} does not start.`);
  const { replaced, uninstall } = convgrad.install();
  if (!replaced.some((kernel) => kernel.backendName === backendName)) throw new Error('Nothing is replaced.');

  const same = async (what, tensor, expected) => {
    const got = Array.from(await tensor.data());
    if (got.length !== expected.length || got.some((value, i) => value !== Math.fround(expected[i])))
      throw new Error(`On ${backendName} ${what} is [${got}], but it must be [${expected}].`);
  };
  const image = (values) => tf.tensor(values, [1, Math.sqrt(values.length), Math.sqrt(values.length), 1]);

  // A convolution of one channel.
  const x = image([1, 2, 3, 4, 5, 6, 7, 8, 9]);
  const filter = tf.tensor([1, 2, 3, 4], [2, 2, 1, 1]);
  const convolve = (x, filter) => tf.conv2d(x, filter, 1, 'valid');
  await same('y', convolve(x, filter), [37, 47, 67, 77]);
  const [dx, dFilter] = tf.grads(convolve)([x, filter], image([1, 1, 1, 1]));
  await same('dx', dx, [1, 3, 2, 4, 10, 6, 3, 7, 4]);
  await same('dFilter', dFilter, [12, 16, 24, 28]);
  const y = convgrad.conv2d(x, filter, { strides: 2, pad: 1, bias: [-50], activation: 'relu' });
  await same('y of our own op', y, [0, 0, 0, 27]);

  // Both poolings, and their gradients.
  const a = image([1, 3, 2, 1, 4, 2, 0, 5, 3, 1, 4, 2, 2, 0, 3, 6]);
  const dz = image([0.5, 1.2, 0.8, -0.3]);
  const maxPool = (x) => tf.maxPool(x, 2, 2, 'valid');
  const avgPool = (x) => tf.avgPool(x, 2, 2, 'valid');
  await same('maxPool', maxPool(a), [4, 5, 3, 6]);
  await same('avgPool', avgPool(a), [2.5, 2, 1.5, 3.75]);
  await same('the gradient of maxPool', tf.grad(maxPool)(a, dz), [0, 0, 0, 0, 0.5, 0, 0, 1.2, 0.8, 0, 0, 0, 0, 0, 0, -0.3]); // prettier-ignore
  await same('the gradient of avgPool', tf.grad(avgPool)(a, dz), [0.125, 0.125, 0.3, 0.3, 0.125, 0.125, 0.3, 0.3, 0.2, 0.2, -0.075, -0.075, 0.2, 0.2, -0.075, -0.075]); // prettier-ignore
  // At padding tfjs divides by 9, and gives 4 / 9.
  const padded = tf.grad((x) => tf.avgPool(x, 3, 1, 'same'));
  await same('the gradient of avgPool at padding', padded(image([1, 2, 3, 4])), [1, 1, 1, 1]);

  // A step of training. The loss is the mean of four squares, each of 1; the gradient of the filter is half of [12, 16, 24, 28].
  const layer = tf.layers.conv2d({
    inputShape: [3, 3, 1],
    filters: 1,
    kernelSize: 2,
    useBias: false,
    weights: [filter],
  });
  const model = tf.sequential({ layers: [layer] });
  model.compile({ optimizer: tf.train.sgd(0.125), loss: 'meanSquaredError' });
  const loss = await model.trainOnBatch(x, image([36, 46, 66, 76]));
  await same('the loss', tf.scalar(loss), [1]);
  await same('the filter after a step', layer.getWeights()[0], [0.25, 1, 1.5, 2.25]);

  const shared = backendName === 'webgl' ? '' : await checkThreads();
  uninstall();
  return backendName + shared;

  /** Two threads have the results of one. Their workers go on: the process must end by itself. */
  async function checkThreads() {
    const whole = (size) => Float32Array.from({ length: size }, (_, i) => ((i * 7) % 11) - 5);
    const [x, filter] = [
      tf.tensor(whole(32 * 32 * 8), [1, 32, 32, 8]),
      tf.tensor(whole(9 * 8 * 16), [3, 3, 8, 16]),
    ];
    const large = () => tf.conv2d(x, filter, 1, 'same');
    const alone = Array.from(await large().data());
    await convgrad.configure({ threads: 2, workerUrl });
    const { cpu, threads } = convgrad.backendInfo();
    await same('y by threads', large(), alone);
    if (threads.serving !== 2 && !threads.reason)
      throw new Error('Two threads do not serve, and nobody says why.');
    const isShared = tf.backend().wasm?.HEAPU8.buffer[Symbol.toStringTag] === 'SharedArrayBuffer';
    return ` ${cpu.serving}, ${threads.reason ?? '2 threads'}${isShared ? " in tfjs's memory" : ''}`;
  }
};

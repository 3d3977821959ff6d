/** Specs of whole models of tf.layers, which run and train on the plugin's kernels, and of a graph model, which runs. */
import { type GraphModel, loadGraphModel } from '@tensorflow/tfjs-converter';
import * as tfl from '@tensorflow/tfjs-layers';
import {
  describeOnBackends,
  expectExactly,
  expectWithin,
  byBuiltins,
  installed,
  integers,
  tf,
  upsampled,
  type Values,
  valuesOf,
  whileInstalled,
} from './support/tfjs.js';

type Layer = tfl.layers.Layer;

const ACTIVATIONS = {
  linear: (z: tf.Tensor) => z,
  relu: tf.relu,
  relu6: tf.relu6,
  elu: tf.elu,
  tanh: tf.tanh,
  sigmoid: tf.sigmoid,
  softplus: tf.softplus,
  softmax: (z: tf.Tensor) => tf.softmax(z),
};
type Activation = keyof typeof ACTIVATIONS;

/** Layers and the shape of their input. With the weights of `modelOf`, all that they compute is exact in float32. */
const STACKS: Record<string, { inputShape: number[]; layers: () => Layer[]; hasBuiltinGradient: boolean }> = {
  'conv2d, channels first, with pooling': {
    inputShape: [2, 8, 8],
    layers: () => [
      tfl.layers.conv2d({ filters: 3, kernelSize: 3, padding: 'same', dataFormat: 'channelsFirst' }),
      tfl.layers.maxPooling2d({ poolSize: 2, dataFormat: 'channelsFirst' }),
      tfl.layers.averagePooling2d({ poolSize: 2, dataFormat: 'channelsFirst' }),
    ],
    hasBuiltinGradient: true,
  },
  'conv2d with pooling, as in a LeNet': {
    inputShape: [16, 16, 4],
    layers: () => [
      tfl.layers.conv2d({ filters: 8, kernelSize: 3, padding: 'same', activation: 'relu' }),
      tfl.layers.maxPooling2d({ poolSize: 2 }),
      tfl.layers.conv2d({ filters: 4, kernelSize: 3, padding: 'same', activation: 'relu' }),
      tfl.layers.averagePooling2d({ poolSize: 4 }),
      tfl.layers.flatten(),
      tfl.layers.dense({ units: 4 }),
    ],
    hasBuiltinGradient: true,
  },
  'conv2d with a shortcut and pooling': {
    inputShape: [12, 12, 16],
    layers: () => [shortcut(), tfl.layers.averagePooling2d({ poolSize: 2 })],
    hasBuiltinGradient: true,
  },
  'conv2d, channels first, dilated': {
    inputShape: [2, 6, 6],
    layers: () => [
      tfl.layers.conv2d({ filters: 3, kernelSize: 3, dilationRate: 2, dataFormat: 'channelsFirst' }),
    ],
    hasBuiltinGradient: false,
  },
  conv2dTranspose: {
    inputShape: [4, 4, 2],
    layers: () => [tfl.layers.conv2dTranspose({ filters: 3, kernelSize: 3, strides: 2, padding: 'same' })],
    hasBuiltinGradient: true,
  },
  separableConv2d: {
    inputShape: [6, 6, 2],
    layers: () => [tfl.layers.separableConv2d({ filters: 3, kernelSize: 3, depthMultiplier: 2 })],
    hasBuiltinGradient: true,
  },
  'depthwiseConv2d in a block of MobileNet': {
    inputShape: [9, 9, 8],
    layers: () => [
      tfl.layers.depthwiseConv2d({ kernelSize: 3, strides: 2, padding: 'same', activation: 'relu' }),
      tfl.layers.conv2d({ filters: 6, kernelSize: 1 }),
    ],
    hasBuiltinGradient: true,
  },
  'separableConv2d, dilated': {
    inputShape: [7, 6, 2],
    layers: () => [tfl.layers.separableConv2d({ filters: 3, kernelSize: 3, dilationRate: 2 })],
    hasBuiltinGradient: false,
  },
  'depthwiseConv2d, channels first, multiplier 2': {
    inputShape: [3, 6, 7],
    layers: () => [
      tfl.layers.depthwiseConv2d({ kernelSize: [3, 2], depthMultiplier: 2, dataFormat: 'channelsFirst' }),
    ],
    hasBuiltinGradient: true,
  },
  'conv1d with pooling': {
    inputShape: [16, 2],
    layers: () => [
      tfl.layers.conv1d({ filters: 3, kernelSize: 3, strides: 2, padding: 'same' }),
      tfl.layers.maxPooling1d({ poolSize: 2 }),
      tfl.layers.averagePooling1d({ poolSize: 2 }),
    ],
    hasBuiltinGradient: true,
  },
  'conv1d, dilated': {
    inputShape: [12, 2],
    layers: () => [tfl.layers.conv1d({ filters: 3, kernelSize: 3, dilationRate: 3, activation: 'relu' })],
    hasBuiltinGradient: false,
  },
};

/** Two convolutions, the second of which halves the resolution, plus a 1x1 convolution that does the same. */
function shortcut(): Layer {
  const conv = (filters: number, kernelSize: number, strides: number) =>
    tfl.layers.conv2d({ filters, kernelSize, strides, padding: 'same' });
  const x = tfl.input({ shape: [12, 12, 16] });
  const path = conv(24, 3, 2).apply(conv(16, 3, 1).apply(x)) as tfl.SymbolicTensor;
  const sum = tfl.layers.add().apply([path, conv(24, 1, 2).apply(x) as tfl.SymbolicTensor]);
  return tfl.model({ inputs: x, outputs: sum as tfl.SymbolicTensor });
}

function modelOf(inputShape: number[], layers: Layer[]): tfl.Sequential {
  const model = tfl.sequential({ layers: [tfl.layers.inputLayer({ inputShape }), ...layers] });
  model.setWeights(model.getWeights().map((weight, i) => weightsOf(weight.shape, i)));
  model.compile({ optimizer: tf.train.sgd(0.001), loss: 'meanSquaredError' });
  return model;
}

/** Multiples of 1/4. To biases, 1/16 is added, so that no sum is at the kink of an activation. */
function weightsOf(shape: number[], seed: number): tf.Tensor {
  const quarters = tf.div(integers(shape, seed), 4);
  return shape.length === 1 ? tf.add(quarters, 1 / 16) : quarters;
}

/** Whole numbers for one batch of the model. */
function batchOf(model: tfl.Sequential, seed = 7): { x: tf.Tensor; y: tf.Tensor } {
  const shapeOf = ({ shape }: tfl.SymbolicTensor) => [2, ...(shape.slice(1) as number[])];
  return { x: integers(shapeOf(model.inputs[0]), seed), y: integers(shapeOf(model.outputs[0]), seed + 1) };
}

/** The gradients of <model(x), y> by the weights. */
function gradientsOf(model: tfl.Sequential): tf.Tensor[] {
  const { x, y } = batchOf(model);
  const weights = model.trainableWeights.map((weight) => weight.read() as tf.Variable);
  const { grads } = tf.variableGrads(() => tf.sum(tf.mul(model.apply(x) as tf.Tensor, y)), weights);
  return weights.map(({ name }) => grads[name]);
}

async function expectLossToFall(model: tfl.Sequential): Promise<void> {
  const { x, y } = batchOf(model);
  const losses: number[] = [];
  for (let i = 0; i < 5; i++) losses.push((await model.trainOnBatch(x, tf.sigmoid(y))) as number);
  const falls = losses.slice(1).every((loss, i) => loss < losses[i]);
  expect(falls).withContext(losses.join(', ')).toBeTrue();
}

describeOnBackends('models', (backendName) => {
  let model: tfl.Sequential;
  let disposed: tfl.Sequential | undefined;
  afterEach(() => {
    if (model !== disposed) model.dispose(); // a spec may have no model
    disposed = model;
  });

  for (const activation of Object.keys(ACTIVATIONS) as Activation[]) {
    describe(`of a dilated conv2d with ${activation}`, () => {
      const dilated = { filters: 3, kernelSize: [3, 2], dilationRate: 2 };
      /** The result of the layer, computed by tfjs's ops with an upsampled filter that is not dilated. */
      const composition = (kernel: tf.Tensor, bias: tf.Tensor) => {
        const filter = upsampled(kernel as tf.Tensor4D, [2, 2]);
        const z = tf.conv2d(batchOf(model).x as tf.Tensor4D, filter, 1, 'same');
        return ACTIVATIONS[activation](tf.add(z, bias));
      };

      beforeEach(() => {
        model = modelOf([6, 6, 2], [tfl.layers.conv2d({ ...dilated, padding: 'same', activation })]);
      });

      it('predict what its composition does', () => {
        const [kernel, bias] = model.getWeights();
        const y = installed(() => model.predict(batchOf(model).x) as tf.Tensor);
        expectWithin(
          y,
          byBuiltins(() => composition(kernel, bias)),
          2 ** -20,
        );
      });

      it('have the gradient of its composition', () => {
        const expected = byBuiltins(() => tf.grads(composition)(model.getWeights(), batchOf(model).y));
        installed(() => gradientsOf(model)).forEach((gradient, i) => {
          // These are sums over 72 pixels. x and dy are at most 3, slopes at most 1.
          expectWithin(gradient, expected[i], 72 * 9 * 2 ** -20);
        });
      });

      it('train', () => whileInstalled(() => expectLossToFall(model)));
    });
  }

  for (const [name, { inputShape, layers, hasBuiltinGradient }] of Object.entries(STACKS)) {
    describe(`of ${name}`, () => {
      beforeEach(() => {
        model = modelOf(inputShape, layers());
      });

      it('predict what they do on the built-ins', () => {
        const predict = () => model.predict(batchOf(model).x) as tf.Tensor;
        expectExactly(installed(predict), byBuiltins(predict));
      });

      it(
        hasBuiltinGradient ? 'have the built-in gradients' : 'have gradients that tfjs refuses',
        async () => {
          const gradients = installed(() => gradientsOf(model));
          if (hasBuiltinGradient) {
            const values = gradients.map((gradient) => gradient.dataSync());
            // On webgl, tfjs gives the gradient of a tie to the last maximum (deviation 7). So with pooling, the right
            // values come from its cpu backend.
            if (name.includes('pooling') || backendName === 'wasm') {
              await tf.setBackend('cpu');
              tf.env().set('IS_TEST', false); // its check takes weights that move between backends for leaks
            }
            gradientsOf(model).forEach((expected, i) => expectExactly(values[i], expected));
            await tf.setBackend(backendName);
          } else {
            expect(() => byBuiltins(() => gradientsOf(model))).toThrowError(
              /greater than 1 are not yet supported/,
            );
            expect(gradients.map(({ shape }) => shape)).toEqual(model.getWeights().map(({ shape }) => shape));
          }
        },
      );

      it('train', () => whileInstalled(() => expectLossToFall(model)));
    });
  }

  it('lose what they lose on the built-ins', async () => {
    model = lenet('relu', 'elu', 'tanh');
    const magnitudes = lenet('linear', 'linear', 'linear');
    const batches = [1, 2, 3].map((seed) => batchOf(model, 10 * seed));
    const steps: { weights: tf.Tensor[]; loss: number }[] = [];
    await whileInstalled(async () => {
      for (const { x, y } of batches) {
        const weights = model.getWeights().map((weight) => tf.clone(weight));
        steps.push({ weights, loss: (await model.trainOnBatch(x, y)) as number });
      }
    });
    if (backendName === 'wasm') await tf.setBackend('cpu'); // tfjs cannot train there
    for (const [i, { x, y }] of batches.entries()) {
      const { weights, loss } = steps[i];
      model.setWeights(weights);
      magnitudes.setWeights(weights.map((weight) => tf.abs(weight)));
      const bound = lossBound(model.predict(x) as tf.Tensor, y, magnitudes.predict(tf.abs(x)) as tf.Tensor);
      expectWithin([loss], [(await model.trainOnBatch(x, y)) as number], bound);
    }
    magnitudes.dispose();
    await tf.setBackend(backendName);
  });

  it('leave nothing behind in 200 steps', async () => {
    model = modelOf(
      [6, 6, 1],
      [
        tfl.layers.conv2d({ filters: 2, kernelSize: 2, dilationRate: 2, activation: 'sigmoid' }),
        tfl.layers.conv2d({ filters: 2, kernelSize: 2, activation: 'relu', padding: 'same' }),
        tfl.layers.maxPooling2d({ poolSize: 2 }),
        tfl.layers.averagePooling2d({ poolSize: 2 }),
      ],
    );
    const { x, y } = batchOf(model);
    const step = async () => {
      await model.trainOnBatch(x, y);
      return [tf.memory().numTensors, tf.engine().backend.numDataIds()];
    };
    await whileInstalled(async () => {
      const first = await step();
      for (let i = 2; i < 200; i++) await step();
      expect(await step())
        .withContext('tensors, data ids')
        .toEqual(first);
    });
  });
});

describeOnBackends('a model of batchNormalization', (backendName) => {
  it('predicts and trains as on the built-ins', async () => {
    if (backendName === 'webgl') return pending('the plugin has no batch normalization there');
    const expected = await normalizedModel();
    const runKernel = spyOn(tf.engine(), 'runKernel').and.callThrough();
    const results = await whileInstalled(normalizedModel);
    results.forEach((values, i) => expectExactly(values, expected[i]));
    const kernelNames = runKernel.calls.allArgs().map(([kernelName]) => kernelName);
    expect(kernelNames).toContain('BatchNormSums');
  });
});

describeOnBackends('a graph model', () => {
  it('predicts what it does on the built-ins', async () => {
    const graph = await graphModel();
    const predict = () => graph.predict(integers([2, 8, 8, 2], 5)) as tf.Tensor;
    const runKernel = spyOn(tf.engine(), 'runKernel').and.callThrough();
    expectExactly(installed(predict), byBuiltins(predict));
    const kernelNames = runKernel.calls.allArgs().map(([kernelName]) => kernelName);
    expect(kernelNames).toEqual(jasmine.arrayContaining(['FusedConv2D', 'MaxPool', 'AvgPool']));
    graph.dispose();
  });
});

function lenet(...[first, second, third]: Activation[]): tfl.Sequential {
  return modelOf(
    [12, 12, 2],
    [
      tfl.layers.conv2d({ filters: 4, kernelSize: 3, padding: 'same', activation: first }),
      tfl.layers.maxPooling2d({ poolSize: 2 }),
      tfl.layers.conv2d({ filters: 6, kernelSize: 3, activation: second }),
      tfl.layers.averagePooling2d({ poolSize: 2 }),
      tfl.layers.flatten(),
      tfl.layers.dense({ units: 5, activation: third }),
    ],
  );
}

/**
 * What a model with batch normalization predicts, its loss in a step, and its weights after it. In each channel half of the
 * values are 1, the others -1. So the mean is 0, the variance 1, and the root of variance and epsilon 2: all of it is exact.
 */
async function normalizedModel(): Promise<Values[]> {
  const layers = [
    tfl.layers.batchNormalization({ epsilon: 3, inputShape: [2, 2, 3] }),
    tfl.layers.flatten(),
    tfl.layers.dense({ units: 2 }),
  ];
  const model = tfl.sequential({ layers });
  model.setWeights(model.getWeights().map((w) => (w.rank === 2 ? weightsOf(w.shape, 3) : w)));
  model.compile({ optimizer: tf.train.sgd(1 / 16), loss: 'meanSquaredError' });
  const x = tf.tensor(
    Array.from({ length: 48 }, (_, i) => (i % 6 < 3 ? 1 : -1)),
    [4, 2, 2, 3],
  );
  const y = integers([4, 2], 8);
  const prediction = model.predict(x) as tf.Tensor;
  const loss = (await model.trainOnBatch(x, y)) as number;
  const results = [prediction, [loss], ...model.getWeights()].map((values) => valuesOf(values));
  model.dispose();
  return results;
}

/**
 * The largest difference of two mean squared errors of `lenet` that are computed in different orders.
 *
 * Each y is a nested sum of products. A sum of n terms has an error of at most n * 2^-24 times the sum of the terms'
 * magnitudes. A pooling or an activation has an error of less than 4 * 2^-24 times its own magnitude, and it does not make
 * other errors larger. `magnitudes` is the result of the whole model on magnitudes. So
 *
 *   |y1 - y2| <= e = 2 * terms * 2^-24 * magnitudes
 *
 * and the squares differ by at most 2 |y - target| e + e^2.
 */
function lossBound(y: tf.Tensor, target: Values, magnitudes: tf.Tensor): number {
  const terms = 3 * 3 * 2 + 3 * 3 * 4 + 4 + 24 + 3 * 4 + 3;
  const [outputs, targets] = [valuesOf(y), valuesOf(target)];
  const errors = valuesOf(magnitudes).map((magnitude, i) => {
    const e = 2 * terms * 2 ** -24 * magnitude;
    const difference = Math.abs(outputs[i] - targets[i]);
    return 2 * difference * e + e ** 2 + outputs.length * 2 ** -24 * difference ** 2;
  });
  return errors.reduce((sum, error) => sum + error, 0) / errors.length;
}

/** A graph as the converter of Keras models writes it: a node of convolution, bias and activation, then two poolings. */
async function graphModel(): Promise<GraphModel> {
  const text = (...values: string[]) => values.map((value) => btoa(value));
  const window = (size: string) => ({ list: { i: ['1', size, size, '1'] } });
  const float = { dtype: { type: 'DT_FLOAT' } };
  const padding = { padding: { s: text('SAME')[0] }, data_format: { s: text('NHWC')[0] } };
  const pooling = { ksize: window('2'), strides: window('2'), ...padding };
  const node = [
    { name: 'x', op: 'Placeholder', attr: float },
    { name: 'filter', op: 'Const', attr: float },
    { name: 'bias', op: 'Const', attr: float },
    {
      name: 'conv',
      op: '_FusedConv2D',
      input: ['x', 'filter', 'bias'],
      attr: {
        ...padding,
        strides: window('1'),
        dilations: window('2'),
        num_args: { i: '1' },
        fused_ops: { list: { s: text('BiasAdd', 'Relu6') } },
      },
    },
    { name: 'max', op: 'MaxPool', input: ['conv'], attr: pooling },
    { name: 'avg', op: 'AvgPool', input: ['max'], attr: pooling },
  ];
  const weights = { filter: integers([3, 3, 2, 4], 1), bias: integers([4], 2) };
  const weightSpecs = Object.entries(weights).map(([name, { shape }]) => ({
    name,
    shape,
    dtype: 'float32' as const,
  }));
  const weightData = Float32Array.from(Object.values(weights).flatMap(valuesOf)).buffer;
  const modelTopology = { node, versions: { producer: '1' } };
  return loadGraphModel(tf.io.fromMemory({ modelTopology, weightSpecs, weightData }));
}

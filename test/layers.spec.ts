/**
 * Specs of tfjs-convgrad/layers. Where tf.layers can say the same, results, gradients and training are equal to those of its own
 * layers. Elsewhere they are equal to the float64 definitions. All that is computed here is exact in float32.
 */
import * as tfl from '@tensorflow/tfjs-layers';
import * as avgPoolDefinition from '../kernels/avg_pool/definition.js';
import * as convDefinition from '../kernels/conv2d/definition.js';
import {
  convGeometry,
  type ConvOptions,
  poolGeometry,
  type PoolOptions,
  sizeOf,
} from '../kernels/geometry.js';
import * as maxPoolDefinition from '../kernels/max_pool/definition.js';
import * as convgrad from '../src/layers/index.js';
import {
  byBuiltins,
  describeOnBackends,
  distinct,
  expectExactly,
  expectNoLeak,
  expectWithin,
  installed,
  integers,
  tf,
  valuesOf,
  whileInstalled,
} from './support/tfjs.js';

type Layer = tfl.layers.Layer;
type Config = { inputShape: number[] } & Record<string, unknown>;

/** A function of this entry, and tf.layers' function of the same name. */
type Name = 'conv1d' | 'conv2d' | 'maxPooling2d' | 'averagePooling2d';
const make = (name: Name, config: object) => (convgrad[name] as (config: object) => Layer)(config);
const makeTwin = (name: Name, config: object) => (tfl.layers[name] as (config: object) => Layer)(config);
const CLASS_NAMES: Record<Name, string> = {
  conv1d: 'ConvgradConv1D',
  conv2d: 'ConvgradConv2D',
  maxPooling2d: 'ConvgradMaxPooling2D',
  averagePooling2d: 'ConvgradAveragePooling2D',
};
const NAMES = Object.keys(CLASS_NAMES) as Name[];
/** What each of them must have in its config. */
const NEEDED: Record<Name, object> = {
  conv1d: { filters: 4, kernelSize: 3 },
  conv2d: { filters: 4, kernelSize: 3 },
  maxPooling2d: {},
  averagePooling2d: {},
};

/** Configs that tf.layers has too, and whether its own gradient is right there. */
const TWINS: [name: Name, config: Config, hasBuiltinGradient: boolean][] = [
  ['conv2d', { filters: 3, kernelSize: [3, 2], strides: [2, 1], inputShape: [6, 5, 2] }, true],
  ['conv2d', { filters: 2, kernelSize: 3, strides: 2, padding: 'same', inputShape: [5, 6, 2] }, true],
  ['conv2d', { filters: 2, kernelSize: 2, activation: 'relu', useBias: false, inputShape: [4, 4, 2] }, true],
  ['conv2d', { filters: 3, kernelSize: 2, dataFormat: 'channelsFirst', inputShape: [2, 4, 5] }, true],
  ['conv2d', { filters: 2, kernelSize: 1, activation: 'relu6', inputShape: [4, 4, 2] }, true],
  [
    'conv2d',
    { filters: 2, kernelSize: 2, dilationRate: [2, 3], padding: 'same', inputShape: [6, 6, 2] },
    false,
  ],
  ['conv1d', { filters: 3, kernelSize: 3, strides: 2, inputShape: [9, 2] }, true],
  ['conv1d', { filters: 3, kernelSize: [4], padding: 'same', activation: 'relu', inputShape: [7, 2] }, true],
  ['conv1d', { filters: 2, kernelSize: 3, dilationRate: 3, inputShape: [9, 2] }, false],
  ['maxPooling2d', { inputShape: [6, 5, 2] }, true],
  ['maxPooling2d', { poolSize: [3, 2], strides: 1, padding: 'same', inputShape: [5, 5, 2] }, true],
  [
    'maxPooling2d',
    { poolSize: 2, strides: [1, 2], dataFormat: 'channelsFirst', inputShape: [2, 5, 6] },
    true,
  ],
  ['averagePooling2d', { inputShape: [6, 5, 2] }, true],
  ['averagePooling2d', { poolSize: [2, 4], strides: 1, inputShape: [5, 6, 2] }, true],
  ['averagePooling2d', { poolSize: 2, dataFormat: 'channelsFirst', inputShape: [2, 5, 6] }, true],
  // The gradient of tf.avgPool divides by other numbers than the op where a window touches padding.
  ['averagePooling2d', { poolSize: 2, strides: 1, padding: 'same', inputShape: [4, 5, 2] }, false],
];

/** Configs of convolutions that tf.layers lacks, and the same as options of the definition. */
const CONVOLUTIONS: [
  title: string,
  config: Config & { filters: number },
  kernel: number[],
  options: ConvOptions,
][] = [
  ['groups', { filters: 6, kernelSize: 3, groups: 2, inputShape: [5, 6, 4] }, [3, 3, 2, 6], { groups: 2 }],
  [
    'a group for each channel',
    { filters: 6, kernelSize: [2, 3], groups: 3, padding: 'same', inputShape: [4, 5, 3] },
    [2, 3, 1, 6],
    { groups: 3, pad: 'same' },
  ],
  [
    'groups, channels first, strides',
    {
      filters: 4,
      kernelSize: 2,
      groups: 2,
      strides: [2, 1],
      dataFormat: 'channelsFirst',
      inputShape: [4, 5, 6],
    },
    [2, 2, 2, 4],
    { groups: 2, strides: [2, 1], dataFormat: 'NCHW' },
  ],
  [
    'explicit pads',
    { filters: 2, kernelSize: 3, padding: [[2, 1], [0, 3]], inputShape: [4, 4, 2] }, // prettier-ignore
    [3, 3, 2, 2],
    { pad: [[0, 0], [2, 1], [0, 3], [0, 0]] }, // prettier-ignore
  ],
  [
    'explicit pads, channels first',
    { filters: 2, kernelSize: 3, padding: [[2, 1], [0, 3]], dataFormat: 'channelsFirst', inputShape: [2, 4, 4] }, // prettier-ignore
    [3, 3, 2, 2],
    { pad: [[0, 0], [0, 0], [2, 1], [0, 3]], dataFormat: 'NCHW' }, // prettier-ignore
  ],
  [
    'a number as padding',
    { filters: 2, kernelSize: [3, 2], padding: 1, strides: 2, inputShape: [5, 5, 2] },
    [3, 2, 2, 2],
    { pad: 1, strides: 2 },
  ],
  [
    'a pair as padding',
    { filters: 2, kernelSize: 3, padding: [0, 2], inputShape: [4, 3, 2] },
    [3, 3, 2, 2],
    { pad: [0, 2] },
  ],
  [
    'strides with dilations, groups and pads',
    {
      filters: 4,
      kernelSize: 3,
      strides: 2,
      dilationRate: [2, 3],
      groups: 2,
      padding: 3,
      inputShape: [7, 8, 4],
    },
    [3, 3, 2, 4],
    { strides: 2, dilations: [2, 3], groups: 2, pad: 3 },
  ],
];

/** Configs of poolings that tf.layers lacks, and the same as options of the definition. */
const POOLINGS: [title: string, config: Config, options: PoolOptions & { size: number }][] = [
  ['a number as padding', { padding: 1, inputShape: [4, 5, 2] }, { size: 2, pad: 1 }],
  [
    'explicit pads',
    { poolSize: 2, strides: 1, padding: [[1, 0], [0, 1]], inputShape: [4, 3, 2] }, // prettier-ignore
    { size: 2, strides: 1, pad: [[0, 0], [1, 0], [0, 1], [0, 0]] }, // prettier-ignore
  ],
  [
    'dilations',
    { strides: 1, dilationRate: [2, 1], inputShape: [5, 4, 2] },
    { size: 2, strides: 1, dilations: [2, 1] },
  ],
  [
    'dilations, channels first, pads and strides',
    { strides: 2, dilationRate: 2, padding: [1, 1], dataFormat: 'channelsFirst', inputShape: [2, 5, 6] },
    { size: 2, strides: 2, dilations: 2, pad: 1, dataFormat: 'NCHW' },
  ],
];

/** Whole numbers for the layer's input. For max pooling no two are equal. */
function inputOf(name: Name, { inputShape }: Config): tf.Tensor {
  const shape = [2, ...inputShape];
  return name === 'maxPooling2d' ? distinct(shape) : integers(shape, 7);
}

/** What the layer makes of x, and the gradients of <y, dy> by x and by the weights. dy consists of whole numbers. */
function resultsOf(layer: Layer, x: tf.Tensor): { y: tf.Tensor; gradients: tf.Tensor[]; dy: tf.Tensor } {
  const y = layer.apply(x) as tf.Tensor;
  const dy = integers(y.shape, 9);
  const input = tf.variable(x);
  const variables = [input, ...layer.weights.map((weight) => weight.read() as tf.Variable)];
  const loss = () => tf.sum(tf.mul(layer.apply(input) as tf.Tensor, dy)) as tf.Scalar;
  const { grads } = tf.variableGrads(loss, variables);
  input.dispose();
  return { y, gradients: variables.map(({ name }) => grads[name]), dy };
}

/** Whole numbers as weights. */
function setWeights(layer: Layer): void {
  layer.setWeights(layer.getWeights().map(({ shape }, i) => integers(shape, i + 1)));
}

const shapesOf = (tensors: tf.Tensor[]) => tensors.map(({ shape }) => shape);

describeOnBackends('layers', (backendName) => {
  const disposables: { dispose(): unknown }[] = [];
  afterEach(() => {
    for (const disposable of disposables.splice(0)) disposable.dispose();
  });

  function modelOf(...layers: Layer[]): tfl.Sequential {
    const model = tfl.sequential({ layers });
    disposables.push(model);
    return model;
  }

  /** The layer as a model of its own, with whole numbers as weights. */
  function built(layer: Layer): Layer {
    modelOf(layer);
    setWeights(layer);
    return layer;
  }

  describe('beside those of tf.layers', () => {
    for (const [name, config, hasBuiltinGradient] of TWINS) {
      describe(`of the same config: ${name} ${JSON.stringify(config)}`, () => {
        it('compute the same', () => {
          const [ours, twin] = [built(make(name, config)), built(makeTwin(name, config))];
          const x = inputOf(name, config);
          expect(ours.outputShape).toEqual(twin.outputShape);
          expectExactly(
            ours.apply(x) as tf.Tensor,
            byBuiltins(() => twin.apply(x) as tf.Tensor),
          );
        });

        it(hasBuiltinGradient ? 'have the same gradients' : 'have the gradients of the plugin', () => {
          const [ours, twin] = [built(make(name, config)), built(makeTwin(name, config))];
          const x = inputOf(name, config);
          const { gradients } = resultsOf(ours, x);
          const serve = hasBuiltinGradient ? byBuiltins : installed;
          const expected = serve(() => resultsOf(twin, x).gradients);
          expect(gradients.length).toBe(expected.length);
          gradients.forEach((gradient, i) => expectExactly(gradient, expected[i]));
        });

        it('have weights of the same names and shapes', () => {
          const named = { ...config, name: 'named' };
          const namesOf = ({ weights }: Layer) =>
            weights.map(({ originalName, shape }) => [originalName, shape]);
          const [ours, twin] = [built(make(name, named)), built(makeTwin(name, named))];
          expect(namesOf(ours)).toEqual(namesOf(twin));
        });

        it('have the same config, with the new keys at their defaults', () => {
          const named = { ...config, name: 'named' };
          const added: Record<Name, object> = {
            conv1d: { groups: 1, dataFormat: 'channelsLast' },
            conv2d: { groups: 1 },
            maxPooling2d: { dilationRate: [1, 1] },
            averagePooling2d: { dilationRate: [1, 1], countIncludePad: false },
          };
          expect(make(name, named).getConfig()).toEqual({
            ...makeTwin(name, named).getConfig(),
            ...added[name],
          });
        });
      });
    }

    for (const activation of ['elu', 'sigmoid', 'tanh', 'softplus', 'softmax', 'selu', 'swish']) {
      it(`apply ${activation} alike`, () => {
        const config = { filters: 3, kernelSize: 2, activation, inputShape: [3, 4, 2] };
        const [ours, twin] = [built(make('conv2d', config)), built(makeTwin('conv2d', config))];
        const x = inputOf('conv2d', config);
        const results = resultsOf(ours, x);
        const expected = byBuiltins(() => resultsOf(twin, x));
        // z is exact. exp and tanh are good to some units of 2^-24 of their result, slopes are at most 2, and a gradient is a sum
        // of 12 terms of at most 3 * 3 * 2.
        expectWithin(results.y, expected.y, 32 * 2 ** -24 * 40);
        results.gradients.forEach((gradient, i) =>
          expectWithin(gradient, expected.gradients[i], 32 * 2 ** -24 * 12 * 18),
        );
      });
    }

    it('initialize, regularize and constrain weights alike, and train alike', async () => {
      const config = {
        filters: 2,
        kernelSize: 2,
        activation: 'relu',
        kernelInitializer: tfl.initializers.constant({ value: 0.5 }),
        biasInitializer: 'ones',
        kernelRegularizer: tfl.regularizers.l2({ l2: 0.25 }),
        biasRegularizer: tfl.regularizers.l1({ l1: 0.5 }),
        kernelConstraint: 'nonNeg',
        biasConstraint: tfl.constraints.minMaxNorm({ minValue: 0, maxValue: 64, rate: 1, axis: 0 }),
        inputShape: [3, 3, 2],
      };
      const x = integers([2, 3, 3, 2], 5);
      const y = integers([2, 2, 2, 2], 6);
      const train = async (layer: Layer) => {
        const model = modelOf(layer);
        const initial = model.getWeights().map(valuesOf);
        model.compile({ optimizer: tf.train.sgd(1 / 16), loss: 'meanSquaredError' });
        const { history } = await model.fit(x, y, { epochs: 1, batchSize: 2, shuffle: false, verbose: 0 });
        return { initial, loss: history.loss as number[], weights: model.getWeights().map(valuesOf) };
      };
      const ours = await train(make('conv2d', config));
      const twin = await whileInstalled(() => train(makeTwin('conv2d', config)));
      expect(ours.initial[0]).toEqual(new Array(16).fill(0.5));
      expect(ours.initial[1]).toEqual([1, 1]);
      expect(ours).toEqual(twin);
      expect(ours.weights[0]).not.toEqual(ours.initial[0]);
      expect(ours.weights[0].every((weight) => weight >= 0)).toBeTrue();
    });
  });

  describe('of convolution', () => {
    for (const [title, config, kernel, options] of CONVOLUTIONS) {
      it(`compute by the definition, and have its gradients: ${title}`, () => {
        const layer = built(make('conv2d', config));
        expect(shapesOf(layer.getWeights())).toEqual([kernel, [config.filters]]);
        const x = inputOf('conv2d', config);
        const { y, gradients, dy } = resultsOf(layer, x);
        const g = convGeometry(x.shape, kernel, options);
        const [filter, bias] = layer.getWeights().map((weight) => Float64Array.from(valuesOf(weight)));
        const [xs, dys] = [x, dy].map((t) => Float64Array.from(valuesOf(t)));
        const sums = new Float64Array(sizeOf(g.outShape));
        convDefinition.conv2d(xs, filter, g, sums);
        const expected = sums.map((sum, i) => sum + bias[channelOf(i, g.outShape, config)]);
        const [dx, dFilter, dBias] = [xs, filter, bias].map(({ length }) => new Float64Array(length));
        convDefinition.conv2dBackpropInput(dys, filter, g, dx);
        convDefinition.conv2dBackpropFilter(xs, dys, g, dFilter);
        convDefinition.biasGrad(dys, g, dBias);
        expect(y.shape).toEqual([...g.outShape]);
        expectExactly(y, expected);
        [dx, dFilter, dBias].forEach((gradient, i) => expectExactly(gradients[i], gradient));
      });
    }

    const CAUSAL = [
      { kernelSize: 3, strides: 1, dilationRate: 1, dataFormat: 'channelsLast' },
      { kernelSize: 2, strides: 1, dilationRate: 4, dataFormat: 'channelsLast' },
      { kernelSize: 3, strides: 2, dilationRate: 3, dataFormat: 'channelsLast' },
      { kernelSize: 3, strides: 1, dilationRate: 2, dataFormat: 'channelsFirst' },
      { kernelSize: 1, strides: 3, dilationRate: 1, dataFormat: 'channelsLast' },
    ];
    for (const config of CAUSAL) {
      it(`with padding 'causal' are the loop, and have its gradients: ${JSON.stringify(config)}`, () => {
        const isFirst = config.dataFormat === 'channelsFirst';
        const inputShape = isFirst ? [2, 9] : [9, 2];
        const layer = built(make('conv1d', { ...config, filters: 3, padding: 'causal', inputShape }));
        const x = integers([2, ...inputShape], 3);
        const { y, gradients, dy } = resultsOf(layer, x);
        const [kernel, bias] = layer.getWeights();
        const last = (t: tf.Tensor) => (isFirst ? tf.transpose(t, [0, 2, 1]) : t);
        const loop = causalLoop(last(x), kernel, last(dy), config);
        expectExactly(last(y), tf.add(loop.y, bias));
        expectExactly(last(gradients[0]), loop.dx);
        expectExactly(gradients[1], loop.dKernel);
        expectExactly(gradients[2], tf.sum(last(dy), [0, 1]));
      });
    }

    it("with padding 'causal' see nothing of later inputs", () => {
      const config = { filters: 2, kernelSize: 3, dilationRate: 2, padding: 'causal', inputShape: [8, 2] };
      const layer = built(make('conv1d', config));
      const x = integers([1, 8, 2], 3);
      const changed = tf.add(x, tf.reshape([0, 0, 0, 0, 0, 1, 1, 1], [1, 8, 1])); // prettier-ignore
      const [y, other] = [x, changed].map((t) => layer.apply(t) as tf.Tensor);
      expectExactly(tf.slice(other, [0, 0, 0], [1, 5, 2]), tf.slice(y, [0, 0, 0], [1, 5, 2]));
      expect(valuesOf(tf.slice(other, [0, 5, 0]))).not.toEqual(valuesOf(tf.slice(y, [0, 5, 0])));
    });

    it('of one axis take numbers as padding, groups, and strides with dilations', () => {
      const config = {
        filters: 4,
        kernelSize: 3,
        strides: 2,
        dilationRate: 2,
        groups: 2,
        padding: [3, 1],
        inputShape: [7, 4],
      };
      const image = {
        ...config,
        kernelSize: [1, 3],
        strides: [1, 2],
        dilationRate: [1, 2],
        inputShape: [1, 7, 4],
      };
      const line = built(make('conv1d', config));
      const plane = built(make('conv2d', { ...image, padding: [[0, 0], [3, 1]] })); // prettier-ignore
      plane.setWeights(line.getWeights().map((w) => (w.rank === 3 ? tf.expandDims(w, 0) : w)));
      const x = integers([2, 7, 4], 3);
      const y = tf.squeeze(plane.apply(tf.expandDims(x, 1)) as tf.Tensor, [1]);
      expect(line.outputShape).toEqual([null, 4, 4]);
      expectExactly(line.apply(x) as tf.Tensor, y);
    });
  });

  describe('of pooling', () => {
    for (const [title, config, { size, ...options }] of POOLINGS) {
      const shape = [2, ...config.inputShape];

      it(`take maxima by the definition, and have its gradient: ${title}`, () => {
        const x = distinct(shape);
        const { y, gradients, dy } = resultsOf(built(make('maxPooling2d', config)), x);
        const g = poolGeometry(shape, size, options);
        const [expected, positions] = [
          new Float64Array(sizeOf(g.outShape)),
          new Int32Array(sizeOf(g.outShape)),
        ];
        const dx = new Float64Array(x.size);
        maxPoolDefinition.maxPool(Float64Array.from(valuesOf(x)), g, expected, positions);
        maxPoolDefinition.maxPoolGrad(Float64Array.from(valuesOf(dy)), positions, dx);
        expect(y.shape).toEqual([...g.outShape]);
        expectExactly(y, expected);
        expectExactly(gradients[0], dx);
      });

      for (const countIncludePad of [false, true]) {
        it(`take averages by the definition, and have its gradient: ${title}, countIncludePad ${countIncludePad}`, () => {
          const x = integers(shape);
          const { y, gradients, dy } = resultsOf(
            built(make('averagePooling2d', { ...config, countIncludePad })),
            x,
          );
          const g = poolGeometry(shape, size, { ...options, countIncludePad });
          const [expected, dx] = [new Float64Array(sizeOf(g.outShape)), new Float64Array(x.size)];
          avgPoolDefinition.avgPool(Float64Array.from(valuesOf(x)), g, expected);
          avgPoolDefinition.avgPoolGrad(Float64Array.from(valuesOf(dy)), g, dx);
          expect(y.shape).toEqual([...g.outShape]);
          expectExactly(y, expected);
          expectExactly(gradients[0], dx);
        });
      }
    }
  });

  describe('in a model', () => {
    /** All four layers, with layers of tf.layers between them. */
    function mixed(): tfl.Sequential {
      const model = modelOf(
        convgrad.conv2d({
          filters: 4,
          kernelSize: 3,
          groups: 2,
          padding: [[1, 2], [2, 1]], // prettier-ignore
          strides: 2,
          dilationRate: 2,
          activation: 'relu',
          kernelRegularizer: 'l1l2',
          inputShape: [9, 9, 2],
        }),
        convgrad.maxPooling2d({ poolSize: 2, strides: 1, dilationRate: 2, padding: 1 }),
        tfl.layers.conv2d({ filters: 4, kernelSize: 1, useBias: false }),
        convgrad.averagePooling2d({ poolSize: 2, padding: 1, countIncludePad: true }),
        tfl.layers.reshape({ targetShape: [9, 4] }),
        convgrad.conv1d({ filters: 2, kernelSize: 2, padding: 'causal', dilationRate: 2, name: 'causal' }),
        tfl.layers.flatten(),
        tfl.layers.dense({ units: 2 }),
      );
      model.setWeights(model.getWeights().map(({ shape }, i) => tf.div(integers(shape, i + 1), 8)));
      model.compile({ optimizer: tf.train.sgd(0.01), loss: 'meanSquaredError' });
      return model;
    }

    const batch = () => ({ x: tf.div(integers([4, 9, 9, 2], 3), 4), y: integers([4, 2], 4) });

    async function reloaded(model: tfl.LayersModel): Promise<tfl.LayersModel> {
      const artifacts = await artifactsOf(model);
      const loaded = await tfl.loadLayersModel(tf.io.fromMemory(artifacts));
      disposables.push(loaded);
      return loaded;
    }

    it('learn: the loss falls in each epoch of fit', async () => {
      const { x, y } = batch();
      const { history } = await whileInstalled(() => mixed().fit(x, y, { epochs: 5, verbose: 0 }));
      const loss = history.loss as number[];
      expect(loss.slice(1).every((value, i) => value < loss[i]))
        .withContext(loss.join(', '))
        .toBeTrue();
    });

    it('move in fit by the gradient of the loss', async () => {
      const layer = make('conv2d', {
        filters: 4,
        kernelSize: 2,
        groups: 2,
        padding: 1,
        inputShape: [3, 3, 2],
      });
      const model = modelOf(layer);
      setWeights(layer);
      model.compile({ optimizer: tf.train.sgd(1 / 16), loss: 'meanSquaredError' });
      const [x, y] = [integers([2, 3, 3, 2], 5), integers([2, 4, 4, 4], 6)];
      const variables = layer.weights.map((weight) => weight.read() as tf.Variable);
      const loss = () => tf.mean(tf.square(tf.sub(layer.apply(x) as tf.Tensor, y))) as tf.Scalar;
      const { grads } = tf.variableGrads(loss, variables);
      const expected = variables.map((w) => valuesOf(tf.sub(w, tf.div(grads[w.name], 16))));
      await model.fit(x, y, { epochs: 1, batchSize: 2, shuffle: false, verbose: 0 });
      model.getWeights().forEach((weight, i) => expectExactly(weight, expected[i]));
    });

    it('stay as they are in fit if they are not trainable', async () => {
      const frozen = make('conv1d', { filters: 2, kernelSize: 2, trainable: false, inputShape: [4, 2] });
      const model = modelOf(frozen, tfl.layers.flatten(), tfl.layers.dense({ units: 1 }));
      setWeights(frozen);
      model.compile({ optimizer: 'sgd', loss: 'meanSquaredError' });
      const before = frozen.getWeights().map(valuesOf);
      await model.fit(integers([4, 4, 2]), integers([4, 1], 2), { epochs: 2, verbose: 0 });
      expect([frozen.trainableWeights.length, frozen.nonTrainableWeights.length]).toEqual([0, 2]);
      frozen.getWeights().forEach((weight, i) => expectExactly(weight, before[i]));
    });

    it('are saved and loaded, and predict and train as before', async () => {
      const model = mixed();
      const { x, y } = batch();
      const loaded = await reloaded(model);
      expect(loaded.layers.map((layer) => layer.getConfig())).toEqual(
        model.layers.map((layer) => layer.getConfig()),
      );
      expectExactly(loaded.predict(x) as tf.Tensor, model.predict(x) as tf.Tensor);
      loaded.compile({ optimizer: tf.train.sgd(0.01), loss: 'meanSquaredError' });
      const fit = async (m: tfl.LayersModel) =>
        (await m.fit(x, y, { epochs: 2, shuffle: false, verbose: 0 })).history.loss;
      await whileInstalled(async () => expect(await fit(loaded)).toEqual(await fit(model)));
    });

    it('are saved under names of their own, with keys as tf.layers and Keras write them', async () => {
      const { modelTopology } = await artifactsOf(mixed());
      const { layers } = (modelTopology as { config: { layers: { class_name: string; config: object }[] } })
        .config;
      const saved = layers.filter(({ class_name }) => class_name.startsWith('Convgrad'));
      expect(saved.map(({ class_name }) => class_name)).toEqual([
        'ConvgradConv2D',
        'ConvgradMaxPooling2D',
        'ConvgradAveragePooling2D',
        'ConvgradConv1D',
      ]);
      const { kernel_size, dilation_rate, padding, groups } = saved[0].config as Record<string, unknown>;
      expect([kernel_size, dilation_rate, padding, groups]).toEqual([[3, 3], [2, 2], [[1, 2], [2, 1]], 2]); // prettier-ignore
      expect(saved[2].config).toEqual(
        jasmine.objectContaining({ pool_size: [2, 2], count_include_pad: true }),
      );
      expect(saved[3].config).toEqual(
        jasmine.objectContaining({ data_format: 'channels_last', padding: 'causal' }),
      );
    });

    it('read what Keras writes of its own layers, under their names', async () => {
      const keras = {
        class_name: 'Sequential',
        config: {
          name: 'keras',
          layers: [
            kerasLayer('ConvgradConv2D', {
              filters: 4,
              kernel_size: [3, 3],
              strides: [2, 2],
              groups: 2,
              batch_input_shape: [null, 5, 5, 2],
            }),
            { class_name: 'Reshape', config: { name: 'line', target_shape: [4, 4] } },
            kerasLayer('ConvgradConv1D', {
              filters: 3,
              kernel_size: [2],
              strides: [1],
              padding: 'causal',
              groups: 1,
            }),
          ],
        },
      };
      const model = await tfl.models.modelFromJSON(keras as never);
      disposables.push(model);
      expect(model.layers.map((layer) => layer.getClassName())).toEqual([
        'ConvgradConv2D',
        'Reshape',
        'ConvgradConv1D',
      ]);
      expect(shapesOf(model.getWeights())).toEqual([[3, 3, 1, 4], [4], [2, 4, 3], [3]]);
      expect((model.predict(integers([2, 5, 5, 2])) as tf.Tensor).shape).toEqual([2, 4, 3]);
    });

    it('are listed in its summary', () => {
      const lines: string[] = [];
      mixed().summary(150, [0.6, 0.8, 0.95, 1], (line) => lines.push(line));
      const text = lines.join('\n');
      expect(text).toMatch(/\(ConvgradConv2D\) +\[\[null,9,9,2\]\] +\[null,4,4,4\] +40/);
      expect(text).toMatch(/\(ConvgradMaxPooling2D\) +\[\[null,4,4,4\]\] +\[null,4,4,4\] +0/);
      expect(text).toMatch(/\(ConvgradAveragePooling2D\) +\[\[null,4,4,4\]\] +\[null,3,3,4\] +0/);
      expect(text).toMatch(/causal \(ConvgradConv1D\) +\[\[null,9,4\]\] +\[null,9,2\] +18/);
    });

    it('take images whose size is not known ahead', () => {
      const config = { filters: 2, kernelSize: 3, strides: 2, padding: 1, inputShape: [null, null, 2] };
      const dynamic = built(make('conv2d', config));
      expect(dynamic.outputShape).toEqual([null, null, null, 2]);
      for (const size of [4, 7]) {
        const fixed = built(make('conv2d', { ...config, inputShape: [size, size, 2] }));
        const x = integers([2, size, size, 2]);
        expectExactly(dynamic.apply(x) as tf.Tensor, fixed.apply(x) as tf.Tensor);
      }
    });

    it('leave nothing behind', () => {
      const layers = NAMES.map((name) => {
        const inputShape = name === 'conv1d' ? [6, 2] : [6, 6, 2];
        return built(make(name, { ...NEEDED[name], padding: 1, inputShape }));
      });
      for (const layer of layers) {
        const x = integers([2, ...(layer.batchInputShape.slice(1) as number[])]);
        const variables = layer.trainableWeights.map((weight) => weight.read() as tf.Variable);
        const step = () => {
          if (!variables.length) return tf.grad((t) => layer.apply(t) as tf.Tensor)(x);
          return tf.variableGrads(() => tf.sum(layer.apply(x) as tf.Tensor) as tf.Scalar, variables);
        };
        step();
        expectNoLeak(() => layer.apply(x));
        expectNoLeak(step);
        x.dispose();
      }
    });
  });

  // What follows is the same on every backend.
  if (backendName !== 'cpu') return;

  describe('know the shape of their output', () => {
    const PADDINGS = ['valid', 'same', 1, [2, 0], [[0, 3], [1, 2]]]; // prettier-ignore
    const LINES = ['valid', 'same', 'causal', 2, [0, 3]];
    const sizes = [1, 2, 3];
    for (const name of NAMES) {
      it(`ahead of computing it: ${name}`, () => {
        for (const dataFormat of ['channelsLast', 'channelsFirst']) {
          for (const padding of name === 'conv1d' ? LINES : PADDINGS) {
            for (const size of sizes) {
              for (const [strides, dilationRate] of [
                [1, 1],
                [2, 1],
                [1, 2],
                [3, 2],
              ]) {
                const window = name.startsWith('conv')
                  ? { kernelSize: size, filters: 2 }
                  : { poolSize: size };
                const config = { ...window, padding, strides, dilationRate, dataFormat };
                const space = name === 'conv1d' ? [7] : [6, 7];
                const shape = dataFormat === 'channelsFirst' ? [2, 2, ...space] : [2, ...space, 2];
                const layer = make(name, config);
                const y = tf.tidy(() => (layer.apply(tf.ones(shape)) as tf.Tensor).shape);
                const context = JSON.stringify(config);
                expect(layer.computeOutputShape(shape)).withContext(context).toEqual(y);
                expect(layer.computeOutputShape([null, ...shape.slice(1)]))
                  .withContext(context)
                  .toEqual([null, ...y.slice(1)]);
                layer.dispose();
              }
            }
          }
        }
      });
    }

    it('as far as that of the input is known', () => {
      const config = { filters: 4, kernelSize: 3, padding: 'same', strides: 2 };
      expect(make('conv2d', config).computeOutputShape([null, null, 7, 2])).toEqual([null, null, 4, 4]);
      expect(make('conv2d', config).computeOutputShape([null, 7, null, null])).toEqual([null, 4, null, 4]);
      const first = { ...config, dataFormat: 'channelsFirst' };
      expect(make('conv2d', first).computeOutputShape([[8, 2, 5, null]])).toEqual([8, 4, 3, null]);
      expect(make('conv1d', config).computeOutputShape([null, null, 2])).toEqual([null, null, 4]);
      expect(make('maxPooling2d', {}).computeOutputShape([null, null, 5, null])).toEqual([
        null,
        null,
        2,
        null,
      ]);
    });
  });

  describe('are serializable', () => {
    it('under names that are not those of tf.layers', () => {
      const { classNameMap } = tf.serialization.SerializationMap.getMap();
      for (const name of NAMES) {
        const [ours, twin] = [make(name, NEEDED[name]), makeTwin(name, NEEDED[name])];
        expect(ours.getClassName()).toBe(CLASS_NAMES[name]);
        expect(classNameMap[CLASS_NAMES[name]][0] as unknown).toBe(ours.constructor);
        expect(classNameMap[twin.getClassName()][0] as unknown).toBe(twin.constructor);
      }
    });

    const CONFIGS: [Name, object][] = [
      ['conv1d', { kernelSize: 2, padding: 'causal', dilationRate: 4 }],
      ['conv1d', { padding: [1, 3], groups: 2, dataFormat: 'channelsFirst', useBias: false }],
      ['conv2d', { padding: 2, groups: 4, kernelConstraint: 'unitNorm', activation: 'softmax' }],
      ['conv2d', { padding: [1, 0], strides: [2, 1], dilationRate: [1, 3], trainable: false }],
      ['conv2d', { padding: [[1, 2], [3, 4]], biasRegularizer: 'l1l2', batchInputShape: [8, null, 5, 3] }], // prettier-ignore
      ['maxPooling2d', { poolSize: [3, 2], padding: 'same', dilationRate: 2, name: 'pool' }],
      ['averagePooling2d', { padding: [[0, 1], [1, 0]], countIncludePad: true, inputShape: [4, 4, 1] }], // prettier-ignore
    ];
    for (const [name, given] of CONFIGS) {
      it(`by their config: ${name} ${JSON.stringify(given)}`, () => {
        const layer = make(name, { ...NEEDED[name], ...given });
        const config = layer.getConfig();
        const { constructor } = layer as unknown as {
          constructor: tf.serialization.SerializableConstructor<Layer>;
        };
        const copy = constructor.fromConfig(constructor, JSON.parse(JSON.stringify(config)));
        expect(copy.constructor).toBe(layer.constructor);
        expect(copy.getConfig()).toEqual(config);
      });
    }

    it('by a config that later changes of the given one do not change', () => {
      const given = { filters: 4, kernelSize: [3, 3], padding: [[1, 2], [3, 4]] }; // prettier-ignore
      const layer = make('conv2d', given);
      const before = JSON.stringify(layer.getConfig());
      given.kernelSize[0] = 9;
      given.padding[1][0] = 9;
      expect(JSON.stringify(layer.getConfig())).toBe(before);
      const pooling = {};
      make('maxPooling2d', pooling);
      expect(pooling).toEqual({});
    });
  });

  describe('refuse', () => {
    const MISTAKES: [name: Name, config: unknown, message: RegExp][] = [
      ['conv2d', { filters: undefined }, /filters is undefined.*integer of at least 1/],
      ['conv2d', { filters: 1.5 }, /filters is 1.5/],
      ['conv2d', { kernelSize: undefined }, /kernelSize is undefined/],
      ['conv2d', { kernelSize: [3] }, /kernelSize is \[3\].*pair \[height, width\]/],
      ['conv2d', { kernelSize: '3' }, /kernelSize is '3'/],
      ['conv2d', { strides: 0 }, /strides is 0.*at least 1/],
      ['conv2d', { dilationRate: [1, NaN] }, /dilationRate is \[1,NaN\]/],
      ['conv2d', { groups: 0 }, /groups is 0.*at least 1/],
      ['conv2d', { groups: 3 }, /groups is 3.*divide the 4 filters/],
      ['conv2d', { padding: 'SAME' }, /padding is 'SAME'.*'valid', 'same', an integer/],
      ['conv2d', { padding: 'causal' }, /padding is 'causal'.*'valid', 'same', an integer/],
      ['conv2d', { padding: -1 }, /padding is -1.*at least 0/],
      ['conv2d', { padding: [[1, 2]] }, /padding is \[\[1,2\]\].*\[\[top, bottom\], \[left, right\]\]/], // prettier-ignore
      ['conv2d', { padding: [[0, 0], [1, 1], [1, 1], [0, 0]] }, /padding is \[\[0,0\],\[1,1\]/], // prettier-ignore
      ['conv2d', { dataFormat: 'NCHW' }, /dataFormat is 'NCHW'.*'channelsLast' or 'channelsFirst'/],
      ['conv2d', { useBias: 'false' }, /useBias is 'false'.*true or false/],
      ['conv2d', { pad: 1 }, /layers\.conv2d.*'pad'.*Did you mean 'padding'/],
      ['conv2d', { stride: 2 }, /Did you mean 'strides'/],
      ['conv2d', { dilations: 2 }, /Did you mean 'dilationRate'/],
      ['conv2d', { kernel_size: 2 }, /Did you mean 'kernelSize'/],
      ['conv2d', { countIncludePad: true }, /'countIncludePad', but only/],
      ['conv1d', { kernelSize: [3, 3] }, /kernelSize is \[3,3\].*array of one/],
      ['conv1d', { padding: [[1, 1]] }, /padding is \[\[1,1\]\].*'causal'.*\[left, right\]/], // prettier-ignore
      ['conv1d', { padding: [1, 2, 3] }, /padding is \[1,2,3\]/],
      ['maxPooling2d', { poolSize: 0 }, /poolSize is 0/],
      ['maxPooling2d', { kernelSize: 2 }, /layers\.maxPooling2d.*'kernelSize'/],
      ['maxPooling2d', { countIncludePad: true }, /'countIncludePad', but only/],
      ['averagePooling2d', { countIncludePad: 1 }, /countIncludePad is 1.*true or false/],
      ['averagePooling2d', { countIncludePads: true }, /Did you mean 'countIncludePad'/],
    ];
    for (const [name, given, message] of MISTAKES) {
      it(`what is wrong: ${name} ${JSON.stringify(given)}`, () => {
        expect(() => make(name, { ...NEEDED[name], ...(given as object) })).toThrowError(message);
        expect(() => make(name, { ...NEEDED[name], ...(given as object) })).toThrowError(/^tfjs-convgrad: /);
      });
    }

    it('a config that is no object', () => {
      const refusal = /the options of layers\.conv2d are 3, but they must be an object/;
      expect(() => make('conv2d', 3 as never)).toThrowError(refusal);
    });

    it('channels that groups do not divide, before there are weights', () => {
      const { numTensors } = tf.memory();
      const layer = make('conv2d', {
        filters: 4,
        kernelSize: 3,
        groups: 4,
        name: 'grouped',
        inputShape: [5, 5, 6],
      });
      expect(() => modelOf(layer)).toThrowError(
        "tfjs-convgrad: groups of layer 'grouped' is 4, but it must divide the 6 channels of the input.",
      );
      expect(tf.memory().numTensors).toBe(numTensors);
    });

    it('inputs that are smaller than the window, when the model is made or when it runs', () => {
      const { numTensors } = tf.memory();
      const small = make('conv2d', { filters: 4, kernelSize: 4, name: 'small', inputShape: [3, 9, 2] });
      expect(() => modelOf(small)).toThrowError(
        "tfjs-convgrad: kernelSize of layer 'small' is [4,4], but with dilationRate [1,1] and padding 'valid' it must fit into the input of shape [null,3,9,2].",
      );
      expect(tf.memory().numTensors).withContext('weights').toBe(numTensors);
      const pool = make('maxPooling2d', { poolSize: 3, name: 'pool', inputShape: [null, null, 2] });
      expect(() => built(pool).apply(tf.ones([1, 5, 2, 2]))).toThrowError(
        /poolSize of layer 'pool' is \[3,3\].*\[1,5,2,2\]/,
      );
      const conv = built(make('conv1d', { filters: 1, kernelSize: 3, name: 'conv', inputShape: [null, 2] }));
      expect(() => conv.apply(tf.ones([1, 2, 2]))).toThrowError(
        /kernelSize of layer 'conv' is \[3\].*\[1,2,2\]/,
      );
    });

    it('inputs of another rank', () => {
      expect(() => make('conv2d', NEEDED.conv2d).apply(tf.ones([2, 5, 2]))).toThrowError(
        /ndim=4, found ndim=3/,
      );
      expect(() => make('conv2d', NEEDED.conv2d).computeOutputShape([null, 5, 2])).toThrowError(
        /the rank of the input of layer '.*' is 3, but it must be 4/,
      );
    });
  });
});

/** Where element i of a result lies along the channels. */
function channelOf(i: number, [, a, b, c]: readonly number[], { dataFormat }: Config): number {
  return dataFormat === 'channelsFirst' ? Math.floor(i / (b * c)) % a : i % c;
}

/**
 * y[b, t, f] = sum over k, c of x[b, t * strides - (K - 1 - k) * dilationRate, c] * kernel[k, c, f], without terms before the
 * first input. Each term gives its share to the gradients.
 */
function causalLoop(
  x: tf.Tensor,
  kernel: tf.Tensor,
  dy: tf.Tensor,
  { strides, dilationRate }: { strides: number; dilationRate: number },
) {
  const [batch, width, channels] = x.shape;
  const [taps, , filters] = kernel.shape;
  const outWidth = dy.shape[1] as number;
  const buffers = [x, kernel, dy].map((t) => valuesOf(t));
  const [y, dx, dKernel] = [dy, x, kernel].map(({ size }) => new Float64Array(size));
  for (let b = 0; b < batch; b++)
    for (let t = 0; t < outWidth; t++)
      for (let f = 0; f < filters; f++)
        for (let k = 0; k < taps; k++)
          for (let c = 0; c < channels; c++) {
            const from = t * strides - (taps - 1 - k) * dilationRate;
            if (from < 0) continue;
            const [xi, wi, yi] = [
              (b * width + from) * channels + c,
              (k * channels + c) * filters + f,
              (b * outWidth + t) * filters + f,
            ];
            y[yi] += buffers[0][xi] * buffers[1][wi];
            dx[xi] += buffers[2][yi] * buffers[1][wi];
            dKernel[wi] += buffers[2][yi] * buffers[0][xi];
          }
  const tensorOf = (values: Float64Array, { shape }: tf.Tensor) =>
    tf.tensor(Float32Array.from(values), shape);
  return { y: tensorOf(y, dy), dx: tensorOf(dx, x), dKernel: tensorOf(dKernel, kernel) };
}

/** What model.save() hands on, as if it had been written to JSON and read again. */
async function artifactsOf(model: tfl.LayersModel): Promise<tf.io.ModelArtifacts> {
  let saved: tf.io.ModelArtifacts | undefined;
  await model.save(
    tf.io.withSaveHandler(async (artifacts) => {
      saved = artifacts;
      return { modelArtifactsInfo: { dateSaved: new Date(0), modelTopologyType: 'JSON' } };
    }),
  );
  const { modelTopology, weightSpecs, weightData } = saved as tf.io.ModelArtifacts;
  return { modelTopology: JSON.parse(JSON.stringify(modelTopology)), weightSpecs, weightData };
}

/** A layer as Keras 2 writes it. */
function kerasLayer(className: string, config: object): object {
  return {
    class_name: className,
    config: {
      name: className.toLowerCase(),
      trainable: true,
      dtype: 'float32',
      padding: 'valid',
      data_format: 'channels_last',
      dilation_rate: className.endsWith('1D') ? [1] : [1, 1],
      activation: 'linear',
      use_bias: true,
      kernel_initializer: { class_name: 'GlorotUniform', config: { seed: null } },
      bias_initializer: { class_name: 'Zeros', config: {} },
      kernel_regularizer: null,
      bias_regularizer: null,
      activity_regularizer: null,
      kernel_constraint: null,
      bias_constraint: null,
      ...config,
    },
  };
}

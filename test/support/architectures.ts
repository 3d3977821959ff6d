/** Small models of tf.layers with random weights, one of each kind that people run: for whole-model checks. */
import '@tensorflow/tfjs-core/dist/public/chained_ops/register_all_chained_ops.js';
import * as tfl from '@tensorflow/tfjs-layers';
import { tf } from './tfjs.js';

type Symbolic = tfl.SymbolicTensor;

const conv = (x: Symbolic, filters: number, kernelSize = 3, strides = 1): Symbolic => {
  const z = tfl.layers.conv2d({ filters, kernelSize, strides, padding: 'same', useBias: false }).apply(x);
  const normalized = tfl.layers.batchNormalization().apply(z);
  return tfl.layers.reLU().apply(normalized) as Symbolic;
};

const concat = (...parts: Symbolic[]) => tfl.layers.concatenate().apply(parts) as Symbolic;

/** Batch of inputs, without the batch size. */
type Shape = number[];

/** Name -> shape of the input, and what the model makes of it. */
const MODELS: Record<string, [Shape, (x: Symbolic) => Symbolic]> = {
  'LeNet, with tanh': [
    [16, 16, 1],
    (x) => {
      let y = tfl.layers.conv2d({ filters: 6, kernelSize: 5, activation: 'tanh' }).apply(x);
      y = tfl.layers.averagePooling2d({ poolSize: 2 }).apply(y);
      y = tfl.layers.conv2d({ filters: 16, kernelSize: 3, activation: 'tanh' }).apply(y);
      y = tfl.layers.flatten().apply(y);
      y = tfl.layers.dense({ units: 20, activation: 'relu' }).apply(y);
      return tfl.layers.dense({ units: 10, activation: 'softmax' }).apply(y) as Symbolic;
    },
  ],
  'VGG, with max pooling': [
    [16, 16, 3],
    (x) => {
      let y = x as unknown;
      for (const filters of [8, 16]) {
        for (let i = 0; i < 2; i++) {
          const layer = tfl.layers.conv2d({ filters, kernelSize: 3, padding: 'same', activation: 'relu' });
          y = layer.apply(y as Symbolic);
        }
        y = tfl.layers.maxPooling2d({ poolSize: 2 }).apply(y as Symbolic);
      }
      y = tfl.layers.globalMaxPooling2d({}).apply(y as Symbolic);
      return tfl.layers.dense({ units: 4 }).apply(y as Symbolic) as Symbolic;
    },
  ],
  'ResNet, with batch normalization': [
    [12, 12, 3],
    (x) => {
      let y = conv(x, 16);
      const shortcut = conv(y, 32, 1, 2);
      y = tfl.layers.add().apply([shortcut, conv(conv(y, 32, 3, 2), 32)]) as Symbolic;
      y = tfl.layers.globalAveragePooling2d({}).apply(y) as Symbolic;
      return tfl.layers.dense({ units: 5, activation: 'sigmoid' }).apply(y) as Symbolic;
    },
  ],
  'Inception, with 1x7 and 7x1 filters': [
    [14, 14, 4],
    (x) => {
      const line = (size: [number, number], z: Symbolic) =>
        tfl.layers
          .conv2d({ filters: 16, kernelSize: size, padding: 'same', activation: 'elu' })
          .apply(z) as Symbolic;
      const pooled = tfl.layers.averagePooling2d({ poolSize: 3, strides: 1, padding: 'valid' }).apply(x);
      const padded = tfl.layers.zeroPadding2d({ padding: 1 }).apply(pooled) as Symbolic;
      return concat(line([1, 7], line([7, 1], x)), conv(padded, 8, 1), conv(x, 8, 5));
    },
  ],
  'U-Net, with transposed convolution': [
    [16, 16, 2],
    (x) => {
      const wide = conv(x, 8);
      const deep = conv(tfl.layers.maxPooling2d({ poolSize: 2 }).apply(wide) as Symbolic, 16);
      const up = tfl.layers
        .conv2dTranspose({ filters: 8, kernelSize: 3, strides: 2, padding: 'same' })
        .apply(deep);
      return tfl.layers
        .conv2d({ filters: 1, kernelSize: 1, activation: 'sigmoid' })
        .apply(concat(wide, up as Symbolic)) as Symbolic;
    },
  ],
  'Xception, with separable convolution': [
    [12, 12, 3],
    (x) => {
      let y = tfl.layers
        .separableConv2d({ filters: 8, kernelSize: 3, padding: 'same', activation: 'selu' })
        .apply(x);
      y = tfl.layers
        .depthwiseConv2d({ kernelSize: 3, strides: 2, padding: 'same', activation: 'relu6' })
        .apply(y);
      y = tfl.layers.leakyReLU().apply(y);
      return tfl.layers.conv2d({ filters: 6, kernelSize: 1, activation: 'softplus' }).apply(y) as Symbolic;
    },
  ],
  'WaveNet, with conv1d': [
    [32, 3],
    (x) => {
      const gate = (activation: 'tanh' | 'sigmoid') =>
        tfl.layers.conv1d({ filters: 8, kernelSize: 2, padding: 'same', activation }).apply(x) as Symbolic;
      const y = tfl.layers.multiply().apply([gate('tanh'), gate('sigmoid')]);
      return tfl.layers.conv1d({ filters: 3, kernelSize: 1 }).apply(y) as Symbolic;
    },
  ],
  'LSTM and GRU': [
    [6, 5],
    (x) => {
      const y = tfl.layers.lstm({ units: 8, returnSequences: true }).apply(x);
      return tfl.layers.gru({ units: 4 }).apply(y) as Symbolic;
    },
  ],
  'attention, with layer normalization': [
    [6, 8],
    (x) => {
      const dense = () => tfl.layers.dense({ units: 8 }).apply(x) as Symbolic;
      const scores = tfl.layers.dot({ axes: 2 }).apply([dense(), dense()]);
      const weights = tfl.layers.activation({ activation: 'softmax' }).apply(scores) as Symbolic;
      const mixed = tfl.layers.dot({ axes: [2, 1] }).apply([weights, dense()]) as Symbolic;
      return tfl.layers.layerNormalization().apply(tfl.layers.add().apply([x, mixed])) as Symbolic;
    },
  ],
  'dense layers of every activation': [
    [12],
    (x) => {
      let y = x as unknown;
      for (const activation of [
        'elu',
        'hardSigmoid',
        'linear',
        'relu',
        'selu',
        'softsign',
        'swish',
        'tanh',
      ] as const) {
        y = tfl.layers.dense({ units: 9, activation }).apply(y as Symbolic);
      }
      return y as Symbolic;
    },
  ],
};

export const ARCHITECTURES: readonly string[] = Object.keys(MODELS);

/** The model, with weights from a seed, and a batch of two inputs. */
export function architecture(name: string): { model: tfl.LayersModel; x: tf.Tensor } {
  const [shape, build] = MODELS[name];
  const inputs = tfl.input({ shape });
  const model = tfl.model({ inputs, outputs: build(inputs) });
  const weights = model.getWeights().map((weight, i) => {
    const size = Math.sqrt(3 / Math.max(1, weight.size / weight.shape[weight.shape.length - 1]));
    const isVariance = /variance/.test(model.weights[i].name);
    return isVariance
      ? tf.randomUniform(weight.shape, 0.5, 2, 'float32', i + 1)
      : tf.randomUniform(weight.shape, -size, size, 'float32', i + 1);
  });
  model.setWeights(weights);
  tf.dispose(weights);
  return { model, x: tf.randomUniform([2, ...shape], -1, 1, 'float32', 7) };
}

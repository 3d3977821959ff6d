/**
 * tfjs-convgrad/layers: layers for models of tf.layers, for what tf.layers cannot say. They stand beside tf.layers' own in a model,
 * and are saved and loaded with it. A program that loads such a model imports this entry first, because it registers the classes.
 *
 * In saved models the names of the classes begin with Convgrad. tf.layers finds a class by its name alone, so with its own names they
 * would replace its own classes in every model that is loaded.
 */
import { serialization } from '@tensorflow/tfjs-core';
import { Conv1D, Conv2D } from './convolution.js';
import { AveragePooling2D, MaxPooling2D } from './pooling.js';

export { conv1d, type Conv1DArgs, conv2d, type Conv2DArgs } from './convolution.js';
export {
  averagePooling2d,
  type AveragePooling2DArgs,
  maxPooling2d,
  type MaxPooling2DArgs,
} from './pooling.js';
export type { Padding1D, Padding2D } from './window.js';
export { AveragePooling2D, Conv1D, Conv2D, MaxPooling2D };

for (const layer of [Conv1D, Conv2D, MaxPooling2D, AveragePooling2D]) serialization.registerClass(layer);

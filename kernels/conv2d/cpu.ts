/**
 * tfjs 'cpu' and 'wasm' kernels of convolution: TensorInfo -> arrays -> numeric function -> TensorInfo.
 * inputs and attrs are those of tfjs. The attribute `groups` is added. In the gradients `dilations` is added too.
 * Depthwise convolution has the same kernels with a geometry of its own.
 */
import type { TensorInfo } from '@tensorflow/tfjs-core';
import { isSimd } from '../runtime/options.js';
import {
  type ConvGeometry,
  convGeometry,
  type ConvOptions,
  type DataFormat,
  withDyShape,
} from '../geometry.js';
import { heapOf, type Kernel, makeResult, readFloats } from '../runtime/tensors.js';
import {
  type ActivationName,
  addBiasAndActivate,
  type Broadcast,
  broadcast,
  constant,
} from './activation.js';
import { type ConvAttrs, readFusedAttrs } from './attrs.js';
import type { Bounds, Epilogue } from '../runtime/simd/epilogue.js';
import * as paths from './paths.js';

export type GeometryOf = (
  inShape: readonly number[],
  filterShape: readonly number[],
  options?: ConvOptions,
) => ConvGeometry;

/** The kernels of the convolution whose geometry this is. */
export const convKernels = (geometryOf: GeometryOf) =>
  ({
    /** y = activation(conv2d(x, filter) + bias): [batch, outHeight, outWidth, outChannels]. bias and preluActivationWeights broadcast to y. */
    forward: ({ inputs, attrs, backend }) => {
      const { x, filter, bias, preluActivationWeights } = inputs;
      const { activation, leakyreluAlpha, options } = readFusedAttrs(attrs, preluActivationWeights);
      const g = geometryOf(x.shape, filter.shape, options);
      const spread = (name: string, tensor: TensorInfo): Broadcast =>
        broadcast(name, readFloats(backend, name, tensor), tensor.shape, g.outShape, g.dataFormat);
      const add = () => (bias ? spread('bias', bias) : undefined);
      return makeResult(backend, g.outShape, (y) => {
        const [xValues, filterValues] = [readFloats(backend, 'x', x), readFloats(backend, 'filter', filter)];
        const path = paths.pathOf(g, xValues, filterValues);
        const epilogue = isSimd(path) ? epilogueOf(add(), activation, g.dataFormat) : undefined;
        paths.conv2d(path, xValues, filterValues, g, y(), heapOf(backend), epilogue);
        if (epilogue || (!bias && activation === 'linear')) return;
        const alpha =
          activation === 'prelu'
            ? spread('preluActivationWeights', preluActivationWeights)
            : constant(leakyreluAlpha);
        addBiasAndActivate(y(), g.outShape, add() ?? constant(0), activation, alpha);
      });
    },

    /** dx: attrs.inputShape */
    backpropInput: ({ inputs, attrs, backend }) => {
      const { dy, filter } = inputs;
      const options = attrs as unknown as ConvAttrs;
      const { inputShape } = options;
      const g = withDyShape(geometryOf(inputShape, filter.shape, options), dy.shape);
      return makeResult(backend, inputShape, (dx) => {
        const [dyValues, filterValues] = [
          readFloats(backend, 'dy', dy),
          readFloats(backend, 'filter', filter),
        ];
        const path = paths.pathOfBackpropInput(g, dyValues, filterValues);
        paths.conv2dBackpropInput(path, dyValues, filterValues, g, dx(), heapOf(backend));
      });
    },

    /** dFilter: attrs.filterShape */
    backpropFilter: ({ inputs, attrs, backend }) => {
      const { x, dy } = inputs;
      const options = attrs as unknown as ConvAttrs;
      const { filterShape } = options;
      const g = withDyShape(geometryOf(x.shape, filterShape, options), dy.shape);
      return makeResult(backend, filterShape, (dFilter) => {
        const [xValues, dyValues] = [readFloats(backend, 'x', x), readFloats(backend, 'dy', dy)];
        const path = paths.pathOf(g, xValues, dyValues);
        paths.conv2dBackpropFilter(path, xValues, dyValues, g, dFilter(), heapOf(backend));
      });
    },
  }) satisfies Record<string, Kernel>;

/** The kernels Conv2D and FusedConv2D. Conv2D has no bias, and no activation among its attributes. */
export const {
  forward: conv2d,
  backpropInput: conv2dBackpropInput,
  backpropFilter: conv2dBackpropFilter,
} = convKernels(convGeometry);

/** Bias and activation for the store of the SIMD paths, or undefined where the store cannot do them. */
export function epilogueOf(
  bias: Broadcast | undefined,
  activation: ActivationName,
  dataFormat: DataFormat = 'NHWC',
): Epilogue<Float32Array> | undefined {
  const range = RANGES[activation];
  if (!range) return undefined;
  if (!bias) return range;
  const channel = dataFormat === 'NCHW' ? 1 : 3;
  const perChannel = bias.steps.every((step, i) => step === (i === channel ? 1 : 0));
  return perChannel && bias.values instanceof Float32Array ? { ...range, bias: bias.values } : undefined;
}

/** The activations that only bound their values. */
const RANGES: { readonly [name in ActivationName]?: Bounds } = {
  linear: { lowest: -Infinity, highest: Infinity },
  relu: { lowest: 0, highest: Infinity },
  relu6: { lowest: 0, highest: 6 },
};

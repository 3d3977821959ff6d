/**
 * tfjs 'cpu' and 'wasm' kernels of convolution: TensorInfo -> arrays -> numeric function -> TensorInfo.
 * inputs and attrs are those of tfjs. The attribute `groups` is added. In the gradients `dilations` is added too.
 * Depthwise convolution has the same kernels with a geometry of its own.
 */
import { isSimd } from '../runtime/options.js';
import { type ConvGeometry, convGeometry, type ConvOptions, withDyShape } from '../geometry.js';
import { heapOf, type Kernel, makeResult, readFloats } from '../runtime/tensors.js';
import type { ConvAttrs } from './attrs.js';
import { fusedOf } from './fused.js';
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
      const { x, filter } = inputs;
      const fused = fusedOf({ inputs, attrs, backend });
      const g = geometryOf(x.shape, filter.shape, attrs as ConvOptions);
      return makeResult(backend, g.outShape, (y) => {
        const [xValues, filterValues] = [readFloats(backend, 'x', x), readFloats(backend, 'filter', filter)];
        const path = paths.pathOf(g, xValues, filterValues);
        fused.write(y, g.outShape, g.dataFormat, isSimd(path), (epilogue) =>
          paths.conv2d(path, xValues, filterValues, g, y(), heapOf(backend), epilogue),
        );
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

/**
 * The gradients of batch normalization. Its two kernels differentiate into each other, so there are gradients of any order. m, S1
 * and S2 are those of definition.ts.
 *
 *   FusedBatchNorm(x, mean, variance, offset, scale)    dx = dy * m = FusedBatchNorm(dy, 0, variance, 0, scale)
 *                                                       the other gradients are made of S1 and S2 = BatchNormSums(dy, x, mean)
 *   BatchNormSums(dy, x, mean)                          ddy = dS1 + dS2 * (x - mean) = FusedBatchNorm(x, mean, 1, dS1, dS2)
 *                                                       dx = dy * dS2, dMean = -S1 * dS2
 */
import {
  add,
  broadcastTo,
  mul,
  neg,
  ones,
  reshape,
  rsqrt,
  square,
  type Tensor,
  unstack,
  zeros,
} from '@tensorflow/tfjs-core';
import { type GradConfigs, run, sumTo } from '../runtime/gradients.js';
import { channelsOf, EPSILON } from './parameters.js';

export const batchNormGradients: GradConfigs = (prefix) => {
  const normalize = `${prefix}FusedBatchNorm`;
  const addUp = `${prefix}BatchNormSums`;
  return [
    {
      kernelName: normalize,
      inputsToSave: thoseThere('x', 'mean', 'variance', 'scale'),
      gradFunc: (dy, [x, mean, variance, scale], { varianceEpsilon = EPSILON }) => {
        const shapes = { mean: mean.shape, variance: variance.shape, ...(scale && { scale: scale.shape }) };
        const channels = channelsOf(x.shape, shapes);
        const rows = (t: Tensor) => reshape(t, [t.size / (channels || 1), channels]);
        const dyRows = rows(dy as Tensor);
        const [means, variances] = [mean, variance].map((t) => spread(t, x, channels));
        const scales = scale && spread(scale, x, channels);
        const root = rsqrt(add(variances, varianceEpsilon as number));
        const m = scales ? mul(scales, root) : root;
        // Not in the functions below, which share it: what one of them makes is disposed as soon as it is done.
        const [s1, s2] = unstack(run(addUp, { dy: dyRows, x: rows(x), mean: means }, {}));
        return {
          x: () => {
            const inputs = {
              x: dyRows,
              mean: zeros([channels]),
              variance: variances,
              ...(scales && { scale: scales }),
            };
            return reshape(run(normalize, inputs, { varianceEpsilon }), x.shape);
          },
          mean: () => fold(neg(mul(s1, m)), x, mean),
          variance: () => fold(mul(mul(mul(s2, m), square(root)), -0.5), x, variance),
          // tf.batchNorm demands that offset and mean have the same rank. Here they must have the same shape.
          offset: () => fold(s1, x, mean),
          scale: () => fold(mul(s2, root), x, scale),
        };
      },
    },
    {
      kernelName: addUp,
      inputsToSave: ['dy', 'x', 'mean'],
      gradFunc: (dSums, [dy, x, mean]) => {
        const [d1, d2] = unstack(dSums as Tensor);
        return {
          dy: () => {
            const inputs = { x, mean, variance: ones(mean.shape), offset: d1, scale: d2 };
            return run(normalize, inputs, { varianceEpsilon: 0 });
          },
          x: () => mul(dy, d2),
          mean: () => {
            const [s1] = unstack(run(addUp, { dy, x, mean }, {}));
            return neg(mul(s1, d2));
          },
        };
      },
    },
  ];
};

/** A parameter, brought to [channels]. */
function spread(parameter: Tensor, x: Tensor, channels: number): Tensor {
  const all = parameter.size === channels ? parameter : broadcastTo(parameter, x.shape as [number]);
  return reshape(all, [channels]);
}

/** The gradient by a parameter, from the gradient by what `spread` has brought it to. */
function fold(gradient: Tensor, x: Tensor, parameter: Tensor): Tensor {
  const isDone = gradient.size === parameter.size;
  return isDone ? reshape(gradient, parameter.shape) : sumTo(reshape(gradient, x.shape), parameter.shape);
}

/**
 * Names of inputs to save, for the engine. It maps them to tensors and clones these. It cannot clone an input that is absent, so
 * such inputs are left out.
 */
function thoseThere(...names: string[]): string[] {
  const map: typeof names.map = (f) => names.map(f).filter((input) => input !== undefined);
  return Object.assign([...names], { map });
}

/**
 * Batch normalization and its gradients.
 *
 *   y[p, c] = (x[p, c] - mean[c]) * m[c] + offset[c],   m[c] = scale[c] / sqrt(variance[c] + epsilon)
 *
 *   dx[p, c]     = dy[p, c] * m[c]
 *   dOffset[c]   = S1[c]                                             S1[c] = sum over p of dy[p, c]
 *   dScale[c]    = S2[c] / sqrt(variance[c] + epsilon)               S2[c] = sum over p of dy[p, c] * (x[p, c] - mean[c])
 *   dMean[c]     = -S1[c] * m[c]
 *   dVariance[c] = -S2[c] * m[c] / (variance[c] + epsilon) / 2
 *
 * x, y: [pixels, channels]; the parameters: [channels]. What a parameter of another shape is: parameters.ts.
 *
 * Source: S. Ioffe and C. Szegedy, "Batch Normalization", 2015, arXiv 1502.03167. There mean and variance depend on x. Here they
 * are inputs like the others.
 */
import type { Floats } from '../arrays.js';

/** What x is normalized by. All arrays have the same length: the number of channels. */
export interface BatchNormParameters {
  readonly mean: Floats;
  readonly variance: Floats;
  readonly offset: Floats;
  readonly scale: Floats;
  readonly epsilon: number;
}

/** The gradients by x, of x's length, and by the parameters. */
export interface BatchNormGradients {
  readonly x: Floats;
  readonly mean: Floats;
  readonly variance: Floats;
  readonly offset: Floats;
  readonly scale: Floats;
}

/** y = batchNorm(x). Every cell of y is written. */
export function batchNorm(x: Floats, p: BatchNormParameters, y: Floats): void {
  const { mean, offset } = p;
  const m = multipliers(p);
  for (let pixel = 0; pixel < x.length; pixel += m.length) {
    for (let c = 0; c < m.length; c++) y[pixel + c] = (x[pixel + c] - mean[c]) * m[c] + offset[c];
  }
}

/** The gradients of <dy, batchNorm(x)>. Every cell of them is written. */
export function batchNormGrad(dy: Floats, x: Floats, p: BatchNormParameters, d: BatchNormGradients): void {
  const m = multipliers(p);
  for (let pixel = 0; pixel < x.length; pixel += m.length) {
    for (let c = 0; c < m.length; c++) d.x[pixel + c] = dy[pixel + c] * m[c];
  }
  const sums = new Float64Array(2 * m.length);
  batchNormSums(dy, x, p.mean, sums);
  for (let c = 0; c < m.length; c++) {
    const [s1, s2] = [sums[c], sums[m.length + c]];
    const variance = p.variance[c] + p.epsilon;
    d.offset[c] = s1;
    d.scale[c] = s2 / Math.sqrt(variance);
    d.mean[c] = -s1 * m[c];
    d.variance[c] = (-s2 * m[c]) / variance / 2;
  }
}

/** sums: [2, channels], S1 and S2. Every cell is written. */
export function batchNormSums(dy: Floats, x: Floats, mean: Floats, sums: Floats): void {
  const channels = mean.length;
  const s1 = new Float64Array(channels);
  const s2 = new Float64Array(channels);
  for (let pixel = 0; pixel < x.length; pixel += channels) {
    for (let c = 0; c < channels; c++) {
      const value = dy[pixel + c];
      s1[c] += value;
      s2[c] += value * (x[pixel + c] - mean[c]);
    }
  }
  sums.set(s1);
  sums.set(s2, channels);
}

/** m */
export function multipliers({ variance, scale, epsilon }: BatchNormParameters): Float64Array {
  const m = new Float64Array(variance.length);
  for (let c = 0; c < m.length; c++) m[c] = scale[c] / Math.sqrt(variance[c] + epsilon);
  return m;
}

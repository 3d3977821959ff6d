/** What the kernels of batch normalization have to prove on each case of cases.ts. */
import { sizeOf } from '../geometry.js';
import { absolute, filling, linearLoss, type Subject, type Values } from '../proof.js';
import type { BatchNormCase } from './cases.js';
import * as numeric from './definition.js';
import { channelsOf, spread } from './parameters.js';

/** The proofs draw whole numbers between -4 and 4, for the variance too. */
const EPSILON = 5;

export function batchNormSubjects(c: BatchNormCase): Subject[] {
  return [batchNormSubject(c), sumsSubject(c)];
}

function batchNormSubject({
  name,
  x,
  parameter = x.slice(-1),
  scale = parameter,
  without = [],
}: BatchNormCase): Subject {
  const shapes: Record<string, readonly number[]> = {
    mean: parameter,
    variance: parameter,
    offset: parameter,
    scale,
  };
  for (const absent of without) delete shapes[absent];
  const channels = channelsOf(x, shapes);
  const normalized = (v: Values) => {
    const read = (input: string, otherwise = NaN) =>
      input in shapes
        ? spread(v[input], shapes[input], x, channels)
        : new Float64Array(channels).fill(otherwise);
    const [mean, variance, offset, scale] = [
      read('mean'),
      read('variance'),
      read('offset', 0),
      read('scale', 1),
    ];
    return filling(sizeOf(x))((y) =>
      numeric.batchNorm(v.x, { mean, variance, offset, scale, epsilon: EPSILON }, y),
    );
  };
  const misread = 'row 32: a parameter is read as if it repeated as a whole';
  return {
    kernelName: 'FusedBatchNorm',
    caseName: name,
    inputs: { x, ...shapes },
    attrs: { varianceEpsilon: EPSILON },
    output: 0,
    outShape: x,
    exact: false,
    definition: normalized,
    // Roundings: of the difference, of the multiplier, of their product and of the sum.
    terms: 3,
    magnitude: (v) =>
      normalized({ ...absolute(v), mean: v.mean.map((value) => -Math.abs(value)), variance: v.variance }),
    ...(parameter[1] > 1 && parameter.at(-1) === 1 && { tfjsDiffersOn: { cpu: misread, wasm: misread } }),
  };
}

function sumsSubject({ name, x }: BatchNormCase): Subject {
  const channels = x.slice(-1);
  const vector = () => new Float64Array(channels[0]);
  const sums = (v: Values) =>
    filling(2 * channels[0])((out) => numeric.batchNormSums(v.dy, v.x, v.mean, out));
  return {
    kernelName: 'BatchNormSums',
    caseName: name,
    inputs: { dy: x, x, mean: channels },
    attrs: {},
    output: 0,
    outShape: [2, ...channels],
    exact: true,
    definition: sums,
    // The difference is rounded, too.
    terms: sizeOf(x.slice(0, -1)) + 1,
    magnitude: (v) => sums({ ...absolute(v), mean: v.mean.map((value) => -Math.abs(value)) }),
    // S1 and S2 are the gradients by offset and scale where the variance is 1.
    loss: linearLoss(2 * channels[0], (at, v) => {
      const [offset, scale] = [at.subarray(0, channels[0]), at.subarray(channels[0])];
      const p = { mean: v.mean, variance: vector().fill(1), offset, scale, epsilon: 0 };
      return filling(sizeOf(x))((y) => numeric.batchNorm(v.x, p, y));
    }),
    tfjsDiffers: 'tfjs has no such kernel',
  };
}

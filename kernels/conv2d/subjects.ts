/** What the convolution kernels have to prove on each case of cases.ts. */
import { type ConvGeometry, convGeometry, type ConvOptions, type DataFormat, sizeOf } from '../geometry.js';
import {
  absolute,
  attrsOf,
  filled,
  linearLoss,
  linearMagnitude,
  type Subject,
  type Values,
} from '../proof.js';
import { type ActivationName, addBiasAndActivate, broadcast, constant } from './activation.js';
import type { ConvCase } from './cases.js';
import * as conv from './definition.js';

/** Why tfjs's kernels give another result on a case: one reason for all backends, or one for each backend that differs. */
export interface Differences {
  forward?: Reasons;
  backpropInput?: Reasons;
  backpropFilter?: Reasons;
}
type Reasons = Pick<Subject, 'tfjsDiffers' | 'tfjsDiffersOn'>;

/** A convolution: the names of its kernels, its geometry, its definition, and where tfjs's own kernels differ. */
interface Convolution {
  forward: 'Conv2D' | 'DepthwiseConv2dNative';
  fused: 'FusedConv2D' | 'FusedDepthwiseConv2D';
  geometryOf(x: readonly number[], filter: readonly number[], options: ConvOptions): ConvGeometry;
  definition: Pick<typeof conv, 'conv2d' | 'conv2dBackpropInput' | 'conv2dBackpropFilter'>;
  differences(c: ConvCase, g: ConvGeometry): Differences;
}

export const convSubjects = subjectsOf({
  forward: 'Conv2D',
  fused: 'FusedConv2D',
  geometryOf: convGeometry,
  definition: conv,
  differences: convDifferences,
});

export function subjectsOf(convolution: Convolution): (c: ConvCase) => Subject[] {
  return (c) => (c.activation ? [fusedSubject(convolution, c, c.activation)] : plainSubjects(convolution, c));
}

function fusedSubject(
  { fused: kernelName, geometryOf, definition, differences }: Convolution,
  c: ConvCase,
  activation: ActivationName,
): Subject {
  const { name, x, filter, bias, preluActivationWeights, ...attrs } = c;
  const g = geometryOf(x, filter, attrs);
  const { inputs, ...proof } = fusedProof(
    { ...attrs, activation, bias, preluActivationWeights },
    g.outShape,
    (v) => filled(g).y((out) => definition.conv2d(v.x, v.filter, g, out)),
    (g.filterHeight * g.filterWidth * g.inChannels) / g.groups,
  );
  return {
    caseName: name,
    output: 0,
    kernelName,
    inputs: { x, filter, ...inputs },
    attrs: attrsOf(attrs),
    outShape: g.outShape,
    ...proof,
    ...differences(c, g).forward,
  };
}

/** What may follow the sum of a fused kernel: an activation, and the shapes of the bias and of the weights of prelu. */
interface Following {
  activation: ActivationName;
  bias?: readonly number[];
  preluActivationWeights?: readonly number[];
  leakyreluAlpha?: number;
  dataFormat?: DataFormat;
}

/**
 * What a fused kernel has to prove, and its inputs beside those of the sum.
 * @param outShape y's shape, in four dimensions
 * @param terms of the sum
 */
export function fusedProof(
  { activation, bias, preluActivationWeights, leakyreluAlpha = 0.2, dataFormat }: Following,
  outShape: readonly number[],
  sum: (v: Values) => Float64Array,
  terms: number,
) {
  const inputs = { ...(bias && { bias }), ...(preluActivationWeights && { preluActivationWeights }) };
  const fused = (v: Values, kind: ActivationName) => {
    const result = sum(v);
    const spread = (input: string, shape: readonly number[]) =>
      broadcast(input, v[input], shape, outShape, dataFormat);
    const add = bias ? spread('bias', bias) : constant(0);
    const alpha = preluActivationWeights
      ? spread('preluActivationWeights', preluActivationWeights)
      : constant(leakyreluAlpha);
    addBiasAndActivate(result, outShape, add, kind, alpha);
    return result;
  };
  return {
    inputs,
    exact: !['elu', 'sigmoid', 'tanh'].includes(activation),
    definition: (v: Values) => fused(v, activation),
    // The bias is one more term. The activations round a few more times. They do not magnify errors here.
    terms: terms + 5,
    magnitude: (v: Values) => fused(absolute(v), 'linear').map((m) => m + 1),
  };
}

function plainSubjects(
  { forward: kernelName, geometryOf, definition, differences }: Convolution,
  c: ConvCase,
): Subject[] {
  const { name, x, filter, ...options } = c;
  const g = geometryOf(x, filter, options);
  const make = filled(g, sizeOf(filter));
  const forward = (x: Float64Array, filter: Float64Array) =>
    make.y((out) => definition.conv2d(x, filter, g, out));
  const taps = g.filterHeight * g.filterWidth;
  const y = g.outShape;
  const common = { caseName: name, output: 0, exact: true, magnitude: linearMagnitude };
  const differs = differences(c, g);
  return [
    {
      ...common,
      kernelName,
      inputs: { x, filter },
      attrs: attrsOf(options),
      outShape: y,
      definition: (v) => forward(v.x, v.filter),
      terms: (taps * g.inChannels) / g.groups,
      ...differs.forward,
    },
    {
      ...common,
      kernelName: `${kernelName}BackpropInput`,
      inputs: { dy: y, filter },
      attrs: attrsOf({ ...options, inputShape: [...x] }),
      outShape: x,
      definition: (v) => make.x((out) => definition.conv2dBackpropInput(v.dy, v.filter, g, out)),
      terms: (taps * g.outChannels) / g.groups,
      loss: linearLoss(sizeOf(x), (at, v) => forward(at, v.filter)),
      ...differs.backpropInput,
    },
    {
      ...common,
      kernelName: `${kernelName}BackpropFilter`,
      inputs: { x, dy: y },
      attrs: attrsOf({ ...options, filterShape: [...filter] }),
      outShape: filter,
      definition: (v) => make.filter((out) => definition.conv2dBackpropFilter(v.x, v.dy, g, out)),
      terms: g.batchSize * g.outHeight * g.outWidth,
      loss: linearLoss(sizeOf(filter), (at, v) => forward(v.x, at)),
      ...differs.backpropFilter,
    },
  ];
}

function convDifferences(c: ConvCase, g: ConvGeometry): Differences {
  const tfjsDiffers = convDiffers(c, g);
  const wasm = tfjsDiffers ?? convDiffersOnWasm(c, g);
  const onWasm = wasm && { wasm };
  const dilated = g.dilationHeight * g.dilationWidth > 1;
  const gradient = tfjsDiffers ?? (dilated ? 'row 4: dilations are ignored' : undefined);
  const empty = 'row 21: empty inputs throw';
  const noChannels = { webgl: empty, wasm: 'row 21: an empty sum is not 0' };
  return {
    forward: { tfjsDiffers, tfjsDiffersOn: g.inChannels === 0 ? noChannels : { ...onWasm } },
    backpropInput: {
      tfjsDiffers: gradient,
      tfjsDiffersOn: g.outChannels === 0 ? { webgl: empty } : { ...onWasm },
    },
    backpropFilter: { tfjsDiffers: gradient, tfjsDiffersOn: { wasm: 'row 5: there is no such kernel' } },
  };
}

function convDiffers(c: ConvCase, g: ConvGeometry): string | undefined {
  if (g.groups > 1) return 'row 11: no groups';
  if (c.activation === 'tanh') return 'row 11: no fused tanh';
  const unequal = g.effectiveFilterHeight !== g.effectiveFilterWidth || g.strideHeight !== g.strideWidth;
  if (typeof c.pad === 'number' && unequal) return 'row 3: a numeric pad ignores the width';
  return undefined;
}

/** tfjs's kernels on wasm call XNNPACK, which has one bias for each channel and pads as it sees fit. */
export function convDiffersOnWasm(c: ConvCase, g: ConvGeometry): string | undefined {
  if (g.dataFormat === 'NCHW') return 'row 25: no NCHW';
  if (c.bias && c.bias.length !== 1) return 'row 25: the bias must be of shape [outChannels]';
  if (c.dimRoundingMode === 'ceil') return "row 25: 'ceil' leaves cells undefined";
  const skips = g.strideHeight > g.effectiveFilterHeight || g.strideWidth > g.effectiveFilterWidth;
  return c.pad === 'same' && skips ? "row 25: 'same' with a stride above the window pads wrongly" : undefined;
}

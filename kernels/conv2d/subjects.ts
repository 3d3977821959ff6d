/** What the convolution kernels have to prove on each case of cases.ts. */
import { type ConvGeometry, convGeometry, sizeOf } from '../geometry.js';
import {
  absolute,
  attrsOf,
  filled,
  linearLoss,
  linearMagnitude,
  type Subject,
  type Values,
} from '../proof.js';
import { addBiasAndActivate, broadcast, constant } from './activation.js';
import type { ConvCase } from './cases.js';
import * as conv from './definition.js';

type Differences = Pick<Subject, 'tfjsDiffers' | 'tfjsDiffersOn'>;

/** A kind of convolution: its kernels, its mathematics, and where tfjs's kernels differ. */
export interface ConvKind {
  forward: 'Conv2D' | 'DepthwiseConv2dNative';
  fused: 'FusedConv2D' | 'FusedDepthwiseConv2D';
  geometryOf: typeof convGeometry;
  definition: Pick<typeof conv, 'conv2d' | 'conv2dBackpropInput' | 'conv2dBackpropFilter'>;
  differences(c: ConvCase, g: ConvGeometry): Record<'forward' | 'fused' | 'dx' | 'dFilter', Differences>;
}

export function convSubjects(c: ConvCase): Subject[] {
  return subjectsOfKind(c, {
    forward: 'Conv2D',
    fused: 'FusedConv2D',
    geometryOf: convGeometry,
    definition: conv,
    differences,
  });
}

export function subjectsOfKind(c: ConvCase, kind: ConvKind): Subject[] {
  const { name, x, filter, bias, activation, preluActivationWeights, leakyreluAlpha, ...options } = c;
  const g = kind.geometryOf(x, filter, options);
  const make = filled(g, sizeOf(filter));
  const forward = (x: Float64Array, filter: Float64Array) =>
    make.y((out) => kind.definition.conv2d(x, filter, g, out));
  const taps = g.filterHeight * g.filterWidth;
  const y = g.outShape;
  const common = { caseName: name, output: 0, exact: true };
  const differ = kind.differences(c, g);

  if (activation) {
    const fused = (v: Values, kind: typeof activation) => {
      const result = forward(v.x, v.filter);
      const spread = (input: string, shape: readonly number[]) =>
        broadcast(input, v[input], shape, y, g.dataFormat);
      const alpha = preluActivationWeights && spread('preluActivationWeights', preluActivationWeights);
      addBiasAndActivate(
        result,
        y,
        bias ? spread('bias', bias) : constant(0),
        kind,
        alpha ?? constant(leakyreluAlpha ?? 0.2),
      );
      return result;
    };
    const inputs = {
      x,
      filter,
      ...(bias && { bias }),
      ...(preluActivationWeights && { preluActivationWeights }),
    };
    return [
      {
        ...common,
        ...differ.fused,
        kernelName: kind.fused,
        inputs,
        attrs: attrsOf({ ...options, activation, leakyreluAlpha }),
        outShape: y,
        exact: !['elu', 'sigmoid', 'tanh'].includes(activation),
        definition: (v) => fused(v, activation),
        // The bias is one more term. The activations round a few more times. They do not magnify errors here.
        terms: (taps * g.inChannels) / g.groups + 5,
        magnitude: (v) => fused(absolute(v), 'linear').map((m) => m + 1),
      },
    ];
  }
  return [
    {
      ...common,
      ...differ.forward,
      kernelName: kind.forward,
      inputs: { x, filter },
      attrs: attrsOf(options),
      outShape: y,
      definition: (v) => forward(v.x, v.filter),
      terms: (taps * g.inChannels) / g.groups,
      magnitude: linearMagnitude,
    },
    {
      ...common,
      ...differ.dx,
      kernelName: `${kind.forward}BackpropInput`,
      inputs: { dy: y, filter },
      attrs: attrsOf({ ...options, inputShape: [...x] }),
      outShape: x,
      definition: (v) => make.x((out) => kind.definition.conv2dBackpropInput(v.dy, v.filter, g, out)),
      terms: (taps * g.outChannels) / g.groups,
      magnitude: linearMagnitude,
      loss: linearLoss(sizeOf(x), (at, v) => forward(at, v.filter)),
    },
    {
      ...common,
      ...differ.dFilter,
      kernelName: `${kind.forward}BackpropFilter`,
      inputs: { x, dy: y },
      attrs: attrsOf({ ...options, filterShape: [...filter] }),
      outShape: filter,
      definition: (v) => make.filter((out) => kind.definition.conv2dBackpropFilter(v.x, v.dy, g, out)),
      terms: g.batchSize * g.outHeight * g.outWidth,
      magnitude: linearMagnitude,
      loss: linearLoss(sizeOf(filter), (at, v) => forward(v.x, at)),
    },
  ];
}

function differences(c: ConvCase, g: ConvGeometry): ReturnType<ConvKind['differences']> {
  const tfjsDiffers = convDiffers(c, g);
  const onWasm = tfjsDiffers ?? convDiffersOnWasm(c, g);
  const common = { tfjsDiffers, ...(onWasm && { tfjsDiffersOn: { wasm: onWasm } }) };
  const dilated = g.dilationHeight * g.dilationWidth > 1;
  const gradientDiffers = tfjsDiffers ?? (dilated ? 'row 4: dilations are ignored' : undefined);
  const empty = 'row 21: empty inputs throw';
  return {
    fused: common,
    forward: {
      ...common,
      ...(g.inChannels === 0 && { tfjsDiffersOn: { webgl: empty, wasm: 'row 21: an empty sum is not 0' } }),
    },
    dx: {
      ...common,
      ...(g.outChannels === 0 && { tfjsDiffersOn: { webgl: empty } }),
      tfjsDiffers: gradientDiffers,
    },
    dFilter: { tfjsDiffersOn: { wasm: 'row 5: there is no such kernel' }, tfjsDiffers: gradientDiffers },
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
function convDiffersOnWasm(c: ConvCase, g: ConvGeometry): string | undefined {
  if (g.dataFormat === 'NCHW') return 'row 25: no NCHW';
  if (c.bias && c.bias.length !== 1) return 'row 25: the bias must be of shape [outChannels]';
  if (c.dimRoundingMode === 'ceil') return "row 25: 'ceil' leaves cells undefined";
  const skips = g.strideHeight > g.effectiveFilterHeight || g.strideWidth > g.effectiveFilterWidth;
  return c.pad === 'same' && skips ? "row 25: 'same' with a stride above the window pads wrongly" : undefined;
}

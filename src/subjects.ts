/**
 * What is to be proven: every kernel of the registry on every case of its op, with its float64 definition.
 * Tests, command line and report all walk over `subjects()`.
 */
import type { NamedAttrMap } from '@tensorflow/tfjs-core';
import type { PoolCase } from '../kernels/max_pool/cases.js';
import { avgPoolCases } from '../kernels/avg_pool/cases.js';
import * as avg from '../kernels/avg_pool/definition.js';
import { addBiasAndActivate, broadcast, constant } from '../kernels/conv2d/activation.js';
import { type ConvCase, convCases } from '../kernels/conv2d/cases.js';
import * as conv from '../kernels/conv2d/definition.js';
import {
  type ConvGeometry,
  convGeometry,
  type PoolGeometry,
  poolGeometry,
  sizeOf,
} from '../kernels/geometry.js';
import { maxPoolCases } from '../kernels/max_pool/cases.js';
import * as max from '../kernels/max_pool/definition.js';
import type { BackendName, KernelName } from '../kernels/registry.js';
import { inner } from './verify/adjoint.js';
import {
  compareKernels,
  definition,
  kernel,
  type KernelCase,
  type KernelComparison,
  type Values,
} from './verify/compare-kernels.js';

export interface Subject extends KernelCase {
  kernelName: KernelName;
  /** The kernel in float64. */
  definition(inputs: Values): Float64Array;
  /** Why tfjs's own kernel gives something else, or is not to be asked. */
  tfjsDiffers?: string;
  /** The same for one backend, where it is unlike the others; null: it agrees there. */
  tfjsDiffersOn?: { [backendName in BackendName]?: string | null };
}

/**
 * Proves one kernel on one case by the proofs that apply to it, on the active backend.
 * @param prefix of the name it is registered under: '' is whatever serves tfjs's own ops, the built-in or the
 *   installed plugin; OWN is ours beside it
 */
export function prove(subject: Subject, prefix: string, seed: number): Promise<KernelComparison> {
  return compareKernels(subject, kernel(prefix + subject.kernelName), definition(subject.definition), {
    seed,
  });
}

/** The kernel's result on the active backend. */
export async function runSubject(
  subject: Subject,
  prefix: string,
  values: Values,
): Promise<ArrayLike<number>> {
  return kernel(prefix + subject.kernelName).run(values, subject);
}

/** Why tfjs's own kernel gives something else on this backend; undefined where it must agree. */
export function whyTfjsDiffers(subject: Subject, backendName: string): string | undefined {
  const special = subject.tfjsDiffersOn?.[backendName as BackendName];
  return special === undefined ? subject.tfjsDiffers : (special ?? undefined);
}

export function subjects(): Subject[] {
  return [
    ...convCases.flatMap(convSubjects),
    ...maxPoolCases.flatMap(maxPoolSubjects),
    ...avgPoolCases.flatMap(avgPoolSubjects),
  ];
}

export function convSubjects(c: ConvCase): Subject[] {
  const { name, x, filter, bias, activation, preluActivationWeights, leakyreluAlpha, ...options } = c;
  const g = convGeometry(x, filter, options);
  const make = filled(g, sizeOf(filter));
  const taps = g.filterHeight * g.filterWidth;
  const y = g.outShape;
  const common = { caseName: name, output: 0, exact: true, tfjsDiffers: convDiffers(c, g) };
  const dilated = g.dilationHeight * g.dilationWidth > 1;
  const empty = 'row 21: empty inputs throw';
  const gradientDiffers = common.tfjsDiffers ?? (dilated ? 'row 4: dilations are ignored' : undefined);

  if (activation) {
    const fused = (v: Values, kind: typeof activation) => {
      const result = make.y((out) => conv.conv2d(v.x, v.filter, g, out));
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
        kernelName: 'FusedConv2D',
        inputs,
        attrs: attrsOf({ ...options, activation, leakyreluAlpha }),
        outShape: y,
        exact: !['elu', 'sigmoid', 'tanh'].includes(activation),
        definition: (v) => fused(v, activation),
        // Bias is one more term; activations do not magnify errors here, and round a few times more.
        terms: (taps * g.inChannels) / g.groups + 5,
        magnitude: (v) => fused(absolute(v), 'linear').map((m) => m + 1),
      },
    ];
  }
  return [
    {
      ...common,
      kernelName: 'Conv2D',
      ...(g.inChannels === 0 && { tfjsDiffersOn: { webgl: empty } }),
      inputs: { x, filter },
      attrs: attrsOf(options),
      outShape: y,
      definition: (v) => make.y((out) => conv.conv2d(v.x, v.filter, g, out)),
      terms: (taps * g.inChannels) / g.groups,
      magnitude(v) {
        return this.definition(absolute(v));
      },
    },
    {
      ...common,
      kernelName: 'Conv2DBackpropInput',
      ...(g.outChannels === 0 && { tfjsDiffersOn: { webgl: empty } }),
      tfjsDiffers: gradientDiffers,
      inputs: { dy: y, filter },
      attrs: attrsOf({ ...options, inputShape: [...x] }),
      outShape: x,
      definition: (v) => make.x((out) => conv.conv2dBackpropInput(v.dy, v.filter, g, out)),
      terms: (taps * g.outChannels) / g.groups,
      magnitude(v) {
        return this.definition(absolute(v));
      },
      loss: {
        start: () => new Float64Array(sizeOf(x)),
        value: (at, v) =>
          inner(
            make.y((out) => conv.conv2d(at, v.filter, g, out)),
            v.dy,
          ),
        step: 1,
        linear: true,
      },
    },
    {
      ...common,
      kernelName: 'Conv2DBackpropFilter',
      tfjsDiffers: gradientDiffers,
      inputs: { x, dy: y },
      attrs: attrsOf({ ...options, filterShape: [...filter] }),
      outShape: filter,
      definition: (v) => make.filter((out) => conv.conv2dBackpropFilter(v.x, v.dy, g, out)),
      terms: g.batchSize * g.outHeight * g.outWidth,
      magnitude(v) {
        return this.definition(absolute(v));
      },
      loss: {
        start: () => new Float64Array(sizeOf(filter)),
        value: (at, v) =>
          inner(
            make.y((out) => conv.conv2d(v.x, at, g, out)),
            v.dy,
          ),
        step: 1,
        linear: true,
      },
    },
  ];
}

export function maxPoolSubjects(c: PoolCase): Subject[] {
  const { name, x, filterSize, ...options } = c;
  const g = poolGeometry(x, filterSize, options);
  const make = filled(g);
  const y = g.outShape;
  const pooled = (values: Float64Array) => {
    const positions = new Int32Array(sizeOf(y));
    return { y: make.y((out) => max.maxPool(values, g, out, positions)), positions };
  };
  const attrs = attrsOf({ ...options, filterSize, strides: options.strides ?? filterSize });
  const common = { caseName: name, attrs, output: 0, exact: true, terms: 0, tfjsDiffers: poolDiffers(c) };
  const nothing = () => new Float64Array(sizeOf(y));
  const grad = (v: Values) => {
    const { positions } = pooled(v.input);
    return make.x((out) => max.maxPoolGrad(v.dy, positions, out));
  };
  // Ties are told apart by the specs of max pooling; here tfjs's backends disagree on them.
  const untiedX = { untied: 'x' };
  const emptyWindows = inPadding(c) && {
    tfjsDiffersOn: { webgl: 'row 15: -1e20 where the window is all padding' },
  };
  const argmaxDiffers = common.tfjsDiffers ?? (c.dimRoundingMode && 'row 2: dimRoundingMode is dropped');
  return [
    {
      ...common,
      ...untiedX,
      ...emptyWindows,
      kernelName: 'MaxPool',
      inputs: { x },
      outShape: y,
      definition: (v) => pooled(v.x).y,
      magnitude: nothing,
    },
    {
      ...common,
      ...untiedX,
      ...emptyWindows,
      kernelName: 'MaxPoolWithArgmax',
      inputs: { x },
      attrs: { ...attrs, includeBatchInIndex: false },
      outShape: y,
      definition: (v) => pooled(v.x).y,
      magnitude: nothing,
      tfjsDiffers: argmaxDiffers,
    },
    {
      ...common,
      ...untiedX,
      ...emptyWindows,
      kernelName: 'MaxPoolWithArgmax',
      caseName: `${name} (indexes)`,
      inputs: { x },
      attrs: { ...attrs, includeBatchInIndex: true },
      output: 1,
      outShape: y,
      definition: (v) => Float64Array.from(pooled(v.x).positions),
      magnitude: nothing,
      tfjsDiffers: argmaxDiffers,
    },
    {
      ...common,
      kernelName: 'MaxPoolGrad',
      inputs: { dy: y, input: x, output: y },
      outShape: x,
      definition: grad,
      terms: g.filterHeight * g.filterWidth,
      magnitude: (v) => grad({ ...v, dy: v.dy.map(Math.abs) }),
      untied: 'input',
      loss: {
        start: (v) => v.input,
        // Windows wholly in padding have -Infinity for a maximum; they do not change.
        value: (at, v) =>
          inner(
            pooled(at).y.map((m) => (m === -Infinity ? 0 : m)),
            v.dy,
          ),
        step: 1 / 32,
        linear: false,
      },
    },
  ];
}

export function avgPoolSubjects(c: PoolCase): Subject[] {
  const { name, x, filterSize, ...options } = c;
  const g = poolGeometry(x, filterSize, options);
  const make = filled(g);
  const y = g.outShape;
  const attrs = attrsOf({ ...options, filterSize, strides: options.strides ?? filterSize });
  const common = { caseName: name, attrs, output: 0, exact: false, terms: g.filterHeight * g.filterWidth };
  const touchesPadding = g.padTop + g.padBottom + g.padLeft + g.padRight > 0;
  // tfjs's gradient always divides by the full window, which is right where the padding counts.
  const dividesByWindow = c.countIncludePad && !c.dimRoundingMode;
  const forward = (values: Float64Array) => make.y((out) => avg.avgPool(values, g, out));
  return [
    {
      ...common,
      kernelName: 'AvgPool',
      inputs: { x },
      outShape: y,
      definition: (v) => forward(v.x),
      magnitude: (v) => forward(v.x.map(Math.abs)),
      tfjsDiffers:
        poolDiffers(c) ?? (inPadding(c) ? 'row 9: NaN where the window is all padding' : undefined),
      ...(inPadding(c) && { tfjsDiffersOn: { webgl: null } }),
    },
    {
      ...common,
      kernelName: 'AvgPoolGrad',
      inputs: { dy: y, input: x },
      outShape: x,
      definition: (v) => make.x((out) => avg.avgPoolGrad(v.dy, g, out)),
      magnitude: (v) => make.x((out) => avg.avgPoolGrad(v.dy.map(Math.abs), g, out)),
      loss: {
        start: () => new Float64Array(sizeOf(x)),
        value: (at, v) => inner(forward(at), v.dy),
        step: 1,
        linear: true,
      },
      tfjsDiffers: dividesByWindow
        ? undefined
        : (poolDiffers(c) ??
          (c.dimRoundingMode && 'row 2: dimRoundingMode is dropped') ??
          (touchesPadding ? 'row 1: divides by the full window at padding' : undefined)),
    },
  ];
}

/** Arrays of the sizes of x, y and filter, filled by a numeric function. */
function filled(g: ConvGeometry | PoolGeometry, filterSize = 0) {
  const fill = (size: number) => (write: (out: Float64Array) => void) => {
    const out = new Float64Array(size).fill(666.666); // a cell that nobody writes is seen
    write(out);
    return out;
  };
  return { x: fill(sizeOf(g.inShape)), y: fill(sizeOf(g.outShape)), filter: fill(filterSize) };
}

function absolute(inputs: Values): Values {
  return Object.fromEntries(Object.entries(inputs).map(([name, values]) => [name, values.map(Math.abs)]));
}

/** tfjs's kernels want all the attributes they know; undefined ones are left out. */
function attrsOf(options: object): NamedAttrMap {
  const defaults = { strides: 1, pad: 'valid', dilations: 1, dataFormat: 'NHWC' };
  const given = Object.entries(options).filter(([, value]) => value !== undefined);
  return { ...defaults, ...Object.fromEntries(given) } as NamedAttrMap;
}

function convDiffers(c: ConvCase, g: ConvGeometry): string | undefined {
  if (g.groups > 1) return 'row 11: no groups';
  if (c.activation === 'tanh') return 'row 11: no fused tanh';
  const unequal = g.effectiveFilterHeight !== g.effectiveFilterWidth || g.strideHeight !== g.strideWidth;
  if (typeof c.pad === 'number' && unequal) return 'row 3: a numeric pad ignores the width';
  return undefined;
}

function inPadding(c: PoolCase): boolean {
  return c.name === 'windows wholly in padding';
}

function poolDiffers(c: PoolCase): string | undefined {
  if (c.dataFormat === 'NCHW' || c.dilations !== undefined || c.countIncludePad) {
    return 'row 11: no dataFormat, dilations or countIncludePad';
  }
  const [height, width] = [c.filterSize].flat().length === 2 ? (c.filterSize as number[]) : [0, 0];
  if (typeof c.pad === 'number' && height !== width) return 'row 3: a numeric pad ignores the width';
  return undefined;
}

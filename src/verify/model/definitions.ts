/**
 * The proof of each kernel that this package defines, from the inputs and the attributes of a call: its float64 definition, and the
 * bound of a float32 result's rounding errors. It holds for tfjs's kernels as well as for the plugin's.
 *
 *   sum of products   |got - want| <= (terms + 1) * 2^-24 * magnitude, where the magnitude is the definition on absolute values
 *   activation        the same, times the activation's largest slope, and its own roundings
 *
 * Sources of the definitions: kernels/<op>/definition.ts.
 */
import type { Floats, Numbers } from '../../../kernels/arrays.js';
import * as avg from '../../../kernels/avg_pool/definition.js';
import * as normal from '../../../kernels/batch_norm/definition.js';
import { channelsOf, EPSILON, spread } from '../../../kernels/batch_norm/parameters.js';
import { broadcastShape } from '../../../kernels/broadcast.js';
import { type ActivationName, activations, addBiasAndActivate, broadcast, constant } from '../../../kernels/conv2d/activation.js'; // prettier-ignore
import * as conv from '../../../kernels/conv2d/definition.js';
import * as depthwise from '../../../kernels/depthwise_conv2d/definition.js';
import { applyBinary, applyGradient, applyUnary, type BinaryName, type UnaryName, type WithGradient } from '../../../kernels/elementwise/definition.js'; // prettier-ignore
import { type ConvGeometry, convGeometry, type DataFormat, depthwiseGeometry, forEachWindow, type Pair, poolGeometry, type PoolGeometry, sizeOf, tapSteps, withDyShape } from '../../../kernels/geometry.js'; // prettier-ignore
import { matMul } from '../../../kernels/mat_mul/definition.js';
import { matMulGeometry } from '../../../kernels/mat_mul/geometry.js';
import * as max from '../../../kernels/max_pool/definition.js';
import { filling, TFJS_OFF_BY } from '../../../kernels/proof.js';
import * as sums from '../../../kernels/sum/definition.js';
import { roundingBound, UNIT } from '../rounded.js';
import { boundOfSum, type Operand, type Operation, type Precision, type Proof, stored } from './operation.js';
import { sampleOf } from './compare.js';
import { formulas } from './formulas.js';
import { winogradBound } from './winograd.js';

/** What a proof may depend on besides the call. */
export interface Circumstances extends Precision {
  backend: string;
  /** Of an output of more elements, so many are computed and compared, which are drawn with the seed. */
  maxElements: number;
  seed: number;
  /** The kernel is this plugin's, which may take Winograd's algorithm for convolutions. */
  isOurs: boolean;
}

/** The inputs of a call by name. */
type Inputs = Readonly<Record<string, Operand>>;
type Attrs = Operation['attrs'];
type Prove = (
  inputs: Inputs,
  attrs: Attrs,
  where: Circumstances,
  operation: Operation,
) => Omit<Proof, 'output'>[];

const absolute = (values: Numbers): Floats => Float64Array.from(values as Float32Array, Math.abs);
const floats = ({ values }: Operand) => values as Floats;

// Convolutions

type GeometryOf = typeof convGeometry;
type ConvDefinition = Pick<typeof conv, 'conv2d' | 'conv2dBackpropInput' | 'conv2dBackpropFilter'>;

const tapsOf = (g: ConvGeometry) => g.filterHeight * g.filterWidth;

const mayTakeWinograd = ({ isOurs, isGpu }: Circumstances, g: ConvGeometry) =>
  isOurs && !isGpu && g.groups === 1;

const forward =
  (geometryOf: GeometryOf, definition: ConvDefinition): Prove =>
  (inputs, attrs, where, { kernel }) => {
    const { x, filter } = inputs;
    const g = geometryOf(x.shape, filter.shape, attrs);
    // In NHWC a row of windows is a convolution of its own, whose padding begins further down.
    const rows = g.dataFormat === 'NHWC' ? drawnRows(where, g.batchSize * g.outHeight, g.y.row) : undefined;
    const sum = (x: Floats, filter: Floats) =>
      filling(sizeOf(g.outShape))((y) => {
        if (!rows) return definition.conv2d(x, filter, g, y);
        for (const row of rows.drawn) {
          const padTop = g.padTop - (row % g.outHeight) * g.strideHeight;
          const image = x.subarray(Math.floor(row / g.outHeight) * g.x.batch);
          const one = { ...g, batchSize: 1, outHeight: 1, padTop };
          definition.conv2d(image, filter, one, y.subarray(row * g.y.row, (row + 1) * g.y.row));
        }
      });
    const [xs, fs] = [floats(x), floats(filter)];
    const off = TFJS_OFF_BY[where.backend as 'webgl']?.[kernel] ?? 0;
    return [
      activated(inputs, attrs, where, {
        shape: g.outShape,
        sample: rows?.sample,
        image: g.outShape,
        dataFormat: g.dataFormat,
        want: sum(xs, fs),
        magnitudes: sum(absolute(xs), absolute(fs)),
        terms: (tapsOf(g) * g.inChannels) / g.groups,
        off,
        more: mayTakeWinograd(where, g) ? winogradBound('forward', g, xs, fs) : undefined,
      }),
    ];
  };

const backpropInput =
  (geometryOf: GeometryOf, definition: ConvDefinition): Prove =>
  (inputs, attrs, where) => {
    const { dy, filter } = inputs;
    const shape = attrs.inputShape as number[];
    const g = withDyShape(geometryOf(shape, filter.shape, attrs), dy.shape);
    const sum = (dy: Floats, filter: Floats) => filling(sizeOf(shape))((dx) => definition.conv2dBackpropInput(dy, filter, g, dx)); // prettier-ignore
    const [ds, fs] = [floats(dy), floats(filter)];
    const bound = boundOfSum(where, (tapsOf(g) * g.outChannels) / g.groups, sum(absolute(ds), absolute(fs)));
    return [{ shape, want: sum(ds, fs), bound, ...(mayTakeWinograd(where, g) && { widerBound: winogradBound('input', g, ds, fs) }) }]; // prettier-ignore
  };

const backpropFilter =
  (geometryOf: GeometryOf, definition: ConvDefinition): Prove =>
  (inputs, attrs, where) => {
    const { x, dy } = inputs;
    const shape = attrs.filterShape as number[];
    const g = withDyShape(geometryOf(x.shape, shape, attrs), dy.shape);
    const sum = (x: Floats, dy: Floats) => filling(sizeOf(shape))((df) => definition.conv2dBackpropFilter(x, dy, g, df)); // prettier-ignore
    const [xs, ds] = [floats(x), floats(dy)];
    const bound = boundOfSum(where, g.batchSize * g.outHeight * g.outWidth, sum(absolute(xs), absolute(ds)));
    return [{ shape, want: sum(xs, ds), bound, ...(mayTakeWinograd(where, g) && { widerBound: winogradBound('filter', g, xs, ds) }) }]; // prettier-ignore
  };

// Matrix products

const product: Prove = (inputs, attrs, where) => {
  const { a, b } = inputs;
  const g = matMulGeometry(a.shape, b.shape, attrs.transposeA === true, attrs.transposeB === true);
  const rows = drawnRows(where, g.rows * g.aStarts.length, g.cols);
  const sum = (a: Numbers, b: Numbers) =>
    filling(sizeOf(g.outShape))((c) => {
      if (!rows) return matMul(a, b, g, c);
      for (const row of rows.drawn) {
        const product = Math.floor(row / g.rows);
        const aStarts = [g.aStarts[product] + (row % g.rows) * g.a.row];
        const one = { ...g, rows: 1, aStarts, bStarts: [g.bStarts[product]] };
        matMul(a, b, one, c.subarray(row * g.cols, (row + 1) * g.cols));
      }
    });
  const padded = [1, 1, ...g.outShape];
  return [
    activated(inputs, attrs, where, {
      shape: g.outShape,
      sample: rows?.sample,
      image: [sizeOf(padded.slice(0, -3)), ...padded.slice(-3)],
      dataFormat: 'NHWC',
      want: sum(a.values, b.values),
      magnitudes: sum(absolute(a.values), absolute(b.values)),
      terms: g.depth,
      off: 0,
    }),
  ];
};

/**
 * The rows to compute if the output has too many elements, and the elements of them to compare.
 * @param size of a row
 */
function drawnRows({ maxElements, seed }: Circumstances, count: number, size: number) {
  if (!(count * size > maxElements)) return undefined;
  const drawn = sampleOf(count, Math.min(count, Math.ceil(maxElements / size)), seed);
  const elements = sampleOf(drawn.length * size, maxElements, seed);
  return { drawn, sample: elements.map((i) => drawn[Math.floor(i / size)] * size + (i % size)) };
}

/** A sum of products, before bias and activation. */
interface Summed {
  shape: readonly number[];
  sample?: Int32Array;
  /** The shape in four dimensions. */
  image: readonly number[];
  dataFormat: DataFormat;
  want: Float64Array;
  magnitudes: Float64Array;
  terms: number;
  /** What the sum may be off beside its rounding errors. */
  off: number;
  /** What Winograd's algorithm may add. */
  more?: (index: number) => number;
}

/**
 * elu, sigmoid and tanh are an exponential function, a sum and a quotient: e^z is off by at most (3 + 2|z|) ulp on a GPU, which
 * changes these by at most 16 units, and each other step by one or, for a quotient, five. Source: the Vulkan specification, "Precision
 * and operation of SPIR-V instructions".
 */
const ACTIVATION_UNITS = 24;

function activated(
  { bias, preluActivationWeights: weights }: Inputs,
  attrs: Attrs,
  where: Precision,
  { shape, sample, image, dataFormat, want, magnitudes, terms, off, more }: Summed,
): Omit<Proof, 'output'> {
  const activation = ((attrs.activation as string | undefined) ?? 'linear') as ActivationName;
  if (!(activation in activations)) throw new Error(`there is no definition of activation '${activation}'`);
  const spreadOf = ({ name, shape }: Operand, values: Floats) =>
    broadcast(name, values, shape, image, dataFormat);
  const leaky = (attrs.leakyreluAlpha as number | undefined) ?? 0.2;
  const alpha = activation === 'prelu' && weights ? spreadOf(weights, floats(weights)) : constant(leaky);
  const none = constant(0);
  addBiasAndActivate(want, image, bias ? spreadOf(bias, floats(bias)) : none, activation, alpha);
  addBiasAndActivate(magnitudes, image, bias ? spreadOf(bias, absolute(bias.values)) : none, 'linear', none);
  const isKinked = activation === 'leakyrelu' || activation === 'prelu';
  const slope = isKinked
    ? Float64Array.from(alpha.values).reduce((most, a) => Math.max(most, Math.abs(a)), 1)
    : 1;
  const isSmooth = ['elu', 'sigmoid', 'tanh'].includes(activation);
  const bound = (i: number) =>
    slope * (roundingBound(terms + (bias ? 1 : 0), magnitudes[i]) + off + stored(where, magnitudes[i])) +
    (isKinked ? UNIT * Math.abs(want[i]) : 0) +
    (isSmooth ? ACTIVATION_UNITS * UNIT : 0);
  return {
    shape,
    sample,
    want,
    bound,
    ...(more && { widerBound: (i: number) => bound(i) + slope * more(i) }),
  };
}

// Pooling

function poolOf(x: Operand, attrs: Attrs, kernel: string): PoolGeometry {
  const identityIf1x1 = kernel === 'MaxPool' || kernel === 'AvgPool'; // the rule of tfjs's own kernels
  return poolGeometry(x.shape, attrs.filterSize as Pair, { ...attrs, identityIf1x1 });
}

const maxPool: Prove = ({ x }, attrs, where, { kernel }) => {
  const g = poolOf(x, attrs, kernel);
  const want = new Float64Array(sizeOf(g.outShape));
  max.maxPool(floats(x), g, want, new Int32Array(want.length));
  return [{ shape: g.outShape, want, bound: (i) => stored(where, Math.abs(want[i])) }];
};

/** Of equal maxima any may win: the second output is judged by the value that it points at. */
const maxPoolWithArgmax: Prove = (inputs, attrs, where, operation) => {
  const [first] = maxPool(inputs, attrs, where, operation);
  const { values } = inputs.x;
  const image = attrs.includeBatchInIndex ? Infinity : sizeOf(inputs.x.shape.slice(1));
  const perImage = first.want.length / inputs.x.shape[0];
  const indexes = operation.outputs[1].values;
  const pointed = Array.from(indexes, (at, i) => {
    const value = values[image === Infinity ? at : Math.floor(i / perImage) * image + at];
    return value === first.want[i] ? at : NaN;
  });
  return [first, { shape: first.shape, want: pointed, bound: () => 0 }];
};

/** At equal maxima the gradient may go to any of the cells: the range of a cell is from none to all that it may get. */
const maxPoolGrad: Prove = ({ dy, input }, attrs, where) => {
  const g = withDyShape(poolOf(input, attrs, ''), dy.shape);
  const x = input.values;
  const [least, most, magnitudes] = [0, 0, 0].map(() => new Float64Array(x.length));
  const { rowStep, colStep, channelStep } = tapSteps(g);
  forEachWindow(g, (xi, yi, rows, cols) => {
    for (let c = 0; c < g.outChannels; c++) {
      const cells: number[] = [];
      let best = -Infinity;
      for (let row = 0; row < rows; row++) {
        for (let col = 0; col < cols; col++) {
          const at = xi + c * channelStep + row * rowStep + col * colStep;
          if (x[at] > best) cells.length = 0;
          if (x[at] >= best) [best] = [x[at], cells.push(at)];
        }
      }
      const value = dy.values[yi + c * g.y.channel];
      for (const at of cells) {
        if (value > 0 || cells.length === 1) most[at] += value;
        if (value < 0 || cells.length === 1) least[at] += value;
        magnitudes[at] += Math.abs(value);
      }
    }
  });
  const want = filling(x.length)((dx) => {
    const positions = new Int32Array(dy.values.length);
    max.maxPool(x, g, new Float64Array(dy.values.length), positions);
    max.maxPoolGrad(floats(dy), positions, dx);
  });
  const bound = boundOfSum(where, g.filterHeight * g.filterWidth, magnitudes);
  return [{ shape: input.shape, want, range: [least, most], bound }];
};

const avgPool: Prove = ({ x }, attrs, where, { kernel }) => {
  const g = poolOf(x, attrs, kernel);
  const mean = (x: Floats) => filling(sizeOf(g.outShape))((y) => avg.avgPool(x, g, y));
  const bound = boundOfSum(where, g.filterHeight * g.filterWidth + 1, mean(absolute(x.values)));
  return [{ shape: g.outShape, want: mean(floats(x)), bound }];
};

const avgPoolGrad: Prove = ({ dy, input }, attrs, where) => {
  const g = withDyShape(poolOf(input, attrs, ''), dy.shape);
  const grad = (dy: Floats) => filling(sizeOf(input.shape))((dx) => avg.avgPoolGrad(dy, g, dx));
  const bound = boundOfSum(where, g.filterHeight * g.filterWidth + 1, grad(absolute(dy.values)));
  return [{ shape: input.shape, want: grad(floats(dy)), bound }];
};

// Batch normalization

/**
 * The roundings of a value less 1: half a unit of the variance and epsilon, one each of the root, the multiplier, the difference, the
 * product and the sum. On a GPU the root is off by 2 ulp, which is 4 units.
 */
const NORMAL_TERMS = { cpu: 5, gpu: 9 };

const batchNorm: Prove = (inputs, attrs, where) => {
  const { x, ...parameters } = inputs;
  const shapes = Object.fromEntries(Object.entries(parameters).map(([name, { shape }]) => [name, shape]));
  const channels = channelsOf(x.shape, shapes);
  const read = (name: string, otherwise: number, map = (value: number) => value): Floats =>
    name in parameters
      ? spread(floats(parameters[name]), shapes[name], x.shape, channels).map(map)
      : new Float64Array(channels).fill(otherwise);
  const variance = read('variance', NaN);
  const epsilon = (attrs.varianceEpsilon as number | undefined) ?? EPSILON;
  const normalized = (x: Floats, map: (value: number) => number, mapMean: (value: number) => number) =>
    filling(x.length)((y) => {
      const p = { mean: read('mean', NaN, mapMean), variance, offset: read('offset', 0, map), scale: read('scale', 1, map), epsilon }; // prettier-ignore
      normal.batchNorm(x, p, y);
    });
  const same = (value: number) => value;
  const magnitudes = normalized(absolute(x.values), Math.abs, (value) => -Math.abs(value));
  const bound = boundOfSum(where, where.isGpu ? NORMAL_TERMS.gpu : NORMAL_TERMS.cpu, magnitudes);
  return [{ shape: x.shape, want: normalized(floats(x), same, same), bound }];
};

const batchNormSums: Prove = ({ dy, x, mean }, _attrs, where) => {
  const channels = mean.values.length;
  const sum = (dy: Floats, x: Floats, mean: Floats) => filling(2 * channels)((out) => normal.batchNormSums(dy, x, mean, out)); // prettier-ignore
  const magnitudes = sum(
    absolute(dy.values),
    absolute(x.values),
    absolute(mean.values).map((value) => -value),
  );
  const bound = boundOfSum(where, x.values.length / channels + 1, magnitudes);
  return [{ shape: [2, channels], want: sum(floats(dy), floats(x), floats(mean)), bound }];
};

// Elementwise ops and sums

const unary =
  (op: UnaryName): Prove =>
  ({ x }, attrs, where) => {
    const want = filling(x.values.length)((y) => applyUnary(op, floats(x), attrs, y));
    return [{ shape: x.shape, want, bound: (i) => stored(where, Math.abs(want[i])) }];
  };

const unaryGradient =
  (op: WithGradient): Prove =>
  ({ dy, x }, attrs, where) => {
    const want = filling(x.values.length)((dx) => applyGradient(op, floats(dy), floats(x), attrs, dx));
    return [{ shape: x.shape, want, bound: boundOfSum(where, 1, want.map(Math.abs)) }];
  };

/** A quotient on a GPU is off by 2.5 ulp, which is 5 units. Source: as above. */
const GPU_QUOTIENT = 5;

const binary =
  (op: BinaryName): Prove =>
  ({ a, b }, _attrs, where, { outputs }) => {
    const shape = broadcastShape(a.shape, b.shape);
    const want = filling(sizeOf(shape))((y) => applyBinary(op, floats(a), a.shape, floats(b), b.shape, y));
    if (outputs[0].dtype !== 'float32') return [{ shape, want, bound: () => 0 }];
    const terms = op === 'RealDiv' && where.isGpu ? GPU_QUOTIENT : 1;
    return [{ shape, want, bound: boundOfSum(where, terms, want.map(Math.abs)) }];
  };

const summed =
  (over: typeof sums.sum): Prove =>
  ({ x }, attrs, where, { outputs }) => {
    const axes = sums.axesOf(attrs.axis as number | number[] | undefined, x.shape.length);
    const kept = sums.summedShape(x.shape, axes);
    const shape = attrs.keepDims ? kept : kept.filter((_, d) => !axes.includes(d));
    const sum = (x: Floats) => filling(sizeOf(shape))((y) => over(x, x0, axes, y));
    const x0 = x.shape;
    const want = sum(floats(x));
    if (outputs[0].dtype !== 'float32') return [{ shape, want, bound: () => 0 }];
    // A mean is divided, or its terms are multiplied by 1 / count.
    const bound = boundOfSum(
      where,
      sums.countOf(x0, axes) + (over === sums.mean ? 3 : 0),
      sum(absolute(x.values)),
    );
    return [{ shape, want, bound }];
  };

const PROOFS = (): Readonly<Record<string, Prove>> => ({
  ...formulas(),
  Conv2D: forward(convGeometry, conv),
  FusedConv2D: forward(convGeometry, conv),
  Conv2DBackpropInput: backpropInput(convGeometry, conv),
  Conv2DBackpropFilter: backpropFilter(convGeometry, conv),
  DepthwiseConv2dNative: forward(depthwiseGeometry, depthwise),
  FusedDepthwiseConv2D: forward(depthwiseGeometry, depthwise),
  DepthwiseConv2dNativeBackpropInput: backpropInput(depthwiseGeometry, depthwise),
  DepthwiseConv2dNativeBackpropFilter: backpropFilter(depthwiseGeometry, depthwise),
  BatchMatMul: product,
  _FusedMatMul: product,
  MaxPool: maxPool,
  MaxPoolWithArgmax: maxPoolWithArgmax,
  MaxPoolGrad: maxPoolGrad,
  AvgPool: avgPool,
  AvgPoolGrad: avgPoolGrad,
  FusedBatchNorm: batchNorm,
  BatchNormSums: batchNormSums,
  Relu: unary('Relu'),
  Relu6: unary('Relu6'),
  ClipByValue: unary('ClipByValue'),
  Step: unary('Step'),
  ReluGrad: unaryGradient('Relu'),
  Relu6Grad: unaryGradient('Relu6'),
  ClipByValueGrad: unaryGradient('ClipByValue'),
  Add: binary('Add'),
  Sub: binary('Sub'),
  Multiply: binary('Multiply'),
  RealDiv: binary('RealDiv'),
  Sum: summed(sums.sum),
  Mean: summed(sums.mean),
});

let proofs: ReturnType<typeof PROOFS> | undefined;

/** Kernels of this package's own ops have its prefix. */
const nameOf = (kernel: string) => kernel.replace(/^Convgrad/, '');

/** The proofs of the outputs, or undefined if this package has no definition of the kernel. */
export function proofsOf(operation: Operation, where: Circumstances): Proof[] | undefined {
  const name = nameOf(operation.kernel);
  proofs ??= PROOFS();
  if (!Object.prototype.hasOwnProperty.call(proofs, name)) return undefined;
  const inputs = Object.fromEntries(operation.inputs.map((input) => [input.name, input]));
  return proofs[name](inputs, operation.attrs, where, operation).map((proof, output) => ({
    ...proof,
    output,
  }));
}

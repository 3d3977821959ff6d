/** Runs the numeric functions. The outputs are filled beforehand. The inputs must not change. */
import type { Numbers } from '../../kernels/arrays.js';
import { avgPool, avgPoolGrad } from '../../kernels/avg_pool/definition.js';
import { biasGrad } from '../../kernels/conv2d/definition.js';
import type * as definition from '../../kernels/conv2d/definition.js';
import { type ConvGeometry, type Geometry, type PoolGeometry, sizeOf } from '../../kernels/geometry.js';
import { maxPool, maxPoolGrad } from '../../kernels/max_pool/definition.js';
import { difference } from './num_compare.js';

/** A module with the three functions of a convolution. */
export type Conv = Pick<typeof definition, 'conv2d' | 'conv2dBackpropInput' | 'conv2dBackpropFilter'>;

export interface ConvData {
  x: Float64Array;
  filter: Float64Array;
  dy: Float64Array;
}

/** @param draw makes `size` values */
export const convData = (g: ConvGeometry, draw: (size: number) => Float64Array): ConvData => ({
  x: draw(sizeOf(g.inShape)),
  filter: draw(sizeOf(g.filterShape)),
  dy: draw(dySize(g)),
});

/** Number of values that the steps of dy span: the size of the output, or more after `withDyShape`. */
export const dySize = (g: Geometry) => g.batchSize * g.y.batch;

export function runConv(conv: Conv, data: ConvData, g: ConvGeometry, Floats = newFloat64) {
  const [x, filter] = [Floats(data.x), Floats(data.filter)];
  const y = filled(Floats(sizeOf(g.outShape)), [x, filter], (out) => conv.conv2d(x, filter, g, out));
  return { y, ...runConvBackprops(conv, data, g, Floats) };
}

export function runConvBackprops(conv: Conv, data: ConvData, g: ConvGeometry, Floats = newFloat64) {
  const [x, filter, dy] = [Floats(data.x), Floats(data.filter), Floats(data.dy)];
  return {
    dx: filled(Floats(x.length), [dy, filter], (out) => conv.conv2dBackpropInput(dy, filter, g, out)),
    dFilter: filled(Floats(filter.length), [x, dy], (out) => conv.conv2dBackpropFilter(x, dy, g, out)),
  };
}

export const runBiasGrad = (dy: Float64Array, g: ConvGeometry) =>
  filled(new Float64Array(g.outChannels), [dy], (out) => biasGrad(dy, g, out));

/** @param y of x's type, as large as dy */
export function runMaxPool(
  x: Numbers,
  dy: Float64Array,
  g: PoolGeometry,
  y: Numbers = newFloat64(dy.length),
) {
  const positions = new Int32Array(dy.length);
  filled(y, [x], (out) => maxPool(x, g, out, positions));
  const dx = filled(newFloat64(x.length), [dy, positions], (out) => maxPoolGrad(dy, positions, out));
  return { y, positions, dx };
}

export const runAvgPool = (x: Float64Array, dy: Float64Array, g: PoolGeometry) => ({
  y: filled(newFloat64(sizeOf(g.outShape)), [x], (out) => avgPool(x, g, out)),
  dx: runAvgPoolGrad(dy, g),
});

export const runAvgPoolGrad = (dy: Float64Array, g: PoolGeometry) =>
  filled(newFloat64(sizeOf(g.inShape)), [dy], (out) => avgPoolGrad(dy, g, out));

type NewFloats = (sizeOrValues: number | Float64Array) => Float32Array | Float64Array;
export const newFloat32 = (sizeOrValues: number | Float64Array) => new Float32Array(sizeOrValues as number);
const newFloat64: NewFloats = (sizeOrValues) => new Float64Array(sizeOrValues as number);

/** Shows cells that nothing has written. */
const SENTINEL = 666.666;

/**
 * Runs f on an output filled with the sentinel and returns it.
 * @throws Error if f writes to one of the inputs
 */
function filled<T extends Numbers>(out: T, inputs: readonly Numbers[], f: (out: T) => void): T {
  const copies = inputs.map((input) => input.slice());
  out.fill(SENTINEL);
  f(out);
  inputs.forEach((input, i) => {
    const change = difference(input, copies[i], `input ${i}`);
    if (change) throw new Error(`An input was written to: ${change}.`);
  });
  return out;
}

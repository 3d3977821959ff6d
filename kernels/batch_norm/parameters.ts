/**
 * The parameters of batch normalization are tensors that broadcast to x, aligned from the last dimension. They are brought to one
 * length, the number of channels of definition.ts:
 *
 *   all are of the shape [channels], or of another shape that repeats along x as a whole    their own size
 *   otherwise                                                                               the size of x
 */
import type { Floats } from '../arrays.js';
import { sizeOf } from '../geometry.js';

/** tfjs's default of varianceEpsilon. */
export const EPSILON = 0.001;

type Shape = readonly number[];

/**
 * The length to which all parameters are brought.
 * @param shapes name of a parameter -> its shape
 * @throws Error if a shape does not broadcast to x's
 */
export function channelsOf(xShape: Shape, shapes: Readonly<Record<string, Shape>>): number {
  for (const [name, shape] of Object.entries(shapes)) checkShape(name, shape, xShape);
  const sizes = Object.values(shapes).map((shape) => (repeatsAsAWhole(shape, xShape) ? sizeOf(shape) : NaN));
  return sizes.every((size) => size === sizes[0]) ? sizes[0] : sizeOf(xShape);
}

/** The values of a parameter, brought to this many channels. */
export function spread(values: Floats, shape: Shape, xShape: Shape, channels: number): Floats {
  if (values.length === channels) return values;
  let [all, repeats] = [values, 1];
  // From the last dimension on: each block of `repeats` values of x's lower dimensions is there already.
  for (let axis = xShape.length - 1; axis >= 0; axis--) {
    const size = shape[axis - xShape.length + shape.length] ?? 1;
    if (size === 1) all = repeated(all, repeats, xShape[axis]);
    repeats *= xShape[axis];
  }
  return all;
}

/** Each block of `length` values, `count` times. */
function repeated(values: Floats, length: number, count: number): Floats {
  const all = new Float64Array(values.length * count);
  for (let to = 0, from = 0; from < values.length; from += length) {
    const block = values.subarray(from, from + length);
    for (let i = 0; i < count; i++, to += length) all.set(block, to);
  }
  return all;
}

function repeatsAsAWhole(shape: Shape, xShape: Shape): boolean {
  const first = shape.findIndex((size) => size !== 1);
  const inner = first < 0 ? [] : shape.slice(first);
  return inner.every((size, i) => size === xShape[xShape.length - inner.length + i]);
}

function checkShape(name: string, shape: Shape, xShape: Shape): void {
  const outer = xShape.length - shape.length;
  if (outer < 0 || shape.some((size, i) => size !== 1 && size !== xShape[outer + i])) {
    throw new Error(
      `tfjs-convgrad: ${name} is of shape [${shape}], but it must broadcast to x's, [${xShape}].`,
    );
  }
}

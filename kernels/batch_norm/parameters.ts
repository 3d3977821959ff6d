/**
 * The parameters of batch normalization are tensors that broadcast to x, aligned from the last dimension. They are brought to one
 * length, the number of channels of definition.ts:
 *
 *   all are of the shape [channels], or of another shape that repeats along x as a whole    their own size
 *   otherwise                                                                               the size of x
 */
import type { Floats } from '../arrays.js';
import { broadcastSteps, forEachRun } from '../broadcast.js';
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
  const all = new Float64Array(channels);
  forEachRun(xShape, [broadcastSteps(shape, xShape.length)], (at, [start], count, [step]) => {
    for (let i = 0; i < count; i++) all[at + i] = values[start + i * step];
  });
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

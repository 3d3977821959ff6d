/** Where the elements of a result are: its planes, each a picture of rows and columns. */
import type { Subject } from '../kernels/proof.js';
import { hasWindows, isDepthwise } from './cases.js';

export interface Plane {
  /** Which plane it is. Empty if there is no other. */
  name: string;
  columns: number;
  /** The elements' indexes in the result, row by row. */
  elements: number[];
  /** The largest of the elements' errors, in bounds. */
  error: number;
}

/** A plane with more rows or columns is cut into blocks of so many. */
const BLOCK = 32;

/** The planes of a result, the one with the largest error first. */
export function planesOf(subject: Subject, ratios: ArrayLike<number>): Plane[] {
  const axes = axesOf(subject);
  const numbering = axes.slice(0, -2);
  const [row, column] = axes.slice(-2);
  const planes = new Map<string, Plane>();
  for (let index = 0; index < ratios.length; index++) {
    const name = [named(numbering, index), blockOf(row, index), blockOf(column, index)].filter(Boolean).join(', '); // prettier-ignore
    const plane = planes.get(name) ?? { name, columns: 0, elements: [], error: 0 };
    planes.set(name, plane);
    plane.columns = Math.max(plane.columns, (at(column, index) % BLOCK) + 1);
    plane.elements.push(index);
    plane.error = Math.max(plane.error, ratios[index]);
  }
  return [...planes.values()].sort((p, q) => q.error - p.error || p.elements[0] - q.elements[0]);
}

/** Where an element is, in words. */
export const placeInWords = (subject: Subject, index: number) => named(axesOf(subject), index);

/** An axis of the result, along which elements are so many elements apart. */
interface Axis {
  name: string;
  size: number;
  step: number;
}

const at = ({ size, step }: Axis, index: number) => Math.floor(index / step) % size;

const named = (axes: Axis[], index: number) =>
  axes.filter(({ size }) => size > 1).map((axis) => `${axis.name} ${at(axis, index)}`).join(', '); // prettier-ignore

function blockOf(axis: Axis, index: number): string {
  const start = at(axis, index) - (at(axis, index) % BLOCK);
  return axis.size > BLOCK ? `${axis.name}s ${start} to ${Math.min(start + BLOCK, axis.size) - 1}` : '';
}

/** The axes of the result: those that number the planes, then rows, then columns. */
function axesOf(subject: Subject): Axis[] {
  const { outShape } = subject;
  const axes = namesOf(subject).map(([name, axis]) => {
    const after = outShape.slice(axis + 1);
    return { name, size: outShape[axis] ?? 1, step: after.reduce((size, n) => size * n, 1) };
  });
  // Planes of one element are no pictures. Then the others become rows and columns, of a single plane.
  const [row, column] = axes.slice(-2);
  return row.size * column.size === 1 && axes.length === 4 ? [row, column, ...axes.slice(0, 2)] : axes;
}

function namesOf(subject: Subject): [name: string, axis: number][] {
  const { kernelName, attrs, outShape } = subject;
  if (kernelName.endsWith('BackpropFilter')) {
    const [input, output] = isDepthwise(subject) ? ['channel', 'multiplier'] : ['input', 'output'];
    return [[input, 2], [output, 3], ['row', 0], ['column', 1]]; // prettier-ignore
  }
  if (attrs.dataFormat === 'NCHW') return [['image', 0], ['channel', 1], ['row', 2], ['column', 3]]; // prettier-ignore
  if (hasWindows(subject) || kernelName === 'FusedBatchNorm')
    return [['image', 0], ['channel', 3], ['row', 1], ['column', 2]]; // prettier-ignore
  const row = outShape.length - 2;
  const before = outShape.slice(0, Math.max(0, row)).map((_, axis): [string, number] => [`axis ${axis}:`, axis]); // prettier-ignore
  return [...before, ['row', row], ['column', row + 1]];
}

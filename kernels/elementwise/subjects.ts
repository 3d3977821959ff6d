/** What the elementwise kernels have to prove on each case of cases.ts. */
import { inner } from '../arrays.js';
import { broadcastShape } from '../broadcast.js';
import { sizeOf } from '../geometry.js';
import { filling, type Loss, type Subject } from '../proof.js';
import type { BinaryCase, UnaryCase } from './cases.js';
import { applyBinary, applyGradient, applyUnary, binary, type BinaryName } from './definition.js';

export function unarySubjects({ op, name, x, ...attrs }: UnaryCase): Subject[] {
  const make = filling(sizeOf(x));
  const forward = (x: Float64Array) => make((y) => applyUnary(op, x, attrs, y));
  const common = { caseName: name, attrs: { ...attrs }, output: 0, outShape: x, exact: true };
  const value: Subject = {
    ...common,
    kernelName: op,
    inputs: { x },
    terms: 0, // each result is one of its inputs or of the attributes
    magnitude: ({ x }) => x.map(() => 0),
    definition: (v) => forward(v.x),
  };
  if (op === 'Step') return [value];
  const loss: Loss = {
    start: ({ x }) => x,
    value: (at, { dy }) => inner(dy, forward(at)),
    step: 2 ** -20,
    linear: false,
  };
  const gradient: Subject = {
    ...common,
    kernelName: `${op}Grad`,
    inputs: { dy: x, x },
    terms: 1,
    magnitude: ({ dy }) => dy.map(Math.abs),
    definition: (v) => make((dx) => applyGradient(op, v.dy, v.x, attrs, dx)),
    // The adjoint identity asks that op(x) = op'(x) * x, as for x from -1 to 1 it is for the others.
    ...(op !== 'ClipByValue' && { loss }),
    tfjsDiffers: 'tfjs has no such kernel',
  };
  return [value, gradient];
}

export function binarySubjects({ name, a, b }: BinaryCase): Subject[] {
  const outShape = broadcastShape(a, b);
  const make = filling(sizeOf(outShape));
  const apply = (op: BinaryName, x: Float64Array, y: Float64Array) =>
    make((result) => applyBinary(op, x, a, y, b, result));
  return (Object.keys(binary) as BinaryName[]).map((op) => ({
    kernelName: op,
    caseName: name,
    inputs: { a, b },
    attrs: {},
    output: 0,
    outShape,
    exact: op !== 'RealDiv',
    terms: 1, // one rounding
    magnitude: ({ a, b }) => apply(op, a, b).map(Math.abs),
    definition: ({ a, b }) => apply(op, a, b),
  }));
}

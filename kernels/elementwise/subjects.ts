/** What the elementwise kernels have to prove on each case of cases.ts. */
import { broadcastShape } from '../broadcast.js';
import { sizeOf } from '../geometry.js';
import type { Subject } from '../proof.js';
import type { BinaryCase, UnaryCase } from './cases.js';
import { applyBinary, applyUnary, binary, type BinaryName } from './definition.js';

export function unarySubjects({ op, name, x, ...attrs }: UnaryCase): Subject[] {
  const definition: Subject['definition'] = (v) => {
    const y = new Float64Array(sizeOf(x)).fill(666.666);
    applyUnary(op, v.x, attrs, y);
    return y;
  };
  return [
    {
      kernelName: op,
      caseName: name,
      inputs: { x },
      attrs: { ...attrs },
      output: 0,
      outShape: x,
      exact: true,
      terms: 0, // each result is one of its inputs or of the attributes
      magnitude: ({ x }) => x.map(() => 0),
      definition,
    },
  ];
}

export function binarySubjects({ name, a, b }: BinaryCase): Subject[] {
  const outShape = broadcastShape(a, b);
  const apply = (op: BinaryName, x: Float64Array, y: Float64Array) => {
    const result = new Float64Array(sizeOf(outShape)).fill(666.666);
    applyBinary(op, x, a, y, b, result);
    return result;
  };
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

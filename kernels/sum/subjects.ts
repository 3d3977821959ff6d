/** What the kernels of sums and means have to prove on each case of cases.ts. */
import { sizeOf } from '../geometry.js';
import { filling, linearMagnitude, type Subject } from '../proof.js';
import type { SumCase } from './cases.js';
import { axesOf, countOf, mean, sum, summedShape } from './definition.js';

export function sumSubjects({ name, x, axis, keepDims = false }: SumCase): Subject[] {
  const axes = axesOf(axis, x.length);
  const kept = summedShape(x, axes);
  const outShape = keepDims ? kept : kept.filter((_, d) => !axes.includes(d));
  const make = filling(sizeOf(outShape));
  const over = (write: typeof sum): Subject['definition'] => {
    return (v) => make((sums) => write(v.x, x, axes, sums));
  };
  const common = {
    caseName: name,
    inputs: { x },
    attrs: { axis: axis ?? null, keepDims } as unknown as Subject['attrs'],
    output: 0,
    outShape,
    terms: countOf(x, axes),
    magnitude: linearMagnitude,
    ...(sizeOf(x) === 0 &&
      sizeOf(outShape) > 0 && { tfjsDiffersOn: { wasm: 'row 41: sums of nothing are undefined' } }),
  };
  return [
    { ...common, kernelName: 'Sum', exact: true, definition: over(sum) },
    { ...common, kernelName: 'Mean', exact: false, definition: over(mean) },
  ];
}

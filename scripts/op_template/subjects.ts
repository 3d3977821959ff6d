/** The proofs that the kernels of templateOp must pass on each case of cases.ts. */
import { inner } from '../../kernels/arrays.js';
import { sizeOf } from '../../kernels/geometry.js';
import type { Subject } from '../../kernels/proof.js';
import type { KernelName } from '../../kernels/registry.js';
import type { TemplateOpCase } from './cases.js';
import * as numeric from './definition.js';

export function templateOpSubjects({ name, x }: TemplateOpCase): Subject[] {
  const filled = (write: (out: Float64Array) => void) => {
    const out = new Float64Array(sizeOf(x)).fill(666.666); // shows a cell that is not written
    write(out);
    return out;
  };
  const forward = (values: Float64Array) => filled((y) => numeric.templateOp(values, y));
  const common = {
    caseName: name,
    attrs: {},
    output: 0,
    outShape: x,
    exact: true, // only if every step is exact on whole numbers
    terms: 1, // number of products that one element sums, for its rounding bound
    tfjsDiffers: 'tfjs has no such kernel', // leave this out if tfjs has one
  };
  return [
    {
      ...common,
      kernelName: 'TemplateOp' as KernelName,
      inputs: { x },
      definition: (v) => forward(v.x),
      magnitude: (v) => forward(v.x).map(Math.abs),
    },
    {
      ...common,
      kernelName: 'TemplateOpGrad' as KernelName,
      inputs: { dy: x, x },
      definition: (v) => filled((dx) => numeric.templateOpGrad(v.dy, v.x, dx)),
      magnitude: (v) => filled((dx) => numeric.templateOpGrad(v.dy, v.x, dx)).map(Math.abs),
      loss: {
        start: (v) => v.x,
        value: (at, v) => inner(forward(at), v.dy),
        step: 1 / 32,
        linear: false,
      },
    },
  ];
}

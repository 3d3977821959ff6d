/** What the kernels of average pooling have to prove, on each case of cases.ts. */
import { inner } from '../arrays.js';
import { poolGeometry, sizeOf } from '../geometry.js';
import type { PoolCase } from '../max_pool/cases.js';
import { inPadding, poolDiffers } from '../max_pool/subjects.js';
import { attrsOf, filled, type Subject } from '../proof.js';
import * as avg from './definition.js';

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

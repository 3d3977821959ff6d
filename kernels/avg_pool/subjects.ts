/** What the kernels of average pooling have to prove on each case of cases.ts. */
import { sizeOf } from '../geometry.js';
import type { PoolCase } from '../max_pool/cases.js';
import { inPadding, poolDiffers, poolSetup, wasmCeil } from '../max_pool/subjects.js';
import { linearLoss, linearMagnitude, type Subject } from '../proof.js';
import * as avg from './definition.js';

export function avgPoolSubjects(c: PoolCase): Subject[] {
  const { x, g, make, basics } = poolSetup(c);
  const y = g.outShape;
  const common = { ...basics, exact: false, terms: g.filterHeight * g.filterWidth };
  const touchesPadding = g.padTop + g.padBottom + g.padLeft + g.padRight > 0;
  // tfjs's gradient always divides by the full window. That is right if the padding counts.
  const dividesByWindow = c.countIncludePad && !c.dimRoundingMode;
  const forward = (values: Float64Array) => make.y((out) => avg.avgPool(values, g, out));
  return [
    {
      ...common,
      kernelName: 'AvgPool',
      inputs: { x },
      outShape: y,
      definition: (v) => forward(v.x),
      magnitude: linearMagnitude,
      tfjsDiffers:
        poolDiffers(c) ??
        (inPadding(c) ? 'row 9: NaN or -Infinity where the window is all padding' : undefined),
      tfjsDiffersOn: { ...(inPadding(c) && { webgl: null }), ...wasmCeil(c) },
    },
    {
      ...common,
      kernelName: 'AvgPoolGrad',
      inputs: { dy: y, input: x },
      outShape: x,
      definition: (v) => make.x((out) => avg.avgPoolGrad(v.dy, g, out)),
      magnitude: linearMagnitude,
      loss: linearLoss(sizeOf(x), forward),
      tfjsDiffers: dividesByWindow
        ? undefined
        : (poolDiffers(c) ??
          (c.dimRoundingMode && 'row 2: dimRoundingMode is dropped') ??
          (touchesPadding ? 'row 1: divides by the full window at padding' : undefined)),
    },
  ];
}

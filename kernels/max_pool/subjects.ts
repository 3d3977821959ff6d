/** What the kernels of max pooling have to prove on each case of cases.ts. */
import { inner } from '../arrays.js';
import { poolGeometry, sizeOf } from '../geometry.js';
import { attrsOf, filled, type Subject, type Values } from '../proof.js';
import type { PoolCase } from './cases.js';
import * as max from './definition.js';

export function maxPoolSubjects(c: PoolCase): Subject[] {
  const { x, g, make, basics } = poolSetup(c);
  const y = g.outShape;
  const pooled = (values: Float64Array) => {
    const positions = new Int32Array(sizeOf(y));
    return { y: make.y((out) => max.maxPool(values, g, out, positions)), positions };
  };
  const common = { ...basics, exact: true, terms: 0, tfjsDiffers: poolDiffers(c) };
  const nothing = () => new Float64Array(sizeOf(y));
  const grad = (v: Values) => {
    const { positions } = pooled(v.input);
    return make.x((out) => max.maxPoolGrad(v.dy, positions, out));
  };
  // The comparison with tfjs's own kernel must have no ties, because tfjs's backends disagree on them. The specs of max
  // pooling test ties.
  const untiedX = { untied: 'x' };
  const emptyWindows = inPadding(c) && {
    webgl: 'row 15: -1e20 where the window is all padding',
    wasm: 'row 15: the nearest cell where the window is all padding',
  };
  // On wasm MaxPool is XNNPACK's. MaxPoolWithArgmax and MaxPoolGrad have code of their own.
  const startsAboveZero = 'row 26: a maximum is at least 1.18e-38';
  const argmaxDiffers = common.tfjsDiffers ?? (c.dimRoundingMode && 'row 2: dimRoundingMode is dropped');
  return [
    {
      ...common,
      ...untiedX,
      tfjsDiffersOn: { ...emptyWindows, ...wasmCeil(c) },
      kernelName: 'MaxPool',
      inputs: { x },
      outShape: y,
      definition: (v) => pooled(v.x).y,
      magnitude: nothing,
    },
    {
      ...common,
      ...untiedX,
      tfjsDiffersOn: { ...emptyWindows, wasm: startsAboveZero },
      kernelName: 'MaxPoolWithArgmax',
      inputs: { x },
      attrs: { ...common.attrs, includeBatchInIndex: false },
      outShape: y,
      definition: (v) => pooled(v.x).y,
      magnitude: nothing,
      tfjsDiffers: argmaxDiffers,
    },
    {
      ...common,
      ...untiedX,
      tfjsDiffersOn: { ...emptyWindows, wasm: startsAboveZero },
      kernelName: 'MaxPoolWithArgmax',
      caseName: `${c.name} (indexes)`,
      inputs: { x },
      attrs: { ...common.attrs, includeBatchInIndex: true },
      output: 1,
      outShape: y,
      definition: (v) => Float64Array.from(pooled(v.x).positions),
      magnitude: nothing,
      tfjsDiffers: argmaxDiffers,
    },
    {
      ...common,
      kernelName: 'MaxPoolGrad',
      tfjsDiffersOn: { wasm: startsAboveZero },
      inputs: { dy: y, input: x, output: y },
      outShape: x,
      definition: grad,
      terms: g.filterHeight * g.filterWidth,
      magnitude: (v) => grad({ ...v, dy: v.dy.map(Math.abs) }),
      untied: 'input',
      loss: {
        start: (v) => v.input,
        // The maximum of a window wholly in padding is -Infinity. It does not change.
        value: (at, v) =>
          inner(
            pooled(at).y.map((m) => (m === -Infinity ? 0 : m)),
            v.dy,
          ),
        step: 1 / 32,
        linear: false,
      },
    },
  ];
}

/** What the subjects of max and of average pooling have in common. */
export function poolSetup({ name, x, filterSize, ...options }: PoolCase) {
  const g = poolGeometry(x, filterSize, options);
  const attrs = attrsOf({ ...options, filterSize, strides: options.strides ?? filterSize });
  return { x, g, make: filled(g), basics: { caseName: name, attrs, output: 0 } };
}

export function inPadding(c: PoolCase): boolean {
  return c.name === 'windows wholly in padding';
}

export function wasmCeil(c: PoolCase) {
  return c.dimRoundingMode === 'ceil' && { wasm: "row 25: 'ceil' leaves cells undefined" };
}

export function poolDiffers(c: PoolCase): string | undefined {
  if (c.dataFormat === 'NCHW' || c.dilations !== undefined || c.countIncludePad) {
    return 'row 11: no dataFormat, dilations or countIncludePad';
  }
  const [height, width] = [c.filterSize].flat().length === 2 ? (c.filterSize as number[]) : [0, 0];
  if (typeof c.pad === 'number' && height !== width) return 'row 3: a numeric pad ignores the width';
  return undefined;
}

/** What the matrix product kernels have to prove on each case of cases.ts. */
import { fusedProof } from '../conv2d/subjects.js';
import { sizeOf } from '../geometry.js';
import { filling, linearMagnitude, type Subject, type Values } from '../proof.js';
import type { MatMulCase } from './cases.js';
import { matMul } from './definition.js';
import { type MatMulGeometry, matMulGeometry } from './geometry.js';

export function matMulSubjects(c: MatMulCase): Subject[] {
  const { name, a, b, transposeA = false, transposeB = false, activation } = c;
  const g = matMulGeometry(a, b, transposeA, transposeB);
  const y = g.outShape;
  const fill = filling(sizeOf(y));
  const product = (v: Values) => fill((out) => matMul(v.a, v.b, g, out));
  const tfjsDiffers = differs(c, g);
  const onWasm = tfjsDiffers ?? differsOnWasm(c, g);
  const common = {
    caseName: name,
    output: 0,
    exact: true,
    outShape: y,
    tfjsDiffers,
    ...(onWasm && { tfjsDiffersOn: { wasm: onWasm } }),
  };
  if (!activation) {
    return [
      {
        ...common,
        kernelName: 'BatchMatMul',
        inputs: { a, b },
        attrs: { transposeA, transposeB },
        definition: product,
        terms: g.depth,
        magnitude: linearMagnitude,
      },
    ];
  }
  const { leakyreluAlpha } = c;
  const { inputs, ...proof } = fusedProof({ ...c, activation }, [1, ...y].slice(-4), product, g.depth);
  return [
    {
      ...common,
      kernelName: '_FusedMatMul',
      inputs: { a, b, ...inputs },
      attrs: { transposeA, transposeB, activation, ...(leakyreluAlpha && { leakyreluAlpha }) },
      ...proof,
    },
  ];
}

function differs(c: MatMulCase, g: MatMulGeometry): string | undefined {
  if (c.activation === 'tanh') return 'row 11: no fused tanh';
  return repeatsByTurns(c.a, g.aStarts) && repeatsByTurns(c.b, g.bStarts)
    ? undefined
    : 'row 35: takes the wrong matrices of a batch';
}

/** tfjs takes the matrices of an operand one after the other, and starts again when it has come to the end. */
function repeatsByTurns(shape: readonly number[], starts: readonly number[]): boolean {
  const count = sizeOf(shape.slice(0, -2));
  const size = sizeOf(shape.slice(-2));
  return starts.every((start, i) => start === (i % count) * size);
}

function differsOnWasm(c: MatMulCase, g: MatMulGeometry): string | undefined {
  if (g.depth === 0) return 'row 37: an empty sum is not 0';
  if (c.bias && c.bias.length !== 1) return 'row 37: the bias must be of shape [cols]';
  const isPlain = !c.transposeA && !c.transposeB && sizeOf(c.a.slice(0, -2)) === 1;
  return c.bias && g.cols > 1 && !isPlain ? 'row 37: adds the wrong values of the bias' : undefined;
}

/** Specs of matrix products: small ones on every path, large ones, whole numbers, gradients, and errors. */
import { sizeOf } from '../kernels/geometry.js';
import * as definition from '../kernels/mat_mul/definition.js';
import { type MatMulGeometry, matMulGeometry } from '../kernels/mat_mul/geometry.js';
import * as packed from '../kernels/mat_mul/plain/packed.js';
import * as simd from '../kernels/mat_mul/simd.js';
import { CPU_PATHS, isSimd } from '../kernels/runtime/options.js';
import { whyNot } from '../kernels/runtime/simd/modules.js';
import { floats, integers } from '../src/verify/data.js';
import { roundingBound } from '../src/verify/rounded.js';
import { bothWays, type Run } from './support/memory.js';
import { beyond, difference, firstComplaint } from './support/num_compare.js';
import * as oracle from './support/num_oracle.js';
import { randomFrom } from './support/num_random.js';
import { shareOf } from './support/share.js';
import { describeOnBackends, expectExactly, installed, tf } from './support/tfjs.js';

interface Case {
  a: readonly number[];
  b: readonly number[];
  transposeA: boolean;
  transposeB: boolean;
}

const UNWRITTEN = 666.666;
const SIDES = [false, true];
const ROWS = [0, 1, 3, 4, 5, 9];
const DEPTHS = [0, 1, 3, 4, 9];
const COLS = [0, 1, 2, 5, 6, 8, 9, 17];
/** Batches of a and of b. */
const BATCHES = [
  [[], []],
  [[2], [2]],
  [[2], []],
  [[], [3]],
  [[1], [2]],
  [[2, 1], [3]],
  [[2, 1], [2, 3]],
  [[1, 3], [2, 1]],
] as const; // prettier-ignore

function caseOf(
  [aBatch, bBatch]: readonly (readonly number[])[],
  [rows, depth, cols]: readonly number[],
  transposeA: boolean,
  transposeB: boolean,
): Case {
  const a = transposeA ? [depth, rows] : [rows, depth];
  const b = transposeB ? [cols, depth] : [depth, cols];
  return { a: [...aBatch, ...a], b: [...bBatch, ...b], transposeA, transposeB };
}

/** Every size with every transpose, each with one of the batches. */
function smallCases(): Case[] {
  const random = randomFrom(1);
  return ROWS.flatMap((rows) =>
    DEPTHS.flatMap((depth) =>
      COLS.flatMap((cols) =>
        SIDES.flatMap((transposeA) =>
          SIDES.map((transposeB) =>
            caseOf(random.pick(BATCHES), [rows, depth, cols], transposeA, transposeB),
          ),
        ),
      ),
    ),
  );
}

const geometryOf = (c: Case) => matMulGeometry(c.a, c.b, c.transposeA, c.transposeB);
const nameOf = (c: Case) => JSON.stringify(c);

/** The oracle's result. */
function wanted(c: Case, a: ArrayLike<number>, b: ArrayLike<number>): Float64Array {
  return oracle.matMul([a, c.a, c.transposeA], [b, c.b, c.transposeB], geometryOf(c).outShape);
}

type MatMul = (a: Float32Array, b: Float32Array, g: MatMulGeometry, c: Float32Array) => void;

const bySimd =
  (run: Run): MatMul =>
  (a, b, g, c) =>
    run([a, b, c], (w, a, b, c) => simd.matMul(w, a, b, g, c));

/** A complaint if the result on whole numbers is not the oracle's, or if an input has changed. */
function complain(c: Case, matMul: MatMul, seed: number): string {
  const [a, b] = [c.a, c.b].map((shape, i) => Float32Array.from(integers(sizeOf(shape), seed + i)));
  const [aBefore, bBefore] = [a.slice(), b.slice()];
  const g = geometryOf(c);
  const y = new Float32Array(sizeOf(g.outShape)).fill(UNWRITTEN);
  matMul(a, b, g, y);
  return difference(y, wanted(c, a, b)) || difference(a, aBefore, 'a') || difference(b, bBefore, 'b');
}

const levels = CPU_PATHS.filter(isSimd);
const paths: [string, MatMul | undefined][] = [
  ['definition', definition.matMul],
  ['packed', packed.matMul],
  ...levels.map((level): [string, MatMul | undefined] => [
    level,
    whyNot(level) ? undefined : bySimd(bothWays(level)),
  ]),
];

describe('matrix products', () => {
  for (const [name, matMul] of paths) {
    if (!matMul) {
      it(`${name} is skipped`, () => pending('it does not run here'));
      continue;
    }

    it(`of all small sizes equal the oracle, ${name}`, () => {
      let seed = 0;
      expect(firstComplaint(shareOf(smallCases(), 8), (c) => complain(c, matMul, ++seed), nameOf)).toBe('');
    });

    it(`of several blocks equal the definition, ${name}`, () => {
      const sizes = [[133, 520, 261], [130, 257, 16], [5, 300, 530], [300, 3, 300], [1, 700, 600], [600, 700, 1], [3, 301, 90], [280, 290, 4]]; // prettier-ignore
      for (const size of sizes) {
        for (const transposeA of SIDES) {
          for (const transposeB of SIDES) {
            const c = caseOf([[], []], size, transposeA, transposeB);
            expect(againstDefinition(c, matMul)).withContext(nameOf(c)).toBe('');
          }
        }
      }
    });

    it(`keep Infinity and NaN in their rows and columns, ${name}`, () => {
      for (const size of [[5, 6, 9], [9, 7, 3], [2, 9, 11], [1, 8, 9], [9, 8, 1], [6, 300, 11]]) {
        for (const transposeA of SIDES) {
          const c = caseOf([[], []], size, transposeA, !transposeA);
          const [a, b] = [c.a, c.b].map((shape) => new Float32Array(sizeOf(shape)).fill(1));
          a[a.length - 1] = Infinity;
          b[0] = NaN;
          const y = new Float32Array(sizeOf(geometryOf(c).outShape));
          matMul(a, b, geometryOf(c), y);
          expectExactly(y, wanted(c, a, b));
        }
      }
    }); // prettier-ignore
  }
});

/** Whole numbers must be equal. Others may differ by the rounding bound. */
function againstDefinition(c: Case, matMul: MatMul): string {
  const g = geometryOf(c);
  const run = (f: MatMul | typeof definition.matMul, draw: typeof floats) => {
    const [a, b] = [c.a, c.b].map((shape, i) => Float32Array.from(draw(sizeOf(shape), i + 1)));
    const [y, want, magnitude] = [0, 1, 2].map(() => new Float64Array(sizeOf(g.outShape)));
    const got = new Float32Array(y.length).fill(UNWRITTEN);
    f(a, b, g, got);
    definition.matMul(a, b, g, want);
    definition.matMul(a.map(Math.abs), b.map(Math.abs), g, magnitude);
    return { got, want, magnitude };
  };
  const exact = run(matMul, integers);
  const { got, want, magnitude } = run(matMul, floats);
  return difference(exact.got, exact.want) || beyond(got, want, (i) => roundingBound(g.depth, magnitude[i]));
}

describe('the geometry of matrix products', () => {
  const refused: [string, Parameters<typeof matMulGeometry>, string][] = [
    ['a vector', [[3], [3, 4]], 'a is of shape [3], but it must have at least two dimensions'],
    ['a scalar', [[2, 3], []], 'b is of shape [], but it must have at least two dimensions'],
    ['other inner sizes', [[2, 3], [4, 5]], 'b is of shape [4,5], but its inner size, 4, must be that of a, 3'],
    ['other inner sizes of transposed matrices', [[2, 3], [4, 5], true, true], 'b is of shape [4,5], transposed, but its inner size, 5, must be that of a, 2: a is of shape [2,3], transposed'],
    ['other batches', [[2, 3, 4], [3, 4, 5]], 'b is of shape [3,4,5], but its batch [3] must broadcast with that of a, [2]'],
  ]; // prettier-ignore
  for (const [title, shapes, message] of refused) {
    it(`refuses ${title}`, () => {
      expect(() => matMulGeometry(...shapes)).toThrowMatching((e: Error) => e.message.includes(message));
    });
  }
});

for (const backendName of ['cpu', 'wasm'] as const) {
  describe(`matrix products of whole numbers on ${backendName}`, () => {
    const cases: [string, tf.DataType, number[], number[]][] = [
      ['int32', 'int32', [3, -4, 5, 6], [1, 2, -3, 4]],
      ['int32 that does not fit float32', 'int32', [16777217, 1, 0, 3], [1, 0, 0, 1]],
      ['int32 that overflows', 'int32', [65536, 70000, -65536, 3], [65536, 1, 70000, 2]],
      ['bool', 'bool', [1, 1, 0, 1], [1, 0, 1, 1]],
    ];
    for (const [title, dtype, a, b] of cases) {
      it(`are those of tfjs on cpu, and of its dtype: ${title}`, async () => {
        // leakyrelu gives float32, which does not hold large sums.
        const activations = [
          'linear',
          'relu',
          'relu6',
          ...(title === dtype ? ['leakyrelu' as const] : []),
        ] as const;
        const results = (run: (a: tf.Tensor2D, b: tf.Tensor2D) => tf.Tensor[]) =>
          run(tf.tensor2d(a, [2, 2], dtype), tf.tensor2d(b, [2, 2], dtype)).map((t) => [
            t.dtype,
            Array.from(t.dataSync()),
          ]);
        const run = (a: tf.Tensor2D, b: tf.Tensor2D) => [
          tf.matMul(a, b),
          tf.matMul(a, b, true, true),
          ...activations.map((activation) =>
            tf.fused.matMul({ a, b, bias: tf.tensor1d([1, 0], dtype), activation }),
          ),
        ];
        await tf.setBackend('cpu');
        const want = results(run);
        await tf.setBackend(backendName);
        expect(installed(() => results(run))).toEqual(want);
      });
    }
  });
}

describeOnBackends('the gradient of tf.matMul', (backendName) => {
  if (backendName === 'webgl') {
    it("is tfjs's own, which does not broadcast", () => {
      const gradients = tf.grads((a, b) => tf.matMul(a, b));
      const inputs = [tf.ones([2, 2, 3]), tf.ones([1, 3, 2])];
      installed(() => expect(() => gradients(inputs)).toThrowError(/shape/));
    });
    return;
  }

  const size = [3, 4, 2];
  for (const batches of BATCHES) {
    for (const transposeA of SIDES) {
      for (const transposeB of SIDES) {
        const c = caseOf(batches, size, transposeA, transposeB);
        it(`is right in both orders, ${nameOf(c)}`, () => installed(() => expectGradients(c)));
      }
    }
  }

  for (const [aBatch, bBatch] of BATCHES.filter(([a, b]) => a.length < 2 && b.length < 2)) {
    for (const bias of [[2], [], [3, 1], [3, 2]]) {
      it(`is right in tf.fused.matMul, batches [${aBatch}] and [${bBatch}], bias [${bias}]`, () =>
        installed(() => expectFusedGradients(caseOf([aBatch, bBatch], size, false, true), bias)));
    }
  }
});

type Op = (a: tf.Tensor, b: tf.Tensor) => tf.Tensor;

const whole = (shape: readonly number[], seed: number) =>
  tf.tensor(Float32Array.from(integers(sizeOf(shape), seed)), [...shape]);

/** d/da and d/db of <dy, a * b> by differences, which have no error: it is linear in each of them. */
function differences(c: Case, a: tf.Tensor, b: tf.Tensor, dy: tf.Tensor): [number[], number[]] {
  const [aValues, bValues, dyValues] = [a, b, dy].map((t) => Array.from(t.dataSync()));
  const loss = (a: number[], b: number[]) =>
    wanted(c, a, b).reduce((sum, value, i) => sum + value * dyValues[i], 0);
  const at = loss(aValues, bValues);
  const plusOne = (values: number[], i: number) => values.map((value, k) => (k === i ? value + 1 : value));
  return [
    aValues.map((_, i) => loss(plusOne(aValues, i), bValues) - at),
    bValues.map((_, i) => loss(aValues, plusOne(bValues, i)) - at),
  ];
}

/** The second order: da is linear in dy and in b. <v, da> = <dy, v * b>. */
function expectGradients(c: Case): void {
  const op: Op = (a, b) => tf.matMul(a, b, c.transposeA, c.transposeB);
  const [a, b, v, u] = [c.a, c.b, c.a, c.b].map((shape, i) => whole(shape, i + 1));
  const dy = whole(geometryOf(c).outShape, 5);
  const [da, db] = tf.grads(op)([a, b], dy);
  const [wantedA, wantedB] = differences(c, a, b, dy);
  expectExactly(da, wantedA);
  expectExactly(db, wantedB);
  expect([da.shape, db.shape]).toEqual([a.shape, b.shape]);
  const [ofA, ofB] = tf.grads((dy, b) => tf.sum(tf.mul(v, tf.grad((t) => op(t, b))(a, dy))))([dy, b]);
  expectExactly(ofA, op(v, b));
  expectExactly(ofB, differences(c, v, b, dy)[1]);
  const [second, other] = tf.grads((dy, a) => tf.sum(tf.mul(u, tf.grad((t) => op(a, t))(b, dy))))([dy, a]);
  expectExactly(second, op(a, u));
  expectExactly(other, differences(c, a, u, dy)[0]);
}

function expectFusedGradients(c: Case, biasShape: number[]): void {
  const { transposeA, transposeB } = c;
  const [a, b, bias] = [c.a, c.b, biasShape].map((shape, i) => whole(shape, i + 1));
  const op = (a: tf.Tensor, b: tf.Tensor, bias: tf.Tensor) =>
    tf.fused.matMul({ a, b, bias, transposeA, transposeB });
  const dy = whole(geometryOf(c).outShape, 5);
  const [da, db, dBias] = tf.grads(op)([a, b, bias], dy);
  const unfused = tf.grads((a, b, bias) => tf.add(tf.matMul(a, b, transposeA, transposeB), bias));
  const [wantedA, wantedB, wantedBias] = unfused([a, b, bias], dy);
  expectExactly(da, wantedA);
  expectExactly(db, wantedB);
  expectExactly(dBias, wantedBias);
  expect(tf.getGradient('fusedMatMul__op')).toBeUndefined();
}

/**
 * The proof of kernels that this package does not have itself, but whose definition is one formula: elementwise functions, softmax,
 * extremes, and all that only moves elements.
 *
 *   y[i] = f(x[i])            |got - want| <= 8 * 2^-24 * |y| + |f(x (1 + 4 * 2^-24)) - f(x)|, and what a GPU's functions are off by
 *   y[i] = x[place of i]      exactly
 *
 * The first part of the bound is what the functions of a library are off by; `scale` stands in the place of |y| where the usual way to
 * compute f subtracts numbers of that size. The second part is what roundings of an argument do. NaN stays NaN.
 *
 * Source: tfjs's own kernels of these names.
 */
import { broadcastIndex, broadcastShape } from '../../../kernels/broadcast.js';
import { sizeOf } from '../../../kernels/geometry.js';
import { axesOf, summedShape } from '../../../kernels/sum/definition.js';
import { UNDERFLOW, UNIT } from '../rounded.js';
import { coordinates } from './compare.js';
import { gpuError, type Operand, type Operation, type Precision, type Proof, stored } from './operation.js';

type Formula = Omit<Proof, 'output'>;
type Inputs = Readonly<Record<string, Operand>>;
type Prove = (inputs: Inputs, attrs: Operation['attrs'], where: Precision, operation: Operation) => Formula[];

// Elementwise functions

/** Units of a result that a library's function may be off by, and units that its argument may. */
const OWN_UNITS = 8;
const ARGUMENT_UNITS = 4;

type Unary = (x: number, attrs: Operation['attrs']) => number;
type Scale = (x: number, y: number) => number;

const atLeast1: Scale = (_x, y) => Math.max(1, Math.abs(y));
/** log(x + sqrt(x^2 + 1)): for x < 0 a difference of two numbers of the size of |x|, which is 1 / 2|x|. */
const inverseHyperbolic: Scale = (x) => Math.max(1, x * x);

const even = (x: number) => {
  const floor = Math.floor(x);
  const rest = x - floor;
  return rest < 0.5 || (rest === 0.5 && floor % 2 === 0) ? floor : floor + 1;
};

/** selu's scale, and scale * alpha. Source: Klambauer et al., "Self-normalizing neural networks", 2017. */
const SELU = { scale: 1.0507009873554805, scaleAlpha: 1.758099340847377 };

const UNARY: Readonly<Record<string, Unary | readonly [Unary, Scale]>> = {
  Abs: Math.abs,
  Acos: [Math.acos, atLeast1],
  Acosh: [Math.acosh, inverseHyperbolic],
  Asin: Math.asin,
  Asinh: [Math.asinh, inverseHyperbolic],
  Atan: Math.atan,
  Atanh: [Math.atanh, atLeast1],
  Ceil: Math.ceil,
  Cos: [Math.cos, atLeast1],
  Cosh: Math.cosh,
  Elu: [(x) => (x >= 0 ? x : Math.expm1(x)), atLeast1],
  Exp: Math.exp,
  Expm1: [Math.expm1, atLeast1],
  Floor: Math.floor,
  IsFinite: (x) => Number(Number.isFinite(x)),
  IsInf: (x) => Number(Math.abs(x) === Infinity),
  IsNan: (x) => Number(Number.isNaN(x)),
  LeakyRelu: (x, { alpha = 0.2 }) => (x < 0 ? (alpha as number) * x : x),
  Log: [Math.log, atLeast1],
  Log1p: [Math.log1p, atLeast1],
  LogicalNot: (x) => Number(x === 0),
  Neg: (x) => -x,
  Reciprocal: (x) => 1 / x,
  Round: even,
  Rsqrt: (x) => 1 / Math.sqrt(x),
  Selu: [(x) => (x >= 0 ? SELU.scale * x : SELU.scaleAlpha * Math.expm1(x)), atLeast1],
  Sigmoid: (x) => 1 / (1 + Math.exp(-x)),
  Sign: Math.sign,
  Sin: [Math.sin, atLeast1],
  Sinh: [Math.sinh, atLeast1],
  Softplus: [(x) => (x > 30 ? x : Math.log1p(Math.exp(x))), atLeast1],
  Sqrt: Math.sqrt,
  Square: (x) => x * x,
  Tan: [Math.tan, atLeast1],
  Tanh: [Math.tanh, atLeast1],
};

/** Their results are elements of the input, or whole numbers. */
const EXACT = new Set(
  'Abs Ceil Floor IsFinite IsInf IsNan LogicalNot Neg Round Sign Maximum Minimum'.split(' '),
);

const unary = (name: string): Prove => {
  const [f, scale] = [UNARY[name]].flat() as [Unary, Scale | undefined];
  return ({ x }, attrs, where) => {
    const want = Float64Array.from(x.values as Float32Array, (value) => f(value, attrs));
    if (EXACT.has(name)) return [{ shape: x.shape, want, bound: (i) => stored(where, Math.abs(want[i])) }];
    return [
      {
        shape: x.shape,
        want,
        bound: (i) => {
          const [value, y] = [x.values[i], want[i]];
          const moved = [1, -1].map((sign) =>
            Math.abs(f(value * (1 + sign * ARGUMENT_UNITS * UNIT), attrs) - y),
          );
          const size = scale?.(value, y) ?? Math.abs(y);
          const own = OWN_UNITS * UNIT * size + UNDERFLOW + stored(where, Math.abs(y));
          return own + finite(Math.max(...moved)) + gpuError(where, name, Math.abs(value), Math.abs(y));
        },
      },
    ];
  };
};

const finite = (value: number) => (Number.isFinite(value) ? value : 0);

type Binary = (a: number, b: number) => number;

const BINARY: Readonly<Record<string, Binary>> = {
  Atan2: Math.atan2,
  EluGrad: (dy, y) => (y >= 0 ? dy : dy * (y + 1)),
  Equal: (a, b) => Number(a === b),
  Greater: (a, b) => Number(a > b),
  GreaterEqual: (a, b) => Number(a >= b),
  Less: (a, b) => Number(a < b),
  LessEqual: (a, b) => Number(a <= b),
  LogicalAnd: (a, b) => Number(a !== 0 && b !== 0),
  LogicalOr: (a, b) => Number(a !== 0 || b !== 0),
  Maximum: Math.max,
  Minimum: Math.min,
  NotEqual: (a, b) => Number(a !== b),
  Prelu: (x, alpha) => (x >= 0 ? x : alpha * x),
  SquaredDifference: (a, b) => (a - b) ** 2,
};

/** y = f(a, b), for the first and the second input, broadcast to each other. */
const binary = (name: string): Prove => {
  const f = BINARY[name];
  return (_inputs, _attrs, where, { inputs: [a, b], outputs }) => {
    const shape = broadcastShape(a.shape, b.shape);
    const want = Float64Array.from({ length: sizeOf(shape) }, (_, i) =>
      f(a.values[broadcastIndex(i, shape, a.shape)], b.values[broadcastIndex(i, shape, b.shape)]),
    );
    if (outputs[0].dtype !== 'float32') return [{ shape, want, bound: () => 0 }];
    const units = EXACT.has(name) ? 0 : OWN_UNITS;
    const bound = (i: number) => {
      const y = Math.abs(want[i]);
      return (
        units * UNIT * y + (units && UNDERFLOW) + stored(where, y) + (units && gpuError(where, name, 0, y))
      );
    };
    return [{ shape, want, bound }];
  };
};

// Softmax and extremes

/**
 * y = exp(x - max) / sum of exp(x - max), along the last dimension of n; the logarithm of that, if `isLog`. The sum and the quotient are
 * off by n + 8 units, the difference by one of its own, and a GPU's exponential function by (3 + 2 |x - max|) ulp, twice.
 */
const softmax =
  (isLog: boolean): Prove =>
  ({ logits }, _attrs, where) => {
    const n = logits.shape[logits.shape.length - 1];
    const x = logits.values;
    const want = new Float64Array(x.length);
    const depths = new Float64Array(x.length);
    for (let row = 0; row < x.length; row += n) {
      let [most, sum] = [-Infinity, 0];
      for (let i = row; i < row + n; i++) most = Math.max(most, x[i]);
      for (let i = row; i < row + n; i++) {
        depths[i] = most - x[i];
        sum += Math.exp(-depths[i]);
      }
      for (let i = row; i < row + n; i++) {
        want[i] = isLog ? -depths[i] - Math.log(sum) : Math.exp(-depths[i]) / sum;
      }
    }
    const bound = (i: number) => {
      const size = isLog ? Math.max(1, Math.abs(want[i])) : want[i];
      const units = n + OWN_UNITS + 2 * depths[i] + (where.isGpu ? 4 * (3 + 2 * depths[i]) : 0);
      // The difference is stored, too.
      return units * UNIT * size + UNDERFLOW + stored(where, size * (1 + depths[i]));
    };
    return [{ shape: logits.shape, want, bound }];
  };

/** The extreme along axes: an element of x. */
const extreme =
  (better: (a: number, b: number) => number, start: number): Prove =>
  ({ x }, attrs, where) => {
    const axes = axesOf(
      (attrs.reductionIndices ?? attrs.axis) as number | number[] | undefined,
      x.shape.length,
    );
    const kept = summedShape(x.shape, axes);
    const want = new Float64Array(sizeOf(kept)).fill(start);
    for (let i = 0; i < x.values.length; i++) {
      const at = broadcastIndex(i, x.shape, kept);
      want[at] = better(want[at], x.values[i]);
    }
    const shape = attrs.keepDims ? kept : kept.filter((_, d) => !axes.includes(d));
    return [{ shape, want, bound: (i) => stored(where, Math.abs(want[i])) }];
  };

/** The place of the extreme along an axis. If several are equal, any of them is right. */
const place =
  (better: (a: number, b: number) => number): Prove =>
  (inputs, attrs, where, operation) => {
    const { x } = inputs;
    const [axis] = axesOf(attrs.axis as number, x.shape.length);
    const [best] = extreme(better, better(-Infinity, Infinity) === Infinity ? -Infinity : Infinity)(
      { x },
      { axis },
      where,
      operation,
    );
    const step = sizeOf(x.shape.slice(axis + 1));
    const want = Float64Array.from(operation.outputs[0].values as Int32Array, (at, i) => {
      const first = Math.floor(i / step) * step * x.shape[axis] + (i % step);
      const isRight = at >= 0 && at < x.shape[axis] && x.values[first + at * step] === best.want[i];
      return isRight ? at : NaN;
    });
    return [{ shape: best.shape, want, bound: () => 0 }];
  };

// What only moves elements

function exactly(where: Precision, shape: readonly number[], want: ArrayLike<number>): Formula[] {
  return [{ shape, want, bound: (i) => stored(where, Math.abs(want[i])) }];
}

/** Each element of the result by its coordinates, which are valueAt's own. */
function moved(
  where: Precision,
  shape: readonly number[],
  valueAt: (position: number[]) => number,
): Formula[] {
  const values = Float64Array.from({ length: sizeOf(shape) }, (_, i) => valueAt(coordinates(i, shape)));
  return exactly(where, shape, values);
}

/** The element of a tensor at these coordinates. */
function at({ values, shape }: Operand, position: readonly number[]): number {
  let i = 0;
  for (let d = 0; d < shape.length; d++) i = i * shape[d] + position[d];
  return values[i];
}

const same: Prove = ({ x }, _attrs, where, { outputs }) => exactly(where, outputs[0].shape, x.values);

const filled =
  (valueOf: (attrs: Operation['attrs']) => number): Prove =>
  (_inputs, attrs, where, { outputs: [{ shape }] }) =>
    exactly(where, shape, new Float64Array(sizeOf(shape)).fill(valueOf(attrs)));

const castTo = (dtype: unknown) => (value: number) =>
  dtype === 'int32' ? Math.trunc(value) : dtype === 'bool' ? Number(value !== 0) : value;

const MOVES: Readonly<Record<string, Prove>> = {
  Identity: same,
  Reshape: same,
  Cast: ({ x }, { dtype }, where) => exactly(where, x.shape, Float64Array.from(x.values as Float32Array, castTo(dtype))), // prettier-ignore
  Fill: filled(({ value }) => value as number),
  /** start + i * step. tfjs adds the step i times, and each sum of float32 is rounded. */
  Range: (_inputs, attrs, where, { outputs: [{ shape, dtype }] }) => {
    const [start, step] = [attrs.start as number, attrs.step as number];
    const want = Float64Array.from({ length: sizeOf(shape) }, (_, i) => start + i * step);
    const size = dtype === 'float32' ? Math.max(Math.abs(start), Math.abs(want[want.length - 1] ?? 0)) : 0;
    return [{ shape, want, bound: (i) => i * UNIT * size + stored(where, size) }];
  },
  ZerosLike: filled(() => 0),
  OnesLike: filled(() => 1),
  Transpose: ({ x }, { perm }, where) => {
    const axes = perm as number[];
    const back = axes.map((_, d) => axes.indexOf(d));
    return moved(where, axes.map((d) => x.shape[d]), (position) => at(x, back.map((d) => position[d]))); // prettier-ignore
  },
  Slice: ({ x }, { begin, size }, where) => {
    const starts = x.shape.map((_, d) => (begin as number[])[d] ?? 0);
    const sizes = x.shape.map((n, d) => ((size as number[])[d] ?? -1) < 0 ? n - starts[d] : (size as number[])[d]); // prettier-ignore
    return moved(where, sizes, (position) => at(x, position.map((place, d) => place + starts[d]))); // prettier-ignore
  },
  PadV2: ({ x }, { paddings, constantValue = 0 }, where) => {
    const pads = paddings as number[][];
    return moved(where, x.shape.map((n, d) => n + pads[d][0] + pads[d][1]), (position) => {
      const inside = position.map((place, d) => place - pads[d][0]);
      const isInside = inside.every((place, d) => place >= 0 && place < x.shape[d]);
      return isInside ? at(x, inside) : (constantValue as number);
    }); // prettier-ignore
  },
  Tile: ({ x }, { reps }, where) =>
    moved(where, x.shape.map((n, d) => n * (reps as number[])[d]), (position) => at(x, position.map((place, d) => place % x.shape[d]))), // prettier-ignore
  Reverse: ({ x }, { dims }, where) => {
    const axes = axesOf(dims as number[], x.shape.length);
    return moved(where, x.shape, (position) => at(x, position.map((place, d) => (axes.includes(d) ? x.shape[d] - 1 - place : place)))); // prettier-ignore
  },
  Concat: (_inputs, { axis }, where, { inputs }) => {
    const [along] = axesOf(axis as number, inputs[0].shape.length);
    const shape = inputs[0].shape.map((n, d) =>
      d === along ? inputs.reduce((sum, t) => sum + t.shape[d], 0) : n,
    );
    return moved(where, shape, (position) => {
      let k = 0;
      while (position[along] >= inputs[k].shape[along]) position[along] -= inputs[k++].shape[along];
      return at(inputs[k], position);
    });
  },
  Pack: (_inputs, { axis }, where, { inputs }) => {
    const [along] = axesOf(axis as number, inputs[0].shape.length + 1);
    const shape = [...inputs[0].shape];
    shape.splice(along, 0, inputs.length);
    return moved(where, shape, (position) => at(inputs[position.splice(along, 1)[0]], position));
  },
  SplitV: ({ x }, { axis = 0 }, where, { outputs }) => {
    const [along] = axesOf(axis as number, x.shape.length);
    let start = 0;
    return outputs.flatMap(({ shape }) => {
      const first = start;
      start += shape[along];
      return moved(where, shape, (position) =>
        at(
          x,
          position.map((place, d) => (d === along ? place + first : place)),
        ),
      );
    });
  },
  Unpack: ({ value }, { axis = 0 }, where) => {
    const [along] = axesOf(axis as number, value.shape.length);
    const shape = value.shape.filter((_, d) => d !== along);
    return Array.from({ length: value.shape[along] }, (_, k) =>
      moved(where, shape, (position) =>
        at(value, [...position.slice(0, along), k, ...position.slice(along)]),
      ),
    ).flat();
  },
  Select: ({ condition, t, e }, _attrs, where) => {
    const step = t.values.length / condition.values.length; // of rows, if the condition has one dimension
    const chosen = (_: number, i: number) => (condition.values[Math.floor(i / step)] ? t : e).values[i];
    return exactly(where, t.shape, Float64Array.from(t.values as Float32Array, chosen));
  },
};

const byName = <T>(table: Readonly<Record<string, T>>, proveOf: (name: string) => Prove) =>
  Object.fromEntries(Object.keys(table).map((name) => [name, proveOf(name)]));

/** All of them, by the names of their kernels. */
export const formulas = (): Readonly<Record<string, Prove>> => ({
  ...byName(UNARY, unary),
  ...byName(BINARY, binary),
  ...MOVES,
  LogSoftmax: softmax(true),
  Softmax: softmax(false),
  Max: extreme(Math.max, -Infinity),
  Min: extreme(Math.min, Infinity),
  ArgMax: place(Math.max),
  ArgMin: place(Math.min),
});

/**
 * The proof of a kernel that this package does not define: what tfjs's `cpu` backend makes of the same inputs.
 *
 * How far two right results may differ is asked of the kernel itself. Each float32 input is moved at random by a few units in its last
 * place, and the kernel runs again: what the outputs move by is what a rounding error inside may do. To that come a few units of the
 * output, one for each element that a result sums, and on a GPU what its shading language allows elementary functions.
 *
 * The kernel functions run by themselves, without the engine, on tensors of the backend's own.
 */
import { engine, getKernel, type KernelBackend, type TensorInfo } from '@tensorflow/tfjs-core';
import type { Numbers } from '../../../kernels/arrays.js';
import { sizeOf } from '../../../kernels/geometry.js';
import { random } from '../data.js';
import { UNIT } from '../rounded.js';
import {
  exponential,
  gpuError,
  type Operand,
  type Operation,
  type Precision,
  type Proof,
  stored,
} from './operation.js';

export const REFERENCE = 'cpu';

/** Their elements are elements of their inputs, or of their attributes: they must be equal. */
const MOVES = new Set(
  (
    'Cast Identity Reshape Transpose Slice StridedSlice Concat Pack Unpack SplitV Pad PadV2 MirrorPad Tile GatherV2 GatherNd Reverse ' +
    'BatchToSpaceND SpaceToBatchND DepthToSpace Select Fill OneHot ZerosLike OnesLike ExpandDims Squeeze BroadcastTo ' +
    'ScatterNd SparseToDense Maximum Minimum Max Min TopK ResizeNearestNeighbor Abs Neg Floor Ceil Round Sign Dilation2D'
  ).split(' '),
);

/** Number of times that the inputs are moved, and by how many units each element at most. */
const MOVED = 6;
const UNITS = 4;
/** What the outputs move by is the result of random roundings: it may be this many times as large by chance. */
const SAFETY = 4;
/** What stands between the kernel's passes is a half float there: it is off by so many times what the inputs are moved by. */
const HALF = 2 ** -11 / (UNITS * UNIT);
/** Units that a result may be off by itself: about as many as the functions of a library are. */
const OWN_UNITS = 8;

/** The kernel draws random numbers: no other run can give the same. */
export const RANDOM = new Set([
  'Multinomial',
  'RandomUniform',
  'RandomUniformInt',
  'RandomStandardNormal',
  'StatelessRandomUniform',
]);

/** What is the matter with a reference that cannot be had. */
export type NoReference = { reason: string };

/** The proofs of the outputs, or why there are none. */
export function referenceOf(
  operation: Operation,
  where: Precision & { backend: string },
  seed: number,
): Proof[] | NoReference {
  const { kernel } = operation;
  if (where.backend === REFERENCE)
    return { reason: 'this package has no definition of it, and cpu would be compared with itself' };
  const config = getKernel(kernel, REFERENCE);
  const backend = engine().findBackendFactory(REFERENCE)
    ? (engine().findBackend(REFERENCE) as KernelBackend | null)
    : null;
  if (!config || !backend)
    return { reason: 'this package has no definition of it, and the cpu backend has no such kernel' };
  const run = (inputs: readonly Operand[]) => runOn(backend, config.kernelFunc, operation, inputs);
  let want: Result[];
  try {
    want = run(operation.inputs);
  } catch (error) {
    return { reason: `cpu throws: ${(error as Error).message}` };
  }
  const isExact = MOVES.has(kernel) || operation.inputs.every(({ dtype }) => dtype !== 'float32');
  const next = random(seed);
  const moved = isExact
    ? []
    : Array.from({ length: MOVED }, () => run(operation.inputs.map((input) => movedBy(input, next))));
  const x = Math.min(88, largestIn(operation.inputs));
  return want.map(({ shape, values }, output) => {
    const isFloat = values instanceof Float32Array;
    const units = OWN_UNITS + lengthOfSums(operation, values.length);
    return {
      output,
      shape,
      want: values,
      bound(i) {
        const size = Math.abs(values[i]);
        if (isExact || !isFloat) return isFloat ? stored(where, size) : 0;
        const off = Math.max(...moved.map((results) => Math.abs(results[output].values[i] - values[i])));
        return (
          SAFETY * (where.isHalf ? HALF : 1) * off +
          units * UNIT * size +
          gpuError(where, kernel, x, size, exponential) +
          stored(where, size) +
          2 ** -126
        );
      },
    };
  });
}

interface Result {
  shape: number[];
  values: Numbers;
}

function runOn(
  backend: KernelBackend,
  kernelFunc: NonNullable<ReturnType<typeof getKernel>>['kernelFunc'],
  { attrs, isList }: Operation,
  inputs: readonly Operand[],
): Result[] {
  const made: TensorInfo[] = [];
  try {
    const infos = inputs.map(({ name, shape, dtype, values }): [string, TensorInfo] => {
      const dataId = backend.write(values.slice() as Float32Array, [...shape], dtype);
      made.push({ dataId, shape: [...shape], dtype });
      return [name, made[made.length - 1]];
    });
    const given = isList ? infos.map(([, info]) => info) : Object.fromEntries(infos);
    const outputs = [kernelFunc({ inputs: given as never, attrs: attrs as never, backend })].flat();
    made.push(...outputs);
    return outputs.map(({ dataId, shape }) => ({
      shape,
      values: (backend.readSync(dataId) as Float32Array).slice(),
    }));
  } finally {
    made.forEach(({ dataId }) => backend.disposeData(dataId));
  }
}

/** Each element of a float32 input multiplied by 1 + u, with a random u of at most UNITS units. */
function movedBy(input: Operand, next: () => number): Operand {
  if (input.dtype !== 'float32') return input;
  const values = Float32Array.from(
    input.values as Float32Array,
    (value) => value * (1 + (2 * next() - 1) * 2 * UNITS * UNIT),
  );
  return { ...input, values };
}

function largestIn(inputs: readonly Operand[]): number {
  let largest = 0;
  for (const { values, dtype } of inputs) {
    if (dtype !== 'float32') continue;
    for (const value of values as Float32Array) largest = Math.max(largest, Math.abs(value));
  }
  return largest;
}

/** The number of elements that a result sums, as far as sizes show it: a softmax sums along the last dimension. */
function lengthOfSums({ kernel, inputs }: Operation, size: number): number {
  if (inputs.length === 0) return 0;
  const { shape } = inputs[0];
  if (/softmax/i.test(kernel)) return shape[shape.length - 1];
  return Math.ceil(sizeOf(shape) / Math.max(1, size));
}

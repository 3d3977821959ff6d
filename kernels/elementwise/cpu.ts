/** tfjs 'cpu' kernels of the elementwise ops, for float32: TensorInfo -> arrays -> loop -> TensorInfo. Attributes are those of tfjs. */
import { type Kernel, makeResult, readFloat32, readFloats } from '../runtime/tensors.js';
import { broadcastShape } from '../broadcast.js';
import {
  binary,
  type BinaryName,
  unary,
  unaryGradients,
  type UnaryName,
  type WithGradient,
} from './definition.js';
import { binaryLoop, gradientLoops, unaryLoops } from './loops.js';

/** y = op(x): of x's shape */
function unaryKernel(name: UnaryName): Kernel {
  return ({ inputs: { x }, attrs, backend }) => {
    const values = readFloat32(backend, 'x', x);
    return makeResult(backend, x.shape, (y) => unaryLoops[name](values, y(), attrs));
  };
}

/** dx = dy * op'(x): of x's shape */
function gradientKernel(name: WithGradient): Kernel {
  return ({ inputs: { dy, x }, attrs, backend }) => {
    const [dyValues, values] = [readFloats(backend, 'dy', dy), readFloats(backend, 'x', x)];
    return makeResult(backend, x.shape, (dx) => gradientLoops[name](dyValues, values, dx(), attrs));
  };
}

/** y = op(a, b): of the shape to which both are broadcast */
function binaryKernel(name: BinaryName): Kernel {
  return ({ inputs: { a, b }, backend }) => {
    const shape = broadcastShape(a.shape, b.shape);
    const [aValues, bValues] = [readFloat32(backend, 'a', a), readFloat32(backend, 'b', b)];
    return makeResult(backend, shape, (y) => {
      binaryLoop(name, aValues, a.shape, bValues, b.shape, y(), shape);
    });
  };
}

/** The kernel of each op in the table. Its name is that of the op, and `suffix`. */
function kernelsOf<Op extends string, Suffix extends string>(
  ops: Record<Op, unknown>,
  kernelOf: (op: Op) => Kernel,
  suffix: Suffix,
): Record<`${Op}${Suffix}`, Kernel> {
  const entries = (Object.keys(ops) as Op[]).map((op) => [op + suffix, kernelOf(op)]);
  return Object.fromEntries(entries) as Record<`${Op}${Suffix}`, Kernel>;
}

export const elementwiseKernels = {
  ...kernelsOf(unary, unaryKernel, ''),
  ...kernelsOf(unaryGradients, gradientKernel, 'Grad'),
  ...kernelsOf(binary, binaryKernel, ''),
};

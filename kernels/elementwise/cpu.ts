/** tfjs 'cpu' kernels of the elementwise ops, for float32: TensorInfo -> arrays -> loop -> TensorInfo. Attributes are those of tfjs. */
import { type Kernel, makeResult, readFloat32 } from '../runtime/tensors.js';
import { broadcastShape } from '../broadcast.js';
import { binary, type BinaryName, unary, type UnaryName } from './definition.js';
import { binaryLoop, unaryLoops } from './loops.js';

/** y = op(x): of x's shape */
function unaryKernel(name: UnaryName): Kernel {
  return ({ inputs: { x }, attrs, backend }) => {
    const values = readFloat32(backend, 'x', x);
    return makeResult(backend, x.shape, (y) => unaryLoops[name](values, y(), attrs));
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

function kernelsOf<Name extends string>(ops: Record<Name, unknown>, kernelOf: (name: Name) => Kernel) {
  const names = Object.keys(ops) as Name[];
  return Object.fromEntries(names.map((name) => [name, { cpu: kernelOf(name) }])) as Record<
    Name,
    { cpu: Kernel }
  >;
}

export const elementwiseKernels = { ...kernelsOf(unary, unaryKernel), ...kernelsOf(binary, binaryKernel) };

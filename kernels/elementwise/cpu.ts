/**
 * tfjs kernels of the elementwise ops on cpu, and of the activations on wasm: TensorInfo -> arrays -> loop or micro-kernel -> TensorInfo.
 * x is float32. Attributes are those of tfjs.
 */
import type { Floats } from '../arrays.js';
import { simdFor } from '../runtime/options.js';
import { withSimd } from '../runtime/simd/instance.js';
import type { SimdLevel } from '../runtime/simd/modules.js';
import { heapOf, type Kernel, makeResult, readFloat32, readFloats } from '../runtime/tensors.js';
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
import { activationGradient } from './simd.js';

/** Below this many values the plain loops are faster. */
const LEAST_VALUES = 256;

/** y = op(x): of x's shape */
function unaryKernel(name: UnaryName): Kernel {
  return ({ inputs: { x }, attrs, backend }) => {
    return makeResult(backend, x.shape, (y) => {
      unaryLoops[name](readFloat32(backend, 'x', x), y(), attrs);
    });
  };
}

/** dx = dy * op'(x): of x's shape */
function gradientKernel(name: WithGradient): Kernel {
  return ({ inputs: { dy, x }, attrs, backend }) => {
    return makeResult(backend, x.shape, (dx) => {
      const [dyValues, values] = [readFloats(backend, 'dy', dy), readFloats(backend, 'x', x)];
      const level = levelFor(dyValues, values);
      if (!level) return gradientLoops[name](dyValues, values, dx(), attrs);
      const [dyFloats, floats] = [dyValues, values] as Float32Array[];
      withSimd(level, (w) => activationGradient(w, name, dyFloats, floats, dx(), attrs), heapOf(backend));
    });
  };
}

/** The SIMD build that serves, if one does. */
function levelFor(dy: Floats, x: Floats): SimdLevel | undefined {
  const areFloats = dy instanceof Float32Array && x instanceof Float32Array;
  return areFloats && x.length > 0 ? simdFor(x.length >= LEAST_VALUES) : undefined;
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

const { Relu, Relu6, ClipByValue, Step } = kernelsOf(unary, unaryKernel, '');

/** The activations that have gradients here, and the gradients. */
export const activationKernels = {
  Relu,
  Relu6,
  ClipByValue,
  ...kernelsOf(unaryGradients, gradientKernel, 'Grad'),
};

export const elementwiseKernels = {
  ...activationKernels,
  Step,
  ...kernelsOf(binary, binaryKernel, ''),
};

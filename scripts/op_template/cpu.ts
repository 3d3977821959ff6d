/** tfjs 'cpu' kernels of templateOp: TensorInfo -> arrays -> numeric function -> TensorInfo. */
import { sizeOf } from '../../kernels/geometry.js';
import { type Kernel, makeTensor, readFloats } from '../../kernels/runtime/tensors.js';
import * as numeric from './definition.js';

/** y: x's shape */
export const templateOp: Kernel = ({ inputs, backend }) => {
  const { x } = inputs;
  const y = new Float32Array(sizeOf(x.shape));
  numeric.templateOp(readFloats(backend, 'x', x), y);
  return makeTensor(backend, x.shape, 'float32', y);
};

/** dx: x's shape */
export const templateOpGrad: Kernel = ({ inputs, backend }) => {
  const { dy, x } = inputs;
  const dx = new Float32Array(sizeOf(x.shape));
  numeric.templateOpGrad(readFloats(backend, 'dy', dy), readFloats(backend, 'x', x), dx);
  return makeTensor(backend, x.shape, 'float32', dx);
};

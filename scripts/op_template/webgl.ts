/** tfjs 'webgl' kernels of templateOp, as in definition.ts. One fragment computes one element of the result. */
import { webglKernel } from '../../kernels/runtime/webgl/kernel.js';
import { runShader } from '../../kernels/runtime/webgl/program.js';

/** y: x's shape */
export const templateOp = webglKernel('TemplateOp', ({ inputs, backend }) => {
  const { x } = inputs;
  return runShader(
    backend,
    { x },
    {},
    x.shape,
    'float32',
    `
    void main() {
      float x = getX(getOutputCoords());
      setOutput(x / 0.); // Fill in kernels/template_op/webgl.ts.
    }`,
  );
});

/** dx: x's shape */
export const templateOpGrad = webglKernel('TemplateOpGrad', ({ inputs, backend }) => {
  const { dy, x } = inputs;
  return runShader(
    backend,
    { dy, x },
    {},
    x.shape,
    'float32',
    `
    void main() {
      int i = getOutputCoords();
      setOutput(getDy(i) * getX(i) / 0.); // Fill in kernels/template_op/webgl.ts.
    }`,
  );
});

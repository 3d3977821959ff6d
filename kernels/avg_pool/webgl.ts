/**
 * tfjs 'webgl' kernels of average pooling: the definition (definition.ts), with one fragment for each element of the
 * result. The packed programs, for NHWC, have one fragment for each texel.
 *
 *   y[b, oy, ox, c]   the sum over the window / n
 *   dx[b, iy, ix, c]  the sum of dy / n over the windows that see the cell
 *
 * The same function counts n for both. The GPU does the division, which may be off by a few ulp.
 */
import type { MathBackendWebGL } from '@tensorflow/tfjs-backend-webgl';
import type { TensorInfo } from '@tensorflow/tfjs-core';
import { type PoolGeometry, withDyShape } from '../geometry.js';
import { dilated, gather, isPacked, scan } from '../runtime/webgl/pooling.js';
import { poolGeometryOf } from '../runtime/tensors.js';
import { webglKernel } from '../runtime/webgl/kernel.js';
import { emptyTexels } from '../runtime/webgl/texels.js';
import { eachTap, eachWindow, runShader, type Uniforms, windowUniforms } from '../runtime/webgl/program.js';

/** y: [batch, outHeight, outWidth, channels] */
export const avgPool = webglKernel('AvgPool', ({ inputs: { x }, attrs, backend }) => {
  const g = poolGeometryOf(x, attrs);
  if (isPacked(backend, g, x)) return packedAvgPool(backend, g, x);
  return runShader(
    backend,
    { x },
    avgUniforms(g),
    g.outShape,
    'float32',
    `${divisorGlsl(g)}
    void main() {
      ivec4 y = coordsOf(getOutputCoords(), ySteps, ySize);
      ivec2 corner = y.yz * strides - pads;
      float sum = 0.;
      ${eachTap(`sum += getX(indexOf(ivec4(y.x, iy, ix, y.w), xSteps));`)}
      int n = divisor(corner);
      setOutput(n == 0 ? 0. : sum / float(n));
    }`,
  );
});

/** dx: the shape of `input`. The values of `input` are not needed. */
export const avgPoolGrad = webglKernel('AvgPoolGrad', ({ inputs: { dy, input }, attrs, backend }) => {
  const g = withDyShape(poolGeometryOf(input, attrs), dy.shape);
  if (isPacked(backend, g, dy)) return packedAvgPoolGrad(backend, g, dy);
  return runShader(
    backend,
    { dy },
    avgUniforms(g),
    input.shape,
    'float32',
    `${divisorGlsl(g)}
    void main() {
      ivec4 x = coordsOf(getOutputCoords(), xSteps, xSize);
      float sum = 0.;
      ${eachWindow(`
        ivec2 corner = ivec2(oy, ox) * strides - pads;
        sum += getDy(indexOf(ivec4(x.x, oy, ox, x.w), ySteps)) / float(divisor(corner));`)}
      setOutput(sum);
    }`,
  );
});

function packedAvgPool(backend: MathBackendWebGL, g: PoolGeometry, x: TensorInfo): TensorInfo {
  const y = emptyTexels(backend, g.outShape);
  scan(backend, g, x, [y], avgUniforms(g), {
    functions: divisorGlsl(g),
    start: 'vec4 sum = vec4(0.);',
    step: 'sum += vec4(inside ? x.xy : vec2(0.), nextInside ? x.zw : vec2(0.));',
    finish: `
      float n = float(divisor(corner));
      float nextN = float(divisor(corner + ivec2(0, strides.y)));
      z0 = vec4(n == 0. ? vec2(0.) : sum.xy / n, nextN == 0. ? vec2(0.) : sum.zw / nextN);`,
  });
  return y;
}

function packedAvgPoolGrad(backend: MathBackendWebGL, g: PoolGeometry, dy: TensorInfo): TensorInfo {
  const dx = emptyTexels(backend, g.inShape);
  gather(backend, g, { dy }, dx, avgUniforms(g), {
    functions: divisorGlsl(g),
    column: (j, ox) => `int n${j} = columnTaps(${ox} * strides.y - pads.y);`,
    row: (columns) =>
      `int rows = rowTaps(oy * strides.x - pads.x);
      ${columns.map((j) => `dy_c${j} /= float(rows * n${j});`).join('\n')}`,
    step: 'sum += tap < 0. ? vec2(0.) : dyHere;',
  });
  return dx;
}

/** n: the number of taps of the window at `corner` that lie in x, or in the padded x with countIncludePad. */
const divisorGlsl = (g: PoolGeometry) => `
  int taps(int start, int filterSize, int dilation, int size) {
    int first = start >= 0 ? 0 : ${dilated(g, '(dilation - 1 - start) / dilation', '-start')};
    int end = start >= size ? 0 : ${dilated(g, '(size - start + dilation - 1) / dilation', 'size - start')};
    if (end > filterSize) end = filterSize;
    return end > first ? end - first : 0;
  }
  int rowTaps(int start) {
    return taps(start + counted.x, filterSize.x, dilations.x, xSize.y + counted.x + counted.y);
  }
  int columnTaps(int start) {
    return taps(start + counted.z, filterSize.y, dilations.y, xSize.z + counted.z + counted.w);
  }
  int divisor(ivec2 corner) {
    return rowTaps(corner.x) * columnTaps(corner.y);
  }
`;

function avgUniforms(g: PoolGeometry): Uniforms {
  const counted = g.countIncludePad ? [g.padTop, g.padBottom, g.padLeft, g.padRight] : [0, 0, 0, 0];
  return { ...windowUniforms(g), counted };
}

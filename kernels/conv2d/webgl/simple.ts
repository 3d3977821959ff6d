/**
 * Convolution in any layout, with groups, on any GPU: the definition (../definition.ts), with one fragment for each
 * element of the result.
 *
 *   y[b, oy, ox, oc]         sums over fy, fx, ic
 *   dx[b, iy, ix, c]         sums over fy, fx, oc: over the windows that see the cell, each at the tap that sees it
 *   dFilter[fy, fx, ic, oc]  sums over b, oy, ox
 *
 * Sums are in float32, or in half floats where textures hold half floats. They add one product after the other.
 */
import type { MathBackendWebGL } from '@tensorflow/tfjs-backend-webgl';
import type { TensorInfo } from '@tensorflow/tfjs-core';
import type { ConvGeometry } from '../../geometry.js';
import {
  eachTap,
  eachWindow,
  runShader,
  type Uniforms,
  windowUniforms,
} from '../../runtime/webgl/program.js';
import { broadcastSteps } from '../../broadcast.js';
import { type ActivationName, alignedShape } from '../activation.js';

/** GLSL of each activation of z, as in activation.ts. `alpha` is the slope of leakyrelu or the weight of prelu. */
export const ACTIVATIONS: Record<ActivationName, string> = {
  linear: 'z',
  relu: 'z < 0. ? 0. : z',
  relu6: 'z < 0. ? 0. : z > 6. ? 6. : z',
  elu: 'z >= 0. ? z : exp(z) - 1.',
  leakyrelu: 'z < 0. ? alpha * z : z',
  prelu: 'z < 0. ? alpha * z : z',
  sigmoid: '1. / (1. + exp(-z))',
  tanh: 'sign(z) * (1. - exp(-2. * abs(z))) / (1. + exp(-2. * abs(z)))',
};

/** What follows the sum: tensors that broadcast to y, the activation, and the slope of leakyrelu. */
export interface SimpleEpilogue {
  bias?: TensorInfo;
  /** The weights of prelu. */
  weights?: TensorInfo;
  activation: ActivationName;
  leakyreluAlpha: number;
}

/** y: [batch, outHeight, outWidth, outChannels] */
export function simpleConv2d(
  backend: MathBackendWebGL,
  g: ConvGeometry,
  x: TensorInfo,
  filter: TensorInfo,
  { bias, weights, activation, leakyreluAlpha }: SimpleEpilogue,
): TensorInfo {
  return runShader(
    backend,
    { x, filters: filter, ...(bias && { bias }), ...(weights && { weights }) },
    {
      ...convUniforms(g),
      ...(bias && { biasSteps: broadcastTo(g, 'bias', bias) }),
      ...(weights && { weightSteps: broadcastTo(g, 'preluActivationWeights', weights) }),
      ...(activation === 'leakyrelu' && { alpha: leakyreluAlpha }),
    },
    g.outShape,
    'float32',
    `
    void main() {
      ivec4 y = coordsOf(getOutputCoords(), ySteps, ySize);
      int group = y.w / perGroup.y;
      ivec2 corner = y.yz * strides - pads;
      float z = 0.;
      ${eachTap(`
        for (int ic = 0; ic < perGroup.x; ic++) {
          z += getX(indexOf(ivec4(y.x, iy, ix, group * perGroup.x + ic), xSteps)) *
              getFilters(indexOf(ivec4(fy, fx, ic, y.w), filterSteps));
        }`)}
      ${bias ? 'z += getBias(indexOf(y, biasSteps));' : ''}
      ${weights ? 'float alpha = getWeights(indexOf(y, weightSteps));' : ''}
      setOutput(${ACTIVATIONS[activation]});
    }`,
  );
}

/** dx: of x's shape */
export function simpleConv2dBackpropInput(
  backend: MathBackendWebGL,
  g: ConvGeometry,
  dy: TensorInfo,
  filter: TensorInfo,
): TensorInfo {
  return runShader(
    backend,
    { dy, filters: filter },
    convUniforms(g),
    g.inShape,
    'float32',
    `
    void main() {
      ivec4 x = coordsOf(getOutputCoords(), xSteps, xSize);
      int group = x.w / perGroup.x;
      int ic = x.w - group * perGroup.x;
      float sum = 0.;
      ${eachWindow(`
        for (int i = 0; i < perGroup.y; i++) {
          int oc = group * perGroup.y + i;
          sum += getDy(indexOf(ivec4(x.x, oy, ox, oc), ySteps)) *
              getFilters(indexOf(ivec4(fy, fx, ic, oc), filterSteps));
        }`)}
      setOutput(sum);
    }`,
  );
}

/** dFilter: of the filter's shape */
export function simpleConv2dBackpropFilter(
  backend: MathBackendWebGL,
  g: ConvGeometry,
  x: TensorInfo,
  dy: TensorInfo,
): TensorInfo {
  return runShader(
    backend,
    { x, dy },
    { ...convUniforms(g), filterSizes: [...g.filterShape] },
    g.filterShape,
    'float32',
    `
    void main() {
      ivec4 f = coordsOf(getOutputCoords(), filterSteps, filterSizes);
      int c = (f.w / perGroup.y) * perGroup.x + f.z;
      float sum = 0.;
      for (int b = 0; b < xSize.x; b++) {
        for (int oy = 0; oy < ySize.y; oy++) {
          int iy = oy * strides.x - pads.x + f.x * dilations.x;
          if (iy < 0 || iy >= xSize.y) continue;
          for (int ox = 0; ox < ySize.z; ox++) {
            int ix = ox * strides.y - pads.y + f.y * dilations.y;
            if (ix < 0 || ix >= xSize.z) continue;
            sum += getX(indexOf(ivec4(b, iy, ix, c), xSteps)) * getDy(indexOf(ivec4(b, oy, ox, f.w), ySteps));
          }
        }
      }
      setOutput(sum);
    }`,
  );
}

function convUniforms(g: ConvGeometry): Uniforms {
  const [, width, inPerGroup, outChannels] = g.filterShape;
  return {
    ...windowUniforms(g),
    perGroup: [inPerGroup, g.outChannels / g.groups],
    filterSteps: [width * inPerGroup * outChannels, inPerGroup * outChannels, outChannels, 1],
  };
}

/** Steps of a tensor that is broadcast to y, in the order (batch, row, column, channel). */
function broadcastTo(g: ConvGeometry, name: string, { shape }: TensorInfo): number[] {
  const [b, i, j, k] = broadcastSteps(alignedShape(name, shape, g.outShape, g.dataFormat), 4);
  return g.dataFormat === 'NHWC' ? [b, i, j, k] : [b, j, k, i];
}

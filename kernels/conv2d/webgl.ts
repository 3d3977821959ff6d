/**
 * tfjs 'webgl' kernels of convolution: the definition (definition.ts), one fragment for each element of the result.
 *
 *   y[b, oy, ox, oc]        sums over fy, fx, ic
 *   dx[b, iy, ix, c]        sums over fy, fx, oc: the windows that see the cell, each through the tap it sees it by
 *   dFilter[fy, fx, ic, oc] sums over b, oy, ox
 *
 * Sums are in float32 (half floats where the textures are), one product after the other.
 */
import type { MathBackendWebGL } from '@tensorflow/tfjs-backend-webgl';
import { env, type TensorInfo } from '@tensorflow/tfjs-core';
import { type ConvGeometry, convGeometry, sizeOf, withDyShape } from '../geometry.js';
import type { Kernel } from '../runtime/tensors.js';
import { runShader, type Uniforms, windowUniforms } from '../runtime/webgl/program.js';
import { fits, packedSize, targetsOf } from '../runtime/webgl/texels.js';
import { blockedConv2d, blockedConv2dBackpropFilter, blockedConv2dBackpropInput } from './webgl_blocked.js';
import type { Epilogue } from './webgl_blocked_glsl.js';
import { type ActivationName, alignedShape, broadcastSteps, checkActivation } from './activation.js';
import type { ConvAttrs, FusedAttrs } from './attrs.js';

/** GLSL of each activation of z; `alpha` is leakyrelu's slope or prelu's weight. As in activation.ts. */
const ACTIVATIONS: Record<ActivationName, string> = {
  linear: 'z',
  relu: 'z < 0. ? 0. : z',
  relu6: 'z < 0. ? 0. : z > 6. ? 6. : z',
  elu: 'z >= 0. ? z : exp(z) - 1.',
  leakyrelu: 'z < 0. ? alpha * z : z',
  prelu: 'z < 0. ? alpha * z : z',
  sigmoid: '1. / (1. + exp(-z))',
  tanh: 'sign(z) * (1. - exp(-2. * abs(z))) / (1. + exp(-2. * abs(z)))',
};

/** y: [batch, outHeight, outWidth, outChannels] */
export const conv2d: Kernel = (args) =>
  fusedConv2d({ ...args, attrs: { ...args.attrs, activation: 'linear' } });

/** y = activation(conv2d(x, filter) + bias); bias and preluActivationWeights broadcast to y. */
export const fusedConv2d: Kernel = ({ inputs, attrs, backend }) => {
  const { x, filter, preluActivationWeights: weights } = inputs;
  const bias = inputs.bias as TensorInfo | undefined;
  const { leakyreluAlpha, activation: given, ...options } = attrs as unknown as FusedAttrs;
  const activation = given ?? 'linear';
  checkActivation(activation, weights);
  const g = convGeometry(x.shape, filter.shape, options);
  const isPrelu = activation === 'prelu';
  const epilogue = epilogueOf(g, inputs, activation, leakyreluAlpha);
  const targets = epilogue ? blockTargets(backend as MathBackendWebGL, g, x, filter) : 0;
  if (epilogue && targets > 0) {
    return blockedConv2d(backend as MathBackendWebGL, g, x, filter, targets, epilogue);
  }
  return runShader(
    backend as MathBackendWebGL,
    { x, filters: filter, ...(bias && { bias }), ...(isPrelu && { weights }) },
    {
      ...convUniforms(g),
      ...(bias && { biasSteps: broadcastTo(g, 'bias', bias) }),
      ...(isPrelu && { weightSteps: broadcastTo(g, 'preluActivationWeights', weights) }),
      ...(activation === 'leakyrelu' && { alpha: leakyreluAlpha ?? 0.2 }),
    },
    g.outShape,
    'float32',
    `
    void main() {
      ivec4 y = coordsOf(getOutputCoords(), ySteps, ySize);
      int group = y.w / perGroup.y;
      ivec2 corner = y.yz * strides - pads;
      float z = 0.;
      for (int fy = 0; fy < filterSize.x; fy++) {
        int iy = corner.x + fy * dilations.x;
        if (iy < 0 || iy >= xSize.y) continue;
        for (int fx = 0; fx < filterSize.y; fx++) {
          int ix = corner.y + fx * dilations.y;
          if (ix < 0 || ix >= xSize.z) continue;
          for (int ic = 0; ic < perGroup.x; ic++) {
            z += getX(indexOf(ivec4(y.x, iy, ix, group * perGroup.x + ic), xSteps)) *
                getFilters(indexOf(ivec4(fy, fx, ic, y.w), filterSteps));
          }
        }
      }
      ${bias ? 'z += getBias(indexOf(y, biasSteps));' : ''}
      ${isPrelu ? 'float alpha = getWeights(indexOf(y, weightSteps));' : ''}
      setOutput(${ACTIVATIONS[activation]});
    }`,
  );
};

/** dx: attrs.inputShape */
export const conv2dBackpropInput: Kernel = ({ inputs, attrs, backend }) => {
  const { dy, filter } = inputs;
  const { inputShape, ...options } = attrs as unknown as ConvAttrs;
  const g = withDyShape(convGeometry(inputShape, filter.shape, options), dy.shape);
  const targets = blockTargets(backend as MathBackendWebGL, g, dy, filter);
  if (targets > 0) {
    return blockedConv2dBackpropInput(backend as MathBackendWebGL, g, dy, filter, targets);
  }
  return runShader(
    backend as MathBackendWebGL,
    { dy, filters: filter },
    convUniforms(g),
    inputShape,
    'float32',
    `
    void main() {
      ivec4 x = coordsOf(getOutputCoords(), xSteps, xSize);
      int group = x.w / perGroup.x;
      int ic = x.w - group * perGroup.x;
      float sum = 0.;
      for (int fy = 0; fy < filterSize.x; fy++) {
        int oy = positionOf(x.y + pads.x - fy * dilations.x, strides.x, ySize.y);
        if (oy < 0) continue;
        for (int fx = 0; fx < filterSize.y; fx++) {
          int ox = positionOf(x.z + pads.y - fx * dilations.y, strides.y, ySize.z);
          if (ox < 0) continue;
          for (int i = 0; i < perGroup.y; i++) {
            int oc = group * perGroup.y + i;
            sum += getDy(indexOf(ivec4(x.x, oy, ox, oc), ySteps)) *
                getFilters(indexOf(ivec4(fy, fx, ic, oc), filterSteps));
          }
        }
      }
      setOutput(sum);
    }`,
  );
};

/** dFilter: attrs.filterShape */
export const conv2dBackpropFilter: Kernel = ({ inputs, attrs, backend }) => {
  const { x, dy } = inputs;
  const { filterShape, ...options } = attrs as unknown as ConvAttrs;
  const g = withDyShape(convGeometry(x.shape, filterShape, options), dy.shape);
  const targets = blockTargets(backend as MathBackendWebGL, g, x, dy);
  if (targets > 0) return blockedConv2dBackpropFilter(backend as MathBackendWebGL, g, x, dy, targets);
  return runShader(
    backend as MathBackendWebGL,
    { x, dy },
    { ...convUniforms(g), filterSizes: [...filterShape] },
    filterShape,
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
};

/** How many texels a fragment of the blocked programs may write; 0 where only the simple programs serve. */
function blockTargets(backend: MathBackendWebGL, g: ConvGeometry, ...inputs: TensorInfo[]): number {
  const isSupported = g.dataFormat === 'NHWC' && g.groups === 1;
  const shapes = [g.inShape, g.outShape, ...inputs.map(({ shape }) => shape)];
  const isFlat = packedSize(g.filterShape).rows <= env().getNumber('WEBGL_MAX_TEXTURE_SIZE');
  return isSupported && isFlat && fits(g.filterShape) && shapes.every(fits) ? targetsOf(backend) : 0;
}

/** Bias and activation on texels; undefined where one of them is neither a single value nor one for each channel. */
function epilogueOf(
  g: ConvGeometry,
  { bias, preluActivationWeights }: Record<string, TensorInfo | undefined>,
  activation: ActivationName,
  leakyreluAlpha = 0.2,
): Epilogue | undefined {
  const weights = activation === 'prelu' ? preluActivationWeights : undefined;
  const inputs = { ...(bias && { bias }), ...(weights && { weights }) };
  const channels = (name: string, argument: string, { shape }: TensorInfo) => {
    alignedShape(argument, shape, g.outShape, g.dataFormat);
    const size = sizeOf(shape);
    if (size === 1) return `${name}At(ivec2(0)).xxxx`;
    const isVector = size === g.outChannels && shape[shape.length - 1] === size;
    return isVector ? `${name}At(ivec2(column, 0)).xyxy` : undefined;
  };
  const add = bias && channels('bias', 'bias', bias);
  const alpha = weights && channels('weights', 'preluActivationWeights', weights);
  if ((bias && !add) || (weights && !alpha)) return undefined;
  const isLeaky = activation === 'leakyrelu';
  return {
    inputs,
    uniforms: isLeaky ? { slope: leakyreluAlpha } : {},
    functions: `float activation(float z, float alpha) { return ${ACTIVATIONS[activation]}; }`,
    code: `
    ${add ? `z += ${add};` : ''}
    vec4 alpha = ${alpha ?? (isLeaky ? 'vec4(slope)' : 'vec4(0.)')};
    ${activation === 'linear' ? '' : `z = vec4(${[0, 1, 2, 3].map((i) => `activation(z[${i}], alpha[${i}])`)});`}`,
  };
}

function convUniforms(g: ConvGeometry): Uniforms {
  const [, width, inPerGroup, outChannels] = g.filterShape;
  return {
    ...windowUniforms(g),
    perGroup: [inPerGroup, g.outChannels / g.groups],
    filterSteps: [width * inPerGroup * outChannels, inPerGroup * outChannels, outChannels, 1],
  };
}

/** Steps of a tensor that is broadcast to y, as (batch, row, column, channel). */
function broadcastTo(g: ConvGeometry, name: string, { shape }: TensorInfo): number[] {
  const [b, i, j, k] = broadcastSteps(alignedShape(name, shape, g.outShape, g.dataFormat));
  return g.dataFormat === 'NHWC' ? [b, i, j, k] : [b, j, k, i];
}

/**
 * tfjs 'webgl' kernels of convolution: TensorInfo -> program -> TensorInfo.
 *
 *   webgl/blocked.ts                        the fast programs, for NHWC without groups
 *   ../depthwise_conv2d/webgl/blocked.ts    and with a group for each channel
 *   webgl/simple.ts                         the programs for everything else
 *
 * inputs and attrs are those of tfjs. The attribute `groups` is added. In the gradients `dilations` is added too.
 */
import type { MathBackendWebGL } from '@tensorflow/tfjs-backend-webgl';
import { env, type TensorInfo } from '@tensorflow/tfjs-core';
import * as depthwise from '../depthwise_conv2d/webgl/blocked.js';
import { type ConvGeometry, convGeometry, isDepthwise, sizeOf, withDyShape } from '../geometry.js';
import { webglKernel } from '../runtime/webgl/kernel.js';
import { fits, packedSize, targetsOf } from '../runtime/webgl/texels.js';
import * as dense from './webgl/blocked.js';
import type { Epilogue } from './webgl/blocked_glsl.js';
import {
  ACTIVATIONS,
  simpleConv2d,
  simpleConv2dBackpropFilter,
  simpleConv2dBackpropInput,
} from './webgl/simple.js';
import { type ActivationName, alignedShape } from './activation.js';
import { type ConvAttrs, readFusedAttrs } from './attrs.js';

/**
 * The kernels of the convolutions whose geometry a function computes.
 * @param name tfjs's name of the kernel y, in errors
 */
export function convKernels(name: string, geometryOf: typeof convGeometry) {
  /** y = activation(conv2d(x, filter) + bias): [batch, outHeight, outWidth, outChannels]. bias and preluActivationWeights broadcast to y. */
  const forward = webglKernel(name, ({ inputs, attrs, backend }) => {
    const { x, filter, preluActivationWeights: weights } = inputs;
    const bias = inputs.bias as TensorInfo | undefined;
    const { activation, leakyreluAlpha, options } = readFusedAttrs(attrs, weights);
    const g = geometryOf(x.shape, filter.shape, options);
    const epilogue = epilogueOf(g, inputs, activation, leakyreluAlpha);
    const targets = epilogue ? blockTargets(backend, g, depthwise.servesConv2d, x, filter) : 0;
    if (epilogue && targets > 0) {
      return blocked(g).blockedConv2d(backend, g, x, filter, targets, epilogue);
    }
    return simpleConv2d(backend, g, x, filter, {
      bias,
      weights: activation === 'prelu' ? weights : undefined,
      activation,
      leakyreluAlpha,
    });
  });

  /** dx: attrs.inputShape */
  const backpropInput = webglKernel(`${name}BackpropInput`, ({ inputs, attrs, backend }) => {
    const { dy, filter } = inputs;
    const options = attrs as unknown as ConvAttrs;
    const { inputShape } = options;
    const g = withDyShape(geometryOf(inputShape, filter.shape, options), dy.shape);
    const targets = blockTargets(backend, g, depthwise.servesConv2dBackpropInput, dy, filter);
    if (targets > 0) {
      return blocked(g).blockedConv2dBackpropInput(backend, g, dy, filter, targets);
    }
    return simpleConv2dBackpropInput(backend, g, dy, filter);
  });

  /** dFilter: attrs.filterShape */
  const backpropFilter = webglKernel(`${name}BackpropFilter`, ({ inputs, attrs, backend }) => {
    const { x, dy } = inputs;
    const options = attrs as unknown as ConvAttrs;
    const { filterShape } = options;
    const g = withDyShape(geometryOf(x.shape, filterShape, options), dy.shape);
    const targets = blockTargets(backend, g, depthwise.servesConv2dBackpropFilter, x, dy);
    const dFilter =
      targets > 0
        ? blocked(g).blockedConv2dBackpropFilter(backend, g, x, dy, targets)
        : simpleConv2dBackpropFilter(backend, g, x, dy);
    return { ...dFilter, shape: filterShape };
  });

  return { forward, backpropInput, backpropFilter };
}

/** The kernels Conv2D and FusedConv2D. Conv2D has no bias, and no activation among its attributes. */
export const {
  forward: conv2d,
  backpropInput: conv2dBackpropInput,
  backpropFilter: conv2dBackpropFilter,
} = convKernels('Conv2D', convGeometry);

/** The fast programs of a geometry. */
const blocked = (g: ConvGeometry) => (isDepthwise(g) ? depthwise : dense);

/**
 * How many texels a fragment of the blocked programs may write. It is 0 where only the simple programs serve.
 * @param serves whether the depthwise programs serve this geometry with so many targets
 */
function blockTargets(
  backend: MathBackendWebGL,
  g: ConvGeometry,
  serves: (g: ConvGeometry, targets: number) => boolean,
  ...inputs: TensorInfo[]
): number {
  if (g.dataFormat !== 'NHWC' || (g.groups > 1 && !isDepthwise(g))) return 0;
  const filterShape = isDepthwise(g) ? depthwise.filterShape(g) : g.filterShape;
  const isFlat = isDepthwise(g) || packedSize(filterShape).rows <= env().getNumber('WEBGL_MAX_TEXTURE_SIZE');
  const shapes = [g.inShape, g.outShape, filterShape, ...inputs.map(({ shape }) => shape)];
  const targets = isFlat && shapes.every(fits) ? targetsOf(backend) : 0;
  return !isDepthwise(g) || serves(g, targets) ? targets : 0;
}

/** Bias and activation on texels. Undefined if one of them is neither a single value nor one value for each channel. */
function epilogueOf(
  g: ConvGeometry,
  { bias, preluActivationWeights }: Record<string, TensorInfo | undefined>,
  activation: ActivationName,
  leakyreluAlpha: number,
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

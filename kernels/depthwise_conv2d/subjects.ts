/** What the kernels of depthwise convolution have to prove on each case of cases.ts. */
import type { ConvCase } from '../conv2d/cases.js';
import { convDiffersOnWasm, type Differences, subjectsOf } from '../conv2d/subjects.js';
import { type ConvGeometry, depthwiseGeometry } from '../geometry.js';
import * as depthwise from './definition.js';

export const depthwiseSubjects = subjectsOf({
  forward: 'DepthwiseConv2dNative',
  fused: 'FusedDepthwiseConv2D',
  geometryOf: depthwiseGeometry,
  definition: depthwise,
  differences: depthwiseDifferences,
});

function depthwiseDifferences(c: ConvCase, g: ConvGeometry): Differences {
  const tfjsDiffers = depthwiseDiffers(c, g);
  const wasm = tfjsDiffers ?? convDiffersOnWasm(c, g);
  const dilated = g.dilationHeight * g.dilationWidth > 1;
  const gradient = tfjsDiffers ?? (dilated ? 'row 4: dilations are ignored' : undefined);
  const onWasm = { tfjsDiffersOn: { wasm: 'row 39: there is no such kernel' } };
  return {
    forward: { tfjsDiffers, tfjsDiffersOn: { ...(wasm && { wasm }) } },
    backpropInput: { tfjsDiffers: gradient, ...onWasm },
    backpropFilter: { tfjsDiffers: gradient, ...onWasm },
  };
}

function depthwiseDiffers(c: ConvCase, g: ConvGeometry): string | undefined {
  if (c.dataFormat === 'NCHW') return 'row 38: NCHW is taken for NHWC';
  if (c.activation === 'tanh') return 'row 11: no fused tanh';
  const strided = g.strideHeight * g.strideWidth > 1;
  if (strided && g.dilationHeight * g.dilationWidth > 1) return 'row 11: no stride with dilation';
  const unequal = g.effectiveFilterHeight !== g.effectiveFilterWidth || g.strideHeight !== g.strideWidth;
  if (typeof c.pad === 'number' && unequal) return 'row 3: a numeric pad ignores the width';
  return undefined;
}

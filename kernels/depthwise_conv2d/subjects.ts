/** What the kernels of depthwise convolution have to prove on each case of cases.ts. */
import type { ConvCase } from '../conv2d/cases.js';
import { type ConvKind, subjectsOfKind } from '../conv2d/subjects.js';
import { type ConvGeometry, depthwiseGeometry } from '../geometry.js';
import type { Subject } from '../proof.js';
import * as definition from './definition.js';

export function depthwiseSubjects(c: ConvCase): Subject[] {
  return subjectsOfKind(c, {
    forward: 'DepthwiseConv2dNative',
    fused: 'FusedDepthwiseConv2D',
    geometryOf: depthwiseGeometry,
    definition,
    differences,
  });
}

function differences(c: ConvCase, g: ConvGeometry): ReturnType<ConvKind['differences']> {
  const dilated = g.dilationHeight * g.dilationWidth > 1;
  const everywhere = differsEverywhere(c, g);
  const gradient = everywhere ?? (dilated ? 'row 4: dilations are ignored' : undefined);
  const onWasm = everywhere ?? differsOnWasm(c, g);
  const forward = {
    tfjsDiffers: everywhere,
    ...(onWasm && { tfjsDiffersOn: { wasm: onWasm } }),
  };
  const backward = { tfjsDiffers: gradient, tfjsDiffersOn: { wasm: 'row 5: there is no such kernel' } };
  return { forward, fused: forward, dx: backward, dFilter: backward };
}

function differsEverywhere(c: ConvCase, g: ConvGeometry): string | undefined {
  if (c.activation === 'tanh') return 'row 11: no fused tanh';
  if (g.dataFormat === 'NCHW') return 'row 31: NCHW is taken for NHWC';
  const [stride, dilation] = [g.strideHeight * g.strideWidth, g.dilationHeight * g.dilationWidth];
  if (stride > 1 && dilation > 1) return 'row 11: no stride together with a dilation';
  const unequal = g.effectiveFilterHeight !== g.effectiveFilterWidth || g.strideHeight !== g.strideWidth;
  return typeof c.pad === 'number' && unequal ? 'row 3: a numeric pad ignores the width' : undefined;
}

/** tfjs's kernels on wasm call XNNPACK, as for convolution. */
function differsOnWasm(c: ConvCase, g: ConvGeometry): string | undefined {
  if (c.bias && c.bias.length !== 1) return 'row 25: the bias must be of shape [outChannels]';
  if (c.dimRoundingMode === 'ceil') return "row 25: 'ceil' leaves cells undefined";
  const skips = g.strideHeight > g.effectiveFilterHeight || g.strideWidth > g.effectiveFilterWidth;
  return c.pad === 'same' && skips ? "row 25: 'same' with a stride above the window pads wrongly" : undefined;
}

/** Named cases of convolution, pure data. Tests, benchmarks, the command line and the page use them. */
import type { ConvOptions } from '../geometry.js';
import type { ActivationName } from './activation.js';

export interface ConvCase extends ConvOptions {
  name: string;
  /** Shape of x, in the case's dataFormat. */
  x: readonly number[];
  /** [filterHeight, filterWidth, inChannels / groups, outChannels] */
  filter: readonly number[];
  /** Shape of the bias. A case that has an activation is a case of FusedConv2D. */
  bias?: readonly number[];
  activation?: ActivationName;
  /** Shape of the weights of prelu. */
  preluActivationWeights?: readonly number[];
  leakyreluAlpha?: number;
}

export const convCases: readonly ConvCase[] = [
  { name: 'one channel, valid', x: [1, 5, 5, 1], filter: [3, 3, 1, 1] },
  { name: 'same', x: [2, 6, 5, 3], filter: [3, 3, 3, 4], pad: 'same' },
  { name: 'even filter, same', x: [2, 5, 6, 2], filter: [2, 4, 2, 3], pad: 'same' },
  { name: '1x1', x: [2, 4, 3, 5], filter: [1, 1, 5, 6] },
  { name: '1x7', x: [1, 9, 9, 3], filter: [1, 7, 3, 5], pad: 'same' },
  { name: '7x1, unequal strides', x: [1, 9, 9, 3], filter: [7, 1, 3, 5], pad: 'same', strides: [1, 3] },
  { name: 'stride 2, same', x: [2, 7, 8, 3], filter: [3, 3, 3, 5], pad: 'same', strides: 2 },
  { name: 'stride 2 that does not divide', x: [1, 8, 8, 2], filter: [3, 3, 2, 3], strides: 2 },
  { name: 'stride larger than the filter', x: [1, 9, 9, 2], filter: [2, 2, 2, 3], strides: 3 },
  { name: 'numeric pad', x: [1, 5, 6, 2], filter: [3, 3, 2, 3], pad: 2, strides: 2 },
  { name: 'numeric pad, unequal filter', x: [1, 5, 5, 2], filter: [3, 1, 2, 3], pad: 1 },
  { name: 'explicit pads', x: [1, 5, 6, 2], filter: [3, 2, 2, 3], pad: [[0, 0], [2, 0], [1, 3], [0, 0]] }, // prettier-ignore
  {
    name: "pad 1, 'ceil'",
    x: [1, 6, 6, 2],
    filter: [3, 3, 2, 3],
    pad: 1,
    strides: 2,
    dimRoundingMode: 'ceil',
  },
  { name: 'dilation 2', x: [2, 8, 7, 3], filter: [3, 3, 3, 4], dilations: 2 },
  { name: 'dilations [2, 3], same', x: [1, 9, 8, 2], filter: [3, 2, 2, 3], dilations: [2, 3], pad: 'same' },
  {
    name: 'stride 2 with dilation 2',
    x: [1, 9, 10, 2],
    filter: [3, 3, 2, 3],
    strides: 2,
    dilations: 2,
    pad: 'same',
  },
  { name: 'NCHW', x: [2, 3, 6, 5], filter: [3, 3, 3, 4], dataFormat: 'NCHW', pad: 'same' },
  { name: 'NCHW, stride 2, explicit pads', x: [1, 2, 6, 7], filter: [3, 2, 2, 3], dataFormat: 'NCHW', strides: 2, pad: [[0, 0], [0, 0], [1, 2], [0, 1]] }, // prettier-ignore
  { name: 'NCHW, dilation 2', x: [1, 2, 8, 7], filter: [3, 3, 2, 3], dataFormat: 'NCHW', dilations: 2 },
  { name: 'groups 2', x: [2, 6, 6, 4], filter: [3, 3, 2, 6], groups: 2, pad: 'same' },
  {
    name: 'groups 3, NCHW, stride 2',
    x: [1, 6, 7, 7],
    filter: [3, 3, 2, 3],
    groups: 3,
    dataFormat: 'NCHW',
    strides: 2,
  },
  { name: 'depthwise', x: [1, 7, 7, 6], filter: [3, 3, 1, 6], groups: 6, pad: 'same' },
  { name: 'more channels than a tile', x: [1, 7, 6, 17], filter: [3, 3, 17, 19], pad: 'same' },
  { name: 'filter as large as x', x: [3, 4, 5, 2], filter: [4, 5, 2, 3] },
  { name: 'one pixel', x: [2, 1, 1, 9], filter: [1, 1, 9, 7] },
  {
    name: 'three pixels, groups, NCHW',
    x: [2, 4, 3, 5],
    filter: [3, 3, 2, 6],
    groups: 2,
    dataFormat: 'NCHW',
  },
  { name: 'window larger than x, same', x: [1, 2, 2, 2], filter: [5, 4, 2, 3], pad: 'same' },
  { name: 'batch 0', x: [0, 5, 5, 2], filter: [3, 3, 2, 3] },
  { name: 'zero input channels', x: [1, 5, 5, 0], filter: [3, 3, 0, 3] },
  { name: 'zero output channels', x: [1, 5, 5, 2], filter: [3, 3, 2, 0] },
  { name: 'digits', x: [8, 28, 28, 1], filter: [3, 3, 1, 32], pad: 'same' },
  { name: 'bias', x: [2, 5, 6, 3], filter: [3, 3, 3, 4], pad: 'same', bias: [4], activation: 'linear' },
  { name: 'scalar bias, relu', x: [2, 5, 6, 3], filter: [3, 3, 3, 4], bias: [], activation: 'relu' },
  {
    name: 'bias of every pixel, relu6',
    x: [1, 5, 6, 3],
    filter: [3, 3, 3, 4],
    bias: [3, 4, 4],
    activation: 'relu6',
  },
  { name: 'bias, elu', x: [1, 5, 6, 3], filter: [3, 3, 3, 4], bias: [4], activation: 'elu' },
  { name: 'bias, leakyrelu', x: [1, 5, 6, 3], filter: [3, 3, 3, 4], bias: [4], activation: 'leakyrelu', leakyreluAlpha: 0.25 }, // prettier-ignore
  { name: 'bias, prelu', x: [1, 5, 6, 3], filter: [3, 3, 3, 4], bias: [4], activation: 'prelu', preluActivationWeights: [4] }, // prettier-ignore
  { name: 'bias, sigmoid', x: [1, 5, 6, 3], filter: [3, 3, 3, 4], bias: [4], activation: 'sigmoid' },
  { name: 'tanh, dilation 2', x: [1, 7, 6, 3], filter: [3, 3, 3, 4], dilations: 2, activation: 'tanh' },
  { name: 'NCHW, bias, prelu', x: [1, 3, 5, 6], filter: [3, 3, 3, 4], dataFormat: 'NCHW', bias: [4], activation: 'prelu', preluActivationWeights: [4] }, // prettier-ignore
];

/** Named cases of depthwise convolution, pure data. filter: [filterHeight, filterWidth, channels, multiplier] */
import type { ConvCase } from '../conv2d/cases.js';

export const depthwiseCases: readonly Omit<ConvCase, 'groups'>[] = [
  { name: 'valid', x: [2, 6, 5, 3], filter: [3, 3, 3, 1] },
  { name: 'same', x: [1, 7, 7, 16], filter: [3, 3, 16, 1], pad: 'same' },
  { name: 'stride 2, same', x: [2, 7, 8, 24], filter: [3, 3, 24, 1], pad: 'same', strides: 2 },
  { name: 'stride 2, same, even', x: [1, 8, 8, 8], filter: [3, 3, 8, 1], pad: 'same', strides: 2 },
  { name: '5x5, stride 2', x: [1, 9, 10, 9], filter: [5, 5, 9, 1], pad: 'same', strides: 2 },
  { name: 'one channel', x: [2, 5, 6, 1], filter: [3, 3, 1, 1], pad: 'same' },
  { name: 'one channel, multiplier 4', x: [2, 6, 6, 1], filter: [3, 3, 1, 4] },
  { name: 'multiplier 2', x: [2, 6, 5, 5], filter: [3, 3, 5, 2], pad: 'same' },
  { name: 'multiplier 3, stride 2', x: [1, 8, 7, 4], filter: [3, 2, 4, 3], strides: 2 },
  { name: '1x2 window, stride 2, same', x: [1, 4, 3, 1], filter: [1, 2, 1, 1], pad: 'same', strides: 2 },
  { name: '1x5', x: [1, 6, 9, 12], filter: [1, 5, 12, 1], pad: 'same' },
  { name: '5x1, unequal strides', x: [1, 9, 7, 6], filter: [5, 1, 6, 1], pad: 'same', strides: [1, 3] },
  { name: '1x1', x: [2, 4, 3, 10], filter: [1, 1, 10, 1] },
  { name: 'even filter, same', x: [1, 6, 7, 4], filter: [2, 4, 4, 1], pad: 'same' },
  { name: 'stride larger than the filter', x: [1, 9, 9, 4], filter: [2, 2, 4, 1], strides: 3 },
  { name: 'numeric pad', x: [1, 5, 6, 4], filter: [3, 3, 4, 1], pad: 2, strides: 2 },
  { name: 'numeric pad, unequal filter', x: [1, 5, 5, 4], filter: [3, 1, 4, 1], pad: 1 },
  { name: 'explicit pads', x: [1, 5, 6, 4], filter: [3, 2, 4, 2], pad: [[0, 0], [2, 0], [1, 3], [0, 0]] }, // prettier-ignore
  { name: "pad 1, 'ceil'", x: [1, 6, 6, 4], filter: [3, 3, 4, 1], pad: 1, strides: 2, dimRoundingMode: 'ceil' }, // prettier-ignore
  { name: "pad 1, 'round'", x: [1, 6, 7, 4], filter: [3, 3, 4, 1], pad: 1, strides: 3, dimRoundingMode: 'round' }, // prettier-ignore
  { name: 'dilation 2', x: [2, 8, 7, 6], filter: [3, 3, 6, 1], dilations: 2, pad: 'same' },
  { name: '2x2, dilation 2, same', x: [1, 5, 7, 3], filter: [2, 2, 3, 1], dilations: 2, pad: 'same' },
  { name: 'dilation 3', x: [1, 9, 9, 2], filter: [3, 3, 2, 1], dilations: 3, pad: 'same' },
  { name: 'dilations [2, 3], multiplier 2', x: [1, 9, 8, 3], filter: [3, 2, 3, 2], dilations: [2, 3] },
  { name: 'stride 2 with dilation 2', x: [1, 9, 10, 4], filter: [3, 3, 4, 1], strides: 2, dilations: 2, pad: 'same' }, // prettier-ignore
  { name: 'stride [3, 2] with dilation [2, 3]', x: [1, 11, 10, 4], filter: [3, 3, 4, 1], strides: [3, 2], dilations: [2, 3], pad: 'same' }, // prettier-ignore
  { name: 'NCHW', x: [2, 6, 6, 5], filter: [3, 3, 6, 1], dataFormat: 'NCHW', pad: 'same' },
  { name: 'NCHW, stride 2, multiplier 2', x: [1, 4, 7, 6], filter: [3, 2, 4, 2], dataFormat: 'NCHW', strides: 2 }, // prettier-ignore
  { name: 'window larger than x, same', x: [1, 2, 2, 5], filter: [5, 4, 5, 1], pad: 'same' },
  { name: 'filter as large as x', x: [3, 4, 5, 2], filter: [4, 5, 2, 1] },
  { name: 'more pixels and channels than a tile', x: [2, 13, 14, 40], filter: [3, 3, 40, 1], pad: 'same' },
  { name: 'cells 1 KB apart', x: [2, 5, 6, 256], filter: [3, 3, 256, 1], pad: 'same' },
  { name: 'cells 1 KB apart, dilation 2, valid', x: [1, 7, 9, 256], filter: [3, 3, 256, 1], dilations: 2 },
  { name: 'cells 1 KB apart, multiplier 2', x: [1, 4, 5, 256], filter: [3, 3, 256, 2], pad: 'same' },
  { name: 'batch 0', x: [0, 5, 5, 2], filter: [3, 3, 2, 1] },
  { name: 'zero channels', x: [1, 5, 5, 0], filter: [3, 3, 0, 2] },
  { name: 'multiplier 0', x: [1, 5, 5, 2], filter: [3, 3, 2, 0] },
  { name: 'bias', x: [2, 5, 6, 6], filter: [3, 3, 6, 1], pad: 'same', bias: [6], activation: 'linear' },
  { name: 'scalar bias, relu', x: [2, 5, 6, 3], filter: [3, 3, 3, 2], bias: [], activation: 'relu' },
  { name: 'bias of every pixel, relu6', x: [1, 5, 6, 4], filter: [3, 3, 4, 1], bias: [3, 4, 4], activation: 'relu6' }, // prettier-ignore
  {
    name: 'bias, relu',
    x: [1, 9, 9, 20],
    filter: [3, 3, 20, 1],
    pad: 'same',
    bias: [20],
    activation: 'relu',
  },
  { name: 'bias, relu6, stride 2', x: [1, 9, 9, 8], filter: [3, 3, 8, 1], pad: 'same', strides: 2, bias: [8], activation: 'relu6' }, // prettier-ignore
  { name: 'bias, elu', x: [1, 5, 6, 4], filter: [3, 3, 4, 1], bias: [4], activation: 'elu' },
  { name: 'bias, leakyrelu', x: [1, 5, 6, 4], filter: [3, 3, 4, 1], bias: [4], activation: 'leakyrelu', leakyreluAlpha: 0.25 }, // prettier-ignore
  { name: 'bias, prelu, multiplier 2', x: [1, 5, 6, 3], filter: [3, 3, 3, 2], bias: [6], activation: 'prelu', preluActivationWeights: [6] }, // prettier-ignore
  { name: 'bias, sigmoid', x: [1, 5, 6, 4], filter: [3, 3, 4, 1], bias: [4], activation: 'sigmoid' },
  { name: 'tanh, dilation 2', x: [1, 7, 6, 4], filter: [3, 3, 4, 1], dilations: 2, activation: 'tanh' },
  { name: 'NCHW, bias, prelu', x: [1, 4, 5, 6], filter: [3, 3, 4, 1], dataFormat: 'NCHW', bias: [4], activation: 'prelu', preluActivationWeights: [4] }, // prettier-ignore
];

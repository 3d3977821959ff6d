/** Named cases of pooling, pure data. Tests, benchmarks, the command line and the page use them. */
import type { Pair, PoolOptions } from '../geometry.js';

export interface PoolCase extends PoolOptions {
  name: string;
  /** Shape of x, in the case's dataFormat. */
  x: readonly number[];
  filterSize: Pair;
}

/** Average pooling uses these cases too. */
export const maxPoolCases: readonly PoolCase[] = [
  { name: '2x2', x: [2, 6, 4, 3], filterSize: 2 },
  { name: '2x2, rows and columns left over', x: [1, 7, 5, 3], filterSize: 2 },
  { name: '3x3, stride 1, same', x: [1, 5, 5, 2], filterSize: 3, strides: 1, pad: 'same' },
  { name: '3x3, stride 2, overlapping', x: [2, 7, 9, 3], filterSize: 3, strides: 2 },
  { name: '2x2, same, odd size', x: [1, 5, 7, 2], filterSize: 2, pad: 'same' },
  { name: 'stride larger than the window', x: [1, 8, 8, 2], filterSize: 2, strides: 3 },
  { name: 'window 3x2, strides [1, 3]', x: [1, 6, 8, 3], filterSize: [3, 2], strides: [1, 3], pad: 'same' },
  { name: 'numeric pad', x: [1, 6, 6, 2], filterSize: 3, strides: 2, pad: 1 },
  { name: 'numeric pad, unequal window', x: [1, 5, 6, 2], filterSize: [1, 3], strides: 1, pad: 1 },
  { name: 'explicit pads', x: [1, 5, 6, 2], filterSize: 3, strides: 2, pad: [[0, 0], [1, 0], [2, 1], [0, 0]] }, // prettier-ignore
  { name: "'ceil'", x: [1, 6, 6, 2], filterSize: 3, strides: 2, pad: 0, dimRoundingMode: 'ceil' },
  { name: 'windows wholly in padding', x: [1, 3, 4, 2], filterSize: 2, strides: 2, pad: 3 },
  { name: 'global', x: [3, 4, 5, 4], filterSize: [4, 5] },
  { name: '1x1', x: [1, 3, 4, 2], filterSize: 1, strides: 1 },
  { name: '1x1, stride 2', x: [1, 5, 4, 2], filterSize: 1, strides: 2 },
  { name: 'dilation 2', x: [1, 7, 8, 2], filterSize: 3, strides: 1, dilations: 2 },
  {
    name: 'stride 2 with dilation 2, same',
    x: [1, 9, 8, 2],
    filterSize: [3, 2],
    strides: 2,
    dilations: 2,
    pad: 'same',
  },
  { name: 'NCHW', x: [2, 3, 6, 5], filterSize: 2, dataFormat: 'NCHW' },
  {
    name: 'NCHW, 3x3, stride 2, same',
    x: [1, 2, 7, 6],
    filterSize: 3,
    strides: 2,
    pad: 'same',
    dataFormat: 'NCHW',
  },
  { name: 'batch 0', x: [0, 4, 4, 2], filterSize: 2 },
  { name: 'zero channels', x: [1, 4, 4, 0], filterSize: 2 },
  { name: 'digits', x: [8, 28, 28, 32], filterSize: 2 },
];

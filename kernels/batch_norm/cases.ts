/** Named cases of batch normalization, as pure data, for tests, benchmarks, the command line and the demo page. */

export interface BatchNormCase {
  name: string;
  /** Shape of x. Its last dimension is the number of channels. */
  x: readonly number[];
  /** Shape of each parameter. Default: [channels]. */
  parameter?: readonly number[];
  /** Shape of scale, if it is another one. */
  scale?: readonly number[];
  /** Inputs that are absent. */
  without?: readonly ('offset' | 'scale')[];
}

export const batchNormCases: readonly BatchNormCase[] = [
  { name: 'small', x: [2, 3, 4, 5] },
  { name: 'one channel', x: [3, 5, 6, 1] },
  { name: 'three channels', x: [2, 9, 11, 3] },
  { name: '7 channels', x: [3, 8, 5, 7] },
  { name: '24 channels, in strips', x: [4, 30, 31, 24] },
  { name: '67 channels', x: [2, 7, 9, 67] },
  { name: '512 channels of one pixel', x: [3, 1, 1, 512] },
  { name: 'without offset', x: [2, 8, 8, 6], without: ['offset'] },
  { name: 'without scale', x: [2, 8, 8, 6], without: ['scale'] },
  { name: 'without offset and scale', x: [2, 8, 8, 6], without: ['offset', 'scale'] },
  { name: "parameters of x's shape", x: [2, 5, 7, 4], parameter: [2, 5, 7, 4] },
  { name: 'parameters of an image', x: [3, 5, 7, 4], parameter: [5, 7, 4] },
  { name: 'parameters of one value', x: [3, 5, 7, 4], parameter: [1] },
  { name: 'channels in another dimension', x: [2, 6, 5, 4], parameter: [1, 6, 1, 1] },
  { name: 'scale of one value', x: [2, 5, 7, 4], scale: [1] },
  { name: 'empty batch', x: [0, 3, 4, 5] },
];

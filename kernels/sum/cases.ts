/** Named cases of sums and means, pure data. */
export interface SumCase {
  name: string;
  x: readonly number[];
  axis?: number | number[];
  keepDims?: boolean;
}

export const sumCases: readonly SumCase[] = [
  { name: 'bias gradient', x: [2, 3, 4, 5], axis: [0, 1, 2] },
  { name: 'bias gradient, many pixels', x: [4, 9, 10, 12], axis: [0, 1, 2] },
  { name: 'three channels, many pixels', x: [2, 30, 31, 3], axis: [0, 1, 2], keepDims: true },
  { name: 'bias gradient of a dense layer', x: [5, 260], axis: 0 },
  { name: 'all of many', x: [33, 35] },
  { name: 'global average', x: [2, 3, 4, 5], axis: [1, 2] },
  { name: 'last dimension', x: [3, 4, 5], axis: -1 },
  { name: 'first dimension', x: [4, 3], axis: 0 },
  { name: 'statistics, dimensions kept', x: [2, 3, 4, 5], axis: [0, 1, 2], keepDims: true },
  { name: 'every other dimension', x: [2, 3, 2, 3, 2], axis: [0, 2, 4] },
  { name: 'unsorted axes', x: [2, 3, 4], axis: [2, 0] },
  { name: 'all', x: [3, 4, 5] },
  { name: 'none', x: [3, 4], axis: [] },
  { name: 'scalar', x: [] },
  { name: 'no image', x: [0, 3], axis: 1 },
  { name: 'over no image', x: [0, 3], axis: 0 },
];

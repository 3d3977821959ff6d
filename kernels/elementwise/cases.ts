/** Named cases of the elementwise ops, pure data. */
import type { ElementwiseAttrs, UnaryName } from './definition.js';

export interface UnaryCase extends ElementwiseAttrs {
  op: UnaryName;
  name: string;
  x: readonly number[];
}

export interface BinaryCase {
  name: string;
  a: readonly number[];
  b: readonly number[];
}

/** Each is a case of the op and of its gradient. */
export const unaryCases: readonly UnaryCase[] = [
  { op: 'Relu', name: 'images', x: [2, 3, 4, 5] },
  { op: 'Relu', name: 'empty', x: [0, 3] },
  { op: 'Relu6', name: 'images', x: [2, 3, 4, 5] },
  { op: 'ClipByValue', name: 'from -0.5 to 0.25', x: [2, 3, 4, 5], clipValueMin: -0.5, clipValueMax: 0.25 },
  { op: 'Step', name: 'images', x: [2, 3, 4, 5], alpha: 0 },
  { op: 'Step', name: 'alpha 0.25', x: [2, 3, 4, 5], alpha: 0.25 },
];

/** Each is a case of every binary op. */
export const binaryCases: readonly BinaryCase[] = [
  { name: 'equal shapes', a: [2, 3, 4, 5], b: [2, 3, 4, 5] },
  { name: 'scalar second', a: [2, 3, 4], b: [] },
  { name: 'scalar first', a: [], b: [7] },
  { name: 'bias', a: [2, 3, 4, 5], b: [5] },
  { name: 'bias first', a: [5], b: [2, 3, 4, 5] },
  { name: 'one for each image', a: [3, 2, 2, 2], b: [3, 1, 1, 1] },
  { name: 'one for each row', a: [4, 3], b: [4, 1] },
  { name: 'outer product', a: [4, 1], b: [3] },
  { name: 'both repeat twice', a: [2, 1, 3, 1], b: [1, 4, 1, 5] },
  { name: 'rank 6', a: [2, 1, 2, 1, 2, 1], b: [1, 2, 1, 2, 1, 2] },
  { name: 'empty', a: [0, 3], b: [3] },
];

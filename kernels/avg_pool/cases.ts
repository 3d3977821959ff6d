/** Named cases of average pooling: those of max pooling, and its own. */
import { maxPoolCases, type PoolCase } from '../max_pool/cases.js';

export const avgPoolCases: readonly PoolCase[] = [
  ...maxPoolCases,
  { name: 'countIncludePad', x: [1, 5, 5, 2], filterSize: 3, strides: 1, pad: 'same', countIncludePad: true },
  { name: "countIncludePad, 'ceil'", x: [1, 6, 6, 2], filterSize: 3, strides: 2, pad: 1, dimRoundingMode: 'ceil', countIncludePad: true }, // prettier-ignore
];

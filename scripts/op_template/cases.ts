/** Named cases of templateOp, as pure data, for tests, benchmarks, the command line and the demo page. */

export interface TemplateOpCase {
  name: string;
  /** Shape of x. */
  x: readonly number[];
}

export const templateOpCases: readonly TemplateOpCase[] = [
  { name: 'small', x: [2, 3, 4, 5] },
  { name: 'empty', x: [0, 3, 4, 5] },
];

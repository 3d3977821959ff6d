/**
 * A row of a window over packed texels. Several neighbouring results see some columns through several taps. These
 * columns are fetched once, two to a texel. In shaders the texels of a window are x<i> and its columns are c<j>. A
 * column is a vec2 of two channels. Column j is j columns right of the first tap of the first result.
 */

export interface Window {
  /** Number of taps that are taken together. */
  taps: number;
  /** Distance in columns from one result to the next (stride), and from one tap to the next (dilation). */
  stride: number;
  dilation: number;
  /** Whether column 0 is the second column of its texel. If windows differ in this, the shader has a bool `odd`. */
  isOdd?: boolean;
}

export const isOdd = (n: number) => n % 2 !== 0;
const range = (count: number) => Array.from({ length: count }, (_, i) => i);
export const each = (count: number, code: (i: number) => string) => range(count).map(code).join('\n');

/** The columns that `count` results see. */
export function columnsOf(count: number, { taps, stride, dilation }: Window): number[] {
  return [...new Set(range(count).flatMap((i) => range(taps).map((tap) => i * stride + tap * dilation)))];
}

/** The numbers of the texels that hold these columns. */
export function texelsUnder(columns: number[], { isOdd }: Window): number[] {
  const starts = isOdd === undefined ? [0, 1] : [Number(isOdd)];
  return [...new Set(columns.flatMap((column) => starts.map((start) => (column + start) >> 1)))];
}

/** How many taps to take together. More taps hold more texels at a time. They save fetches only if windows overlap. */
export function tapsTogether(count: number, stride: number, dilation: number): number {
  const most = stride <= 2 && dilation <= 2 ? 7 : 2;
  return Math.ceil(count / Math.ceil(count / most));
}

/** GLSL that declares the columns c<j><suffix> of the texels x<i><suffix>. */
export function columnsGlsl(columns: number[], { isOdd }: Window, suffix = '', from = 'x', to = 'c'): string {
  const half = (column: number) => `${from}${column >> 1}${suffix}.${column % 2 ? 'zw' : 'xy'}`;
  const either = (j: number) =>
    isOdd === undefined ? `odd ? ${half(j + 1)} : ${half(j)}` : half(j + Number(isOdd));
  return columns.map((j) => `vec2 ${to}${j}${suffix} = ${either(j)};`).join('\n');
}

/**
 * A row of a window over packed texels: the columns that several neighbouring results see through several taps are fetched
 * once, two to a texel. Shaders name a window's texels x<i> and its columns, each a vec2 of two channels, c<j>: column j is
 * j columns right of the first tap of the first result.
 */

export interface Window {
  /** Taps that are taken together. */
  taps: number;
  /** Columns from one result to the next, and from one tap to the next. */
  stride: number;
  dilation: number;
  /** Whether column 0 is the second one of its texel, where that is so of all windows; else the shader's bool `odd`. */
  isOdd?: boolean;
}

export const isOdd = (n: number) => n % 2 !== 0;
const range = (count: number) => Array.from({ length: count }, (_, i) => i);
export const each = (count: number, code: (i: number) => string) => range(count).map(code).join('\n');

/** The columns that `count` results see. */
export function columnsOf(count: number, { taps, stride, dilation }: Window): number[] {
  return [...new Set(range(count).flatMap((i) => range(taps).map((tap) => i * stride + tap * dilation)))];
}

/** Numbers of the texels that hold these columns. */
export function texelsUnder(columns: number[], { isOdd }: Window): number[] {
  const starts = isOdd === undefined ? [0, 1] : [Number(isOdd)];
  return [...new Set(columns.flatMap((column) => starts.map((start) => (column + start) >> 1)))];
}

/** Taps to take together: more save fetches only where windows overlap, and hold more texels at a time. */
export function tapsTogether(count: number, stride: number, dilation: number): number {
  const most = stride <= 2 && dilation <= 2 ? 7 : 2;
  return Math.ceil(count / Math.ceil(count / most));
}

/** Declares the columns c<j><suffix> of texels x<i><suffix>. */
export function columnsGlsl(columns: number[], { isOdd }: Window, suffix = '', from = 'x', to = 'c'): string {
  const half = (column: number) => `${from}${column >> 1}${suffix}.${column % 2 ? 'zw' : 'xy'}`;
  const either = (j: number) =>
    isOdd === undefined ? `odd ? ${half(j + 1)} : ${half(j)}` : half(j + Number(isOdd));
  return columns.map((j) => `vec2 ${to}${j}${suffix} = ${either(j)};`).join('\n');
}

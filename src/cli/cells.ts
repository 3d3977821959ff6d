/** Cells of the tables in reports and pages. */
import { median } from '../verify/time.js';

/** A text; a number, shown to three digits; null for nothing; or a text that says that something passed or failed. */
export type Cell = string | number | null | { text: string; ok: boolean };

/** The start of a long text, with all of it behind it. */
export interface Folded {
  brief: string;
  all: string;
}

/** A result of more characters than this is folded. */
const LONG_RESULT = 60;

/** A long result, an array as JSON, as its shape, the sum of its values and the first ones. */
export function folded(text: string): string | Folded {
  if (text.length <= LONG_RESULT || !text.startsWith('[')) return text;
  const array = JSON.parse(text) as unknown[];
  const values = array.flat(Infinity) as number[];
  const sum = Number(values.reduce((total, value) => total + value, 0).toPrecision(6));
  return {
    brief: `shape [${shapeOf(array).join(', ')}], sum ${sum}: ${values.slice(0, 4).join(', ')} ...`,
    all: text,
  };
}

const shapeOf = (value: unknown): number[] =>
  Array.isArray(value) ? [value.length, ...shapeOf(value[0])] : [];

export function format(value: number): string {
  if (value === Infinity) return '∞';
  const size = Math.abs(value);
  return size > 0 && (size < 1e-3 || size >= 1e5)
    ? value.toExponential(1)
    : String(Number(value.toPrecision(3)));
}

/** A measured value to two digits: measured again, it is another one. */
export const twoDigits = (value: number): string => String(Number(value.toPrecision(2)));

/** A measured value with no more digits than a spread from `least` to `most` allows. */
export function rounded(value: number, least: number, most: number): string {
  return most - least < 0.5 * least ? twoDigits(value) : String(Number(value.toPrecision(1)));
}

/** The median of measured values, and the least and the largest of them, such as '2.6 (2.5-3.1)'. */
export function spread(values: readonly number[]): string {
  const [least, most] = [Math.min(...values), Math.max(...values)];
  const [middle, from, to] = [median(values), least, most].map((value) => rounded(value, least, most));
  return `${middle} (${from}-${to})`;
}

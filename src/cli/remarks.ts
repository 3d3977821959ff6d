/** What is to be said about comparisons and examples beside their numbers, as text. */
import { describeWorst, elementName } from '../verify/exact.js';
import type { Comparison, WorstElement } from './comparison.js';

interface Verdict {
  ok: boolean;
}

/** Those that failed stand first. */
export function failedFirst<Row extends Verdict>(rows: readonly Row[]): Row[] {
  return [...rows].sort((a, b) => Number(a.ok) - Number(b.ok));
}

/** '28 of 28 right', or '1 of 28 failed'. */
export function outcome(rows: readonly Verdict[], what = ''): string {
  const failures = rows.filter(({ ok }) => !ok).length;
  const count = failures || rows.length;
  return `${count} of ${rows.length}${what && ` ${what}`} ${failures ? 'failed' : 'right'}`;
}

export function remarksOn({ worst, message }: Comparison): string[] {
  // The message of an op's gradient has its worst element.
  const element = worst && worst.proof !== 'gradient' ? [describeElement(worst)] : [];
  return [...element, ...(message ? [message] : [])];
}

function describeElement({ proof, element, ...numbers }: WorstElement): string {
  const index = element || proof === 'adjoint' ? 0 : -1;
  return `${proof}: ${describeWorst({ error: Infinity, index, ...numbers }, elementName(element))}`;
}

export function noCase(kernels: readonly string[]): string {
  return `Not compared, because no case runs them: ${kernels.join(', ')}.`;
}

/** Whether a built-in differs for a reason that is known: 'row 1: why'. */
export const differsOnPurpose = ({ builtin }: Comparison): boolean => builtin.startsWith('row ');

export const WHAT_ROWS_ARE =
  'Rows are those of docs/deviations.md, which lists all deliberate differences from tfjs.';

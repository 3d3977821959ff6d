/** Complaints about arrays with wrong values. '' means that there is no complaint. */
import { compare, describeWorst } from '../../src/verify/exact.js';

/** The first element of got that differs from want. 0 equals -0, NaN equals NaN. */
export const difference = (got: ArrayLike<number>, want: ArrayLike<number>, name = 'value') =>
  beyond(got, want, () => 0, name);

/** The element of got whose error is the largest multiple of its bound, if that is more than 1. */
export function beyond(
  got: ArrayLike<number>,
  want: ArrayLike<number>,
  bound: (i: number) => number,
  name = 'value',
): string {
  const worst = compare(got, want, bound);
  return worst.error > 1 ? `${name}: ${describeWorst(worst)}` : '';
}

/** Several arrays by their names. */
export type Results = Record<string, ArrayLike<number>>;

/** The first array of `want` from which `got` differs, with the difference. '' if all are equal. */
export function differenceOf(who: string, got: Results, want: Results): string {
  const names = Object.keys(want);
  return firstComplaint(
    names,
    (name) => difference(got[name], want[name], name),
    () => who,
  );
}

/** The first complaint about any of the items, after the item's name. '' if there is none. */
export function firstComplaint<T>(
  items: Iterable<T>,
  complain: (item: T) => string,
  nameOf: (item: T) => string,
): string {
  for (const item of items) {
    const complaint = complain(item);
    if (complaint) return `${nameOf(item)}: ${complaint}`;
  }
  return '';
}

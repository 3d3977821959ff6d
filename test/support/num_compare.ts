/** Complaints about arrays that are not what they should be: '' if there is none. */
import { compare, describeWorst } from '../../src/verify/exact.js';

/** Where got differs most from want. 0 equals -0, NaN equals NaN. */
export const difference = (got: ArrayLike<number>, want: ArrayLike<number>, name = 'value') =>
  beyond(got, want, () => 0, name);

/** Where got is beyond the bound of its element most. */
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

/** The difference in the first of the arrays that `want` names: '' if there is none. */
export function differenceOf(who: string, got: Results, want: Results): string {
  const names = Object.keys(want);
  return firstComplaint(
    names,
    (name) => difference(got[name], want[name], name),
    () => who,
  );
}

/** The first complaint about any of the items, with the item's name in front: '' if there is none. */
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

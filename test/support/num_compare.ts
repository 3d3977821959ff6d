/** Where `got` first differs from `want`: '' if nowhere. 0 equals -0, NaN equals NaN. */
export const firstDifference = (got: ArrayLike<number>, want: ArrayLike<number>, name = 'value') =>
  firstBeyond(got, want, () => 0, name);

/** Where `got` first differs from `want` by more than the bound of that element: '' if nowhere. */
export function firstBeyond(
  got: ArrayLike<number>,
  want: ArrayLike<number>,
  bound: (i: number) => number,
  name = 'value',
): string {
  if (got.length !== want.length) return `${name}: got ${got.length} values, want ${want.length}`;
  for (let i = 0; i < want.length; i++) {
    const same = got[i] === want[i] || (Number.isNaN(got[i]) && Number.isNaN(want[i]));
    if (same || Math.abs(got[i] - want[i]) <= bound(i)) continue;
    return `${name}[${i}]: got ${got[i]}, want ${want[i]} within ${bound(i)}`;
  }
  return '';
}

/** Several arrays by their names. */
export type Results = Record<string, ArrayLike<number>>;

/** The first difference in any of the arrays that `want` names: '' if there is none. */
export function firstDifferenceOf(who: string, got: Results, want: Results): string {
  const names = Object.keys(want);
  return firstComplaint(
    names,
    (name) => firstDifference(got[name], want[name], name),
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

export function dot(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i] * b[i];
  return sum;
}

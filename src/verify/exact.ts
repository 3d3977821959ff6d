/**
 * Proof 1, exact: on whole numbers every sum of products is exact in float32 as long as it stays below 2^24, in any
 * order and on any backend, so got = want: no bound at all (0 equals -0).
 */

export interface Worst {
  /** The largest |got - want| / bound; 1 and less is right, Infinity where there is no room at all. */
  error: number;
  index: number;
  got: number;
  want: number;
  bound: number;
}

/** The worst element of got against want. Equal elements, NaN and infinities included, have no error. */
export function compare(
  got: ArrayLike<number>,
  want: ArrayLike<number>,
  bound: (index: number) => number = () => 0,
): Worst {
  if (got.length !== want.length) {
    return { error: Infinity, index: -1, got: got.length, want: want.length, bound: 0 };
  }
  let worst: Worst = { error: 0, index: -1, got: 0, want: 0, bound: 0 };
  for (let index = 0; index < want.length; index++) {
    if (got[index] === want[index] || (Number.isNaN(got[index]) && Number.isNaN(want[index]))) continue;
    const allowed = bound(index);
    const ratio = Math.abs(got[index] - want[index]) / allowed;
    const error = Number.isNaN(ratio) ? Infinity : ratio;
    if (error > worst.error) worst = { error, index, got: got[index], want: want[index], bound: allowed };
  }
  return worst;
}

export function describeWorst({ error, index, got, want, bound }: Worst): string {
  return index === -1 && error > 0
    ? `${got} elements instead of ${want}`
    : `element ${index} is ${got}, not ${want}: ${error.toPrecision(3)} of the bound ${bound.toPrecision(3)}`;
}

/**
 * Proof 1, exact: got = want, with no bound at all (0 equals -0).
 *
 * On whole numbers each sum of products is exact in float32 while it stays below 2^24, in any order and on any backend.
 */

/** The worst element of a result. */
export interface Worst {
  /** The largest |got - want| / bound. At most 1 is right. Infinity: the bound is 0, or the error is not a number. */
  error: number;
  /** The worst element's place in the flat array. -1: all elements are equal, or the numbers of elements differ. */
  index: number;
  /** The element; the number of elements if the numbers differ. */
  got: number;
  /** The value, or the number of elements, that is right. */
  want: number;
  /** The largest |got - want| that is allowed. */
  bound: number;
}

/** The worst element of got, compared with want. Equal elements, two NaNs and equal infinities have no error. */
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

/** @param element name of the element; default: its place in the flat array */
export function describeWorst(worst: Worst, element = `element ${worst.index}`): string {
  const { error, index, got, want } = worst;
  if (error === 0) return 'all elements are equal';
  return index === -1
    ? `the result has ${got} elements, but it must have ${want}`
    : describeDifference(element, worst);
}

function describeDifference(
  element: string,
  { got, want, bound }: Pick<Worst, 'got' | 'want' | 'bound'>,
): string {
  const times = Math.abs(got - want) / bound;
  const error = Number.isFinite(times)
    ? `: the error is ${times.toPrecision(3)} times the bound ${bound.toPrecision(3)}`
    : bound === 0
      ? ': they must be equal'
      : '';
  return `${element} is ${got}, want ${want}${error}`;
}

/** @param place null for the sum that an adjoint compares */
export function elementName(place: number[] | null): string {
  return place ? `element [${place.join(', ')}]` : '<x, gradient>';
}

/** Random values for the specs of the numeric functions, from one stream of src/verify's generator. */
import { distinct, floats, integers, random } from '../../src/verify/data.js';

export type Random = ReturnType<typeof randomFrom>;

export function randomFrom(seed: number) {
  const next = random(seed);
  /** An integer in [0, n). */
  const below = (n: number) => Math.floor(next() * n);
  return {
    below,
    pick: <T>(choices: readonly T[]): T => choices[below(choices.length)],
    integers: (size: number, max?: number) => integers(size, next, max),
    floats: (size: number) => floats(size, next),
    /** Values of which no two are closer than 1/8. */
    distinct: (size: number) => distinct(size, next),
  };
}

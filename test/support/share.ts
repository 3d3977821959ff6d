/**
 * Shares of enumerations. In Node and in `npm run test:all`, a spec takes all of an enumeration. In the browsers of `npm test`
 * it takes a part, which is drawn with the seed of the run. Each commit has another seed, so it takes another part.
 */
import { plan } from './plan.js';
import { randomFrom } from './num_random.js';

/** About one in `parts` of the items, and at least one. All items if the run takes all. */
export function shareOf<T>(all: readonly T[], parts: number): readonly T[] {
  if (plan.all || all.length === 0) return all;
  const random = randomFrom(plan.seed);
  const taken = all.filter(() => random.below(parts) === 0);
  return taken.length > 0 ? taken : [all[plan.seed % all.length]];
}

/**
 * Shares of enumerations. In Node and in `npm run test:all` a spec takes all of an enumeration; in the browsers of `npm test` it
 * takes a part, drawn with the seed of the run: another part for each commit.
 */
import { plan } from './plan.js';
import { randomFrom } from './num_random.js';

/** About 1 of `parts` of them, at least one; all of them where the run takes all. */
export function shareOf<T>(all: readonly T[], parts: number): readonly T[] {
  if (plan.all || all.length === 0) return all;
  const random = randomFrom(plan.seed);
  const taken = all.filter(() => random.below(parts) === 0);
  return taken.length > 0 ? taken : [all[plan.seed % all.length]];
}

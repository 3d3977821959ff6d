/** What `compare` does once a backend is active: in Node, or in the page that it opens. */
import { chosen, compareSubject, type Comparison, type Selection } from './comparison.js';
import { checkOps, USER, useKernels, type UserModule } from './user-kernels.js';

export interface Asked extends Selection {
  seed: number;
  /** How long one kernel and case are timed; 0 for one round. */
  milliseconds: number;
}

/** First how many rows are to come, then each, by its name beforehand. */
export type CompareMessage = { total: number } | { row: Comparison };

export async function runComparisons(
  asked: Asked,
  module: UserModule | undefined,
  onMessage: (message: CompareMessage) => void,
): Promise<Comparison[]> {
  const all = chosen(asked);
  const subjects = module ? useKernels(module, all) : all;
  const prefix = module ? USER : undefined;
  onMessage({ total: subjects.length + Object.keys(module?.ops ?? {}).length });
  const rows: Comparison[] = [];
  for (const subject of subjects) {
    const row = await compareSubject(subject, asked.seed, asked.milliseconds, prefix);
    rows.push(row);
    onMessage({ row });
  }
  for (const row of module ? await checkOps(module, asked.seed) : []) {
    rows.push(row);
    onMessage({ row });
  }
  return rows;
}

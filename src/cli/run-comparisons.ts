/** What `compare` does once a backend is active: in Node, or in the page that it opens. */
import { chosen, compareSubject, type Comparison, ownPrefix, type Selection } from './comparison.js';
import type { Subject } from '../subjects.js';
import { checkOps, USER, useKernels, type UserModule } from './user-kernels.js';

export interface Asked extends Selection {
  seed: number;
  /** How long one kernel and case are timed; 0 for one round. */
  milliseconds: number;
}

/** First how many rows are to come, then each, by its name beforehand. */
export type CompareMessage = { total: number; builtinsOnly: boolean } | { row: Comparison };

/** The row of a kernel that throws, or gives a result of another shape. */
function failed({ kernelName, caseName }: Subject, { message }: Error): Comparison {
  const nothing = { builtinError: null, gradientError: null, timeRatio: null };
  return { op: kernelName, case: caseName, error: Infinity, builtin: message, ok: false, ...nothing };
}

export async function runComparisons(
  asked: Asked,
  module: UserModule | undefined,
  onMessage: (message: CompareMessage) => void,
): Promise<Comparison[]> {
  const all = chosen(asked);
  const subjects = module ? useKernels(module, all) : all;
  const prefix = module ? USER : undefined;
  const total = subjects.length + Object.keys(module?.ops ?? {}).length;
  onMessage({ total, builtinsOnly: !module && ownPrefix() === '' });
  const rows: Comparison[] = [];
  for (const subject of subjects) {
    const row = await compareSubject(subject, asked.seed, asked.milliseconds, prefix).catch((error: Error) =>
      failed(subject, error),
    );
    rows.push(row);
    onMessage({ row });
  }
  for (const row of module ? await checkOps(module, asked.seed) : []) {
    rows.push(row);
    onMessage({ row });
  }
  return rows;
}

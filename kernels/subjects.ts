/**
 * All that is proven: every kernel of the registry, on every case of its op, against its float64 definition. Tests,
 * the command line and the page walk over this list. It stands beside registry.ts, not in it, so that the library
 * does not contain the cases.
 */
import { avgPoolCases } from './avg_pool/cases.js';
import { avgPoolSubjects } from './avg_pool/subjects.js';
import { convCases } from './conv2d/cases.js';
import { convSubjects } from './conv2d/subjects.js';
import { matMulCases } from './mat_mul/cases.js';
import { matMulSubjects } from './mat_mul/subjects.js';
import { maxPoolCases } from './max_pool/cases.js';
import { maxPoolSubjects } from './max_pool/subjects.js';
import type { Subject } from './proof.js';

export function subjects(): Subject[] {
  return [
    ...convCases.flatMap(convSubjects),
    ...maxPoolCases.flatMap(maxPoolSubjects),
    ...avgPoolCases.flatMap(avgPoolSubjects),
    ...matMulCases.flatMap(matMulSubjects),
  ];
}

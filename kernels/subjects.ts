/**
 * All that is proven: every kernel of the registry, on every case of its op, against its float64 definition. Tests,
 * the command line and the page walk over this list. It stands beside registry.ts, not in it, so that the library
 * does not contain the cases.
 */
import { avgPoolCases } from './avg_pool/cases.js';
import { avgPoolSubjects } from './avg_pool/subjects.js';
import { batchNormCases } from './batch_norm/cases.js';
import { batchNormSubjects } from './batch_norm/subjects.js';
import { convCases } from './conv2d/cases.js';
import { convSubjects } from './conv2d/subjects.js';
import { depthwiseCases } from './depthwise_conv2d/cases.js';
import { depthwiseSubjects } from './depthwise_conv2d/subjects.js';
import { binaryCases, unaryCases } from './elementwise/cases.js';
import { binarySubjects, unarySubjects } from './elementwise/subjects.js';
import { identityCases } from './identity/cases.js';
import { identitySubject } from './identity/subjects.js';
import { matMulCases } from './mat_mul/cases.js';
import { matMulSubjects } from './mat_mul/subjects.js';
import { maxPoolCases } from './max_pool/cases.js';
import { maxPoolSubjects } from './max_pool/subjects.js';
import { kernelNamesOn } from './all.js';
import type { BackendName } from './registry.js';
import { sumCases } from './sum/cases.js';
import { sumSubjects } from './sum/subjects.js';
import type { Subject } from './proof.js';

/** Those of the kernels that there are on the backend. */
export function subjectsOn(backendName: BackendName): Subject[] {
  const here = kernelNamesOn(backendName);
  return subjects().filter(({ kernelName }) => here.includes(kernelName));
}

export function subjects(): Subject[] {
  return [
    ...convCases.flatMap(convSubjects),
    ...depthwiseCases.flatMap(depthwiseSubjects),
    ...maxPoolCases.flatMap(maxPoolSubjects),
    ...avgPoolCases.flatMap(avgPoolSubjects),
    ...batchNormCases.flatMap(batchNormSubjects),
    ...unaryCases.flatMap(unarySubjects),
    ...binaryCases.flatMap(binarySubjects),
    ...sumCases.flatMap(sumSubjects),
    ...identityCases.map(identitySubject),
    ...matMulCases.flatMap(matMulSubjects),
  ];
}

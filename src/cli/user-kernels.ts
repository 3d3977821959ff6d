/**
 * Somebody else's kernels, to be compared: a module that exports
 *
 *   kernels  what registerKernel takes: { kernelName, backendName, kernelFunc }, held against the built-in of that name
 *   cases    for kernels that are not the plugin's: what to run them on, and their definition in float64
 *   ops      name -> { f, inputs(), ... }: functions whose gradients are checked
 */
import {
  dispose,
  getBackend,
  getKernel,
  type KernelConfig,
  registerKernel,
  type Tensor,
} from '@tensorflow/tfjs-core';
import type { KernelName } from '../../kernels/registry.js';
import type { Subject } from '../../kernels/proof.js';
import type { KernelCase, Values } from '../verify/compare-kernels.js';
import type { Differentiable } from '../verify/flat.js';
import { gradCheck, type GradCheckOptions } from '../verify/grad-check.js';
import type { GradReport } from '../verify/grad-report.js';

export interface UserModule {
  kernels?: readonly KernelConfig[];
  cases?: readonly UserCase[];
  ops?: Record<string, UserOp>;
}

/** A case, of which all but the kernel's name, its inputs and its definition may be left out. */
export interface UserCase extends Partial<KernelCase> {
  kernelName: string;
  inputs: KernelCase['inputs'];
  definition(inputs: Values): Float64Array;
}

export interface UserOp {
  f: Differentiable;
  inputs(): Tensor[];
  options?: GradCheckOptions;
}

/** In front of the names under which the module's kernels are registered, beside the built-ins. */
export const USER = 'User';

/** What a pointwise kernel rounds, at most, in units of its result. */
const TERMS = 4;

/** Registers the module's kernels of the active backend, and says which of the subjects and cases they serve. */
export function useKernels(
  { kernels = [], cases = [] }: UserModule,
  subjects: readonly Subject[],
): Subject[] {
  const own = kernels.filter(({ backendName }) => backendName === getBackend());
  for (const config of own) {
    const kernelName = USER + config.kernelName;
    if (!getKernel(kernelName, config.backendName)) registerKernel({ ...config, kernelName });
  }
  return [...subjects, ...cases.map(subjectOf)].filter((subject) =>
    own.some(({ kernelName }) => kernelName === subject.kernelName),
  );
}

/** @throws Error if a case lacks what it must have */
function subjectOf(c: UserCase): Subject {
  for (const field of ['kernelName', 'inputs', 'definition'] as const) {
    if (!c[field]) throw new Error(`a case of ${c.kernelName ?? 'cases'} has no ${field}, but must have it.`);
  }
  return {
    caseName: Object.values(c.inputs).map((shape) => shape.join('x')).join(', '), // prettier-ignore
    attrs: {},
    output: 0,
    outShape: Object.values(c.inputs)[0],
    exact: false,
    terms: TERMS,
    magnitude: (inputs) => c.definition(inputs).map(Math.abs),
    ...c,
    kernelName: c.kernelName as KernelName,
  };
}

export async function checkOp({ f, inputs, options }: UserOp, seed: number): Promise<GradReport> {
  const tensors = inputs();
  try {
    return await gradCheck(f, tensors, { seed, ...options });
  } finally {
    dispose(tensors);
  }
}

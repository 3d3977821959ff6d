/**
 * Compares kernels of a user's module. The module exports
 *
 *   kernels  arguments of registerKernel: { kernelName, backendName, kernelFunc }
 *   cases    for kernels that the plugin does not have: the shapes to run them on, and their definition in float64
 *   ops      name -> { f, inputs(), ... }: functions whose gradients are checked
 *
 * A kernel with the name of a built-in is also compared with that built-in.
 */
import {
  dispose,
  getBackend,
  getKernel,
  type KernelConfig,
  registerKernel,
  type Tensor,
} from '@tensorflow/tfjs-core';
import { shown } from '../../kernels/known.js';
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

/** A case. Only the kernel's name, the inputs' shapes and the definition are required. */
export interface UserCase extends Partial<KernelCase> {
  kernelName: string;
  inputs: KernelCase['inputs'];
  /** The kernel in float64. */
  definition(inputs: Values): Float64Array;
}

export interface UserOp {
  f: Differentiable;
  inputs(): Tensor[];
  options?: GradCheckOptions;
}

/** Prefix of the names under which the module's kernels are registered, beside the built-ins. */
export const USER = 'User';

/** Default of `terms`: the rounding errors of a pointwise kernel, at most, in units of 2^-24 of its result. */
const TERMS = 4;

/** @throws Error if the module exports nothing that can be compared, or not what it must be */
export function checkModule(file: string, module: UserModule): void {
  const known = ['kernels', 'cases', 'ops'] as const;
  if (!known.some((name) => name in module)) {
    const names = Object.keys(module);
    const exported = names.length > 0 ? `only ${names.join(', ')}` : 'nothing';
    throw new Error(
      `${file} exports ${exported}, but it must export kernels or ops; see docs/custom-ops.md.`,
    );
  }
  for (const name of ['kernels', 'cases'] as const) {
    if (module[name] !== undefined && !Array.isArray(module[name]))
      throw new Error(`${name} of ${file} is ${shown(module[name])}, but it must be an array.`);
  }
  const { kernels = [], ops = {} } = module;
  if (typeof ops !== 'object' || ops === null || Array.isArray(ops))
    throw new Error(`ops of ${file} is ${shown(ops)}, but it must be an object: name -> { f, inputs }.`);
  kernels.forEach((config: unknown, i) => {
    const { kernelName, backendName, kernelFunc } = { ...(config as KernelConfig) };
    if (!kernelName || !backendName || typeof kernelFunc !== 'function')
      throw new Error(
        `kernels[${i}] of ${file} is ${shown(config)}, but it must have kernelName, backendName and kernelFunc.`,
      );
  });
}

/** Registers the module's kernels for the active backend, beside the built-ins. */
export function registerKernels({ kernels = [] }: UserModule): void {
  for (const config of kernels) {
    const kernelName = USER + config.kernelName;
    if (config.backendName === getBackend() && !getKernel(kernelName, config.backendName))
      registerKernel({ ...config, kernelName });
  }
}

/** The subjects, and the module's cases, that the module's kernels on the backend serve. */
export function subjectsOf(
  { kernels = [], cases = [] }: UserModule,
  subjects: readonly Subject[],
  backendName: string,
): Subject[] {
  const own = kernels.filter((config) => config.backendName === backendName);
  return [...subjects, ...cases.map(subjectOf)].filter((subject) =>
    own.some(({ kernelName }) => kernelName === subject.kernelName),
  );
}

/** @throws Error if a case has no kernelName, inputs or definition */
function subjectOf(c: UserCase): Subject {
  for (const field of ['kernelName', 'inputs', 'definition'] as const) {
    if (!c[field])
      throw new Error(
        `a case${c.kernelName ? ` of ${c.kernelName}` : ''} has no ${field}, but a case must have kernelName, inputs and definition.`,
      );
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

/** Checks the gradient of the module's op. The op's own options take precedence over the seed. */
export async function checkOp({ f, inputs, options }: UserOp, seed: number): Promise<GradReport> {
  const tensors = inputs();
  try {
    return await gradCheck(f, tensors, { seed, ...options });
  } finally {
    dispose(tensors);
  }
}

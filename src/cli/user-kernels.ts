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
  type KernelFunc,
  registerKernel,
  type Tensor,
  type TensorInfo,
} from '@tensorflow/tfjs-core';
import { checkKnown, shown } from '../../kernels/known.js';
import type { Subject } from '../../kernels/proof.js';
import { type CompleteCase, completeCase, type GivenCase } from '../verify/case.js';
import type { Differentiable } from '../verify/flat.js';
import { gradCheck, type GradCheckOptions } from '../verify/grad-check.js';
import type { GradReport } from '../verify/grad-report.js';
import { originals } from './comparison.js';

/** What a module exports that is compared. */
export interface UserModule {
  kernels: readonly KernelConfig[];
  cases: readonly Subject[];
  ops: Record<string, UserOp>;
}

export interface UserOp {
  f: Differentiable;
  inputs(): Tensor[];
  options?: GradCheckOptions;
}

/** Prefix of the names under which the module's kernels are registered, beside the built-ins. */
export const USER = 'User';

const EXPORTS = ['kernels', 'cases', 'ops'] as const;
const OP = ['f', 'inputs', 'options'] as const;

/**
 * The exports that are compared, with complete cases.
 * @throws Error if the module exports nothing that can be compared, or not what it must be
 */
export function readModule(file: string, module: object): UserModule {
  if (!EXPORTS.some((name) => name in module)) {
    const names = Object.keys(module);
    const exported = names.length > 0 ? `only ${names.join(', ')}` : 'nothing';
    throw new Error(
      `${file} exports ${exported}, but it must export kernels or ops; see docs/custom-ops.md.`,
    );
  }
  const { kernels = [], cases = [], ops = {} } = module as Partial<Record<(typeof EXPORTS)[number], unknown>>;
  checkKernels(file, kernels);
  checkOps(file, ops);
  return { kernels, cases: casesOf(file, cases, kernels), ops };
}

function checkKernels(file: string, kernels: unknown): asserts kernels is readonly KernelConfig[] {
  checkArray(file, 'kernels', kernels);
  const seen = new Set<string>();
  kernels.forEach((config, i) => {
    const { kernelName, backendName, kernelFunc } = { ...(config as KernelConfig) };
    if (!isName(kernelName) || !isName(backendName) || typeof kernelFunc !== 'function')
      throw new Error(
        `kernels[${i}] of ${file} is ${shown(config)}, but it must have kernelName, backendName and kernelFunc.`,
      );
    const name = `${kernelName} on ${backendName}`;
    if (seen.has(name))
      throw new Error(`kernels[${i}] of ${file} is a second ${name}, but there must be one of each.`);
    seen.add(name);
  });
}

function checkOps(file: string, ops: unknown): asserts ops is Record<string, UserOp> {
  if (typeof ops !== 'object' || ops === null || Array.isArray(ops))
    throw new Error(`ops of ${file} is ${shown(ops)}, but it must be an object: name -> { f, inputs }.`);
  for (const [name, op] of Object.entries(ops as Record<string, Partial<UserOp>>)) {
    if (typeof op !== 'object' || typeof op?.f !== 'function' || typeof op.inputs !== 'function')
      throw new Error(
        `ops.${name} of ${file} is ${shown(op)}, but it must be { f, inputs }: a function, and a function that returns a list of its arguments.`,
      );
    for (const field of Object.keys(op)) checkKnown(`ops.${name} of ${file} has the field`, field, OP);
  }
}

function casesOf(file: string, cases: unknown, kernels: readonly KernelConfig[]): Subject[] {
  checkArray(file, 'cases', cases);
  const names = [...new Set(kernels.map(({ kernelName }) => kernelName))];
  return cases.map((given, i) => {
    const where = `cases[${i}] of ${file}`;
    const complete = completeCase(given as GivenCase, where, ['kernelName', 'inputs', 'definition']);
    const { kernelName } = complete;
    if (names.length === 0)
      throw new Error(`${where} names the kernel ${shown(kernelName)}, but ${file} exports no kernels.`);
    checkKnown(`kernelName of ${where} is`, kernelName, names);
    return complete as CompleteCase & Subject;
  });
}

function checkArray(file: string, name: string, value: unknown): asserts value is readonly unknown[] {
  if (!Array.isArray(value))
    throw new Error(`${name} of ${file} is ${shown(value)}, but it must be an array.`);
}

const isName = (value: unknown) => typeof value === 'string' && value !== '';

/** Registers the module's kernels for the active backend, beside the built-ins. */
export function registerKernels({ kernels }: UserModule): void {
  for (const config of kernels) {
    const kernelName = USER + config.kernelName;
    if (config.backendName === getBackend() && !getKernel(kernelName, config.backendName))
      registerKernel({ ...config, kernelName, kernelFunc: withCheckedResult(config) });
  }
}

/** The kernel. If it gives something else than tensors, it says so: tfjs would fail on that with an error of its own. */
function withCheckedResult({ kernelName, kernelFunc }: KernelConfig): KernelFunc {
  const checked: KernelFunc = (args) => {
    const result = kernelFunc(args);
    for (const output of [result].flat()) {
      const { dataId, shape, dtype } = { ...(output as TensorInfo | undefined) };
      if (!dataId || !Array.isArray(shape) || !dtype)
        throw new Error(
          `tfjs-convgrad: kernel ${kernelName} gives ${shown(output)}, but it must give { dataId, shape, dtype } or a list of them.`,
        );
    }
    return result;
  };
  originals.set(checked, kernelFunc);
  return checked;
}

/** The subjects, and the module's cases, that the module's kernels on the backend serve. */
export function subjectsOf(
  { kernels, cases }: UserModule,
  subjects: readonly Subject[],
  backendName: string,
): Subject[] {
  const own = kernels.filter((config) => config.backendName === backendName);
  return [...subjects, ...cases].filter((subject) =>
    own.some(({ kernelName }) => kernelName === subject.kernelName),
  );
}

/** The names of the module's kernels on the backend that no subject and no case runs. */
export function withoutCase(module: UserModule, subjects: readonly Subject[], backendName: string): string[] {
  const served = subjectsOf(module, subjects, backendName).map(({ kernelName }) => kernelName as string);
  return module.kernels
    .filter((config) => config.backendName === backendName && !served.includes(config.kernelName))
    .map(({ kernelName }) => kernelName);
}

/** Checks the gradient of the module's op. The op's own options take precedence over the seed. */
export async function checkOp(
  name: string,
  { f, inputs, options }: UserOp,
  seed: number,
): Promise<GradReport> {
  const tensors: unknown = inputs();
  if (!Array.isArray(tensors))
    throw new Error(
      `inputs of ops.${name} gives ${shown(tensors)}, but it must give a list of tensors, the arguments of f.`,
    );
  try {
    return await gradCheck(f, tensors as Tensor[], { seed, ...options });
  } finally {
    dispose(tensors as Tensor[]);
  }
}

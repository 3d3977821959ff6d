/** The part of `compare` that runs when a backend is active: in Node, or in the page that it opens. */
import {
  findBackend,
  findBackendFactory,
  getBackend,
  registerBackend,
  removeBackend,
  setBackend,
} from '@tensorflow/tfjs-core';
import { type BackendName, KERNELS } from '../../kernels/registry.js';
import { chosen, compareSubject, type Comparison, isChosen, type Selection } from './comparison.js';
import { checkOp, USER, useKernels, type UserModule, type UserOp } from './user-kernels.js';

export interface Asked extends Selection {
  seed: number;
  /** How long one kernel and case are timed; 0: one round. */
  milliseconds: number;
}

/** The first message has the number of rows. Each later message is a row. */
export type CompareMessage = { total: number } | { row: Comparison };

/** The name in the column of cases for the gradients of ops. */
const GRADIENT = 'gradient';

/** The row of a kernel or an op that throws, or that gives a result of another shape. */
function failed(op: string, caseName: string, { message }: Error): Comparison {
  const nothing = { builtinError: null, gradientError: null, timeRatio: null };
  return { op, case: caseName, error: Infinity, builtin: message, ok: false, ...nothing };
}

export async function runComparisons(
  asked: Asked,
  module: UserModule | undefined,
  onMessage: (message: CompareMessage) => void,
): Promise<Comparison[]> {
  const isAsked = (op: string, caseName: string) => isChosen(asked, op, caseName);
  const all = chosen(asked);
  const subjects = module
    ? useKernels(module, all).filter(({ kernelName, caseName }) => isAsked(kernelName, caseName))
    : all.filter(({ kernelName }) => KERNELS[kernelName][getBackend() as BackendName]);
  const ops = Object.entries(module?.ops ?? {}).filter(([name]) => isAsked(name, GRADIENT));
  const prefix = module ? USER : undefined;
  onMessage({ total: subjects.length + ops.length });
  const rows: Comparison[] = [];
  const add = async (op: string, caseName: string, row: Promise<Comparison>) => {
    rows.push(
      await row.catch(async (error: Error) => {
        if (error.name === 'RuntimeError') await restart(getBackend());
        return failed(op, caseName, error);
      }),
    );
    onMessage({ row: rows[rows.length - 1] });
  };
  for (const subject of subjects) {
    const row = compareSubject(subject, asked.seed, asked.milliseconds, prefix);
    await add(subject.kernelName, subject.caseName, row);
  }
  for (const [name, op] of ops) await add(name, GRADIENT, gradientOf(name, op, asked.seed));
  return rows;
}

/** Starts the backend again. After a trap, a WebAssembly backend's memory is unusable: all later calls would fail. */
async function restart(backendName: string): Promise<void> {
  const factory = findBackendFactory(backendName);
  findBackend(backendName).dispose = () => {}; // it would use that memory
  removeBackend(backendName);
  registerBackend(backendName, factory);
  await setBackend(backendName);
}

/** The gradient of a module's op, as a row of the comparison. */
async function gradientOf(name: string, op: UserOp, seed: number): Promise<Comparison> {
  const report = await checkOp(op, seed);
  const error = report.worst?.error ?? 0;
  const ok = report.verdict === 'right';
  const builtin = ok ? 'none' : String(report).replaceAll('\n', ' ');
  return {
    op: name,
    case: GRADIENT,
    error,
    gradientError: error,
    builtin,
    builtinError: null,
    timeRatio: null,
    ok,
  };
}

/** The part of `compare` that runs when a backend is active: in Node, or in the page that it opens. */
import {
  findBackend,
  findBackendFactory,
  getBackend,
  registerBackend,
  removeBackend,
  setBackend,
} from '@tensorflow/tfjs-core';
import { chosen, compareSubject, type Comparison, isChosen, type Selection } from './comparison.js';
import type { GradReport } from '../verify/grad-report.js';
import {
  checkOp,
  registerKernels,
  subjectsOf,
  USER,
  type UserModule,
  type UserOp,
  withoutCase,
} from './user-kernels.js';

export interface Asked extends Selection {
  seed: number;
  /** How long a kernel is timed on shapes of the user's; 0: one round. */
  milliseconds: number;
}

/** What is compared: a kernel on a case, or the gradient of an op. */
export interface Name {
  op: string;
  case: string;
}

/** The first message has the number of rows, and the module's kernels that no case runs. Each later message is a row. */
export type CompareMessage = { total: number; notCompared: string[] } | { row: Comparison };

/** The name in the column of cases for the gradients of ops. */
const GRADIENT = 'gradient';

/** The row of a kernel or an op that throws, or that gives a result of another shape. */
function failed(op: string, caseName: string, error: unknown): Comparison {
  const message = onOneLine(error instanceof Error ? error.message : String(error));
  const nothing = { builtin: 'none', builtinError: null, gradientError: null, timeRatio: null };
  return { op, case: caseName, error: Infinity, message, ok: false, ...nothing };
}

/** What is selected of the module's kernels and ops or, without a module, of the plugin's kernels. */
function selected(asked: Asked, module: UserModule | undefined, backendName: string) {
  const isAsked = (op: string, caseName: string) => isChosen(asked, op, caseName);
  const all = chosen(asked, backendName);
  const subjects = module
    ? subjectsOf(module, all, backendName).filter(({ kernelName, caseName }) => isAsked(kernelName, caseName))
    : all;
  const ops = Object.entries(module?.ops ?? {}).filter(([name]) => isAsked(name, GRADIENT));
  const notCompared = module
    ? withoutCase(module, chosen({ op: '', case: '' }, backendName), backendName)
    : [];
  // The named cases are small, so that they show what is right. Their times would say nothing.
  const untimed = new Set(asked.own ? [] : all);
  return { subjects, untimed, ops, notCompared };
}

/** The names of all that would be compared. */
export function namesOf(asked: Asked, module: UserModule | undefined, backendName: string): Name[] {
  const { subjects, ops } = selected(asked, module, backendName);
  return [
    ...subjects.map(({ kernelName, caseName }) => ({ op: kernelName, case: caseName })),
    ...ops.map(([name]) => ({ op: name, case: GRADIENT })),
  ];
}

export async function runComparisons(
  asked: Asked,
  module: UserModule | undefined,
  onMessage: (message: CompareMessage) => void,
): Promise<Comparison[]> {
  const { subjects, untimed, ops, notCompared } = selected(asked, module, getBackend());
  if (module) registerKernels(module);
  const prefix = module ? USER : undefined;
  onMessage({ total: subjects.length + ops.length, notCompared });
  const rows: Comparison[] = [];
  const add = async (op: string, caseName: string, row: Promise<Comparison>) => {
    rows.push(
      await row.catch(async (error: unknown) => {
        if (error instanceof Error && error.name === 'RuntimeError') await restart(getBackend());
        return failed(op, caseName, error);
      }),
    );
    onMessage({ row: rows[rows.length - 1] });
  };
  for (const subject of subjects) {
    const milliseconds = untimed.has(subject) ? null : asked.milliseconds;
    const row = compareSubject(subject, asked.seed, milliseconds, prefix);
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

const onOneLine = (text: string) => text.replace(/\s*\n\s*/g, ' ');

const worstOf = ({ index, got, want, bound }: NonNullable<GradReport['worst']>): Comparison['worst'] => ({
  proof: 'gradient',
  element: index ? [...index] : null,
  got,
  want,
  bound,
});

/** The gradient of a module's op, as a row of the comparison. */
async function gradientOf(name: string, op: UserOp, seed: number): Promise<Comparison> {
  const report = await checkOp(name, op, seed);
  const error = report.worst?.error ?? 0;
  const ok = report.verdict === 'right';
  return {
    op: name,
    case: GRADIENT,
    error,
    gradientError: error,
    builtin: 'none',
    builtinError: null,
    timeRatio: null,
    ...(!ok && { message: onOneLine(String(report)) }),
    ...(report.verdict === 'wrong' && report.worst && { worst: worstOf(report.worst) }),
    ok,
  };
}

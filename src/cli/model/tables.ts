/** The tables of a model's results, for the terminal and for the page. */
import { type Cell, format } from '../cells.js';
import type { ModelOp } from '../../verify/model/model-report.js';
import type { KernelRow, ModelResult, Side } from './task.js';

/** A kernel of the model: how right it is, and how fast. */
export interface KernelSummary extends KernelRow {
  /** The plugin has a kernel of its own in this place. */
  isOurs: boolean;
  /** The largest error in units of its bound, with tfjs's kernels and with the plugin's; null if it was not judged. */
  errors: { tfjs: number | null; plugin: number | null };
  isWrong: { tfjs: boolean; plugin: boolean };
  /** Share of the time with tfjs's kernels. */
  share: number | null;
}

const opsOf = (side: Side): readonly ModelOp[] => ('report' in side ? side.report.ops : []);

/** The kernels that were timed, the slowest first, and those that were only checked. */
export function kernelsOf({ kernels, ours, tfjs, plugin }: ModelResult): KernelSummary[] {
  const all = kernels.reduce((sum, { tfjs }) => sum + (tfjs ?? 0), 0);
  const names = new Set([...kernels.map(({ kernel }) => kernel), ...[...opsOf(plugin), ...opsOf(tfjs)].map(({ kernel }) => kernel)]); // prettier-ignore
  return [...names].map((kernel) => {
    const own = { tfjs: opsOf(tfjs).filter((op) => op.kernel === kernel), plugin: opsOf(plugin).filter((op) => op.kernel === kernel) }; // prettier-ignore
    const calls = Math.max(own.tfjs.length, own.plugin.length);
    const row = kernels.find((row) => row.kernel === kernel) ?? { kernel, calls, tfjs: null, plugin: null }; // prettier-ignore
    return {
      ...row,
      isOurs: ours.includes(kernel),
      errors: { tfjs: largestError(own.tfjs), plugin: largestError(own.plugin) },
      isWrong: { tfjs: own.tfjs.some(isWrong), plugin: own.plugin.some(isWrong) },
      share: all > 0 && row.tfjs !== null ? row.tfjs / all : null,
    };
  });
}

export const KERNEL_COLUMNS = [
  'Kernel',
  'Calls',
  'Whose',
  'Error, tfjs',
  'Error, plugin',
  'ms, tfjs',
  'ms, plugin',
  'Speed',
  'Share of the time',
];

export const ERROR_UNIT =
  'An error is that of the worst element, in units of what rounding may do: up to 1 is right.';

export function kernelCells(result: ModelResult): Cell[][] {
  return kernelsOf(result).map((row) => [
    row.kernel,
    row.calls,
    row.isOurs ? 'plugin' : 'tfjs',
    errorCell(row.errors.tfjs, row.isWrong.tfjs),
    errorCell(row.errors.plugin, row.isWrong.plugin),
    row.tfjs,
    row.plugin,
    row.tfjs !== null && row.plugin !== null ? row.tfjs / row.plugin : null,
    row.share === null ? null : `${(100 * row.share).toFixed(0)}%`,
  ]);
}

export const errorCell = (error: number | null, isWrong: boolean): Cell =>
  isWrong ? { text: format(error ?? Infinity), ok: false } : error;

/** How much of the model the plugin's own kernels are, as a sentence. */
export function ownShare(result: ModelResult): string {
  const all = kernelsOf(result);
  const own = all.filter(({ isOurs }) => isOurs);
  const share = own.reduce((sum, { share }) => sum + (share ?? 0), 0);
  const time = share > 0 ? `: ${(100 * share).toFixed(0)}% of the time with tfjs's` : '';
  return `Of the model's ${all.length} kernels the plugin has ${own.length} of its own${time}.`;
}

const isWrong = ({ state }: ModelOp) => state === 'wrong';

function largestError(ops: readonly ModelOp[]): number | null {
  const errors = ops.flatMap(({ error }) => error ?? []);
  return errors.length > 0 ? Math.max(...errors) : null;
}

/** An op of the model, with the same op of tfjs's kernels if these ran the same sequence of ops. */
export interface OpPair {
  op: ModelOp;
  tfjs?: ModelOp;
}

/** Every op, in the order of the model, as it ran with the plugin or, if that throws, with tfjs's kernels. */
export function opsIn({ tfjs, plugin }: ModelResult): OpPair[] {
  const [theirs, ours] = [opsOf(tfjs), opsOf(plugin)];
  if (ours.length === 0) return theirs.map((op) => ({ op }));
  const isSame = ours.length === theirs.length && ours.every(({ kernel }, i) => kernel === theirs[i].kernel);
  return ours.map((op, i) => ({ op, ...(isSame && { tfjs: theirs[i] }) }));
}

/** Whose op it is, and the shapes that it got. */
export function placeOf({ layer, phase, inputs }: ModelOp): { layer: string; shapes: string } {
  const shapes = Object.values(inputs).map((shape) => (shape.length > 0 ? shape.join('x') : 'scalar'));
  return { layer: [layer ?? '', ...(phase === 'forward' ? [] : [phase])].filter(Boolean).join(', '), shapes: shapes.join(' ') }; // prettier-ignore
}

/** How many times faster the whole model should be by the times of its kernels, and is; null if it was not measured. */
export function speedUps({ kernels, whole }: ModelResult): {
  expected: number | null;
  measured: number | null;
} {
  const sum = (side: 'tfjs' | 'plugin') => kernels.reduce((total, row) => total + (row[side] ?? 0), 0);
  const isTimed = kernels.some(({ tfjs }) => tfjs !== null) && kernels.some(({ plugin }) => plugin !== null);
  return {
    expected: isTimed ? sum('tfjs') / sum('plugin') : null,
    measured: whole.tfjs !== null && whole.plugin !== null ? whole.tfjs / whole.plugin : null,
  };
}

/** What a report says before its table, line by line, or what was thrown. The tables here have times of their own. */
export function linesOf(side: Side): string[] {
  return 'error' in side ? [`It throws: ${side.error}`] : side.report.text.split('\n\n')[0].split('\n');
}

/** 'right', 'WRONG' or 'unsure', or what was thrown. */
export function verdictOf(side: Side): string {
  if ('error' in side) return 'throws';
  const { verdict } = side.report;
  return verdict === 'wrong' ? 'WRONG' : verdict;
}

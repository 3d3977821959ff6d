/** What `npm start` says about its trainings, on the terminal and in the report: a table and sentences. */

import { median } from '../verify/time.js';
import { type KernelTime, SMALL_SHARE } from './by-kernel.js';
import { rounded, twoDigits } from './cells.js';

/** Number of digits that are kept for the accuracy. */
export const HELD_OUT = 300;

export interface Training {
  /** The first is that of tfjs's own kernels. All have the same weights and batches. */
  runs: Run[];
  /** The largest difference between two runs' losses of the same step. */
  difference: number;
  ok: boolean;
}

export interface Run {
  title: string;
  /** The loss of each step; empty if the backend is not installed. */
  losses: number[];
  /** Of each step; absent if the backend is not installed. */
  msPerStep?: number[];
  /** Where the time of one step went; absent if the backend is not installed. */
  kernels?: KernelTime[];
  /** Share of the held-out digits that were recognized; absent if it was not measured. */
  accuracy?: number;
}

/** Kernels round differently, and each step passes the difference on to the next. The first losses are near 2. */
const ALLOWED = 1e-4;

export function trainingOf(runs: Run[]): Training {
  const differences = runs.flatMap((a, i) =>
    runs.slice(i + 1).flatMap((b) => {
      const steps = Math.min(a.losses.length, b.losses.length);
      return a.losses.slice(0, steps).map((loss, step) => Math.abs(loss - b.losses[step]));
    }),
  );
  const difference = Math.max(...differences);
  return { runs, difference, ok: difference < ALLOWED };
}

/** Number of steps that all runs have taken, without those whose backend is not installed. */
export function sharedSteps({ runs }: Training): number {
  return Math.min(...runs.map(({ losses }) => losses.length).filter((steps) => steps > 0));
}

/** The first cell of each row is its heading, and the first row has the headings of the columns. */
export function trainingTable(training: Training): string[][] {
  const { runs } = training;
  const last = Math.max(...runs.map(({ losses }) => losses.length));
  const row = (heading: string, cell: (run: Run) => string | undefined) => [
    heading,
    ...runs.map((run) => cell(run) ?? '-'),
  ];
  return [
    row('training', ({ title }) => title),
    row('steps', ({ losses }) => (losses.length > 0 ? String(losses.length) : 'not installed')),
    row('ms a step, median', ({ msPerStep }) => msPerStep && typical(msPerStep)),
    ...[...new Set([sharedSteps(training), last])].map((steps) =>
      row(`loss of step ${steps}`, ({ losses }) => losses[steps - 1]?.toFixed(6)),
    ),
    row(`accuracy on ${HELD_OUT} held-out digits`, ({ accuracy }) =>
      accuracy === undefined ? undefined : `${(100 * accuracy).toFixed(1)}%`,
    ),
  ];
}

/** The median, in no more digits than the quartiles allow. */
function typical(times: readonly number[]): string {
  const sorted = [...times].sort((a, b) => a - b);
  return rounded(median(sorted), sorted[sorted.length >> 2], sorted[(3 * sorted.length) >> 2]);
}

/**
 * One step, kernel by kernel, in ms. Kernels that take a small share of each run's step are summed up. The first cell of each row is
 * its heading, and the first row has the headings of the columns.
 */
export function kernelTable({ runs }: Training): string[][] {
  const measured = runs.filter(({ kernels }) => kernels);
  const timesOf = ({ kernels = [] }: Run) =>
    new Map(kernels.map(({ kernelName, milliseconds }) => [kernelName, milliseconds]));
  const columns = measured.map(timesOf);
  const totals = columns.map((times) => sumOf(times.values()));
  const isLarge = (name: string) =>
    columns.some((times, i) => (times.get(name) ?? 0) >= SMALL_SHARE * totals[i]);
  const names = [...new Set(columns.flatMap((times) => [...times.keys()]))];
  const large = names.filter(isLarge);
  const others = columns.map((times) =>
    sumOf(names.filter((name) => !isLarge(name)).map((name) => times.get(name) ?? 0)),
  );
  const row = (heading: string, times: (number | undefined)[]) => [
    heading,
    ...times.map((time) => (time === undefined ? '-' : twoDigits(time))),
  ];
  return [
    ['ms of one step, by kernel', ...measured.map(({ title }) => title)],
    ...large.map((name) => row(name, columns.map((times) => times.get(name)))),
    row('others', others),
    row('all kernels', totals),
  ]; // prettier-ignore
}

function sumOf(values: Iterable<number>): number {
  return [...values].reduce((sum, value) => sum + value, 0);
}

export function agreement({ difference, ok }: Training): string {
  return (
    `In each step the losses ${ok ? 'agree to rounding' : 'disagree'}: ` +
    `they differ by at most ${difference.toExponential(1)}; allowed is ${ALLOWED.toExponential()}.`
  );
}

/** Sentences: why tfjs's own kernels do not have a whole column for each backend. */
export function limitsOfTfjs({ runs: [builtin, ...others] }: Training): string[] {
  const steps = builtin.losses.length;
  const isCut = others.some(({ losses }) => losses.length > steps);
  return [
    ...(isCut ? [`tfjs's own kernels on cpu are slow, so they take ${steps} steps only.`] : []),
    'On wasm tfjs cannot train without the plugin: it has no gradient of a filter there.',
  ];
}

/** Prints comparisons and trainings as text. */
import { median } from '../verify/time.js';
import type { Comparison } from './comparison.js';
import { noCase, remarksOn } from './remarks.js';
import type { Name } from './run-comparisons.js';
import { agreement, kernelTable, limitsOfTfjs, type Training, trainingTable } from './training.js';

/**
 * Prints a row for each comparison, and what is wrong below it. Errors are in units of their bounds: at most 1 is right.
 * @param notCompared names of kernels of which there is no case
 */
export function printComparisons(comparisons: Comparison[], notCompared: readonly string[] = []): void {
  console.log('\nEvery kernel and case. Errors are in units of their rounding bound: at most 1 is right.');
  row('', 'kernel', 'case', 'error', 'gradient', 'speed', 'built-in');
  for (const c of comparisons) {
    const speed = c.timeRatio === null ? '-' : `${c.timeRatio.toFixed(1)}x`;
    row(mark(c.ok), c.op, c.case, short(c.error), short(c.gradientError), speed, c.builtin);
    for (const remark of remarksOn(c)) console.log(`   ${remark}`);
  }
  const ratios = comparisons.flatMap((c) => c.timeRatio ?? []);
  const right = comparisons.filter((c) => c.ok).length;
  const speed = ratios.length > 0 ? `; the median speed is ${median(ratios).toFixed(1)}x the built-in's` : '';
  console.log(`${right} of ${comparisons.length} right${speed}`);
  if (notCompared.length > 0) console.log(noCase(notCompared));
  console.log();
}

/** Prints the names of what could be compared: each kernel or op, and its cases below it. */
export function printNames(names: readonly Name[], backendName: string): void {
  const ops = [...new Set(names.map(({ op }) => op))];
  for (const op of ops) {
    console.log(op);
    for (const name of names) if (name.op === op) console.log(`  ${name.case}`);
  }
  console.log(`\n${ops.length} kernels and ops, ${names.length} comparisons on ${backendName}`);
}

export function printTraining(training: Training): void {
  console.log('\nTraining. All start with the same weights and see the same batches.');
  printTable(trainingTable(training));
  console.log();
  printTable(kernelTable(training));
  console.log([`${mark(training.ok)} ${agreement(training)}`, ...limitsOfTfjs(training)].join('\n'));
}

function printTable(rows: string[][]): void {
  for (const [heading, ...cells] of rows)
    console.log(heading.padEnd(31) + cells.map((cell) => cell.padStart(16)).join(''));
}

function row(
  ok: string,
  op: string,
  name: string,
  error: string,
  gradient: string,
  speed: string,
  builtin: string,
) {
  console.log(
    [
      ok.padEnd(2),
      op.padEnd(20),
      name.padEnd(34),
      error.padStart(8),
      gradient.padStart(8),
      speed.padStart(8),
      builtin,
    ]
      .join(' ')
      .trimEnd(),
  );
}

function short(error: number | null): string {
  return error === null ? '-' : error === 0 ? '0' : error.toPrecision(2);
}

export function mark(ok: boolean): string {
  return ok ? 'ok' : 'NO';
}

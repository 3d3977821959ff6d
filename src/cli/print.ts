/** Prints comparisons and trainings as text. */
import type { Comparison } from './comparison.js';
import { tableLines } from './model/text.js';
import { noCase, remarksOn } from './remarks.js';
import type { Name } from './run-comparisons.js';
import { type Speed, speedTable } from './speeds.js';
import { agreement, kernelTable, limitsOfTfjs, type Training, trainingTable } from './training.js';

/**
 * Prints a heading for each kernel, a row for each of its cases, and what is wrong below the row. Errors are in units of their bounds: at
 * most 1 is right.
 * @param notCompared names of kernels of which there is no case
 */
export function printComparisons(comparisons: Comparison[], notCompared: readonly string[] = []): void {
  console.log('\nErrors are in units of what rounding may do: at most 1 is right.');
  const isTimed = comparisons.some(({ timeRatio }) => timeRatio !== null);
  row('', '', 'error', 'gradient', isTimed ? 'speed' : '');
  for (const [op, cases] of byOp(comparisons)) {
    console.log(`${op}: ${countOf(cases)} right`);
    for (const c of cases) {
      const speed = c.timeRatio === null ? '' : `${c.timeRatio.toFixed(1)}x`;
      row(`  ${mark(c.ok)}`, c.case, short(c.error), short(c.gradientError), speed);
      for (const remark of [...remarksOn(c), ...onBuiltin(c)]) console.log(indented(remark));
    }
  }
  console.log(`\n${countOf(comparisons)} right`);
  if (isTimed) console.log("speed: the built-in's time divided by the kernel's.");
  if (notCompared.length > 0) console.log(noCase(notCompared));
  console.log();
}

/** Prints a row for each kernel, and below it the cases that are wrong. */
export function printKernels(comparisons: Comparison[]): void {
  console.log(
    '\nEvery kernel on every case. Errors are in units of what rounding may do: at most 1 is right.',
  );
  row('', '', 'right', 'error', 'gradient');
  for (const [op, cases] of byOp(comparisons)) {
    const largest = (of: (c: Comparison) => number | null) => Math.max(...cases.map((c) => of(c) ?? -1));
    const shown = (error: number) => (error < 0 ? '-' : short(error));
    const ok = cases.every((c) => c.ok);
    row(mark(ok), op, countOf(cases), shown(largest((c) => c.error)), shown(largest((c) => c.gradientError)));
    for (const c of cases.filter((c) => !c.ok)) {
      console.log(`   NO ${c.case}`);
      for (const remark of remarksOn(c)) console.log(indented(remark));
    }
  }
  console.log(`${countOf(comparisons)} right\n`);
}

function byOp(comparisons: readonly Comparison[]): Map<string, Comparison[]> {
  const ops = new Map<string, Comparison[]>();
  for (const c of comparisons) ops.set(c.op, [...(ops.get(c.op) ?? []), c]);
  return ops;
}

const countOf = (rows: readonly { ok: boolean }[]) =>
  `${rows.filter(({ ok }) => ok).length} of ${rows.length}`;

/** Where the built-in differs. */
function onBuiltin({ builtin }: Comparison): string[] {
  if (builtin === 'equal' || builtin === 'none') return [];
  return [`the built-in differs${builtin === 'differs' ? '' : `: ${builtin}`}`];
}

const indented = (text: string) => `     ${text}`;

/** Prints the names of what could be compared: each kernel or op, and its cases below it. */
export function printNames(names: readonly Name[], backendName: string): void {
  const ops = [...new Set(names.map(({ op }) => op))];
  for (const op of ops) {
    console.log(op);
    for (const name of names) if (name.op === op) console.log(`  ${name.case}`);
  }
  console.log(`\n${ops.length} kernels and ops, ${names.length} comparisons on ${backendName}`);
}

/** Speeds are those of tfjs's own kernels on the same backend. */
export function printSpeeds(speeds: readonly Speed[]): void {
  console.log("\nTimes on cpu, on shapes of real networks: how many times faster than tfjs's own kernels.");
  console.log(`${tableLines(speedTable(speeds), 2).join('\n')}\n`);
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

function row(mark: string, name: string, ...cells: string[]): void {
  console.log(
    `${mark.padEnd(4)} ${name.padEnd(44)}${cells.map((cell) => cell.padStart(10)).join('')}`.trimEnd(),
  );
}

function short(error: number | null): string {
  return error === null ? '-' : error === 0 ? '0' : error.toPrecision(2);
}

export function mark(ok: boolean): string {
  return ok ? 'ok' : 'NO';
}

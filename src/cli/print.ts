/** Prints examples, comparisons, speeds and trainings as text, in lines of at most 80 characters. */
import { folded, twoDigits } from './cells.js';
import type { Comparison } from './comparison.js';
import { tableLines } from './model/text.js';
import { differsOnPurpose, failedFirst, noCase, outcome, remarksOn, WHAT_ROWS_ARE } from './remarks.js';
import type { Name } from './run-comparisons.js';
import { HOW_TIMED, type Speed, speedTable } from './speeds.js';
import { agreement, kernelTable, limitsOfTfjs, type Training, trainingTable } from './training.js';
import type { Example } from './worked-examples.js';

const COLUMNS = 80;
const ERRORS = 'Errors are in units of what rounding may do: at most 1 is right.';

/** The text in lines, which end between words where they can. `indent`: spaces before each line but the first. */
export function wrapped(text: string, indent = 0): string {
  const lines: string[] = [];
  let rest = text;
  while (rest.length > COLUMNS) {
    const space = rest.lastIndexOf(' ', COLUMNS);
    const end = space > indent ? space : COLUMNS;
    lines.push(rest.slice(0, end).trimEnd());
    rest = ' '.repeat(indent) + rest.slice(end).trimStart();
  }
  return [...lines, rest].join('\n');
}

export function printExamples(examples: readonly Example[]): void {
  console.log('Worked examples');
  for (const { id, title, got, want, remark, ok } of failedFirst(examples)) {
    console.log(wrapped(`${mark(ok)} ${id.padEnd(4)} ${title}`, 8));
    if (ok) continue;
    for (const [name, value] of Object.entries({ got, want })) {
      const cell = folded(value);
      console.log(wrapped(`        ${name.padEnd(4)} ${typeof cell === 'string' ? cell : cell.brief}`, 13));
    }
    if (remark) console.log(wrapped(`        ${remark}`, 8));
  }
  console.log(`${outcome(examples)}\n`);
}

/**
 * Prints a heading for each kernel, a row for each of its cases, and what is wrong below the row. What failed stands first.
 * @param notCompared names of kernels of which there is no case
 */
export function printComparisons(comparisons: Comparison[], notCompared: readonly string[] = []): void {
  console.log(`\n${ERRORS}`);
  const isTimed = comparisons.some(({ timeRatio }) => timeRatio !== null);
  row('', '', 'error', 'gradient', isTimed ? 'speed' : '');
  for (const [op, cases] of byOp(failedFirst(comparisons))) {
    console.log(wrapped(`${op}: ${outcome(cases)}`, 2));
    for (const c of cases) {
      const speed = c.timeRatio === null ? '' : `${twoDigits(c.timeRatio)}x`;
      row(`  ${mark(c.ok)}`, c.case, short(c.error), short(c.gradientError), speed);
      printRemarks([...remarksOn(c), ...onBuiltin(c)]);
    }
  }
  console.log(`\n${outcome(comparisons)}`);
  if (isTimed) console.log("speed: the built-in's time divided by the kernel's.");
  if (comparisons.some(differsOnPurpose)) console.log(wrapped(WHAT_ROWS_ARE));
  if (notCompared.length > 0) console.log(wrapped(noCase(notCompared)));
  console.log();
}

/** Prints a row for each kernel, and below it the cases that are wrong. What failed stands first. */
export function printKernels(comparisons: Comparison[]): void {
  const ops = [...byOp(failedFirst(comparisons))];
  const largest = (cases: Comparison[], of: (c: Comparison) => number | null) => {
    const error = Math.max(...cases.map((c) => of(c) ?? -1));
    return short(error < 0 ? null : error);
  };
  const [head, ...lines] = tableLines(
    [
      ['', '', '', 'error', 'gradient'],
      ...ops.map(([op, cases]) => [
        mark(cases.every(({ ok }) => ok)),
        op,
        outcome(cases),
        largest(cases, (c) => c.error),
        largest(cases, (c) => c.gradientError),
      ]),
    ],
    2,
  );
  console.log(`${wrapped(`\nEvery kernel on every case. ${ERRORS}`)}\n${head}`);
  for (const [i, [, cases]] of ops.entries()) {
    console.log(lines[i]);
    for (const c of cases.filter((c) => !c.ok)) {
      console.log(wrapped(`    ${c.case}`, 4));
      printRemarks(remarksOn(c));
    }
  }
  console.log(`${outcome(comparisons)}\n`);
}

function byOp(comparisons: readonly Comparison[]): Map<string, Comparison[]> {
  const ops = new Map<string, Comparison[]>();
  for (const c of comparisons) ops.set(c.op, [...(ops.get(c.op) ?? []), c]);
  return ops;
}

/** Where the built-in differs. */
function onBuiltin({ builtin }: Comparison): string[] {
  if (builtin === 'equal' || builtin === 'none') return [];
  return [`the built-in differs${builtin === 'differs' ? '' : `, ${builtin}`}`];
}

/** Below a row, each on lines of its own. */
function printRemarks(remarks: readonly string[]): void {
  for (const remark of remarks) console.log(wrapped(`     ${remark}`, 7));
}

/** Prints the names of what could be compared: each kernel or op, and its cases below it. */
export function printNames(names: readonly Name[], backendName: string): void {
  const ops = [...new Set(names.map(({ op }) => op))];
  for (const op of ops) {
    console.log(op);
    for (const name of names) if (name.op === op) console.log(wrapped(`  ${name.case}`, 4));
  }
  console.log(`\n${ops.length} kernels and ops, ${names.length} comparisons on ${backendName}`);
}

export function printSpeeds(speeds: readonly Speed[]): void {
  console.log(
    wrapped(`\nSpeed on shapes of real networks: times faster than tfjs's own kernels. ${HOW_TIMED}`),
  );
  console.log(`${tableLines(speedTable(speeds), 3).join('\n')}\n`);
}

export function printTraining(training: Training): void {
  console.log('\nTraining. All start with the same weights and see the same batches.');
  printTable(trainingTable(training));
  console.log();
  printTable(kernelTable(training));
  console.log(wrapped(`${mark(training.ok)} ${agreement(training)}`, 3));
  for (const sentence of limitsOfTfjs(training)) console.log(wrapped(sentence));
}

function printTable(rows: string[][]): void {
  for (const [heading, ...cells] of rows)
    console.log(heading.padEnd(31) + cells.map((cell) => cell.padStart(16)).join(''));
}

/** A name that is too long for its column goes on in the lines below. */
function row(mark: string, name: string, ...cells: string[]): void {
  const [first, ...more] = name.match(/.{1,43}(?= |$)|.{1,43}/g) ?? [''];
  const numbers = cells.map((cell) => cell.padStart(10)).join('');
  console.log(`${mark.padEnd(4)} ${first.padEnd(44)}${numbers}`.trimEnd());
  for (const part of more) console.log(`     ${part.trimStart()}`);
}

function short(error: number | null): string {
  return error === null ? '-' : error === 0 ? '0' : error.toPrecision(2);
}

function mark(ok: boolean): string {
  return ok ? 'ok' : 'NO';
}

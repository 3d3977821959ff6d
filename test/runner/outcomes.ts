/** The results of one suite in one environment, of all its parts together. Functions that print them. */
import type { Environment, SpecResult } from './jobs.js';
import type { Suite } from './bundle.js';

export interface Outcome {
  readonly environment: Environment;
  readonly suite: Suite;
  /** The environment with its version. */
  label: string;
  passed: number;
  failed: number;
  readonly skipped: string[];
  /** Sum over the parts. They may have run side by side. */
  seconds: number;
  /** Name of each spec that ran -> whether it passed, each time. */
  readonly specs: Map<string, boolean>;
  readonly milliseconds: Map<string, number>;
}

export function newOutcome(environment: Environment, suite: Suite): Outcome {
  return {
    environment,
    suite,
    label: environment === 'node' ? `Node ${process.versions.node}` : environment,
    passed: 0,
    failed: 0,
    skipped: [],
    seconds: 0,
    specs: new Map(),
    milliseconds: new Map(),
  };
}

export function count(outcome: Outcome, { name, status, milliseconds }: SpecResult): void {
  if (status === 'pending') {
    outcome.skipped.push(name);
    return;
  }
  outcome[status]++;
  outcome.specs.set(name, status === 'passed' && outcome.specs.get(name) !== false);
  outcome.milliseconds.set(name, milliseconds);
}

export const indented = (lines: string[]) => lines.join('\n').trimEnd().replaceAll('\n', '\n    ');

export function printSkipped(outcomes: readonly Outcome[]): void {
  const where = new Map<string, string[]>();
  for (const { skipped, environment } of outcomes) {
    for (const name of skipped) where.set(name, [...(where.get(name) ?? []), environment]);
  }
  if (where.size) console.log('\nskipped:');
  for (const [name, environments] of where) console.log(`  ${name} (${environments.join(', ')})`);
}

export function printTable(outcomes: readonly Outcome[]): void {
  const rows = outcomes.map(({ environment, suite, passed, failed, skipped, seconds }) => [
    suite === 'specs' ? environment : `${environment}, ${suite}`,
    ...[passed, failed, skipped.length, seconds.toFixed(1)].map(String),
  ]);
  console.log();
  for (const [title, ...numbers] of [['environment', 'passed', 'failed', 'skipped', 'seconds'], ...rows])
    console.log(title.padEnd(20) + numbers.map((number) => number.padStart(9)).join(''));
}

export function closingLine(outcomes: readonly Outcome[]): string {
  const sum = (of: (outcome: Outcome) => number) => outcomes.reduce((total, one) => total + of(one), 0);
  const skipped = sum((one) => one.skipped.length);
  return `${sum((one) => one.passed)} passed, ${sum((one) => one.failed)} failed${skipped ? `, ${skipped} skipped` : ''}`;
}

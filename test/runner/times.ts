/** How long each spec took. The times are kept from run to run for the progress. A table shows the slowest specs. */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import type { Outcome } from './outcomes.js';

const FILE = 'build/test/milliseconds.json';

/** 'environment suite' -> name of a spec -> milliseconds */
export type Times = Record<string, Record<string, number>>;

export const keyOf = ({ environment, suite }: { environment: string; suite: string }) =>
  `${environment} ${suite}`;

export function readTimes(): Times {
  return existsSync(FILE) ? (JSON.parse(readFileSync(FILE, 'utf8')) as Times) : {};
}

export function keepTimes(known: Times, outcomes: readonly Outcome[]): void {
  for (const outcome of outcomes) {
    known[keyOf(outcome)] = { ...known[keyOf(outcome)], ...Object.fromEntries(outcome.milliseconds) };
  }
  mkdirSync(dirname(FILE), { recursive: true });
  writeFileSync(FILE, JSON.stringify(known));
}

const ROWS = 20;

/** Writes the table of the specs that took longest. */
export function writeSlowest(file: string, outcomes: readonly Outcome[]): void {
  const all = outcomes.flatMap(({ label, suite, milliseconds }) =>
    [...milliseconds].map(([name, time]) => ({ label, suite, name, time })),
  );
  const slowest = all.sort((a, b) => b.time - a.time).slice(0, ROWS);
  const seconds = (time: number) => (time / 1000).toFixed(1);
  const total = all.reduce((sum, { time }) => sum + time, 0);
  const lines = [
    '# The slowest specs',
    '',
    'Made by `npm run test:all -- --slowest docs/slowest-specs.md`.',
    `These ${ROWS} of ${all.length} specs took ${seconds(slowest.reduce((sum, { time }) => sum + time, 0))} of ${seconds(total)} seconds.`,
    '',
    '| seconds | environment | spec |',
    '| ---: | --- | --- |',
    ...slowest.map(
      ({ label, name, time }) => `| ${seconds(time)} | ${label} | ${name.replaceAll('|', '\\|')} |`,
    ),
  ];
  writeFileSync(file, `${lines.join('\n')}\n`);
}

/**
 * `npm run verify:report`: measures the gradient checker, on cpu in this process and on webgl in an installed browser. It
 * writes the tables of docs/verify.md. The results are kept in build/verify.json, so a part may be measured alone. Each row of
 * `own`, `rough` and `planted` has its own number of seeds. These rows stay in the document until they are measured again.
 */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { Command } from 'commander';
import { build } from 'esbuild';
import { format, resolveConfig } from 'prettier';
import { inBrowser, SENDER } from '../../src/cli/browser.js';
import { BROWSER, NODE } from '../runner/bundle.js';
import type { Measure, OpResult, PlantedResult, RuleResult } from './measure.js';

const RESULTS = 'build/verify.json';
const DOCUMENT = 'docs/verify.md';

interface Part<T> {
  seeds: number;
  results: T[];
}

interface Results {
  ops?: Record<string, Part<OpResult>>;
  second?: Record<string, Part<OpResult>>;
  own?: Record<string, Part<OpResult>>;
  rough?: Record<string, Part<OpResult>>;
  rules?: Record<string, Part<RuleResult>>;
  planted?: Record<string, Part<PlantedResult>>;
}

const BACKENDS = ['cpu', 'webgl'];

const ENTRY = `
  import * as tf from '@tensorflow/tfjs-core';
  import '@tensorflow/tfjs-backend-cpu';
  import '@tensorflow/tfjs-backend-webgl';
  import { MEASURES } from './test/verify/measure.ts';
  export async function run(backend, measure, seeds, onResult, op) {
    if (!(await tf.setBackend(backend))) throw new Error('Backend ' + backend + ' does not start.');
    await MEASURES[measure](seeds, onResult, op);
  }`;

async function inNode(measure: Measure, seeds: number, op: string, onResult: (result: unknown) => void) {
  const outfile = resolve('build/verify.node.mjs');
  await build({ ...NODE, stdin: { contents: ENTRY, resolveDir: '.' }, outfile, logLevel: 'warning' });
  const { run } = await import(pathToFileURL(outfile).href);
  await run('cpu', measure, seeds, onResult, op);
}

async function onWebgl(measure: Measure, seeds: number, op: string, onResult: (result: unknown) => void) {
  const contents = `${ENTRY} ${SENDER}
    await run('webgl', '${measure}', ${seeds}, (message) => send({ message }), '${op}');
    await send({ done: true });`;
  const { outputFiles } = await build({
    ...BROWSER,
    format: 'esm',
    stdin: { contents, resolveDir: '.' },
    write: false,
    logLevel: 'warning',
  });
  const html = '<!doctype html><script type="module" src="/page.js"></script>';
  await inBrowser(
    html,
    (path) => (path === '/page.js' ? { text: outputFiles[0].text } : undefined),
    onResult,
  );
}

// Tables

type Cell = string | number;

const table = (head: string[], rows: Cell[][]) =>
  [head, head.map(() => '---'), ...rows].map((row) => `| ${row.join(' | ')} |`).join('\n');

/** The rows that are measured now, and the other rows of the old table. The first cell identifies a row. */
function updated(rows: Cell[][], before: string): Cell[][] {
  const lines = before.match(/^\|.*\|$/gm)?.slice(2) ?? [];
  const kept = lines.map((line) => line.slice(1, -1).split('|').map((cell) => cell.trim())); // prettier-ignore
  return [...new Map([...kept, ...rows].map((row) => [row[0], row])).values()];
}

const percent = (count: number, of: number) => `${Math.round((100 * count) / of)}%`;
const seedsOf = (parts: Record<string, Part<unknown>>) =>
  Object.entries(parts).map(([backend, { seeds }]) => `${seeds} on ${backend}`);

const verdicts = ({ right, wrong, unsure, throws }: OpResult) =>
  Object.entries({ right, wrong, unsure, throws })
    .filter(([, count]) => count > 0)
    .map(([verdict, count], _, all) => (all.length === 1 ? verdict : `${verdict} ${count}`))
    .join(', ');

function ops(parts: Record<string, Part<OpResult>>): string {
  const backends = Object.keys(parts);
  const rows = parts[backends[0]].results.map(({ name, find, on }) => {
    const results = backends.map((backend) => parts[backend].results.find((result) => result.name === name));
    const errors = results.map((result) => (result?.right ? result.error.toFixed(2) : ''));
    return [
      `\`${name}\``,
      ...results.map((result) => (result ? verdicts(result) : '')),
      ...errors,
      find ? `${find}${on ? ` (${on} only)` : ''}` : '',
    ];
  });
  const head = [
    'op',
    ...backends,
    ...backends.map((backend) => `error, ${backend}`),
    'what is wrong with tfjs',
  ];
  return `Seeds: ${seedsOf(parts).join(', ')}; ${rows.length} ops.\n\n${table(head, rows)}`;
}

function second(parts: Record<string, Part<OpResult>>): string {
  const { results, seeds } = Object.values(parts)[0];
  const rows = results.filter(({ right }) => right < seeds);
  const why = ({ said = '', throws }: OpResult) =>
    throws > 0 ? said : (said.match(/got \S+, want \S+/)?.[0] ?? said.split('\n')[0]);
  return `${results.length - rows.length} of ${results.length} are right. The others:\n\n${table(
    ['op', 'verdict', 'what the first says'],
    rows.map((result) => [`\`${result.name}\``, verdicts(result), why(result)]),
  )}`;
}

function falseAlarms(parts: Record<string, Part<OpResult>>, before: string): string {
  const rows = Object.entries(parts).flatMap(([backend, { results }]) =>
    results.map((result) => [
      `${result.name}, ${backend}`,
      result.right + result.unsure + result.wrong + result.throws,
      result.right,
      result.unsure,
      result.wrong + result.throws,
      result.error.toFixed(2),
    ]),
  );
  const head = ['function', 'seeds', 'right', 'unsure', 'false alarms', 'largest error / bound'];
  return table(head, updated(rows, before));
}

function rules(parts: Record<string, Part<RuleResult>>): string {
  const { results, seeds } = Object.values(parts)[0];
  const rows = results.map(({ rule, refused, scaled }) => [
    rule,
    percent(refused, seeds),
    ...scaled.map((count) => percent(count, seeds)),
  ]);
  const head = ['rule', 'refuses a right gradient', 'refuses it scaled by 1.0001', 'and by 1.01'];
  return `${seeds} seeds, cpu.\n\n${table(head, rows)}`;
}

function planted(parts: Record<string, Part<PlantedResult>>, before: string): string {
  const rows = Object.entries(parts).flatMap(([backend, { results }]) =>
    results.map(({ bug, seeds, found, foundExactly }) => [
      `${bug}, ${backend}`,
      seeds,
      found,
      foundExactly ?? 'does not apply',
    ]),
  );
  return table(['bug', 'seeds', 'found', 'found with `exact`'], updated(rows, before));
}

async function write(results: Results): Promise<void> {
  const tables: { [K in keyof Results]-?: (parts: never, before: string) => string } = {
    ops,
    second,
    own: falseAlarms,
    rough: falseAlarms,
    rules,
    planted,
  };
  let text = readFileSync(DOCUMENT, 'utf8');
  for (const [name, tableOf] of Object.entries(tables)) {
    const parts = results[name as Measure];
    const between = new RegExp(`(<!-- table: ${name} -->)([^]*?)(<!-- end -->)`);
    if (!parts) continue;
    text = text.replace(between, (_, start, before, end) =>
      [start, tableOf(parts as never, before), end].join('\n\n'),
    );
  }
  writeFileSync(DOCUMENT, await format(text, { ...(await resolveConfig(DOCUMENT)), filepath: DOCUMENT }));
}

const { only, backend, seeds, op } = new Command('npm run verify:report --')
  .description('Measures the gradient checker and writes the tables of docs/verify.md.')
  .option('--only <list>', 'ops, second, own, rough, rules, planted', 'ops,second,own,rough,rules,planted')
  .option('--backend <list>', 'cpu, webgl', BACKENDS.join())
  .option('--seeds <number>', 'seeds of each part', '60')
  .option('--op <kernel>', 'of the part own this one alone', '')
  .parse()
  .opts<{ only: string; backend: string; seeds: string; op: string }>();

for (const measure of only.split(',').filter(Boolean) as Measure[]) {
  for (const name of backend.split(',')) {
    if (['rules', 'second'].includes(measure) && name !== 'cpu') continue;
    const found: unknown[] = [];
    const start = Date.now();
    const onResult = (result: unknown) => {
      found.push(result);
      console.log(`${name} ${JSON.stringify(result).slice(0, 200)}`);
    };
    await (name === 'cpu' ? inNode : onWebgl)(measure, Number(seeds), op, onResult);
    console.log(`${measure} on ${name}: ${((Date.now() - start) / 1000).toFixed(0)} s`);
    const results: Results = existsSync(RESULTS) ? JSON.parse(readFileSync(RESULTS, 'utf8')) : {};
    const parts = (results[measure] ?? {}) as Record<string, Part<unknown>>;
    parts[name] = { seeds: Number(seeds), results: found };
    mkdirSync('build', { recursive: true });
    writeFileSync(RESULTS, JSON.stringify({ ...results, [measure]: parts }));
  }
}
await write(JSON.parse(readFileSync(RESULTS, 'utf8')));

/**
 * `tfjs-convgrad compare`: compares kernels, in a thread or in a browser, and prints the results, or prints the names of what there is to
 * compare.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { basename } from 'node:path';
import { ROOT } from './backend.js';
import type { Comparison } from './comparison.js';
import { writeNumber } from './numbers.js';
import { inThread } from './in-thread.js';
import { onPage } from './on-page.js';
import { printComparisons, printNames } from './print.js';
import { type Progress, progress } from './progress.js';
import { pageOf } from './report.js';
import { failedFirst } from './remarks.js';
import type { Name } from './run-comparisons.js';
import type { Task, TaskMessage } from './task.js';

export interface CompareOptions extends Task {
  /** Print JSON on standard output, and nothing else there. */
  json: boolean;
  /** File in which to write an HTML report. */
  html?: string;
  /** The most seconds that all may take. */
  timeout: number;
}

/** Resolves to true if everything agrees, otherwise to false. */
export async function compareCommand(options: CompareOptions): Promise<boolean> {
  const { backend, kernels, list, json, html } = options;
  const { names, rows, facts, notCompared } = await carryOut(options);
  const print = (value: object) => console.log(JSON.stringify(value, writeNumber, 2));
  if (list) {
    if (json) print(names);
    else printNames(names, backend);
    return true;
  }
  const failed = rows.filter((row) => !row.ok).length;
  const ok = failed === 0;
  const machine = `${cpus()[0].model}, ${cpus().length} cores`;
  const date = new Date().toISOString().slice(0, 10);
  const versions = { ...facts, Backend: backend };
  if (json) print({ ok, failed, machine, versions, date, comparisons: failedFirst(rows), notCompared });
  else printComparisons(rows, notCompared);
  if (html) {
    const from = kernels === undefined ? undefined : basename(kernels);
    writeFileSync(html, pageOf({ ok, machine, versions, date, comparisons: rows, notCompared, from }));
  }
  return ok;
}

/** Has the task done where the backend runs, and collects what it tells. */
async function carryOut({ json, timeout, ...task }: CompareOptions) {
  const { asked, backend, kernels, list } = task;
  let bar: Progress | undefined;
  let total = 0;
  const names: Name[] = [];
  const rows: Comparison[] = [];
  const facts: Record<string, string> = {};
  const notCompared: string[] = [];
  const nothing = () =>
    new Error(
      `No kernel and case on ${backend} match --op '${asked.op}' and --case '${asked.case}'` +
        (kernels ? `: ${whyNone(kernels, backend, notCompared)}` : '. --list shows their names.'),
    );
  const onMessage = (message: TaskMessage) => {
    if ('facts' in message) Object.assign(facts, message.facts);
    else if ('names' in message) {
      if (message.names.length === 0) throw nothing();
      names.push(...message.names);
    } else if ('total' in message) {
      total = message.total;
      notCompared.push(...message.notCompared);
      if (total === 0) throw nothing();
      bar = progress(`Comparing on ${backend}`, total, json ? process.stderr : process.stdout);
    } else {
      rows.push(message.row);
      bar?.step(`${message.row.op}, ${message.row.case}`);
    }
  };
  const inBrowser = backend === 'webgl' && (!list || kernels !== undefined);
  const limit = new AbortController();
  const timer = setTimeout(() => {
    const last =
      rows.length > 0 ? `, the last one ${rows[rows.length - 1].op}, ${rows[rows.length - 1].case}` : '';
    const done = `${rows.length} of ${total} comparisons are done${last}`;
    limit.abort(
      new Error(`The run has not ended within ${timeout} s, the limit that --timeout sets: ${done}.`),
    );
  }, 1000 * timeout);
  try {
    if (inBrowser) await onPage(task, kernels, onMessage, limit.signal);
    else await inThread(task, onMessage, limit.signal, json);
    bar?.done();
  } finally {
    clearTimeout(timer);
    bar?.stop();
  }
  return { names, rows, facts, notCompared };
}

function whyNone(kernels: string, backend: string, notCompared: readonly string[]): string {
  return notCompared.length > 0
    ? `${kernels} exports ${notCompared.join(', ')}, of which there is no case.`
    : `does ${kernels} export one for ${backend}?`;
}

export function version(): string {
  return (JSON.parse(readFileSync(`${ROOT}/package.json`, 'utf8')) as { version: string }).version;
}

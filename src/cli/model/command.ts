/** `tfjs-convgrad model`: checks and times a whole model, with tfjs's kernels and with the plugin's, on each backend that is asked for. */
import { writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { basename } from 'node:path';
import type { BackendName } from '../../../kernels/registry.js';
import { inThread } from '../in-thread.js';
import { writeNumber } from '../numbers.js';
import { onPage } from '../on-page.js';
import { type Progress, progress } from '../progress.js';
import { formatOf, localCopyOf } from './files.js';
import { modelPageOf } from './report.js';
import type { ModelMessage, ModelResult, ModelTask } from './task.js';
import { modelText } from './text.js';

export interface ModelOptions extends Omit<ModelTask, 'model' | 'format' | 'backend'> {
  backends: readonly BackendName[];
  /** Print every op, beside the kernels. */
  ops: boolean;
  /** Print JSON on standard output, and nothing else there. */
  json: boolean;
  /** File in which to write an HTML report. */
  html?: string;
  /** The most seconds that all may take. */
  timeout: number;
}

/** All of a run, for the report. */
export interface ModelRun {
  model: string;
  gradients: boolean;
  machine: string;
  versions: Record<string, string>;
  date: string;
  results: ModelResult[];
}

/** Times, tfjs's kernels, the plugin's kernels. */
const STEPS = 3;

/**
 * @param place a path of a model.json or of a module, or the URL of a model.json
 * @returns whether no op is wrong with the plugin
 */
export async function modelCommand(place: string, options: ModelOptions): Promise<boolean> {
  const { backends, ops, json, html, timeout, ...asked } = options;
  const { path, remove } = await localCopyOf(place);
  const limit = new AbortController();
  const timer = setTimeout(
    () => limit.abort(new Error(`The run has not ended within ${timeout} s, the limit that --timeout sets.`)),
    1000 * timeout,
  );
  const results: ModelResult[] = [];
  const versions: Record<string, string> = {};
  let bar: Progress | undefined;
  const onMessage = (message: ModelMessage) => {
    if ('facts' in message) Object.assign(versions, message.facts);
    else if ('result' in message) results.push(message.result);
    else bar?.step(message.step);
  };
  try {
    const task = { ...asked, model: path, format: formatOf(path) };
    for (const backend of backends) {
      bar = progress(`Model on ${backend}`, STEPS, json ? process.stderr : process.stdout);
      if (backend === 'webgl') await onPage({ ...task, backend }, path, onMessage, limit.signal);
      else await inThread({ ...task, backend }, onMessage, limit.signal, json);
      bar.done();
    }
  } finally {
    clearTimeout(timer);
    bar?.stop();
    remove();
  }
  const machine = `${cpus()[0].model}, ${cpus().length} cores`;
  const date = new Date().toISOString().slice(0, 10);
  const run = { model: basename(place), gradients: options.gradients, machine, versions, date, results };
  if (json) console.log(JSON.stringify(run, writeNumber, 2));
  else console.log(modelText(run, ops));
  if (html) writeFileSync(html, modelPageOf(run));
  return results.every(({ plugin }) => 'report' in plugin && plugin.report.verdict !== 'wrong');
}

/**
 * `npm start`: reproduces the worked examples, compares every kernel with its definition, the built-in and its
 * numerical gradient, trains a CNN on digits with and without the plugin, and writes a report.
 */
import { existsSync } from 'node:fs';
import { cpus } from 'node:os';
import { dirname, resolve } from 'node:path';
import * as tf from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-backend-cpu';
import '@tensorflow/tfjs-layers';
import { Command, InvalidArgumentError } from 'commander';
import { install } from '../index.js';
import { median } from '../verify/time.js';
import { chosen, compareSubject, type Comparison } from './compare.js';
import { backwardOnTenDigits, featureMaps } from './feature-maps.js';
import { type Digits, loadDigits } from './mnist.js';
import { progress } from './progress.js';
import { type Training, writeReport } from './report.js';
import { train } from './train.js';
import { type Example, workedExamples } from './worked-examples.js';

interface Options {
  op: string;
  case: string;
  seed: number;
  steps: number;
  report: string;
  training: boolean;
}

const BATCH = 16;
const HELD_OUT = 300;
/** So many digits there are. */
const DIGITS = 10_000;
const BUILTIN_STEPS = 4;
/** How long one kernel and case are timed. */
const TIMED_MS = 20;

async function main(options: Options): Promise<boolean> {
  tf.enableProdMode(); // no advice to use another backend
  await tf.setBackend('cpu');
  const versions = { Node: process.version, 'TensorFlow.js': tf.version_core };
  const machine = `${cpus()[0].model}, ${cpus().length} cores`;
  console.log(`${machine}, Node ${process.version}, TensorFlow.js ${tf.version_core}\n`);

  const { train: digits, test } = loadDigits(Math.max(10, options.steps * BATCH), HELD_OUT, options.seed);
  const examples = [...workedExamples(), backwardOnTenDigits(digits)];
  printExamples(examples);
  const comparisons = await compareAll(options);
  printComparisons(comparisons);
  const training = options.training ? await trainBoth(digits, test, options) : undefined;

  const ok = [...examples, ...comparisons, ...(training ? [training] : [])].every((part) => part.ok);
  if (options.report) {
    const date = new Date().toISOString().slice(0, 10);
    const maps = featureMaps(digits);
    writeReport(options.report, {
      machine,
      versions,
      date,
      ok,
      examples,
      comparisons,
      training,
      featureMaps: maps,
    });
    console.log(`\nReport: ${options.report}`);
  }
  console.log(ok ? '\nEverything agrees.' : '\nSomething disagrees: see the rows marked NO.');
  return ok;
}

function printExamples(examples: Example[]): void {
  console.log('Worked examples');
  for (const { id, title, got, want, ok } of examples) {
    console.log(`${mark(ok)} ${id.padEnd(4)} ${title}`);
    if (!ok) console.log(`       got  ${got}\n       want ${want}`);
  }
  console.log();
}

async function compareAll({ op, case: caseName, seed }: Options): Promise<Comparison[]> {
  const all = chosen(op, caseName);
  if (all.length === 0) program.error(`No kernel and case have "${op}" and "${caseName}" in their names.`);
  const bar = progress('Comparing kernels', all.length);
  const comparisons: Comparison[] = [];
  for (const subject of all) {
    comparisons.push(await compareSubject(subject, seed, TIMED_MS));
    bar.step(`${subject.kernelName}, ${subject.caseName}`);
  }
  bar.done();
  return comparisons;
}

/** Errors in units of their bounds: at most 1 is right. */
function printComparisons(comparisons: Comparison[]): void {
  console.log('\nEvery kernel and case; errors in units of their rounding bound, at most 1 is right');
  row('', 'kernel', 'case', 'error', 'gradient', 'speed', 'built-in');
  for (const c of comparisons) {
    const speed = c.timeRatio === null ? '-' : `${c.timeRatio.toFixed(1)}x`;
    row(mark(c.ok), c.op, c.case, short(c.error), short(c.gradientError), speed, c.builtin);
  }
  const ratios = comparisons.flatMap((c) => c.timeRatio ?? []);
  const right = comparisons.filter((c) => c.ok).length;
  console.log(
    `${right} of ${comparisons.length} right; median speed ${median(ratios).toFixed(1)}x the built-in's\n`,
  );
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

function mark(ok: boolean): string {
  return ok ? 'ok' : 'NO';
}

/** The same weights and batches with the plugin and, for a few steps, without it. */
async function trainBoth(digits: Digits, test: Digits, { steps, seed }: Options): Promise<Training> {
  const run = async (title: string, count: number, heldOut?: Digits) => {
    const bar = progress(title, count);
    const onStep = (_: number, loss: number) => bar.step(`loss ${loss.toFixed(4)}`);
    const result = await train({ steps: count, batch: BATCH, digits, heldOut, seed, onStep });
    bar.done();
    return { ...result, msPerStep: median(result.msPerStep) };
  };
  const builtin = await run('Training, built-ins', Math.min(BUILTIN_STEPS, steps));
  const installation = install();
  const plugin = await run('Training, plugin', steps, test);
  installation.uninstall();

  const differences = builtin.losses.map((loss, i) => Math.abs(loss - plugin.losses[i]));
  // Both round differently, and each step passes the difference on; the losses themselves are near 2.
  const ok = Math.max(...differences) < 1e-4;
  console.log('step   plugin    built-in');
  builtin.losses.forEach((loss, i) =>
    console.log(`${i + 1}      ${plugin.losses[i].toFixed(6)}  ${loss.toFixed(6)}`),
  );
  const accuracy = plugin.accuracy ?? 0;
  console.log(
    `${mark(ok)} ${builtin.msPerStep.toFixed(0)} ms a step with the built-ins, ${plugin.msPerStep.toFixed(0)} ms with the plugin;` +
      ` ${(100 * accuracy).toFixed(1)}% of ${HELD_OUT} held-out digits right after ${steps} steps`,
  );
  return { plugin: { ...plugin, accuracy }, builtin, ok };
}

function whole(largest: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (Number.isInteger(value) && value >= 1 && value <= largest) return value;
    throw new InvalidArgumentError(`It must be a whole number from 1 to ${largest}.`);
  };
}

function writable(file: string): string {
  if (file === '' || existsSync(dirname(resolve(file)))) return file;
  throw new InvalidArgumentError('Its folder does not exist.');
}

const program = new Command('npm start --')
  .description('Worked examples, every kernel against its definition, a CNN trained on digits, and a report.')
  .option('--op <text>', 'only kernels whose name contains it', '')
  .option('--case <text>', 'only cases whose name contains it', '')
  .option('--seed <number>', 'seed of all random data', whole(2 ** 31), 1)
  .option(
    '--steps <number>',
    'training steps with the plugin',
    whole(Math.floor((DIGITS - HELD_OUT) / BATCH)),
    60,
  )
  .option('--no-training', 'leave the training out')
  .option('--report <file>', 'where to write the report', writable, 'report.html')
  .parse();
process.exitCode = (await main(program.opts())) ? 0 : 1;

/**
 * `npm start`:
 *   - reproduces the worked examples;
 *   - compares every kernel with its definition, the built-in and its numerical gradient;
 *   - times three kernels on shapes of real networks, and a training step;
 *   - trains a CNN on digits, without the plugin, and with it on cpu and wasm;
 *   - writes a report.
 */
import { writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import * as tf from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-backend-cpu';
import '@tensorflow/tfjs-layers';
import { Command } from 'commander';
import { install } from '../index.js';
import { isInstalled, startBackend } from './backend.js';
import { CONVOLUTIONS, measureSpeeds, trainingStep } from './bench.js';
import type { Comparison } from './comparison.js';
import { backwardOnTenDigits, featureMaps } from './feature-maps.js';
import { type Digits, loadDigits } from './mnist.js';
import { whole, writable } from './options.js';
import { printExamples, printKernels, printSpeeds, printTraining, wrapped } from './print.js';
import { type Progress, progress } from './progress.js';
import { pageOf } from './report.js';
import { runComparisons } from './run-comparisons.js';
import type { Speed } from './speeds.js';
import { train } from './train.js';
import { HELD_OUT, type Run, type Training, trainingOf } from './training.js';
import { workedExamples } from './worked-examples.js';

interface Options {
  op: string;
  case: string;
  seed: number;
  steps: number;
  report: string;
  training: boolean;
}

const BATCH = 16;
/** Number of digits in the package `mnist`. */
const DIGITS = 10_000;
/** Number of training steps with the built-ins, which are slow. */
const BUILTIN_STEPS = 4;
async function main(options: Options): Promise<boolean> {
  tf.enableProdMode(); // no advice to use another backend
  await tf.setBackend('cpu');
  const versions = { Node: process.version, 'TensorFlow.js': tf.version_core };
  const machine = `${cpus()[0].model}, ${cpus().length} cores`;
  console.log(wrapped(`${machine}, Node ${process.version}, TensorFlow.js ${tf.version_core}\n`));

  const { train: digits, test } = loadDigits(Math.max(10, options.steps * BATCH), HELD_OUT, options.seed);
  const examples = [...workedExamples(), backwardOnTenDigits(digits)];
  printExamples(examples);
  const comparisons = await compareAll(options);
  printKernels(comparisons);
  const speeds = await measureAll(digits);
  printSpeeds(speeds);
  const training = options.training ? await trainAll(digits, test, options) : undefined;
  if (training) printTraining(training);

  const ok = [...examples, ...comparisons, ...(training ? [training] : [])].every((part) => part.ok);
  if (options.report) {
    const date = new Date().toISOString().slice(0, 10);
    const maps = featureMaps(digits);
    const parts = { examples, comparisons, speeds, training, featureMaps: maps };
    writeFileSync(options.report, pageOf({ machine, versions, date, ok, ...parts }));
    console.log(`\nReport: ${options.report}`);
  }
  console.log(ok ? '\nEverything agrees.' : '\nSomething disagrees: see the rows marked NO.');
  return ok;
}

async function compareAll({ op, case: caseName, seed }: Options): Promise<Comparison[]> {
  let bar: Progress | undefined;
  return runComparisons({ op, case: caseName, seed, milliseconds: 0 }, undefined, (message) => {
    if ('row' in message) bar?.step(`${message.row.op}, ${message.row.case}`);
    else if (message.total > 0) bar = progress('Comparing kernels', message.total);
    else program.error(`No kernel and case match --op '${op}' and --case '${caseName}'.`);
  }).finally(() => bar?.done());
}

async function measureAll(digits: Digits): Promise<Speed[]> {
  const training = trainingStep(digits);
  const cases = [...CONVOLUTIONS, training];
  const bar = progress('Timing', cases.length + Number(isInstalled('wasm')));
  const measure = (cases: typeof CONVOLUTIONS) => measureSpeeds(cases, (name) => bar.step(name));
  try {
    return [...(await measure(cases)), ...((await onWasm(() => measure([training]))) ?? [])];
  } finally {
    bar.done();
  }
}

/** Works with wasm as the active backend. Resolves to undefined if it is not installed. */
async function onWasm<T>(work: () => Promise<T>): Promise<T | undefined> {
  if (!isInstalled('wasm')) return undefined;
  await startBackend('wasm');
  return work().finally(() => tf.setBackend('cpu'));
}

/**
 * Trains by tfjs's own kernels for a few steps, and with the plugin on cpu and wasm. Weights and batches are the same.
 */
async function trainAll(digits: Digits, test: Digits, { steps, seed }: Options): Promise<Training> {
  const run = async (title: string, count: number, heldOut?: Digits): Promise<Run> => {
    const bar = progress(`Training, ${title}`, count);
    const onStep = (_: number, loss: number) => bar.step(`loss ${loss.toFixed(4)}`);
    const result = await train({ steps: count, batch: BATCH, digits, heldOut, seed, onStep });
    bar.done();
    return { title, ...result };
  };
  const builtin = await run('tfjs on cpu', Math.min(BUILTIN_STEPS, steps));
  const installation = install();
  const onCpu = await run('plugin on cpu', steps, test);
  const title = 'plugin on wasm';
  const runs = [builtin, onCpu, (await onWasm(() => run(title, steps, test))) ?? { title, losses: [] }];
  installation.uninstall();
  return trainingOf(runs);
}

const program = new Command('npm start --')
  .description(
    'Runs worked examples, compares every kernel with its definition, trains a CNN on digits, and writes a report.',
  )
  .option('--op <text>', 'compare only kernels whose name contains the text', '')
  .option('--case <text>', 'compare only cases whose name contains the text', '')
  .option('--seed <number>', 'seed of all random data', whole(2 ** 31), 1)
  .option(
    '--steps <number>',
    'number of training steps with the plugin',
    whole(Math.floor((DIGITS - HELD_OUT) / BATCH)),
    50,
  )
  .option('--no-training', 'skip the training')
  .option('--report <file>', "file for the report; '' writes none", writable, 'report.html')
  .parse();
process.exitCode = (await main(program.opts())) ? 0 : 1;

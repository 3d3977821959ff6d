/**
 * `npm run bench:threads`: times the plugin's kernels on cpu and wasm by one thread and by several, which alternate in one run. The times
 * are medians. First the results are compared: they must be the same, to the bit.
 */
import { availableParallelism, cpus } from 'node:os';
import * as tf from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-backend-cpu';
import '@tensorflow/tfjs-backend-wasm';
import { Command, InvalidArgumentError } from 'commander';
import { OWN } from '../kernels/registry.js';
import { backendInfo, configure } from '../src/index.js';
import { registerOwn } from '../src/ops.js';
import { median } from '../src/verify/time.js';
import { allShapes, perRun, type Run } from './shapes.js';

/** Milliseconds for which a kernel runs in each round, and before it is timed. */
const SLICE = 30;
const WARM_UP = 60;
const ROUNDS = 7;
/** In millions of floating-point operations: the geometric mean of these is printed, too. */
const LARGE = 20;

const BACKENDS = ['cpu', 'wasm'] as const;

/** Milliseconds by each number of threads. */
type Times = Map<number, number>;

interface Row {
  kernelName: string;
  shape: string;
  backend: string;
  megaFlops?: number;
  times: Times;
}

async function measure(run: Run, backend: string, counts: readonly number[]): Promise<Times> {
  const { kernelName, shapes, attrs } = run;
  await tf.setBackend(backend);
  const entries = Object.entries(run.inputs).map(([key, values]) => [key, tf.tensor(values, shapes[key])]);
  const inputs = Object.fromEntries(entries) as tf.NamedTensorMap;
  const execute = () => tf.engine().runKernel(OWN + kernelName, inputs, attrs) as tf.Tensor;
  const times = new Map(counts.map((count): [number, number[]] => [count, []]));
  let first: string | undefined;
  for (let round = 0; round < ROUNDS; round++) {
    for (const [threads, found] of times) {
      await configure({ threads });
      const { serving, reason } = backendInfo().threads;
      if (serving !== threads) throw new Error(`${threads} threads do not serve: ${reason}`);
      const y = execute();
      const values = (await y.data()) as Float32Array;
      const bytes = Buffer.from(values.buffer, values.byteOffset, values.byteLength).toString('latin1');
      first ??= bytes;
      if (bytes !== first) throw new Error(`${kernelName} has another result by ${threads} threads.`);
      y.dispose();
      const runOnce = () => execute().dispose();
      perRun(runOnce, WARM_UP);
      found.push(perRun(runOnce, SLICE));
    }
  }
  tf.dispose(inputs);
  return new Map(Array.from(times, ([threads, found]) => [threads, median(found)]));
}

async function main({ threads, filter }: { threads: number[]; filter: string }): Promise<void> {
  registerOwn();
  const counts = [1, ...threads.filter((count) => count !== 1)];
  const { serving } = backendInfo().cpu;
  console.log(`${cpus()[0].model}, ${availableParallelism()} cores, Node ${process.version}, ${serving}, tfjs ${tf.version_core}.

| kernel | shape | backend | ms by one thread | ${counts.slice(1).map((count) => `by ${count}`).join(' | ')} |
| ------ | ----- | ------- | ---------------: | ${counts.slice(1).map(() => '---:').join(' | ')} |`); // prettier-ignore
  const rows: Row[] = [];
  for (const { runs, name } of allShapes()) {
    for (const run of runs.filter(({ kernelName }) => `${kernelName} ${name}`.includes(filter))) {
      for (const backend of BACKENDS) {
        const times = await measure(run, backend, counts);
        rows.push({ ...run, shape: name, backend, times });
        const ratios = counts.slice(1).map((count) => `${(times.get(1)! / times.get(count)!).toFixed(2)}x`);
        console.log(`| ${[run.kernelName, name, `\`${backend}\``, times.get(1)!.toFixed(3), ...ratios].join(' | ')} |`); // prettier-ignore
      }
    }
  }
  console.log('\nGeometric means, and the least:\n');
  for (const backend of BACKENDS) {
    const all = rows.filter((row) => row.backend === backend);
    const large = all.filter(({ megaFlops = 0 }) => megaFlops >= LARGE);
    for (const [what, some] of [
      ['all shapes', all],
      [`shapes of ${LARGE} million operations or more`, large],
    ] as const) {
      // prettier-ignore
      for (const count of counts.slice(1)) console.log(`- ${backend}, ${what}, ${count} threads: ${summary(some, count)}`); // prettier-ignore
    }
  }
  await configure({ threads: 1 });
}

function summary(rows: readonly Row[], count: number): string {
  const ratios = rows.map(({ times }) => times.get(1)! / times.get(count)!);
  const mean = Math.exp(ratios.reduce((sum, ratio) => sum + Math.log(ratio), 0) / ratios.length);
  return `${mean.toFixed(2)}x, ${Math.min(...ratios).toFixed(2)}x`;
}

const parseCounts = (list: string) => {
  const counts = list.split(',').map(Number);
  if (counts.every((count) => Number.isInteger(count) && count >= 1 && count <= 64)) return counts;
  throw new InvalidArgumentError('It is a list of whole numbers from 1 to 64.');
};

const program = new Command('npm run bench:threads --')
  .description("Times the plugin's kernels by one thread and by several, and prints a Markdown table.")
  .option('--threads <list>', 'numbers of threads, such as 2,4,8', parseCounts, [availableParallelism()])
  .option('--filter <text>', 'only kernels and shapes whose name contains the text', '')
  .action(main);
await program.parseAsync();

/**
 * `npm run bench:threads`: times the plugin's kernels on cpu and wasm by one thread and by several. The times are medians. First the
 * results are compared: they must be the same, to the bit.
 *
 * Each number of threads has a process of its own, which waits while another one is timed: a pool that is new is slow at first. wasm on
 * memory that threads share has processes, too, as a process starts the backend once. All of them alternate. The threads also multiply
 * what is in the caches of their cores, alternating with the kernels.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { availableParallelism, cpus } from 'node:os';
import { fileURLToPath } from 'node:url';
import * as tf from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-backend-cpu';
import * as wasm from '@tensorflow/tfjs-backend-wasm';
import { Command, InvalidArgumentError } from 'commander';
import { OWN } from '../kernels/registry.js';
import { bestSimd } from '../kernels/runtime/options.js';
import { type Simd, withSimd } from '../kernels/runtime/simd/instance.js';
import { backendInfo, configure, startSharedWasm } from '../src/index.js';
import { registerOwn } from '../src/ops.js';
import { geometricMean, median } from '../src/verify/time.js';
import { allShapes, perRun } from './shapes.js';

/** Milliseconds for which a kernel runs in each round, and before it is timed. */
const SLICE = 30;
const WARM_UP = 150;
const ROUNDS = 7;
/** Milliseconds for which it runs before each time that is taken, as its process has waited. */
const WAKE_UP = 20;
/** In millions of floating-point operations: the geometric mean of these is printed, too. */
const LARGE = 20;

const BACKENDS = ['cpu', 'wasm', 'wasm, shared'] as const;
type BackendName = (typeof BACKENDS)[number];

/** Milliseconds by a number of threads. */
interface Times {
  kernel: number[];
  /** Of what needs no memory. */
  cores: number[];
}
type Medians = Map<number, { kernel: number; cores: number }>;

interface Row {
  kernelName: string;
  shape: string;
  backend: BackendName;
  megaFlops?: number;
  times: Medians;
}

/** Each thread multiplies some pixels by the same panels, again and again. All it needs stays in the cache of a core: 45 KiB. */
function multiplyInCaches(): void {
  const [pixelCount, depth, panelCount] = [128, 64, 2];
  const work = (simd: Simd) => {
    const [pixels, outs, zero, a, panels, bias, c] = simd.place(
      4 * pixelCount,
      4 * pixelCount,
      4,
      4 * pixelCount * depth,
      32 * panelCount * depth,
      32 * panelCount,
      32 * panelCount * pixelCount,
    );
    for (let i = 0; i < pixelCount; i++) {
      simd.i32[pixels / 4 + i] = 4 * depth * i;
      simd.i32[outs / 4 + i] = 32 * panelCount * i;
    }
    simd.f32.fill(1, a / 4, c / 4);
    simd.i32[zero / 4] = 0;
    const again = { count: 100, aStep: 0, panelsStep: 0, cStep: 0, continued: false };
    const segment = { segments: zero, segmentCount: 1, segmentLength: depth, step: 4 };
    simd.multiplyEach({ ...again, ...segment, pixels, outs, pixelCount, a, panels, panelCount, bias, c });
  };
  withSimd(bestSimd()!, work, undefined, { products: 1e9, values: 1 });
}

/** What a process that answers has. */
interface Served {
  threads: number;
  /** Whether wasm has a memory that threads share. */
  isShared: boolean;
}
/** In the environment of a process that answers. */
const SERVED = 'BENCH_SERVED';

/** What is asked of a process that has so many threads: to get a kernel ready, or to time it. */
type Question = { index: number; backend: BackendName } | 'time';
/** A digest of the result, or milliseconds. */
type Answer = string | { kernel: number; cores: number };

const runs = allShapes().flatMap(({ runs, name }) => runs.map((run) => ({ ...run, shape: name })));

/** The process that answers. */
async function serve({ threads, isShared }: Served): Promise<void> {
  registerOwn();
  if (isShared) await startSharedWasm(wasm);
  await configure({ threads });
  const { serving, reason } = backendInfo().threads;
  if (serving !== threads) throw new Error(`${threads} threads do not serve: ${reason}`);
  let inputs: tf.NamedTensorMap = {};
  let execute: () => tf.Tensor;
  const getReady = async (index: number, backend: BackendName): Promise<Answer> => {
    tf.dispose(inputs);
    await tf.setBackend(backend === 'cpu' ? 'cpu' : 'wasm');
    const { kernelName, shapes, attrs, inputs: arrays } = runs[index];
    const entries = Object.entries(arrays).map(([key, values]) => [key, tf.tensor(values, shapes[key])]);
    inputs = Object.fromEntries(entries) as tf.NamedTensorMap;
    execute = () => tf.engine().runKernel(OWN + kernelName, inputs, attrs) as tf.Tensor;
    const y = execute();
    const digest = createHash('sha256').update((await y.data()) as Float32Array).digest('hex'); // prettier-ignore
    y.dispose();
    perRun(() => execute().dispose(), WARM_UP);
    return digest;
  };
  const time = (): Answer => {
    const timed = (run: () => void) => {
      perRun(run, WAKE_UP);
      return perRun(run, SLICE);
    };
    return { kernel: timed(() => execute().dispose()), cores: timed(multiplyInCaches) };
  };
  process.on('message', async (question: Question) => {
    process.send!(question === 'time' ? time() : await getReady(question.index, question.backend));
  });
  process.send!('ready');
}

async function ask(child: ChildProcess, question?: Question): Promise<Answer> {
  if (question) child.send(question);
  const [answer] = (await once(child, 'message')) as [Answer];
  return answer;
}

async function measure(
  index: number,
  backend: BackendName,
  children: ReadonlyMap<number, ChildProcess>,
): Promise<Medians> {
  let first: Answer | undefined;
  for (const [threads, child] of children) {
    const digest = await ask(child, { index, backend });
    first ??= digest;
    if (digest !== first)
      throw new Error(`${runs[index].kernelName} has another result by ${threads} threads.`);
  }
  const times = new Map(
    [...children.keys()].map((threads): [number, Times] => [threads, { kernel: [], cores: [] }]),
  );
  for (let round = 0; round < ROUNDS; round++) {
    for (const [threads, child] of children) {
      const { kernel, cores } = (await ask(child, 'time')) as Exclude<Answer, string>;
      times.get(threads)!.kernel.push(kernel);
      times.get(threads)!.cores.push(cores);
    }
  }
  return new Map(
    Array.from(times, ([threads, { kernel, cores }]) => [
      threads,
      { kernel: median(kernel), cores: median(cores) },
    ]),
  );
}

async function main({ threads, filter }: { threads: number[]; filter: string }): Promise<void> {
  const counts = [1, ...threads.filter((count) => count !== 1)];
  const { serving } = backendInfo().cpu;
  const others = counts.slice(1);
  const heads = others.map((count) => `by ${count} | cores`);
  console.log(`${cpus()[0].model}, ${availableParallelism()} cores, Node ${process.version}, ${serving}, tfjs ${tf.version_core}.
Cores: how many times faster the threads are where all they need is in the caches of their cores, measured at the same time.

| kernel | shape | backend | ms by one thread | ${heads.join(' | ')} |
| ------ | ----- | ------- | ---------------: | ${heads.map(() => '---: | ---:').join(' | ')} |`); // prettier-ignore
  const rows: Row[] = [];
  const plain = await startChildren(counts, false);
  const shared = await startChildren(counts, true);
  for (const [index, { kernelName, shape, megaFlops }] of runs.entries()) {
    for (const backend of `${kernelName} ${shape}`.includes(filter) ? BACKENDS : []) {
      const times = await measure(index, backend, backend === 'wasm, shared' ? shared : plain);
      rows.push({ kernelName, shape, backend, megaFlops, times });
      const ratios = others.flatMap((count) =>
        WHAT.map((what) => `${ratio(times, count, what).toFixed(2)}x`),
      );
      const milliseconds = times.get(1)!.kernel.toFixed(3);
      console.log(`| ${[kernelName, shape, `\`${backend}\``, milliseconds, ...ratios].join(' | ')} |`);
    }
  }
  for (const child of [...plain.values(), ...shared.values()]) child.disconnect();
  console.log('\nGeometric means, and the least:\n');
  for (const backend of BACKENDS) {
    const all = rows.filter((row) => row.backend === backend);
    const large = all.filter(({ megaFlops = 0 }) => megaFlops >= LARGE);
    for (const [what, some] of [
      ['all shapes', all],
      [`shapes of ${LARGE} million operations or more`, large],
    ] as const) {
      if (some.length === 0) continue;
      // prettier-ignore
      for (const count of others) console.log(`- ${backend}, ${what}, ${count} threads: ${summary(some, count)}`); // prettier-ignore
    }
  }
}

/** A process for each number of threads, which is ready. */
async function startChildren(
  counts: readonly number[],
  isShared: boolean,
): Promise<Map<number, ChildProcess>> {
  const children = new Map<number, ChildProcess>();
  for (const threads of counts) {
    const served: Served = { threads, isShared };
    const env = { ...process.env, [SERVED]: JSON.stringify(served) };
    const child = fork(fileURLToPath(import.meta.url), [], { env });
    child.once('exit', (code) => code && process.exit(code)); // it has said why
    await ask(child);
    children.set(threads, child);
  }
  return children;
}

const WHAT = ['kernel', 'cores'] as const;

function ratio(times: Medians, count: number, what: (typeof WHAT)[number]): number {
  return times.get(1)![what] / times.get(count)![what];
}

function summary(rows: readonly Row[], count: number): string {
  const [kernels, cores] = WHAT.map((what) => rows.map(({ times }) => ratio(times, count, what)));
  const least = Math.min(...kernels).toFixed(2);
  return `${geometricMean(kernels).toFixed(2)}x, ${least}x; cores ${geometricMean(cores).toFixed(2)}x`;
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
if (process.env[SERVED]) await serve(JSON.parse(process.env[SERVED]) as Served);
else await program.parseAsync();

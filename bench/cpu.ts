/**
 * `npm run bench`: times the plugin's kernels on cpu or wasm, tfjs's own on its cpu backend, and tfjs-backend-wasm's (XNNPACK).
 *
 *   - The three alternate in one run. The times are medians.
 *   - The results are checked before the kernels are timed.
 *   - On cpu the plugin's times include copies into and out of WebAssembly memory.
 *   - tfjs-backend-wasm keeps its tensors in WebAssembly memory, and is not asked for its results.
 */
import { writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import * as tf from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-backend-cpu';
import '@tensorflow/tfjs-backend-wasm';
import { Command, Option } from 'commander';
import { isSimd } from '../kernels/runtime/options.js';
import { OWN } from '../kernels/registry.js';
import { backendInfo, configure, type CpuOptions } from '../src/index.js';
import { registerOwn } from '../src/ops.js';
import { compare, describeWorst } from '../src/verify/exact.js';
import { geometricMean, median } from '../src/verify/time.js';
import { allShapes, perRun, type Run } from './shapes.js';

interface Row {
  kernelName: string;
  shape: string;
  network?: string;
  /** Milliseconds of the plugin's kernel. */
  plugin: number;
  /** On cpu: milliseconds of `plugin` that a new array of the result's size takes, measured by itself, touched once a page. */
  allocation?: number;
  /** On cpu: milliseconds of the kernel's numeric function, with copies, into an array that exists. */
  into?: number;
  /** Milliseconds of tfjs's kernel on its cpu backend. */
  cpu: number;
  /** Milliseconds of tfjs-backend-wasm's kernel; absent if it has no such kernel. */
  wasm?: number;
  megaFlops?: number;
}

/** Milliseconds for which a kernel runs in each round. */
const SLICE = 12;
const ROUNDS = 15;
/** A kernel whose first run takes more milliseconds than this is run once. */
const PATIENCE = 200;
/**
 * Milliseconds for which a kernel runs before it is timed. Then the engine has compiled it, and the engine's allocator
 * has the memory for the results.
 */
const WARM_UP = 600;

async function main({
  filter,
  write,
  backend,
  ...cpu
}: CpuOptions & { filter: string; write?: string; backend: string }): Promise<void> {
  configure({ cpu });
  registerOwn();
  const rows: Row[] = [];
  const measureAll = async (runs: Run[], name: string, network?: string) => {
    for (const run of runs.filter((r) => `${r.kernelName} ${name}`.includes(filter))) {
      process.stderr.write(`\r\x1b[K${run.kernelName}, ${name}`);
      rows.push({ ...(await measure(run, name, backend)), shape: name, network });
    }
  };
  for (const { runs, name, network } of allShapes()) await measureAll(runs, name, network);
  process.stderr.write('\r\x1b[K');
  const { serving, winograd } = backendInfo().cpu;
  const report = {
    machine: cpus()[0].model,
    node: process.version,
    tfjs: tf.version_core,
    backend,
    path: serving,
    winograd,
    // Loaded as late as possible: its compiler would slow down each earlier garbage collection.
    peak: isSimd(serving) ? await (await import('./peak.js')).peak(serving) : undefined,
    rows,
  };
  const markdown = asMarkdown(report);
  console.log(markdown);
  if (write) {
    writeFileSync(`${write}.md`, markdown);
    writeFileSync(`${write}.json`, JSON.stringify(report, null, 1) + '\n');
  }
}

/** One side of the comparison: a backend, and the prefix of its kernels' names. */
interface Contender {
  backendName: string;
  prefix: string;
  tensors: tf.NamedTensorMap;
  times: number[];
}

async function measure(run: Run, name: string, backend: string): Promise<Omit<Row, 'shape'>> {
  const plugin = await contender(run, backend, OWN);
  const cpu = await contender(run, 'cpu', '');
  const wasm = tf.getKernel(run.kernelName, 'wasm') ? await contender(run, 'wasm', '') : undefined;
  const peers = [plugin, cpu, wasm].filter((who) => who !== undefined);
  const ours = await timedResult(run, plugin);
  for (const peer of peers.slice(1))
    check(`${run.kernelName}, ${name}, ${peer.backendName}`, ours, await timedResult(run, peer));
  const result = new Float32Array(ours.length);
  const into = backend === 'cpu' ? run.into : undefined;
  into?.(result);
  if (into) check(`${run.kernelName}, ${name}, into an array`, ours, result);
  const slow = new Set(peers.filter((peer) => peer.times[0] > PATIENCE));
  for (const peer of peers.filter((who) => !slow.has(who))) {
    await time(run, peer, WARM_UP);
    peer.times.length = 0;
  }
  const [allocations, intos]: number[][] = [[], []];
  for (let round = 0; round < ROUNDS; round++) {
    for (const peer of peers) if (!slow.has(peer)) await time(run, peer, SLICE);
    if (backend === 'cpu') allocations.push(perRun(() => touched(ours.length), SLICE / 2));
    if (into) intos.push(perRun(() => into(result), SLICE));
  }
  tf.dispose(peers.map(({ tensors }) => tensors));
  return {
    kernelName: run.kernelName,
    plugin: median(plugin.times),
    allocation: backend === 'cpu' ? median(allocations) : undefined,
    into: into && median(intos),
    cpu: median(cpu.times),
    wasm: wasm && median(wasm.times),
    megaFlops: run.megaFlops,
  };
}

async function contender({ inputs, shapes }: Run, backendName: string, prefix: string): Promise<Contender> {
  await tf.setBackend(backendName);
  const tensors = Object.entries(inputs).map(([key, values]) => [key, tf.tensor(values, shapes[key])]);
  return { backendName, prefix, tensors: Object.fromEntries(tensors), times: [] };
}

function execute({ kernelName, attrs }: Run, { prefix, tensors }: Contender): tf.Tensor {
  return tf.engine().runKernel(prefix + kernelName, tensors, attrs) as tf.Tensor;
}

/** The result of a first run. Its time counts only if it is above PATIENCE. */
async function timedResult(run: Run, who: Contender): Promise<tf.TypedArray> {
  await tf.setBackend(who.backendName);
  const start = performance.now();
  const y = execute(run, who);
  who.times.push(performance.now() - start);
  const data = await y.data();
  y.dispose();
  return data.slice();
}

/** Runs for about this many milliseconds, and records the time of one run. */
async function time(run: Run, who: Contender, milliseconds: number): Promise<void> {
  await tf.setBackend(who.backendName);
  who.times.push(perRun(() => execute(run, who).dispose(), milliseconds));
}

/** Floats in a page of memory. */
const PAGE = 1 << 10;

/** Makes an array of this many floats, and touches each page of it. */
function touched(length: number): void {
  const values = new Float32Array(length);
  for (let i = 0; i < length; i += PAGE) values[i] = 1;
}

/**
 * On whole numbers both results must be equal. Only average pooling has a tolerance: its divisions round differently.
 * @throws Error naming the kernel, the shape, the backend and the worst element
 */
function check(name: string, ours: tf.TypedArray, theirs: tf.TypedArray): void {
  const tolerance = name.startsWith('Avg') ? 1e-5 : 0;
  const worst = compare(ours, theirs, () => tolerance);
  if (worst.error > 1) throw new Error(`${name}: ${describeWorst(worst)}`);
}

interface Report {
  machine: string;
  node: string;
  tfjs: string;
  backend: string;
  path: string;
  winograd: number;
  peak?: number;
  rows: Row[];
}

function asMarkdown({ machine, node, tfjs, backend, path, winograd, peak: most, rows }: Report): string {
  const how = `${path}${isSimd(path as 'simd') ? `, Winograd ${winograd || 'off'}` : ''}`;
  const limit = most ? `; peak of one core in WebAssembly ${most.toFixed(0)} GFLOP/s` : '';
  const rate = ({ megaFlops, plugin }: Row) => megaFlops && megaFlops / plugin;
  return `${machine}, Node ${node}, tfjs ${tfjs}; the plugin on ${backend}, path ${how}${limit}.

${table(rows, [
  ['kernel', (row) => row.kernelName],
  ['shape', (row) => row.shape],
  ['network', (row) => row.network],
  ['plugin ms', (row) => row.plugin.toFixed(3)],
  ['ms of new memory', (row) => row.allocation?.toFixed(3)],
  ['GFLOP/s', (row) => rate(row)?.toFixed(1)],
  ['of peak', (row) => most && rate(row) && `${((100 * rate(row)!) / most).toFixed(0)}%`],
  ['over cpu', ({ cpu, plugin }) => times(cpu / plugin)],
  ['over wasm', ({ wasm, plugin }) => wasm && times(wasm / plugin)],
  ['into an array', ({ wasm, into }) => wasm && into && times(wasm / into)],
])}

Geometric means over the shapes of networks:

${table(
  [...new Set(rows.map((row) => row.kernelName))].map((name) => meansOf(name, rows)),
  [
    ['kernel', (row) => row.kernelName],
    ['GFLOP/s', (row) => mean(row.rates)?.toFixed(1)],
    ['over cpu', (row) => times(mean(row.overCpu))],
    ['over wasm', (row) => times(mean(row.overWasm))],
    ['least over wasm', (row) => times(least(row.overWasm))],
    ['into an array', (row) => times(mean(row.intoOverWasm))],
    ['least', (row) => times(least(row.intoOverWasm))],
  ],
)}
`;
}

/** Columns without any entry are left out. */
function table<T>(
  rows: readonly T[],
  columns: [title: string, cell: (row: T) => string | 0 | undefined][],
): string {
  const used = columns.filter(([, cell]) => rows.some(cell));
  const line = (cells: string[]) => `| ${cells.join(' | ')} |`;
  return [
    line(used.map(([title]) => title)),
    line(used.map(([title]) => (/^(kernel|shape|network)$/.test(title) ? '---' : '---:'))),
    ...rows.map((row) => line(used.map(([, cell]) => cell(row) || ''))),
  ].join('\n');
}

function meansOf(kernelName: string, all: Row[]) {
  const rows = all.filter((row) => row.kernelName === kernelName && row.network);
  return {
    kernelName,
    rates: rows.flatMap(({ megaFlops, plugin }) => (megaFlops ? [megaFlops / plugin] : [])),
    overCpu: rows.map(({ cpu, plugin }) => cpu / plugin),
    overWasm: rows.flatMap(({ wasm, plugin }) => (wasm ? [wasm / plugin] : [])),
    intoOverWasm: rows.flatMap(({ wasm, into }) => (wasm && into ? [wasm / into] : [])),
  };
}

const times = (ratio: number | undefined) => ratio && `${ratio.toFixed(2)}x`;
const mean = (values: number[]) => (values.length ? geometricMean(values) : undefined);
const least = (values: number[]) => (values.length ? Math.min(...values) : undefined);

const program = new Command('npm run bench --')
  .description("Times the plugin's kernels on cpu or wasm, and tfjs's on both, and prints Markdown tables.")
  .addOption(new Option('--backend <name>', "the plugin's backend").choices(['cpu', 'wasm']).default('cpu'))
  .option('--filter <text>', 'run only kernels and shapes whose name contains the text', '')
  .option('--path <path>', "the plugin's path, as in configure()")
  .option('--winograd <tile>', "tile of Winograd's algorithm, as in configure(): 0, 2 or 4", Number)
  .option('--write <name>', 'also write NAME.md and NAME.json')
  .parse();
await main(program.opts());

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
import { pathOf } from '../kernels/conv2d/paths.js';
import { conv2d } from '../kernels/conv2d/simd/conv2d.js';
import { chosen, isSimd } from '../kernels/runtime/options.js';
import { convGeometry, depthwiseGeometry, poolGeometry, sizeOf } from '../kernels/geometry.js';
import { maxPool } from '../kernels/max_pool/definition.js';
import { OWN } from '../kernels/registry.js';
import { withSimd } from '../kernels/runtime/simd/instance.js';
import { backendInfo, configure, type CpuOptions } from '../src/index.js';
import { registerOwn } from '../src/ops.js';
import { distinct, integers } from '../src/verify/data.js';
import { compare, describeWorst } from '../src/verify/exact.js';
import { median } from '../src/verify/time.js';

interface Shape {
  x: number[];
  /** [filterHeight, filterWidth, outChannels] of a convolution, or the size of a pooling window. */
  filter: number[] | number;
  /** Then the third number of the filter is the multiplier. */
  depthwise?: boolean;
  strides?: number;
  /** Default: 'same'. */
  pad?: 'same' | 'valid';
  /** The network that has the shape. Shapes without a network are edge cases, and do not count in the means. */
  network?: string;
}

const SHAPES: Shape[] = [
  { x: [8, 28, 28, 1], filter: [3, 3, 32], network: 'MNIST' },
  { x: [8, 28, 28, 32], filter: [3, 3, 64], network: 'MNIST' },
  { x: [1, 56, 56, 64], filter: [3, 3, 64], network: 'ResNet' },
  { x: [1, 14, 14, 256], filter: [3, 3, 256], network: 'ResNet' },
  { x: [1, 7, 7, 512], filter: [3, 3, 512], network: 'ResNet' },
  { x: [1, 224, 224, 3], filter: [7, 7, 64], strides: 2, network: 'ResNet' },
  { x: [1, 112, 112, 32], filter: [1, 1, 64], network: 'MobileNet' },
  { x: [1, 112, 112, 24], filter: [1, 1, 144], network: 'MobileNet' },
  { x: [1, 17, 17, 768], filter: [1, 1, 192], network: 'Inception' },
  { x: [1, 17, 17, 768], filter: [1, 7, 192], network: 'Inception' },
  { x: [1, 56, 56, 64], filter: [3, 3, 1] },
  { x: [1, 8, 8, 2], filter: [3, 3, 3] },
  { x: [1, 112, 112, 1], filter: [3, 3, 1] },
  { x: [1, 7, 7, 128], filter: [7, 7, 64], pad: 'valid' },
  { x: [1, 1, 1, 1024], filter: [1, 1, 1000] },
  { x: [8, 28, 28, 32], filter: 2, strides: 2, network: 'MNIST' },
  { x: [1, 112, 112, 64], filter: 3, strides: 2, network: 'ResNet' },
  { x: [1, 35, 35, 192], filter: 3, strides: 1, network: 'Inception' },
  { x: [1, 112, 112, 64], filter: [3, 3, 1], depthwise: true, network: 'MobileNet' },
  { x: [1, 112, 112, 64], filter: [3, 3, 1], depthwise: true, strides: 2, network: 'MobileNet' },
  { x: [1, 14, 14, 512], filter: [3, 3, 1], depthwise: true, network: 'MobileNet' },
  { x: [1, 14, 14, 512], filter: [3, 3, 1], depthwise: true, strides: 2, network: 'MobileNet' },
  { x: [1, 64, 64, 24], filter: [5, 5, 1], depthwise: true, network: 'BlazeFace' },
];

/** [rows, depth, cols] of a * b, in all four transpositions. */
const MATRICES: { size: [number, number, number]; network?: string }[] = [
  { size: [32, 6272, 512], network: 'LeNet' },
  { size: [256, 256, 256], network: 'square' },
  { size: [32, 512, 10] },
  { size: [1, 1024, 1000] },
];

interface Run {
  kernelName: string;
  inputs: Record<string, Float32Array>;
  shapes: Record<string, number[]>;
  attrs: tf.NamedAttrMap;
  /** Floating-point operations, in millions; undefined for pooling, which moves memory instead. */
  megaFlops?: number;
  /** The plugin's numeric function, if it is SIMD. It writes to an array that exists. */
  into?: (result: Float32Array) => void;
}

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
  for (const shape of SHAPES) {
    const name = nameOf(shape);
    const runs = Array.isArray(shape.filter) ? convRuns(shape, shape.filter) : poolRuns(shape);
    await measureAll(runs, name, shape.network);
  }
  for (const { size, network } of MATRICES) {
    for (const [transposeA, transposeB] of [[false, false], [false, true], [true, false], [true, true]]) {
      const which = [transposeA && 'a', transposeB && 'b'].filter(Boolean).join(', ');
      const name = `${size.join('x')}${which && `, transposed ${which}`}`;
      await measureAll([matrixRun(size, transposeA, transposeB)], name, network);
    }
  } // prettier-ignore
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

function nameOf({ x, filter, strides = 1, pad }: Shape): string {
  const window = Array.isArray(filter) ? filter.join('x') : `pool ${filter}`;
  return `${x.join('x')}, ${window}${strides > 1 ? ` s${strides}` : ''}${pad === 'valid' ? ' valid' : ''}`;
}

function convRuns(
  { x, strides = 1, pad = 'same', depthwise }: Shape,
  [height, width, outChannels]: number[],
): Run[] {
  const filterShape = [height, width, x[3], outChannels];
  const options = { strides, pad, dataFormat: 'NHWC' as const };
  const g = (depthwise ? depthwiseGeometry : convGeometry)(x, filterShape, options);
  const forward = depthwise ? 'DepthwiseConv2dNative' : 'Conv2D';
  const shapes = { x, filter: filterShape, dy: [...g.outShape] };
  const data = { x: whole(x, 1), filter: whole(filterShape, 2), dy: whole(g.outShape, 3) };
  const attrs = { ...options, dilations: 1 };
  const megaFlops = (2 * sizeOf(g.outShape) * height * width * (x[3] / g.groups)) / 1e6;
  const path = pathOf(g, data.x, data.filter);
  const into =
    isSimd(path) && !depthwise
      ? (y: Float32Array) =>
          withSimd(path, (simd) => conv2d(simd, data.x, data.filter, g, y, chosen().winograd))
      : undefined;
  return [
    { kernelName: forward, inputs: { x: data.x, filter: data.filter }, shapes, attrs, megaFlops, into },
    {
      kernelName: `${forward}BackpropInput`,
      inputs: { dy: data.dy, filter: data.filter },
      shapes,
      attrs: { ...attrs, inputShape: x },
      megaFlops,
    },
    {
      kernelName: `${forward}BackpropFilter`,
      inputs: { x: data.x, dy: data.dy },
      shapes,
      attrs: { ...attrs, filterShape },
      megaFlops,
    },
  ];
}

function matrixRun([rows, depth, cols]: number[], transposeA: boolean, transposeB: boolean): Run {
  const shapes = {
    a: transposeA ? [depth, rows] : [rows, depth],
    b: transposeB ? [cols, depth] : [depth, cols],
  };
  return {
    kernelName: 'BatchMatMul',
    inputs: { a: whole(shapes.a, 1), b: whole(shapes.b, 2) },
    shapes,
    attrs: { transposeA, transposeB },
    megaFlops: (2 * rows * depth * cols) / 1e6,
  };
}

function poolRuns({ x, filter, strides = 1 }: Shape): Run[] {
  const attrs = { filterSize: filter as number, strides, pad: 'valid' };
  const g = poolGeometry(x, filter as number, { strides });
  const shapes = { x, input: x, dy: [...g.outShape], output: [...g.outShape] };
  // Positive and without ties: wasm's MaxPoolGrad drops windows of negative cells, and of ties it takes the last.
  const positive = distinct(sizeOf(x), 1).map((value) => value + sizeOf(x));
  const data = { x: Float32Array.from(positive), dy: whole(g.outShape, 2) };
  const gradient = { dy: data.dy, input: data.x };
  const output = new Float32Array(sizeOf(g.outShape));
  maxPool(data.x, g, output, new Int32Array(output.length));
  return [
    { kernelName: 'MaxPool', inputs: { x: data.x }, shapes, attrs },
    { kernelName: 'MaxPoolGrad', inputs: { ...gradient, output }, shapes, attrs },
    { kernelName: 'AvgPool', inputs: { x: whole(x, 3) }, shapes, attrs },
    { kernelName: 'AvgPoolGrad', inputs: gradient, shapes, attrs },
  ];
}

function whole(shape: readonly number[], seed: number): Float32Array {
  return Float32Array.from(integers(sizeOf(shape), seed));
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

/** Milliseconds of one run, on average. It runs for about this many milliseconds, and at least once. */
function perRun(run: () => void, milliseconds: number): number {
  const start = performance.now();
  let count = 0;
  do {
    run();
    count++;
  } while (performance.now() - start < milliseconds);
  return (performance.now() - start) / count;
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
const mean = (values: number[]) =>
  values.length ? Math.exp(values.reduce((sum, v) => sum + Math.log(v), 0) / values.length) : undefined;
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

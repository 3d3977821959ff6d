/** The page of `npm run bench:webgl`. If it is opened by hand, it does the same on that machine's GPU. */
import * as tf from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-core/dist/register_all_gradients.js';
import '@tensorflow/tfjs-backend-webgl';
import type { MathBackendWebGL } from '@tensorflow/tfjs-backend-webgl';
import { OWN } from '../kernels/registry.js';
import { install } from '../src/index.js';
import { registerOwn } from '../src/ops.js';
import { compare, describeWorst } from '../src/verify/exact.js';
import { alternate, geometricMean } from '../src/verify/time.js';
import { type Passes, watchPasses } from './webgl_passes.js';
import { newShapes, type Run, runs } from './webgl_runs.js';

interface Row {
  kernelName: string;
  shape: string;
  builtinMs: number;
  pluginMs: number;
  ratio: number;
}

/** Milliseconds of a batch of runs, at least. */
const BATCH_MS = 60;
/** Milliseconds for which both sides alternate. */
const FOR_MS = 3000;

/** Only a page that bench/webgl.ts opens has it. */
declare const send: (message: { message: string } | { done: true } | { error: string }) => Promise<unknown>;

const output = document.getElementById('output')!;
const isAuto = location.search.includes('auto');

async function main(only: string): Promise<void> {
  tf.env().set('SOFTWARE_WEBGL_ENABLED', true);
  if (!(await tf.setBackend('webgl'))) throw new Error('WebGL does not start in this browser.');
  const passesOf = watchPasses((tf.backend() as MathBackendWebGL).gpgpu.gl as WebGL2RenderingContext);
  registerOwn();
  const machine = describeMachine();
  print(`${machine}\n`);
  print('| kernel | shape | built-in ms | plugin ms | ratio |');
  print('| --- | --- | ---: | ---: | ---: |');
  const rows: Row[] = [];
  for (const run of runs(only)) {
    const row = await measure(run);
    rows.push(row);
    print(
      `| ${row.kernelName} | ${row.shape} | ${row.builtinMs.toFixed(2)} | ${row.pluginMs.toFixed(2)} | ${row.ratio.toFixed(2)}x |`,
    );
  }
  print('\n| kernel | geometric mean | least |');
  print('| --- | ---: | ---: |');
  for (const kernelName of new Set(rows.map((row) => row.kernelName))) {
    const ratios = rows.filter((row) => row.kernelName === kernelName).map(({ ratio }) => ratio);
    const mean = geometricMean(ratios);
    print(`| ${kernelName} | ${mean.toFixed(2)}x | ${Math.min(...ratios).toFixed(2)}x |`);
  }
  print('');
  if (only === '' || only === 'step') {
    await countStep(passesOf);
    await firstRuns();
  }
  print(`\n${JSON.stringify({ machine, rows })}`);
}

/** Counts what a training step of conv-relu-pool-dense draws, with a batch of 8, after everything is compiled. */
async function countStep(passesOf: (f: () => void) => Passes): Promise<void> {
  print('| conv-relu-pool-dense step | draws | MB read | MB written | ms |');
  print('| --- | ---: | ---: | ---: | ---: |');
  const x = tf.randomNormal<tf.Rank.R4>([8, 28, 28, 1], 0, 1, 'float32', 1);
  const label = tf.oneHot(tf.tensor1d([0, 1, 2, 3, 4, 5, 6, 7], 'int32'), 10);
  const weights = [
    tf.variable(tf.randomNormal([3, 3, 1, 32], 0, 0.1, 'float32', 2)),
    tf.variable(tf.randomNormal([14 * 14 * 32, 10], 0, 0.1, 'float32', 3)),
  ];
  const optimizer = tf.train.sgd(0.01);
  const step = () =>
    optimizer.minimize(() => {
      const y = tf.relu(tf.conv2d(x, weights[0] as tf.Tensor4D, 1, 'same'));
      const flat = tf.reshape<tf.Rank.R2>(tf.maxPool(y as tf.Tensor4D, 2, 2, 'same'), [8, 14 * 14 * 32]);
      return tf.losses.softmaxCrossEntropy(label, tf.matMul(flat, weights[1] as tf.Tensor2D));
    });
  const steps = async () => {
    for (let i = 0; i < 5; i++) step();
    await weights[1].data();
  };
  const inPlugin = async () => {
    const { uninstall } = install();
    await steps();
    uninstall();
  };
  const { a, b } = await alternate(steps, inPlugin, FOR_MS);
  const line = (name: string, { draws, readBytes, writtenBytes }: Passes, ms: number) =>
    print(
      `| ${name} | ${draws} | ${(readBytes / 1e6).toFixed(2)} | ${(writtenBytes / 1e6).toFixed(2)} | ${ms.toFixed(1)} |`,
    );
  line('built-in', passesOf(step), a / 5);
  const { uninstall } = install();
  line('plugin', passesOf(step), b / 5);
  uninstall();
  tf.dispose([x, label, weights]);
}

/** Runs each kernel once on eight new shapes. */
async function firstRuns(): Promise<void> {
  const { binaryCache } = tf.backend() as unknown as { binaryCache: object };
  print('\n| eight new shapes | programs, built-in | plugin | first runs, built-in ms | plugin ms |');
  print('| --- | ---: | ---: | ---: | ---: |');
  for (const kernelRuns of newShapes(8)) {
    const cells: [number, number][] = [];
    for (const prefix of ['', OWN]) {
      const sides = kernelRuns.map((run) => sideOf(prefix, run));
      await Promise.all(sides.map(({ inputs }) => Object.values(inputs)[0].data()));
      const before = Object.keys(binaryCache).length;
      const start = performance.now();
      const results = sides.map((side) => side.execute());
      await results[results.length - 1].data();
      cells.push([Object.keys(binaryCache).length - before, performance.now() - start]);
      tf.dispose([results, sides.map(({ inputs }) => inputs)]);
    }
    const [[programs, ms], [ownPrograms, ownMs]] = cells;
    print(
      `| ${kernelRuns[0].kernelName} | ${programs} | ${ownPrograms} | ${ms.toFixed(0)} | ${ownMs.toFixed(0)} |`,
    );
  }
}

function describeMachine(): string {
  const { gl } = (tf.backend() as MathBackendWebGL).gpgpu;
  const info = gl.getExtension('WEBGL_debug_renderer_info');
  const renderer = gl.getParameter(info ? info.UNMASKED_RENDERER_WEBGL : gl.RENDERER);
  return `${navigator.userAgent}; ${renderer}; tfjs ${tf.version_core}`;
}

/** Times both sides. They alternate in batches, because waiting for a result takes longer than a small kernel. */
async function measure(run: Run): Promise<Row> {
  const sides = [sideOf('', run), sideOf(OWN, run)];
  await check(run, sides);
  const count = Math.max(await batchSize(sides[0]), await batchSize(sides[1]));
  const { a, b } = await alternate(
    () => repeat(sides[0], count),
    () => repeat(sides[1], count),
    FOR_MS,
  );
  tf.dispose(sides.map(({ inputs }) => inputs));
  const { shape } = run;
  const kernelName = run.forward ? `${run.forward}, ${run.kernelName}` : run.kernelName;
  return { kernelName, shape, builtinMs: a / count, pluginMs: b / count, ratio: a / b };
}

interface Side {
  inputs: tf.NamedTensorMap;
  execute(): tf.Tensor;
}

function sideOf(prefix: string, { kernelName, inputs, attrs, forward }: Run): Side {
  const tensors = inputs();
  const run = (name: string, given: tf.NamedTensorMap) =>
    tf.engine().runKernel(prefix + name, given, attrs) as tf.Tensor;
  if (!forward) return { inputs: tensors, execute: () => run(kernelName, tensors) };
  return {
    inputs: tensors,
    execute() {
      const output = recorded(() => run(forward, { x: tensors.input }));
      const dx = run(kernelName, { ...tensors, output });
      output.dispose();
      return dx;
    },
  };
}

/** Runs f as inside a gradient, but without a tape, which would keep the result. */
function recorded(f: () => tf.Tensor): tf.Tensor {
  const { state } = tf.engine();
  state.gradientDepth++;
  state.kernelDepth++;
  try {
    return f();
  } finally {
    state.kernelDepth--;
    state.gradientDepth--;
  }
}

/**
 * Runs `count` times, and waits for the last result by reading one value of it. Reading all of it would take longer
 * than most kernels.
 */
async function repeat(side: Side, count: number): Promise<void> {
  for (let i = 1; i < count; i++) side.execute().dispose();
  const y = side.execute();
  const corner = tf.slice(
    y,
    y.shape.map(() => 0),
    y.shape.map(() => 1),
  );
  await corner.data();
  tf.dispose([y, corner]);
}

async function result(side: Side): Promise<tf.TypedArray> {
  const y = side.execute();
  const data = await y.data();
  y.dispose();
  return data;
}

/**
 * The number of runs that take BATCH_MS together. Compared with that, the wait for the last result is short: Firefox
 * notices a result only after 4 ms or more. The fastest of three batches decides, because a page that warms up is slow:
 * then a batch of one run may seem long enough, though nearly all of its time is reading back.
 */
async function batchSize(side: Side): Promise<number> {
  for (let count = 1; ; count *= 2) {
    let fastest = Infinity;
    for (let i = 0; i < 3 && fastest >= BATCH_MS; i++) {
      const start = performance.now();
      await repeat(side, count);
      fastest = Math.min(fastest, performance.now() - start);
    }
    if (fastest >= BATCH_MS) return count;
  }
}

/**
 * On whole numbers both results must be equal. Two kernels have a tolerance: the divisions of average pooling round differently, and
 * tfjs's depthwise convolution starts its sums at 1e-15.
 * @throws Error naming the kernel, the shape and the worst element
 */
async function check({ kernelName, shape }: Run, sides: Side[]): Promise<void> {
  const [want, got] = [await result(sides[0]), await result(sides[1])];
  const bound = kernelName.startsWith('Avg') ? 1e-4 : kernelName.includes('Depthwise') ? 2e-15 : 0;
  const worst = compare(got, want, () => bound);
  if (worst.error > 1) throw new Error(`${kernelName}, ${shape}: ${describeWorst(worst)}`);
}

function print(line: string): void {
  output.textContent += `${line}\n`;
  if (isAuto) void send({ message: line });
}

async function run(only: string): Promise<void> {
  try {
    await main(only);
    if (isAuto) await send({ done: true });
  } catch (error) {
    const text = String(error instanceof Error ? (error.stack ?? error) : error);
    if (isAuto) await send({ error: text });
    else print(text);
  }
}

const field = document.getElementById('only') as HTMLInputElement;
const copy = document.getElementById('copy') as HTMLButtonElement;
document.getElementById('run')!.addEventListener('click', () => {
  output.textContent = '';
  void run(field.value).then(() => (copy.disabled = false));
});
copy.addEventListener('click', () => void navigator.clipboard.writeText(output.textContent ?? ''));
if (isAuto) void run(decodeURIComponent(location.search.replace(/^\?auto=?/, '')));

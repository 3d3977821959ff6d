/** The page of `npm run bench:webgl`; opened by hand, it does the same on any machine's GPU. */
import * as tf from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-core/dist/register_all_gradients.js';
import '@tensorflow/tfjs-backend-webgl';
import type { MathBackendWebGL } from '@tensorflow/tfjs-backend-webgl';
import { OWN } from '../kernels/registry.js';
import { registerOwn } from '../src/ops.js';
import { compare, describeWorst } from '../src/verify/proofs.js';
import { alternate } from '../src/verify/time.js';
import { type Run, runs } from './webgl_runs.js';

interface Row {
  kernelName: string;
  shape: string;
  builtinMs: number;
  pluginMs: number;
  ratio: number;
}

const BATCH_MS = 60;
const FOR_MS = 1500;

const output = document.getElementById('output')!;
const isAuto = location.search.includes('auto');

async function main(only: string): Promise<void> {
  tf.env().set('SOFTWARE_WEBGL_ENABLED', true);
  if (!(await tf.setBackend('webgl'))) throw new Error('WebGL does not start here.');
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
    const mean = Math.exp(ratios.reduce((sum, ratio) => sum + Math.log(ratio), 0) / ratios.length);
    print(`| ${kernelName} | ${mean.toFixed(2)}x | ${Math.min(...ratios).toFixed(2)}x |`);
  }
  print(`\n${JSON.stringify({ machine, rows })}`);
}

function describeMachine(): string {
  const { gl } = (tf.backend() as MathBackendWebGL).gpgpu;
  const info = gl.getExtension('WEBGL_debug_renderer_info');
  const renderer = gl.getParameter(info ? info.UNMASKED_RENDERER_WEBGL : gl.RENDERER);
  return `${navigator.userAgent}; ${renderer}; tfjs ${tf.version_core}`;
}

/** Both sides alternate, in batches: reading a result back takes longer than a small kernel. */
async function measure(run: Run): Promise<Row> {
  const sides = [sideOf('', run), sideOf(OWN, run)];
  await check(run, sides);
  const count = await batchSize(sides[0]);
  const { a, b } = await alternate(
    () => repeat(sides[0], count),
    () => repeat(sides[1], count),
    FOR_MS,
  );
  tf.dispose(sides.map(({ inputs }) => inputs));
  const { kernelName, shape } = run;
  return { kernelName, shape, builtinMs: a / count, pluginMs: b / count, ratio: a / b };
}

interface Side {
  inputs: tf.NamedTensorMap;
  execute(): tf.Tensor;
}

function sideOf(prefix: string, { kernelName, inputs, attrs, output }: Run): Side {
  const tensors = inputs();
  if (output) {
    // As in a training step: the output comes from the kernel itself, while a gradient is recorded.
    tf.valueAndGrad((x) => {
      tensors.output = tf.keep(tf.engine().runKernel(prefix + output, { x }, attrs) as tf.Tensor);
      return tf.sum(x);
    })(tensors.input);
  }
  return {
    inputs: tensors,
    execute: () => tf.engine().runKernel(prefix + kernelName, tensors, attrs) as tf.Tensor,
  };
}

async function repeat(side: Side, count: number): Promise<tf.TypedArray> {
  for (let i = 1; i < count; i++) side.execute().dispose();
  const y = side.execute();
  const data = await y.data();
  y.dispose();
  return data;
}

async function batchSize(side: Side): Promise<number> {
  for (let count = 1; ; count *= 2) {
    const start = performance.now();
    await repeat(side, count);
    if (performance.now() - start >= BATCH_MS) return count;
  }
}

/** On whole numbers both must be the same, but for the divisions of average pooling, which round differently. */
async function check({ kernelName, shape }: Run, sides: Side[]): Promise<void> {
  const [want, got] = [await repeat(sides[0], 1), await repeat(sides[1], 1)];
  const worst = compare(got, want, () => (kernelName.startsWith('Avg') ? 1e-4 : 0));
  if (worst.error > 1) throw new Error(`${kernelName}, ${shape}: ${describeWorst(worst)}`);
}

function print(line: string): void {
  output.textContent += `${line}\n`;
  if (isAuto) void fetch('print', { method: 'POST', body: line });
}

async function run(only: string): Promise<void> {
  try {
    await main(only);
  } catch (error) {
    print(String(error instanceof Error ? (error.stack ?? error) : error));
  }
  if (isAuto) void fetch('end', { method: 'POST' });
}

const field = document.getElementById('only') as HTMLInputElement;
const copy = document.getElementById('copy') as HTMLButtonElement;
document.getElementById('run')!.addEventListener('click', () => {
  output.textContent = '';
  void run(field.value).then(() => (copy.disabled = false));
});
copy.addEventListener('click', () => void navigator.clipboard.writeText(output.textContent ?? ''));
if (isAuto) void run(decodeURIComponent(location.search.replace(/^\?auto=?/, '')));

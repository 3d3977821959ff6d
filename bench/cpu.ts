/**
 * `npm run bench`: the plugin's kernels against tfjs's built-in cpu kernels, alternating in one run, medians; checked
 * before they are timed. Prints a Markdown table. `npm run bench -- TEXT` runs the shapes whose name contains TEXT.
 */
import { cpus } from 'node:os';
import * as tf from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-backend-cpu';
import { convGeometry, poolGeometry, sizeOf } from '../kernels/geometry.js';
import { OWN } from '../kernels/registry.js';
import { registerOwn } from '../src/ops.js';
import { integers } from '../src/verify/data.js';
import { compare, describeWorst } from '../src/verify/proofs.js';
import { alternate } from '../src/verify/time.js';

interface Shape {
  x: number[];
  /** [filterHeight, filterWidth, outChannels] of a convolution, or the size of a pooling window. */
  filter: number[] | number;
  strides?: number;
  /** Default 'same'. */
  pad?: 'same' | 'valid';
}

const SHAPES: Shape[] = [
  { x: [8, 28, 28, 1], filter: [3, 3, 32] },
  { x: [2, 28, 28, 32], filter: [3, 3, 64] },
  { x: [1, 28, 28, 64], filter: [3, 3, 64] },
  { x: [1, 14, 14, 128], filter: [3, 3, 128] },
  { x: [1, 56, 56, 32], filter: [1, 1, 64] },
  { x: [1, 112, 112, 3], filter: [7, 7, 32], strides: 2 },
  { x: [1, 17, 17, 128], filter: [1, 7, 128] },
  { x: [1, 56, 56, 64], filter: [3, 3, 1] },
  { x: [1, 8, 8, 2], filter: [3, 3, 3] },
  { x: [1, 112, 112, 1], filter: [3, 3, 1] },
  { x: [1, 7, 7, 128], filter: [7, 7, 64], pad: 'valid' },
  { x: [1, 1, 1, 1024], filter: [1, 1, 1000] },
  { x: [8, 28, 28, 32], filter: 2, strides: 2 },
  { x: [1, 56, 56, 64], filter: 3, strides: 2 },
  { x: [1, 56, 56, 64], filter: 3, strides: 1 },
];

interface Run {
  kernelName: string;
  inputs: tf.NamedTensorMap;
  attrs: tf.NamedAttrMap;
  /** Multiply-adds, in millions; undefined for pooling, which moves memory instead. */
  megaMacs?: number;
}

async function main(only = ''): Promise<void> {
  await tf.setBackend('cpu');
  registerOwn();
  console.log(`${cpus()[0].model}, Node ${process.version}, tfjs ${tf.version_core}\n`);
  console.log('| kernel | shape | built-in ms | plugin ms | ratio | plugin GFLOP/s |');
  console.log('|---|---|---:|---:|---:|---:|');
  for (const shape of SHAPES) {
    const name = nameOf(shape);
    if (!name.includes(only)) continue;
    for (const run of Array.isArray(shape.filter) ? convRuns(shape, shape.filter) : poolRuns(shape)) {
      await check(run, name);
      const { a, b } = await alternate(
        () => execute('', run),
        () => execute(OWN, run),
        1000,
      );
      const rate = run.megaMacs ? ((2 * run.megaMacs) / b).toFixed(2) : '';
      console.log(
        `| ${run.kernelName} | ${name} | ${a.toFixed(2)} | ${b.toFixed(2)} | ${(a / b).toFixed(1)}x | ${rate} |`,
      );
    }
  }
}

function nameOf({ x, filter, strides = 1 }: Shape): string {
  const window = Array.isArray(filter) ? filter.join('x') : `pool ${filter}`;
  return `${x.join('x')}, ${window}${strides > 1 ? ` s${strides}` : ''}`;
}

function convRuns({ x, strides = 1, pad = 'same' }: Shape, [height, width, outChannels]: number[]): Run[] {
  const filterShape = [height, width, x[3], outChannels];
  const options = { strides, pad, dataFormat: 'NHWC' as const };
  const g = convGeometry(x, filterShape, options);
  const t = { x: whole(x, 1), filter: whole(filterShape, 2), dy: whole(g.outShape, 3) };
  const attrs = { ...options, dilations: 1 };
  const megaMacs = (sizeOf(g.outShape) * height * width * x[3]) / 1e6;
  return [
    { kernelName: 'Conv2D', inputs: { x: t.x, filter: t.filter }, attrs, megaMacs },
    {
      kernelName: 'Conv2DBackpropInput',
      inputs: { dy: t.dy, filter: t.filter },
      attrs: { ...attrs, inputShape: x },
      megaMacs,
    },
    {
      kernelName: 'Conv2DBackpropFilter',
      inputs: { x: t.x, dy: t.dy },
      attrs: { ...attrs, filterShape },
      megaMacs,
    },
  ];
}

function poolRuns({ x, filter, strides = 1 }: Shape): Run[] {
  const attrs = { filterSize: filter as number, strides, pad: 'valid' };
  const g = poolGeometry(x, filter as number, { strides });
  const t = { x: whole(x, 1), dy: whole(g.outShape, 2) };
  return [
    { kernelName: 'MaxPool', inputs: { x: t.x }, attrs },
    { kernelName: 'MaxPoolGrad', inputs: { dy: t.dy, input: t.x, output: t.dy }, attrs },
    { kernelName: 'AvgPool', inputs: { x: t.x }, attrs },
    { kernelName: 'AvgPoolGrad', inputs: { dy: t.dy, input: t.x }, attrs },
  ];
}

function whole(shape: readonly number[], seed: number): tf.Tensor {
  return tf.tensor(Float32Array.from(integers(sizeOf(shape), seed)), [...shape]);
}

async function execute(prefix: string, { kernelName, inputs, attrs }: Run): Promise<tf.TypedArray> {
  const y = tf.engine().runKernel(prefix + kernelName, inputs, attrs) as tf.Tensor;
  const data = await y.data();
  y.dispose();
  return data;
}

/** On whole numbers both must be the same, but for the divisions of average pooling, which round differently. */
async function check(run: Run, name: string): Promise<void> {
  const tolerance = run.kernelName.startsWith('Avg') ? 1e-5 : 0;
  const worst = compare(await execute(OWN, run), await execute('', run), () => tolerance);
  if (worst.error > 1) throw new Error(`${run.kernelName}, ${name}: ${describeWorst(worst)}`);
}

await main(process.argv[2]);

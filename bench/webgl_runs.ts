/** The kernels and shapes of `npm run bench:webgl`. Inputs are stored as tfjs's neighbouring ops would leave them. */
import * as tf from '@tensorflow/tfjs-core';
import { convGeometry, depthwiseGeometry, poolGeometry, sizeOf } from '../kernels/geometry.js';
import { distinct, integers } from '../src/verify/data.js';

interface Shape {
  x: number[];
  /** [filterHeight, filterWidth, outChannels] of a convolution, without outChannels of a depthwise one, or the size of a pooling window. */
  filter: number[] | number;
  strides?: number;
}

/** All are small enough for a software rasterizer. Convolutions are padded 'same', poolings 'valid'. */
const SHAPES: Shape[] = [
  { x: [8, 28, 28, 1], filter: [3, 3, 32] },
  { x: [8, 28, 28, 32], filter: [3, 3, 64] },
  { x: [1, 56, 56, 64], filter: [3, 3, 64] },
  { x: [1, 14, 14, 256], filter: [3, 3, 256] },
  { x: [1, 112, 112, 32], filter: [1, 1, 64] },
  { x: [1, 112, 112, 3], filter: [7, 7, 64], strides: 2 },
  { x: [4, 32, 32, 16], filter: [3, 3, 32], strides: 2 },
  { x: [1, 27, 27, 48], filter: [5, 5, 32] },
  { x: [1, 112, 112, 64], filter: [3, 3] },
  { x: [1, 112, 112, 64], filter: [3, 3], strides: 2 },
  { x: [1, 14, 14, 512], filter: [3, 3] },
  { x: [1, 14, 14, 512], filter: [3, 3], strides: 2 },
  { x: [1, 28, 28, 120], filter: [5, 5] },
  { x: [1, 28, 28, 120], filter: [5, 5], strides: 2 },
  { x: [8, 28, 28, 32], filter: 2, strides: 2 },
  { x: [1, 112, 112, 64], filter: 3, strides: 2 },
  { x: [1, 56, 56, 64], filter: 3, strides: 1 },
  { x: [4, 24, 24, 16], filter: 2, strides: 2 },
];

export interface Run {
  kernelName: string;
  shape: string;
  /** Multiply-adds, in millions; undefined for pooling, which moves memory instead. */
  megaMacs?: number;
  /** Makes new input tensors. The caller disposes of them. */
  inputs(): tf.NamedTensorMap;
  attrs: tf.NamedAttrMap;
  /** A kernel that runs before this one, on `input`, as in training. Its result is this kernel's input `output`. */
  forward?: string;
}

export function runs(only: string): Run[] {
  return SHAPES.flatMap((shape) =>
    Array.isArray(shape.filter) ? convRuns(shape, shape.filter) : poolRuns(shape, shape.filter),
  ).filter((run) => `${run.kernelName} ${run.shape}`.includes(only));
}

/** For each kernel, runs on `count` shapes that `runs` does not have. */
export function newShapes(count: number): Run[][] {
  const sizes = Array.from({ length: count }, (_, i) => 10 + i);
  const convs = sizes.map((n) => convRuns({ x: [2, n, n + 1, n - 2], filter: [] }, [3, 3, n + 4]));
  const pools = sizes.map((n) => poolRuns({ x: [2, n, n + 1, n - 2], filter: 2, strides: 2 }, 2));
  return [convs, pools].flatMap((all) => all[0].map((_, kernel) => all.map((one) => one[kernel])));
}

function convRuns({ x, strides = 1 }: Shape, [height, width, outChannels]: number[]): Run[] {
  const isDepthwise = outChannels === undefined;
  const filter = [height, width, x[3], outChannels ?? 1];
  const options = { strides, pad: 'same', dataFormat: 'NHWC' } as const;
  const dy = (isDepthwise ? depthwiseGeometry : convGeometry)(x, filter, options).outShape;
  const attrs = { ...options, dilations: 1 };
  const shape = `${x.join('x')}, ${height}x${width}${isDepthwise ? '' : `x${outChannels}`}${strides > 1 ? ` s${strides}` : ''}`;
  const common = { shape, megaMacs: (sizeOf(dy) * height * width * (isDepthwise ? 1 : x[3])) / 1e6 };
  const name = isDepthwise ? 'DepthwiseConv2dNative' : 'Conv2D';
  const t = { x: () => whole(x, 1), filter: () => whole(filter, 2), dy: () => whole(dy, 3) };
  return [
    { ...common, kernelName: name, inputs: () => ({ x: t.x(), filter: t.filter() }), attrs },
    {
      ...common,
      kernelName: isDepthwise ? 'FusedDepthwiseConv2D' : 'FusedConv2D',
      inputs: () => ({ x: t.x(), filter: t.filter(), bias: whole([dy[3]], 4) }),
      attrs: { ...attrs, activation: 'relu' },
    },
    {
      ...common,
      kernelName: `${name}BackpropInput`,
      inputs: () => ({ dy: t.dy(), filter: t.filter() }),
      attrs: { ...attrs, inputShape: x },
    },
    {
      ...common,
      kernelName: `${name}BackpropFilter`,
      inputs: () => ({ x: t.x(), dy: t.dy() }),
      attrs: { ...attrs, filterShape: filter },
    },
  ];
}

function poolRuns({ x, strides = 1 }: Shape, filterSize: number): Run[] {
  const attrs = { filterSize, strides, pad: 'valid' };
  const dy = poolGeometry(x, filterSize, { strides }).outShape;
  const shape = `${x.join('x')}, ${filterSize}x${filterSize}${strides > 1 ? ` s${strides}` : ''}`;
  const t = { x: () => asFromTfjs(distinct(sizeOf(x), 1), x), dy: () => whole(dy, 2) };
  const maxPoolGrad = {
    kernelName: 'MaxPoolGrad',
    shape,
    inputs: () => ({ dy: t.dy(), input: t.x() }),
    attrs,
  };
  return [
    { kernelName: 'MaxPool', shape, inputs: () => ({ x: t.x() }), attrs },
    maxPoolGrad,
    { ...maxPoolGrad, forward: 'MaxPool' },
    { kernelName: 'AvgPool', shape, inputs: () => ({ x: t.x() }), attrs },
    { kernelName: 'AvgPoolGrad', shape, inputs: () => ({ dy: t.dy(), input: t.x() }), attrs },
  ];
}

function whole(shape: readonly number[], seed: number): tf.Tensor {
  return asFromTfjs(integers(sizeOf(shape), seed), shape);
}

/** A tensor such as elementwise ops leave behind: on the GPU, in a packed texture if tfjs packs. */
function asFromTfjs(values: Float64Array, shape: readonly number[]): tf.Tensor {
  return tf.tidy(() => tf.mul(tf.tensor(Float32Array.from(values), [...shape]), 1));
}

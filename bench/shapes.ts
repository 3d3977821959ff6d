/** The shapes on which kernels are timed, most of them from networks, with whole numbers as inputs. */
import type { NamedAttrMap } from '@tensorflow/tfjs-core';
import { pathOf } from '../kernels/conv2d/paths.js';
import { conv2d } from '../kernels/conv2d/simd/conv2d.js';
import { convGeometry, depthwiseGeometry, poolGeometry, sizeOf } from '../kernels/geometry.js';
import { maxPool } from '../kernels/max_pool/definition.js';
import { chosen, isSimd } from '../kernels/runtime/options.js';
import { withSimd } from '../kernels/runtime/simd/instance.js';
import { distinct, integers } from '../src/verify/data.js';

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

export interface Run {
  kernelName: string;
  inputs: Record<string, Float32Array>;
  shapes: Record<string, number[]>;
  attrs: NamedAttrMap;
  /** Floating-point operations, in millions; undefined for pooling, which moves memory instead. */
  megaFlops?: number;
  /** The plugin's numeric function, if it is SIMD. It writes to an array that exists. */
  into?: (result: Float32Array) => void;
}

/** Kernels on one shape. */
export interface Timed {
  name: string;
  network?: string;
  runs: Run[];
}

export function allShapes(): Timed[] {
  const images = SHAPES.map((shape) => ({
    name: nameOf(shape),
    network: shape.network,
    runs: Array.isArray(shape.filter) ? convRuns(shape, shape.filter) : poolRuns(shape),
  }));
  const transpositions = [[false, false], [false, true], [true, false], [true, true]]; // prettier-ignore
  const matrices = MATRICES.flatMap(({ size, network }) =>
    transpositions.map(([transposeA, transposeB]) => {
      const which = [transposeA && 'a', transposeB && 'b'].filter(Boolean).join(', ');
      const name = `${size.join('x')}${which && `, transposed ${which}`}`;
      return { name, network, runs: [matrixRun(size, transposeA, transposeB)] };
    }),
  );
  return [...images, ...matrices];
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

/** Milliseconds of one run, on average. It runs for about this many milliseconds, and at least once. */
export function perRun(run: () => void, milliseconds: number): number {
  const start = performance.now();
  let count = 0;
  do {
    run();
    count++;
  } while (performance.now() - start < milliseconds);
  return (performance.now() - start) / count;
}

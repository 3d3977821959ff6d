/**
 * Convolution on packed textures (../../runtime/webgl/texels.ts), without a patch matrix, in two passes:
 *
 *   1. sums   A fragment sums a block of results. It writes one texel of the block to each of its targets. So each
 *             texel that it fetches serves many results.
 *   2. store  A fragment fetches one texel of the result from the target that holds it. It adds up partial sums, adds
 *             the bias, applies the activation and writes the texel where tfjs wants it.
 *
 * For blocks of one texel the first pass does the work of the second: it writes each texel where tfjs wants it.
 *
 * What a block is:
 *
 *   y        neighbouring pairs of columns x pairs of output channels, summed over taps and input channels
 *   dx       pairs of columns x pairs of input channels, summed over taps and output channels. The columns are a
 *            stride apart, so the same taps reach all of them. There are strideHeight x strideWidth phases of dx. Each
 *            phase is a slab of blocks.
 *   dFilter  neighbouring taps of a row of the filter x pairs of input channels x pairs of output channels, summed over
 *            pixels. Each slab of blocks sums a part of the images' rows.
 *
 * The distance between two pairs of channels of a block is the number of blocks. So neighbouring fragments fetch
 * neighbouring texels. The texels of x (of dy for dx) that a row of taps needs for a block are fetched once.
 */
import type { MathBackendWebGL } from '@tensorflow/tfjs-backend-webgl';
import { env, type TensorInfo } from '@tensorflow/tfjs-core';
import type { ConvGeometry } from '../../geometry.js';
import { each, isOdd, tapsTogether, type Window } from '../../runtime/webgl/window.js';
import { drawTexels, layersOf, type TexelUniforms } from '../../runtime/webgl/draw.js';
import { emptyTexels, packedSize, readers, withTexels, writer } from '../../runtime/webgl/texels.js';
import {
  type Blocks,
  COMMON_GLSL,
  type Epilogue,
  filterSums,
  findInFilter,
  findInPhases,
  findInRow,
  finishGlsl,
  storeGlsl,
  windowSums,
} from './blocked_glsl.js';

export const NO_EPILOGUE: Epilogue = { inputs: {}, uniforms: {}, functions: '', code: '' };

/** This many fragments keep a GPU busy. */
const FRAGMENTS = 4096;

/** y: [batch, outHeight, outWidth, outChannels] */
export function blockedConv2d(
  backend: MathBackendWebGL,
  g: ConvGeometry,
  x: TensorInfo,
  filter: TensorInfo,
  targets: number,
  epilogue: Epilogue,
): TensorInfo {
  const depth = Math.ceil(g.inChannels / 2);
  const window: Window = {
    taps: tapsTogether(g.filterWidth, g.strideWidth, g.dilationWidth),
    stride: g.strideWidth,
    dilation: g.dilationWidth,
  };
  if (window.taps === g.filterWidth) window.isOdd = isOdd(g.padLeft);
  const rows = g.batchSize * g.outHeight;
  const right = (g.outWidth - 1) * g.strideWidth - g.padLeft + g.effectiveFilterWidth;
  const blocks = windowBlocks(targets, window, 1, rows, g.outWidth, g.outChannels);
  return sumAndStore(backend, g, { x, filters: filter }, blocks, g.outShape, epilogue, {
    uniforms: {
      inSize: [g.inHeight, g.inHeight, g.inWidth, depth],
      outSizes: [g.outHeight, g.outWidth, g.outHeight],
      tapSteps: [1, 1, g.filterWidth],
    },
    sums: windowSums(blocks, window, {
      isGradient: false,
      isOneRow: g.filterHeight === 1,
      tapCount: g.filterWidth,
      summed: g.inChannels,
      isPadded: g.padLeft > 0 || right > g.inWidth,
    }),
    find: findInRow(blocks),
  });
}

/** dx: [batch, inHeight, inWidth, inChannels] */
export function blockedConv2dBackpropInput(
  backend: MathBackendWebGL,
  g: ConvGeometry,
  dy: TensorInfo,
  filter: TensorInfo,
  targets: number,
): TensorInfo {
  const tapSteps = [
    g.strideHeight / gcd(g.strideHeight, g.dilationHeight),
    g.strideWidth / gcd(g.strideWidth, g.dilationWidth),
  ];
  const tapCount = Math.ceil(g.filterWidth / tapSteps[1]);
  const dilation = g.dilationWidth / gcd(g.strideWidth, g.dilationWidth);
  const window: Window = { taps: tapsTogether(tapCount, 1, dilation), stride: 1, dilation };
  if (g.strideWidth === 1 && window.taps === tapCount) {
    window.isOdd = isOdd(g.padLeft - (g.filterWidth - 1) * g.dilationWidth);
  }
  const depth = Math.ceil(g.outChannels / 2);
  const slabs = g.strideHeight * g.strideWidth;
  const [height, width] = [g.inHeight / g.strideHeight, g.inWidth / g.strideWidth].map(Math.ceil);
  const blocks = windowBlocks(targets, window, slabs, g.batchSize * height, width, g.inChannels);
  return sumAndStore(backend, g, { x: dy, filters: filter }, blocks, g.inShape, NO_EPILOGUE, {
    uniforms: {
      inSize: [dy.shape[1], g.outHeight, g.outWidth, depth],
      outSizes: [height, width, g.inHeight],
      tapSteps: [...tapSteps, tapCount],
    },
    sums: windowSums(blocks, window, {
      isGradient: true,
      isOneRow: g.filterHeight === 1 && slabs === 1,
      tapCount: tapSteps[1] === 1 ? tapCount : NaN,
      summed: g.outChannels,
      isPadded: g.filterWidth > 1 || g.padLeft !== 0 || width > g.outWidth,
    }),
    find: slabs === 1 ? findInRow(blocks) : findInPhases(blocks),
  });
}

/** dFilter: [filterHeight, filterWidth, inChannels, outChannels] */
export function blockedConv2dBackpropFilter(
  backend: MathBackendWebGL,
  g: ConvGeometry,
  x: TensorInfo,
  dy: TensorInfo,
  targets: number,
): TensorInfo {
  const { perRow } = packedSize(g.filterShape);
  const depth = Math.ceil(g.inChannels / 2);
  const most = g.dilationWidth <= 2 ? Math.min(4, targets) : 1;
  const taps = Math.ceil(g.filterWidth / Math.ceil(g.filterWidth / most));
  const pairs = taps === 1 ? Math.min(2, depth, targets) : 1;
  const wide = Math.min(perRow, Math.floor(targets / (taps * pairs)));
  const groups = Math.ceil(g.filterWidth / taps);
  const pairBlocks = Math.ceil(depth / pairs);
  const [rows, columns] = [g.filterHeight * groups * pairBlocks, Math.ceil(perRow / wide)];
  const { slabs, imageRows, perSlab } = slabsOf(g, rows * columns);
  const blocks = { tall: taps * pairs, wide, slabs, rows, columns };
  const window: Window = { taps, stride: g.strideWidth, dilation: g.dilationWidth };
  if (groups === 1) window.isOdd = isOdd(g.padLeft);
  return sumAndStore(backend, g, { x, dy }, blocks, g.filterShape, NO_EPILOGUE, {
    uniforms: {
      inSize: [g.inHeight, g.inHeight, g.inWidth, depth],
      dySize: [dy.shape[1], g.outHeight, g.outWidth],
      imageRows: [imageRows, perSlab],
      groups: [groups, pairBlocks],
    },
    sums: filterSums(window, pairs, wide),
    find: findInFilter(taps, pairs, wide),
  });
}

/** How the images' rows are shared among slabs of `blocks` blocks each, so that there are enough fragments. */
export function slabsOf(g: ConvGeometry, blocks: number) {
  const imageRows = g.batchSize * g.outHeight;
  // Where textures hold half floats, partial sums would be rounded.
  const most = env().getBool('WEBGL_RENDER_FLOAT32_ENABLED') ? Math.ceil(imageRows / 4) : 1;
  const perSlab = Math.ceil(imageRows / Math.min(most, Math.ceil(FRAGMENTS / blocks)));
  return { slabs: Math.ceil(imageRows / perSlab), imageRows, perSlab };
}

/** GLSL of both passes. */
interface Passes {
  uniforms: TexelUniforms;
  sums: string;
  /** The function that reads a texel of the result back. */
  find: string;
  /** Whether the sums of a block are not yet texels of the result. */
  isDraft?: boolean;
}

/** Both passes, or the first alone if it can write the result. */
export function sumAndStore(
  backend: MathBackendWebGL,
  g: ConvGeometry,
  inputs: Record<string, TensorInfo>,
  b: Blocks,
  outShape: readonly number[],
  epilogue: Epilogue,
  { uniforms, sums, find, isDraft = false }: Passes,
): TensorInfo {
  const y = emptyTexels(backend, outShape);
  const writing = writer(backend, y);
  const targets = b.tall * b.wide;
  const common = {
    ...uniforms,
    ...writing.uniforms,
    filterSize: [g.filterHeight, g.filterWidth],
    strides: [g.strideHeight, g.strideWidth],
    dilations: [g.dilationHeight, g.dilationWidth],
    pads: [g.padTop, g.padLeft],
  };
  const finish = `${COMMON_GLSL}${writing.code}${finishGlsl(epilogue)}`;
  withTexels(backend, inputs, (sources) =>
    withTexels(backend, epilogue.inputs, (extras) => {
      const reading = readers(backend, sources);
      const sumUniforms = { ...common, ...reading.uniforms };
      if (targets * b.slabs === 1 && !isDraft) {
        const blocks = [b.rows, b.columns, writing.uniforms.place[0]];
        const code = `${finish}${reading.code}${sums} out0 = finish(sum0, block.y, block.z); }`;
        const all = { ...sumUniforms, ...epilogue.uniforms, blocks };
        drawTexels(backend, { ...sources, ...extras }, all, [y], code);
        return;
      }
      const layers = layersOf(b.slabs * b.rows * b.columns, targets);
      const blocks = [b.rows, b.columns, layers.side];
      const write = each(targets, (t) => `out${t} = sum${t};`);
      const sumCode = `${COMMON_GLSL}${reading.code}${sums} ${write} }`;
      drawTexels(backend, sources, { ...sumUniforms, blocks }, layers, sumCode);
      const storeUniforms = { ...common, ...epilogue.uniforms, blocks, slabs: [b.slabs] };
      drawTexels(backend, { sums: layers, ...extras }, storeUniforms, [y], `${finish}${storeGlsl(find)}`);
    }),
  );
  return y;
}

// Blocks

/** Blocks of an image. Where windows overlap, a block is up to 8 columns wide, so a filter's texel serves many. */
function windowBlocks(
  targets: number,
  { taps }: Window,
  slabs: number,
  rows: number,
  width: number,
  channels: number,
): Blocks {
  const [pairs, perRow] = [width, channels].map((size) => Math.ceil(size / 2));
  const most = pairs === 1 ? 8 : pairs === 2 || taps === 1 ? 4 : 2;
  const wide = Math.min(targets, most, perRow);
  const tall = Math.min(Math.floor(targets / wide), 2 ** Math.ceil(Math.log2(pairs)));
  return { tall, wide, slabs, rows: rows * Math.ceil(pairs / tall), columns: Math.ceil(perRow / wide) };
}

function gcd(a: number, b: number): number {
  return b === 0 ? a : gcd(b, a % b);
}

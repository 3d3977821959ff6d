/**
 * The fast path: 2-D convolution and its gradients by WebAssembly SIMD, in float32.
 *
 *   forward  y[p]         = sum over taps of x[the tap's cell at p, :] * filter[tap]
 *   input    dx[p]        = sum over the taps that reach p of dy[their pixel, :] * transpose(filter[tap])
 *   filter   dFilter[tap] = sum over pixels of transpose(x[the tap's cell at p, :]) * dy[p, :]
 *
 * The functions have the shapes and signatures of definition.ts, for Float32Array.
 *
 * - A strip of the source is copied into WebAssembly memory with padding around it. The micro-kernels
 *   (../../runtime/simd/assembly) then read every tap of every pixel in place: no bounds check, no gathering.
 * - The result of a strip is copied out while it is in the cache.
 * - Memory holds one strip and the filter, for any size of batch and image.
 * - If dx has a stride, its positions fall into stride x stride phases. Different taps reach each phase, so no zeros are inserted.
 * - If Winograd's algorithm applies, it serves: winograd.ts and winograd_line.ts for forward and dx, winograd_gradient.ts for
 *   dFilter.
 *
 * A filter value of Infinity or NaN is multiplied by 0 at padding, which gives NaN (docs/deviations.md, row 14).
 */
import type { ConvGeometry } from '../../geometry.js';
import type { WinogradTile } from '../../runtime/options.js';
import { MR, NR, type Simd } from '../../runtime/simd/instance.js';
import {
  type Axes,
  backwardAxis,
  copyIn,
  copyOut,
  fitsCache,
  forwardAxis,
  type Image,
  largest,
  planStrips,
  positionsIn,
  type Rectangle,
  strideOf,
  windowOf,
  writeGrid,
} from '../../runtime/simd/strips.js';
import { correlate, type Epilogue, type GroupFilter, roundUp, tapOffset } from './correlate.js';
import { correlateByWinograd, schemeFor } from './winograd.js';
import { gradientByWinograd, gradientTileFor } from './winograd_gradient.js';
import { correlateByLine, lineFor } from './winograd_line.js';

const PLAIN: Epilogue = { lowest: -Infinity, highest: Infinity };

/** y = conv2d(x, filter), through the epilogue. Every cell of y is written. */
export function conv2d(
  simd: Simd,
  x: Float32Array,
  filter: Float32Array,
  g: ConvGeometry,
  y: Float32Array,
  winograd: WinogradTile = 0,
  epilogue: Epilogue = PLAIN,
): void {
  const axes = forwardAxes(g);
  for (let group = 0; group < g.groups; group++) {
    const [source, target] = [inputImage(x, g, group), outputImage(y, g, group)];
    const groupsFilter = filterOf(filter, g, group, false);
    const bias = epilogue.bias?.subarray(target.channel, target.channel + target.channels);
    product(simd, source, target, axes, groupsFilter, { ...epilogue, bias }, winograd);
  }
}

/** dx = sum over all y of dy * d y / d x. Every cell of dx is written. */
export function conv2dBackpropInput(
  simd: Simd,
  dy: Float32Array,
  filter: Float32Array,
  g: ConvGeometry,
  dx: Float32Array,
  winograd: WinogradTile = 0,
): void {
  const axes = {
    rows: backwardAxis(g.inHeight, g.filterHeight, g.strideHeight, g.dilationHeight, g.padTop),
    cols: backwardAxis(g.inWidth, g.filterWidth, g.strideWidth, g.dilationWidth, g.padLeft),
  };
  for (let group = 0; group < g.groups; group++) {
    const [source, target] = [outputImage(dy, g, group), inputImage(dx, g, group)];
    product(simd, source, target, axes, filterOf(filter, g, group, true), PLAIN, winograd);
  }
}

/** dFilter = sum over all y of dy * d y / d filter, summed over the batch. Every cell of dFilter is written. */
export function conv2dBackpropFilter(
  simd: Simd,
  x: Float32Array,
  dy: Float32Array,
  g: ConvGeometry,
  dFilter: Float32Array,
  winograd: WinogradTile = 0,
): void {
  const axes = forwardAxes(g);
  for (let group = 0; group < g.groups; group++) {
    const [source, target] = [inputImage(x, g, group), outputImage(dy, g, group)];
    const tile = winograd !== 0 ? gradientTileFor(source, target, axes) : undefined;
    const at = tile
      ? gradientByWinograd(simd, source, target, axes, tile)
      : gradientDirectly(simd, source, target, axes);
    const rows = g.filterHeight * g.filterWidth * source.channels;
    const result: Image = {
      values: dFilter,
      steps: { batch: 0, row: 0, col: g.outChannels, channel: 1 },
      images: 1,
      height: 1,
      width: rows,
      channel: target.channel,
      channels: target.channels,
    };
    const all = { image: 0, images: 1, row: 0, rows: 1, col: 0, cols: rows };
    copyOut(simd.f32, at / 4, all, result, all);
  }
}

/**
 * dFilter of one group, left in WebAssembly memory.
 * @returns its address: [filterHeight, filterWidth, source channels, target channels]
 */
function gradientDirectly(simd: Simd, source: Image, target: Image, axes: Axes): number {
  const taps = axes.rows.phases[0].length * axes.cols.phases[0].length * source.channels;
  const tapCount = roundUp(taps, MR);
  const width = roundUp(target.channels, NR);
  const strips = planStrips(axes, target.images, [1, 1], (strip) =>
    fitsCache(strip, axes, source.channels, width),
  );
  const most = largest(strips, axes);
  const [tapsAt, rowsAt, a, dense, panels, sums] = simd.place(
    4 * tapCount,
    4 * most.rows,
    4 * most.source * source.channels,
    4 * most.target * target.channels,
    4 * most.target * width,
    4 * tapCount * width,
  );
  const cell = 4 * source.channels;
  simd.f32.fill(0, sums / 4, sums / 4 + tapCount * width);
  for (const strip of strips) {
    const window = windowOf(strip, axes);
    copyIn(simd.f32, a / 4, source, window);
    copyIn(simd.f32, dense / 4, target, strip);
    const pixels = positionsIn(strip);
    simd.pack({
      src: dense,
      rowStep: 4 * target.channels,
      colStep: 4,
      rows: pixels,
      cols: target.channels,
      to: panels,
      panelStep: 4 * NR * pixels,
    });
    writeFilterOffsets(simd.i32, tapsAt / 4, tapCount, axes, source.channels, window);
    const row = cell * window.cols;
    writeGrid(
      simd.i32,
      rowsAt / 4,
      [1, strip.images, strip.rows],
      [0, window.rows * row, strideOf(axes.rows) * row],
    );
    simd.accumulate({
      taps: tapsAt,
      tapCount,
      rows: rowsAt,
      rowCount: strip.images * strip.rows,
      cols: strip.cols,
      colStep: strideOf(axes.cols) * cell,
      a,
      panels,
      panelCount: width / NR,
      c: sums,
      cStep: 4 * width,
    });
  }
  if (width !== target.channels) {
    simd.compact({ at: sums, rows: taps, length: 4 * target.channels, step: 4 * width });
  }
  return sums;
}

function product(
  simd: Simd,
  source: Image,
  target: Image,
  axes: Axes,
  filter: GroupFilter,
  epilogue: Epilogue,
  winograd: WinogradTile,
): void {
  const scheme = schemeFor(source, target, axes, winograd);
  const line = winograd !== 0 && !scheme ? lineFor(source, target, axes) : undefined;
  if (scheme) correlateByWinograd(simd, source, target, axes, filter, epilogue, scheme);
  else if (line) correlateByLine(simd, source, target, axes, filter, epilogue, line);
  else correlate(simd, source, target, axes, filter, epilogue);
}

/** at[k]: the distance from a pixel's first cell to the value that filter cell k = [row, col, channel] meets. */
function writeFilterOffsets(
  i32: Int32Array,
  at: number,
  tapCount: number,
  axes: Axes,
  channels: number,
  window: Rectangle,
): void {
  const end = at + tapCount;
  // Two loops instead of `pairs`: its arrays would make small gradients take 1.2 to 1.4 times as long.
  for (const row of axes.rows.phases[0]) {
    for (const col of axes.cols.phases[0]) {
      const cell = channels * tapOffset({ row, col }, axes, window);
      for (let c = 0; c < channels; c++) i32[at++] = 4 * (cell + c);
    }
  }
  i32.fill(0, at, end);
}

export function forwardAxes(g: ConvGeometry): Axes {
  return {
    rows: forwardAxis(g.outHeight, g.filterHeight, g.strideHeight, g.dilationHeight, g.padTop),
    cols: forwardAxis(g.outWidth, g.filterWidth, g.strideWidth, g.dilationWidth, g.padLeft),
  };
}

/** The group's channels of x, or of dx. */
function inputImage(values: Float32Array, g: ConvGeometry, group: number): Image {
  const channels = g.inChannels / g.groups;
  const { batchSize: images, inHeight: height, inWidth: width, x: steps } = g;
  return { values, steps, images, height, width, channel: group * channels, channels };
}

/** The group's channels of y, or of dy. */
function outputImage(values: Float32Array, g: ConvGeometry, group: number): Image {
  const channels = g.outChannels / g.groups;
  const { batchSize: images, outHeight: height, outWidth: width, y: steps } = g;
  return { values, steps, images, height, width, channel: group * channels, channels };
}

function filterOf(values: Float32Array, g: ConvGeometry, group: number, transposed: boolean): GroupFilter {
  return {
    values,
    filterWidth: g.filterWidth,
    tapSize: (g.inChannels / g.groups) * g.outChannels,
    start: (group * g.outChannels) / g.groups,
    rowStep: transposed ? 1 : g.outChannels,
    colStep: transposed ? g.outChannels : 1,
  };
}

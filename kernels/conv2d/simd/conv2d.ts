/**
 * The fast path: 2-D convolution and its gradients by WebAssembly SIMD, in float32.
 *
 *   forward  y[p]         = sum over taps of x[the tap's cell at p, :] * filter[tap]
 *   input    dx[p]        = sum over the taps that reach p of dy[their pixel, :] * transpose(filter[tap])
 *   filter   dFilter[tap] = sum over pixels of transpose(x[the tap's cell at p, :]) * dy[p, :]
 *
 * The functions have the shapes and signatures of definition.ts, for Float32Array.
 *
 * - The work goes strip by strip. The micro-kernels (../../runtime/simd/assembly) read every tap of every pixel in place: no bounds
 *   check, no gathering. So the source of a strip is a copy with padding around it, unless it lies in their memory and no tap
 *   reaches outside of it.
 * - Where it can, a micro-kernel writes its result to where it is to stay. Otherwise the result of a strip is copied out while it is
 *   in the cache.
 * - Scratch memory holds one strip, or with threads a few, and the filter, for any size of batch and image.
 * - If dx has a stride, its positions fall into stride x stride phases. Different taps reach each phase, so no zeros are inserted.
 * - If Winograd's algorithm applies, it serves: winograd.ts and winograd_line.ts for forward and dx, winograd_gradient.ts for
 *   dFilter.
 *
 * A filter value of Infinity or NaN is multiplied by 0 at padding, which gives NaN (docs/deviations.md, row 14).
 */
import type { ConvGeometry } from '../../geometry.js';
import type { WinogradTile } from '../../runtime/options.js';
import { MR, NR, roundUp } from '../../runtime/simd/calls.js';
import { type Data, dataOf, type Simd } from '../../runtime/simd/instance.js';
import {
  areContiguous,
  type Axes,
  backwardAxes,
  copyOut,
  eachStrip,
  fitsCache,
  forwardAxes,
  type Grid,
  type Image,
  inputImage,
  isReadInPlace,
  largest,
  liesInMemory,
  outputImage,
  planStrips,
  positionsIn,
  placesFor,
  placeSize,
  type Region,
  sourceRegion,
  strideOf,
  targetRegion,
  wholeOf,
  windowOf,
  writeGrid,
} from '../../runtime/simd/strips.js';
import type { StepOf } from '../../runtime/threads/cuts.js';
import { multiplyPacked } from '../../runtime/threads/steps.js';
import { type Epilogue, PLAIN } from '../../runtime/simd/epilogue.js';
import { correlate, type GroupFilter, tapOffset } from './correlate.js';
import { correlateByWinograd, schemeFor } from './winograd.js';
import { denseBackward, denseForward, denseGradient, isDenseLayer } from './dense.js';
import { gradientByWinograd, gradientTileFor } from './winograd_gradient.js';
import { correlateByLine, lineFor } from './winograd_line.js';

/** y = conv2d(x, filter), through the epilogue. Every cell of y is written. */
export function conv2d(
  simd: Simd,
  x: Float32Array,
  filter: Float32Array,
  g: ConvGeometry,
  y: Float32Array,
  winograd: WinogradTile = 0,
  epilogue: Epilogue<Float32Array> = PLAIN,
): void {
  const [xData, filterData, yData] = [x, filter, y].map((values) => dataOf(simd, values));
  const biasData = epilogue.bias && dataOf(simd, epilogue.bias);
  if (isDenseLayer(g)) {
    denseForward(simd, xData, filterData, g, yData, { ...epilogue, bias: biasData });
    return;
  }
  const axes = forwardAxes(g);
  for (let group = 0; group < g.groups; group++) {
    const [source, target] = [inputImage(xData, g, group, g.groups), outputImage(yData, g, group, g.groups)];
    const bias = biasData && { ...biasData, start: biasData.start + target.channel };
    product(
      simd,
      source,
      target,
      axes,
      filterOf(filterData, g, group, false),
      { ...epilogue, bias },
      winograd,
    );
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
  const axes = backwardAxes(g);
  const [dyData, filterData, dxData] = [dy, filter, dx].map((values) => dataOf(simd, values));
  if (isDenseLayer(g)) {
    denseBackward(simd, dyData, filterData, g, dxData);
    return;
  }
  for (let group = 0; group < g.groups; group++) {
    const [source, target] = [
      outputImage(dyData, g, group, g.groups),
      inputImage(dxData, g, group, g.groups),
    ];
    product(simd, source, target, axes, filterOf(filterData, g, group, true), PLAIN, winograd);
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
  const [xData, dyData, data] = [x, dy, dFilter].map((values) => dataOf(simd, values));
  if (isDenseLayer(g)) {
    denseGradient(simd, xData, dyData, g, data);
    return;
  }
  const width = g.filterHeight * g.filterWidth * (g.inChannels / g.groups);
  const size = width * g.outChannels;
  const steps = { batch: size, row: size, col: g.outChannels, channel: 1 };
  for (let group = 0; group < g.groups; group++) {
    const [source, target] = [inputImage(xData, g, group, g.groups), outputImage(dyData, g, group, g.groups)];
    // The rows of the filter's matrix lie along the width.
    const result: Image = { ...target, data, steps, images: 1, height: 1, width };
    const tile = winograd !== 0 ? gradientTileFor(source, target, axes) : undefined;
    if (tile) gradientByWinograd(simd, source, target, axes, result, tile);
    else gradientDirectly(simd, source, target, axes, result);
  }
}

/** Writes dFilter of one group. result: [filterHeight * filterWidth * source channels, target channels] */
function gradientDirectly(simd: Simd, source: Image, target: Image, axes: Axes, result: Image): void {
  const tapCount = roundUp(result.width, MR);
  const width = roundUp(target.channels, NR);
  const strips = planStrips(axes, target.images, [1, 1], (strip) =>
    fitsCache(strip, axes, source.channels, width),
  );
  const most = largest(strips, axes);
  const reads = isReadInPlace(source, axes);
  const packs = areContiguous(target, strips);
  const writes = liesInMemory(result) && tapCount === result.width && width === target.channels;
  const aSize = reads ? 0 : placeSize(most.source * source.channels);
  const dySize = packs ? 0 : placeSize(most.target * target.channels);
  const places = placesFor(simd, strips.length, aSize + dySize);
  const [tapsAt, rowsAt, aAt, denseAt, panels, scratch] = simd.place(
    4 * tapCount,
    4 * most.rows,
    places * aSize,
    places * dySize,
    4 * most.target * width,
    writes ? 0 : 4 * tapCount * width,
  );
  const to = targetRegion(result, wholeOf(result), writes, scratch);
  const sums = to.address;
  const cell = 4 * source.channels;
  const panelCount = width / NR;
  const from: Region[] = [];
  const dy: Region[] = [];
  if (strips.length === 0) simd.f32.fill(0, sums / 4, sums / 4 + tapCount * width);
  eachStrip(strips.length, places, {
    load(i, at) {
      from[at] = sourceRegion(simd, source, windowOf(strips[i], axes), reads, aAt + at * aSize);
      dy[at] = sourceRegion(simd, target, strips[i], packs, denseAt + at * dySize);
    },
    compute(i, at, meanwhile) {
      const strip = strips[i];
      const pixels = positionsIn(strip);
      writeFilterOffsets(simd.i32, tapsAt / 4, tapCount, axes, source.channels, from[at]);
      const row = cell * from[at].cols;
      writeGrid(
        simd.i32,
        rowsAt / 4,
        [1, strip.images, strip.rows],
        [0, from[at].rows * row, strideOf(axes.rows) * row],
      );
      const pack: StepOf<'pack'> = [
        'pack',
        {
          src: dy[at].address,
          rowStep: 4 * target.channels,
          colStep: 4,
          rows: pixels,
          cols: target.channels,
          to: panels,
          panelStep: 4 * NR * pixels,
        },
      ];
      const product: StepOf<'accumulate'> = [
        'accumulate',
        {
          taps: tapsAt,
          tapCount,
          rows: rowsAt,
          rowCount: strip.images * strip.rows,
          cols: strip.cols,
          colStep: strideOf(axes.cols) * cell,
          a: from[at].address,
          panels,
          panelCount,
          c: sums,
          cStep: 4 * width,
          continued: i > 0,
        },
      ];
      multiplyPacked(simd, panelCount, [pack], 'taps', tapCount, [product], meanwhile);
    },
  });
  if (width !== target.channels) {
    simd.compact({ at: sums, rows: result.width, length: 4 * target.channels, step: 4 * width });
  }
  if (!writes) copyOut(simd, to, result, wholeOf(result));
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
  window: Grid,
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

function filterOf(data: Data, g: ConvGeometry, group: number, transposed: boolean): GroupFilter {
  return {
    data,
    filterWidth: g.filterWidth,
    tapSize: (g.inChannels / g.groups) * g.outChannels,
    start: (group * g.outChannels) / g.groups,
    rowStep: transposed ? 1 : g.outChannels,
    colStep: transposed ? g.outChannels : 1,
    isWhole: g.groups === 1,
  };
}

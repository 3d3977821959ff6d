/**
 * A convolution whose window covers the whole image is a dense layer, with the filter as its matrix F: [depth, outChannels], where
 * depth = inHeight * inWidth * inChannels.
 *
 *   y[b]  = min(max(bias + x[b] * F, lowest), highest)
 *   dx[b] = F * dy[b]
 *
 * F is by far the largest array, and an image uses each of its values once. So F is read as it lies, in runs of rows that stay in
 * the cache for all images. To pack it, as ./correlate.ts does, would take longer than the product.
 */
import { type ConvGeometry, convGeometry } from '../../geometry.js';
import { type Data, MR, roundUp, type Simd } from '../../runtime/simd/instance.js';
import { type Epilogue, isClamped, writeBias } from './correlate.js';

/** With more images it pays to pack F, as for any convolution. */
export const MOST_IMAGES = { forward: 8, backward: 4 };
/** In floats: a run of rows. */
const RUN_SIZE = 1 << 14;

/** Whether the convolution is a dense layer. The values of an image, and of a pixel of y, must lie side by side. */
export function isDenseLayer(g: ConvGeometry): boolean {
  return (
    g.groups === 1 &&
    g.outChannels > 0 &&
    g.outHeight * g.outWidth === 1 &&
    g.padTop === 0 &&
    g.padLeft === 0 &&
    g.filterHeight === g.inHeight &&
    g.filterWidth === g.inWidth &&
    g.effectiveFilterHeight === g.inHeight &&
    g.effectiveFilterWidth === g.inWidth &&
    g.x.channel === 1 &&
    g.y.channel === 1 &&
    g.y.batch === g.outChannels
  );
}

/** The same product on images of a single pixel, which need no copy, if the convolution is a dense layer. */
export function flattened(g: ConvGeometry): ConvGeometry {
  if (!isDenseLayer(g)) return g;
  const depth = g.x.batch;
  return convGeometry([g.batchSize, 1, 1, depth], [1, 1, depth, g.outChannels]);
}

/** Writes every cell of y. */
export function denseForward(
  simd: Simd,
  x: Data,
  filter: Data,
  g: ConvGeometry,
  y: Data,
  epilogue: Epilogue,
): void {
  const [depth, width] = [g.x.batch, g.outChannels];
  const size = g.batchSize * depth;
  const together = rowsOfRun(width);
  const [staging, a, c] = simd.place(
    filter.array ? 4 * together * width : 0,
    x.array ? 4 * size : 0,
    y.array ? 4 * width * g.batchSize : 0,
  );
  const from = addressOf(simd, x, 0, size, a);
  const to = y.array ? c : 4 * y.start;
  for (let b = 0; b < g.batchSize; b++) writeBias(simd, to + 4 * b * width, width, width, epilogue);
  for (let row = 0; row < depth; row += together) {
    const rows = Math.min(together, depth - row);
    const run = addressOf(simd, filter, row * width, rows * width, staging);
    for (let b = 0; b < g.batchSize; b++) {
      simd.addRows({ a: from + 4 * (b * depth + row), b: run, rows, cols: width, c: to + 4 * b * width });
    }
  }
  const result = simd.f32.subarray(to / 4, to / 4 + g.batchSize * width);
  if (isClamped(epilogue)) {
    const { lowest, highest } = epilogue;
    for (let i = 0; i < result.length; i++) result[i] = Math.min(Math.max(result[i], lowest), highest);
  }
  y.array?.set(result, y.start);
}

/** Writes every cell of dx. outChannels must be a multiple of 4. */
export function denseBackward(simd: Simd, dy: Data, filter: Data, g: ConvGeometry, dx: Data): void {
  const [depth, width] = [g.x.batch, g.outChannels];
  const together = rowsOfRun(width);
  const [staging, pixels, outs, segment, a, c] = simd.place(
    filter.array ? 4 * together * width : 0,
    4 * together,
    4 * together,
    4,
    dy.array ? 4 * width : 0,
    dx.array ? 4 * depth * g.batchSize : 0,
  );
  const { f32, i32 } = simd;
  const to = dx.array ? c : 4 * dx.start;
  i32[segment / 4] = 0;
  for (let row = 0; row < depth; row += together) {
    const rows = Math.min(together, depth - row);
    const run = addressOf(simd, filter, row * width, rows * width, staging);
    for (let i = 0; i < roundUp(rows, MR); i++) {
      i32[pixels / 4 + i] = 4 * width * Math.min(i, rows - 1);
      i32[outs / 4 + i] = 4 * Math.min(i, rows - 1);
    }
    for (let b = 0; b < g.batchSize; b++) {
      simd.dot({
        pixels,
        outs,
        pixelCount: roundUp(rows, MR),
        segments: segment,
        segmentCount: 1,
        segmentLength: width,
        a: run,
        panels: addressOf(simd, dy, b * width, width, a),
        panelCount: 1,
        bias: segment, // 0
        c: to + 4 * (b * depth + row),
        continued: false,
        clamped: false,
        lowest: 0,
        highest: 0,
      });
    }
  }
  dx.array?.set(f32.subarray(to / 4, to / 4 + depth * g.batchSize), dx.start);
}

function rowsOfRun(width: number): number {
  return roundUp(RUN_SIZE / width, MR);
}

/** The address of `size` values from the `first` on. Those of an array are copied to `scratch`. */
function addressOf(
  { f32 }: Simd,
  { array, start }: Data,
  first: number,
  size: number,
  scratch: number,
): number {
  if (!array) return 4 * (start + first);
  f32.set(array.subarray(start + first, start + first + size), scratch / 4);
  return scratch;
}

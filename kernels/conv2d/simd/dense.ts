/**
 * A convolution whose window covers the whole image is a dense layer, with the filter as its matrix F: [depth, outChannels], where
 * depth = inHeight * inWidth * inChannels.
 *
 *   y       = min(max(x * F + bias, lowest), highest)
 *   dx      = dy * transpose(F)
 *   dFilter = transpose(x) * dy
 */
import type { ConvGeometry } from '../../geometry.js';
import { type Epilogue, PLAIN } from '../../runtime/simd/epilogue.js';
import type { Data, Simd } from '../../runtime/simd/instance.js';
import { multiplyMatrices } from '../../runtime/simd/matrix.js';

/** Whether the convolution is a dense layer. The values of an image, and of a pixel of y, must lie side by side. */
export function isDenseLayer(g: ConvGeometry): boolean {
  return (
    g.groups === 1 &&
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

/** Writes every cell of y. */
export function denseForward(
  simd: Simd,
  x: Data,
  filter: Data,
  g: ConvGeometry,
  y: Data,
  epilogue: Epilogue,
): void {
  const [rows, depth, cols] = sizesOf(g);
  const [a, b] = [byRows(depth), byRows(cols)];
  multiplyMatrices(simd, { rows, depth, cols, a, b, c: byRows(cols), ...ONE }, x, filter, y, epilogue);
}

/** Writes every cell of dx. */
export function denseBackward(simd: Simd, dy: Data, filter: Data, g: ConvGeometry, dx: Data): void {
  const [rows, cols, depth] = sizesOf(g);
  const [a, b] = [byRows(depth), byColumns(depth)];
  multiplyMatrices(simd, { rows, depth, cols, a, b, c: byRows(cols), ...ONE }, dy, filter, dx, PLAIN);
}

/** Writes every cell of dFilter. */
export function denseGradient(simd: Simd, x: Data, dy: Data, g: ConvGeometry, dFilter: Data): void {
  const [depth, rows, cols] = sizesOf(g);
  const [a, b] = [byColumns(rows), byRows(cols)];
  multiplyMatrices(simd, { rows, depth, cols, a, b, c: byRows(cols), ...ONE }, x, dy, dFilter, PLAIN);
}

const ONE = { aStarts: [0], bStarts: [0], cStarts: [0] };
const byRows = (size: number) => ({ row: size, col: 1 });
const byColumns = (size: number) => ({ row: 1, col: size });

/** The number of images, of an image's values, and of target channels. */
function sizesOf(g: ConvGeometry): [number, number, number] {
  return [g.batchSize, g.inHeight * g.inWidth * g.inChannels, g.outChannels];
}

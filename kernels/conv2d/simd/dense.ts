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
import { multiplier } from '../../runtime/simd/matrix.js';

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
  const p = { rows, depth, cols, a: { row: depth, col: 1 }, b: { row: cols, col: 1 } };
  multiplier(simd, p, x, filter, y, epilogue)(0, 0, 0);
}

/** Writes every cell of dx. */
export function denseBackward(simd: Simd, dy: Data, filter: Data, g: ConvGeometry, dx: Data): void {
  const [rows, cols, depth] = sizesOf(g);
  const p = { rows, depth, cols, a: { row: depth, col: 1 }, b: { row: 1, col: depth } };
  multiplier(simd, p, dy, filter, dx, PLAIN)(0, 0, 0);
}

/** Writes every cell of dFilter. */
export function denseGradient(simd: Simd, x: Data, dy: Data, g: ConvGeometry, dFilter: Data): void {
  const [depth, rows, cols] = sizesOf(g);
  const p = { rows, depth, cols, a: { row: 1, col: rows }, b: { row: cols, col: 1 } };
  multiplier(simd, p, x, dy, dFilter, PLAIN)(0, 0, 0);
}

/** The number of images, of an image's values, and of target channels. */
function sizesOf(g: ConvGeometry): [number, number, number] {
  return [g.batchSize, g.inHeight * g.inWidth * g.inChannels, g.outChannels];
}

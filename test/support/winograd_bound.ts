/** The elementwise bounds of Winograd's algorithm that kernels/conv2d/winograd.ts, winograd_line.ts and winograd_gradient.ts derive, in float64. */
import type { ConvGeometry } from '../../kernels/geometry.js';
import { UNIT } from '../../src/verify/rounded.js';
import { ROUNDINGS } from '../../kernels/conv2d/winograd.js';
import { ROUNDINGS as GRADIENT_ROUNDINGS } from '../../kernels/conv2d/winograd_gradient.js';
import { ROUNDINGS as LINE_ROUNDINGS } from '../../kernels/conv2d/winograd_line.js';

type Matrix = readonly (readonly number[])[];

/** |G|, |transpose(B)| and |transpose(A)|. */
const MAGNITUDES: Record<2 | 4, { G: Matrix; BT: Matrix; AT: Matrix }> = {
  2: {
    G: [[1, 0, 0], [0.5, 0.5, 0.5], [0.5, 0.5, 0.5], [0, 0, 1]],
    BT: [[1, 0, 1, 0], [0, 1, 1, 0], [0, 1, 1, 0], [0, 1, 0, 1]],
    AT: [[1, 1, 1, 0], [0, 1, 1, 1]],
  },
  4: {
    G: [[1 / 4, 0, 0], [1 / 6, 1 / 6, 1 / 6], [1 / 6, 1 / 6, 1 / 6], [1 / 24, 1 / 12, 1 / 6], [1 / 24, 1 / 12, 1 / 6], [0, 0, 1]],
    BT: [[4, 0, 5, 0, 1, 0], [0, 4, 4, 1, 1, 0], [0, 4, 4, 1, 1, 0], [0, 2, 1, 2, 1, 0], [0, 2, 1, 2, 1, 0], [0, 4, 0, 5, 0, 1]],
    AT: [[1, 1, 1, 1, 1, 0], [0, 1, 1, 2, 2, 0], [0, 1, 1, 4, 4, 0], [0, 1, 1, 8, 8, 1]],
  },
}; // prettier-ignore

/** What a magnitude is multiplied by, after so many roundings. */
function factorOf(roundings: number): number {
  return (roundings * UNIT) / (1 - roundings * UNIT);
}

/** Reads the magnitudes of an NHWC tensor of images of this size: 0 past the edges. */
function magnitudesOf(values: ArrayLike<number>, height: number, width: number, channels: number) {
  return (b: number, row: number, col: number, c: number) =>
    row < 0 || row >= height || col < 0 || col >= width
      ? 0
      : Math.abs(values[((b * height + row) * width + col) * channels + c]);
}

/** For each element of y, NHWC and one group, how far the computed one may be off. */
export function winogradBound(
  m: 2 | 4,
  x: ArrayLike<number>,
  filter: ArrayLike<number>,
  g: ConvGeometry,
): Float64Array {
  const { G, BT, AT } = MAGNITUDES[m];
  const n = m + 2;
  const factor = factorOf(g.inChannels + ROUNDINGS[m]);
  const xAt = magnitudesOf(x, g.inHeight, g.inWidth, g.inChannels);
  const bound = new Float64Array(g.batchSize * g.outHeight * g.outWidth * g.outChannels);
  const U = Array.from({ length: g.inChannels * g.outChannels }, (_, i) => {
    const taps = square(3, (r, q) => Math.abs(filter[(r * 3 + q) * g.inChannels * g.outChannels + i]));
    return sandwich(G, taps);
  });
  for (let b = 0; b < g.batchSize; b++) {
    for (let ty = 0; ty < g.outHeight; ty += m) {
      for (let tx = 0; tx < g.outWidth; tx += m) {
        const V = Array.from({ length: g.inChannels }, (_, c) =>
          sandwich(
            BT,
            square(n, (r, q) => xAt(b, ty - g.padTop + r, tx - g.padLeft + q, c)),
          ),
        );
        for (let oc = 0; oc < g.outChannels; oc++) {
          const products = square(n, (r, q) =>
            V.reduce((sum, v, c) => sum + v[r][q] * U[c * g.outChannels + oc][r][q], 0),
          );
          sandwich(AT, products).forEach((row, r) =>
            row.forEach((magnitude, q) => {
              if (ty + r >= g.outHeight || tx + q >= g.outWidth) return;
              const at = ((b * g.outHeight + ty + r) * g.outWidth + tx + q) * g.outChannels + oc;
              bound[at] = factor * magnitude + 2 ** -100;
            }),
          );
        }
      }
    }
  }
  return bound;
}

/** The same for a filter of 1 x L or L x 1. */
export function lineBound(x: ArrayLike<number>, filter: ArrayLike<number>, g: ConvGeometry): Float64Array {
  const { G, BT, AT } = MAGNITUDES[2];
  const { inChannels, outChannels, outWidth } = g;
  const alongRows = g.filterWidth === 1;
  const taps = g.filterHeight * g.filterWidth;
  const rest = taps % 3;
  const factor = factorOf(taps * inChannels + LINE_ROUNDINGS);
  const xAt = magnitudesOf(x, g.inHeight, g.inWidth, inChannels);
  /** The source cell that tap k of output (oy, ox) meets, or the one as far past it. */
  const cellOf = (oy: number, ox: number, k: number, c: number) =>
    xAt(0, oy - g.padTop + (alongRows ? k : 0), ox - g.padLeft + (alongRows ? 0 : k), c);
  const tapOf = (k: number, c: number, oc: number) =>
    Math.abs(filter[(k * inChannels + c) * outChannels + oc]);
  const dot = (row: readonly number[], cell: (i: number) => number) =>
    row.reduce((sum, value, i) => sum + value * cell(i), 0);
  return Float64Array.from({ length: g.outHeight * outWidth * outChannels }, (_, at) => {
    const oc = at % outChannels;
    const pixel = (at - oc) / outChannels;
    const [oy, ox] = [Math.floor(pixel / outWidth), pixel % outWidth];
    const second = (alongRows ? oy : ox) % 2;
    const [ty, tx] = alongRows ? [oy - second, ox] : [oy, ox - second];
    let magnitude = 0;
    for (let c = 0; c < inChannels; c++) {
      for (let k = 0; k < taps - rest; k += 3) {
        magnitude += dot(
          AT[second],
          (i) => dot(G[i], (j) => tapOf(k + j, c, oc)) * dot(BT[i], (j) => cellOf(ty, tx, k + j, c)),
        );
      }
      for (let k = taps - rest; k < taps; k++) magnitude += tapOf(k, c, oc) * cellOf(oy, ox, k, c);
    }
    return factor * magnitude + 2 ** -100;
  });
}

/** |G| and |transpose(A)| of F(3 x 3, 2 x 2). */
const GRADIENT: { G: Matrix; AT: Matrix } = {
  G: [[1, 0], [0.5, 0.5], [0.5, 0.5], [0, 1]],
  AT: [[1, 1, 1, 0], [0, 1, 1, 0], [0, 1, 1, 1]],
}; // prettier-ignore

/** The same for each element of dFilter of a 3 x 3 convolution of stride 1, NHWC and one group. */
export function gradientBound(x: ArrayLike<number>, dy: ArrayLike<number>, g: ConvGeometry): Float64Array {
  const { inChannels, outChannels } = g;
  const tiles = g.batchSize * Math.ceil(g.outHeight / 2) * Math.ceil(g.outWidth / 2);
  const factor = factorOf(tiles + GRADIENT_ROUNDINGS);
  const xAt = magnitudesOf(x, g.inHeight, g.inWidth, inChannels);
  const dyAt = magnitudesOf(dy, g.outHeight, g.outWidth, outChannels);
  const sums = Array.from({ length: inChannels * outChannels }, () => new Float64Array(16));
  for (let b = 0; b < g.batchSize; b++) {
    for (let ty = 0; ty < g.outHeight; ty += 2) {
      for (let tx = 0; tx < g.outWidth; tx += 2) {
        const V = Array.from({ length: inChannels }, (_, c) =>
          sandwich(
            MAGNITUDES[2].BT,
            square(4, (r, q) => xAt(b, ty - g.padTop + r, tx - g.padLeft + q, c)),
          ),
        );
        const W = Array.from({ length: outChannels }, (_, oc) =>
          sandwich(
            GRADIENT.G,
            square(2, (r, q) => dyAt(b, ty + r, tx + q, oc)),
          ),
        );
        sums.forEach((M, i) => {
          const [v, w] = [V[Math.floor(i / outChannels)], W[i % outChannels]];
          for (let k = 0; k < 16; k++) M[k] += v[k >> 2][k & 3] * w[k >> 2][k & 3];
        });
      }
    }
  }
  const bound = new Float64Array(9 * sums.length);
  sums.forEach((M, i) => {
    const taps = sandwich(
      GRADIENT.AT,
      square(4, (r, q) => M[4 * r + q]),
    );
    taps.forEach((row, r) =>
      row.forEach((magnitude, q) => (bound[(3 * r + q) * sums.length + i] = factor * magnitude + 2 ** -100)),
    );
  });
  return bound;
}

function square(size: number, cell: (row: number, col: number) => number): Matrix {
  return Array.from({ length: size }, (_, row) => Array.from({ length: size }, (_, col) => cell(row, col)));
}

/** P M transpose(P) */
function sandwich(P: Matrix, M: Matrix): Matrix {
  const times = (A: Matrix, B: Matrix) =>
    A.map((row) => B[0].map((_, j) => row.reduce((sum, value, k) => sum + value * B[k][j], 0)));
  const transposed = P[0].map((_, j) => P.map((row) => row[j]));
  return times(times(P, M), transposed);
}

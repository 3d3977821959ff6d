/** The elementwise bounds of Winograd's algorithm that kernels/conv2d/simd/winograd.ts, winograd_line.ts and winograd_gradient.ts derive, in float64. */
import type { ConvGeometry } from '../../kernels/geometry.js';
import { UNIT } from '../../src/verify/rounded.js';
import { ROUNDINGS, type Scheme } from '../../kernels/conv2d/simd/winograd.js';
import {
  type GradientTile,
  ROUNDINGS as GRADIENT_ROUNDINGS,
} from '../../kernels/conv2d/simd/winograd_gradient.js';
import { type Line, ROUNDINGS as LINE_ROUNDINGS } from '../../kernels/conv2d/simd/winograd_line.js';

type Matrix = readonly (readonly number[])[];

/** |G|, |transpose(B)| and |transpose(A)|, of n products. */
const MAGNITUDES: Record<Scheme['n'], { G: Matrix; BT: Matrix; AT: Matrix }> = {
  4: {
    G: [[1, 0, 0], [0.5, 0.5, 0.5], [0.5, 0.5, 0.5], [0, 0, 1]],
    BT: [[1, 0, 1, 0], [0, 1, 1, 0], [0, 1, 1, 0], [0, 1, 0, 1]],
    AT: [[1, 1, 1, 0], [0, 1, 1, 1]],
  },
  6: {
    G: [[1 / 4, 0, 0], [1 / 6, 1 / 6, 1 / 6], [1 / 6, 1 / 6, 1 / 6], [1 / 24, 1 / 12, 1 / 6], [1 / 24, 1 / 12, 1 / 6], [0, 0, 1]],
    BT: [[4, 0, 5, 0, 1, 0], [0, 4, 4, 1, 1, 0], [0, 4, 4, 1, 1, 0], [0, 2, 1, 2, 1, 0], [0, 2, 1, 2, 1, 0], [0, 4, 0, 5, 0, 1]],
    AT: [[1, 1, 1, 1, 1, 0], [0, 1, 1, 2, 2, 0], [0, 1, 1, 4, 4, 0], [0, 1, 1, 8, 8, 1]],
  },
  7: {
    G: [[1, 0, 0], [0.25, 0.25, 0.25], [0.25, 0.25, 0.25], [0.5, 0, 0.5], [0, 0.5, 0], [0.5, 0.5, 0.5], [0, 0, 1]],
    BT: [[1, 0, 0, 0, 1, 0], [0, 1, 1, 1, 1, 0], [0, 1, 1, 1, 1, 0], [0, 1, 1, 1, 1, 0], [0, 1, 1, 1, 1, 0], [0, 1, 0, 1, 0, 0], [0, 1, 0, 0, 0, 1]],
    AT: [[1, 1, 1, 1, 0, 1, 0], [0, 1, 1, 0, 1, 1, 0], [0, 1, 1, 1, 0, 1, 0], [0, 1, 1, 0, 1, 1, 1]],
  },
}; // prettier-ignore

/** The same of F(3, 4). */
const OF_4_TAPS: typeof MAGNITUDES[7] = {
  G: [[1, 0, 0, 0], [0.25, 0.25, 0.25, 0.25], [0.25, 0.25, 0.25, 0.25], [0.5, 0, 0.5, 0], [0, 0.5, 0, 0.5], [0.5, 0.5, 0.5, 0.5], [0, 0, 0, 1]],
  BT: MAGNITUDES[7].BT,
  AT: [[1, 1, 1, 1, 0, 1, 0], [0, 1, 1, 0, 1, 1, 0], [0, 1, 1, 1, 0, 1, 1]],
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
  { m, n }: Scheme,
  x: ArrayLike<number>,
  filter: ArrayLike<number>,
  g: ConvGeometry,
): Float64Array {
  const { G, BT, AT } = MAGNITUDES[n];
  const factor = factorOf(g.inChannels + ROUNDINGS[n]);
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
            square(m + 2, (r, q) => xAt(b, ty - g.padTop + r, tx - g.padLeft + q, c)),
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

/** The same along a line, for a single image. */
export function lineBound(
  { along, m, pieces }: Line,
  x: ArrayLike<number>,
  filter: ArrayLike<number>,
  g: ConvGeometry,
): Float64Array {
  const { G, BT, AT } = m === 3 ? OF_4_TAPS : MAGNITUDES[7];
  const { inChannels, outChannels, outHeight, outWidth } = g;
  const byCols = along === 'cols';
  const [down, right] = byCols ? [1, m] : [m, 1];
  const taps = Array.from({ length: byCols ? g.filterHeight : g.filterWidth }, (_, k) => k);
  const terms = taps.flatMap((k) =>
    pieces.flatMap((piece) => Array.from({ length: inChannels }, (_, c) => ({ k, piece, c }))),
  );
  const factor = factorOf(terms.length + LINE_ROUNDINGS);
  const xAt = magnitudesOf(x, g.inHeight, g.inWidth, inChannels);
  const times = (M: Matrix, v: (i: number) => number) =>
    M.map((row) => row.reduce((sum, value, i) => (value === 0 ? sum : sum + value * v(i)), 0));
  const U = terms.map(({ k, piece, c }) =>
    Array.from({ length: outChannels }, (_, oc) =>
      times(G, (j) => {
        if (j >= piece.length) return 0;
        const tap = byCols ? k * g.filterWidth + piece[j].index : piece[j].index * g.filterWidth + k;
        return Math.abs(filter[(tap * inChannels + c) * outChannels + oc]);
      }),
    ),
  );
  const bound = new Float64Array(outHeight * outWidth * outChannels);
  for (let ty = 0; ty < outHeight; ty += down) {
    for (let tx = 0; tx < outWidth; tx += right) {
      const V = terms.map(({ k, piece, c }) => {
        const [row, col] = byCols ? [k - g.padTop, piece[0].offset] : [piece[0].offset, k - g.padLeft];
        return times(BT, (i) =>
          byCols
            ? xAt(0, ty * g.strideHeight + row, (tx + i) * g.strideWidth + col, c)
            : xAt(0, (ty + i) * g.strideHeight + row, tx * g.strideWidth + col, c),
        );
      });
      for (let oc = 0; oc < outChannels; oc++) {
        const products = G.map((_, i) => V.reduce((sum, v, term) => sum + v[i] * U[term][oc][i], 0));
        times(AT, (i) => products[i]).forEach((magnitude, i) => {
          const [oy, ox] = byCols ? [ty, tx + i] : [ty + i, tx];
          if (oy >= outHeight || ox >= outWidth) return;
          bound[(oy * outWidth + ox) * outChannels + oc] = factor * magnitude + 2 ** -100;
        });
      }
    }
  }
  return bound;
}

/** The same of F(3, 2). */
const OF_2_TAPS: typeof OF_4_TAPS = {
  G: [[1, 0], [0.5, 0.5], [0.5, 0.5], [0, 1]],
  BT: MAGNITUDES[4].BT,
  AT: [[1, 1, 1, 0], [0, 1, 1, 0], [0, 1, 1, 1]],
}; // prettier-ignore

/** The same for each element of dFilter of a 3 x 3 convolution of stride 1, NHWC and one group. */
export function gradientBound(
  { m, n }: GradientTile,
  x: ArrayLike<number>,
  dy: ArrayLike<number>,
  g: ConvGeometry,
): Float64Array {
  const { G, BT, AT } = n === 4 ? OF_2_TAPS : OF_4_TAPS;
  const { inChannels, outChannels } = g;
  const tiles = g.batchSize * Math.ceil(g.outHeight / m) * Math.ceil(g.outWidth / m);
  const factor = factorOf(tiles + GRADIENT_ROUNDINGS[n]);
  const xAt = magnitudesOf(x, g.inHeight, g.inWidth, inChannels);
  const dyAt = magnitudesOf(dy, g.outHeight, g.outWidth, outChannels);
  const sums = Array.from({ length: inChannels * outChannels }, () => new Float64Array(n * n));
  for (let b = 0; b < g.batchSize; b++) {
    for (let ty = 0; ty < g.outHeight; ty += m) {
      for (let tx = 0; tx < g.outWidth; tx += m) {
        const V = Array.from({ length: inChannels }, (_, c) =>
          sandwich(
            BT,
            square(m + 2, (r, q) => xAt(b, ty - g.padTop + r, tx - g.padLeft + q, c)),
          ),
        );
        const W = Array.from({ length: outChannels }, (_, oc) =>
          sandwich(
            G,
            square(m, (r, q) => dyAt(b, ty + r, tx + q, oc)),
          ),
        );
        sums.forEach((M, i) => {
          const [v, w] = [V[Math.floor(i / outChannels)], W[i % outChannels]];
          for (let k = 0; k < n * n; k++) M[k] += v[Math.floor(k / n)][k % n] * w[Math.floor(k / n)][k % n];
        });
      }
    }
  }
  const bound = new Float64Array(9 * sums.length);
  sums.forEach((M, i) => {
    const taps = sandwich(
      AT,
      square(n, (r, q) => M[n * r + q]),
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

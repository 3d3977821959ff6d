/**
 * The elementwise bounds of Winograd's algorithm, in float64. kernels/conv2d/simd/winograd.ts, winograd_line.ts and
 * winograd_gradient.ts derive them.
 */
import type { ConvGeometry } from '../../kernels/geometry.js';
import { UNIT } from '../../src/verify/rounded.js';
import { ROUNDINGS, type Scheme } from '../../kernels/conv2d/simd/winograd.js';
import {
  type GradientTile,
  ROUNDINGS as GRADIENT_ROUNDINGS,
} from '../../kernels/conv2d/simd/winograd_gradient.js';
import { type Line, ROUNDINGS as LINE_ROUNDINGS } from '../../kernels/conv2d/simd/winograd_line.js';

type Matrix = readonly (readonly number[])[];

/** |G|, |transpose(B)| and |transpose(A)| for n products. */
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

/** The same for F(3, 4). */
const OF_4_TAPS: typeof MAGNITUDES[7] = {
  G: [[1, 0, 0, 0], [0.25, 0.25, 0.25, 0.25], [0.25, 0.25, 0.25, 0.25], [0.5, 0, 0.5, 0], [0, 0.5, 0, 0.5], [0.5, 0.5, 0.5, 0.5], [0, 0, 0, 1]],
  BT: MAGNITUDES[7].BT,
  AT: [[1, 1, 1, 1, 0, 1, 0], [0, 1, 1, 0, 1, 1, 0], [0, 1, 1, 1, 0, 1, 1]],
}; // prettier-ignore

/** The same for F(3, 2). */
const OF_2_TAPS: typeof OF_4_TAPS = {
  G: [[1, 0], [0.5, 0.5], [0.5, 0.5], [0, 1]],
  BT: MAGNITUDES[4].BT,
  AT: [[1, 1, 1, 0], [0, 1, 1, 0], [0, 1, 1, 1]],
}; // prettier-ignore

/** Factor of a magnitude after this number of roundings. */
function factorOf(roundings: number): number {
  return (roundings * UNIT) / (1 - roundings * UNIT);
}

/** Added to each bound. Below the smallest normal numbers, a rounding error is no longer relative. */
const LEAST = 2 ** -100;

/** The largest allowed error of each computed element of y, for NHWC and one group. */
export function winogradBound(
  { m, n }: Scheme,
  x: ArrayLike<number>,
  filter: ArrayLike<number>,
  g: ConvGeometry,
): Float64Array {
  const { G, BT, AT } = MAGNITUDES[n];
  const { inChannels, outChannels, outHeight, outWidth } = g;
  const factor = factorOf(inChannels + ROUNDINGS[n]);
  const xAt = magnitudesOf(x, g.inHeight, g.inWidth, inChannels);
  const filterAt = magnitudesOf(filter, 3, 3, inChannels * outChannels);
  const U = transformed(G, 3, inChannels * outChannels, (r, q, i) => filterAt(0, r, q, i));
  const bound = new Float64Array(g.batchSize * outHeight * outWidth * outChannels);
  forEachTile(g, m, m, (b, ty, tx) => {
    const V = transformed(BT, m + 2, inChannels, (r, q, c) =>
      xAt(b, ty - g.padTop + r, tx - g.padLeft + q, c),
    );
    const M = products(V, U, n * n, inChannels, outChannels);
    const Y = transformed(AT, n, outChannels, (r, q, oc) => M[(r * n + q) * outChannels + oc]);
    for (let r = 0; r < m && ty + r < outHeight; r++) {
      for (let q = 0; q < m && tx + q < outWidth; q++) {
        const at = ((b * outHeight + ty + r) * outWidth + tx + q) * outChannels;
        for (let oc = 0; oc < outChannels; oc++) {
          bound[at + oc] = factor * Y[(r * m + q) * outChannels + oc] + LEAST;
        }
      }
    }
  });
  return bound;
}

/**
 * The same bound along a line, for a single image. There is one term for each row of taps across the line, each piece and
 * each input channel.
 */
export function lineBound(
  { along, m, pieces }: Line,
  x: ArrayLike<number>,
  filter: ArrayLike<number>,
  g: ConvGeometry,
): Float64Array {
  const { G, BT, AT } = m === 3 ? OF_4_TAPS : MAGNITUDES[7];
  const { inChannels, outChannels, outHeight, outWidth, filterWidth } = g;
  const byCols = along === 'cols';
  const [down, right] = byCols ? [1, m] : [m, 1];
  const across = byCols ? g.filterHeight : filterWidth;
  const terms = across * pieces.length * inChannels;
  const factor = factorOf(terms + LINE_ROUNDINGS);
  const xAt = magnitudesOf(x, g.inHeight, g.inWidth, inChannels);
  const filterAt = magnitudesOf(filter, g.filterHeight, filterWidth, inChannels * outChannels);
  const parts = (term: number) => {
    const c = term % inChannels;
    const run = (term - c) / inChannels;
    const k = Math.floor(run / pieces.length);
    return { c, k, piece: pieces[run % pieces.length] };
  };
  const U = alongLine(G, G[0].length, terms * outChannels, (j, i) => {
    const { c, k, piece } = parts(Math.floor(i / outChannels));
    if (j >= piece.length) return 0;
    const [fy, fx] = byCols ? [k, piece[j].index] : [piece[j].index, k];
    return filterAt(0, fy, fx, c * outChannels + (i % outChannels));
  });
  const bound = new Float64Array(outHeight * outWidth * outChannels);
  forEachTile(g, down, right, (b, ty, tx) => {
    const V = alongLine(BT, BT[0].length, terms, (j, term) => {
      const { c, k, piece } = parts(term);
      return byCols
        ? xAt(b, ty * g.strideHeight + k - g.padTop, (tx + j) * g.strideWidth + piece[0].offset, c)
        : xAt(b, (ty + j) * g.strideHeight + piece[0].offset, tx * g.strideWidth + k - g.padLeft, c);
    });
    const M = products(V, U, G.length, terms, outChannels);
    const Y = alongLine(AT, AT[0].length, outChannels, (j, oc) => M[j * outChannels + oc]);
    for (let i = 0; i < m; i++) {
      const [oy, ox] = byCols ? [ty, tx + i] : [ty + i, tx];
      if (oy >= outHeight || ox >= outWidth) break;
      for (let oc = 0; oc < outChannels; oc++) {
        bound[(oy * outWidth + ox) * outChannels + oc] = factor * Y[i * outChannels + oc] + LEAST;
      }
    }
  });
  return bound;
}

/** The same bound for each element of dFilter of a 3 x 3 convolution with stride 1, NHWC and one group. */
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
  const size = inChannels * outChannels;
  const M = new Float64Array(n * n * size);
  forEachTile(g, m, m, (b, ty, tx) => {
    const V = transformed(BT, m + 2, inChannels, (r, q, c) =>
      xAt(b, ty - g.padTop + r, tx - g.padLeft + q, c),
    );
    const W = transformed(G, m, outChannels, (r, q, oc) => dyAt(b, ty + r, tx + q, oc));
    for (let i = 0; i < M.length; i++) {
      const row = Math.floor(i / outChannels); // of V: cell and input channel
      M[i] += V[row] * W[Math.floor(row / inChannels) * outChannels + (i % outChannels)];
    }
  });
  return transformed(AT, n, size, (r, q, i) => M[(r * n + q) * size + i]).map((sum) => factor * sum + LEAST);
}

/** Reads the magnitudes of an NHWC tensor of images of this size. Past the edges they are 0. */
function magnitudesOf(values: ArrayLike<number>, height: number, width: number, channels: number) {
  return (b: number, row: number, col: number, c: number) =>
    row < 0 || row >= height || col < 0 || col >= width
      ? 0
      : Math.abs(values[((b * height + row) * width + col) * channels + c]);
}

/** Calls visit(image, row, column) for the first cell of every tile of y. */
function forEachTile(
  g: ConvGeometry,
  down: number,
  right: number,
  visit: (b: number, ty: number, tx: number) => void,
): void {
  for (let b = 0; b < g.batchSize; b++) {
    for (let ty = 0; ty < g.outHeight; ty += down) {
      for (let tx = 0; tx < g.outWidth; tx += right) visit(b, ty, tx);
    }
  }
}

/** P M for `count` columns M of `size` cells. Result: [rows of P, count] */
function alongLine(
  P: Matrix,
  size: number,
  count: number,
  cell: (row: number, i: number) => number,
): Float64Array {
  const result = new Float64Array(P.length * count);
  for (let j = 0; j < size; j++) {
    for (let i = 0; i < count; i++) {
      const value = cell(j, i);
      for (let r = 0; r < P.length; r++) result[r * count + i] += P[r][j] * value;
    }
  }
  return result;
}

/** P M transpose(P) for `count` squares M of `size` x `size` cells. Result: [rows of P, rows of P, count] */
function transformed(
  P: Matrix,
  size: number,
  count: number,
  cell: (row: number, col: number, i: number) => number,
): Float64Array {
  const rows = P.length;
  const half = alongLine(P, size, size * count, (r, i) => cell(r, Math.floor(i / count), i % count)); // [rows, size, count]
  const whole = alongLine(P, size, rows * count, (q, i) => {
    const r = Math.floor(i / count);
    return half[(r * size + q) * count + (i % count)];
  }); // [column, row, count]
  const result = new Float64Array(whole.length);
  for (let i = 0; i < whole.length; i++) {
    const cell = Math.floor(i / count);
    result[((cell % rows) * rows + Math.floor(cell / rows)) * count + (i % count)] = whole[i];
  }
  return result;
}

/** V U for each cell. V: [cells, depth], U: [cells, depth, width]. Result: [cells, width] */
function products(
  V: Float64Array,
  U: Float64Array,
  cells: number,
  depth: number,
  width: number,
): Float64Array {
  const result = new Float64Array(cells * width);
  for (let row = 0; row < cells * depth; row++) {
    const to = Math.floor(row / depth) * width;
    for (let i = 0; i < width; i++) result[to + i] += V[row] * U[row * width + i];
  }
  return result;
}

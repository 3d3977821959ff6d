/**
 * A second, different definition of convolution and pooling, to check definition.ts. It has no loop over taps and no
 * arithmetic on bounds. It finds the taps by a test of each input cell: does the cell lie in the window, and at which tap?
 */
import type { ConvGeometry, Geometry, PoolGeometry } from '../../kernels/geometry.js';
import type { ConvData } from './num_run.js';

const range = (from: number, to: number) =>
  Array.from({ length: Math.max(0, to - from) }, (_, i) => from + i);

interface AxisOf {
  size: number;
  out: number;
  filter: number;
  stride: number;
  dilation: number;
  before: number;
  after: number;
}

const rowsOf = (g: Geometry): AxisOf => ({
  size: g.inHeight,
  out: g.outHeight,
  filter: g.filterHeight,
  stride: g.strideHeight,
  dilation: g.dilationHeight,
  before: g.padTop,
  after: g.padBottom,
});

const colsOf = (g: Geometry): AxisOf => ({
  size: g.inWidth,
  out: g.outWidth,
  filter: g.filterWidth,
  stride: g.strideWidth,
  dilation: g.dilationWidth,
  before: g.padLeft,
  after: g.padRight,
});

/** The tap of window `o` that lies on cell `i`. -1 if there is none. */
function tapAt(axis: AxisOf, o: number, i: number): number {
  const distance = i + axis.before - o * axis.stride;
  const tap = distance / axis.dilation;
  return Number.isInteger(tap) && tap >= 0 && tap < axis.filter ? tap : -1;
}

/** Flat index into a row-major tensor. */
const flat = (shape: readonly number[], index: number[]) =>
  index.reduce((at, i, dimension) => at * shape[dimension] + i, 0);

const imageIndex = (g: Geometry, shape: readonly number[], b: number, row: number, col: number, c: number) =>
  flat(shape, g.dataFormat === 'NHWC' ? [b, row, col, c] : [b, c, row, col]);

/** The index into the filter of the value at a tap that leads from a channel of x to a channel of y. -1 if there is none. */
type FilterIndex = (fy: number, fx: number, ic: number, oc: number) => number;

function convFilterIndex({ inChannels, outChannels, groups, filterShape }: ConvGeometry): FilterIndex {
  const [inPerGroup, outPerGroup] = [inChannels / groups, outChannels / groups];
  return (fy, fx, ic, oc) =>
    Math.floor(oc / outPerGroup) === Math.floor(ic / inPerGroup)
      ? flat(filterShape, [fy, fx, ic % inPerGroup, oc])
      : -1;
}

/** The filter is of shape [filterHeight, filterWidth, channels, multiplier]. */
function depthwiseFilterIndex(g: ConvGeometry): FilterIndex {
  const multiplier = g.outChannels / g.inChannels;
  const filterShape = [g.filterHeight, g.filterWidth, g.inChannels, multiplier];
  return (fy, fx, ic, oc) => {
    const q = oc - ic * multiplier;
    return q >= 0 && q < multiplier ? flat(filterShape, [fy, fx, ic, q]) : -1;
  };
}

/**
 * A convolution is a matrix of shape [size of y, size of x]. Its cells are filter values or 0. The result has, for each
 * cell, an index into the filter, or -1 for 0.
 */
function convolutionMatrix(g: ConvGeometry, filterIndex: FilterIndex): Int32Array[] {
  const [rows, cols] = [rowsOf(g), colsOf(g)];
  const xSize = g.batchSize * g.inHeight * g.inWidth * g.inChannels;
  const ySize = g.batchSize * g.outHeight * g.outWidth * g.outChannels;
  const matrix = range(0, ySize).map(() => new Int32Array(xSize).fill(-1));
  for (const oy of range(0, g.outHeight)) {
    for (const iy of range(0, g.inHeight)) {
      const fy = tapAt(rows, oy, iy);
      for (const ox of fy < 0 ? [] : range(0, g.outWidth)) {
        for (const ix of range(0, g.inWidth)) {
          const fx = tapAt(cols, ox, ix);
          if (fx >= 0) connect(oy, iy, fy, ox, ix, fx);
        }
      }
    }
  }
  return matrix;

  function connect(oy: number, iy: number, fy: number, ox: number, ix: number, fx: number) {
    for (let b = 0; b < g.batchSize; b++) {
      for (let oc = 0; oc < g.outChannels; oc++) {
        for (let ic = 0; ic < g.inChannels; ic++) {
          const f = filterIndex(fy, fx, ic, oc);
          if (f < 0) continue;
          const y = imageIndex(g, g.outShape, b, oy, ox, oc);
          const x = imageIndex(g, g.inShape, b, iy, ix, ic);
          matrix[y][x] = f;
        }
      }
    }
  }
}

/** y = matrix * x and dx = transpose(matrix) * dy. dFilter sums dy * transpose(x) by the matrix's indexes. */
function convolve({ x, filter, dy }: ConvData, g: ConvGeometry, filterIndex: FilterIndex) {
  const y = new Float64Array(dy.length);
  const dx = new Float64Array(x.length);
  const dFilter = new Float64Array(filter.length);
  convolutionMatrix(g, filterIndex).forEach((row, o) =>
    row.forEach((f, i) => {
      if (f < 0) return;
      y[o] += filter[f] * x[i];
      dx[i] += filter[f] * dy[o];
      dFilter[f] += x[i] * dy[o];
    }),
  );
  return { y, dx, dFilter };
}

export const conv = (data: ConvData, g: ConvGeometry) => ({
  ...convolve(data, g, convFilterIndex(g)),
  dBias: biasGrad(data.dy, g),
});

export const depthwiseConv = (data: ConvData, g: ConvGeometry) => convolve(data, g, depthwiseFilterIndex(g));

function biasGrad(dy: Float64Array, g: ConvGeometry): Float64Array {
  const channelOf = (i: number) =>
    g.dataFormat === 'NHWC' ? i % g.outChannels : Math.floor(i / (g.outHeight * g.outWidth)) % g.outChannels;
  const dBias = new Float64Array(g.outChannels);
  dy.forEach((value, i) => (dBias[channelOf(i)] += value));
  return dBias;
}

interface PoolWindow {
  y: number;
  /** Flat indexes of its cells in x, in row-major order. */
  cells: number[];
  /** Number of its cells in the padded image. */
  paddedCells: number;
}

function poolWindows(g: PoolGeometry): PoolWindow[] {
  const [rows, cols] = [rowsOf(g), colsOf(g)];
  const cellsOf = (axis: AxisOf) =>
    range(0, axis.out).map((o) => {
      const hit = (i: number) => tapAt(axis, o, i) >= 0;
      return {
        o,
        cells: range(0, axis.size).filter(hit),
        padded: range(-axis.before, axis.size + axis.after).filter(hit),
      };
    });
  const [windowRows, windowCols] = [cellsOf(rows), cellsOf(cols)];
  return range(0, g.batchSize).flatMap((b) =>
    range(0, g.inChannels).flatMap((c) =>
      windowRows.flatMap((row) =>
        windowCols.map((col) => ({
          y: imageIndex(g, g.outShape, b, row.o, col.o, c),
          cells: row.cells.flatMap((iy) => col.cells.map((ix) => imageIndex(g, g.inShape, b, iy, ix, c))),
          paddedCells: row.padded.length * col.padded.length,
        })),
      ),
    ),
  );
}

export function maxPool(x: Float64Array, dy: Float64Array, g: PoolGeometry) {
  const y = new Float64Array(dy.length);
  const positions = new Int32Array(dy.length);
  const dx = new Float64Array(x.length);
  for (const window of poolWindows(g)) {
    const numbers = window.cells.filter((i) => !Number.isNaN(x[i]));
    const max = Math.max(...numbers.map((i) => x[i]));
    const isAllNaN = window.cells.length > 0 && numbers.length === 0;
    const at = isAllNaN ? window.cells[0] : (numbers.find((i) => x[i] === max) ?? -1);
    y[window.y] = isAllNaN ? NaN : max;
    positions[window.y] = at;
    if (at !== -1) dx[at] += dy[window.y];
  }
  return { y, positions, dx };
}

export function avgPool(x: Float64Array, dy: Float64Array, g: PoolGeometry) {
  const y = new Float64Array(dy.length);
  const dx = new Float64Array(x.length);
  for (const window of poolWindows(g)) {
    const n = g.countIncludePad ? window.paddedCells : window.cells.length;
    const sum = window.cells.reduce((total, i) => total + x[i], 0);
    y[window.y] = window.cells.length === 0 ? 0 : sum / n;
    for (const i of window.cells) dx[i] += dy[window.y] / n;
  }
  return { y, dx };
}

/** Every index into a tensor of this shape, in row-major order. */
function indexesOf(shape: readonly number[]): number[][] {
  return shape.reduce<number[][]>(
    (indexes, size) => indexes.flatMap((index) => range(0, size).map((i) => [...index, i])),
    [[]],
  );
}

/** A tensor of matrices as a function of an index into c, whose last two places are replaced. It is broadcast, and may be transposed. */
function matrices(values: ArrayLike<number>, shape: readonly number[], isTransposed: boolean) {
  return (batch: number[], row: number, col: number) => {
    const own = batch.slice(batch.length - (shape.length - 2)).map((i, d) => (shape[d] === 1 ? 0 : i));
    return values[flat(shape, [...own, ...(isTransposed ? [col, row] : [row, col])])];
  };
}

/** Each cell of c, found by its index. */
export function matMul(
  [a, aShape, transposeA]: readonly [ArrayLike<number>, readonly number[], boolean],
  [b, bShape, transposeB]: readonly [ArrayLike<number>, readonly number[], boolean],
  outShape: readonly number[],
): Float64Array {
  const depth = aShape[aShape.length - (transposeA ? 2 : 1)];
  const [aAt, bAt] = [matrices(a, aShape, transposeA), matrices(b, bShape, transposeB)];
  return Float64Array.from(indexesOf(outShape), (index) => {
    const [batch, [row, col]] = [index.slice(0, -2), index.slice(-2)];
    return range(0, depth).reduce((sum, k) => sum + aAt(batch, row, k) * bAt(batch, k, col), 0);
  });
}

/**
 * The worked examples as steps, one step for each window: A, a convolution of one channel; C, pooling. The numeric
 * functions compute all numbers that a step shows. Gradients are linear in dy. So the gradient after k windows is the
 * gradient for a dy in which all cells but the first k are 0.
 */
import {
  avgPool,
  avgPoolGrad,
  conv2d,
  conv2dBackpropFilter,
  conv2dBackpropInput,
  convGeometry,
  type Geometry,
  maxPool,
  maxPoolGrad,
  poolGeometry,
} from '../src/numeric.js';
import { show } from './dom.js';

export interface Example {
  title: string;
  formula: string;
  steps: Step[];
}

export interface Step {
  /** The step in words and numbers. */
  text: string;
  grids: Grid[];
}

export interface Grid {
  title: string;
  width: number;
  /** The values, row by row. null: not computed yet. */
  values: (number | null)[];
  /** The cells that the step reads or changes -> a small text in the cell, such as '×4'. */
  window?: Map<number, string>;
  /** The cell that matters most. */
  hit?: number;
}

export function examples(): Example[] {
  return [
    convForward(),
    convFilterGradient(),
    convInputGradient(),
    maxForward(),
    maxGradient('C, max pooling, backward: dZ times the masks', POOLED),
    avgForward(),
    avgGradient('C, average pooling, backward: dZ is spread over the windows', POOLED),
    maxGradient('C, max pooling of overlapping windows, backward', OVERLAPPING),
    avgGradient('C, average pooling of overlapping windows, backward', OVERLAPPING),
  ];
}

// A: one channel

const CONV = convGeometry([1, 3, 3, 1], [2, 2, 1, 1]);
const X = Float64Array.of(1, 2, 3, 4, 5, 6, 7, 8, 9);
const W = Float64Array.of(1, 2, 3, 4);
const DY = Float64Array.of(1, 0, 0, 2);

function convForward(): Example {
  const y = written(4, (out) => conv2d(X, W, CONV, out));
  return {
    title: 'A, convolution, forward: the window slides over x',
    formula: 'y[i][j] = sum over a, b of x[i+a][j+b] × w[a][b]',
    steps: eachWindow(CONV, 'The filter w will slide over x. y is still empty.', (k, cells) => ({
      words: () =>
        `${place(k, 2)}: ${cells.map((cell, tap) => `${show(X[cell])}×${show(W[tap])}`).join(' + ')} = ${show(y[k])}`,
      grids: [
        grid(
          'x',
          3,
          X,
          times(cells, (tap) => W[tap]),
        ),
        grid('w', 2, W),
        { ...grid('y', 2, upTo(y, k, null)), hit: at(k) },
      ],
    })),
  };
}

function convFilterGradient(): Example {
  const dFilter = (dy: Float64Array) => written(4, (out) => conv2dBackpropFilter(X, dy, CONV, out));
  return {
    title: 'A, convolution, backward: dw sums x times dy',
    formula: 'dw[a][b] = sum over i, j of x[i+a][j+b] × dy[i][j]',
    steps: eachWindow(
      CONV,
      'dw starts at 0. Each step adds a window of x, multiplied by dy.',
      (k, cells) => ({
        words: () =>
          `dy in ${place(k, 2)} is ${show(DY[k])}. dw gains ${product(
            DY[k],
            cells.map((cell) => X[cell]),
          )}`,
        grids: [
          grid(
            'x',
            3,
            X,
            times(cells, () => DY[k]),
          ),
          { ...grid('dy', 2, DY), hit: at(k) },
          grid('dw', 2, dFilter(upTo(DY, k)), gains([0, 1, 2, 3], dFilter(only(DY, k)), k)),
        ],
      }),
    ),
  };
}

function convInputGradient(): Example {
  const dx = (dy: Float64Array) => written(9, (out) => conv2dBackpropInput(dy, W, CONV, out));
  return {
    title: 'A, convolution, backward: dx sums w times dy',
    formula: 'dx[i+a][j+b] += w[a][b] × dy[i][j]',
    steps: eachWindow(
      CONV,
      'dx starts at 0. Each dy adds w, multiplied by dy, to the cells of its window.',
      (k, cells) => ({
        words: () => `dy in ${place(k, 2)} is ${show(DY[k])}. In its window, dx gains ${product(DY[k], W)}`,
        grids: [
          grid(
            'w',
            2,
            W,
            times(k < 0 ? [] : [0, 1, 2, 3], () => DY[k]),
          ),
          { ...grid('dy', 2, DY), hit: at(k) },
          grid('dx', 3, dx(upTo(DY, k)), gains(cells, dx(only(DY, k)), k)),
        ],
      }),
    ),
  };
}

// C: pooling

interface Pooling {
  g: ReturnType<typeof poolGeometry>;
  x: Float64Array;
  dy: Float64Array;
}

const POOLED: Pooling = {
  g: poolGeometry([1, 4, 4, 1], 2),
  x: Float64Array.of(1, 3, 2, 1, 4, 2, 0, 5, 3, 1, 4, 2, 2, 0, 3, 6),
  dy: Float64Array.of(0.5, 1.2, 0.8, -0.3),
};

/** The middle of x is the maximum of all four windows. */
const OVERLAPPING: Pooling = {
  g: poolGeometry([1, 3, 3, 1], 2, { strides: 1 }),
  x: Float64Array.of(0, 0, 0, 0, 9, 0, 0, 0, 0),
  dy: Float64Array.of(1, 2, 3, 4),
};

function maxima({ g, x }: Pooling) {
  const positions = new Int32Array(g.outHeight * g.outWidth);
  const y = written(positions.length, (out) => maxPool(x, g, out, positions));
  return { y, positions };
}

/** The mask of a window: 1 at the place of the maximum, otherwise 0. */
function mask(cells: number[], position: number): Grid {
  if (cells.length === 0) return grid('mask', 2, Array(4).fill(null));
  const values = cells.map((cell) => Number(cell === position));
  return { ...grid('mask', 2, values), hit: values.indexOf(1) };
}

function maxForward(): Example {
  const { g, x } = POOLED;
  const { y, positions } = maxima(POOLED);
  return {
    title: 'C, max pooling, forward: each window has a mask',
    formula: 'Z[i][j] = the largest value of A in the window; the mask marks its place',
    steps: eachWindow(g, 'A window of 2 by 2 will move over A, two cells at a time.', (k, cells) => ({
      words: () =>
        `${place(k, 2)}: the largest of ${list(cells.map((cell) => x[cell]))} is ${show(y[k])}. It stands in ${place(positions[k], 4)} of A`,
      grids: [
        { ...grid('A', 4, x, marked(cells)), hit: positions[k] },
        mask(cells, positions[k]),
        { ...grid('Z', 2, upTo(y, k, null)), hit: at(k) },
      ],
    })),
  };
}

function maxGradient(title: string, pooling: Pooling): Example {
  const { g, x, dy } = pooling;
  const { positions } = maxima(pooling);
  const dx = (of: Float64Array) => written(x.length, (out) => maxPoolGrad(of, positions, out));
  return {
    title,
    formula: 'dA += dZ × mask, for each window',
    steps: eachWindow(
      g,
      'dA starts at 0. Each dZ is added at the place of its window’s maximum.',
      (k, cells) => {
        const position = positions[k];
        const [before, after] = [dx(upTo(dy, k - 1)), dx(upTo(dy, k))];
        return {
          words: () =>
            `dZ in ${place(k, 2)} is ${show(dy[k])}. The maximum of its window, ${show(x[position])}, is in ` +
            `${place(position, g.inWidth)}. dA there is now ${show(before[position])} + ${bracketed(dy[k])} = ${show(after[position])}`,
          grids: [
            { ...grid('A', g.inWidth, x, marked(cells)), hit: position },
            mask(cells, position),
            { ...grid('dZ', 2, dy), hit: at(k) },
            { ...grid('dA', g.inWidth, after, gains(cells, dx(only(dy, k)), k)), hit: position },
          ],
        };
      },
    ),
  };
}

function avgForward(): Example {
  const { g, x } = POOLED;
  const y = written(4, (out) => avgPool(x, g, out));
  return {
    title: 'C, average pooling, forward',
    formula: 'Z[i][j] = the mean of A in the window',
    steps: eachWindow(g, 'A window of 2 by 2 will move over A, two cells at a time.', (k, cells) => ({
      words: () =>
        `${place(k, 2)}: (${cells.map((cell) => show(x[cell])).join(' + ')}) / ${cells.length} = ${show(y[k])}`,
      grids: [grid('A', 4, x, marked(cells)), { ...grid('Z', 2, upTo(y, k, null)), hit: at(k) }],
    })),
  };
}

function avgGradient(title: string, { g, x, dy }: Pooling): Example {
  const dx = (of: Float64Array) => written(x.length, (out) => avgPoolGrad(of, g, out));
  return {
    title,
    formula: 'dA += dZ / number of cells in the window, for each cell of each window',
    steps: eachWindow(
      g,
      'dA starts at 0. Each dZ is shared equally by the cells of its window.',
      (k, cells) => {
        const share = dx(only(dy, k));
        const after = dx(upTo(dy, k));
        return {
          words: () =>
            `dZ in ${place(k, 2)} is ${show(dy[k])}. Each of the ${cells.length} cells gains ${show(dy[k])} / ` +
            `${cells.length} = ${show(share[cells[0]])}. They are now ${list(cells.map((cell) => after[cell]))}`,
          grids: [{ ...grid('dZ', 2, dy), hit: at(k) }, grid('dA', g.inWidth, after, gains(cells, share, k))],
        };
      },
    ),
  };
}

// Steps

/** A first step without a window and with the text `start`, and then a step for each window. */
function eachWindow(
  g: Geometry,
  start: string,
  step: (k: number, cells: number[]) => { words: () => string; grids: Grid[] },
): Step[] {
  const windows = Array.from({ length: g.outHeight * g.outWidth }, (_, k) => {
    const { words, grids } = step(k, cellsUnder(g, k));
    return { text: words(), grids };
  });
  return [{ text: start, grids: step(-1, []).grids }, ...windows];
}

/** The cells of a one-channel image in window k, row by row. */
function cellsUnder(g: Geometry, k: number): number[] {
  const top = Math.floor(k / g.outWidth) * g.strideHeight - g.padTop;
  const left = (k % g.outWidth) * g.strideWidth - g.padLeft;
  const cells: number[] = [];
  for (let fy = 0; fy < g.filterHeight; fy++) {
    for (let fx = 0; fx < g.filterWidth; fx++) {
      cells.push((top + fy * g.dilationHeight) * g.inWidth + left + fx * g.dilationWidth);
    }
  }
  return cells;
}

function written(size: number, write: (out: Float64Array) => void): Float64Array {
  const out = new Float64Array(size);
  write(out);
  return out;
}

/** The cells up to and including k. Later cells are `rest`, by default 0. */
function upTo(values: Float64Array, k: number): Float64Array;
function upTo(values: Float64Array, k: number, rest: null): (number | null)[];
function upTo(values: Float64Array, k: number, rest?: null): ArrayLike<number | null> {
  return rest === null
    ? [...values].map((v, i) => (i <= k ? v : null))
    : values.map((v, i) => (i <= k ? v : 0));
}

const only = (values: Float64Array, k: number) => values.map((value, i) => (i === k ? value : 0));
const at = (k: number) => (k < 0 ? undefined : k);

function grid(
  title: string,
  width: number,
  values: ArrayLike<number | null>,
  window?: Map<number, string>,
): Grid {
  return { title, width, values: Array.from(values), window };
}

const marked = (cells: number[]) => new Map(cells.map((cell) => [cell, '']));

/** The window's cells -> the factor of each. */
function times(cells: number[], factor: (i: number) => number): Map<number, string> {
  return new Map(cells.map((cell, i) => [cell, `×${show(factor(i))}`]));
}

/** The window's cells -> the gain of each, such as '+4' or '−1'. Before the first window it is empty. */
function gains(cells: number[], gained: Float64Array, k: number): Map<number, string> {
  const note = (gain: number) => (gain > 0 ? `+${show(gain)}` : gain < 0 ? show(gain) : '');
  return new Map(k < 0 ? [] : cells.map((cell) => [cell, note(gained[cell])]));
}

// Words

const place = (cell: number, width: number) => `row ${Math.floor(cell / width)}, column ${cell % width}`;
const list = (values: ArrayLike<number>) => Array.from(values, show).join(', ');
const bracketed = (value: number) => (value < 0 ? `(${show(value)})` : show(value));

function product(factor: number, values: ArrayLike<number>): string {
  return `${show(factor)} × (${list(values)}) = (${list(Array.from(values, (value) => factor * value))})`;
}

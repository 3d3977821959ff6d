/**
 * Products of two matrices in WebAssembly:
 *
 *   C = min(max(A * B + bias, lowest), highest)     A [rows, depth], B [depth, cols], C [rows, cols], bias [cols]
 *
 * A and B are read by steps. So each of them may be the transpose of what lies in memory, and nothing is transposed first.
 * Matrices of a few rows or columns have paths of their own, in ./vectors.ts. For others `multiply` reads A as it lies, and B in
 * panels. One block of B is packed at a time. It stays in the cache while all rows of A meet it.
 *
 * Source: Goto & van de Geijn, "Anatomy of high-performance matrix multiplication", 2008.
 */
import { type Epilogue, isClamped, writeBias } from './epilogue.js';
import { MR, NR, roundUp } from './calls.js';
import { addressOf, type Data, type Simd } from './instance.js';
import { eachStrip, placesFor, placeSize } from './strips.js';
import { areMore } from '../threads/steps.js';
import type { StepBy, StepOf } from '../threads/cuts.js';
import { addRows, copyOut, dotColumns, dotRows, transposed, writeSteps } from './vectors.js';

/** Products of the same sizes. Steps and starts are in values. The values of an array lie together, by rows or by columns. */
export interface Products {
  readonly rows: number;
  readonly depth: number;
  readonly cols: number;
  readonly a: Steps;
  readonly b: Steps;
  readonly c: Steps;
  /** Where the matrices of each product start. */
  readonly aStarts: readonly number[];
  readonly bStarts: readonly number[];
  readonly cStarts: readonly number[];
}

export interface Steps {
  readonly row: number;
  readonly col: number;
}

/** Up to these sizes the paths of ./vectors.ts are faster. */
const FEW = { dottedColumns: 4, dottedRows: 2, addedRows: 3 };
/**
 * A thread's share of a block of B. Its panels take 256 KiB, for the second-level cache. One of them is in the first-level cache, with
 * four rows of A.
 */
const BLOCK = { depth: 256, cols: 256 };
/** Columns of B that are copied before threads begin: so many floats, but at least so many columns. */
const COPIED = { size: 1 << 18, cols: 64 };
/** Rows of A that meet one panel after the other, while they stay in the cache. */
const ROWS = 128;

/** Writes every cell of every C. */
export function multiplyMatrices(
  simd: Simd,
  p: Products,
  a: Data,
  b: Data,
  c: Data,
  epilogue: Epilogue,
): void {
  if (p.rows * p.cols === 0) return;
  const last = p.cols % NR;
  const isDotted = p.a.col === 1 && last > 0 && last <= FEW.dottedColumns;
  if (isDotted && p.cols === last) {
    dotColumns(simd, p, a, b, c, epilogue);
  } else if (p.rows <= FEW.dottedRows && p.b.row === 1) {
    dotRows(simd, p, a, b, c, epilogue);
  } else if (p.rows <= FEW.addedRows && p.b.col === 1) {
    addRows(simd, p, a, b, c, epilogue);
  } else if (p.cols === 1 && !epilogue.bias) {
    addRows(simd, transposed(p), b, a, c, epilogue); // a column is a row of the transposed product
  } else if (isDotted) {
    const first = p.cols - last;
    multiplyPanels(simd, { ...p, cols: first }, a, b, c, epilogue);
    const after = (data: Data, step: number) => ({ ...data, start: data.start + first * step });
    const bias = epilogue.bias && after(epilogue.bias, 1);
    dotColumns(simd, { ...p, cols: last }, a, after(b, p.b.col), after(c, 1), { ...epilogue, bias });
  } else {
    multiplyPanels(simd, p, a, b, c, epilogue);
  }
}

function multiplyPanels(simd: Simd, p: Products, a: Data, b: Data, c: Data, epilogue: Epilogue): void {
  const { rows, depth, cols } = p;
  // Blocks come slab by slab. The values of a slab lie together, so that an array is copied in few pieces.
  const byRows = p.b.col === 1;
  const [depths, widths] = [partsOf(depth, BLOCK.depth), partsOf(cols, blockWidth(simd, p, b))];
  const slabs = byRows ? depths : widths;
  const [slabStep, across] = byRows ? [p.b.row, cols] : [p.b.col, depth];
  const sizeOfSlab = ({ length }: Part) => Math.max(0, (length - 1) * slabStep + across);
  const slabSize = b.array ? placeSize(sizeOfSlab(slabs[0])) : 0;
  const places = placesFor(simd, slabs.length, slabSize);
  const loaded: number[] = [];
  const cStep = c.array ? cols : p.c.row;
  const rowCount = roundUp(rows, MR);
  const last = cols % NR;
  const width = roundUp(cols, NR);
  const [aAt, slabAt, panels, cAt, lastAt, pixels, outs, lastOuts, zero, bias] = simd.place(
    a.array ? 4 * rows * depth : 0,
    places * slabSize,
    4 * depths[0].length * roundUp(widths[0].length, NR),
    c.array ? 4 * rows * cols : 0,
    last > 0 ? 4 * NR * rows : 0,
    4 * rowCount,
    4 * rowCount,
    4 * rowCount,
    4,
    4 * width,
  );
  writeSteps(simd, pixels, rows, 4 * p.a.row);
  writeSteps(simd, outs, rows, 4 * cStep);
  if (last > 0) writeSteps(simd, lastOuts, rows, 4 * NR);
  simd.i32[zero / 4] = 0;
  writeBias(simd, bias, cols, width, epilogue);
  const isBounded = isClamped(epilogue);
  const { lowest, highest } = epilogue;
  const [aStep, rowStep, colStep] = [4 * p.a.col, 4 * p.b.row, 4 * p.b.col];

  /** Columns k of A, some rows of it, times panels. Objects that are spread would make a small product take twice as long. */
  const product = (
    row: number,
    pixelCount: number,
    k: Part,
    from: number,
    table: number,
    first: number,
    panelCount: number,
    biasAt: number,
    c: number,
  ): StepOf<'multiply'> => [
    'multiply',
    {
      pixels: pixels + 4 * row,
      outs: table + 4 * row,
      pixelCount,
      segments: zero,
      segmentCount: 1,
      segmentLength: k.length,
      step: aStep,
      a: from + k.start * aStep,
      panels: first,
      panelCount,
      bias: biasAt,
      c,
      continued: k.start > 0,
      clamped: isBounded && k.start + k.length === depth,
      lowest,
      highest,
    },
  ];

  /**
   * Columns of A, in parts, times columns n of B, whose rows start at `block`. The last columns, which do not fill a panel, go to a place
   * of their own.
   */
  const multiplyColumns = (
    from: number,
    block: number,
    parts: readonly Part[],
    n: Part,
    to: number,
    meanwhile: () => void,
  ) => {
    const [whole, panelCount] = [Math.floor(n.length / NR), Math.ceil(n.length / NR)];
    const [start, lastBias] = [4 * n.start, bias + 4 * (n.start + NR * whole)];
    const pack = (k: Part): StepOf<'pack'> => {
      const src = block + rowStep * (k.start - parts[0].start);
      const panelStep = 4 * NR * k.length;
      return ['pack', { src, rowStep, colStep, rows: k.length, cols: n.length, to: panels, panelStep }];
    };
    const many = (k: Part, row: number, count: number) =>
      product(row, count, k, from, outs, panels, whole, bias + start, to + start);
    const rest = (k: Part, row: number, count: number) => {
      const lastPanel = panels + 4 * NR * k.length * whole;
      return product(row, count, k, from, lastOuts, lastPanel, 1, lastBias, lastAt);
    };
    const byPanels = (k: Part): StepBy<'panels'>[] => {
      const steps: StepBy<'panels'>[] = [pack(k)];
      for (let row = 0; row < rowCount; row += ROWS) steps.push(many(k, row, Math.min(ROWS, rowCount - row)));
      return steps;
    };
    const isWide = simd.threads > 1 && (panelCount / 2 >= simd.parts || areMore(panelCount, rowCount));
    // A last block of fewer rows has its panels elsewhere, where another thread may still read those of the block before.
    const equal = parts.filter(({ length }) => length === parts[0].length);
    const joined = isWide && panelCount === whole ? equal : [];
    if (joined.length > 0) simd.sequence('panels', panelCount, joined.flatMap(byPanels), meanwhile);
    for (const k of parts.slice(joined.length)) {
      if (isWide) {
        simd.sequence('panels', panelCount, byPanels(k), meanwhile);
        if (panelCount > whole) simd.sequence('tiles', rowCount, [rest(k, 0, rowCount)]);
        continue;
      }
      simd.pack(pack(k)[1]);
      const most = ROWS * simd.parts;
      for (let row = 0; row < rowCount; row += most) {
        const count = Math.min(most, rowCount - row);
        const steps = [many(k, row, count)];
        if (panelCount > whole) steps.push(rest(k, row, count));
        simd.sequence('tiles', count, steps, meanwhile);
      }
    }
  };

  for (let i = 0; i < p.cStarts.length; i++) {
    const from = addressOf(simd, a, p.aStarts[i], rows * depth, aAt);
    const to = c.array ? cAt : 4 * (c.start + p.cStarts[i]);
    eachStrip(slabs.length, places, {
      load(s, place) {
        const first = p.bStarts[i] + slabs[s].start * slabStep;
        loaded[place] = addressOf(simd, b, first, sizeOfSlab(slabs[s]), slabAt + place * slabSize);
      },
      compute(s, place, meanwhile) {
        if (!byRows) return multiplyColumns(from, loaded[place], depths, slabs[s], to, meanwhile);
        for (const n of widths) {
          multiplyColumns(from, loaded[place] + 4 * n.start, [slabs[s]], n, to, meanwhile);
        }
      },
    });
    placeLast(simd, lastAt, to + 4 * (cols - last), rows, last, 4 * cStep);
    if (c.array) copyOut(simd, to, rows, cols, c.array, c.start + p.cStarts[i], p.c.row);
  }
}

/** Threads share the columns of a block. Where they wait for copies of columns, the first block is not to take long. */
function blockWidth({ threads }: Simd, { depth, b }: Products, { array }: Data): number {
  const width = threads * BLOCK.cols;
  const isCopied = array && b.col !== 1;
  return threads > 1 && isCopied
    ? Math.min(width, Math.max(COPIED.cols, roundUp(COPIED.size / depth, NR)))
    : width;
}

/** Copies columns that do not fill a panel to their places in C. */
function placeLast({ f32 }: Simd, from: number, to: number, rows: number, cols: number, step: number): void {
  for (let row = 0; row < rows; row++) {
    const [source, target] = [from / 4 + NR * row, (to + step * row) / 4];
    // A call of copyWithin would take longer.
    for (let col = 0; col < cols; col++) f32[target + col] = f32[source + col];
  }
}

interface Part {
  readonly start: number;
  readonly length: number;
}

/** At least one part, which may be empty. The first one is the longest. */
function partsOf(total: number, size: number): Part[] {
  const parts: Part[] = [];
  for (let start = 0; start === 0 || start < total; start += size) {
    parts.push({ start, length: Math.min(size, total - start) });
  }
  return parts;
}

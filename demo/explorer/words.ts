/** What the explorer says: names of cells, sums term by term, and what happens. Each text is pieces that may have a role. */
import * as dom from '../dom.js';
import type { Calculation } from './calculation.js';
import { placeInX, placeInY } from './places.js';
import { type ArrayName, type Cell, coordinates, filterShape } from './state.js';
import {
  type Contribution,
  isResult,
  isZeroPutThere,
  keyOf,
  type Nudged,
  same,
  spreadOf,
  type Term,
  termsOf,
} from './sums.js';

export interface Piece {
  text: string;
  of?: ArrayName;
  /** The cell that the text is about. */
  cell?: Cell;
  isZero?: boolean;
}

/** Numbers as they stand in cells and in sums. */
export const show = (value: number) => dom.show(value).replace('Infinity', '∞');
export const short = (value: number) => dom.short(value).replace('Infinity', '∞');

export const textOf = (pieces: Piece[]) => pieces.map(({ text }) => text).join('');

const NAMES: Record<ArrayName, string> = { x: 'x', filter: 'filter', bias: 'bias', y: 'y', dy: 'dy', dx: 'dx', dFilter: 'dFilter', dBias: 'dBias', xPadded: 'padding', dySpread: 'zero', tfjs: 'tfjs’s', patches: 'patches', dPatches: 'dPatches' }; // prettier-ignore

/** A cell as one would write it in a program: dx[1, 2], or with all dimensions if there is more than one plane. */
export function nameOf(c: Calculation, { of, index }: Cell): string {
  const { dataFormat } = c.state;
  if (of === 'tfjs') return `tfjs’s ${nameOf(c, { of: c.tfjs!.of, index })}`;
  if (of === 'bias' || of === 'dBias') return `${of}[${index}]`;
  if (of === 'xPadded' || of === 'dySpread') return NAMES[of];
  if (of === 'patches' || of === 'dPatches') {
    const depth = c.state.filter.length / c.g.outChannels;
    return `${of}[${Math.floor(index / depth)}, ${index % depth}]`;
  }
  if (of === 'filter' || of === 'dFilter') {
    const [fy, fx, ...channels] = coordinates(index, filterShape(c.state));
    if (c.state.op === 'dense') return `${of}[${channels.join(', ')}]`;
    const isOnePlane = c.state.filter.length === c.g.filterHeight * c.g.filterWidth;
    return `${of}[${(isOnePlane ? [fy, fx] : [fy, fx, ...channels]).join(', ')}]`;
  }
  const isX = of === 'x' || of === 'dx';
  const { b, row, col, channel } = (isX ? placeInX : placeInY)(c.g, index);
  if (c.state.op === 'dense') return `${NAMES[of]}[${b}, ${channel}]`;
  const isOnePlane = c.g.batchSize * (isX ? c.g.inChannels : c.g.outChannels) === 1;
  const all = dataFormat === 'NHWC' ? [b, row, col, channel] : [b, channel, row, col];
  return `${NAMES[of]}[${(isOnePlane ? [row, col] : all).join(', ')}]`;
}

const bracketed = (value: number) => (value < 0 ? `(${show(value)})` : show(value));

/** The cell and its sum, or what the cell does. */
export function sentence(c: Calculation, cell: Cell): Piece[] {
  return isResult(cell.of) ? sumInWords(c, cell) : givenInWords(c, cell);
}

function sumInWords(c: Calculation, cell: Cell): Piece[] {
  const value = show(c.arrays[cell.of][cell.index]);
  const start = [piece(c, cell), { text: ' = ' }];
  const total = [{ text: ' = ' }, { text: value, of: cell.of, cell }];
  if (c.state.op === 'maxPool' && cell.of === 'y') return maximumInWords(c, cell);
  if (cell.of === 'tfjs' && c.tfjs!.of === 'y') return tfjsInWords(c, cell);
  const all = termsOf(c, cell).filter((term) => !isNoBias(c, term));
  const terms = all.length > MOST_TERMS ? all.filter((term) => !hasZero(c, term)) : all;
  const leftOut = all.length - terms.length;
  if (all.length === 0) return [...start, { text: value, of: cell.of, cell }, { text: why0(c, cell) }];
  if (c.state.op === 'avgPool' && cell.of === 'y') {
    const sum = terms.flatMap(({ factors }, i) => [{ text: i ? ' + ' : '(' }, factorPiece(factors[0])]);
    return [...start, ...sum, { text: `) / ${c.divisors[cell.index]}` }, ...total];
  }
  return [...start, ...terms.flatMap((term, i) => [...(i ? [{ text: ' + ' }] : []), ...termPieces(c, term)]), ...zerosInWords(leftOut), ...total]; // prettier-ignore
}

/** Longer sums leave out the products with zeros that were put there. */
const MOST_TERMS = 25;

const hasZero = (c: Calculation, { factors }: Term) => factors.some((factor) => isZeroPutThere(c, factor));

function zerosInWords(count: number): Piece[] {
  return count === 0 ? [] : [{ text: ` + ${count} products with a zero that was put there` }];
}

/** A bias of 0 is left out, unless there is nothing else to say. */
const isNoBias = ({ state }: Calculation, { factors }: Term) => factors[0].of === 'bias' && state.bias.every((value) => value === 0); // prettier-ignore

function maximumInWords(c: Calculation, cell: Cell): Piece[] {
  const value = { text: show(c.arrays.y[cell.index]), of: 'y' as const, cell };
  const position = c.positions[cell.index];
  if (position < 0) return [piece(c, cell), { text: ' = ' }, value, { text: ': its window lies wholly in padding, which is never a maximum' }]; // prettier-ignore
  const window = c.links.filter(({ yi }) => yi === cell.index);
  const values = window.flatMap(({ xi }, i) => [{ text: i ? ', ' : 'max(' }, factorPiece({ of: 'x', index: xi, value: c.arrays.x[xi] })]); // prettier-ignore
  const ties = window.filter(({ xi }) => c.arrays.x[xi] === c.arrays.x[position]).length;
  const winner = { text: nameOf(c, { of: 'x', index: position }), of: 'x' as const };
  return [
    piece(c, cell),
    { text: ' = ' },
    ...values,
    { text: ') = ' },
    value,
    { text: ', which stands in ' },
    winner,
    { text: ties > 1 ? `: of ${ties} equal maxima the first one wins` : '' },
  ];
}

function tfjsInWords(c: Calculation, cell: Cell): Piece[] {
  const value = { text: show(c.arrays.tfjs[cell.index]), of: 'tfjs' as const, cell };
  const right = { text: show(c.arrays.y[cell.index]), of: 'y' as const };
  if (value.text === right.text) return [piece(c, cell), { text: ' = ' }, value];
  return [piece(c, cell), { text: ' = ' }, value, { text: '. Right is ' }, right];
}

function why0(c: Calculation, cell: Cell): string {
  if (cell.of === 'y') return ': its window lies wholly in padding';
  return c.state.op === 'maxPool' ? ': no window has its maximum here' : ': no window sees this cell';
}

function termPieces(c: Calculation, term: Term): Piece[] {
  const { factors, divisor } = term;
  const pieces = factors.flatMap((factor, i) => [...(i ? [{ text: '×' }] : []), factorPiece(factor)]);
  return [...pieces, ...(divisor ? [{ text: ` / ${divisor}` }] : [])].map((p) => ({
    ...p,
    isZero: hasZero(c, term),
  }));
}

function factorPiece({ of, index, value }: { of: ArrayName; index: number; value: number }): Piece {
  return { text: bracketed(value), of: of === 'xPadded' ? 'x' : of === 'dySpread' ? 'dy' : of, cell: { of, index } }; // prettier-ignore
}

const piece = (c: Calculation, cell: Cell): Piece => ({ text: nameOf(c, cell), of: cell.of, cell });

function givenInWords(c: Calculation, cell: Cell): Piece[] {
  if (cell.of === 'xPadded') return [{ text: paddingInWords(c), of: 'x' }];
  if (cell.of === 'dySpread') return [{ text: 'A zero of ' }, { text: 'dy', of: 'dy' }, { text: ' with zeros between: a stride puts them between the cells, the padding around them' }]; // prettier-ignore
  const value = { text: show(c.arrays[cell.of][cell.index]), of: cell.of, cell };
  const start = [piece(c, cell), { text: ' = ' }, value, ...sourceInWords(c, cell)];
  const spread = spreadOf(c, cell).filter(({ to }) => to.of !== 'tfjs');
  if (spread.length === 0) return [...start, { text: nothing(c, cell) }];
  return [...start, { text: '. It adds ' }, ...spread.flatMap((part, i) => [{ text: i ? '; ' : '' }, ...addition(c, part)])]; // prettier-ignore
}

/** Which cell of x a cell of the patch matrix holds. */
function sourceInWords(c: Calculation, { of, index }: Cell): Piece[] {
  if (of !== 'patches') return [];
  const xi = c.patched[index];
  return xi < 0
    ? [{ text: ', a zero of the padding' }]
    : [{ text: ', which is ' }, piece(c, { of: 'x', index: xi })];
}

function nothing(c: Calculation, cell: Cell): string {
  if (cell.of === 'dy') return '. Its window lies wholly in padding, so it adds to nothing';
  if (c.state.view === 'im2col') return `. The patch matrix holds it ${copiesOf(c, cell.index).length} times`;
  if (c.state.look === 'dx' && cell.of === 'x') return '. The gradient needs to know where each maximum is';
  return c.state.op === 'maxPool' ? '. It is no window’s maximum' : '. No window sees it';
}

function paddingInWords({ state: { op, countIncludePad } }: Calculation): string {
  if (op === 'maxPool') return 'Padding: it is never a maximum';
  if (op === 'avgPool' && !countIncludePad) return 'Padding: it is not counted';
  return 'Padding: a zero beside x';
}

function addition(c: Calculation, part: Contribution): Piece[] {
  const isProduct = part.factors.length > 1 || part.divisor !== undefined;
  return [
    ...(isProduct ? [...termPieces(c, part), { text: ' = ' }] : []),
    { text: show(part.value), of: part.to.of },
    { text: ' to ' },
    piece(c, part.to),
  ];
}

/** A small text for each cell that belongs to the one that is looked at. */
export interface Mark {
  kind: 'focus' | 'reads' | 'feeds' | 'beside';
  note: string;
}

/** Which cells light up, and what stands in them: the other factor of a product, or what is added. */
export function marksOf(c: Calculation, cell: Cell): Map<string, Mark> {
  const marks = new Map<string, Mark>();
  const mark = (at: Cell, kind: Mark['kind'], note = '') => {
    if (!marks.has(keyOf(at)) || marks.get(keyOf(at))!.kind === 'beside')
      marks.set(keyOf(at), { kind, note });
  };
  mark(cell, 'focus');
  if (c.state.view === 'im2col') markPatches(c, cell, mark);
  if (isResult(cell.of)) {
    for (const { factors, divisor } of termsOf(c, cell)) markFactors(factors, divisor, mark);
    if (c.state.op === 'maxPool' && cell.of === 'y') markWindow(c, cell.index, 'reads', mark);
    const of = cell.of === 'tfjs' ? c.tfjs!.of : cell.of;
    if (of === 'dx') mark({ of: 'x', index: cell.index }, 'beside');
    if (of === c.tfjs?.of)
      for (const other of [of, 'tfjs'] as const) mark({ of: other, index: cell.index }, 'beside');
    return marks;
  }
  for (const { to, factors, value } of spreadOf(c, cell)) {
    mark(to, 'feeds', signed(value));
    const given = factors.find((factor) => same(factor, cell))!;
    for (const factor of factors) mark(factor, 'reads', `×${show(given.value)}`);
  }
  if (c.state.op === 'maxPool' && cell.of === 'dy') markWindow(c, cell.index, 'beside', mark);
  if (c.state.look === 'dx' && cell.of === 'x') mark({ of: 'dx', index: cell.index }, 'feeds');
  return marks;
}

type Marker = (at: Cell, kind: Mark['kind'], note?: string) => void;

function markFactors(factors: Term['factors'], divisor: number | undefined, mark: Marker): void {
  factors.forEach((factor, i) => {
    const other = factors[1 - i];
    const note = other ? `×${show(other.value)}` : divisor ? `÷${divisor}` : factor.of === 'bias' ? '+' : '';
    mark(factor, 'reads', note);
  });
}

function markWindow(c: Calculation, yi: number, kind: Mark['kind'], mark: Marker): void {
  for (const link of c.links) {
    if (link.yi === yi) mark({ of: 'x', index: link.xi }, c.positions[yi] === link.xi ? 'feeds' : kind, c.positions[yi] === link.xi ? 'max' : ''); // prettier-ignore
  }
}

const signed = (value: number) => (value > 0 ? `+${show(value)}` : show(value));

/** The cells of the patch matrix that hold x[xi]. */
function copiesOf({ patched }: Calculation, xi: number): number[] {
  return Array.from(patched.keys()).filter((patch) => patched[patch] === xi);
}

/** The links that im2col and col2im make. */
function markPatches(c: Calculation, cell: Cell, mark: Marker): void {
  if (cell.of === 'x') copiesOf(c, cell.index).forEach((index) => mark({ of: 'patches', index }, 'feeds'));
  const patches = cell.of === 'patches' ? [cell] : isResult(cell.of) ? termsOf(c, cell).flatMap(({ factors }) => factors.filter(({ of }) => of === 'patches')) : []; // prettier-ignore
  for (const { index } of patches) mark({ of: 'x', index: c.patched[index] }, 'reads');
  if (cell.of === 'dPatches') mark({ of: 'dx', index: c.patched[cell.index] }, 'feeds', signed(c.arrays.dPatches[cell.index])); // prettier-ignore
}

/** As many as there is room for. */
const MOST_CHANGES = 3;

/** What a nudge did. */
export function nudgeInWords(c: Calculation, n: Nudged): string[] {
  const name = nameOf(c, n.input);
  const changed = n.changes.map(({ yi, from, to, dy }) => `${nameOf(c, { of: 'y', index: yi })} ${show(from)} → ${show(to)}, × dy ${bracketed(dy)}`); // prettier-ignore
  const more = changed.length - MOST_CHANGES;
  const listed = [...changed.slice(0, MOST_CHANGES), ...(more > 0 ? [`and ${more} more`] : [])];
  return [
    `${name}: ${show(n.value)} → ${show(n.value + n.step)}. ` +
      (changed.length ? `${listed.join('; ')}.` : 'No cell of y changes.'),
    `Difference quotient of sum(dy × y): (${show(n.after)} − ${bracketed(n.before)}) / ${bracketed(n.step)} = ${show(n.quotient)}`,
  ];
}

/** Whether the quotient and the derivative agree, to what rounding allows. */
export function agrees({ quotient, derivative, before, after, step }: Nudged): boolean {
  const rounding = (1e-12 * (1 + Math.abs(before) + Math.abs(after))) / Math.abs(step);
  return Math.abs(quotient - derivative) <= rounding;
}

export function verdict(n: Nudged): string {
  if (!Number.isFinite(n.value)) return 'A step from here leads nowhere: it is no finite number.';
  if (agrees(n))
    return n.kink
      ? 'Both agree, on this side. Try the other one: two cells of a window are equal.'
      : 'Both agree.';
  return n.kink
    ? 'They differ: the step moves a maximum to another cell, or two cells of a window are equal. There the function has a kink, and the quotient is not a derivative.'
    : 'They differ.';
}

/** What the grids show, as a formula and in words. */
export function explained({ state: { op, look, view, strides } }: Calculation): {
  formula: string;
  text: string;
} {
  if (view === 'im2col') return MATRICES[look];
  if (op === 'maxPool') return look === 'forward' ? MAX_FORWARD : MAX_BACKWARD[view];
  if (op === 'avgPool') return look === 'forward' ? AVERAGE_FORWARD : AVERAGE_BACKWARD[view];
  if (op === 'dense') return DENSE[look];
  if (look === 'dx' && view === 'gather') {
    const gaps = Math.max(...strides) > 1 ? 'The stride puts zeros between the cells of dy. ' : '';
    return {
      formula: 'dx = dy with zeros ⋆ filter rotated by 180°',
      text: `${gaps}The window and the padding decide how many zeros go around it.`,
    };
  }
  return CONVOLUTION[look][view];
}

const DENSE = {
  forward: {
    formula: 'y[n, o] = bias[o] + sum over i of x[n, i] × filter[i, o]',
    text: 'Each row of x is an image. Each output is a weighted sum of all inputs: y = x · filter + bias.',
  },
  dx: {
    formula: 'dx[n, i] = sum over o of dy[n, o] × filter[i, o]',
    text: 'Each input has reached every output, so it collects from every dy: dx = dy · filter transposed.',
  },
  dFilter: {
    formula: 'dFilter[i, o] = sum over images n of x[n, i] × dy[n, o]',
    text: 'The sum runs over the images. It is not an average: that is for the loss to decide. dFilter = x transposed · dy.',
  },
};
const MATRICES = {
  forward: {
    formula: 'y = im2col(x) · filter + bias',
    text: 'Each row of the patch matrix is what one window sees. Cells under several windows stand there several times.',
  },
  dx: {
    formula: 'dx = col2im(dy · filter transposed)',
    text: 'The product gives each window’s share. col2im adds the shares of the same cell of x. What lies in padding is dropped.',
  },
  dFilter: {
    formula: 'dFilter = im2col(x) transposed · dy',
    text: 'The rows of all images stand in one matrix, so the product sums over the batch.',
  },
};
const CONVOLUTION = {
  forward: {
    gather: {
      formula: 'y[i, j] = bias + sum over a, b of x[i·s + a·d, j·s + b·d] × filter[a, b]',
      text: 'Each cell of y collects: the window lies on x, and every cell under it is multiplied by a cell of the filter.',
    },
    scatter: {
      formula: 'y[i, j] += x[i·s + a·d, j·s + b·d] × filter[a, b]',
      text: 'Each cell of x spreads: through every cell of the filter that passes over it, it is added to a cell of y.',
    },
  },
  dx: {
    gather: { formula: '', text: '' },
    scatter: {
      formula: 'dx[i·s + a·d, j·s + b·d] += dy[i, j] × filter[a, b]',
      text: 'Each dy spreads over its window: the filter, multiplied by dy, is added to dx. Where windows overlap, the sums grow.',
    },
  },
  dFilter: {
    gather: {
      formula: 'dFilter[a, b] = sum over images, i, j of x[i·s + a·d, j·s + b·d] × dy[i, j]',
      text: 'Each cell of dFilter collects from every window of every image. The bias has seen every window too: dBias is the sum of dy.',
    },
    scatter: {
      formula: 'dFilter[a, b] += x[i·s + a·d, j·s + b·d] × dy[i, j]',
      text: 'Each dy adds its window of x, multiplied by dy, to dFilter, and itself to dBias.',
    },
  },
};
const MAX_FORWARD = {
  formula: 'y[i, j] = max of x in the window',
  text: 'The first of equal maxima wins. Padding is never a maximum.',
};
const MAX_BACKWARD = {
  gather: {
    formula: 'dx[cell] = sum of dy over the windows whose maximum is that cell',
    text: 'Each cell of dx collects from the windows that it has won. The others get nothing.',
  },
  scatter: {
    formula: 'dx[maximum of window i, j] += dy[i, j]',
    text: 'Each dy goes to the maximum of its window.',
  },
};
const AVERAGE_FORWARD = {
  formula: 'y[i, j] = sum of x in the window / n',
  text: 'n is the number of the window’s cells that count. At a border there are fewer of them.',
};
const AVERAGE_BACKWARD = {
  gather: {
    formula: 'dx[cell] = sum of dy / n over the windows that hold the cell',
    text: 'n is what the average was divided by: fewer cells at a border. tfjs 4.22 always divides by the size of the window.',
  },
  scatter: {
    formula: 'dx[cell] += dy[i, j] / n, for each cell of window i, j',
    text: 'Each dy is shared equally by the n cells of its window. tfjs 4.22 divides by the size of the window, even at a border.',
  },
};

/**
 * The sum behind a cell, term by term, in two ways of looking at it.
 *
 *   gather    A result collects: it walks its window over an array, zeros and all. dx walks the filter, rotated by 180
 *             degrees, over dy with zeros between and around.
 *   scatter   A source spreads: each link carries one product from a cell to a result, where it is added.
 *
 * Both have the same total, the cell that the numeric functions give. specs: test/explorer.spec.ts
 */
import { type ConvGeometry } from '../../src/numeric.js';
import type { Calculation } from './calculation.js';
import { channelOf, indexIn, matrixIndexInY, placeInX, placeInY, stepsOf } from './places.js';
import { type ArrayName, type Cell, coordinates, isPool } from './state.js';

export interface Factor extends Cell {
  value: number;
}

/** The product of the factors, divided by `divisor` if there is one. */
export interface Term {
  factors: Factor[];
  divisor?: number;
  value: number;
}

/** A term, and the result that it is added to. */
export interface Contribution extends Term {
  to: Cell;
}

/** Whether a cell of this array is computed. */
export function isResult(of: ArrayName): boolean {
  return (
    of === 'y' || of === 'dx' || of === 'dFilter' || of === 'dBias' || of === 'tfjs' || of === 'dPatches'
  );
}

/** The terms of a computed cell, in the view that is shown. */
export function termsOf(c: Calculation, cell: Cell): Term[] {
  return c.state.view === 'gather' ? gathered(c, cell) : contributions(c).filter(({ to }) => same(to, cell));
}

export const keyOf = ({ of, index }: Cell) => `${of}:${index}`;

export const same = (a: Cell, b: Cell) => a.of === b.of && a.index === b.index;

/** What a given cell adds to the results that are shown. */
export function spreadOf(c: Calculation, cell: Cell): Contribution[] {
  return contributions(c).filter(({ factors }) => factors.some((factor) => same(factor, cell)));
}

/** The results after the sources up to this one have spread, by `of:index`. What is missing is still 0. */
export function sumsSoFar(c: Calculation, source: Cell): Map<string, number> {
  const sums = new Map<string, number>();
  for (const { to, factors, value } of contributions(c)) {
    if (factors.some(({ of, index }) => of === source.of && index > source.index)) continue;
    sums.set(keyOf(to), (sums.get(keyOf(to)) ?? 0) + value);
  }
  return sums;
}

// Scatter

/** The pointer asks again at each cell. Of a large state there are 50,000 terms. */
const known = new WeakMap<Calculation, Contribution[]>();

/** Every term of every result that is shown, source by source. */
function contributions(c: Calculation): Contribution[] {
  const terms = known.get(c) ?? listed(c);
  known.set(c, terms);
  return terms;
}

function listed(c: Calculation): Contribution[] {
  return [...rightly(c), ...tfjsTerms(c)];
}

function rightly(c: Calculation): Contribution[] {
  const { look, op } = c.state;
  if (c.state.view === 'im2col') return matrixProducts(c);
  const pools = isPool(op);
  if (look === 'forward') return pools ? poolForward(c) : convForward(c);
  if (look === 'dx') return pools ? poolBackward(c) : c.links.map(({ xi, fi, yi }) => term(c, ['dx', xi], [['dy', yi], ['filter', fi]])); // prettier-ignore
  return [
    ...c.links.map(({ xi, fi, yi }) => term(c, ['dFilter', fi], [['x', xi], ['dy', yi]])), // prettier-ignore
    ...c.state.dy.map((_, yi) => term(c, ['dBias', channelOf(c.g, yi)], [['dy', yi]])),
  ];
}

function convForward(c: Calculation): Contribution[] {
  const bySource = [...c.links].sort((p, q) => p.xi - q.xi);
  return [
    ...c.state.dy.map((_, yi) => term(c, ['y', yi], [['bias', channelOf(c.g, yi)]])),
    ...bySource.map(({ xi, fi, yi }) => term(c, ['y', yi], [['x', xi], ['filter', fi]])), // prettier-ignore
  ];
}

function poolForward(c: Calculation): Contribution[] {
  const bySource = [...c.links].sort((p, q) => p.xi - q.xi);
  if (c.state.op === 'maxPool') {
    return bySource.filter(({ xi, yi }) => c.positions[yi] === xi).map(({ xi, yi }) => term(c, ['y', yi], [['x', xi]])); // prettier-ignore
  }
  return bySource.map(({ xi, yi }) => term(c, ['y', yi], [['x', xi]], c.divisors[yi]));
}

function poolBackward(c: Calculation): Contribution[] {
  if (c.state.op === 'maxPool') {
    return c.links.filter(({ xi, yi }) => c.positions[yi] === xi).map(({ xi, yi }) => term(c, ['dx', xi], [['dy', yi]])); // prettier-ignore
  }
  return c.links.map(({ xi, yi }) => term(c, ['dx', xi], [['dy', yi]], c.divisors[yi]));
}

/** What tfjs's gradient is the sum of. */
function tfjsTerms(c: Calculation): Contribution[] {
  const { of, shares = [] } = c.tfjs ?? {};
  return shares.map(({ xi, fi, yi, divisor }) => {
    if (of === 'dFilter') return term(c, ['tfjs', fi], [['x', xi], ['dy', yi]]); // prettier-ignore
    const factors: Ref[] = fi < 0 ? [['dy', yi]] : [['dy', yi], ['filter', fi]]; // prettier-ignore
    return term(c, ['tfjs', xi], factors, divisor);
  });
}

type Ref = readonly [of: ArrayName, index: number];

function term(c: Calculation, [of, index]: Ref, factors: Ref[], divisor?: number): Contribution {
  return { to: { of, index }, ...product(c, factors, divisor) };
}

/** Whether a cell is a zero of the padding, or one between the cells of dy. */
export const isZeroPutThere = ({ patched }: Calculation, { of, index }: Cell) =>
  of === 'xPadded' || of === 'dySpread' || (of === 'patches' && patched[index] < 0);

function product(c: Calculation, refs: Ref[], divisor?: number): Term {
  const factors = refs.map(([of, index]) => ({ of, index, value: c.arrays[of][index] }));
  // A zero that was put there takes no part: not even Infinity makes anything of it.
  const isNothing = factors.some((factor) => isZeroPutThere(c, factor));
  const value = isNothing ? 0 : factors.reduce((result, factor) => result * factor.value, 1) / (divisor ?? 1);
  return { factors, value, ...(divisor !== undefined && { divisor }) };
}

// Matrices

/** The terms of the products of matrices: y = patches * filter, dFilter = transpose(patches) * dy, dx = col2im(dPatches). */
function matrixProducts(c: Calculation): Contribution[] {
  const { look } = c.state;
  const out = c.g.outChannels;
  const depth = c.state.filter.length / out;
  const terms: Contribution[] = [];
  if (look === 'forward')
    c.state.dy.forEach((_, yi) => terms.push(term(c, ['y', yi], [['bias', channelOf(c.g, yi)]])));
  c.state.dy.forEach((_, i) => {
    const yi = matrixIndexInY(c.g, i);
    const [row, oc] = [Math.floor(i / out), i % out];
    for (let k = 0; k < depth; k++) {
      const [patch, fi] = [row * depth + k, k * out + oc];
      if (look === 'forward') terms.push(term(c, ['y', yi], [['patches', patch], ['filter', fi]])); // prettier-ignore
      if (look === 'dFilter') terms.push(term(c, ['dFilter', fi], [['patches', patch], ['dy', yi]])); // prettier-ignore
      if (look === 'dx') terms.push(term(c, ['dPatches', patch], [['dy', yi], ['filter', fi]])); // prettier-ignore
    }
    if (look === 'dFilter') terms.push(term(c, ['dBias', oc], [['dy', yi]]));
  });
  if (look === 'dx')
    c.patched.forEach((xi, patch) => xi >= 0 && terms.push(term(c, ['dx', xi], [['dPatches', patch]])));
  return terms;
}

// Gather

function gathered(c: Calculation, cell: Cell): Term[] {
  const isConv = !isPool(c.state.op);
  if (isConv && cell.of === 'y') return gatheredY(c, cell.index);
  if (isConv && cell.of === 'dx') return gatheredDx(c, cell.index);
  if (cell.of === 'dFilter') return gatheredDFilter(c, cell.index);
  return contributions(c).filter(({ to }) => same(to, cell)); // one term for each cell of the window already
}

/** y[oy, ox] = bias + sum over fy, fx, ic of padded x[oy * stride + fy * dilation, ..] * filter[fy, fx]. */
function gatheredY(c: Calculation, index: number): Term[] {
  const g = c.g as ConvGeometry;
  const { b, row, col, channel } = placeInY(g, index);
  return [
    product(c, [['bias', channel]]),
    ...filterCells(g)
      .filter(({ oc }) => oc === channel)
      .map(({ fi, fy, fx, ic }) => {
        // prettier-ignore
        const at = { b, row: row * g.strideHeight + fy * g.dilationHeight, col: col * g.strideWidth + fx * g.dilationWidth, channel: ic }; // prettier-ignore
        return product(c, [paddedRef(c, at), ['filter', fi]]);
      }),
  ];
}

/** dx[iy, ix] = sum over fy, fx, oc of spread dy[iy + fy * dilation, ..] * rotated filter[fy, fx]. */
function gatheredDx(c: Calculation, index: number): Term[] {
  const g = c.g as ConvGeometry;
  const { b, row, col, channel } = placeInX(g, index);
  const steps = stepsOf(c.spread, g.outChannels);
  const cells = filterCells(g).filter(({ ic }) => ic === channel);
  return cells.reverse().map(({ fi, fy, fx, oc }) => {
    const turned = { fy: g.filterHeight - 1 - fy, fx: g.filterWidth - 1 - fx };
    const at = { b, row: row + turned.fy * g.dilationHeight, col: col + turned.fx * g.dilationWidth, channel: oc }; // prettier-ignore
    return product(c, [refIn(indexIn(steps, at), c.spread.from, 'dy', 'dySpread'), ['filter', fi]]);
  });
}

/** dFilter[fy, fx] = sum over images and oy, ox of padded x[oy * stride + fy * dilation, ..] * dy[oy, ox]. */
function gatheredDFilter(c: Calculation, index: number): Term[] {
  const g = c.g as ConvGeometry;
  const { fy, fx, ic, oc } = filterCells(g)[index];
  const terms: Term[] = [];
  for (let b = 0; b < g.batchSize; b++) {
    for (let row = 0; row < g.outHeight; row++) {
      for (let col = 0; col < g.outWidth; col++) {
        const at = { b, row: row * g.strideHeight + fy * g.dilationHeight, col: col * g.strideWidth + fx * g.dilationWidth, channel: ic }; // prettier-ignore
        terms.push(product(c, [paddedRef(c, at), ['dy', indexIn(g.y, { b, row, col, channel: oc })]]));
      }
    }
  }
  return terms;
}

function paddedRef(c: Calculation, place: Parameters<typeof indexIn>[1]): Ref {
  return refIn(indexIn(stepsOf(c.padded, c.g.inChannels), place), c.padded.from, 'x', 'xPadded');
}

/** The cell that was laid there, or the zero. */
function refIn(at: number, from: Int32Array, of: ArrayName, zero: ArrayName): Ref {
  return from[at] < 0 ? [zero, at] : [of, from[at]];
}

/** The cells of a filter. `ic` is the channel of x that it sees, `oc` the channel of y that it adds to. */
function filterCells(g: ConvGeometry) {
  const [, , perGroup, outChannels] = g.filterShape;
  return Array.from({ length: g.filterShape.reduce((size, n) => size * n, 1) }, (_, fi) => {
    const [fy, fx, inGroup, oc] = coordinates(fi, g.filterShape);
    const group = Math.floor(oc / (outChannels / g.groups));
    return { fi, fy, fx, ic: group * perGroup + inGroup, oc };
  });
}

// Nudges

type Input = { of: 'x' | 'filter' | 'bias'; index: number };

export interface Nudged {
  /** The cell of x, filter or bias that is moved. */
  input: Input;
  value: number;
  step: number;
  /** sum(dy * y), which the gradient belongs to. */
  before: number;
  after: number;
  quotient: number;
  derivative: number;
  /** What tfjs says that the derivative is, where it is shown. */
  tfjs?: number;
  changes: { yi: number; from: number; to: number; dy: number }[];
  /** A maximum moves to another cell, or two are equal: the function has a kink here. */
  kink: boolean;
}

const INPUT_OF: Partial<Record<ArrayName, 'x' | 'filter' | 'bias'>> = { x: 'x', dx: 'x', filter: 'filter', dFilter: 'filter', bias: 'bias', dBias: 'bias' }; // prettier-ignore
export const GRADIENT_OF = { x: 'dx', filter: 'dFilter', bias: 'dBias' } as const;

/** The input behind a cell. */
export function inputOf(c: Calculation, { of, index }: Cell): Input | undefined {
  const input = INPUT_OF[of === 'tfjs' ? c.tfjs!.of : of];
  return input && { of: input, index };
}

/** What happens if the input behind this cell grows by a step. `again` computes everything for other values. */
export function nudged(
  c: Calculation,
  cell: Cell,
  again: (s: Calculation['state']) => Calculation,
): Nudged | undefined {
  const input = inputOf(c, cell);
  if (!input) return undefined;
  const step = c.state.nudge;
  const values = [...c.state[input.of]];
  values[input.index] += step;
  const moved = again({ ...c.state, [input.of]: values });
  // A window wholly in padding is -Infinity. It depends on nothing.
  const loss = ({ arrays: { y, dy } }: Calculation) => y.reduce((sum, value, i) => (Number.isFinite(value) ? sum + value * dy[i] : sum), 0); // prettier-ignore
  const [before, after] = [loss(c), loss(moved)];
  const changes = Array.from(c.arrays.y, (from, yi) => ({ yi, from, to: moved.arrays.y[yi], dy: c.arrays.dy[yi] })); // prettier-ignore
  return {
    input,
    value: c.arrays[input.of][input.index],
    step,
    before,
    after,
    quotient: (after - before) / step,
    derivative: c.arrays[GRADIENT_OF[input.of]][input.index],
    ...(c.tfjs?.of === GRADIENT_OF[input.of] && { tfjs: c.arrays.tfjs[input.index] }),
    changes: changes.filter(({ from, to }) => from !== to),
    kink: moved.positions.some((position, yi) => position !== c.positions[yi]) || isTied(c, input.index),
  };
}

/** Whether another cell of a window of x[xi] is as large as the maximum, which is x[xi]. */
function isTied({ state, links, arrays: { x }, positions }: Calculation, xi: number): boolean {
  if (state.op !== 'maxPool') return false;
  const windows = new Set(links.filter((link) => link.xi === xi && x[positions[link.yi]] === x[xi]).map(({ yi }) => yi)); // prettier-ignore
  return links.some((link) => windows.has(link.yi) && link.xi !== xi && x[link.xi] === x[xi]);
}

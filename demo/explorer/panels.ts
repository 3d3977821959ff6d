/** The grids of a state, from left to right: which arrays, in which planes, with which zeros. */
import type { Calculation, Derived } from './calculation.js';
import { indexIn, matrixIndexInY, stepsOf } from './places.js';
import { type ArrayName, type Cell, type Editable, filterShape, isPool } from './state.js';
import { differ } from './tfjs.js';

export interface Panel {
  /** Its array, which decides its colour. */
  of: ArrayName;
  /** The array that has its colour, if it is another one. */
  role?: ArrayName;
  title: string;
  shape: string;
  /** What stands between this panel and the one before. */
  sign: string;
  editable?: Editable;
  planes: Plane[];
  /** How many planes stand side by side. */
  across: number;
}

export interface Plane {
  /** Which image and channel it is, if there is more than one. */
  title: string;
  rows: number[];
  cols: number[];
  cells: PanelCell[];
}

export interface PanelCell extends Cell {
  /** null: nothing, where padding does not count, or where tfjs has no cell. */
  value: number | null;
  kind: 'cell' | 'padding' | 'gap' | 'wrong' | 'missing';
}

export function panelsOf(c: Calculation): Panel[] {
  return c.tfjs ? [...rightPanels(c), tfjsPanel(c)] : rightPanels(c);
}

function rightPanels(c: Calculation): Panel[] {
  const { look, view, op } = c.state;
  const x = view === 'gather' && look !== 'dx' ? paddedPanel(c) : image(c, 'x', 'x');
  if (op === 'dense') return densePanels(c);
  if (view === 'im2col') return matrixPanels(c);
  if (isPool(op)) {
    if (look === 'forward') return [x, { ...image(c, 'y', 'y'), sign: '→' }];
    const dx = { ...image(c, 'dx', 'dx'), sign: '→' };
    const dy = image(c, 'dy', 'dy');
    return op === 'maxPool' ? [x, dy, dx] : [dy, dx];
  }
  const filter = filterPanel(c, 'filter', 'filter', false);
  if (look === 'forward') {
    return [
      x,
      { ...filter, sign: '⋆' },
      { ...vector(c, 'bias'), sign: '+' },
      { ...image(c, 'y', 'y'), sign: '=' },
    ];
  }
  if (look === 'dFilter') {
    const dFilter = filterPanel(c, 'dFilter', 'dFilter', false);
    return [x, { ...image(c, 'dy', 'dy'), sign: '⋆' }, { ...dFilter, sign: '=' }, { ...vector(c, 'dBias'), sign: '&' }]; // prettier-ignore
  }
  const [dy, dx] = [image(c, 'dy', 'dy'), { ...image(c, 'dx', 'dx'), sign: '=' }];
  if (view === 'scatter') return [dy, { ...filter, sign: '×' }, { ...dx, sign: '→' }];
  const rotated = { ...filterPanel(c, 'filter', 'filter, rotated', true), sign: '⋆' };
  return [dy, { ...spreadPanel(c), sign: '→' }, rotated, dx];
}

const range = (size: number, start = 0) => Array.from({ length: size }, (_, i) => i + start);
const shapeText = (shape: readonly number[]) => `[${shape.join(', ')}]`;

function planeTitle(c: Calculation, b: number, channel: number, channels: number): string {
  const image = c.g.batchSize > 1 ? `image ${b}` : '';
  return [image, channels > 1 ? `channel ${channel}` : ''].filter(Boolean).join(', ');
}

/** An array of the shape of x or y, a plane for each image and channel. */
function image(c: Calculation, of: 'x' | 'y' | 'dy' | 'dx', title: string): Panel {
  const { g } = c;
  const isX = of === 'x' || of === 'dx';
  const [height, width, channels, steps, shape] = isX
    ? ([g.inHeight, g.inWidth, g.inChannels, g.x, g.inShape] as const)
    : ([g.outHeight, g.outWidth, g.outChannels, g.y, g.outShape] as const);
  const planes = range(g.batchSize).flatMap((b) => range(channels).map((channel) => ({
    title: planeTitle(c, b, channel, channels),
    rows: range(height),
    cols: range(width),
    cells: range(height * width).map((i): PanelCell => {
      const index = indexIn(steps, { b, row: Math.floor(i / width), col: i % width, channel });
      return { of, index, value: c.arrays[of][index], kind: 'cell' };
    }),
  }))); // prettier-ignore
  const editable = of === 'x' || of === 'dy' ? of : undefined;
  return { of, title, shape: shapeText(shape), sign: '', editable, planes, across: acrossOf(c, channels) };
}

/** The channels of an image stand side by side. Many of them stand in two columns, if there is only one image. */
const acrossOf = ({ g }: Calculation, channels: number) => (g.batchSize === 1 && channels > 3 ? 2 : channels);

/** What tfjs gives, in the shape of what is right. */
function tfjsPanel(c: Calculation): Panel {
  const { of, backends, values, width = Infinity } = c.tfjs!;
  const right = of === 'dFilter' ? filterPanel(c, of, of, false) : image(c, of, of);
  const where = backends.length === 3 ? '' : ` on ${backends.join(' and ')}`;
  const planes = right.planes.map((plane) => ({
    ...plane,
    cells: plane.cells.map(({ index, value }, i): PanelCell => {
      if (i % plane.cols.length >= width) return { of: 'tfjs', index, value: null, kind: 'missing' };
      return {
        of: 'tfjs',
        index,
        value: values[index],
        kind: differ(values[index], value!) ? 'wrong' : 'cell',
      };
    }),
  }));
  return { ...right, of: 'tfjs', title: `${of} of tfjs 4.22${where}`, sign: '≠', editable: undefined, planes, role: of }; // prettier-ignore
}

/** x with its padding. Where padding does not count, its cells are empty. */
function paddedPanel(c: Calculation): Panel {
  const { op, countIncludePad } = c.state;
  const counts = !isPool(op) || (op === 'avgPool' && countIncludePad);
  const { g } = c;
  const planes = laid(c, c.padded, g.inChannels, {
    of: 'x',
    zero: 'xPadded',
    top: -g.padTop,
    left: -g.padLeft,
  });
  const emptied = planes.map((plane) => ({ ...plane, cells: plane.cells.map((cell) => (cell.of === 'x' || counts ? cell : { ...cell, value: null })) })); // prettier-ignore
  const hasPadding = g.padTop + g.padBottom + g.padLeft + g.padRight > 0;
  const title = hasPadding ? 'x, with its padding' : 'x';
  return { ...image(c, 'x', title), planes: emptied };
}

function spreadPanel(c: Calculation): Panel {
  const { g } = c;
  const top = g.padTop - g.effectiveFilterHeight + 1;
  const left = g.padLeft - g.effectiveFilterWidth + 1;
  const planes = laid(c, c.spread, g.outChannels, { of: 'dy', zero: 'dySpread', top, left });
  const last = (out: number, stride: number) => (out - 1) * stride;
  const isBetween = (row: number, col: number) => row >= 0 && col >= 0 && row <= last(g.outHeight, g.strideHeight) && col <= last(g.outWidth, g.strideWidth); // prettier-ignore
  const told = planes.map((plane) => ({
    ...plane,
    cells: plane.cells.map((cell, i) => {
      const [row, col] = [plane.rows[Math.floor(i / plane.cols.length)], plane.cols[i % plane.cols.length]];
      return cell.of === 'dySpread' && isBetween(row, col) ? { ...cell, kind: 'gap' as const } : cell;
    }),
  }));
  return {
    of: 'dy',
    title: 'dy, with zeros',
    shape: '',
    sign: '',
    planes: told,
    across: acrossOf(c, g.outChannels),
  };
}

interface Laid {
  of: ArrayName;
  zero: ArrayName;
  top: number;
  left: number;
}

function laid(c: Calculation, to: Derived, channels: number, { of, zero, top, left }: Laid): Plane[] {
  const { height, width, from } = to;
  const steps = stepsOf(to, channels);
  return range(c.g.batchSize).flatMap((b) => range(channels).map((channel) => ({
    title: planeTitle(c, b, channel, channels),
    rows: range(height, top),
    cols: range(width, left),
    cells: range(height * width).map((i): PanelCell => {
      const at = indexIn(steps, { b, row: Math.floor(i / width), col: i % width, channel });
      if (from[at] < 0) return { of: zero, index: at, value: 0, kind: 'padding' };
      return { of, index: from[at], value: c.arrays[of][from[at]], kind: 'cell' };
    }),
  }))); // prettier-ignore
}

/** A plane for each pair of an output and an input channel: a row of planes is what leads to one output. */
function filterPanel(c: Calculation, of: 'filter' | 'dFilter', title: string, isRotated: boolean): Panel {
  const shape = filterShape(c.state);
  const [height, width, inChannels, outChannels] = shape;
  const turned = (labels: number[]) => (isRotated ? labels.reverse() : labels);
  const [rows, cols] = [turned(range(height)), turned(range(width))];
  const planes = range(outChannels).flatMap((oc) => range(inChannels).map((ic) => ({
    title: filterTitle(c, ic, oc),
    rows,
    cols,
    cells: rows.flatMap((fy) => cols.map((fx): PanelCell => {
      const index = ((fy * width + fx) * inChannels + ic) * outChannels + oc;
      return { of, index, value: c.arrays[of][index], kind: 'cell' };
    })),
  }))); // prettier-ignore
  const editable = of === 'filter' ? of : undefined;
  return { of, title, shape: shapeText(shape), sign: '', editable, planes, across: inChannels };
}

/** From which channel of x to which channel of y a plane of the filter leads. `ic` is the channel within its group. */
function filterTitle(c: Calculation, ic: number, oc: number): string {
  const { op, channels, outChannels, groups } = c.state;
  const group = Math.floor(oc / (outChannels / groups));
  const from = channels > 1 ? `channel ${group * (channels / groups) + ic}` : '';
  const isDepthwise = op === 'depthwiseConv2d';
  const to = isDepthwise ? ic * outChannels + oc : oc;
  const isOnly = (isDepthwise ? channels * outChannels : outChannels) === 1;
  return [from, isOnly ? '' : `to ${to}`].filter(Boolean).join(' ');
}

function vector(c: Calculation, of: 'bias' | 'dBias'): Panel {
  const values = c.arrays[of];
  const cells = Array.from(values, (value, index): PanelCell => ({ of, index, value, kind: 'cell' }));
  const plane = { title: '', rows: [0], cols: range(values.length), cells };
  return { of, title: of, shape: shapeText([values.length]), sign: '', editable: of === 'bias' ? of : undefined, planes: [plane], across: 1 }; // prettier-ignore
}

/** A convolution as a product of matrices: a row of patches is what a window sees, a row of y is its pixel. */
function matrixPanels(c: Calculation): Panel[] {
  const { g } = c;
  const [pixels, depth] = [c.state.dy.length / g.outChannels, c.state.filter.length / g.outChannels];
  const x = image(c, 'x', 'x');
  const filter = matrix(c, 'filter', [depth, g.outChannels]);
  const dy = inRows(c, matrix(c, 'dy', [pixels, g.outChannels]));
  const patches = matrix(c, 'patches', [pixels, depth], (index) =>
    c.patched[index] < 0 ? 'padding' : 'cell',
  );
  if (c.state.look === 'forward') {
    const y = inRows(c, matrix(c, 'y', [pixels, g.outChannels]));
    return [x, { ...patches, sign: '→' }, { ...filter, sign: '·' }, { ...vector(c, 'bias'), sign: '+' }, { ...y, sign: '=' }]; // prettier-ignore
  }
  if (c.state.look === 'dx') {
    const dPatches = matrix(c, 'dPatches', [pixels, depth], (index) =>
      c.patched[index] < 0 ? 'padding' : 'cell',
    );
    return [dy, { ...transposed(filter), sign: '·' }, { ...dPatches, sign: '=' }, { ...image(c, 'dx', 'dx'), sign: '→' }]; // prettier-ignore
  }
  const dFilter = matrix(c, 'dFilter', [depth, g.outChannels]);
  return [x, { ...transposed(patches), sign: '→' }, { ...dy, sign: '·' }, { ...dFilter, sign: '=' }, { ...vector(c, 'dBias'), sign: '&' }]; // prettier-ignore
}

/** A matrix of pixels and channels, whatever the layout of y. */
function inRows(c: Calculation, panel: Panel): Panel {
  const [plane] = panel.planes;
  const cells = plane.cells.map((_, i) => plane.cells[matrixIndexInY(c.g, i)]);
  return { ...panel, planes: [{ ...plane, cells }] };
}

/** A dense layer: matrices, with a row for each image. */
function densePanels(c: Calculation): Panel[] {
  const { batch, channels, outChannels, look } = c.state;
  const x = matrix(c, 'x', [batch, channels]);
  const filter = matrix(c, 'filter', [channels, outChannels]);
  const dy = matrix(c, 'dy', [batch, outChannels]);
  if (look === 'forward') {
    return [x, { ...filter, sign: '·' }, { ...vector(c, 'bias'), sign: '+' }, { ...matrix(c, 'y', [batch, outChannels]), sign: '=' }]; // prettier-ignore
  }
  if (look === 'dx') {
    return [dy, { ...transposed(filter), sign: '·' }, { ...matrix(c, 'dx', [batch, channels]), sign: '=' }];
  }
  const dFilter = matrix(c, 'dFilter', [channels, outChannels]);
  return [
    transposed(x),
    { ...dy, sign: '·' },
    { ...dFilter, sign: '=' },
    { ...vector(c, 'dBias'), sign: '&' },
  ];
}

function matrix(
  c: Calculation,
  of: ArrayName,
  [rows, cols]: [number, number],
  kind: (index: number) => PanelCell['kind'] = () => 'cell',
): Panel {
  const cells = Array.from(c.arrays[of], (value, index): PanelCell => ({
    of,
    index,
    value,
    kind: kind(index),
  }));
  const editable = of === 'x' || of === 'filter' || of === 'dy' ? of : undefined;
  const plane = { title: '', rows: range(rows), cols: range(cols), cells };
  return { of, title: of, shape: shapeText([rows, cols]), sign: '', editable, planes: [plane], across: 1 };
}

function transposed(panel: Panel): Panel {
  const planes = panel.planes.map(({ title, rows, cols, cells }) => ({
    title,
    rows: cols,
    cols: rows,
    cells: cols.flatMap((_, col) => rows.map((_, row) => cells[row * cols.length + col])),
  }));
  return { ...panel, title: `${panel.title}, transposed`, planes };
}

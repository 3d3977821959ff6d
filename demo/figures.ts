/** The pictures of a comparison, and their texts: each element's error, the gradient against differences, and time. */
import type { Subject } from '../kernels/proof.js';
import { html, picture, short, svg } from './dom.js';
import type { Errors, Slope, Times } from './measure.js';

interface Plane {
  name: string;
  /** The elements' indexes in the result, row by row. */
  elements: number[];
  error: number;
}

/** At most this many planes are shown. */
const MOST_PLANES = 12;

export function errorFigure(title: string, subject: Subject, errors: Errors): HTMLElement {
  const all = planesOf(subject, errors);
  const planes = all.length > MOST_PLANES ? worstOf(all) : all;
  const which = planes === all ? '' : ` (the worst ${planes.length} of ${all.length} planes)`;
  return html(
    'figure',
    {},
    html('figcaption', {}, `${title}${which}${all.length ? '' : ': there are no elements'}`),
    html('div', { class: 'pictures' }, ...planes.map((plane) => planePicture(subject, plane, errors))),
  );
}

/** The planes with the largest errors. Planes without an error are left out, but one plane is always shown. */
function worstOf(planes: Plane[]): Plane[] {
  const worstFirst = [...planes].sort((p, q) => q.error - p.error);
  return worstFirst.slice(0, MOST_PLANES).filter(({ error }, i) => error > 0 || i === 0);
}

function planesOf(subject: Subject, { ratios }: Errors): Plane[] {
  const planes = new Map<string, Plane>();
  ratios.forEach((error, index) => {
    const name = planeName(subject, coordinates(index, subject.outShape));
    const plane = planes.get(name) ?? { name, elements: [], error: 0 };
    planes.set(name, plane);
    plane.elements.push(index);
    plane.error = Math.max(plane.error, error);
  });
  return [...planes.values()];
}

function planePicture(subject: Subject, { name, elements, error }: Plane, errors: Errors): HTMLElement {
  const width = subject.outShape[axesOf(subject).column];
  const height = elements.length / width;
  const size = Math.max(4, Math.min(24, Math.floor(140 / Math.max(width, height))));
  const corner = (i: number) => ({ x: (i % width) * size + 2, y: Math.floor(i / width) * size + 2 });
  const worst = elements.indexOf(errors.worst.index);
  const label = `${name}: ${inBounds(error)}${worst < 0 ? '' : `, the worst in ${place(subject, elements[worst])}`}`;
  return html(
    'figure',
    {},
    picture(
      width * size + 4,
      height * size + 4,
      label,
      ...elements.map((element, i) => shaded(corner(i), size, errors.ratios[element])),
      ...(worst < 0 ? [] : [svg('rect', { ...corner(worst), width: size, height: size, class: 'worst' })]),
    ),
    html('figcaption', {}, name),
  );
}

/** A deeper colour means an error nearer to its bound. Beyond the bound, it is another colour with a cross. */
function shaded({ x, y }: { x: number; y: number }, size: number, ratio: number): SVGElement {
  const square = { x, y, width: size, height: size };
  if (ratio <= 1) return svg('rect', { ...square, class: 'error', 'fill-opacity': Number(ratio.toFixed(3)) });
  const cross = `M${x},${y}l${size},${size}m0,${-size}l${-size},${size}`;
  return svg('g', { class: 'over' }, svg('rect', square), svg('path', { d: cross }));
}

export function legend(): SVGElement {
  const SIZE = 18;
  const text = (x: number, words: string) => svg('text', { x, y: 12, class: 'axis' }, words);
  return picture(
    320,
    24,
    'Legend: a deeper colour means an error nearer to its bound; a cross means an error beyond its bound; the worst element has an outline',
    text(0, '0'),
    ...[0, 0.25, 0.5, 0.75, 1].map((ratio, i) => shaded({ x: 14 + SIZE * i, y: 2 }, SIZE, ratio)),
    text(110, 'bound'),
    shaded({ x: 165, y: 2 }, SIZE, 2),
    text(189, 'beyond'),
    svg('rect', { x: 245, y: 2, width: SIZE, height: SIZE, class: 'worst' }),
    text(270, 'worst'),
  );
}

const PLOT = 260;
const MARGIN = 36;

/** Each mark is an element: its difference to the right, its gradient upwards. On the line both are equal. */
export function slopeFigure(slopes: Slope[]): HTMLElement {
  const values = slopes.flatMap(({ ours, builtin = 0, want }) => [ours, builtin, want].map(Math.abs));
  const limit = Math.max(...values.filter(Number.isFinite), 1e-6);
  const scale = (value: number) => ((value / limit + 1) / 2) * (PLOT - 2 * MARGIN) + MARGIN;
  const up = (value: number) => PLOT - scale(value);
  const text = (x: number, y: number, words: string, more = {}) =>
    svg('text', { x, y, class: 'axis', ...more }, words);
  const middle = { 'text-anchor': 'middle' };
  const cross = (want: number, got: number) => `M${scale(want) - 4},${up(got) - 4}l8,8m0,-8l-8,8`;
  const builtins = slopes.filter(({ builtin }) => Number.isFinite(builtin));
  const plot = picture(
    PLOT,
    PLOT,
    `${slopes.length} elements of the gradient against their differences, from ${short(-limit)} to ${short(limit)}`,
    svg('rect', {
      x: MARGIN,
      y: MARGIN,
      width: PLOT - 2 * MARGIN,
      height: PLOT - 2 * MARGIN,
      class: 'frame',
    }),
    svg('line', { x1: scale(-limit), y1: up(-limit), x2: scale(limit), y2: up(limit), class: 'frame' }),
    ...slopes
      .filter(({ ours }) => Number.isFinite(ours))
      .map(({ ours, want }) => svg('circle', { cx: scale(want), cy: up(ours), r: 4, class: 'dot' })),
    ...builtins.map(({ builtin, want }) => svg('path', { d: cross(want, builtin!), class: 'cross' })),
    text(MARGIN, PLOT - 24, short(-limit)),
    text(PLOT - MARGIN, PLOT - 24, short(limit), { 'text-anchor': 'end' }),
    text(PLOT / 2, PLOT - 8, 'difference in float64', middle),
    text(0, 0, 'gradient', { ...middle, transform: `translate(${MARGIN - 14} ${PLOT / 2}) rotate(-90)` }),
  );
  const crosses = builtins.length ? ' Crosses are tfjs’s own kernel.' : '';
  return html(
    'figure',
    {},
    html(
      'figcaption',
      {},
      `Gradient against differences, ${slopes.length} elements. Dots are the plugin.${crosses} On the line, gradient and difference are equal.`,
    ),
    plot,
  );
}

export function timeFigure({ builtin, ours }: Times): HTMLElement {
  const [WIDTH, BAR] = [320, 26];
  const bar = (y: number, time: number, name: string) => [
    svg('rect', {
      x: 80,
      y,
      width: (WIDTH - 80) * (time / Math.max(builtin, ours)),
      height: BAR - 8,
      class: 'bar',
    }),
    svg('text', { x: 0, y: y + BAR / 2 - 4, class: 'axis' }, name),
  ];
  return html(
    'figure',
    {},
    html('figcaption', {}, 'Time of a call'),
    picture(
      WIDTH,
      2 * BAR,
      inTimes({ builtin, ours }),
      ...bar(0, ours, 'the plugin'),
      ...bar(BAR, builtin, 'tfjs’s own'),
    ),
  );
}

// Words

export function inBounds(error: number): string {
  if (error === 0) return 'none: every element is exact';
  if (error === Infinity) return 'not 0 although the bound is 0, or not a number';
  return error <= 1 ? `at most ${short(error)} of the bound` : `up to ${short(error)} times the bound`;
}

export function inTimes({ builtin, ours }: Times): string {
  const ratio = builtin / ours;
  const words = ratio >= 1 ? `${short(ratio)} times as fast` : `${short(1 / ratio)} times as long`;
  return `${words} as tfjs’s own kernel: ${short(ours)} ms instead of ${short(builtin)} ms`;
}

// Where elements are

interface Axes {
  row: number;
  column: number;
  /** The two axes that number the planes, with their names. */
  planes: [axis: number, name: string][];
}

function axesOf({ kernelName, attrs }: Subject): Axes {
  if (kernelName === 'Conv2DBackpropFilter') return { row: 0, column: 1, planes: [[2, 'input'], [3, 'output']] }; // prettier-ignore
  return attrs.dataFormat === 'NCHW'
    ? { row: 2, column: 3, planes: [[0, 'image'], [1, 'channel']] } // prettier-ignore
    : { row: 1, column: 2, planes: [[0, 'image'], [3, 'channel']] }; // prettier-ignore
}

/** The element's index along each axis. */
function coordinates(index: number, shape: readonly number[]): number[] {
  const result: number[] = [];
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    result.unshift(index % shape[axis]);
    index = Math.floor(index / shape[axis]);
  }
  return result;
}

export function place(subject: Subject, index: number): string {
  const { row, column } = axesOf(subject);
  const at = coordinates(index, subject.outShape);
  return `${planeName(subject, at)}, row ${at[row]}, column ${at[column]}`;
}

function planeName(subject: Subject, at: number[]): string {
  return axesOf(subject).planes.map(([axis, name]) => `${name} ${at[axis]}`).join(', '); // prettier-ignore
}

/** The pictures of a comparison: the error of each element, and a gradient against differences. */
import type { Subject } from '../kernels/proof.js';
import { format } from '../src/cli/cells.js';
import { placeOf } from '../src/verify/case.js';
import { resultName } from './cases.js';
import { html, list, picture, short, svg } from './dom.js';
import type { Errors, Slope } from './measure.js';
import { placeInWords, type Plane, planesOf } from './planes.js';

/** How many planes the strip shows. */
const STRIP = 8;
/** An error that is at most so many times its bound has the colour of its level. */
const LEVELS = [0.003, 0.01, 0.03, 0.1, 0.3, 1];

/** These digits tell all float32 numbers apart. */
const DIGITS = 9;

/**
 * The errors of a result: the worst plane large, the worst ones in a strip from which one chooses, the others in words. The numbers of the
 * cell that has the focus, or that the pointer is on, stand beside it.
 * @param kernel whose errors they are
 */
export function errorFigure(kernel: string, backend: string, subject: Subject, errors: Errors): HTMLElement {
  const planes = planesOf(subject, errors.ratios);
  const title = `${kernel} on ${backend}: the error of each element of ${resultName(subject)}`;
  if (planes.length === 0)
    return html('figure', {}, html('figcaption', {}, `${title}. There are no elements.`));
  const strip = planes.slice(0, STRIP).filter(({ error }, i) => error > 0 || i === 0);
  const numbers = html('div', { class: 'numbers', role: 'status' });
  const large = html('div', { class: 'large' });
  const tell = (index: number) => numbers.replaceChildren(numbersOf(backend, subject, errors, index));
  const choose = (plane: Plane) => large.replaceChildren(grid(subject, errors, plane, tell));
  choose(strip[0]);
  const others = planes.slice(strip.length);
  return html(
    'figure',
    {},
    html('figcaption', {}, title),
    legend(),
    html(
      'div',
      { class: 'pictures' },
      large,
      html(
        'div',
        { class: 'beside' },
        numbers,
        ...(strip.length > 1 ? [chooser(strip, errors, choose)] : []),
        ...(others.length > 0 ? [html('p', {}, othersInWords(others))] : []),
      ),
    ),
  );
}

/** The class of a cell with this error. */
function levelOf(ratio: number): string {
  if (ratio === 0) return 'exact';
  const level = LEVELS.findIndex((most) => ratio <= most);
  return level < 0 ? 'over' : `level-${level + 1}`;
}

function legend(): HTMLElement {
  const entry = (level: string, words: string) =>
    html('li', {}, html('span', { class: `swatch ${level}` }), words);
  return html(
    'ul',
    { class: 'legend', 'aria-label': 'Legend: the error, as a part of its bound' },
    entry('exact', 'exact'),
    ...LEVELS.map((most) => entry(levelOf(most), most === 1 ? 'to the bound' : `to ${most}`)),
    entry('over', 'beyond'),
    entry('exact worst', 'the worst'),
  );
}

/** The cells of a plane. Arrow keys walk through them, and all have one tab stop. */
function grid(subject: Subject, errors: Errors, plane: Plane, tell: (index: number) => void): HTMLElement {
  const { columns, elements } = plane;
  const rows = elements.length / columns;
  const worst = elements.findIndex((index) => errors.ratios[index] === plane.error);
  const cells = elements.map((index) =>
    html('div', {
      role: 'gridcell',
      tabindex: -1,
      class: levelOf(errors.ratios[index]) + (index === errors.worst.index ? ' worst' : ''),
      'aria-label': `${placeInWords(subject, index)}: ${inBounds(errors.ratios[index])}`,
    }),
  );
  const element = html(
    'div',
    { role: 'grid', class: 'cells', 'aria-label': plane.name || resultName(subject) },
    ...Array.from({ length: rows }, (_, row) =>
      html('div', { role: 'row' }, ...cells.slice(row * columns, (row + 1) * columns)),
    ),
  );
  element.style.width = `${columns * Math.min(3, 30 / rows)}rem`;
  let stop = worst;
  const goTo = (at: number) => {
    cells[stop].tabIndex = -1;
    cells[(stop = at)].tabIndex = 0;
    tell(elements[at]);
  };
  const cellAt = (target: EventTarget | null) => cells.indexOf(target as HTMLDivElement);
  element.addEventListener('focusin', ({ target }) => goTo(cellAt(target)));
  element.addEventListener('pointerover', ({ target }) => cellAt(target) >= 0 && tell(elements[cellAt(target)])); // prettier-ignore
  element.addEventListener('pointerleave', () => tell(elements[stop]));
  element.addEventListener('keydown', (event) => {
    const to = neighbour(event, stop, columns, cells.length);
    if (to === undefined) return;
    event.preventDefault();
    cells[to].focus();
  });
  goTo(worst);
  return element;
}

/** Where a key leads to from a cell, within the same row or column. undefined: it is no key of a grid. */
function neighbour(event: KeyboardEvent, at: number, columns: number, size: number): number | undefined {
  if (event.ctrlKey || event.altKey || event.metaKey || event.shiftKey) return undefined;
  const start = at - (at % columns);
  const to = {
    ArrowLeft: Math.max(start, at - 1),
    ArrowRight: Math.min(start + columns - 1, at + 1),
    ArrowUp: at - columns,
    ArrowDown: at + columns,
    Home: start,
    End: start + columns - 1,
  }[event.key];
  return to === undefined || (to >= 0 && to < size) ? to : at;
}

function numbersOf(backend: string, subject: Subject, errors: Errors, index: number): HTMLElement {
  const { got, want, bound, ratios } = errors;
  const at = placeOf(index, subject.outShape);
  return list([
    ['Element', `${resultName(subject)}[${at.join(', ')}]`],
    ['Place', placeInWords(subject, index)],
    [`On ${backend}`, short(got[index], DIGITS)],
    ['In float64', short(want[index], DIGITS)],
    ['Difference', short(got[index] - want[index])],
    ['Bound', short(bound(index))],
    ['Error', inBounds(ratios[index])],
  ]);
}

/** The planes of the strip, from which one chooses. */
function chooser(planes: Plane[], errors: Errors, choose: (plane: Plane) => void): HTMLElement {
  const entries = planes.map((plane, i) => {
    const input = html('input', { type: 'radio', name: 'plane', checked: i === 0 });
    input.addEventListener('change', () => choose(plane));
    const words = `${plane.name}: ${format(plane.error)}`;
    return html('label', {}, input, html('span', { class: 'card' }, thumbnail(plane, errors), words));
  });
  return html(
    'fieldset',
    { class: 'strip' },
    html('legend', {}, 'The worst planes, and the largest error of each'),
    ...entries,
  );
}

/** A plane so small that its cells are only colours: for each level one path. */
function thumbnail({ columns, elements }: Plane, { ratios }: Errors): SVGElement {
  const paths = new Map<string, string>();
  elements.forEach((index, i) => {
    const level = levelOf(ratios[index]);
    paths.set(level, `${paths.get(level) ?? ''}M${i % columns},${Math.floor(i / columns)}h1v1h-1z`);
  });
  const size = { viewBox: `0 0 ${columns} ${elements.length / columns}`, width: 64, height: 64 };
  return svg('svg', { ...size, 'aria-hidden': 'true' }, ...Array.from(paths, ([level, d]) => svg('path', { class: level, d }))); // prettier-ignore
}

function othersInWords(planes: Plane[]): string {
  const { error } = planes[0];
  const largest = error === 0 ? 'all exact' : `the largest error is ${inBounds(error)}`;
  return `${planes.length} more plane${planes.length > 1 ? 's' : ''}: ${largest}.`;
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

// Words

export function inBounds(error: number): string {
  if (error === 0) return 'none, exact';
  if (error === Infinity) return 'not 0 although the bound is 0, or not a number';
  return error <= 1 ? `${short(error)} of the bound` : `${short(error)} times the bound`;
}

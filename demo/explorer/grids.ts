/** The grids on the page: tables with numbered rows and columns, whose cells one can edit and walk through by arrow keys. */
import { html } from '../dom.js';
import type { Calculation } from './calculation.js';
import { type Panel, type PanelCell, panelsOf, type Plane } from './panels.js';
import { type ArrayName, type Cell, type Editable, numberIn, sourceOf } from './state.js';
import { isResult, keyOf, same, sumsSoFar } from './sums.js';
import { tracesView } from './traces.js';
import { marksOf, short, show } from './words.js';

export interface Actions {
  /** Somebody typed: the cell's value is this text now. */
  edit: (of: Editable, index: number, text: string) => void;
  /** The value shall grow by so many steps. */
  step: (cell: Cell, steps: number) => void;
  /** A stroke goes over the cell. */
  paint: (cell: Cell) => void;
  focus: (cell: Cell) => void;
  /** undefined: the pointer has left. */
  hover: (cell: Cell | undefined) => void;
}

/** The grids, and a function that shows a calculation in them and lights up what belongs to `cell`. */
export function gridsView(actions: Actions) {
  const panelsElement = html('div', { class: 'panels' });
  const traces = tracesView(panelsElement);
  const element = html('div', { class: 'grids' }, panelsElement, traces.element);
  /** The cell of each array that was looked at last: the Tab key comes back to it. */
  const stops = new Map<ArrayName, number>();
  let structure = '';
  let isPainting = false;

  function show(c: Calculation, cell: Cell): void {
    const panels = panelsOf(c);
    const key = JSON.stringify(panels, (name, value) => (name === 'value' || name === 'kind' ? undefined : value)); // prettier-ignore
    const isNew = key !== structure;
    if (isNew) panelsElement.replaceChildren(...panels.map(panelElement));
    structure = key;
    stops.set(c.state.cell.of, c.state.cell.index);
    isPainting = c.state.paint !== undefined;
    element.classList.toggle('painting', isPainting);
    fill(panelsElement, panels, c, cell, stops);
    if (isNew) fit();
    traces.draw();
  }

  /** Makes the cells as large as they can be, so that there is nothing to scroll. */
  function fit(): void {
    const scrolls = Array.from(panelsElement.querySelectorAll('.scroll'));
    const isWide = () => scrolls.every(({ scrollWidth, clientWidth }) => scrollWidth <= clientWidth);
    const room = roomFor(element);
    const isLow = () => panelsElement.offsetHeight <= room;
    const isGood = (test: () => boolean) => (size: number) => {
      panelsElement.style.setProperty('--cell', `${size}rem`);
      panelsElement.classList.toggle('tiny', size < 1.75);
      return test();
    };
    if (room < Infinity && SIZES.some(isGood(() => isWide() && isLow()))) return;
    SIZES.slice(MODEST).some(isGood(isWide));
  }

  addEventListener('resize', fit);
  // The panels move when they change, and when a bar for scrolling comes or goes.
  new ResizeObserver(traces.draw).observe(panelsElement);
  element.addEventListener('scroll', traces.draw, { capture: true, passive: true });
  element.addEventListener('focusin', ({ target }) => {
    const cell = cellOf(target);
    if (!cell) return;
    if (target instanceof HTMLInputElement) target.select();
    actions.focus(cell);
  });
  element.addEventListener('input', ({ target }) => {
    const { of, index } = cellOf(target)!;
    actions.edit(of as Editable, index, (target as HTMLInputElement).value);
  });
  element.addEventListener('keydown', (event) => pressed(event, isPainting, actions));
  element.addEventListener('pointerover', ({ target, pointerType }) => {
    if (pointerType !== 'touch') actions.hover(cellOf(target));
  });
  element.addEventListener('pointerleave', () => actions.hover(undefined));
  strokes(element, () => isPainting, actions.paint);
  return { element, show };
}

/** Sizes of a cell, in rem. */
const SIZES = [4, 3.5, 3, 2.75, 2.5, 2.25, 2, 1.75, 1.5];
/** The first of them that are for a page on which one scrolls. */
const MODEST = SIZES.indexOf(2.75);

/** How high the grids may be. On a narrow page one scrolls anyway. What stands below them has a height of its own in explorer.css. */
function roomFor(element: HTMLElement): number {
  const below = parseFloat(getComputedStyle(element).getPropertyValue('--below'));
  return below ? innerHeight - (element.getBoundingClientRect().top + scrollY) - below * 16 : Infinity;
}

/** A pointer that is pressed in x and moved paints. */
function strokes(element: HTMLElement, isPainting: () => boolean, paint: (cell: Cell) => void): void {
  let isDown = false;
  const over = ({ clientX, clientY }: PointerEvent) => {
    const cell = cellOf(document.elementFromPoint(clientX, clientY));
    if (cell?.of === 'x') paint(cell);
  };
  element.addEventListener('pointerdown', (event) => {
    if (!isPainting() || event.button !== 0 || cellOf(event.target)?.of !== 'x') return;
    event.preventDefault(); // no cell gets the focus, so that no keyboard rises on a phone
    isDown = true;
    over(event);
  });
  element.addEventListener('pointermove', (event) => isDown && over(event));
  for (const end of ['pointerup', 'pointercancel']) addEventListener(end, () => (isDown = false));
}

function panelElement(panel: Panel): HTMLElement {
  const { of, title, shape, sign, editable, across, role = of } = panel;
  const hint = editable ? html('span', { class: 'hint' }, '✎') : '';
  const name = html(
    'h2',
    {},
    html('span', { class: 'name' }, title),
    html('span', { class: 'shape' }, shape),
    hint,
  );
  const planes = panel.planes.map((plane) => planeElement(panel, plane));
  const grid = html('div', { class: 'planes' }, ...planes);
  grid.style.setProperty('--across', String(across));
  const section = html('div', { class: `panel of-${role}` }, name, grid);
  return sign
    ? html('div', { class: 'pair' }, html('span', { class: 'sign', 'aria-hidden': 'true' }, sign), section)
    : section;
}

function planeElement({ title, editable }: Panel, { title: which, rows, cols, cells }: Plane): HTMLElement {
  const heads = cols.map((col) => html('th', { scope: 'col' }, show(col)));
  const body = rows.map((row, r) =>
    html(
      'tr',
      {},
      html('th', { scope: 'row' }, show(row)),
      ...cols.map((col, i) => cellElement(cells[r * cols.length + i], editable, `row ${row}, column ${col}`)),
    ),
  );
  const label = [title, which, editable && 'can be edited'].filter(Boolean).join(', ');
  const table = html(
    'table',
    { role: 'grid', 'aria-label': label },
    html('thead', {}, html('tr', {}, html('td', { 'aria-hidden': 'true' }), ...heads)),
    html('tbody', {}, ...body),
  );
  const caption = html('figcaption', {}, which);
  return html('figure', {}, ...(which ? [caption] : []), html('div', { class: 'scroll' }, table));
}

function cellElement({ of, index }: PanelCell, editable: Editable | undefined, place: string): HTMLElement {
  const data = { 'data-of': of, 'data-index': index, 'data-place': place };
  if (editable !== of) return html('td', { role: 'gridcell', tabindex: -1, ...data });
  const input = html('input', { inputmode: 'text', autocomplete: 'off', spellcheck: 'false', 'aria-label': place, tabindex: -1 }); // prettier-ignore
  return html('td', { role: 'gridcell', ...data }, input);
}

/** Writes the values into the cells, and the marks. */
function fill(
  element: HTMLElement,
  panels: Panel[],
  c: Calculation,
  looked: Cell,
  stops: Map<ArrayName, number>,
): void {
  const marks = marksOf(c, looked);
  const { view, soFar, look } = c.state;
  const isBuiltUp = soFar && view === 'scatter' && looked.of === sourceOf(look);
  const sums = isBuiltUp ? sumsSoFar(c, looked) : undefined;
  const tables = element.querySelectorAll('table');
  panels.flatMap(({ planes }) => planes).forEach(({ cells }, i) => {
    const tds = tables[i].querySelectorAll<HTMLElement>('tbody td');
    const longest = Math.max(...cells.map(({ value }) => (value === null ? 0 : short(value).length)));
    tables[i].style.setProperty('--longest', String(longest));
    const most = Math.max(...cells.map(({ value }) => (Number.isFinite(value) ? Math.abs(value!) : 0)));
    const place = (isIt: (cell: PanelCell) => boolean) => cells.findIndex(isIt);
    const found = [place((cell) => same(cell, looked)), place(({ of, index }) => stops.get(of) === index)];
    const tabbable = found.find((at) => at >= 0) ?? 0;
    cells.forEach((cell, k) => {
      const mark = marks.get(keyOf(cell));
      const td = tds[k];
      td.className = [cell.kind, mark?.kind].filter(Boolean).join(' ');
      td.dataset.note = mark?.note ?? '';
      const isInked = c.state.paint !== undefined && Number.isFinite(cell.value) && most > 0;
      td.style.setProperty('--ink', isInked ? `${(INK * Math.abs(cell.value!)) / most}%` : '');
      write(td, sums && isResult(cell.of) ? { ...cell, value: sums.get(keyOf(cell)) ?? 0 } : cell);
      (td.querySelector('input') ?? td).tabIndex = k === tabbable ? 0 : -1;
    });
  }); // prettier-ignore
}

/** How much of its colour the largest value gets while somebody paints, in percent. */
const INK = 50;

function write(td: HTMLElement, { value, kind }: PanelCell): void {
  const input = td.querySelector('input');
  if (input) {
    // Not while somebody types: '-' and '0.' are on their way to a number.
    if (input !== document.activeElement || !Object.is(numberIn(input.value), value)) input.value = edited(input, value!); // prettier-ignore
    return;
  }
  const text = value === null ? '' : short(value);
  if (td.textContent !== text) td.textContent = text;
  const nothing = kind === 'missing' ? 'missing, wrong' : 'padding';
  const what = value === null ? nothing : kind === 'wrong' ? `${show(value)}, wrong` : show(value);
  td.setAttribute('aria-label', `${td.dataset.place}: ${kind === 'padding' || kind === 'gap' ? `${what}, put there` : what}`); // prettier-ignore
}

/** What an input shows: its value; if somebody is typing what is not yet a number, that. */
function edited(input: HTMLInputElement, value: number): string {
  const isTyping =
    input === document.activeElement && value === 0 && /^[-−]?([.,]|[a-z]+)?$/i.test(input.value);
  return isTyping ? input.value : show(value);
}

function cellOf(target: EventTarget | null): Cell | undefined {
  const td = (target as HTMLElement | null)?.closest?.<HTMLElement>('td[data-of]');
  return td ? { of: td.dataset.of as ArrayName, index: Number(td.dataset.index) } : undefined;
}

const MOVES: Record<string, [rows: number, cols: number]> = {
  ArrowUp: [-1, 0],
  ArrowDown: [1, 0],
  ArrowLeft: [0, -1],
  ArrowRight: [0, 1],
  Home: [0, -Infinity],
  End: [0, Infinity],
  Enter: [1, 0],
};

/** Arrow keys walk through a grid. Page Up and Page Down nudge what is behind the cell. The space bar and Shift with an arrow paint. */
function pressed(event: KeyboardEvent, isPainting: boolean, actions: Actions): void {
  const cell = cellOf(event.target);
  const isStroke = isPainting && event.shiftKey;
  if (!cell || event.ctrlKey || event.altKey || event.metaKey || (event.shiftKey && !isStroke)) return;
  if (event.key === 'PageUp' || event.key === 'PageDown') {
    event.preventDefault();
    return actions.step(cell, event.key === 'PageUp' ? 1 : -1);
  }
  if (event.key === ' ' && isPainting && cell.of === 'x') {
    event.preventDefault();
    return actions.paint(cell);
  }
  const move = MOVES[event.key];
  if (!move) return;
  event.preventDefault();
  const td = (event.target as HTMLElement).closest('td')!;
  const row = td.parentElement as HTMLTableRowElement;
  const rows = Array.from(row.parentElement!.children) as HTMLTableRowElement[];
  const within = (at: number, size: number) => Math.min(Math.max(at, 0), size - 1);
  const to = rows[within(rows.indexOf(row) + move[0], rows.length)];
  const cells = to.querySelectorAll('td');
  const next = cells[within(td.cellIndex - 1 + move[1], cells.length)];
  (next.querySelector('input') ?? next).focus();
  const reached = cellOf(next)!;
  if (isStroke && reached.of === 'x') actions.paint(reached);
}

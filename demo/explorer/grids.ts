/** The grids on the page: tables with numbered rows and columns, whose cells one can edit and walk through by arrow keys. */
import { html, short, show } from '../dom.js';
import type { Calculation } from './calculation.js';
import { type Panel, type PanelCell, panelsOf, type Plane } from './panels.js';
import { type ArrayName, type Cell, type Editable, numberIn, sourceOf } from './state.js';
import { isResult, keyOf, same, sumsSoFar } from './sums.js';
import { marksOf } from './words.js';

export interface Actions {
  /** Somebody typed: the cell's value is this text now. */
  edit: (of: Editable, index: number, text: string) => void;
  /** The value shall grow by so many steps. */
  step: (cell: Cell, steps: number) => void;
  focus: (cell: Cell) => void;
  /** undefined: the pointer has left. */
  hover: (cell: Cell | undefined) => void;
}

/** The grids, and a function that shows a calculation in them and lights up what belongs to `cell`. */
export function gridsView(actions: Actions) {
  const element = html('div', { class: 'grids' });
  let structure = '';

  function show(c: Calculation, cell: Cell): void {
    const panels = panelsOf(c);
    const key = JSON.stringify(panels, (name, value) => (name === 'value' || name === 'kind' ? undefined : value)); // prettier-ignore
    if (key !== structure) {
      element.replaceChildren(...panels.map(panelElement));
      structure = key;
    }
    fill(element, panels, c, cell);
  }

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
  element.addEventListener('keydown', (event) => pressed(event, actions));
  element.addEventListener('pointerover', ({ target, pointerType }) => {
    if (pointerType !== 'touch') actions.hover(cellOf(target));
  });
  element.addEventListener('pointerleave', () => actions.hover(undefined));
  return { element, show };
}

function panelElement(panel: Panel): HTMLElement {
  const { of, title, shape, sign, editable } = panel;
  const hint = editable ? html('span', { class: 'hint' }, '✎') : '';
  const name = html(
    'h2',
    {},
    html('span', { class: 'name' }, title),
    html('span', { class: 'shape' }, shape),
    hint,
  );
  const planes = panel.planes.map((plane) => planeElement(panel, plane));
  const wide = Math.max(...panel.planes.map(({ cols }) => cols.length)) > 5;
  const section = html(
    'div',
    { class: `panel of-${of}${wide ? ' wide' : ''}` },
    name,
    html('div', { class: 'planes' }, ...planes),
  );
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
function fill(element: HTMLElement, panels: Panel[], c: Calculation, looked: Cell): void {
  const marks = marksOf(c, looked);
  const { view, soFar, look } = c.state;
  const isBuiltUp = soFar && view === 'scatter' && looked.of === sourceOf(look);
  const sums = isBuiltUp ? sumsSoFar(c, looked) : undefined;
  const tables = element.querySelectorAll('table');
  panels.flatMap(({ planes }) => planes).forEach(({ cells }, i) => {
    const tds = tables[i].querySelectorAll<HTMLElement>('tbody td');
    const tabbable = Math.max(0, cells.findIndex((cell) => same(cell, looked))); // prettier-ignore
    cells.forEach((cell, k) => {
      const mark = marks.get(keyOf(cell));
      const td = tds[k];
      td.className = [cell.kind, mark?.kind].filter(Boolean).join(' ');
      td.dataset.note = mark?.note ?? '';
      write(td, sums && isResult(cell.of) ? { ...cell, value: sums.get(keyOf(cell)) ?? 0 } : cell);
      (td.querySelector('input') ?? td).tabIndex = k === tabbable ? 0 : -1;
    });
  }); // prettier-ignore
}

function write(td: HTMLElement, { value, kind }: PanelCell): void {
  const input = td.querySelector('input');
  if (input) {
    // Not while somebody types: '-' and '0.' are on their way to a number.
    if (input !== document.activeElement || numberIn(input.value) !== value) input.value = edited(input, value!); // prettier-ignore
    return;
  }
  const text = value === null ? '' : short(value);
  if (td.textContent !== text) td.textContent = text;
  const what = value === null ? 'padding' : kind === 'wrong' ? `${show(value)}, wrong` : show(value);
  td.setAttribute('aria-label', `${td.dataset.place}: ${kind === 'padding' || kind === 'gap' ? `${what}, put there` : what}`); // prettier-ignore
}

/** What an input shows: its value; if somebody is typing what is not yet a number, that. */
function edited(input: HTMLInputElement, value: number): string {
  const isTyping = input === document.activeElement && value === 0 && /^[-−]?[.,]?$/.test(input.value);
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

/** Arrow keys walk through a grid. Page Up and Page Down nudge what is behind the cell. */
function pressed(event: KeyboardEvent, actions: Actions): void {
  const cell = cellOf(event.target);
  if (!cell || event.ctrlKey || event.altKey || event.metaKey || event.shiftKey) return;
  if (event.key === 'PageUp' || event.key === 'PageDown') {
    event.preventDefault();
    return actions.step(cell, event.key === 'PageUp' ? 1 : -1);
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
}

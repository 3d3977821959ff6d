/** Steps through the worked examples, by buttons and keys. It shows pictures of the arrays, and the step in words. */
import { html, labelledSelect, picture, show, svg } from './dom.js';
import { examples, type Grid } from './examples.js';

export function stepper(): HTMLElement {
  const all = examples();
  const { select, field } = labelledSelect('Example', all.map(({ title }) => title)); // prettier-ignore
  const formula = html('p', { class: 'formula' });
  const count = html('span');
  const text = html('p', { class: 'step', role: 'status' });
  const pictures = html('div', { class: 'pictures', tabindex: 0, role: 'group', 'aria-label': 'Pictures of the step. Arrow keys go to other steps' }); // prettier-ignore
  let at = 0;

  const example = () => all[select.selectedIndex];
  const last = () => example().steps.length - 1;
  const moves: Move[] = [
    { name: 'First', key: 'Home', to: () => 0 },
    { name: 'Previous', key: 'ArrowLeft', to: () => Math.max(0, at - 1) },
    { name: 'Next', key: 'ArrowRight', to: () => Math.min(last(), at + 1) },
    { name: 'Last', key: 'End', to: last },
  ];
  const buttons = moves.map(({ name, to }) => {
    const button = html('button', { type: 'button' }, name);
    button.addEventListener('click', () => go(to()));
    return button;
  });

  function go(step: number): void {
    at = step;
    const { text: words, grids } = example().steps[at];
    formula.textContent = example().formula;
    count.textContent = `Step ${at} of ${last()}`;
    text.textContent = words;
    pictures.replaceChildren(...grids.map(gridPicture));
    // Not `disabled`: a disabled button would lose the focus, and the keyboard user with it.
    moves.forEach(({ to }, i) => buttons[i].setAttribute('aria-disabled', String(to() === at)));
  }

  const stepping = html(
    'div',
    {},
    html('div', { class: 'controls', role: 'group', 'aria-label': 'Steps' }, ...buttons, count),
    text,
    pictures,
  );
  stepping.addEventListener('keydown', (event) => {
    const move = moves.find(({ key }) => key === event.key);
    if (!move || event.ctrlKey || event.altKey || event.metaKey) return;
    event.preventDefault();
    go(move.to());
  });
  select.addEventListener('change', () => go(0));
  go(0);

  return html(
    'section',
    { 'aria-labelledby': 'examples' },
    html('h2', { id: 'examples' }, 'Step through a worked example'),
    html(
      'p',
      {},
      'If a button or the pictures have the focus, the arrow keys, Home and End go to other steps, too.',
    ),
    field,
    formula,
    stepping,
  );
}

interface Move {
  name: string;
  key: string;
  /** The step that it leads to. If there is no further step, the step that is shown. */
  to: () => number;
}

const CELL = 52;
/** Pixels for the outlines at the edges. */
const EDGE = 2;

function gridPicture(grid: Grid): HTMLElement {
  const { title, width, values } = grid;
  const height = values.length / width;
  const label = `${title}: ${rows(grid).join('; ')}${windowInWords(grid)}`;
  const cells = values.map((value, i) => cell(grid, value, i));
  // Cells with thick outlines are drawn last, on top of their neighbours.
  const rank = (i: number) => Number(grid.window?.has(i) ?? false) + 2 * Number(i === grid.hit);
  const order = [...values.keys()].sort((p, q) => rank(p) - rank(q));
  return html(
    'figure',
    {},
    html('figcaption', {}, title),
    picture(width * CELL + 2 * EDGE, height * CELL + 2 * EDGE, label, ...order.map((i) => cells[i])),
  );
}

function cell({ width, window, hit }: Grid, value: number | null, i: number): SVGElement {
  const [x, y] = [(i % width) * CELL + EDGE, Math.floor(i / width) * CELL + EDGE];
  const note = window?.get(i);
  const text = (words: string, dy: number, name: string) =>
    svg('text', { x: x + CELL / 2, y: y + CELL / 2 + dy, class: name }, words);
  return svg(
    'g',
    { class: `cell${window?.has(i) ? ' window' : ''}${i === hit ? ' hit' : ''}` },
    svg('rect', { x, y, width: CELL, height: CELL }),
    ...(value === null ? [] : [text(show(value), note ? -7 : 0, 'value')]),
    ...(note ? [text(note, 15, 'note')] : []),
  );
}

function rows({ values, width }: Grid): string[] {
  return Array.from({ length: values.length / width }, (_, row) =>
    values.slice(row * width, (row + 1) * width).map((value) => (value === null ? 'empty' : show(value))).join(' '),
  ); // prettier-ignore
}

function windowInWords({ window, width }: Grid): string {
  if (!window?.size) return '';
  const cells = [...window.keys()];
  const range = (values: number[]) => `${Math.min(...values)} to ${Math.max(...values)}`;
  const [inRows, inColumns] = [cells.map((i) => Math.floor(i / width)), cells.map((i) => i % width)];
  return `. The window: rows ${range(inRows)}, columns ${range(inColumns)}`;
}

/** The explorer's page: what is chosen, the grids, the sum of the cell that is looked at, and what a nudge does. */
import { html } from '../dom.js';
import { calculated, type Calculation } from './calculation.js';
import { controls } from './controls.js';
import { gridsView } from './grids.js';
import { painting } from './painting.js';
import { panelsOf } from './panels.js';
import { PRESETS } from './presets.js';
import { backendSection, codeSection, nudgeSection } from './sections.js';
import { type Cell, type Editable, fromHash, numberIn, RESULT, sourceOf, type State, toHash } from './state.js'; // prettier-ignore
import { inputOf, same } from './sums.js';
import { explained, nameOf, type Piece, sentence, show } from './words.js';

/** How long the address waits for more typing, in ms. Browsers refuse to change it too often. */
const CALM = 250;
/** How long a step of the play is shown, in ms. */
const SPEEDS = { slow: 2400, medium: 1200, fast: 500 };

const HINT = 'Arrow keys walk, Page Up and Page Down nudge, what has a ✎ can be edited.';
const PAINTING_HINT = 'Draw over x. By keyboard: the space bar paints, Shift with an arrow key draws on.';

export function mountExplorer(root: HTMLElement): void {
  let state = location.hash.includes('=') ? fromHash(location.hash) : PRESETS[0].state;
  let calculation: Calculation | undefined;
  let hovered: Cell | undefined;
  let waiting = 0;

  const choices = controls(() => state, (next) => go(next)); // prettier-ignore
  const grids = gridsView({ edit, step, paint, focus: look, hover });
  const trouble = html('p', { class: 'trouble', role: 'alert' });
  const sum = html('p', { class: 'sum', role: 'status' });
  const said = html('p', { class: 'said', role: 'status' });
  const explanation = html('p', { class: 'explanation' });
  const formula = html('p', { class: 'formula' });
  const stepping = steps(walk);
  const nudge = nudgeSection((change) => go({ ...state, ...change }, 'soon'), () => step(state.cell, 1)); // prettier-ignore
  const code = codeSection();
  const kernels = backendSection();
  const brush = painting(() => state, go); // prettier-ignore
  const hint = html('p', { class: 'hint' });
  const soFarBox = html('input', { type: 'checkbox' });
  const soFar = html('label', { class: 'field inline' }, soFarBox, 'Only what was added so far');
  soFarBox.addEventListener('change', () =>
    go(soFarBox.checked ? startOf(state) : { ...state, soFar: false }),
  );
  const dice = html('button', { type: 'button' }, 'Random numbers');
  dice.addEventListener('click', () => go({ ...state, ...randomNumbers(state) }));

  /** Shows another state. The address follows: as a new page of the history, or when there is a pause. */
  function go(next: State, when: 'now' | 'soon' = 'now'): void {
    if (when === 'now' && waiting) writeAddress();
    state = next;
    render();
    if (when === 'now') return history.pushState(null, '', toHash(state));
    clearTimeout(waiting);
    waiting = window.setTimeout(writeAddress, CALM);
  }

  function writeAddress(): void {
    clearTimeout(waiting);
    waiting = 0;
    history.replaceState(null, '', toHash(state));
  }

  function edit(of: Editable, index: number, text: string): void {
    write({ of, index }, numberIn(text));
  }

  function write({ of, index }: { of: Editable; index: number }, value: number): void {
    const values = [...state[of]];
    values[index] = value;
    go({ ...state, [of]: values }, 'soon');
  }

  /** The same for a cell that no field shows: a screen reader hears of it. */
  function writeAloud(cell: { of: Editable; index: number }, value: number): void {
    write(cell, value);
    if (calculation) said.textContent = `${nameOf(calculation, cell)} is now ${show(value)}`;
  }

  function paint({ index }: Cell): void {
    if (state.paint !== undefined && !Object.is(state.x[index], state.paint))
      writeAloud({ of: 'x', index }, state.paint);
  }

  /** Nudges the input behind a cell. */
  function step(cell: Cell, count: number): void {
    const input = cell.of === 'dy' ? { of: 'dy' as const, index: cell.index } : calculation && inputOf(calculation, cell); // prettier-ignore
    if (input)
      writeAloud(input, Number((state[input.of][input.index] + count * state.nudge).toPrecision(12)));
  }

  function look(cell: Cell): void {
    hovered = undefined;
    if (!same(cell, state.cell)) go({ ...state, cell }, 'soon');
  }

  function hover(cell: Cell | undefined): void {
    hovered = cell;
    showCell();
  }

  /** Goes to the next cell that collects, or that spreads. Returns whether another one follows. */
  function walk(by: number): boolean {
    if (!calculation) return false;
    const { view, look: followed } = state;
    const of = view === 'scatter' ? sourceOf(followed) : RESULT[followed];
    const cells = panelsOf(calculation).find((panel) => panel.of === of)!.planes.flatMap((plane) => plane.cells).filter((cell) => cell.of === of); // prettier-ignore
    const at = cells.findIndex((cell) => same(cell, state.cell));
    const to = Math.min(Math.max(at + by, 0), cells.length - 1);
    if (to !== at) look({ of, index: cells[to].index });
    return to < cells.length - 1;
  }

  function render(): void {
    choices.show(state);
    soFar.hidden = state.view !== 'scatter';
    soFarBox.checked = state.soFar;
    hint.textContent = state.paint === undefined ? HINT : PAINTING_HINT;
    const problem = calculate();
    trouble.textContent = problem;
    explored.hidden = problem !== '';
    if (calculation) {
      showCell();
      code.show(state);
      kernels.show(calculation);
      brush.show(calculation);
    }
  }

  /** Computes everything. Returns why it cannot, or ''. */
  function calculate(): string {
    calculation = undefined;
    try {
      const c = calculated(state);
      if (c.arrays.dy.length === 0) return 'The window does not fit into x: y is empty.';
      calculation = c;
      const isThere = (cell: Cell) => panelsOf(c).some(({ planes }) => planes.some(({ cells }) => cells.some((other) => same(other, cell)))); // prettier-ignore
      if (!isThere(state.cell)) state = { ...state, cell: { of: RESULT[state.look], index: 0 } };
      return '';
    } catch (error) {
      return (error as Error).message.replace('tfjs-convgrad: ', '');
    }
  }

  function showCell(): void {
    if (!calculation) return;
    const cell = hovered ?? state.cell;
    const { formula: formulaText, text } = explained(calculation);
    formula.textContent = formulaText;
    explanation.textContent = text;
    grids.show(calculation, cell);
    sum.replaceChildren(...sentence(calculation, cell).map(pieceElement));
    nudge.show(calculation);
  }

  const explored = html(
    'div',
    { class: 'explored' },
    html('div', { class: 'row tools' }, stepping, soFar, brush.element, dice),
    html('div', { class: 'telling' }, formula, explanation),
    grids.element,
    html(
      'div',
      { class: 'below' },
      html('div', { class: 'reading' }, sum),
      nudge.element,
      html('div', { class: 'more' }, hint, kernels.element, code.element),
    ),
    said,
  );
  root.append(
    html(
      'header',
      {},
      html('h1', {}, 'Convolution and pooling, cell by cell'),
      html('nav', { 'aria-label': 'Pages' }, html('a', { href: 'docs/learn/README.html' }, 'The course'), html('a', { href: 'index.html' }, 'tfjs-convgrad')), // prettier-ignore
    ),
    html('main', {}, choices.element, trouble, explored),
  );
  addEventListener('popstate', () => {
    clearTimeout(waiting);
    waiting = 0;
    state = location.hash.includes('=') ? fromHash(location.hash) : PRESETS[0].state;
    render();
  });
  render();
}

function pieceElement({ text, of, isZero }: Piece): HTMLElement | string {
  if (!of && !isZero) return text;
  return html('span', { class: [of && `of-${of}`, isZero && 'zero'].filter(Boolean).join(' ') }, text);
}

/** The first source, with nothing added after it. */
const startOf = (s: State): State => ({ ...s, soFar: true, cell: { of: sourceOf(s.look), index: 0 } });

/** Buttons that go from cell to cell, and one that goes on by itself. */
function steps(walk: (by: number) => boolean): HTMLElement {
  let playing = 0;
  const button = (text: string, click: () => void) => {
    const element = html('button', { type: 'button' }, text);
    element.addEventListener('click', click);
    return element;
  };
  const speed = html('select', {}, ...Object.keys(SPEEDS).map((name) => html('option', { value: name, selected: name === 'medium' }, name))); // prettier-ignore
  const stop = () => {
    clearTimeout(playing);
    playing = 0;
    play.textContent = 'Play';
  };
  const tick = () => {
    playing = window.setTimeout(
      () => (walk(1) ? tick() : stop()),
      SPEEDS[speed.value as keyof typeof SPEEDS],
    );
  };
  const stepBy = (by: number) => () => {
    stop();
    walk(by);
  };
  const play = button('Play', () => {
    if (playing) return stop();
    if (!walk(0)) walk(-Infinity); // from the start again
    play.textContent = 'Pause';
    tick();
  });
  return html(
    'div',
    { class: 'row', role: 'group', 'aria-label': 'Steps' },
    button('Previous', stepBy(-1)),
    button('Next', stepBy(1)),
    play,
    html('label', { class: 'field inline' }, 'Speed', speed),
  );
}

/** Small whole numbers for every cell. */
function randomNumbers({ x, filter, dy }: State): Pick<State, 'x' | 'filter' | 'dy'> {
  const whole = (values: number[], least: number, most: number) => values.map(() => least + Math.floor(Math.random() * (most - least + 1))); // prettier-ignore
  return { x: whole(x, 0, 9), filter: whole(filter, -2, 2), dy: whole(dy, -3, 3) };
}

/** The explorer's page: what is chosen, the grids, the sum of the cell that is looked at, and what a nudge does. */
import { html, short, show as shown } from '../dom.js';
import { calculated, type Calculation } from './calculation.js';
import { codeOf, type Kind, KINDS } from './code.js';
import type { Computed, onBackend } from './on_backend.js';
import { controls } from './controls.js';
import { gridsView } from './grids.js';
import { panelsOf } from './panels.js';
import { PRESETS } from './presets.js';
import {
  type Cell,
  type Editable,
  fromHash,
  numberIn,
  RESULT,
  sourceOf,
  type State,
  toHash,
} from './state.js';
import { GRADIENT_OF, inputOf, nudged, same } from './sums.js';
import { agrees, explained, nameOf, nudgeInWords, type Piece, sentence, verdict } from './words.js';

/** How long the address waits for more typing, in ms. Browsers refuse to change it too often. */
const CALM = 250;
/** How long a step of the play is shown, in ms. */
const SPEEDS = { slow: 2400, medium: 1200, fast: 500 };

export function mountExplorer(root: HTMLElement): void {
  let state = location.hash.includes('=') ? fromHash(location.hash) : PRESETS[0].state;
  let calculation: Calculation | undefined;
  let hovered: Cell | undefined;
  let waiting = 0;

  const choices = controls(() => state, (next) => go(next)); // prettier-ignore
  const grids = gridsView({ edit, step, focus: look, hover });
  const trouble = html('p', { class: 'trouble', role: 'alert' });
  const sum = html('p', { class: 'sum', role: 'status' });
  const said = html('p', { class: 'said', role: 'status' });
  const explanation = html('p', { class: 'explanation' });
  const formula = html('p', { class: 'formula' });
  const stepping = steps(walk);
  const nudge = nudgePanel((change) => go({ ...state, ...change }, 'soon'), () => step(state.cell, 1)); // prettier-ignore
  const hint = html('p', { class: 'hint' }, 'Point at a cell, or walk with the arrow keys. What has a ✎ can be edited. Page Up and Page Down nudge.'); // prettier-ignore
  const code = codePanel();
  const kernels = backendPanel();
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
    const values = [...state[of]];
    values[index] = numberIn(text);
    go({ ...state, [of]: values }, 'soon');
  }

  /** Nudges the input behind a cell. */
  function step(cell: Cell, count: number): void {
    const input = cell.of === 'dy' ? { of: 'dy' as const, index: cell.index } : inputOf(cell);
    if (!input) return;
    const values = [...state[input.of]];
    values[input.index] = Number((values[input.index] + count * state.nudge).toPrecision(12));
    go({ ...state, [input.of]: values }, 'soon');
    if (calculation) said.textContent = `${nameOf(calculation, input)} is now ${shown(values[input.index])}`;
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
    const problem = calculate();
    trouble.textContent = problem;
    explored.hidden = problem !== '';
    if (calculation) {
      showCell();
      code.show(state);
      kernels.show(calculation);
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
    grids.show(calculation, cell);
    sum.replaceChildren(...sentence(calculation, cell).map(pieceElement));
    const { formula: formulaText, text } = explained(calculation);
    formula.textContent = formulaText;
    explanation.textContent = text;
    nudge.show(calculation);
  }

  const explored = html(
    'div',
    { class: 'explored' },
    html('div', { class: 'row' }, stepping, soFar, dice, hint),
    html('div', { class: 'telling' }, formula, explanation),
    grids.element,
    html('div', { class: 'reading' }, sum),
    nudge.element,
    kernels.element,
    code.element,
    said,
  );
  root.append(
    html(
      'header',
      {},
      html('h1', {}, 'Convolution and pooling, cell by cell'),
      html('a', { href: 'index.html' }, 'tfjs-convgrad'),
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

const NUDGES = [1, 0.1, 0.001, -0.1, -1];

/** Moves the input behind a cell, and compares the difference quotient with the derivative. */
function nudgePanel(change: (fields: { nudge: number }) => void, apply: () => void) {
  const select = html('select', {}, ...NUDGES.map((value) => html('option', { value }, shown(value))));
  select.addEventListener('change', () => change({ nudge: Number(select.value) }));
  const button = html('button', { type: 'button' }, 'Nudge');
  button.addEventListener('click', apply);
  const lines = html('div', { class: 'lines' });
  const title = html('h2', { id: 'nudge' }, 'Nudge');
  const element = html(
    'section',
    { class: 'nudge', 'aria-labelledby': 'nudge' },
    html('div', { class: 'row' }, title, html('label', { class: 'field inline' }, 'by', select), button),
    lines,
  );

  function show(c: Calculation): void {
    const n = nudged(c, c.state.cell, calculated);
    element.hidden = !n;
    if (!n) return;
    if (!NUDGES.includes(n.step) && !Array.from(select.options).some(({ value }) => Number(value) === n.step)) select.append(html('option', { value: n.step }, shown(n.step))); // prettier-ignore
    select.value = String(n.step);
    title.textContent = `Nudge ${nameOf(c, n.input)}`;
    const [what, quotient] = nudgeInWords(c, n);
    const gradient = GRADIENT_OF[n.input.of];
    const name = nameOf(c, { of: gradient, index: n.input.index });
    const isRight = agrees(n);
    const isTfjsRight = n.tfjs === undefined || agrees({ ...n, derivative: n.tfjs });
    lines.replaceChildren(
      html('p', {}, what),
      html('p', {}, quotient),
      html(
        'p',
        {},
        'Derivative: ',
        html('span', { class: `of-${gradient}` }, name),
        ` = ${shown(n.derivative)}`,
      ),
      html('p', { class: isRight ? 'right' : 'wrong' }, `${isRight ? '✓' : '✗'} ${verdict(n)}`),
      ...(isTfjsRight ? [] : [html('p', { class: 'wrong' }, `✗ tfjs 4.22 says ${shown(n.tfjs!)} here.`)]),
    );
  }
  return { element, show };
}

/** The same by the plugin's kernels, in float32. Their script, which brings tfjs, is loaded at the first click. */
function backendPanel() {
  const select = html('select', {}, ...['cpu', 'wasm', 'webgl'].map((name) => html('option', { value: name }, name))); // prettier-ignore
  const button = html('button', { type: 'button' }, 'Compute');
  const lines = html('div', { class: 'lines', role: 'status' });
  let current: Calculation | undefined;
  button.addEventListener('click', async () => {
    const c = current!;
    lines.textContent = 'Computing …';
    const texts = await kernelOnBackend().then((run) => run(select.value, c.state)).then((computed) => compared(c, computed), (error: Error) => [error.message]); // prettier-ignore
    if (c === current) lines.replaceChildren(...texts.map((text) => html('p', {}, text)));
  });
  const row = html('div', { class: 'row' }, html('label', { class: 'field inline' }, 'on', select), button);
  const element = html('details', { class: 'kernels' }, html('summary', {}, 'By the kernels of a backend'), row, lines); // prettier-ignore
  const show = (c: Calculation) => {
    const values = (s: State) => toHash({ ...s, cell: c.state.cell });
    if (current && values(current.state) === values(c.state)) return;
    current = c;
    lines.replaceChildren();
  };
  return { element, show };
}

/** The script's function. */
async function kernelOnBackend(): Promise<typeof onBackend> {
  const loaded = globalThis as { explorerOnBackend?: typeof onBackend };
  if (!loaded.explorerOnBackend) {
    const script = html('script', { src: 'backend.js' });
    document.head.append(script);
    await new Promise((done, fail) => {
      script.onload = done;
      script.onerror = () => fail(new Error('backend.js does not load from beside this page'));
    });
  }
  return loaded.explorerOnBackend!;
}

/** How far the kernels are from float64. */
function compared({ arrays }: Calculation, computed: Computed): string[] {
  return Object.entries(computed).map(([name, values]) => {
    const want = arrays[name as keyof Computed];
    const differences = Array.from(values, (value, i) => (value === want[i] ? 0 : Math.abs(value - want[i])));
    const largest = Math.max(...differences);
    return `${name}: ${largest === 0 ? 'equal to float64 in every cell' : `at most ${short(largest)} from float64`}`;
  });
}

/** The program that computes what is shown. */
function codePanel() {
  const select = html('select', {}, ...KINDS.map((kind) => html('option', { value: kind }, kind)));
  const text = html('pre', { tabindex: 0, 'aria-label': 'Program' });
  const button = html('button', { type: 'button' }, 'Copy');
  let state: State;
  const write = () => (text.textContent = codeOf(state, select.value as Kind));
  select.addEventListener('change', write);
  button.addEventListener('click', async () => {
    getSelection()?.selectAllChildren(text); // where a page may not copy, the reader can
    await navigator.clipboard?.writeText(text.textContent ?? '').catch(() => {});
  });
  const row = html('div', { class: 'row' }, html('label', { class: 'field inline' }, 'with', select), button);
  const element = html('details', { class: 'code' }, html('summary', {}, 'As a program'), row, text);
  const show = (s: State) => {
    state = s;
    write();
  };
  return { element, show };
}

/** Small whole numbers for every cell. */
function randomNumbers({ x, filter, dy }: State): Pick<State, 'x' | 'filter' | 'dy'> {
  const whole = (values: number[], least: number, most: number) => values.map(() => least + Math.floor(Math.random() * (most - least + 1))); // prettier-ignore
  return { x: whole(x, 0, 9), filter: whole(filter, -2, 2), dy: whole(dy, -3, 3) };
}

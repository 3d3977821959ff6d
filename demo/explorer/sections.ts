/** What stands below the grids: what a nudge does, what the kernels of a backend give, and the program. */
import { html, short } from '../dom.js';
import { calculated, type Calculation } from './calculation.js';
import { codeOf, type Kind, KINDS } from './code.js';
import { choice } from './controls.js';
import type { Computed, onBackend } from './on_backend.js';
import { type State, toHash } from './state.js';
import { GRADIENT_OF, nudged } from './sums.js';
import { agrees, nameOf, nudgeInWords, show as shown, verdict } from './words.js';

const NUDGES = ['1', '0.1', '0.001', '-0.1', '-1'];

/** Moves the input behind a cell, and compares the difference quotient with the derivative. */
export function nudgeSection(change: (fields: { nudge: number }) => void, apply: () => void) {
  const step = choice('by', NUDGES, (s) => String(s.nudge), (value) => change({ nudge: Number(value) })); // prettier-ignore
  step.element.classList.add('inline');
  const button = html('button', { type: 'button' }, 'Nudge');
  button.addEventListener('click', apply);
  const lines = html('div', { class: 'lines' });
  const title = html('h2', { id: 'nudge' }, 'Nudge');
  const element = html(
    'section',
    { class: 'nudge', 'aria-labelledby': 'nudge' },
    html('div', { class: 'row' }, title, step.element, button),
    lines,
  );

  function show(c: Calculation): void {
    const n = nudged(c, c.state.cell, calculated);
    element.hidden = !n;
    if (!n) return;
    step.show(c.state);
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
        ` = ${shown(n.derivative)} `,
        html('strong', { class: isRight ? 'right' : 'wrong' }, `${isRight ? '✓' : '✗'} ${verdict(n)}`),
      ),
      ...(isTfjsRight ? [] : [html('p', { class: 'wrong' }, `✗ tfjs 4.22 says ${shown(n.tfjs!)} here.`)]),
    );
  }
  return { element, show };
}

/** The same by the plugin's kernels, in float32. Their script, which brings tfjs, is loaded at the first click. */
export function backendSection() {
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
    const differences = Array.from(values, (value, i) =>
      Object.is(value + 0, want[i] + 0) ? 0 : Math.abs(value - want[i]),
    );
    const largest = Math.max(...differences);
    return `${name}: ${largest === 0 ? 'equal to float64 in every cell' : `at most ${short(largest)} from float64`}`;
  });
}

/** The program that computes what is shown. */
export function codeSection() {
  const select = html('select', {}, ...KINDS.map((kind) => html('option', { value: kind }, kind)));
  const text = html('pre', { tabindex: 0, 'aria-label': 'Program' });
  const button = html('button', { type: 'button' }, 'Copy');
  let state: State;
  const write = () => (text.textContent = codeOf(state, select.value as Kind));
  select.addEventListener('change', write);
  button.addEventListener('click', async () => {
    getSelection()?.selectAllChildren(text); // where a page may not copy, the reader can
    const isCopied = navigator.clipboard?.writeText(text.textContent ?? '').then(() => true, () => false); // prettier-ignore
    button.textContent = (await isCopied) ? 'Copied' : 'Selected';
  });
  const row = html('div', { class: 'row' }, html('label', { class: 'field inline' }, 'with', select), button);
  const element = html('details', { class: 'code' }, html('summary', {}, 'As a program'), row, text);
  const show = (s: State) => {
    state = s;
    button.textContent = 'Copy';
    write();
  };
  return { element, show };
}

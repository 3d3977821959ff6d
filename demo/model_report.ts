/** What the page shows of a model that was checked, and gives to copy or save. */
import { type Cell, format } from '../src/cli/cells.js';
import { browserName, gpuName, texturesInWords } from '../src/cli/device.js';
import type { ModelRun } from '../src/cli/model/command.js';
import { ERROR_UNIT, KERNEL_COLUMNS, kernelCells, linesOf, ownShare, speedUps, verdictOf } from '../src/cli/model/tables.js'; // prettier-ignore
import type { ModelResult, Side } from '../src/cli/model/task.js';
import { modelText } from '../src/cli/model/text.js';
import { writeNumber } from '../src/cli/numbers.js';
import { html, list } from './dom.js';

/** What the section says of the device before a check. */
export function device(hasWebgl: boolean): HTMLElement {
  return list([
    ['Browser', browserName()],
    ['GPU', hasWebgl ? gpuName() : 'webgl does not start here'],
    ...(hasWebgl ? [['Its textures carry', texturesInWords()] as const] : []),
  ]);
}

export const jsonOf = (run: ModelRun) => JSON.stringify(run, writeNumber, 2);

/** The run as text, as the command prints it, with what it was run on. */
function textOf(run: ModelRun): string {
  const facts = { Model: run.model, Machine: run.machine, ...run.versions, Date: run.date };
  return [...Object.entries(facts).map(([name, value]) => `${name}: ${value}`), modelText(run, false)].join('\n'); // prettier-ignore
}

export function verdict({ backend, tfjs, plugin }: ModelResult): { text: string; state?: 'right' | 'wrong' } {
  const both = [tfjs, plugin].map((side) => verdictOf(side).toLowerCase());
  const isWrong = both.some((verdict) => verdict === 'wrong' || verdict === 'throws');
  const isRight = both.every((verdict) => verdict === 'right');
  const sign = isWrong ? '✗' : isRight ? '✓' : '?';
  const text = `${sign} On ${backend}: ${both[0]} with tfjs’s kernels, ${both[1]} with the plugin’s.`;
  return { text, ...(isWrong ? { state: 'wrong' } : isRight && { state: 'right' }) };
}

export function shown(run: ModelRun, url: string): Element[] {
  const [result] = run.results;
  return [
    ...saving(textOf(run), url),
    ...side('With tfjs’s kernels', result.tfjs),
    ...side('With the plugin’s kernels', result.plugin),
    html('h3', {}, 'Kernels'),
    list([
      ['Inputs', result.inputs.map(({ name, shape }) => `${name} ${shape.join('x')}`).join(', ')],
      [run.gradients ? 'A run forward and backward' : 'A prediction', time(result)],
    ]),
    table('Kernels', KERNEL_COLUMNS, kernelCells(result)),
    html('p', {}, `${ownShare(result)} ${ERROR_UNIT}`),
  ];
}

function time(result: ModelResult): string {
  const { tfjs, plugin } = result.whole;
  const { measured } = speedUps(result);
  const ms = (value: number | null) => (value === null ? 'no time: it throws' : `${format(value)} ms`);
  return `${ms(tfjs)} with tfjs’s kernels, ${ms(plugin)} with the plugin’s${measured === null ? '' : `: ${measured.toFixed(1)}x`}`;
}

function side(title: string, given: Side): Element[] {
  const [first, ...rest] = linesOf(given);
  const isWrong = 'error' in given || given.report.verdict === 'wrong';
  return [
    html('h3', {}, title),
    html('p', { class: isWrong ? 'wrong' : '' }, first),
    ...(rest.length > 0 ? [html('ul', {}, ...rest.map((line) => html('li', {}, line)))] : []),
  ];
}

/** Buttons that copy and save the report, and its text, which can be copied by hand. */
function saving(text: string, url: string): Element[] {
  const content = html('pre', { class: 'scroll', tabindex: 0, role: 'region', 'aria-label': 'The report as text' }, text); // prettier-ignore
  const details = html('details', {}, html('summary', {}, 'The report as text'), content);
  const copy = html('button', { type: 'button' }, 'Copy the report');
  const done = html('span', { role: 'status' });
  copy.addEventListener('click', async () => {
    try {
      await navigator.clipboard.writeText(text);
      done.textContent = 'Copied.';
    } catch {
      details.open = true;
      getSelection()?.selectAllChildren(content);
      done.textContent =
        'This browser does not let the page copy. The text below is selected: copy it yourself.';
    }
  });
  const save = html('a', { class: 'button', href: url, download: 'tfjs-convgrad-model.json' }, 'Save it as JSON'); // prettier-ignore
  return [html('div', { class: 'controls' }, copy, save, done), details];
}

// Elements

/** A table that scrolls in its own box. */
function table(label: string, columns: readonly string[], rows: readonly Cell[][]): HTMLElement {
  const head = html('tr', {}, ...columns.map((name) => html('th', { scope: 'col' }, name)));
  const body = rows.map((row) => html('tr', {}, ...row.map(cell)));
  const all = html('table', {}, html('thead', {}, head), html('tbody', {}, ...body));
  return html('div', { class: 'scroll', tabindex: 0, role: 'region', 'aria-label': label }, all);
}

function cell(content: Cell): HTMLElement {
  if (content === null) return html('td', { class: 'number' }, '–');
  if (typeof content === 'number') return html('td', { class: 'number' }, format(content));
  if (typeof content === 'string') return html('td', {}, content);
  return html('td', { class: content.ok ? '' : 'wrong' }, content.ok ? content.text : `✗ ${content.text}`);
}

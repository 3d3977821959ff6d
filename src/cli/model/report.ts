/** The HTML report of `model`: what is right and how fast, on each backend, and pictures of the ops along the model. */
import * as Plot from '@observablehq/plot';
import type { ModelOp } from '../../verify/model/model-report.js';
import { type Cell, format } from '../cells.js';
import { BLUE, escape, FAILED, failed, figure, ORANGE, pageWith, table } from '../html.js';
import type { ModelRun } from './command.js';
import {
  ERROR_UNIT,
  errorCell,
  KERNEL_COLUMNS,
  kernelCells,
  linesOf,
  opsIn,
  ownShare,
  placeOf,
  speedUps,
  verdictOf,
} from './tables.js';
import type { ModelResult, Side } from './task.js';

export function modelPageOf(run: ModelRun): string {
  const { model, results } = run;
  const content = `${summary(run)}
<h2>Backends</h2>
${backendsTable(run)}
${results.map(resultSection).join('\n')}`;
  return pageWith(`tfjs-convgrad: ${model}`, content);
}

function summary({ model, gradients, machine, versions, date, results }: ModelRun): string {
  const wrong = results.filter(({ plugin }) => verdictOf(plugin) === 'WRONG' || 'error' in plugin);
  const names = wrong.map(({ backend }) => backend).join(', ');
  const what = gradients ? 'forward and backward' : 'forward';
  const facts = { Model: model, Run: what, Machine: machine, ...versions, Date: date };
  return `<p class="verdict">${names ? failed(`With the plugin something is wrong on ${names}.`) : '✓ With the plugin no op is wrong.'}</p>
<dl>${Object.entries(facts)
    .map(([name, value]) => `<dt>${escape(name)}<dd>${escape(value)}`)
    .join('\n')}</dl>`;
}

function backendsTable({ results }: ModelRun): string {
  return `${table(
    'Backends',
    [
      'Backend',
      'Inputs',
      "tfjs's kernels",
      "The plugin's",
      'ms, tfjs',
      'ms, plugin',
      'Speed expected',
      'Speed measured',
    ],
    results.map((result) => {
      const { expected, measured } = speedUps(result);
      const inputs = result.inputs.map(({ name, shape }) => `${name} ${shape.join('x')}`).join(', ');
      return [result.backend, inputs, told(result.tfjs), told(result.plugin), result.whole.tfjs, result.whole.plugin, expected, measured]; // prettier-ignore
    }),
  )}
<p>Times are medians of whole runs, with both sets of kernels in turn. Speed is how many times faster the model is with the plugin: expected
by the times of its kernels, and measured.</p>`;
}

const told = (side: Side): Cell => {
  const verdict = verdictOf(side);
  return verdict === 'WRONG' || verdict === 'throws' ? { text: verdict, ok: false } : verdict;
};

function resultSection(result: ModelResult): string {
  return `<h2>${escape(result.backend)}</h2>
${sideSection("With tfjs's kernels", result.tfjs)}
${sideSection("With the plugin's kernels", result.plugin)}
<h3>Kernels</h3>
${table(`Kernels on ${result.backend}`, KERNEL_COLUMNS, kernelCells(result))}
<p>${escape(ownShare(result))} ${escape(ERROR_UNIT)}</p>
<details><summary>Every op</summary>
${table(
  `Every op on ${result.backend}`,
  ['Op', 'Layer', 'Inputs', 'State', 'Error, tfjs', 'Error, plugin', 'ms, tfjs', 'ms, plugin'],
  opsIn(result).map(({ op, tfjs }) => {
    const { layer, shapes } = placeOf(op);
    const errors = [tfjs, op].map((one) => errorCell(one?.error ?? null, one?.state === 'wrong'));
    return [`#${op.index} ${op.kernel}`, layer, shapes, op.state, ...errors, tfjs?.milliseconds ?? null, op.milliseconds]; // prettier-ignore
  }),
)}</details>`;
}

function sideSection(title: string, side: Side): string {
  const [first, ...rest] = linesOf(side);
  if ('error' in side) return `<h3>${escape(title)}</h3>\n<p>${failed(first)}</p>`;
  const { ops } = side.report;
  return `<h3>${escape(title)}</h3>
<p>${side.report.verdict === 'wrong' ? failed(first) : escape(first)}</p>
${rest.length > 0 ? `<ul>${rest.map((line) => `<li>${escape(line)}`).join('\n')}</ul>` : ''}
<div class="plots">
${errorPlot(title, ops)}
${timePlot(title, ops)}
</div>`;
}

/** The most ops that are named in a plot, and how far apart they must be, as a share of all. */
const NAMED = 3;
const APART = 0.3;

/** Those with the largest values, without those whose names would lie upon each other. */
function namedOf(ops: readonly ModelOp[], y: (op: ModelOp) => number): ModelOp[] {
  const named: ModelOp[] = [];
  for (const op of [...ops].sort((a, b) => y(b) - y(a))) {
    const isFree = named.every(({ index }) => Math.abs(index - op.index) > APART * ops.length);
    if (named.length < NAMED && isFree && y(op) > 0) named.push(op);
  }
  return named;
}

const errorOf = ({ error, state }: ModelOp) => error ?? (state === 'wrong' ? Infinity : 0);
const isAboveAll = (op: ModelOp) => !(errorOf(op) <= 2);

function errorPlot(title: string, ops: readonly ModelOp[]): string {
  const y = (op: ModelOp) => (isAboveAll(op) ? 2 : errorOf(op));
  const cut = ops.some(isAboveAll) ? ' Errors above 2 are drawn at 2.' : '';
  const domain: [number, number] = [0, ops.some((op) => !(errorOf(op) <= 1)) ? 2 : 1];
  return alongTheModel(`${title}: error of each op along the model.${cut}`, ops, y, 'Error', domain, [1]);
}

function timePlot(title: string, ops: readonly ModelOp[]): string {
  const caption = `${title}: milliseconds of each op, in one run. On a GPU it is the time until its work is queued.`;
  return alongTheModel(caption, ops, ({ milliseconds }) => milliseconds, 'Milliseconds');
}

/** A line for each op, in the order of the model. */
function alongTheModel(
  caption: string,
  ops: readonly ModelOp[],
  y: (op: ModelOp) => number,
  label: string,
  domain?: [number, number],
  rules: number[] = [],
): string {
  const title = (op: ModelOp) =>
    `#${op.index} ${op.kernel}${op.layer ? ` of ${op.layer}` : ''}: ${format(y(op))}`;
  const stroke = (op: ModelOp) => (op.state === 'wrong' ? FAILED : op.phase === 'backward' ? ORANGE : BLUE);
  const named = namedOf(ops, y);
  const strokeWidth = Math.min(6, Math.max(1, 300 / ops.length));
  return figure(caption, {
    height: 210,
    marginTop: 36,
    marginBottom: 42,
    marginRight: 24,
    x: { domain: [-0.5, ops.length - 0.5], label: 'Op', tickFormat: 'd' },
    y: { label, grid: true, zero: true, ...(domain && { domain }) },
    marks: [
      Plot.ruleY(rules, { strokeDasharray: '4' }),
      Plot.ruleX(ops, { x: 'index', y1: 0, y2: y, stroke, strokeWidth, title }),
      ...(['start', 'end'] as const).map((textAnchor) =>
        Plot.text(
          named.filter((op) => op.index > ops.length / 2 === (textAnchor === 'end')),
          { x: 'index', y, text: 'kernel', dy: -6, fill: 'currentColor', textAnchor },
        ),
      ),
    ],
  }); // prettier-ignore
}

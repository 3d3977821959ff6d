/** The report of a run: one HTML page that needs no other file. Its plots and pictures are inline SVG. */
import * as Plot from '@observablehq/plot';
import { format } from './cells.js';
import {
  BLUE,
  bounded,
  draw,
  escape,
  failed,
  FAILED,
  figure,
  GREEN,
  ORANGE,
  pageWith,
  table,
  verdict,
} from './html.js';
import type { Comparison } from './comparison.js';
import type { FeatureMap } from './feature-maps.js';
import { noCase, remarksOn } from './remarks.js';
import {
  agreement,
  kernelTable,
  limitsOfTfjs,
  type Run,
  sharedSteps,
  type Training,
  trainingTable,
} from './training.js';
import { median } from '../verify/time.js';
import type { Example } from './worked-examples.js';

export interface Report {
  machine: string;
  versions: Record<string, string>;
  date: string;
  ok: boolean;
  comparisons: Comparison[];
  /** Names of the module's kernels of which there is no case. */
  notCompared?: string[];
  /** The module whose kernels were compared; absent for the plugin's own. */
  from?: string;
  /** Only `npm start` has examples, training and feature maps. */
  examples?: Example[];
  /** Absent if the training was skipped. */
  training?: Training;
  featureMaps?: FeatureMap[];
}

export function pageOf(report: Report): string {
  const { examples, training, featureMaps } = report;
  const content = `${summary(report)}
${examples ? examplesSection(examples) : ''}
${comparisonSection(report)}
${training ? trainingSection(training) : ''}
${featureMaps ? `<h2>Feature maps</h2>\n<div class="pictures">${featureMaps.map(picture).join('\n')}</div>` : ''}`;
  return pageWith('tfjs-convgrad: report', content);
}

function examplesSection(examples: Example[]): string {
  return `<h2>Worked examples</h2>
${table(
  ['Id', 'Verdict', 'Example', 'Result', 'Expected'],
  examples.map(({ id, title, got, want, ok }) => [id, verdict(ok), title, got, want]),
)}`;
}

function summary(report: Report): string {
  const { machine, versions, date, ok, from, examples, comparisons, notCompared = [], training } = report;
  const parts = [
    ...(examples ? [`${count(examples)} worked examples`] : []),
    `${count(comparisons)} comparisons right`,
    ...(training ? [`training ${training.ok ? 'agrees' : 'disagrees'}`] : []),
    ...(examples && !training ? ['training skipped'] : []),
  ];
  const facts = { Kernels: from ?? 'of tfjs-convgrad', Machine: machine, ...versions, Date: date };
  return `<p class="verdict">${ok ? '✓ Everything agrees' : failed('Something disagrees')}: ${parts.join(', ')}.</p>
${notCompared.length > 0 ? `<p>${escape(noCase(notCompared))}</p>` : ''}
<dl>${Object.entries(facts)
    .map(([name, value]) => `<dt>${escape(name)}<dd>${escape(value)}`)
    .join('\n')}</dl>`;
}

/** With spaces at which a line does not break. */
const count = (rows: { ok: boolean }[]) =>
  `${rows.filter(({ ok }) => ok).length}\u00a0of\u00a0${rows.length}`;

function comparisonSection({ comparisons, from }: Report): string {
  const ops = [...new Set(comparisons.map(({ op }) => op))].map((op) => ({
    op,
    rows: comparisons.filter((c) => c.op === op),
  }));
  const whose = from === undefined ? 'The kernels of tfjs-convgrad' : `The kernels of ${from}`;
  const isTimed = comparisons.some(({ timeRatio }) => timeRatio !== null);
  return `<h2>Kernels</h2>
<p>${escape(whose)} ran on random inputs. Each result was compared with a definition in float64 and, if tfjs has a kernel of that name,
with the result of that kernel, the built-in.</p>
<dl>
<dt>Error<dd>How far the worst element is off, in units of what rounding may do: 0 is exact, up to 1 is right, above 1 is wrong.
∞ means that a sum of whole numbers is wrong, or that there is no result.
<dt>Gradient error<dd>The same for a gradient, against differences of the op.
<dt>Speed<dd>Time of the built-in divided by the time of the kernel: above 1 the kernel is faster than the built-in.
</dl>
${overview(ops)}
<div class="plots">
${figure(`Error of each case.${comparisons.some(isAboveAll) ? ' Errors above 2 are drawn at 2.' : ''}`, errorPlot(comparisons))}
${
  isTimed
    ? figure('Speed of each case that has a built-in.', speedPlot(comparisons))
    : '<p>There are no speeds: no case has a built-in that gives a result.</p>'
}
</div>
<h2>Every case</h2>
${ops.map(({ op, rows }) => caseList(op, rows)).join('\n')}`;
}

/** A kernel, and its comparisons. */
interface Op {
  op: string;
  rows: Comparison[];
}

function overview(ops: Op[]): string {
  return table(
    ['Kernel', 'Right', 'Largest error', 'Largest gradient error', 'Median speed'],
    ops.map(({ op, rows }) => {
      const speeds = rows.flatMap(({ timeRatio }) => timeRatio ?? []);
      return [
        op,
        rows.every(({ ok }) => ok) ? count(rows) : { text: count(rows), ok: false },
        bounded(largest(rows.map(({ error }) => error))),
        bounded(largest(rows.map(({ gradientError }) => gradientError))),
        speeds.length > 0 ? median(speeds) : null,
      ];
    }),
  );
}

function largest(errors: (number | null)[]): number | null {
  const numbers = errors.filter((error) => error !== null);
  return numbers.length > 0 ? Math.max(...numbers) : null;
}

/** The cases of a kernel, those that failed first. */
function caseList(op: string, rows: Comparison[]): string {
  const ok = rows.every((row) => row.ok);
  const sorted = [...rows].sort((a, b) => Number(a.ok) - Number(b.ok));
  const right = `${count(rows)} right`;
  return `<details${ok ? '' : ' open'}><summary>${escape(op)}: ${ok ? right : failed(right)}</summary>
${table(
  ['Case', 'Verdict', 'Error', 'Gradient error', 'Error of the built-in', 'Speed', 'Remark'],
  sorted.map((c) => [
    c.case,
    verdict(c.ok),
    bounded(c.error),
    bounded(c.gradientError),
    c.builtinError,
    c.timeRatio,
    remarkOn(c),
  ]),
)}</details>`;
}

function remarkOn(c: Comparison): string {
  const remarks = remarksOn(c);
  const isAll = c.builtin === 'none' && remarks.length > 0;
  return [...remarks, ...(isAll ? [] : [onBuiltin(c.builtin)])]
    .map((text) => text.replace(/\.$/, ''))
    .join('. ');
}

function onBuiltin(builtin: string): string {
  if (builtin === 'equal') return 'equals the built-in';
  if (builtin === 'none') return 'no built-in';
  if (builtin === 'differs') return 'the built-in differs';
  return `the built-in differs, see docs/deviations.md, ${builtin}`;
}

function trainingSection(training: Training): string {
  const runs = training.runs.filter(({ losses }) => losses.length > 0);
  const [head, ...rows] = trainingTable(training);
  const [kernelHead, ...kernelRows] = kernelTable(training);
  const sentence = agreement(training);
  return `<h2>Training on handwritten digits</h2>
<p>All start with the same weights and see the same batches. ${training.ok ? escape(sentence) : failed(sentence)}
${escape(limitsOfTfjs(training).join(' '))}</p>
${table(head, rows)}
${table(kernelHead, kernelRows)}
${figure('Loss of each step', lossPlot(runs))}
${table(
  ['Step', ...runs.map(({ title }) => `Loss, ${title}`)],
  Array.from({ length: sharedSteps(training) }, (_, i) => [
    i + 1,
    ...runs.map(({ losses }) => losses[i].toFixed(6)),
  ]),
)}`;
}

// Plots

/** Whether the error, which may be NaN, is above all that the plot has a place for. */
const isAboveAll = ({ error }: Comparison) => !(error <= 2);

const errorPlot = (comparisons: Comparison[]): string =>
  strip(comparisons, {
    value: (c) => (isAboveAll(c) ? 2 : c.error),
    x: { domain: [0, comparisons.some(({ error }) => !(error <= 1)) ? 2 : 1], label: 'Error' },
  });

const speedPlot = (comparisons: Comparison[]): string =>
  strip(
    comparisons.filter(({ timeRatio }) => timeRatio !== null),
    { value: ({ timeRatio }) => timeRatio!, x: { type: 'log', nice: true, label: 'Speed' } },
  );

interface Axis {
  value: (comparison: Comparison) => number;
  x: Plot.ScaleOptions;
}

/**
 * A plot with a row for each kernel: its name, how many of its cases failed, and below these a tick for each case, or a cross if it
 * failed. The rule at 1 is the largest right error, or equal speed.
 */
function strip(comparisons: Comparison[], { value, x }: Axis): string {
  const ops = [...new Set(comparisons.map(({ op }) => op))];
  const failures = comparisons.filter(({ ok }) => !ok);
  const failuresOf = (op: string) => failures.filter((c) => c.op === op).length;
  const above = { dy: -11, stroke: 'var(--plot-background)', strokeWidth: 4 };
  const title = (c: Comparison) => `${c.op}, ${c.case}: ${format(value(c))}`;
  return draw({
    height: 50 + 44 * ops.length,
    marginLeft: 24,
    marginRight: 24,
    marginTop: 4,
    marginBottom: 42,
    x: { grid: true, ticks: 6, tickFormat: '~g', ...x },
    y: { domain: ops, axis: null, padding: 0 },
    marks: [
      Plot.ruleX([1], { strokeDasharray: '4' }),
      Plot.tickX(
        comparisons.filter(({ ok }) => ok),
        { x: value, y: 'op', stroke: BLUE, strokeWidth: 2, strokeOpacity: 0.7, insetTop: 22, insetBottom: 4, title },
      ),
      Plot.dot(failures, { x: value, y: 'op', dy: 9, stroke: FAILED, symbol: 'times', r: 5, strokeWidth: 2, title }),
      Plot.text(ops, { ...above, y: (op: string) => op, text: (op: string) => op, frameAnchor: 'left', textAnchor: 'start', textOverflow: 'ellipsis-end', lineWidth: 22, fill: 'currentColor' }),
      Plot.text(ops.filter(failuresOf), { ...above, y: (op: string) => op, text: (op: string) => `${failuresOf(op)} failed`, frameAnchor: 'right', textAnchor: 'end', fill: FAILED }),
    ],
  }); // prettier-ignore
}

/** The first run is that of tfjs's own kernels. Lines that agree lie upon each other, so their symbols differ. */
function lossPlot(runs: Run[]): string {
  const points = runs.flatMap(({ title, losses }) => losses.map((loss, i) => ({ step: i + 1, loss, title })));
  const domain = runs.map(({ title }) => title);
  const steps = Math.max(...points.map(({ step }) => step));
  return draw({
    height: 240,
    marginBottom: 42,
    x: { label: 'Step', ticks: Math.min(steps, 10), tickFormat: 'd' },
    y: { label: 'Loss', grid: true, zero: true },
    symbol: { domain, range: ['times', 'circle', 'plus'], legend: true },
    color: { domain, range: [ORANGE, BLUE, GREEN] },
    marks: [
      Plot.lineY(points, { x: 'step', y: 'loss', z: 'title', stroke: 'title' }),
      Plot.dot(points, { x: 'step', y: 'loss', stroke: 'title', symbol: 'title' }),
    ],
  });
}

/** A cell for each value: grey from 0 up or, if there are negative values, red below 0 and blue above. */
function picture({ title, width, height, values }: FeatureMap): string {
  const signed = values.some((value) => value < 0);
  const svg = draw({
    ariaLabel: title,
    width: 8 * width,
    height: 8 * height,
    margin: 0,
    axis: null,
    x: { padding: 0 },
    y: { padding: 0 },
    color: signed
      ? { type: 'diverging', scheme: 'RdBu' }
      : { type: 'linear', scheme: 'Greys', domain: [0, Math.max(...values) || 1] },
    marks: [
      Plot.cell(values, {
        x: (_, i) => i % width,
        y: (_, i) => Math.floor(i / width),
        fill: (value: number) => value,
        inset: -0.1,
      }),
    ],
  });
  return figure(title, svg);
}

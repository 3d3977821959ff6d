/** The report of a run: one HTML page that needs no other file. Its plots and pictures are inline SVG. */
import * as Plot from '@observablehq/plot';
import { type Cell, folded, format, twoDigits } from './cells.js';
import {
  BLUE,
  bounded,
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
import { differsOnPurpose, failedFirst, noCase, outcome, remarksOn, WHAT_ROWS_ARE } from './remarks.js';
import {
  agreement,
  kernelTable,
  limitsOfTfjs,
  type Run,
  sharedSteps,
  type Training,
  trainingTable,
} from './training.js';
import { HOW_TIMED, type Speed, speedTable } from './speeds.js';
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
  /** Only `npm start` has examples, speeds, training and feature maps. */
  examples?: Example[];
  speeds?: Speed[];
  /** Absent if the training was skipped. */
  training?: Training;
  featureMaps?: FeatureMap[];
}

export function pageOf(given: Report): string {
  const report = { ...given, comparisons: failedFirst(given.comparisons) };
  const { examples, speeds, training, featureMaps } = report;
  const content = `${summary(report)}
${examples ? examplesSection(examples) : ''}
${comparisonSection(report)}
${speeds ? speedSection(speeds) : ''}
${training ? trainingSection(training) : ''}
${featureMaps ? mapsSection(featureMaps) : ''}`;
  return pageWith('tfjs-convgrad: report', content);
}

function examplesSection(examples: Example[]): string {
  return `<h2>Worked examples</h2>
${table(
  'Worked examples',
  ['Id', 'Verdict', 'Example', 'Result', 'Expected'],
  failedFirst(examples).map(({ id, title, got, want, remark, ok }) => [
    id,
    verdict(ok),
    remark ? `${title}: ${remark}` : title,
    folded(got),
    got === want ? 'the same' : folded(want),
  ]),
)}`;
}

function summary(report: Report): string {
  const { machine, versions, date, ok, from, examples, comparisons, notCompared = [], training } = report;
  const parts = [
    ...(examples ? [outcome(examples, 'worked examples')] : []),
    outcome(comparisons, 'comparisons'),
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

function comparisonSection({ comparisons, from, speeds }: Report): string {
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
${isTimed ? '<dt>Speed<dd>Time of the built-in divided by the time of the kernel: above 1 the kernel is faster than the built-in.' : ''}
<dt>Built-in<dd>Whether it gives the same. ${comparisons.some(differsOnPurpose) ? WHAT_ROWS_ARE : ''}
</dl>
${overview(ops, isTimed)}
<div class="plots">
${errorPlot(comparisons)}
${isTimed ? speedPlot(comparisons) : ''}
</div>
${isTimed || speeds ? '' : `<p>${NO_SPEEDS}</p>`}
<h2>Every case</h2>
${ops.map(({ op, rows }) => caseList(op, rows, isTimed)).join('\n')}`;
}

const NO_SPEEDS =
  'There are no speeds to show. Timed are shapes that are given with --shape, and cases of a module, where tfjs has a kernel of that name.';

/** A kernel, and its comparisons. */
interface Op {
  op: string;
  rows: Comparison[];
}

function overview(ops: Op[], isTimed: boolean): string {
  return table(
    'Kernels',
    ['Kernel', 'Cases', 'Largest error', 'Largest gradient error', ...(isTimed ? ['Median speed'] : [])],
    ops.map(({ op, rows }) => {
      const speeds = rows.flatMap(({ timeRatio }) => timeRatio ?? []);
      return [
        op,
        { text: outcome(rows), ok: rows.every(({ ok }) => ok) },
        bounded(largest(rows.map(({ error }) => error))),
        bounded(largest(rows.map(({ gradientError }) => gradientError))),
        ...(isTimed ? [speedCell(speeds.length > 0 ? median(speeds) : null)] : []),
      ];
    }),
  );
}

const speedCell = (ratio: number | null): Cell => (ratio === null ? null : twoDigits(ratio));

function largest(errors: (number | null)[]): number | null {
  const numbers = errors.filter((error) => error !== null);
  return numbers.length > 0 ? Math.max(...numbers) : null;
}

/** The cases of a kernel, and above them what is wrong with those that failed. */
function caseList(op: string, rows: Comparison[], isTimed: boolean): string {
  const ok = rows.every((row) => row.ok);
  const faults = rows.filter(({ ok }) => !ok).map((c) => `<li><strong>${escape(c.case)}</strong> ${remarksOn(c).map(escape).join(' ')}`); // prettier-ignore
  return `<details${ok ? '' : ' open'}><summary>${escape(op)}: ${ok ? outcome(rows) : failed(outcome(rows))}</summary>
${ok ? '' : `<ul>${faults.join('\n')}</ul>`}
${table(
  `Cases of ${op}`,
  [
    'Case',
    'Verdict',
    'Error',
    'Gradient error',
    'Error of the built-in',
    ...(isTimed ? ['Speed'] : []),
    'Built-in',
  ],
  rows.map((c) => [
    c.case,
    verdict(c.ok),
    bounded(c.error),
    bounded(c.gradientError),
    c.builtinError,
    ...(isTimed ? [speedCell(c.timeRatio)] : []),
    differsOnPurpose(c) ? `differs, ${c.builtin}` : c.builtin,
  ]),
)}</details>`;
}

function speedSection(speeds: Speed[]): string {
  const [head, ...rows] = speedTable(speeds);
  return `<h2>Speed</h2>
<p>On shapes of real networks, and a training step of the CNN of worked example C: how many times faster the plugin is than tfjs's own kernels.
${HOW_TIMED} Figures have no more digits than these allow.</p>
${table('Speed', head, rows)}`;
}

function mapsSection(maps: FeatureMap[]): string {
  return `<h2>Feature maps</h2>
<p>A digit, and what two filters make of it. Each cell of a map is the sum of 3 x 3 cells of the digit, each multiplied by the filter's
number in its place. Where that sum is negative, relu makes it 0. So a map is dark where grey values fall from left to right, or from above to
below, and white where they do not.</p>
<div class="pictures">${maps.map(picture).join('\n')}</div>`;
}

function trainingSection(training: Training): string {
  const runs = training.runs.filter(({ losses }) => losses.length > 0);
  const [head, ...rows] = trainingTable(training);
  const [kernelHead, ...kernelRows] = kernelTable(training);
  const sentence = agreement(training);
  return `<h2>Training on handwritten digits</h2>
<p>All start with the same weights and see the same batches. ${training.ok ? escape(sentence) : failed(sentence)}
${escape(limitsOfTfjs(training).join(' '))}</p>
${table('Training', head, rows)}
${table('One training step, kernel by kernel', kernelHead, kernelRows)}
${lossPlot(runs)}
${table(
  'Losses',
  ['Step', ...runs.map(({ title }) => `Loss, ${title}`)],
  Array.from({ length: sharedSteps(training) }, (_, i) => [
    i + 1,
    ...runs.map(({ losses }) => losses[i].toFixed(6)),
  ]),
)}`;
}

function lossCaption(runs: Run[]): string {
  const [first, ...others] = runs.map(({ losses }) => losses.length);
  const most = Math.max(first, ...others);
  return first < most
    ? `Loss of each step. tfjs's own kernels take only the first ${first} of ${most} steps, because they are slow.`
    : 'Loss of each step.';
}

// Plots

/** The error, or that of the gradient if it is larger. NaN counts as the largest. */
function largerError({ error, gradientError }: Comparison): number {
  const errors = [error, gradientError ?? 0];
  return errors.some(Number.isNaN) ? Infinity : Math.max(...errors);
}

/** Whether the error is above all that the plot has a place for. */
const isAboveAll = (c: Comparison) => largerError(c) > 2;

function errorPlot(comparisons: Comparison[]): string {
  const cut = comparisons.some(isAboveAll) ? ' Errors above 2 are drawn at 2.' : '';
  return strip(`Error of each case, or of its gradient if that is larger.${cut}`, comparisons, {
    value: (c) => (isAboveAll(c) ? 2 : largerError(c)),
    x: { domain: [0, comparisons.some((c) => largerError(c) > 1) ? 2 : 1], label: 'Error' },
  });
}

function speedPlot(comparisons: Comparison[]): string {
  const timed = comparisons.filter(({ timeRatio }) => timeRatio !== null);
  const x: Plot.ScaleOptions = { type: 'log', nice: true, label: 'Speed' };
  return strip('Speed of each case that was timed.', timed, { value: ({ timeRatio }) => timeRatio!, x });
}

interface Axis {
  value: (comparison: Comparison) => number;
  x: Plot.ScaleOptions;
}

/**
 * A plot with a row for each kernel: its name, how many of its cases failed, and below these a tick for each case, or a cross if it
 * failed. The rule at 1 is the largest right error, or equal speed.
 */
function strip(caption: string, comparisons: Comparison[], { value, x }: Axis): string {
  const ops = [...new Set(comparisons.map(({ op }) => op))];
  const failures = comparisons.filter(({ ok }) => !ok);
  const failuresOf = (op: string) => failures.filter((c) => c.op === op).length;
  const above = { dy: -11, stroke: 'var(--plot-background)', strokeWidth: 4 };
  const title = (c: Comparison) => `${c.op}, ${c.case}: ${format(value(c))}`;
  return figure(caption, {
    height: 50 + 44 * ops.length,
    marginLeft: 24,
    marginRight: 24,
    marginTop: 4,
    marginBottom: 42,
    x: { grid: true, ticks: 4, tickFormat: '~g', ...x },
    y: { domain: ops, axis: null, padding: 0 },
    marks: [
      Plot.ruleX([1], { strokeDasharray: '4' }),
      Plot.tickX(
        comparisons.filter(({ ok }) => ok),
        { x: value, y: 'op', stroke: BLUE, strokeWidth: 2, strokeOpacity: 0.7, insetTop: 22, insetBottom: 4, title },
      ),
      Plot.dot(failures, { x: value, y: 'op', dy: 9, stroke: FAILED, symbol: 'times', r: 5, strokeWidth: 2, title }),
      Plot.text(ops, { ...above, y: (op: string) => op, text: (op: string) => op, frameAnchor: 'left', textAnchor: 'start', textOverflow: 'ellipsis-end', lineWidth: 19, fill: 'currentColor' }),
      Plot.text(ops.filter(failuresOf), { ...above, y: (op: string) => op, text: (op: string) => `${failuresOf(op)} failed`, frameAnchor: 'right', textAnchor: 'end', fill: FAILED }),
    ],
  }); // prettier-ignore
}

/** The first run is that of tfjs's own kernels. Lines that agree lie upon each other, so their symbols differ. */
function lossPlot(runs: Run[]): string {
  const points = runs.flatMap(({ title, losses }) => losses.map((loss, i) => ({ step: i + 1, loss, title })));
  const domain = runs.map(({ title }) => title);
  const steps = Math.max(...points.map(({ step }) => step));
  return figure(lossCaption(runs), {
    height: 250,
    marginTop: 30,
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

/**
 * A cell for each value: grey from 0 up or, if there are negative values as in a filter, red below 0 and blue above, with the values
 * written on them.
 */
function picture({ title, width, height, values }: FeatureMap): string {
  const signed = values.some((value) => value < 0);
  const largest = Math.max(...values.map(Math.abs)) || 1;
  const side = signed ? 28 : 8;
  const cells = {
    x: (_: number, i: number) => i % width,
    y: (_: number, i: number) => Math.floor(i / width),
  };
  return figure(title, {
    width: side * width,
    height: side * height,
    margin: 0,
    axis: null,
    x: { padding: 0 },
    y: { padding: 0 },
    color: signed
      ? { type: 'diverging', scheme: 'RdBu', domain: [-largest, largest] }
      : { type: 'linear', scheme: 'Greys', domain: [0, largest] },
    marks: [
      Plot.cell(values, { ...cells, fill: (value: number) => value, inset: -0.1 }),
      Plot.text(signed ? values : [], {
        ...cells,
        text: String,
        fill: (value: number) => (Math.abs(value) > largest / 2 ? 'white' : 'black'),
      }),
    ],
  });
}

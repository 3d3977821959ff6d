/** The report of a run: one HTML page that needs no other file. Its plots and pictures are inline SVG. */
import * as Plot from '@observablehq/plot';
import { parseHTML } from 'linkedom';
import type { Comparison } from './comparison.js';
import type { FeatureMap } from './feature-maps.js';
import {
  agreement,
  kernelTable,
  limitsOfTfjs,
  type Run,
  sharedSteps,
  type Training,
  trainingTable,
} from './training.js';
import type { Example } from './worked-examples.js';

export interface Report {
  machine: string;
  versions: Record<string, string>;
  date: string;
  ok: boolean;
  comparisons: Comparison[];
  /** Only `npm start` has examples, training and feature maps. */
  examples?: Example[];
  /** Absent if the training was skipped. */
  training?: Training;
  featureMaps?: FeatureMap[];
}

export function pageOf(report: Report): string {
  const { examples, comparisons, training, featureMaps } = report;
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>tfjs-convgrad: report</title>
<style>${STYLE}</style>
<h1>tfjs-convgrad: report</h1>
${summary(report)}
${examples ? examplesSection(examples) : ''}
<h2>Every op and case</h2>
<p>An error is the worst element's, in units of its bound: at most 1 is right, and 0 is exact.</p>
${figure('Error of each case against the float64 definition. Errors above 2 are drawn at 2.', errorPlot(comparisons))}
${figure('Speed of each case: time of the built-in divided by time of the plugin', speedPlot(comparisons))}
${comparisonTable(comparisons)}
${training ? trainingSection(training) : ''}
${featureMaps ? `<h2>Feature maps</h2>\n<div class="pictures">${featureMaps.map(picture).join('\n')}</div>` : ''}
</html>
`;
}

function examplesSection(examples: Example[]): string {
  return `<h2>Worked examples</h2>
${table(
  ['Id', 'Example', 'Result', 'Expected', 'Verdict'],
  examples.map(({ id, title, got, want, ok }) => [id, title, got, want, verdict(ok)]),
)}`;
}

function summary({ machine, versions, date, ok, examples, comparisons, training }: Report): string {
  const parts = [
    ...(examples ? [`${count(examples)} worked examples`] : []),
    `${count(comparisons)} comparisons`,
    ...(training ? [`training ${training.ok ? 'agrees' : 'disagrees'}`] : []),
    ...(examples && !training ? ['training skipped'] : []),
  ];
  const facts = Object.entries({ Machine: machine, ...versions, Date: date });
  return `<p class="verdict">${ok ? '✓ Everything agrees' : failed('Something disagrees')}: ${parts.join(', ')}.</p>
<dl>${facts.map(([name, value]) => `<dt>${escape(name)}<dd>${escape(value)}`).join('\n')}</dl>`;
}

const count = (rows: { ok: boolean }[]) => `${rows.filter(({ ok }) => ok).length} of ${rows.length}`;

function comparisonTable(comparisons: Comparison[]): string {
  return table(
    [
      'Op',
      'Case',
      'Error',
      'Gradient error',
      'Built-in',
      'Built-in error',
      'Built-in time / ours',
      'Verdict',
    ],
    comparisons.map((c) => [
      c.op,
      c.case,
      bounded(c.error),
      bounded(c.gradientError),
      c.builtin,
      c.builtinError,
      c.timeRatio,
      verdict(c.ok),
    ]),
  );
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

const BLUE = '#4a90d9';
const ORANGE = '#f28e2b';
const GREEN = '#3f8f3a';
const RED = '#e15759';

const { document } = parseHTML('<html></html>');

const draw = (options: Plot.PlotOptions): string =>
  Plot.plot({
    document: document as unknown as Document,
    style: { fontSize: '13px' },
    ...options,
  }).outerHTML;

const errorPlot = (comparisons: Comparison[]): string =>
  strip(comparisons, { value: (c) => (c.error < 2 ? c.error : 2), label: 'Error / bound', type: 'linear' });

const speedPlot = (comparisons: Comparison[]): string =>
  strip(
    comparisons.filter((c) => c.timeRatio !== null),
    { value: (c) => c.timeRatio!, label: 'Built-in time / plugin time', type: 'log' },
  );

interface Axis {
  value: (comparison: Comparison) => number;
  label: string;
  type: 'linear' | 'log';
}

/**
 * A plot with a line for each op and a tick for each case. A failed case has a cross with its name. The rule at 1 is
 * the largest right error, or equal speed.
 */
function strip(comparisons: Comparison[], { value, label, type }: Axis): string {
  const ops = [...new Set(comparisons.map(({ op }) => op))];
  const failures = comparisons.filter(({ ok }) => !ok);
  return draw({
    width: 1000,
    height: 80 + 26 * ops.length,
    marginLeft: 190,
    marginRight: 30,
    marginBottom: 45,
    x: { type, label, grid: true, nice: true, tickFormat: '~g' },
    y: { label: null, domain: ops, padding: 0.25 },
    marks: [
      Plot.ruleX([1], { strokeDasharray: '4' }),
      Plot.tickX(comparisons, {
        x: value,
        y: 'op',
        stroke: BLUE,
        strokeWidth: 2,
        strokeOpacity: 0.7,
        title: (c: Comparison) => `${c.op} ${c.case}: ${format(value(c))}`,
      }),
      Plot.dot(failures, { x: value, y: 'op', stroke: RED, symbol: 'times', r: 6, strokeWidth: 3 }),
      Plot.text(failures, { x: value, y: 'op', text: 'case', fill: RED, dy: -12 }),
    ],
  });
}

/** The first run is that of tfjs's own kernels. Lines that agree lie upon each other, so their symbols differ. */
function lossPlot(runs: Run[]): string {
  const points = runs.flatMap(({ title, losses }) => losses.map((loss, i) => ({ step: i + 1, loss, title })));
  const domain = runs.map(({ title }) => title);
  const steps = Math.max(...points.map(({ step }) => step));
  return draw({
    width: 1000,
    height: 320,
    marginBottom: 45,
    x: { label: 'Step', ticks: steps / 5, tickFormat: 'd' },
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

// HTML

/** A text; a number, shown to three digits; null for nothing; or a text that says that something passed or failed. */
type Cell = string | number | null | { text: string; ok: boolean };

const verdict = (ok: boolean): Cell => ({ text: ok ? 'ok' : 'FAILED', ok });
const bounded = (error: number | null): Cell =>
  error === null || error <= 1 ? error : { text: format(error), ok: false };

function table(head: string[], rows: Cell[][]): string {
  return `<div class="scroll"><table>
<thead><tr>${head.map((name) => `<th scope="col">${name}`).join('')}</thead>
<tbody>${rows.map((row) => `<tr>${row.map(td).join('')}`).join('\n')}</tbody>
</table></div>`;
}

/** A text with more characters than this scrolls in its cell. */
const LONG = 80;

function td(cell: Cell): string {
  if (cell === null) return '<td class="number">–';
  if (typeof cell === 'number') return `<td class="number">${format(cell)}`;
  if (typeof cell === 'string')
    return `<td>${cell.length > LONG ? `<div class="long">${escape(cell)}</div>` : escape(cell)}`;
  return cell.ok ? `<td>${escape(cell.text)}` : `<td>${failed(cell.text)}`;
}

const failed = (text: string): string => `<strong class="failed">✗ ${escape(text)}</strong>`;

const figure = (caption: string, content: string): string =>
  `<figure><div class="scroll">${content}</div><figcaption>${escape(caption)}</figcaption></figure>`;

function format(value: number): string {
  const size = Math.abs(value);
  return size > 0 && (size < 1e-3 || size >= 1e5)
    ? value.toExponential(1)
    : String(Number(value.toPrecision(3)));
}

const escape = (text: string): string => text.replace(/[&<>"]/g, (char) => `&#${char.charCodeAt(0)};`);

const STYLE = `
:root { color-scheme: light dark; --line: color-mix(in srgb, CanvasText 18%, Canvas); --failed: light-dark(#b3001b, #ff7b72); }
body { max-width: 72rem; margin: 2rem auto; padding: 0 1rem; font: 1rem/1.5 system-ui, sans-serif; }
h2 { margin-top: 2.5rem; }
table { border-collapse: collapse; font-size: 0.875rem; }
td:nth-child(2) { min-width: 16em; }
th, td { padding: 0.25rem 0.75rem; border-bottom: 1px solid var(--line); text-align: left; vertical-align: top; }
.long { width: 24rem; max-height: 4.5rem; overflow: auto; overflow-wrap: anywhere; }
.number { text-align: right; font-variant-numeric: tabular-nums; }
.scroll { overflow-x: auto; }
.failed { color: var(--failed); white-space: nowrap; }
.verdict { font-size: 1.25rem; }
dl { display: grid; grid-template-columns: max-content auto; gap: 0 1rem; }
dt { font-weight: bold; }
dd { margin: 0; }
figure { margin: 1.5rem 0; }
figcaption { font-size: 0.875rem; }
svg { --plot-background: Canvas; }
figure svg[aria-label] { border: 1px solid var(--line); }
.pictures { display: flex; flex-wrap: wrap; gap: 0 2rem; }
`;

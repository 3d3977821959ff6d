/** Parts of the reports: pages of HTML that need no other file. Their plots are inline SVG. */
import * as Plot from '@observablehq/plot';
import { parseHTML } from 'linkedom';
import { type Cell, format } from './cells.js';

export const BLUE = '#4a90d9';
export const ORANGE = '#f28e2b';
export const GREEN = '#3f8f3a';
export const FAILED = 'var(--failed)';

/** Width of a plot. It is drawn larger or smaller, so that its texts can be read on a phone and on a desk. */
const WIDTH = 440;

const { document } = parseHTML('<html></html>');

export const draw = (options: Plot.PlotOptions): string =>
  Plot.plot({
    document: document as unknown as Document,
    style: { fontSize: '13px' },
    width: WIDTH,
    ...options,
  }).outerHTML;

/** The start of a long text, with all of it behind it. */
export interface Folded {
  brief: string;
  all: string;
}

export const verdict = (ok: boolean): Cell => ({ text: ok ? 'ok' : 'FAILED', ok });
export const bounded = (error: number | null): Cell =>
  error === null || error <= 1 ? error : { text: format(error), ok: false };

export function table(head: string[], rows: (Cell | Folded)[][]): string {
  return `<div class="scroll"><table>
<thead><tr>${head.map((name) => `<th scope="col">${name}`).join('')}</thead>
<tbody>${rows.map((row) => `<tr>${row.map(td).join('')}`).join('\n')}</tbody>
</table></div>`;
}

/** A text with more characters than this scrolls in its cell. */
const LONG = 80;

function td(cell: Cell | Folded): string {
  if (cell === null) return '<td class="number">–';
  if (typeof cell === 'number') return `<td class="number">${format(cell)}`;
  if (typeof cell === 'string')
    return `<td>${cell.length > LONG ? `<div class="long">${escape(cell)}</div>` : escape(cell)}`;
  if ('brief' in cell)
    return `<td><details><summary>${escape(cell.brief)}</summary><div class="long">${escape(cell.all)}</div></details>`;
  return cell.ok ? `<td>${escape(cell.text)}` : `<td>${failed(cell.text)}`;
}

export const failed = (text: string): string => `<strong class="failed">✗ ${escape(text)}</strong>`;

export const figure = (caption: string, content: string): string =>
  `<figure><div class="scroll">${content}</div><figcaption>${escape(caption)}</figcaption></figure>`;

export const escape = (text: string): string => text.replace(/[&<>"]/g, (char) => `&#${char.charCodeAt(0)};`);

/** A whole page, whose content is HTML. */
export const pageWith = (title: string, content: string): string => `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>${escape(title)}</title>
<style>${STYLE}</style>
<h1>${escape(title)}</h1>
${content}
</html>
`;

const STYLE = `
:root { color-scheme: light dark; --line: color-mix(in srgb, CanvasText 18%, Canvas); --failed: light-dark(#b3001b, #ff7b72); }
body { max-width: 72rem; margin: 2rem auto; padding: 0 1rem; font: 1rem/1.5 system-ui, sans-serif; overflow-wrap: break-word; }
h2 { margin-top: 2.5rem; }
table { border-collapse: collapse; font-size: 0.875rem; }
th, td { padding: 0.25rem 0.75rem; border-bottom: 1px solid var(--line); text-align: left; vertical-align: top; }
th { white-space: nowrap; }
td:first-child { white-space: nowrap; }
td:not(.number):not(:first-child) { overflow-wrap: anywhere; min-width: 6rem; }
.long { width: 22rem; white-space: normal; max-height: 4.5rem; overflow: auto; overflow-wrap: anywhere; }
.number { font-variant-numeric: tabular-nums; }
.scroll { overflow-x: auto; margin: 1rem 0; }
.failed { color: var(--failed); }
td .failed { white-space: nowrap; }
.verdict { font-size: 1.25rem; }
dl { display: grid; grid-template-columns: max-content auto; gap: 0 1rem; }
dt { font-weight: bold; }
dd { margin: 0; }
details { margin: 0.5rem 0; }
summary { cursor: pointer; }
.plots { display: flex; flex-wrap: wrap; gap: 0 2rem; }
.plots > * { flex: 1 1 20rem; max-width: 35rem; }
figure { margin: 1.5rem 0; max-width: 35rem; }
figure figure { margin: 0; }
figcaption { font-size: 0.875rem; }
svg { --plot-background: Canvas; }
figure [class*="-swatches"] { font-size: 0.8125rem; }
figure svg[width="${WIDTH}"] { width: 100%; }
figure svg[aria-label] { border: 1px solid var(--line); }
.pictures { display: flex; flex-wrap: wrap; gap: 0 2rem; }
`;

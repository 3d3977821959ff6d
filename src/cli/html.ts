/** Parts of the reports: pages of HTML that need no other file. Their plots are inline SVG. */
import * as Plot from '@observablehq/plot';
import { parseHTML } from 'linkedom';
import { type Cell, type Folded, format } from './cells.js';

export const BLUE = '#4a90d9';
export const ORANGE = '#f28e2b';
export const GREEN = '#3f8f3a';
export const FAILED = 'var(--failed)';

/** Width of a plot. It is drawn larger or smaller, so that its texts can be read on a phone and on a desk. */
const WIDTH = 360;

const { document } = parseHTML('<html></html>');

/** A plot with a caption. To readers who cannot see it, it is a picture of that name. */
export function figure(caption: string, options: Plot.PlotOptions): string {
  const plot = Plot.plot({
    document: document as unknown as Document,
    style: { fontSize: '12px' },
    width: WIDTH,
    ariaLabel: caption,
    ...options,
  });
  // Plot names the kinds of marks, which an element without a role must not have.
  for (const marks of Array.from(plot.querySelectorAll('g[aria-label]'))) marks.removeAttribute('aria-label');
  const svg = plot.matches('svg') ? plot : plot.querySelector('svg[aria-label]'); // beside a legend
  svg?.setAttribute('role', 'img');
  return `<figure>${plot.outerHTML}<figcaption>${escape(caption)}</figcaption></figure>`;
}

export const verdict = (ok: boolean): Cell => ({ text: ok ? 'ok' : 'FAILED', ok });
export const bounded = (error: number | null): Cell =>
  error === null || error <= 1 ? error : { text: format(error), ok: false };

/**
 * A table. Where the page is too narrow for it, it scrolls by itself; by the keyboard, too.
 * @param label what the table shows, for readers who cannot see it. No two tables of a page have the same.
 */
export function table(label: string, head: string[], rows: (Cell | Folded)[][]): string {
  return `<div class="scroll" role="region" aria-label="${escape(label)}" tabindex="0"><table>
<thead><tr>${head.map((name) => `<th scope="col">${name}`).join('')}</thead>
<tbody>${rows.map((row) => `<tr>${row.map(td).join('')}`).join('\n')}</tbody>
</table></div>`;
}

/** A text with more characters than this is broken into lines, where the page is too narrow for it. */
const SHORT = 20;

function td(cell: Cell | Folded): string {
  if (cell === null) return '<td class="number">–';
  if (typeof cell === 'number') return `<td class="number">${format(cell)}`;
  if (typeof cell === 'string') return `<td${cell.length > SHORT ? ' class="text"' : ''}>${escape(cell)}`;
  if ('brief' in cell)
    return `<td class="text"><details><summary>${escape(cell.brief)}</summary>${escape(cell.all)}</details>`;
  return cell.ok ? `<td>${escape(cell.text)}` : `<td>${failed(cell.text)}`;
}

export const failed = (text: string): string => `<strong class="failed">✗ ${escape(text)}</strong>`;

export const escape = (text: string): string => text.replace(/[&<>"]/g, (char) => `&#${char.charCodeAt(0)};`);

/** A whole page, whose content is HTML. */
export const pageWith = (title: string, content: string): string => `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>${escape(title)}</title>
<style>${STYLE}</style>
<main>
<h1>${escape(title)}</h1>
${content}
</main>
</html>
`;

const STYLE = `
:root { color-scheme: light dark; background: Canvas; color: CanvasText;
  --line: color-mix(in srgb, CanvasText 18%, Canvas); --failed: light-dark(#b3001b, #ff7b72); }
body { max-width: 80rem; margin: 2rem auto; padding: 0 1rem; font: 1rem/1.5 system-ui, sans-serif; overflow-wrap: anywhere; }
h2 { margin-top: 2.5rem; }
p, dl, ul { max-width: 44rem; }
table { border-collapse: collapse; font-size: 0.875rem; }
th, td { padding: 0.25rem 0.75rem; border-bottom: 1px solid var(--line); text-align: left; overflow-wrap: normal; }
th { vertical-align: bottom; }
td { vertical-align: top; white-space: nowrap; }
.text { min-width: 12rem; max-width: 24rem; overflow-wrap: anywhere; white-space: normal; }
.text:first-child { min-width: 8rem; overflow-wrap: normal; }
.number { font-variant-numeric: tabular-nums; }
.scroll { overflow-x: auto; margin: 1rem 0; }
.failed { color: var(--failed); }
.verdict { font-size: 1.25rem; }
dl { display: grid; grid-template-columns: max-content auto; gap: 0 1rem; }
dt { font-weight: bold; }
dd { margin: 0; }
details { margin: 0.5rem 0; }
td details { margin: 0; }
summary { cursor: pointer; }
.plots, .pictures { display: flex; flex-wrap: wrap; gap: 0 2rem; }
.plots > * { flex: 1 1 18rem; }
figure { margin: 1.5rem 0; max-width: 28rem; }
figure figure { margin: 0; }
figcaption { font-size: 0.875rem; }
svg { --plot-background: Canvas; }
figure [class*="-swatches"] { font-size: 0.8125rem; }
figure svg[width="${WIDTH}"] { width: 100%; }
.pictures svg { border: 1px solid var(--line); }
@media (max-width: 40rem) {
  body { padding: 0 0.5rem; }
  th, td { padding: 0.25rem 0.375rem; }
  .text:first-child { overflow-wrap: anywhere; }
  dl { grid-template-columns: minmax(0, auto); }
  dd { margin-bottom: 0.5rem; }
}
`;

/** Arrows over the grids: from the cells that the looked-at cell depends on to it, and from it to those that depend on it. */
import { svg } from '../dom.js';

/** The traces of what is marked in `panels`, laid over it. */
export function tracesView(panels: HTMLElement) {
  const element = svg('svg', { class: 'traces', 'aria-hidden': 'true' });

  function draw(): void {
    const focused = panels.querySelectorAll<HTMLElement>('td.focus');
    element.replaceChildren(...(focused.length ? tracesOf(panels, focused[focused.length - 1]) : []));
  }
  return { element, draw };
}

/** An outline in each plane with marked cells, and an arrow between the first of a panel and the focus, if both stand in a row. */
function tracesOf(panels: HTMLElement, focus: HTMLElement): SVGElement[] {
  const origin = panels.getBoundingClientRect();
  const focused = boxOf([focus], origin);
  const all = Array.from(panels.querySelectorAll('.panel'));
  const beside = all.filter((panel) => rowOf(panel) === rowOf(focus));
  let peak = Math.min(...beside.map((panel) => panel.getBoundingClientRect().top - origin.top));
  return all.flatMap((panel) => {
    const parts: SVGElement[] = [];
    for (const table of Array.from(panel.querySelectorAll('table'))) {
      const [fed, read] = ['feeds', 'reads'].map((kind) => Array.from(table.querySelectorAll<HTMLElement>(`td.${kind}`))); // prettier-ignore
      const cells = fed.length ? fed : read;
      if (cells.length === 0 || table.contains(focus)) continue;
      const box = boxOf(cells, origin);
      const { left, right, top, bottom } = box;
      const role = `of-${cells[0].dataset.of}`;
      const isFirst = parts.length === 0 && beside.includes(panel);
      parts.push(svg('rect', { class: role, x: left, y: top, width: right - left, height: bottom - top, rx: 6 })); // prettier-ignore
      if (!isFirst) continue;
      peak -= RISE;
      parts.push(svg('path', { class: role, d: fed.length ? arrow(focused, box, peak) : arrow(box, focused, peak) })); // prettier-ignore
    }
    return parts;
  });
}

/** Where the middle of its panel is: panels that stand beside each other have the same. */
function rowOf(element: Element): number {
  const { top, bottom } = element.closest('.panel')!.getBoundingClientRect();
  return Math.round((top + bottom) / 4);
}

interface Box {
  left: number;
  right: number;
  top: number;
  bottom: number;
  /** Where the cells of its table begin. */
  head: number;
}

/** The box around cells, in the middle of the gaps around them. */
function boxOf(cells: HTMLElement[], origin: DOMRect): Box {
  const boxes = cells.map((cell) => cell.getBoundingClientRect());
  return {
    left: Math.min(...boxes.map(({ left }) => left)) - origin.left - 1,
    right: Math.max(...boxes.map(({ right }) => right)) - origin.left + 1,
    top: Math.min(...boxes.map(({ top }) => top)) - origin.top - 1,
    bottom: Math.max(...boxes.map(({ bottom }) => bottom)) - origin.top + 1,
    head: cells[0].closest('tbody')!.getBoundingClientRect().top - origin.top,
  };
}

/** By how much an arrow rises above the grids, and the next one above it. */
const RISE = 3;

/** From the near corner of a box up between the columns, over the titles of what is between, and down to the near side of another. */
function arrow(from: Box, to: Box, peak: number): string {
  const isForward = from.left < to.left;
  const [x1, x2] = isForward ? [from.right, to.left] : [from.left, to.right];
  const middle = (to.top + to.bottom) / 2;
  const control = (peak - (from.head + to.head) / 8) / 0.75; // there a Bézier curve has its peak at `peak`
  const [back, tip] = isForward ? [2, 7] : [-2, -7];
  return (
    `M${x1} ${from.top + 6}V${from.head}C${x1} ${control},${x2} ${control},${x2} ${to.head}V${middle}` +
    `M${x2 + back} ${middle - 5}L${x2 + tip} ${middle}L${x2 + back} ${middle + 5}`
  );
}

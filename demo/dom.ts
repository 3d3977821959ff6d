/** Functions that make an element in one line, and that write numbers for people. */

export type Attributes = Record<string, string | number | boolean>;
type Child = Node | string;

export function html<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  attributes: Attributes = {},
  ...children: Child[]
): HTMLElementTagNameMap[K] {
  return fill(document.createElement(tag), attributes, children);
}

export function svg<K extends keyof SVGElementTagNameMap>(
  tag: K,
  attributes: Attributes = {},
  ...children: Child[]
): SVGElementTagNameMap[K] {
  return fill(document.createElementNS('http://www.w3.org/2000/svg', tag), attributes, children);
}

/** A picture of this size, in pixels. It shrinks on narrow screens. Screen readers read `label`. */
export function picture(width: number, height: number, label: string, ...children: Child[]): SVGSVGElement {
  const size = { viewBox: `0 0 ${width} ${height}`, width, height };
  return svg('svg', { ...size, role: 'img', 'aria-label': label }, ...children);
}

/** A select, and the label around it. */
export function labelledSelect(label: string, names: readonly string[]) {
  const select = html('select');
  setOptions(select, names);
  return { select, field: html('label', {}, label, select) };
}

export function setOptions(select: HTMLSelectElement, names: readonly string[]): void {
  select.replaceChildren(...names.map((name) => html('option', { value: name }, name)));
}

/** The number, with a real minus sign, which screen readers read out. */
export function show(value: number, digits = 7): string {
  return String(Number(value.toPrecision(digits)) + 0).replace('-', '−');
}

/** The number to a few digits, with an exponent if it is very large or small. */
export function short(value: number, digits = 3): string {
  const size = Math.abs(value);
  const isPlain = size === 0 || (size >= 1e-3 && size < 1e5) || !Number.isFinite(value);
  return isPlain ? show(value, digits) : value.toExponential(digits - 1).replaceAll('-', '−');
}

/** The ends of a spread of measurements, to the digits that it supports: one, or two if the ends are near each other. */
export function between([low, high]: readonly [number, number]): string {
  const digits = high - low < 0.5 * low ? 2 : 1;
  const text = (value: number) => (/e/.test(value.toPrecision(digits)) ? show(value, digits) : value.toPrecision(digits)); // prettier-ignore
  const [from, to] = [text(low), text(high)];
  return from === to ? from : `${from} to ${to}`;
}

/** 'a, b and c' */
export const listed = (names: readonly string[]) => new Intl.ListFormat('en-GB').format(names);

/** A list of names and what belongs to them. */
export function list(
  entries: readonly (readonly [name: string, text: string])[],
  attributes: Attributes = {},
) {
  const item = ([name, text]: readonly [string, string]) => html('div', {}, html('dt', {}, name), html('dd', {}, text)); // prettier-ignore
  return html('dl', attributes, ...entries.map(item));
}

function fill<E extends Element>(element: E, attributes: Attributes, children: Child[]): E {
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== false) element.setAttribute(name, value === true ? '' : String(value));
  }
  element.append(...children);
  return element;
}

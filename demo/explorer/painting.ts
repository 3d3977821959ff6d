/** Painting x: a stroke of the pointer, or of the keyboard, writes one value into the cells that it goes over. */
import { html } from '../dom.js';
import type { Calculation } from './calculation.js';
import { choice } from './controls.js';
import { panelsOf } from './panels.js';
import { LIMITS, reshaped, type State } from './state.js';

const BRUSHES = ['9', '5', '1', '0'];
/** A switch, and beside it the value that is painted and a blank to begin with. */
export function painting(get: () => State, go: (s: State) => void) {
  const paint = (value: number | undefined) => go({ ...get(), paint: value });
  const button = (text: string, click: () => void) => {
    const element = html('button', { type: 'button' }, text);
    element.addEventListener('click', click);
    return element;
  };
  const toggle = button('Paint x', () => paint(get().paint === undefined ? Number(BRUSHES[0]) : undefined));
  const brush = choice('Value', BRUSHES, ({ paint: value }) => String(value), (value) => paint(Number(value))); // prettier-ignore
  brush.element.classList.add('inline');
  const blank = button(`Blank ${LIMITS.height} × ${LIMITS.width}`, () => go(blankOf(get())));
  const element = html('div', { class: 'row', role: 'group', 'aria-label': 'Painting' }, toggle, brush.element, blank); // prettier-ignore

  function show(c: Calculation): void {
    const isOn = c.state.paint !== undefined;
    element.hidden = !panelsOf(c).some(({ editable }) => editable === 'x');
    toggle.setAttribute('aria-pressed', String(isOn));
    for (const part of [brush.element, blank]) part.hidden = !isOn;
    if (isOn) brush.show(c.state);
  }
  return { element, show };
}

/** The same with an x of zeros, as large as it can be. */
function blankOf(s: State): State {
  const { height, width } = LIMITS;
  const large = s.op === 'dense' ? s : reshaped(s, { height, width });
  return { ...large, x: large.x.map(() => 0) };
}

/** The controls of the explorer: the example, the op, what is followed and how, and the shapes. */
import { html } from '../dom.js';
import { pageOf, presetOf, PRESETS } from './presets.js';
import {
  LIMITS,
  isPool,
  type Look,
  type Op,
  reshaped,
  hasPatches,
  RESULT,
  ROUNDINGS,
  type Shape,
  type State,
  type View,
} from './state.js';

const OP_NAMES: Record<Op, string> = { conv2d: 'Convolution', depthwiseConv2d: 'Depthwise', dense: 'Dense', maxPool: 'Max pool', avgPool: 'Average pool' }; // prettier-ignore
const LOOK_NAMES: Record<Look, string> = { forward: 'Forward', dx: 'dx', dFilter: 'dFilter, dBias' }; // prettier-ignore
const VIEW_NAMES: Record<View, string> = { gather: 'Gather', scatter: 'Scatter', im2col: 'Patch matrix' };

/** A control, and how it shows a state. */
export interface Control {
  element: HTMLElement;
  show: (s: State) => void;
}

/** `get` is the state that is shown; `set` shows another one. */
export function controls(get: () => State, set: (s: State) => void): Control {
  const reshape = (change: Partial<Shape>) => set(reshaped(get(), change));
  const look = (change: { look?: Look; view?: View }) => {
    const next = { ...get(), ...change };
    set(change.look ? { ...next, cell: { of: RESULT[change.look], index: 0 } } : next);
  };
  const looks = segments('Follow', LOOK_NAMES, ({ look }) => look, (look_) => look({ look: look_ })); // prettier-ignore
  const views = segments('View', VIEW_NAMES, ({ view }) => view, (view) => look({ view })); // prettier-ignore
  const parts = [
    segments('Operation', OP_NAMES, ({ op }) => op, (op) => reshape(withOp(get(), op))), // prettier-ignore
    except(looks, 'dFilter', ({ op }) => isPool(op)),
    except(views, 'im2col', (s) => !hasPatches(s)),
    shapes(reshape),
  ];
  const examples = presets(set);
  const summary = html('summary');
  const settings = html('details', { class: 'settings' }, summary, html('div', {}, ...parts.map(({ element }) => element))); // prettier-ignore
  // On a narrow page the grids come first: these controls are folded.
  const isWide = matchMedia('(min-width: 48rem)');
  const fold = () => (settings.open = isWide.matches);
  isWide.addEventListener('change', fold);
  fold();
  return {
    element: html('form', { class: 'choices', 'aria-label': 'What to show' }, examples.element, settings),
    show(s) {
      summary.textContent = `${OP_NAMES[s.op]}, ${LOOK_NAMES[s.look]}, ${VIEW_NAMES[s.view].toLowerCase()}`;
      for (const part of [examples, ...parts]) part.show(s);
    },
  }; // prettier-ignore
}

/** Another op. A dense layer has several images and channels, the others have images of more than a pixel. */
function withOp(s: State, op: Op): Partial<Shape> {
  if (op === s.op) return { op };
  if (op === 'dense') return { op, batch: 2, channels: 3, outChannels: 2 };
  return s.op === 'dense' ? { op, batch: 1, channels: 1, outChannels: 1, height: 3, width: 3, filterHeight: 2, filterWidth: 2 } : { op }; // prettier-ignore
}

/** The examples, what to look at in the one that is shown, and where to read about it. */
function presets(set: (s: State) => void): Control {
  const about = html('span');
  const link = html('a');
  const select = html(
    'select',
    { name: 'example' },
    html('option', { value: '', disabled: true }, 'Your own numbers'),
  );
  for (const label of new Set(PRESETS.map(({ group }) => group))) {
    const options = PRESETS.flatMap(({ group, title }, i) => (group === label ? [html('option', { value: i }, title)] : [])); // prettier-ignore
    select.append(html('optgroup', { label }, ...options));
  }
  select.addEventListener('change', () => set(PRESETS[Number(select.value)].state));
  return {
    element: html(
      'div',
      { class: 'start' },
      html('label', { class: 'field example' }, 'Example', select),
      html('p', { class: 'about' }, about, ' ', link),
    ),
    show(s) {
      const preset = presetOf(s);
      select.value = preset ? String(PRESETS.indexOf(preset)) : '';
      about.textContent = preset?.about ?? '';
      const { title, path } = pageOf(s);
      link.textContent = title;
      link.href = `docs/${path}`;
    },
  };
}

function segments<T extends string>(
  legend: string,
  names: Record<T, string>,
  read: (s: State) => T,
  choose: (value: T) => void,
): Control {
  const name = legend.toLowerCase();
  const inputs = Object.entries<string>(names).map(([value, text]) => {
    const input = html('input', { type: 'radio', name, value });
    input.addEventListener('change', () => choose(value as T));
    return { input, label: html('label', {}, input, html('span', {}, text)) };
  });
  return {
    element: html('fieldset', { class: 'segments' }, html('legend', {}, legend), html('div', {}, ...inputs.map(({ label }) => label))), // prettier-ignore
    show: (s) => inputs.forEach(({ input }) => (input.checked = input.value === read(s))),
  };
}

/** The same choices, without one of them where it makes no sense. */
function except({ element, show }: Control, value: string, isNone: (s: State) => boolean): Control {
  return {
    element,
    show(s) {
      show(s);
      element.querySelector<HTMLInputElement>(`[value=${value}]`)!.disabled = isNone(s);
    },
  };
}

type Reshape = (change: Partial<Shape>) => void;

function shapes(reshape: Reshape): Control {
  const { height, width, batch, channels, filterHeight, filterWidth, outChannels, stride, dilation } = LIMITS;
  const plain = (label: string, name: keyof Shape, most: number) =>
    number(label, [1, most], (s) => s[name] as number, (value) => reshape({ [name]: value })); // prettier-ignore
  const size = (label: string, name: keyof Shape, most: number): Control => {
    const control = plain(label, name, most);
    const isGiven = label === 'Height' || label === 'Width';
    const show = (s: State) => {
      control.show(s);
      control.element.hidden = isGiven && s.op === 'dense';
    };
    return { ...control, show };
  };
  const pair = (label: string, name: 'strides' | 'dilations', axis: 0 | 1, most: number) => {
    let shown: number[] = [1, 1];
    const change = (value: number) => reshape({ [name]: shown.map((n, i) => (i === axis ? value : n)) });
    const control = number(label, [1, most], (s) => s[name][axis], change);
    return { ...control, show: (s: State) => control.show({ ...s, [name]: (shown = s[name]) }) };
  };
  const groups: [string, Control[]][] = [
    ['x', [size('Images', 'batch', batch), size('Height', 'height', height), size('Width', 'width', width), size('Channels', 'channels', channels)]], // prettier-ignore
    ['Window', [size('Height', 'filterHeight', filterHeight), size('Width', 'filterWidth', filterWidth), outputs(reshape, outChannels), grouping(reshape)]], // prettier-ignore
    ['Stride', [pair('Down', 'strides', 0, stride), pair('Across', 'strides', 1, stride)]],
    ['Dilation', [pair('Down', 'dilations', 0, dilation), pair('Across', 'dilations', 1, dilation)]],
    ['Padding', [padKind(reshape), ...['Top', 'Bottom', 'Left', 'Right'].map((label, i) => padSide(label, i, reshape)), roundingMode(reshape)]], // prettier-ignore
    ['Layout', [layout(reshape), counting(reshape)]],
  ];
  const summary = html('summary');
  const fieldsets = groups.map(([legend, parts]) =>
    html('fieldset', { class: 'sizes' }, html('legend', {}, legend), ...parts.map(({ element }) => element)),
  );
  return {
    element: html('details', { class: 'shapes' }, summary, html('div', {}, ...fieldsets)),
    show(s) {
      summary.textContent = `Shapes: ${inShort(s)}`;
      groups.forEach(([legend, parts], i) => {
        parts.forEach((part) => part.show(s));
        fieldsets[i].hidden = s.op === 'dense' && legend !== 'x' && legend !== 'Window';
      });
    },
  };
}

function inShort(s: State): string {
  if (s.op === 'dense') return `x ${s.batch} × ${s.channels}, filter ${s.channels} × ${s.outChannels}`;
  const pool = isPool(s.op);
  const channels = s.channels > 1 ? ` × ${s.channels}` : '';
  const pad = typeof s.pad === 'string' ? `‘${s.pad}’` : `padding ${s.pad.join(' ')}`;
  return [
    `x ${s.height} × ${s.width}${channels}`,
    `${pool ? 'window' : 'filter'} ${s.filterHeight} × ${s.filterWidth}`,
    `stride ${s.strides.join(' ')}`,
    pad,
    ...(Math.max(...s.dilations) > 1 ? [`dilation ${s.dilations.join(' ')}`] : []),
    ...(s.groups > 1 ? [`${s.groups} groups`] : []),
    ...(s.batch > 1 ? [`${s.batch} images`] : []),
    s.dataFormat,
  ].join(', ');
}

/** A select, which also offers what the state holds. */
export function choice(label: string, values: readonly string[], read: (s: State) => string, choose: (value: string) => void): Control {
  const option = (value: string) => html('option', { value }, value.replace('-', '−'));
  const select = html('select', {}, ...values.map(option));
  select.addEventListener('change', () => choose(select.value));
  const show = (s: State) => {
    const value = read(s);
    if (!Array.from(select.options).some((other) => other.value === value)) select.append(option(value));
    select.value = value;
  };
  return { element: html('label', { class: 'field' }, label, select), show };
} // prettier-ignore

function number(label: string, [least, most]: [number, number], read: (s: State) => number, choose: (value: number) => void) {
  const values = Array.from({ length: most - least + 1 }, (_, i) => String(i + least));
  return choice(label, values, (s) => String(read(s)), (value) => choose(Number(value)));
} // prettier-ignore

/** How many channels come out. Pools have as many as x. */
function outputs(reshape: Reshape, most: number): Control {
  const control = number('Outputs', [1, most], (s) => s.outChannels, (outChannels) => reshape({ outChannels })); // prettier-ignore
  const show = (s: State) => {
    control.show(s);
    control.element.hidden = isPool(s.op);
    control.element.firstChild!.textContent = s.op === 'depthwiseConv2d' ? 'For each channel' : 'Outputs';
  };
  return { ...control, show };
}

function grouping(reshape: Reshape): Control {
  const control = number('Groups', [1, LIMITS.groups], (s) => s.groups, (groups) => reshape({ groups })); // prettier-ignore
  const show = (s: State) => {
    control.show(s);
    control.element.hidden = s.op !== 'conv2d';
  };
  return { ...control, show };
}

function roundingMode(reshape: Reshape): Control {
  const choose = (value: string) => reshape({ dimRoundingMode: value as Shape['dimRoundingMode'] });
  const control = choice('Rounding', ROUNDINGS, (s) => s.dimRoundingMode, choose);
  const show = (s: State) => {
    control.show(s);
    control.element.hidden = typeof s.pad === 'string';
  };
  return { ...control, show };
}

function padKind(reshape: Reshape): Control {
  const SIDES = 'each side';
  const choose = (value: string) => reshape({ pad: value === SIDES ? [1, 1, 1, 1] : (value as 'same' | 'valid') }); // prettier-ignore
  return choice('Kind', ['valid', 'same', SIDES], ({ pad }) => (typeof pad === 'string' ? pad : SIDES), choose); // prettier-ignore
}

function padSide(label: string, side: number, reshape: Reshape): Control {
  let sides: number[] = [];
  const change = (value: number) => reshape({ pad: sides.map((n, i) => (i === side ? value : n)) });
  const control = number(label, [0, LIMITS.pad], ({ pad }) => Number(pad[side]), change); // prettier-ignore
  const show = (s: State) => {
    control.element.hidden = typeof s.pad === 'string';
    if (typeof s.pad === 'string') return;
    sides = s.pad;
    control.show(s);
  };
  return { ...control, show };
}

function layout(reshape: Reshape): Control {
  return choice('dataFormat', ['NHWC', 'NCHW'], (s) => s.dataFormat, (value) => reshape({ dataFormat: value as 'NHWC' })); // prettier-ignore
}

function counting(reshape: Reshape): Control {
  const control = choice('countIncludePad', ['false', 'true'], (s) => String(s.countIncludePad), (value) => reshape({ countIncludePad: value === 'true' })); // prettier-ignore
  const show = (s: State) => {
    control.show(s);
    control.element.hidden = s.op !== 'avgPool';
  };
  return { ...control, show };
}

/**
 * States to start from: the worked examples A to D, each one a text that teaches convolution, and rows of
 * docs/deviations.md, where this plugin differs from TensorFlow.js.
 */
import { isPool, type State, stateOf, toHash } from './state.js';

export interface Preset {
  group: 'Worked examples' | 'Painting' | 'Where tfjs 4.22 differs';
  title: string;
  /** What to look at. */
  about: string;
  state: State;
}

const EXAMPLES = 'Worked examples';
const PAINTING = 'Painting';
const DEVIATIONS = 'Where tfjs 4.22 differs';

const A: Partial<State> = { x: [1, 2, 3, 4, 5, 6, 7, 8, 9], filter: [1, 2, 3, 4], dy: [1, 0, 0, 2] };
/** Two output channels, so that the product has a matrix for the filter. */
const B: Partial<State> = {
  ...A,
  filter: [1, 0, 2, 1, 3, -1, 4, 2],
  outChannels: 2,
  dy: undefined,
  view: 'im2col',
};

const C: Partial<State> = {
  height: 4,
  width: 4,
  strides: [2, 2],
  x: [1, 3, 2, 1, 4, 2, 0, 5, 3, 1, 4, 2, 2, 0, 3, 6],
  dy: [0.5, 1.2, 0.8, -0.3],
};
const OVERLAPPING: Partial<State> = { x: [0, 0, 0, 0, 9, 0, 0, 0, 0], dy: [1, 2, 3, 4] };

const D: Partial<State> = {
  height: 5,
  width: 5,
  filterHeight: 3,
  filterWidth: 3,
  strides: [2, 2],
  pad: [1, 1, 1, 1],
  x: [1, 0, 2, 1, 0, 3, 1, 0, 2, 1, 0, 2, 1, 0, 3, 1, 1, 0, 2, 0, 2, 0, 1, 1, 2],
  filter: [1, 0, -1, 2, 0, -2, 1, 0, -1],
  dy: [1, 2, -1, 0, 3, 1, 2, -2, 1],
};

/** With these pads the output is as large as the input, whatever the stride: p = ceil(((s - 1) h - s + k) / 2). */
const D_SAME: Partial<State> = { height: 5, width: 5, filterHeight: 3, filterWidth: 3, strides: [2, 2], pad: [3, 3, 3, 3] }; // prettier-ignore

const BORDER: Partial<State> = { op: 'avgPool', pad: 'same', strides: [2, 2], dy: [1, 1, 1, 1] };

const NO_PAD = [0, 0, 0, 0];
/** Two windows, the first of which holds something odd. */
const ODD: Partial<State> = { op: 'maxPool', height: 2, width: 3, dy: [3, 5] };

const DIGIT: Partial<State> = {
  height: 8,
  width: 8,
  filterHeight: 3,
  filterWidth: 3,
  x: ['........', '..9..9..', '..9..9..', '..9..9..', '..99999.', '.....9..', '.....9..', '........'].flatMap((row) => Array.from(row, Number)).map((value) => value || 0), // prettier-ignore
  filter: [1, 0, -1, 1, 0, -1, 1, 0, -1],
  paint: 9,
};

export const PRESETS: Preset[] = [
  {
    group: EXAMPLES,
    title: 'A: a convolution of one channel',
    about: 'The window slides over x. Each cell of y is a sum of four products.',
    state: stateOf(A),
  },
  {
    group: EXAMPLES,
    title: 'A: its gradient of x',
    about: 'Four cells of dy reach the middle of dx, each through another cell of the filter.',
    state: stateOf({ ...A, look: 'dx', view: 'scatter', cell: { of: 'dx', index: 4 } }),
  },
  {
    group: EXAMPLES,
    title: 'A: its gradient of the filter and the bias',
    about: 'Each cell of the filter has met every window, so its gradient sums over all of dy.',
    state: stateOf({ ...A, look: 'dFilter' }),
  },
  {
    group: EXAMPLES,
    title: 'B: three channels, two filters, two images',
    about:
      'A sum runs over the channels. The gradient of the filter also sums over the images: it does not average.',
    state: stateOf({ ...A, x: undefined, filter: undefined, dy: undefined, batch: 2, channels: 3, outChannels: 2, look: 'dFilter' }), // prettier-ignore
  },
  {
    group: EXAMPLES,
    title: 'B: a convolution as a product of matrices',
    about:
      'im2col writes what each window sees into a row. Then one product of matrices computes all outputs.',
    state: stateOf(B),
  },
  {
    group: EXAMPLES,
    title: 'B: its gradient of x, by col2im',
    about: 'Shares of the same cell of x are added. The middle of x stands in all four rows.',
    state: stateOf({ ...B, look: 'dx', cell: { of: 'dx', index: 4 } }),
  },
  {
    group: EXAMPLES,
    title: 'C: a dense layer',
    about: 'Every input reaches every output. The gradient of the weights sums over the images.',
    state: stateOf({ op: 'dense', batch: 2, channels: 4, outChannels: 3 }),
  },
  {
    group: EXAMPLES,
    title: 'C: max pooling',
    about: 'The largest cell of each window.',
    state: stateOf({ ...C, op: 'maxPool' }),
  },
  {
    group: EXAMPLES,
    title: 'C: max pooling, backward',
    about: 'Each dy goes to the maximum of its window. The 5 stands in row 1: so does the 1.2.',
    state: stateOf({ ...C, op: 'maxPool', look: 'dx', view: 'scatter', cell: { of: 'dy', index: 1 } }),
  },
  {
    group: EXAMPLES,
    title: 'C: average pooling, backward',
    about: 'Each dy is shared equally by the cells of its window.',
    state: stateOf({ ...C, op: 'avgPool', look: 'dx', view: 'scatter', cell: { of: 'dy', index: 0 } }),
  },
  {
    group: EXAMPLES,
    title: 'C: max pooling of overlapping windows, backward',
    about:
      'The 9 is the maximum of all four windows. Their gradients are added: assigning would keep only one.',
    state: stateOf({ ...OVERLAPPING, op: 'maxPool', look: 'dx', cell: { of: 'dx', index: 4 } }),
  },
  {
    group: EXAMPLES,
    title: 'D: stride 2 and padding, gradient of x',
    about:
      'Gathering needs zeros between the cells of dy, one for each step that the stride skips, and the filter rotated.',
    state: stateOf({ ...D, look: 'dx', cell: { of: 'dx', index: 6 } }),
  },
  {
    group: EXAMPLES,
    title: 'D: its own ‘same’, as large as the input',
    about:
      'With a stride of 2 it needs so much padding that whole windows lie in it. There y is the bias alone.',
    state: stateOf(D_SAME),
  },
  {
    group: PAINTING,
    title: 'A painted digit, and its upright edges',
    about:
      'Go on painting. The filter subtracts what is right of a cell from what is left of it, so that edges give large numbers.',
    state: stateOf(DIGIT),
  },
  {
    group: DEVIATIONS,
    title: 'Row 1: the gradient of an average at a border',
    about:
      'The window in the corner holds one cell, and its average is that cell. tfjs divides its gradient by four all the same. Nudge the cell: the output shows which is right.',
    state: stateOf({ ...BORDER, look: 'dx', nudge: 1, cell: { of: 'dx', index: 8 } }),
  },
  {
    group: DEVIATIONS,
    title: 'Row 2: a size that is rounded up',
    about:
      'With ‘ceil’ the last windows reach past x. In its gradients tfjs rounds down: the last row and column of dy are lost.',
    state: stateOf({ ...A, strides: [2, 2], pad: NO_PAD, dimRoundingMode: 'ceil', dy: [1, 1, 1, 1], look: 'dx', nudge: 1, cell: { of: 'dx', index: 8 } }), // prettier-ignore
  },
  {
    group: DEVIATIONS,
    title: 'Row 3: a window of 3 by 1 without padding',
    about:
      'y is 3 by 5. With a pad of 0 tfjs makes it 3 by 3: it uses the height of the filter for the width, too.',
    state: stateOf({ height: 5, width: 5, filterHeight: 3, filterWidth: 1, pad: NO_PAD }),
  },
  {
    group: DEVIATIONS,
    title: 'Row 4: the gradient of a dilated convolution',
    about:
      'tfjs throws: “dilation rates greater than 1 are not yet supported in gradients”. The holes of the filter stay holes when it is rotated.',
    state: stateOf({ ...A, filter: [10, 20, 30, 40], dy: [1], dilations: [2, 2], look: 'dx' }),
  },
  {
    group: DEVIATIONS,
    title: 'Row 5: the gradient of a filter, on wasm',
    about: "tfjs throws on wasm: “Kernel 'Conv2DBackpropFilter' not registered for backend 'wasm'”.",
    state: stateOf({ height: 4, width: 4, look: 'dFilter' }),
  },
  {
    group: DEVIATIONS,
    title: 'Row 7: equal maxima',
    about:
      'The first of equal cells takes the gradient. tfjs takes the first on cpu and the last elsewhere. A nudge down changes nothing, a nudge up does.',
    state: stateOf({ op: 'maxPool', look: 'dx', nudge: -0.1, height: 2, width: 3, x: [1, 5, 5, 5, 5, 5], dy: [1, 2], cell: { of: 'dx', index: 1 } }), // prettier-ignore
  },
  {
    group: DEVIATIONS,
    title: 'Row 8: a window of −Infinity',
    about: 'Its first cell is its maximum. tfjs finds none on cpu: the gradient is lost.',
    state: stateOf({ ...ODD, x: [-Infinity, -Infinity, 1, -Infinity, -Infinity, 2], look: 'dx', cell: { of: 'dx', index: 0 } }), // prettier-ignore
  },
  {
    group: DEVIATIONS,
    title: 'Row 9: an average over padding alone',
    about: 'It is 0 here and has no gradient. tfjs gives NaN on cpu.',
    state: stateOf({ op: 'avgPool', height: 2, width: 2, strides: [2, 2], pad: [2, 0, 0, 0] }),
  },
  {
    group: DEVIATIONS,
    title: 'Row 10: NaN',
    about:
      'A maximum skips NaN. Where there is nothing else it is NaN here, and −Infinity in tfjs, which hides it.',
    state: stateOf({ ...ODD, x: [NaN, NaN, 1, NaN, NaN, 2] }),
  },
  {
    group: DEVIATIONS,
    title: 'Row 11: a stride with a dilation',
    about: 'tfjs throws: “Either strides or dilations must be 1”. The plugin’s own conv2d has both at once.',
    state: stateOf({ height: 5, width: 5, strides: [2, 2], dilations: [2, 2], look: 'dx', cell: { of: 'dx', index: 12 } }), // prettier-ignore
  },
  {
    group: DEVIATIONS,
    title: 'Row 11: a convolution with groups',
    about:
      'Channels 0 and 1 lead to output 0, channels 2 and 3 to output 1. tfjs throws: “depth of input (4) must match input depth for filter 2”.',
    state: stateOf({ channels: 4, outChannels: 2, groups: 2 }),
  },
  {
    group: DEVIATIONS,
    title: 'Row 11: an average that counts the padding',
    about: 'With countIncludePad each window is divided by its size. tfjs has no such option.',
    state: stateOf({ ...BORDER, countIncludePad: true }),
  },
  {
    group: DEVIATIONS,
    title: 'Row 12: a window of one cell',
    about:
      'With this stride and padding y sees the last cell of x alone. tfjs takes any such pooling for the identity, but not in its gradient.',
    state: stateOf({ op: 'maxPool', height: 2, width: 2, filterHeight: 1, filterWidth: 1, strides: [2, 2], pad: [1, 1, 1, 1], x: [1, 2, 3, 4] }), // prettier-ignore
  },
  {
    group: DEVIATIONS,
    title: 'Row 14: an infinite cell of the filter over padding',
    about: 'There it takes no part. tfjs’s wasm multiplies it by the zero of the padding, which gives NaN.',
    state: stateOf({ ...A, filterHeight: 3, filterWidth: 3, filter: [Infinity, 1, 1, 1, 1, 1, 1, 1, 1], pad: 'same' }), // prettier-ignore
  },
  {
    group: DEVIATIONS,
    title: 'Row 15: a maximum over padding alone',
    about: 'It is −Infinity here and on tfjs’s cpu, and −1e20 on tfjs’s webgl. It has no gradient.',
    state: stateOf({ op: 'maxPool', height: 2, width: 2, strides: [2, 2], pad: [2, 0, 0, 0] }),
  },
  {
    group: DEVIATIONS,
    title: 'Row 18: channels first, with a bias',
    about:
      'In the gradient of tf.fused.conv2d tfjs throws: “got dataFormat of NCHW but only NHWC is currently supported”.',
    state: stateOf({ ...A, bias: [1], dataFormat: 'NCHW', look: 'dx', cell: { of: 'dx', index: 4 } }),
  },
  {
    group: DEVIATIONS,
    title: 'Row 25: channels first, on wasm',
    about: 'tfjs throws on wasm: “wasm backend Conv2D does not support dataFormat”.',
    state: stateOf({ channels: 2, dataFormat: 'NCHW' }),
  },
  {
    group: DEVIATIONS,
    title: 'Row 26: maxima below 0, on wasm',
    about:
      'tfjs’s gradient starts from a number above 0 on wasm, and finds no maximum below it: the gradient is lost, but for the window with the first cell.',
    state: stateOf({ op: 'maxPool', look: 'dx', x: [-1, -5, -2, -4, -3, -6, -9, -7, -8], dy: [1, 2, 3, 4], cell: { of: 'dx', index: 4 } }), // prettier-ignore
  },
  {
    group: DEVIATIONS,
    title: 'Row 38: a depthwise convolution, channels first',
    about:
      'tfjs takes NCHW for NHWC here: its y has the shape [1, 1, 2, 6], and its gradient throws: “number of input channels (3) must match”.',
    state: stateOf({
      op: 'depthwiseConv2d',
      channels: 2,
      outChannels: 2,
      dataFormat: 'NCHW',
      look: 'dx',
      cell: { of: 'dx', index: 4 },
    }),
  },
  {
    group: DEVIATIONS,
    title: 'Row 39: a depthwise convolution, on wasm',
    about:
      "tfjs throws on wasm: “Kernel 'DepthwiseConv2dNativeBackpropInput' not registered for backend 'wasm'”.",
    state: stateOf({
      op: 'depthwiseConv2d',
      channels: 2,
      look: 'dx',
      cell: { of: 'dx', index: 4 },
    }),
  },
];

/** The example with the numbers of this state: best of all the one that is looked at in the same way. */
export function presetOf(s: State): Preset | undefined {
  const numbers = (state: State) => toHash({ ...state, paint: undefined, look: 'forward', view: 'gather', cell: { of: 'y', index: 0 }, soFar: false, nudge: 1 }); // prettier-ignore
  const same = PRESETS.filter(({ state }) => numbers(state) === numbers(s));
  const isLook = ({ state }: Preset) => state.look === s.look;
  return (
    same.find((preset) => isLook(preset) && preset.state.view === s.view) ?? same.find(isLook) ?? same[0]
  );
}

interface Page {
  title: string;
  /** Its address in docs/, as demo/course.mjs makes it. */
  path: string;
}

const COURSE: Record<string, Page> = {
  A: { title: 'Page A of the course', path: 'learn/a-one-channel.html' },
  B: { title: 'Page B of the course', path: 'learn/b-im2col.html' },
  C: { title: 'Page C of the course', path: 'learn/c-whole-cnn.html' },
  D: { title: 'Page D of the course', path: 'learn/d-channels-last.html' },
};

/** The page that explains what is shown. */
export function pageOf(s: State): Page {
  const title = presetOf(s)?.title;
  const row = /^Row (\d+)/.exec(title ?? '')?.[1];
  if (row) return { title: `Row ${row} of the deviations`, path: `deviations.html#row-${row}` };
  const letter = /^([A-D]):/.exec(title ?? '')?.[1];
  if (letter) return COURSE[letter];
  if (s.view === 'im2col') return COURSE.B;
  return s.op === 'dense' || isPool(s.op) ? COURSE.C : COURSE.A;
}

/**
 * States to start from: the worked examples A to D, each one a text that teaches convolution, and rows of
 * docs/deviations.md, where this plugin differs from TensorFlow.js.
 */
import { type State, stateOf } from './state.js';

export interface Preset {
  group: 'Worked examples' | 'Where tfjs 4.22 differs';
  title: string;
  /** What to look at. */
  about: string;
  state: State;
}

const EXAMPLES = 'Worked examples';
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
const D_SAME: Partial<State> = { height: 4, width: 4, filterHeight: 3, filterWidth: 3, strides: [2, 2], pad: [4, 3, 4, 3] }; // prettier-ignore

const BORDER: Partial<State> = { op: 'avgPool', pad: 'same', strides: [2, 2], dy: [1, 1, 1, 1] };

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
    group: DEVIATIONS,
    title: 'Row 1: the gradient of an average at a border',
    about:
      'The window in the corner holds one cell, and its average is that cell. tfjs divides its gradient by four all the same. Nudge the cell: the output shows which is right.',
    state: stateOf({ ...BORDER, look: 'dx', nudge: 1, cell: { of: 'dx', index: 8 } }),
  },
  {
    group: DEVIATIONS,
    title: 'Row 3: a window of 3 by 1 without padding',
    about:
      'y is 3 by 5. With a pad of 0 tfjs makes it 3 by 3: it uses the height of the filter for the width, too.',
    state: stateOf({ height: 5, width: 5, filterHeight: 3, filterWidth: 1, pad: [0, 0, 0, 0] }),
  },
  {
    group: DEVIATIONS,
    title: 'Row 4: the gradient of a dilated convolution',
    about: 'tfjs throws here. The holes of the filter stay holes when it is rotated.',
    state: stateOf({ ...A, filter: [10, 20, 30, 40], dy: [1], dilations: [2, 2], look: 'dx' }),
  },
  {
    group: DEVIATIONS,
    title: 'Row 7: equal maxima',
    about:
      'The first of equal cells takes the gradient. tfjs takes the first on cpu and the last on webgl. A nudge down changes nothing, a nudge up does.',
    state: stateOf({ op: 'maxPool', look: 'dx', nudge: -0.1, height: 2, width: 3, x: [1, 5, 5, 5, 5, 5], dy: [1, 2], cell: { of: 'dx', index: 1 } }), // prettier-ignore
  },
  {
    group: DEVIATIONS,
    title: 'Row 9: an average over padding alone',
    about: 'It is 0 here and has no gradient. tfjs gives NaN on cpu.',
    state: stateOf({ op: 'avgPool', height: 2, width: 2, strides: [2, 2], pad: [2, 0, 0, 0] }),
  },
  {
    group: DEVIATIONS,
    title: 'Row 11: a stride with a dilation',
    about: 'tfjs throws for both at once. The plugin’s own conv2d has them.',
    state: stateOf({ height: 5, width: 5, strides: [2, 2], dilations: [2, 2], look: 'dx', cell: { of: 'dx', index: 12 } }), // prettier-ignore
  },
  {
    group: DEVIATIONS,
    title: 'Row 15: a maximum over padding alone',
    about: 'It is −Infinity here and on tfjs’s cpu, and −1e20 on tfjs’s webgl. It has no gradient.',
    state: stateOf({ op: 'maxPool', height: 2, width: 2, strides: [2, 2], pad: [2, 0, 0, 0] }),
  },
  {
    group: DEVIATIONS,
    title: 'Row 38: a depthwise convolution, channels first',
    about: 'Each channel has filters of its own. tfjs takes NCHW for NHWC here.',
    state: stateOf({
      op: 'depthwiseConv2d',
      channels: 2,
      outChannels: 2,
      dataFormat: 'NCHW',
      look: 'dx',
      cell: { of: 'dx', index: 4 },
    }),
  },
];

/**
 * How calls of micro-kernels are cut into calls that compute parts of their results. No two parts write to the same cell, and each cell
 * is computed as in the whole: the result is the same to the bit, whatever the number of parts.
 */
import { type MicroKernels, MR, NR, roundUp } from '../simd/calls.js';

export type Name = keyof MicroKernels;
export type Call<N extends Name = Name> = Parameters<MicroKernels[N]>[0];

/**
 * What calls are cut by:
 *
 * - tiles: pixels of a convolution's result, or tiles of Winograd's algorithm
 * - panels: of eight columns of a matrix
 * - vectors: of four channels
 * - taps, planes, patches, lines, windows: as the micro-kernels have them
 */
export type Items = 'tiles' | 'panels' | 'vectors' | 'taps' | 'planes' | 'patches' | 'lines' | 'windows';

/** Names of micro-kernels that are cut by the items. */
type NameBy<I extends Items> = {
  [N in keyof typeof CUTS]: Extract<I, keyof (typeof CUTS)[N]['by']> extends never ? never : N;
}[keyof typeof CUTS];
/** A call of a micro-kernel, with its name. */
export type StepOf<N extends Name> = readonly [name: N, call: Call<N>];
/** That of a micro-kernel that is cut by the items. */
export type StepBy<I extends Items> = { readonly [N in NameBy<I>]: StepOf<N> }[NameBy<I>];
export type Step = StepBy<Items>;

export interface Cut<C> {
  /** Each part but the last one has a multiple of so many items. */
  readonly step: number;
  count(call: C): number;
  /** The call for the items from `first` up to `end`, of `count`. */
  part(call: C, first: number, end: number, count: number): C;
}

export interface Cuts<C> {
  /** As many products take about as long as the call. */
  work(call: C): number;
  readonly by: { readonly [I in Items]?: Cut<C> };
}

/** A value that is read and written takes as long as so many products. */
const VALUE = 8;
/** In bytes: a row of a panel. */
const PANEL_ROW = 4 * NR;
/** In bytes: four channels. */
const VECTOR = 16;

/** In bytes: the scratch memory of the largest transform, of 7 x 7 cells of four channels, in whole lines of the cache. */
const SCRATCH = 832;
/** In bytes: that of all parts of a call. */
export function scratchSize({ parts }: { readonly parts: number }): number {
  return SCRATCH * parts;
}

type Pixels = Call<'multiply'> | Call<'multiplyEach'> | Call<'dot'>;
const pixels = {
  step: MR,
  count: ({ pixelCount }: Pixels) => pixelCount,
  part<C extends Pixels>(call: C, first: number, end: number): C {
    const pixelCount = roundUp(end - first, MR);
    return { ...moved(call, 4 * first, 'pixels', 'outs'), pixelCount };
  },
};

const depthOf = (k: Pixels) => k.segmentCount * k.segmentLength;
type Multiplied = Call<'multiply'> | Call<'multiplyEach'>;
const productsOf = (k: Multiplied) => NR * k.panelCount * k.pixelCount * depthOf(k);
const multiplied = {
  tiles: pixels,
  panels: {
    step: 2,
    count: ({ panelCount }: Multiplied) => panelCount,
    part<C extends Multiplied>(k: C, first: number, end: number): C {
      const at = first * PANEL_ROW;
      const panels = k.panels + at * depthOf(k);
      // A last panel that is not full may be left to another call.
      const panelCount = Math.max(0, Math.min(end, k.panelCount) - first);
      return { ...k, panels, panelCount, bias: k.bias + at, c: k.c + at };
    },
  },
};

/** Columns, in panels. A pair of them takes a line of the cache. */
const columns = {
  step: 2,
  count: ({ cols }: { cols: number }) => Math.ceil(cols / NR),
  /** The number of columns from panel `first` up to `end`. */
  between: ({ cols }: { cols: number }, first: number, end: number) => Math.min(NR * end, cols) - NR * first,
};

/** The call with these addresses so many bytes further on. */
function moved<C extends object>(call: C, bytes: number, ...addresses: (keyof C)[]): C {
  const copy = { ...call } as Record<keyof C, number>;
  for (const address of addresses) copy[address] += bytes;
  return copy as C;
}

const lines = {
  step: 1,
  count: ({ lineCount }: { lineCount: number }) => lineCount,
  part<C extends { lines: number; outs: number; lineCount: number }>(call: C, first: number, end: number): C {
    return { ...moved(call, 4 * first, 'lines', 'outs'), lineCount: end - first };
  },
};

type Windows = Call<'maxPool'> | Call<'avgPool'>;
/** The addresses are those of tables that have a number for each window. */
function windows<C extends Windows>(...addresses: (keyof C)[]): Cut<C> {
  return {
    step: 1,
    count: ({ pixelCount }) => pixelCount,
    part: (call, first, end) => ({ ...moved(call, 4 * first, ...addresses), pixelCount: end - first }),
  };
}
const windowsWork = ({ pixelCount, tapCount, channels }: Windows) =>
  pixelCount * channels * (2 * tapCount + VALUE);

type Values = { readonly size: number };
const vectors = { step: 1, count: ({ size }: Values) => size / VECTOR };
/** The work of transforms that give or take `n` cells of each value. */
const vectorsWork = ({ size }: Values, n: number) => (size / 4) * n * VALUE;
/** Transforms of a filter whose values lie in panels. `panels` serves only in sequences: its number is that of other calls. */
const filterCut = {
  step: 1,
  count: vectors.count,
  part<C extends Values & { taps: number; to: number }>(k: C, first: number, end: number, count: number): C {
    const item = k.size / count;
    const at = item * first;
    return { ...k, taps: k.taps + at, to: k.to + at, size: item * (end - first) };
  },
};
const filterCuts = { panels: filterCut, vectors: filterCut };

const outputs = {
  step: 1,
  count: ({ tileCount }: { tileCount: number }) => tileCount,
  part<C extends { tiles: number; tileCount: number; from: number; channels: number }>(
    k: C,
    first: number,
    end: number,
  ): C {
    return {
      ...k,
      tiles: k.tiles + 4 * first,
      tileCount: end - first,
      from: k.from + 4 * first * k.channels,
    };
  },
};

type Activation = Call<'reluGrad'> | Call<'clipGrad'>;
const activation = {
  /** Each value is made of two. */
  work: ({ size }: Values) => (size / 4) * 2 * VALUE,
  by: {
    vectors: {
      ...vectors,
      part<C extends Activation>(k: C, first: number, end: number): C {
        return { ...moved(k, VECTOR * first, 'dy', 'x', 'dx'), size: VECTOR * (end - first) };
      },
    },
  },
};

/**
 * Micro-kernels that are not here run on the calling thread. Windows that overlap add to the same cells, and parts that take channels
 * (of pooling's gradients, of the filter's gradient in depthwise convolution) share lines of the cache: they were slower than one thread.
 */
export const CUTS = {
  multiply: { work: productsOf, by: multiplied },
  multiplyEach: { work: (k) => k.count * productsOf(k), by: multiplied },
  dot: { work: (k) => k.panelCount * k.pixelCount * depthOf(k), by: { tiles: pixels } },
  addRows: {
    work: (k) => k.rows * k.cols * VALUE,
    by: {
      panels: {
        ...columns,
        part(k, first, end) {
          const at = first * PANEL_ROW;
          return { ...k, b: k.b + at, c: k.c + at, cols: columns.between(k, first, end) };
        },
      },
    },
  },
  accumulate: {
    work: (k) => NR * k.panelCount * k.tapCount * k.rowCount * k.cols,
    by: {
      taps: {
        step: MR,
        count: (k) => k.tapCount,
        part(k, first, end) {
          return { ...k, taps: k.taps + 4 * first, tapCount: end - first, c: k.c + first * k.cStep };
        },
      },
      panels: {
        step: 1,
        count: (k) => k.panelCount,
        part(k, first, end) {
          const at = first * PANEL_ROW;
          return { ...k, panels: k.panels + at * k.rowCount * k.cols, panelCount: end - first, c: k.c + at };
        },
      },
    },
  },
  accumulateEach: {
    work: (k) => NR * k.count * k.panelCount * k.tapCount * k.rowCount * k.cols,
    by: {
      planes: {
        step: 1,
        count: (k) => k.count,
        part(k, first, end) {
          const [a, panels] = [k.a + first * k.aStep, k.panels + first * k.panelsStep];
          return { ...k, count: end - first, a, panels, c: k.c + first * k.planeStep };
        },
      },
    },
  },
  pack: {
    work: (k) => k.rows * k.cols * VALUE,
    by: {
      panels: {
        ...columns,
        part(k, first, end) {
          const src = k.src + NR * first * k.colStep;
          return { ...k, src, cols: columns.between(k, first, end), to: k.to + first * k.panelStep };
        },
      },
    },
  },
  depthwise: { work: (k) => k.lineCount * k.count * k.channels * (k.tapCount + VALUE), by: { lines } },
  depthwise3x3: { work: (k) => k.lineCount * k.count * k.channels * (9 + VALUE), by: { lines } },
  maxPool: { work: windowsWork, by: { windows: windows<Call<'maxPool'>>('pixels', 'outs') } },
  avgPool: { work: windowsWork, by: { windows: windows<Call<'avgPool'>>('pixels', 'outs', 'counts') } },
  reluGrad: activation,
  clipGrad: activation,
  normalize: {
    work: (k) => (k.length / 4) * VALUE,
    by: {
      lines: {
        step: 1,
        count: (k) => Math.ceil(k.length / k.period),
        part(k, first, end) {
          const at = first * k.period;
          return { ...k, x: k.x + at, y: k.y + at, length: Math.min(end * k.period, k.length) - at };
        },
      },
    },
  },
  winogradFilter: { work: (k) => vectorsWork(k, k.n * k.n), by: filterCuts },
  winogradInput: {
    work: (k) => k.n * k.n * k.patchCount * k.channels * VALUE,
    by: {
      tiles: {
        step: 1,
        count: (k) => k.patchCount,
        part(k, first, end) {
          const [patches, to] = [k.patches + 4 * first, k.to + 4 * first * k.channels];
          return { ...k, patches, patchCount: end - first, to };
        },
      },
    },
  },
  winogradOutput: {
    work: (k) => k.n * k.n * k.tileCount * k.channels * VALUE,
    by: { tiles: outputs },
  },
  gradientTiles: {
    work: (k) => k.n * k.n * k.tileCount * k.channels * VALUE,
    by: {
      tiles: {
        step: 1,
        count: (k) => k.tileCount,
        part(k, first, end) {
          return { ...k, tiles: k.tiles + 4 * first, tileCount: end - first, to: k.to + PANEL_ROW * first };
        },
      },
    },
  },
  gradientTaps: {
    work: (k) => vectorsWork(k, k.n * k.n),
    by: {
      vectors: {
        ...vectors,
        part(k, first, end) {
          const at = VECTOR * first;
          return { ...k, from: k.from + at, to: k.to + at, size: VECTOR * (end - first) };
        },
      },
    },
  },
  lineFilter: { work: (k) => vectorsWork(k, 7), by: filterCuts },
  lineInput: {
    work: (k) => 7 * k.patchCount * k.pieceCount * k.channels * VALUE,
    by: {
      patches: {
        step: 1,
        count: (k) => k.patchCount,
        part(k, first, end) {
          const patch = 4 * first * k.channels;
          const [to, last] = [k.to + patch * k.pieceCount, k.last + patch * k.whole];
          return { ...k, patches: k.patches + 4 * first, patchCount: end - first, to, last };
        },
      },
    },
  },
  lineOutput: { work: (k) => 7 * k.tileCount * k.channels * VALUE, by: { tiles: outputs } },
} satisfies { readonly [N in Name]?: Cuts<Call<N>> };

/** Part number `index` of a step, with scratch memory of its own if the micro-kernel needs any. */
export function partOf(
  [name, call]: Step,
  by: Items,
  first: number,
  end: number,
  count: number,
  index: number,
): Step {
  const part = cutOf(name, by).part(call, first, end, count);
  return [name, 'scratch' in part ? { ...part, scratch: part.scratch + SCRATCH * index } : part] as Step;
}

export function cutsOf(name: Step[0]): Cuts<Call> {
  return CUTS[name] as Cuts<Call>;
}

/** The sequences' types see to it that there is one. */
export function cutOf(name: Step[0], by: Items): Cut<Call> {
  return cutsOf(name).by[by]!;
}

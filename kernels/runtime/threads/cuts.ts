/**
 * How a call of a micro-kernel is cut into calls that compute parts of its result. No two parts write to the same cell, and each cell
 * is computed as in the whole: the result is the same to the bit, whatever the number of parts.
 */
import type { MicroKernels } from '../simd/calls.js';
import { MOST_CALLS } from './worker.js';

export type Name = keyof MicroKernels;
export type Call<N extends Name = Name> = Parameters<MicroKernels[N]>[0];

export interface Cut<N extends Name = Name> {
  /** So many units may be computed each by itself. */
  units(call: Call<N>): number;
  /** As many products take about as long as the call. */
  work(call: Call<N>): number;
  /** The call for `count` units from the `first` on. */
  part(call: Call<N>, first: number, count: number): Call<N>;
}

/** A value that is read and written takes as long as so many products. */
const VALUE = 8;
/** In bytes: a row of a panel, of eight columns. */
const PANEL_ROW = 32;
/** In bytes: four channels. */
const VECTOR = 16;

/** In bytes: the scratch memory of the largest transform, of 7 x 7 cells of four channels, in whole lines of the cache. */
const SCRATCH = 832;
/** That of all parts of a call. */
export const ALL_SCRATCH = SCRATCH * MOST_CALLS;

/** Pixels, four at a time. */
const tiles = {
  units: ({ pixelCount }: Call<'dot'>) => pixelCount / 4,
  part<C extends Call<'dot'>>(call: C, first: number, count: number): C {
    const at = 16 * first;
    return { ...call, pixels: call.pixels + at, outs: call.outs + at, pixelCount: 4 * count };
  },
};

const lines = {
  units: ({ lineCount }: Call<'depthwise3x3'>) => lineCount,
  part<C extends Call<'depthwise3x3'>>(call: C, first: number, count: number): C {
    return { ...call, lines: call.lines + 4 * first, outs: call.outs + 4 * first, lineCount: count };
  },
};

const linesWork = (k: Call<'depthwise'> | Call<'depthwiseFilter'>) =>
  k.lineCount * k.count * k.channels * (k.tapCount + VALUE);

/** Channels, sixteen at a time: they lie in one line of the cache. The last unit has the rest, too. */
const channels = {
  units: (call: { channels: number }) => Math.floor(call.channels / 16),
  /** In bytes: where the part starts; and the number of its channels. */
  span(call: { channels: number }, first: number, count: number): [number, number] {
    const isLast = first + count === channels.units(call);
    return [64 * first, isLast ? call.channels - 16 * first : 16 * count];
  },
};

type Windows = Call<'maxPool'> | Call<'avgPool'> | Call<'maxPoolGrad'> | Call<'avgPoolGrad'>;
const windowUnits = ({ pixelCount }: Windows) => pixelCount;
const windowWork = ({ pixelCount, tapCount, channels }: Windows) =>
  pixelCount * channels * (2 * tapCount + VALUE);

/** Four channels at a time, of taps that lie in panels. */
const vectors = {
  units: ({ size }: { size: number }) => size / VECTOR,
  work: ({ size }: { size: number }) => 4 * size * VALUE,
};

const depthOf = (k: { segmentCount: number; segmentLength: number }) => k.segmentCount * k.segmentLength;
const byPanels = ({ panelCount, tapCount }: Call<'accumulate'>) => panelCount >= tapCount / 4;

type Multiplied = Call<'multiply'> | Call<'multiplyEach'>;
const productsOf = (k: Multiplied) => 8 * k.panelCount * k.pixelCount * depthOf(k);

/** Whichever are more: tiles of pixels, or pairs of panels. So each thread reads a part of the larger operand. */
const tilesOrPanels = {
  units: (k: Multiplied) => Math.max(k.pixelCount / 4, Math.ceil(k.panelCount / 2)),
  part<C extends Multiplied>(k: C, first: number, count: number): C {
    if (k.pixelCount / 4 >= Math.ceil(k.panelCount / 2)) return tiles.part(k as never, first, count) as never;
    const panels = k.panels + 2 * first * PANEL_ROW * depthOf(k);
    const [panelCount, at] = [Math.min(2 * count, k.panelCount - 2 * first), 2 * first * PANEL_ROW];
    return { ...k, panels, panelCount, bias: k.bias + at, c: k.c + at };
  },
};

export const CUTS: { readonly [N in Name]?: Cut<N> } = {
  multiply: { ...tilesOrPanels, work: productsOf },
  multiplyEach: { ...tilesOrPanels, work: (k) => k.count * productsOf(k) },
  dot: { ...tiles, work: (k) => k.panelCount * k.pixelCount * depthOf(k) },
  addRows: {
    units: (k) => Math.ceil(k.cols / 16),
    work: (k) => k.rows * k.cols * VALUE,
    part(k, first, count) {
      const cols = Math.min(16 * count, k.cols - 16 * first);
      return { ...k, b: k.b + 64 * first, c: k.c + 64 * first, cols };
    },
  },
  accumulate: {
    units: (k) => (byPanels(k) ? k.panelCount : k.tapCount / 4),
    work: (k) => 8 * k.panelCount * k.tapCount * k.rowCount * k.cols,
    part(k, first, count) {
      if (!byPanels(k))
        return { ...k, taps: k.taps + 16 * first, tapCount: 4 * count, c: k.c + 4 * first * k.cStep };
      const panels = k.panels + first * PANEL_ROW * k.rowCount * k.cols;
      return { ...k, panels, panelCount: count, c: k.c + first * PANEL_ROW };
    },
  },
  accumulateEach: {
    units: (k) => k.count,
    work: (k) => 8 * k.count * k.panelCount * k.tapCount * k.rowCount * k.cols,
    part(k, first, count) {
      const [a, panels] = [k.a + first * k.aStep, k.panels + first * k.panelsStep];
      return { ...k, count, a, panels, c: k.c + first * k.planeStep };
    },
  },
  pack: {
    units: (k) => Math.ceil(k.cols / 16),
    work: (k) => k.rows * k.cols * VALUE,
    part(k, first, count) {
      const cols = Math.min(16 * count, k.cols - 16 * first);
      return { ...k, src: k.src + 16 * first * k.colStep, cols, to: k.to + 2 * first * k.panelStep };
    },
  },
  depthwise: { ...lines, work: linesWork },
  depthwise3x3: { ...lines, work: (k) => k.lineCount * k.count * k.channels * (9 + VALUE) },
  depthwiseFilter: {
    units: channels.units,
    work: linesWork,
    part(k, first, count) {
      const [at, channelCount] = channels.span(k, first, count);
      return { ...k, x: k.x + at, dy: k.dy + at, dFilter: k.dFilter + at, channels: channelCount };
    },
  },
  maxPool: {
    units: windowUnits,
    work: windowWork,
    part(k, first, count) {
      return { ...k, pixels: k.pixels + 4 * first, outs: k.outs + 4 * first, pixelCount: count };
    },
  },
  avgPool: {
    units: windowUnits,
    work: windowWork,
    part(k, first, count) {
      const at = 4 * first;
      return { ...k, pixels: k.pixels + at, outs: k.outs + at, counts: k.counts + at, pixelCount: count };
    },
  },
  // Windows may overlap, so parts of them would add to the same cells.
  maxPoolGrad: {
    units: channels.units,
    work: windowWork,
    part(k, first, count) {
      const [at, channelCount] = channels.span(k, first, count);
      return { ...k, x: k.x + at, dy: k.dy + at, dx: k.dx + at, channels: channelCount };
    },
  },
  avgPoolGrad: {
    units: channels.units,
    work: windowWork,
    part(k, first, count) {
      const [at, channelCount] = channels.span(k, first, count);
      return { ...k, dy: k.dy + at, dx: k.dx + at, channels: channelCount };
    },
  },
  normalize: {
    units: (k) => Math.ceil(k.length / k.period),
    work: (k) => (k.length / 4) * VALUE,
    part(k, first, count) {
      const at = first * k.period;
      return { ...k, x: k.x + at, y: k.y + at, length: Math.min(count * k.period, k.length - at) };
    },
  },
  winogradFilter: {
    ...vectors,
    part(k, first, count) {
      const at = VECTOR * first;
      return { ...k, taps: k.taps + at, to: k.to + at, size: VECTOR * count };
    },
  },
  winogradInput: {
    units: (k) => k.patchCount,
    work: (k) => k.n * k.n * k.patchCount * k.channels * VALUE,
    part(k, first, count) {
      const [patches, to] = [k.patches + 4 * first, k.to + 4 * first * k.channels];
      return { ...k, patches, patchCount: count, to };
    },
  },
  winogradOutput: {
    units: (k) => k.tileCount,
    work: (k) => k.n * k.n * k.tileCount * k.channels * VALUE,
    part(k, first, count) {
      const [tileAt, from] = [k.tiles + 4 * first, k.from + 4 * first * k.channels];
      return { ...k, tiles: tileAt, tileCount: count, from };
    },
  },
  gradientTiles: {
    units: (k) => k.tileCount,
    work: (k) => k.n * k.n * k.tileCount * k.channels * VALUE,
    part(k, first, count) {
      const [tileAt, to] = [k.tiles + 4 * first, k.to + PANEL_ROW * first];
      return { ...k, tiles: tileAt, tileCount: count, to };
    },
  },
  gradientTaps: {
    ...vectors,
    part(k, first, count) {
      const at = VECTOR * first;
      return { ...k, from: k.from + at, to: k.to + at, size: VECTOR * count };
    },
  },
  lineFilter: {
    ...vectors,
    part(k, first, count) {
      const at = VECTOR * first;
      return { ...k, taps: k.taps + at, to: k.to + at, size: VECTOR * count };
    },
  },
  lineInput: {
    // With channels that are no multiple of four, a patch is written past its end, where the next one begins.
    units: (k) => (k.channels % 4 === 0 ? k.patchCount : 1),
    work: (k) => 7 * k.patchCount * k.pieceCount * k.channels * VALUE,
    part(k, first, count) {
      const patch = 4 * first * k.channels;
      const [to, last] = [k.to + patch * k.pieceCount, k.last + patch * k.whole];
      return { ...k, patches: k.patches + 4 * first, patchCount: count, to, last };
    },
  },
  lineOutput: {
    units: (k) => k.tileCount,
    work: (k) => 7 * k.tileCount * k.channels * VALUE,
    part(k, first, count) {
      const [tileAt, from] = [k.tiles + 4 * first, k.from + 4 * first * k.channels];
      return { ...k, tiles: tileAt, tileCount: count, from };
    },
  },
};

/** Part number `index` of a call, with scratch memory of its own if the micro-kernel needs any. */
export function partOf(name: Name, call: Call, first: number, count: number, index: number): Call {
  const part = (CUTS[name] as Cut).part(call, first, count);
  return 'scratch' in part ? { ...part, scratch: part.scratch + SCRATCH * index } : part;
}

/**
 * The micro-kernels with named arguments. A call is an object whose fields have the names that assembly/ declares, so a wrong
 * order of arguments does not compile. assembly/ explains the arguments. Addresses, lengths and steps are in bytes.
 *
 * The order is written out here, once: a loop over names would take longer than a small convolution.
 */

/** Columns of a panel, and rows of a micro-kernel's tile. */
export const NR = 8;
export const MR = 4;

export function roundUp(n: number, multiple: number): number {
  return Math.ceil(n / multiple) * multiple;
}

type Numbers<Names extends string> = Readonly<Record<Names, number>>;

/** The arguments of `multiply` and of `dot`. */
type Product = Numbers<
  | 'pixels'
  | 'outs'
  | 'pixelCount'
  | 'segments'
  | 'segmentCount'
  | 'segmentLength'
  | 'a'
  | 'panels'
  | 'panelCount'
  | 'bias'
  | 'c'
  | 'lowest'
  | 'highest'
> & { readonly continued: boolean; readonly clamped: boolean };

type Accumulation = Numbers<
  | 'taps'
  | 'tapCount'
  | 'rows'
  | 'rowCount'
  | 'cols'
  | 'colStep'
  | 'a'
  | 'panels'
  | 'panelCount'
  | 'c'
  | 'cStep'
> & { readonly continued: boolean };

/** Pixels in lines, as the depthwise micro-kernels take them. */
type Lines = Numbers<'lines' | 'outs' | 'lineCount' | 'count' | 'step' | 'outStep'>;
type Depthwise = Numbers<'taps' | 'channels' | 'x' | 'filter' | 'bias' | 'y' | 'lowest' | 'highest'>;

export interface MicroKernels {
  multiply(call: Product & Numbers<'step'>): void;
  multiplyEach(
    call: Omit<Product, 'clamped' | 'lowest' | 'highest'> &
      Numbers<'step' | 'count' | 'aStep' | 'panelsStep' | 'cStep'>,
  ): void;
  dot(call: Product): void;
  depthwise(call: Lines & Depthwise & Numbers<'tapCount'>): void;
  depthwise3x3(call: Lines & Depthwise): void;
  depthwiseFilter(call: Lines & Numbers<'taps' | 'tapCount' | 'channels' | 'x' | 'dy' | 'dFilter'>): void;
  addRows(call: Numbers<'a' | 'b' | 'rowStep' | 'rows' | 'cols' | 'c'>): void;
  accumulate(call: Accumulation): void;
  accumulateEach(call: Accumulation & Numbers<'count' | 'aStep' | 'panelsStep' | 'planeStep'>): void;
  pack(call: Numbers<'src' | 'rowStep' | 'colStep' | 'rows' | 'cols' | 'to' | 'panelStep'>): void;
  compact(call: Numbers<'at' | 'rows' | 'length' | 'step'>): void;
  /** True: the result is of no use. */
  maxPool(
    call: Numbers<'pixels' | 'outs' | 'pixelCount' | 'taps' | 'tapCount' | 'channels' | 'x' | 'y'>,
  ): boolean;
  /** True: the result is of no use. */
  maxPoolGrad(
    call: Numbers<'pixels' | 'outs' | 'pixelCount' | 'taps' | 'tapCount' | 'channels' | 'x' | 'dy' | 'dx'>,
  ): boolean;
  avgPool(
    call: Numbers<'pixels' | 'outs' | 'counts' | 'pixelCount' | 'taps' | 'tapCount' | 'channels' | 'x' | 'y'>,
  ): void;
  avgPoolGrad(
    call: Numbers<
      'pixels' | 'outs' | 'counts' | 'pixelCount' | 'taps' | 'tapCount' | 'channels' | 'dy' | 'dx'
    >,
  ): void;
  reluGrad(call: Numbers<'dy' | 'x' | 'dx' | 'size' | 'highest'>): void;
  clipGrad(call: Numbers<'dy' | 'x' | 'dx' | 'size' | 'lowest' | 'highest'>): void;
  normalize(call: Numbers<'x' | 'y' | 'length' | 'means' | 'multipliers' | 'offsets' | 'period'>): void;
  sumRows(call: Numbers<'dy' | 'x' | 'length' | 'means' | 'period' | 's1' | 's2'>): void;
  winogradFilter(call: Numbers<'n' | 'taps' | 'tapStep' | 'size' | 'to' | 'plane' | 'scratch'>): void;
  winogradInput(
    call: Numbers<'n' | 'patches' | 'patchCount' | 'a' | 'rowStep' | 'channels' | 'to' | 'plane' | 'scratch'>,
  ): void;
  winogradOutput(
    call: Numbers<
      | 'n'
      | 'from'
      | 'plane'
      | 'tiles'
      | 'tileCount'
      | 'c'
      | 'rowStep'
      | 'colStep'
      | 'channels'
      | 'bias'
      | 'lowest'
      | 'highest'
      | 'scratch'
    >,
  ): void;
  gradientTiles(
    call: Numbers<
      'n' | 'tiles' | 'tileCount' | 'dy' | 'rowStep' | 'channels' | 'to' | 'panelStep' | 'plane' | 'scratch'
    >,
  ): void;
  gradientTaps(call: Numbers<'n' | 'from' | 'plane' | 'size' | 'to' | 'tapStep' | 'scratch'>): void;
  lineFilter(call: Numbers<'r' | 'taps' | 'tapStep' | 'size' | 'to' | 'plane'>): void;
  lineInput(
    call: Numbers<
      | 'patches'
      | 'patchCount'
      | 'pieces'
      | 'whole'
      | 'pieceCount'
      | 'a'
      | 'step'
      | 'channels'
      | 'to'
      | 'last'
      | 'plane'
      | 'scratch'
    >,
  ): void;
  lineOutput(
    call: Numbers<
      | 'm'
      | 'from'
      | 'plane'
      | 'tiles'
      | 'tileCount'
      | 'c'
      | 'step'
      | 'channels'
      | 'bias'
      | 'lowest'
      | 'highest'
    >,
  ): void;
}

/** What the module exports: each function takes its arguments by position. */
export type Positional = Record<keyof MicroKernels, (...values: (number | boolean)[]) => number>;

export function named(wasm: Positional): MicroKernels {
  return {
    multiply: (k) =>
      wasm.multiply(
        k.pixels,
        k.outs,
        k.pixelCount,
        k.segments,
        k.segmentCount,
        k.segmentLength,
        k.step,
        k.a,
        k.panels,
        k.panelCount,
        k.bias,
        k.c,
        k.continued,
        k.clamped,
        k.lowest,
        k.highest,
      ),
    multiplyEach: (k) =>
      wasm.multiplyEach(
        k.count,
        k.aStep,
        k.panelsStep,
        k.cStep,
        k.pixels,
        k.outs,
        k.pixelCount,
        k.segments,
        k.segmentCount,
        k.segmentLength,
        k.step,
        k.a,
        k.panels,
        k.panelCount,
        k.bias,
        k.c,
        k.continued,
      ),
    dot: (k) =>
      wasm.dot(
        k.pixels,
        k.outs,
        k.pixelCount,
        k.segments,
        k.segmentCount,
        k.segmentLength,
        k.a,
        k.panels,
        k.panelCount,
        k.bias,
        k.c,
        k.continued,
        k.clamped,
        k.lowest,
        k.highest,
      ),
    depthwise: (k) =>
      wasm.depthwise(
        k.lines,
        k.outs,
        k.lineCount,
        k.count,
        k.step,
        k.outStep,
        k.taps,
        k.tapCount,
        k.channels,
        k.x,
        k.filter,
        k.bias,
        k.y,
        k.lowest,
        k.highest,
      ),
    depthwise3x3: (k) =>
      wasm.depthwise3x3(
        k.lines,
        k.outs,
        k.lineCount,
        k.count,
        k.step,
        k.outStep,
        k.taps,
        k.channels,
        k.x,
        k.filter,
        k.bias,
        k.y,
        k.lowest,
        k.highest,
      ),
    depthwiseFilter: (k) =>
      wasm.depthwiseFilter(
        k.lines,
        k.outs,
        k.lineCount,
        k.count,
        k.step,
        k.outStep,
        k.taps,
        k.tapCount,
        k.channels,
        k.x,
        k.dy,
        k.dFilter,
      ),
    addRows: (k) => wasm.addRows(k.a, k.b, k.rowStep, k.rows, k.cols, k.c),
    accumulate: (k) =>
      wasm.accumulate(
        k.taps,
        k.tapCount,
        k.rows,
        k.rowCount,
        k.cols,
        k.colStep,
        k.a,
        k.panels,
        k.panelCount,
        k.c,
        k.cStep,
        k.continued,
      ),
    accumulateEach: (k) =>
      wasm.accumulateEach(
        k.count,
        k.aStep,
        k.panelsStep,
        k.planeStep,
        k.taps,
        k.tapCount,
        k.rows,
        k.rowCount,
        k.cols,
        k.colStep,
        k.a,
        k.panels,
        k.panelCount,
        k.c,
        k.cStep,
        k.continued,
      ),
    pack: (k) => wasm.pack(k.src, k.rowStep, k.colStep, k.rows, k.cols, k.to, k.panelStep),
    compact: (k) => wasm.compact(k.at, k.rows, k.length, k.step),
    maxPool: (k) =>
      Boolean(wasm.maxPool(k.pixels, k.outs, k.pixelCount, k.taps, k.tapCount, k.channels, k.x, k.y)),
    maxPoolGrad: (k) =>
      Boolean(
        wasm.maxPoolGrad(k.pixels, k.outs, k.pixelCount, k.taps, k.tapCount, k.channels, k.x, k.dy, k.dx),
      ),
    avgPool: (k) =>
      wasm.avgPool(k.pixels, k.outs, k.counts, k.pixelCount, k.taps, k.tapCount, k.channels, k.x, k.y),
    avgPoolGrad: (k) =>
      wasm.avgPoolGrad(k.pixels, k.outs, k.counts, k.pixelCount, k.taps, k.tapCount, k.channels, k.dy, k.dx),
    reluGrad: (k) => wasm.reluGrad(k.dy, k.x, k.dx, k.size, k.highest),
    clipGrad: (k) => wasm.clipGrad(k.dy, k.x, k.dx, k.size, k.lowest, k.highest),
    normalize: (k) => wasm.normalize(k.x, k.y, k.length, k.means, k.multipliers, k.offsets, k.period),
    sumRows: (k) => wasm.sumRows(k.dy, k.x, k.length, k.means, k.period, k.s1, k.s2),
    winogradFilter: (k) => wasm.winogradFilter(k.n, k.taps, k.tapStep, k.size, k.to, k.plane, k.scratch),
    winogradInput: (k) =>
      wasm.winogradInput(k.n, k.patches, k.patchCount, k.a, k.rowStep, k.channels, k.to, k.plane, k.scratch),
    winogradOutput: (k) =>
      wasm.winogradOutput(
        k.n,
        k.from,
        k.plane,
        k.tiles,
        k.tileCount,
        k.c,
        k.rowStep,
        k.colStep,
        k.channels,
        k.bias,
        k.lowest,
        k.highest,
        k.scratch,
      ),
    gradientTiles: (k) =>
      wasm.gradientTiles(
        k.n,
        k.tiles,
        k.tileCount,
        k.dy,
        k.rowStep,
        k.channels,
        k.to,
        k.panelStep,
        k.plane,
        k.scratch,
      ),
    gradientTaps: (k) => wasm.gradientTaps(k.n, k.from, k.plane, k.size, k.to, k.tapStep, k.scratch),
    lineFilter: (k) => wasm.lineFilter(k.r, k.taps, k.tapStep, k.size, k.to, k.plane),
    lineInput: (k) =>
      wasm.lineInput(
        k.patches,
        k.patchCount,
        k.pieces,
        k.whole,
        k.pieceCount,
        k.a,
        k.step,
        k.channels,
        k.to,
        k.last,
        k.plane,
        k.scratch,
      ),
    lineOutput: (k) =>
      wasm.lineOutput(
        k.m,
        k.from,
        k.plane,
        k.tiles,
        k.tileCount,
        k.c,
        k.step,
        k.channels,
        k.bias,
        k.lowest,
        k.highest,
      ),
  };
}

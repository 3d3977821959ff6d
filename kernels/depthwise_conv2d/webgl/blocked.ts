/**
 * Depthwise convolution with one filter for each channel, on packed textures (../../runtime/webgl/texels.ts). The two passes are those
 * of ../../conv2d/webgl/blocked.ts. A texel holds two columns of two channels. No channel meets another, so the second half of a
 * pair may hold anything.
 *
 * What a block is:
 *
 *   y, dx    neighbouring rows x neighbouring pairs of columns, of one pair of channels. The products are written out one by one: each
 *            cell that the block sees is fetched once, and so is each tap.
 *   dFilter  neighbouring taps of one pair of channels, two to a target, summed over pixels. Each slab of blocks sums a part of the
 *            images' rows.
 */
import type { MathBackendWebGL } from '@tensorflow/tfjs-backend-webgl';
import type { TensorInfo } from '@tensorflow/tfjs-core';
import { NO_EPILOGUE, slabsOf, sumAndStore } from '../../conv2d/webgl/blocked.js';
import type { Blocks, Epilogue } from '../../conv2d/webgl/blocked_glsl.js';
import type { ConvGeometry } from '../../geometry.js';
import { columnsGlsl, columnsOf, each, isOdd, texelsUnder, type Window } from '../../runtime/webgl/window.js';

/** An axis of the image. `size` results stand along it, and the `cells` of x that they sum, or of dy for dx. */
interface Axis {
  size: number;
  cells: number;
  taps: number;
  stride: number;
  dilation: number;
  pad: number;
  isGradient: boolean;
}

/** A block computes `count` results along an axis. The next block's cells are `step` further. */
interface Side extends Axis {
  count: number;
  step: number;
}

/** Products that a program writes out, at most: for large filters blocks are smaller. Each product is one tap of one texel. */
const MOST_PRODUCTS = 200;

/** Whether these programs serve y. */
export function servesConv2d(g: ConvGeometry): boolean {
  return g.outChannels === g.inChannels && g.filterHeight * g.filterWidth <= MOST_PRODUCTS / 2;
}

/** Whether these programs serve dx: the columns of a block must see the same taps in every block. */
export function servesConv2dBackpropInput(g: ConvGeometry, targets: number): boolean {
  const stride = Math.max(g.strideHeight, g.strideWidth);
  return servesConv2d(g) && stride <= 2 && (stride === 1 || targets >= 4);
}

/** Whether these programs serve dFilter. */
export function servesConv2dBackpropFilter(g: ConvGeometry): boolean {
  return g.outChannels === g.inChannels;
}

/** y: [batch, outHeight, outWidth, channels] */
export function blockedConv2d(
  backend: MathBackendWebGL,
  g: ConvGeometry,
  x: TensorInfo,
  filter: TensorInfo,
  targets: number,
  epilogue: Epilogue,
): TensorInfo {
  return correlate(backend, g, x, filter, targets, epilogue, false);
}

/** dx: [batch, inHeight, inWidth, channels] */
export function blockedConv2dBackpropInput(
  backend: MathBackendWebGL,
  g: ConvGeometry,
  dy: TensorInfo,
  filter: TensorInfo,
  targets: number,
): TensorInfo {
  return correlate(backend, g, dy, filter, targets, NO_EPILOGUE, true);
}

/** Sums of the cells of x times the filter's taps. For dx, x is dy. */
function correlate(
  backend: MathBackendWebGL,
  g: ConvGeometry,
  x: TensorInfo,
  filter: TensorInfo,
  targets: number,
  epilogue: Epilogue,
  isGradient: boolean,
): TensorInfo {
  const [down, across] = sidesOf(axesOf(g, isGradient), targets);
  const [bands, pairBlocks] = [down, across].map(({ size, count }) => Math.ceil(size / count));
  const blocks = {
    tall: down.count,
    wide: Math.ceil(across.count / 2),
    slabs: 1,
    rows: g.batchSize * bands * pairBlocks,
    columns: Math.ceil(g.inChannels / 2),
  };
  const filters = { ...filter, shape: filterShape(g) };
  return sumAndStore(backend, g, { x, filters }, blocks, isGradient ? g.inShape : g.outShape, epilogue, {
    uniforms: { inSize: [x.shape[1], down.cells, across.cells], grid: [down.size, bands, pairBlocks] },
    sums: correlationSums(down, across, blocks),
    find: findInBlock(blocks),
  });
}

/** dFilter: [filterHeight, filterWidth, channels, 1] */
export function blockedConv2dBackpropFilter(
  backend: MathBackendWebGL,
  g: ConvGeometry,
  x: TensorInfo,
  dy: TensorInfo,
  targets: number,
): TensorInfo {
  const most = g.dilationWidth <= 2 ? 2 * targets : 2;
  const taps = Math.ceil(g.filterWidth / Math.ceil(g.filterWidth / most));
  const lines = Math.min(g.filterHeight, Math.floor((2 * targets) / taps));
  const groups = [Math.ceil(g.filterHeight / lines), Math.ceil(g.filterWidth / taps)];
  const [rows, columns] = [groups[0] * groups[1], Math.ceil(g.inChannels / 2)];
  const { slabs, imageRows, perSlab } = slabsOf(g, rows * columns);
  const blocks = { tall: Math.ceil((lines * taps) / 2), wide: 1, slabs, rows, columns };
  const window: Window = { taps, stride: g.strideWidth, dilation: g.dilationWidth };
  if (groups[1] === 1) window.isOdd = isOdd(g.padLeft);
  return sumAndStore(backend, g, { x, dy }, blocks, filterShape(g), NO_EPILOGUE, {
    uniforms: {
      inSize: [g.inHeight, g.inHeight, g.inWidth],
      dySize: [dy.shape[1], g.outHeight, g.outWidth],
      imageRows: [imageRows, perSlab],
      groups,
    },
    sums: filterSums(window, lines),
    find: findInTaps(lines, taps),
    isDraft: true,
  });
}

/** The filter's own shape. In this shape a texel holds a tap of two channels. */
export const filterShape = (g: ConvGeometry) => [g.filterHeight, g.filterWidth, g.inChannels, 1];

// Blocks

function axesOf(g: ConvGeometry, isGradient: boolean): [Axis, Axis] {
  const axis = (size: number, cells: number, taps: number, stride: number, dilation: number, pad: number) =>
    isGradient
      ? { size: cells, cells: size, taps, stride, dilation, pad, isGradient }
      : { size, cells, taps, stride, dilation, pad, isGradient };
  return [
    axis(g.outHeight, g.inHeight, g.filterHeight, g.strideHeight, g.dilationHeight, g.padTop),
    axis(g.outWidth, g.inWidth, g.filterWidth, g.strideWidth, g.dilationWidth, g.padLeft),
  ];
}

/** Shares the targets among rows and pairs of columns. A block of dx spans whole strides, a whole texel of dy at least. */
function sidesOf([down, across]: [Axis, Axis], targets: number): [Side, Side] {
  const leastRows = down.isGradient ? down.stride : 1;
  const leastPairs = across.isGradient ? across.stride : 1;
  const taps = down.taps * across.taps;
  const all = powerOf2(Math.min(targets, Math.max(leastRows * leastPairs, MOST_PRODUCTS / taps)));
  const wanted = Math.min(Math.max(all / 2, 1), 2 ** Math.ceil(Math.log2(down.size)));
  const rows = Math.min(Math.max(wanted, leastRows), all / leastPairs);
  const side = (axis: Axis, count: number) => ({
    ...axis,
    count,
    step: axis.isGradient ? count / axis.stride : count * axis.stride,
  });
  return [side(down, rows), side(across, (2 * all) / rows)];
}

const powerOf2 = (most: number) => 2 ** Math.floor(Math.log2(most));

/** The taps that result i of a block meets, and where: the cell's distance from the block's first cell. */
function meetings({ taps, stride, dilation, pad, isGradient }: Axis, i: number): [tap: number, at: number][] {
  const all = Array.from({ length: taps }, (_, tap) => tap);
  if (!isGradient) return all.map((tap) => [tap, i * stride - pad + tap * dilation]);
  return all
    .filter((tap) => (i + pad - tap * dilation) % stride === 0)
    .map((tap) => [tap, (i + pad - tap * dilation) / stride]);
}

/** Whether a result of the image sees a place outside the cells. */
function seesOutside({ size, cells, taps, stride, dilation, pad, isGradient }: Axis): boolean {
  const reach = (taps - 1) * dilation;
  const [first, last] = isGradient
    ? [Math.ceil((pad - reach) / stride), Math.floor((size - 1 + pad) / stride)]
    : [-pad, (size - 1) * stride - pad + reach];
  return first < 0 || last >= cells;
}

// GLSL

function correlationSums(down: Side, across: Side, { tall, wide }: Blocks): string {
  const lines = new Map<number, { row: number; fy: number }[]>();
  for (let row = 0; row < tall; row++) {
    for (const [fy, at] of meetings(down, row)) lines.set(at, [...(lines.get(at) ?? []), { row, fy }]);
  }
  const results = Array.from({ length: 2 * wide }, (_, column) => meetings(across, column));
  const left = 2 * Math.floor(Math.min(...results.flat().map(([, at]) => at)) / 2);
  const columns = [...new Set(results.flat().map(([, at]) => at - left))];
  const window = { isOdd: false } as Window;
  const sumGlsl = (column: number, fy: number) =>
    results[column].map(([fx, at]) => `c${at - left} * f${fy * across.taps + fx}`).join(' + ') || 'vec2(0.)';
  const isPadded = seesOutside(across);
  return `
  void main() {
    ivec3 block = blockHere();
    int band = over(block.y, grid.z);
    int image = over(band, grid.y);
    ivec2 corner = ivec2(band - image * grid.y, block.y - band * grid.z) * ivec2(${down.step}, ${across.step});
    int column = corner.y + ${left};
    ${each(down.taps * across.taps, (tap) => `vec2 f${tap} = filtersTexel(filtersStart(${tap}), block.z, 0).xz;`)}
    ${isPadded ? columns.map((j) => `bool inside${j} = uint(column + ${j}) < uint(inSize.z);`).join('\n') : ''}
    ${each(tall * wide, (t) => `vec4 sum${t} = vec4(0.);`)}
    int iy;
    ivec2 xRow;
    ${[...lines]
      .map(
        ([at, rows]) => `
    iy = corner.x + ${at};
    ${seesOutside(down) ? 'if (uint(iy) < uint(inSize.y))' : ''} {
      xRow = xStart(image * inSize.x + iy);
      ${texelsUnder(columns, window)
        .map((i) => `vec4 x${i} = xTexel(xRow, (column >> 1) + ${i}, block.z);`)
        .join('\n')}
      ${columnsGlsl(columns, window)}
      ${isPadded ? columns.map((j) => `c${j} = inside${j} ? c${j} : vec2(0.);`).join('\n') : ''}
      ${rows
        .map(({ row, fy }) =>
          each(
            wide,
            (q) => `sum${row * wide + q} += vec4(${sumGlsl(2 * q, fy)}, ${sumGlsl(2 * q + 1, fy)});`,
          ),
        )
        .join('\n')}
    }`,
      )
      .join('\n')}`;
}

const findInBlock = ({ tall, wide }: Blocks) => `
  vec4 find(int row, int column, int q) {
    int line = over(row, place.y);
    int pair = row - line * place.y;
    int image = over(line, grid.x);
    int y = line - image * grid.x;
    int block = (image * grid.y + y / ${tall}) * grid.z + pair / ${wide};
    return sumsAt(placeOf(ivec3(0, block, column)), y % ${tall} * ${wide} + pair % ${wide});
  }
`;

/**
 * The sums of dFilter. The loop takes one pair of columns of dy after the other. It keeps the texels of x that the next pair
 * needs, for each of the `lines` rows of taps.
 */
function filterSums(window: Window, lines: number): string {
  const { taps, stride, dilation } = window;
  const columns = columnsOf(2, window);
  const texels = Math.max(...texelsUnder(columns, window)) + 1;
  const kept = Math.max(0, texels - stride);
  const fetchGlsl = (i: number, j: number, texel: string) => `
      texel = ${texel};
      x${j}_${i} = xTexel(xRow${i}, texel, block.z);
      x${j}_${i} = vec4(uint(2 * texel) < uint(width${i}) ? x${j}_${i}.xy : vec2(0.),
          uint(2 * texel + 1) < uint(width${i}) ? x${j}_${i}.zw : vec2(0.));`;
  return `
  void main() {
    ivec3 block = blockHere();
    int group = over(block.y, groups.y);
    int top = group * ${lines} * dilations.x - pads.x;
    int left = (block.y - group * groups.y) * ${taps} * dilations.y - pads.y;
    bool odd = (left & 1) == 1;
    ${each(lines * taps, (tap) => `vec2 s${tap} = vec2(0.);`)}
    int end = min((block.x + 1) * imageRows.y, imageRows.x);
    for (int line = block.x * imageRows.y; line < end; line++) {
      int image = over(line, dySize.y);
      int oy = line - image * dySize.y;
      ivec2 dyRow = dyStart(image * dySize.x + oy);
      int texel;
      ${each(
        lines,
        (i) => `
      int iy${i} = oy * strides.x + top + ${i} * dilations.x;
      int width${i} = uint(iy${i}) < uint(inSize.y) ? inSize.z : 0;
      ivec2 xRow${i} = xStart(image * inSize.x + (width${i} > 0 ? iy${i} : 0));
      ${each(texels, (j) => `vec4 x${j}_${i} = vec4(0.);`)}
      ${each(kept, (j) => fetchGlsl(i, j + stride, `(left >> 1) + ${j}`))}`,
      )}
      for (int pair = 0; 2 * pair < dySize.z; pair++) {
        vec4 dy = dyTexel(dyRow, pair, block.z);
        dy.zw = 2 * pair + 1 < dySize.z ? dy.zw : vec2(0.);
        ${each(
          lines,
          (i) => `
        ${each(kept, (j) => `x${j}_${i} = x${j + stride}_${i};`)}
        ${each(texels - kept, (j) => fetchGlsl(i, j + kept, `(left >> 1) + pair * ${stride} + ${j + kept}`))}
        ${columnsGlsl(columns, window, `_${i}`)}
        ${each(taps, (tap) => `s${i * taps + tap} += c${tap * dilation}_${i} * dy.xy + c${stride + tap * dilation}_${i} * dy.zw;`)}`,
        )}
      }
    }
    ${each(Math.ceil((lines * taps) / 2), (t) => `vec4 sum${t} = vec4(s${2 * t}, ${2 * t + 1 < lines * taps ? `s${2 * t + 1}` : 'vec2(0.)'});`)}`;
}

const findInTaps = (lines: number, taps: number) => `
  vec4 find(int row, int column, int q) {
    int tap = over(row, place.y);
    int pair = row - tap * place.y;
    int fy = over(tap, filterSize.y);
    int fx = tap - fy * filterSize.y;
    int block = fy / ${lines} * groups.y + fx / ${taps};
    int number = fy % ${lines} * ${taps} + fx % ${taps};
    vec2 sum = vec2(0.);
    for (int slab = 0; slab < slabs; slab++) {
      vec4 two = sumsAt(placeOf(ivec3(slab, block, pair)), number / 2);
      sum += (number & 1) == 1 ? two.zw : two.xy;
    }
    return vec4(sum.x, 0., sum.y, 0.);
  }
`;

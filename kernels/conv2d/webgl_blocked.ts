/**
 * Convolution on packed textures (../texels.ts), without a patch matrix, in two passes:
 *
 *   1. sums: a fragment sums a block of results, one texel of it to each of its targets, so that each texel it fetches
 *      serves many of them;
 *   2. store: a fragment fetches one texel of the result from the target it is in, adds up partial sums, adds the bias,
 *      applies the activation and writes it where tfjs wants it. Blocks of one texel are written there at once.
 *
 * A block is, of
 *
 *   y        neighbouring pairs of columns x pairs of output channels, summed over taps and input channels
 *   dx       the same of dx, summed over taps and output channels; its columns are a stride apart, so that the same taps
 *            reach all of them: there are strideHeight x strideWidth phases of dx, each a slab of blocks
 *   dFilter  neighbouring taps of a filter's row x pairs of input channels x pairs of output channels, summed over pixels;
 *            each slab of blocks sums a part of the images' rows
 *
 * Pairs of channels in a block are as far apart as there are blocks: neighbouring fragments fetch neighbouring texels. The
 * texels of x (for dx, of dy) that a row of taps needs for a block are fetched once.
 */
import type { MathBackendWebGL } from '@tensorflow/tfjs-backend-webgl';
import { env, type TensorInfo } from '@tensorflow/tfjs-core';
import type { ConvGeometry } from '../geometry.js';
import {
  columnsGlsl,
  columnsOf,
  each,
  range,
  TEXEL_GLSL,
  tapsTogether,
  texelsUnder,
  type Window,
} from '../texel_window.js';
import {
  drawTexels,
  emptyTexels,
  gridOf,
  packedSize,
  scratchTexels,
  texelsOf,
  type TexelUniforms,
  withTexels,
} from '../texels.js';

/** What the store does to a sum z, a texel of y: inputs `bias` and `weights` of [outChannels] or one value. */
export interface Epilogue {
  inputs: Record<string, TensorInfo>;
  uniforms: TexelUniforms;
  /** GLSL functions, and statements that change the vec4 z of texel `column` of a row. */
  functions: string;
  code: string;
}

const NO_EPILOGUE: Epilogue = { inputs: {}, uniforms: {}, functions: '', code: '' };

/** A block's targets, tall x wide of them, and how many blocks there are. */
interface Blocks {
  tall: number;
  wide: number;
  slabs: number;
  /** Of one slab. */
  rows: number;
  columns: number;
  /** So many rows of blocks stand in a line of the targets. */
  perLine: number;
}

/** Filters that sum so few texels are faster in one pass with blocks of one texel. */
const FEW_TEXELS = 9;

/** So many fragments keep a GPU busy. */
const FRAGMENTS = 4096;

/** y: [batch, outHeight, outWidth, outChannels] */
export function blockedConv2d(
  backend: MathBackendWebGL,
  g: ConvGeometry,
  x: TensorInfo,
  filter: TensorInfo,
  targets: number,
  epilogue: Epilogue,
): TensorInfo {
  const depth = Math.ceil(g.inChannels / 2);
  const window: Window = {
    taps: tapsTogether(g.filterWidth, g.strideWidth, g.dilationWidth),
    stride: g.strideWidth,
    dilation: g.dilationWidth,
  };
  if (window.taps === g.filterWidth) window.isOdd = isOdd(g.padLeft);
  const isSmall = g.filterHeight * g.filterWidth * depth <= FEW_TEXELS;
  const rows = g.batchSize * g.outHeight;
  const blocks = windowBlocks(isSmall ? 1 : targets, 1, rows, g.outWidth, g.outChannels);
  return sumAndStore(backend, g, { x, filters: filter }, blocks, g.outShape, epilogue, {
    uniforms: {
      inSize: [g.inHeight, g.inHeight, g.inWidth, depth],
      outSizes: [g.outHeight, g.outWidth, g.outHeight],
      tapSteps: [1, 1, g.filterWidth],
    },
    sums: windowSums(blocks, window, g.filterWidth, false),
    find: findInRow(blocks),
  });
}

/** dx: [batch, inHeight, inWidth, inChannels] */
export function blockedConv2dBackpropInput(
  backend: MathBackendWebGL,
  g: ConvGeometry,
  dy: TensorInfo,
  filter: TensorInfo,
  targets: number,
): TensorInfo {
  const tapSteps = [
    g.strideHeight / gcd(g.strideHeight, g.dilationHeight),
    g.strideWidth / gcd(g.strideWidth, g.dilationWidth),
  ];
  const tapCount = Math.ceil(g.filterWidth / tapSteps[1]);
  const dilation = g.dilationWidth / gcd(g.strideWidth, g.dilationWidth);
  const window: Window = { taps: tapsTogether(tapCount, 1, dilation), stride: 1, dilation };
  if (g.strideWidth === 1 && window.taps === tapCount) {
    window.isOdd = isOdd(g.padLeft - (g.filterWidth - 1) * g.dilationWidth);
  }
  const depth = Math.ceil(g.outChannels / 2);
  const slabs = g.strideHeight * g.strideWidth;
  const isSmall = slabs === 1 && g.filterHeight * g.filterWidth * depth <= FEW_TEXELS;
  const [height, width] = [g.inHeight / g.strideHeight, g.inWidth / g.strideWidth].map(Math.ceil);
  const blocks = windowBlocks(isSmall ? 1 : targets, slabs, g.batchSize * height, width, g.inChannels);
  return sumAndStore(backend, g, { x: dy, filters: filter }, blocks, g.inShape, NO_EPILOGUE, {
    uniforms: {
      inSize: [dy.shape[1], g.outHeight, g.outWidth, depth],
      outSizes: [height, width, g.inHeight],
      tapSteps: [...tapSteps, tapCount],
    },
    sums: windowSums(blocks, window, tapSteps[1] === 1 ? tapCount : NaN, true),
    find: slabs === 1 ? findInRow(blocks) : findInPhases(blocks),
  });
}

/** dFilter: [filterHeight, filterWidth, inChannels, outChannels] */
export function blockedConv2dBackpropFilter(
  backend: MathBackendWebGL,
  g: ConvGeometry,
  x: TensorInfo,
  dy: TensorInfo,
  targets: number,
): TensorInfo {
  const { perRow } = packedSize(g.filterShape);
  const depth = Math.ceil(g.inChannels / 2);
  const most = g.dilationWidth <= 2 ? Math.min(4, targets) : 1;
  const taps = Math.ceil(g.filterWidth / Math.ceil(g.filterWidth / most));
  const pairs = taps === 1 ? Math.min(2, depth, targets) : 1;
  const wide = Math.min(perRow, Math.floor(targets / (taps * pairs)));
  const groups = Math.ceil(g.filterWidth / taps);
  const pairBlocks = Math.ceil(depth / pairs);
  const [rows, columns] = [g.filterHeight * groups * pairBlocks, Math.ceil(perRow / wide)];
  const imageRows = g.batchSize * g.outHeight;
  // Partial sums would be rounded where textures hold half floats.
  const mostSlabs = env().getBool('WEBGL_RENDER_FLOAT32_ENABLED') ? Math.ceil(imageRows / 4) : 1;
  const perSlab = Math.ceil(imageRows / Math.min(mostSlabs, Math.ceil(FRAGMENTS / (rows * columns))));
  const slabs = Math.ceil(imageRows / perSlab);
  const blocks = blocksOf(taps * pairs, wide, slabs, rows, columns);
  const window: Window = { taps, stride: g.strideWidth, dilation: g.dilationWidth };
  if (groups === 1) window.isOdd = isOdd(g.padLeft);
  return sumAndStore(backend, g, { x, dy }, blocks, g.filterShape, NO_EPILOGUE, {
    uniforms: {
      inSize: [g.inHeight, g.inHeight, g.inWidth, depth],
      dySize: [dy.shape[1], g.outHeight, g.outWidth],
      imageRows: [imageRows, perSlab],
      groups: [groups, pairBlocks],
    },
    sums: filterSums(window, pairs, wide),
    find: findInFilter(taps, pairs, wide),
  });
}

/** Both passes. `find` is the function that reads a texel of the result back. */
function sumAndStore(
  backend: MathBackendWebGL,
  g: ConvGeometry,
  inputs: Record<string, TensorInfo>,
  b: Blocks,
  outShape: readonly number[],
  epilogue: Epilogue,
  { uniforms, sums, find }: { uniforms: TexelUniforms; sums: string; find: string },
): TensorInfo {
  const { perRow, texelRows, width, channels } = packedSize(outShape);
  const y = emptyTexels(backend, outShape);
  const isDirect = b.tall * b.wide === 1 && b.slabs === 1;
  const perLine = isDirect ? texelsOf(backend, y)[0] / perRow : b.perLine;
  const blockUniforms = { blocks: [b.rows, b.columns, perLine], outSize: [width, channels] };
  const isSummingChannels = 'filters' in inputs;
  withTexels(backend, inputs, isSummingChannels, (sources) =>
    withTexels(backend, epilogue.inputs, false, (extras) => {
      const grids = Object.entries(sources).map(([name, source]) => [
        `${name}Grid`,
        gridOf(backend, source)!,
      ]);
      const sumUniforms = {
        ...blockUniforms,
        ...uniforms,
        ...Object.fromEntries(grids),
        filterSize: [g.filterHeight, g.filterWidth],
        strides: [g.strideHeight, g.strideWidth],
        dilations: [g.dilationHeight, g.dilationWidth],
        pads: [g.padTop, g.padLeft],
      };
      const finish = finishGlsl(epilogue);
      if (isDirect) {
        const all = { ...sumUniforms, ...epilogue.uniforms };
        drawTexels(
          backend,
          { ...sources, ...extras },
          all,
          [y],
          `${COMMON_GLSL}${finish}${sums}
          out0 = finish(sum0, block.y, block.z);
        }`,
        );
        return;
      }
      const targets = range(b.tall * b.wide).map(() =>
        scratchTexels(backend, b.columns * b.perLine, Math.ceil((b.slabs * b.rows) / b.perLine)),
      );
      drawTexels(
        backend,
        sources,
        sumUniforms,
        targets,
        `${COMMON_GLSL}${sums}
          ${each(targets.length, (t) => `out${t} = sum${t};`)}
        }`,
      );
      const partial = Object.fromEntries(targets.map((target, i) => [`sums${i}`, target]));
      drawTexels(
        backend,
        { ...partial, ...extras },
        {
          ...sumUniforms,
          ...epilogue.uniforms,
          store: [texelsOf(backend, y)[0], perRow, texelRows, b.slabs],
        },
        [y],
        `${COMMON_GLSL}${finish}${storeGlsl(targets.length, find)}`,
      );
      targets.forEach((target) => backend.disposeIntermediateTensorInfo(target));
    }),
  );
  return y;
}

// Blocks

function blocksOf(tall: number, wide: number, slabs: number, rows: number, columns: number): Blocks {
  const perLine = Math.max(1, Math.round(Math.sqrt((slabs * rows) / columns)));
  return { tall, wide, slabs, rows, columns, perLine };
}

/** Of an image: a block is up to 8 columns wide, so that the filter's texels serve many. */
function windowBlocks(targets: number, slabs: number, rows: number, width: number, channels: number): Blocks {
  const [pairs, perRow] = [width, channels].map((size) => Math.ceil(size / 2));
  const most = pairs >= 3 ? 2 : pairs === 2 ? 4 : 8;
  const wide = Math.min(targets, most, perRow);
  const tall = Math.min(Math.floor(targets / wide), 2 ** Math.ceil(Math.log2(pairs)));
  return blocksOf(tall, wide, slabs, rows * Math.ceil(pairs / tall), Math.ceil(perRow / wide));
}

const isOdd = (n: number) => n % 2 !== 0;

function gcd(a: number, b: number): number {
  return b === 0 ? a : gcd(b, a % b);
}

// Shaders

/** Where in the targets a block is, and back: blocks is (rows, columns, perLine). */
const COMMON_GLSL = `
  ${TEXEL_GLSL}
  ivec3 blockHere() { // (slab, row, column)
    ivec2 at = ivec2(gl_FragCoord.xy);
    int piece = over(at.x, blocks.y);
    int row = at.y * blocks.z + piece;
    int slab = over(row, blocks.x);
    return ivec3(slab, row - slab * blocks.x, at.x - piece * blocks.y);
  }
  ivec2 placeOf(ivec3 block) {
    int row = block.x * blocks.x + block.y;
    int line = over(row, blocks.z);
    return ivec2((row - line * blocks.z) * blocks.y + block.z, line);
  }
`;

/** What is written past an odd width or channel count is 0. */
const finishGlsl = ({ functions, code }: Epilogue) => `
  ${functions}
  vec4 finish(vec4 z, int row, int column) {
    ${code}
    int pairs = (outSize.x + 1) / 2;
    return clean(z, row - over(row, pairs) * pairs, column, outSize);
  }
`;

/**
 * The sums of y; or of dx, for which x is dy, and a row's taps go backwards.
 * @param tapCount taps of a row, if every phase has as many
 */
function windowSums({ tall, wide }: Blocks, window: Window, tapCount: number, isGradient: boolean): string {
  const { taps, stride, dilation } = window;
  const columns = columnsOf(2 * tall, window);
  const isFull = tapCount % taps === 0;
  const filterGlsl = (tap: number, q: number) => {
    const channel = `block.z + ${q} * blocks.y`;
    const at = isGradient ? `k, filter${tap} + ${channel}` : `${channel}, filter${tap} + k`;
    return `
      vec4 f${q} = texelFetch(filters, ivec2(${at}), 0)${isGradient ? '.xzyw' : ''};
      ${isFull ? '' : `f${q} = isTap${tap} ? f${q} : vec4(0.);`}`;
  };
  const multiplyGlsl = (tap: number, q: number, pair: number) => {
    const [a, b] = [2 * pair, 2 * pair + 1].map((i) => `c${i * stride + tap * dilation}`);
    const product = (c: string) => `${c}.x * f${q}.xy + ${c}.y * f${q}.zw`;
    return `sum${pair * wide + q} += vec4(${product(a)}, ${product(b)});`;
  };
  return `
  // The first tap of an axis that reaches a phase of dx.
  int firstTap(int phase, int pad, int tapStep, int stride, int dilation) {
    for (int tap = 0; tap < tapStep; tap++) {
      int start = phase + pad - tap * dilation;
      if (start - (start / stride) * stride == 0) return tap;
    }
    return ${1 << 20};
  }
  void main() {
    ivec3 block = blockHere();
    int rowBlocks = (outSizes.y + ${2 * tall - 1}) / ${2 * tall};
    int line = over(block.y, rowBlocks);
    int column = ${2 * tall} * (block.y - line * rowBlocks);
    int image = over(line, outSizes.x);
    int row = line - image * outSizes.x;
    ivec2 xStep = stepOf(xGrid);
    ${
      isGradient
        ? `
    ivec2 phase = ivec2(block.x / strides.y, block.x - (block.x / strides.y) * strides.y);
    ivec2 first = ivec2(firstTap(phase.x, pads.x, tapSteps.x, strides.x, dilations.x),
        firstTap(phase.y, pads.y, tapSteps.y, strides.y, dilations.y));
    int end = first.y < filterSize.y ? filterSize.x : 0;`
        : `
    ivec2 first = ivec2(0);
    int end = filterSize.x;`
    }
    ${each(tall * wide, (t) => `vec4 sum${t} = vec4(0.);`)}
    for (int fy = first.x; fy < end; fy += tapSteps.x) {
      int iy = ${
        isGradient
          ? 'row + (phase.x + pads.x - fy * dilations.x) / strides.x'
          : 'row * strides.x - pads.x + fy * dilations.x'
      };
      int depth = iy >= 0 && iy < inSize.y ? inSize.w : 0;
      ivec2 xRow = startOf(image * inSize.x + max(iy, 0), xGrid);
      ${tapCount === taps ? 'const int n = 0;' : `for (int n = 0; n < tapSteps.z; n += ${taps})`} {
        int ix = ${
          isGradient
            ? `column + (phase.y + pads.y - first.y * dilations.y) / strides.y - (tapSteps.z - 1 - n) * ${dilation}`
            : `column * strides.y - pads.y + n * ${dilation}`
        };
        bool odd = (ix & 1) == 1;
        int texel = ix >> 1;
        ${columns.map((j) => `bool inside${j} = uint(ix + ${j}) < uint(inSize.z);`).join('\n')}
        ${each(
          taps,
          (m) => `
        int fx${m} = ${isGradient ? `first.y + (tapSteps.z - 1 - n - ${m}) * tapSteps.y` : `n + ${m}`};
        ${isFull ? '' : `bool isTap${m} = fx${m} >= 0 && fx${m} < filterSize.y;`}
        int filter${m} = (fy * filterSize.y + fx${m}) * filtersGrid.y;`,
        )}
        for (int k = 0; k < depth; k++) {
          ivec2 at = xRow + texel * xStep + ivec2(k, 0);
          ${texelsUnder(columns, window)
            .map((i) => `vec4 x${i} = texelFetch(x, at + ${i} * xStep, 0);`)
            .join('\n')}
          ${columnsGlsl(columns, window)}
          ${columns.map((j) => `c${j} = inside${j} ? c${j} : vec2(0.);`).join('\n')}
          ${each(
            taps,
            (m) => `{
            ${each(wide, (q) => filterGlsl(m, q))}
            ${each(wide, (q) => each(tall, (pair) => multiplyGlsl(m, q, pair)))}
          }`,
          )}
        }
      }
    }`;
}

/**
 * The sums of dFilter, pair by pair of dy's columns: what the next one needs of x's texels is kept. A block's rows are its
 * taps and, for each of them, its pairs of input channels.
 */
function filterSums(window: Window, pairs: number, wide: number): string {
  const { taps, stride, dilation } = window;
  const columns = columnsOf(2, window);
  const texels = Math.max(...texelsUnder(columns, window)) + 1;
  const kept = Math.max(0, texels - stride);
  const fetchGlsl = (i: number, j: number, texel: string) => `
      texel = ${texel};
      x${j}_${i} = texelFetch(x, xRow + texel * xStep + ivec2(${i} * groups.y, 0), 0);
      x${j}_${i} = vec4(texel >= 0 && 2 * texel < inSize.z ? x${j}_${i}.xy : vec2(0.),
          texel >= 0 && 2 * texel + 1 < inSize.z ? x${j}_${i}.zw : vec2(0.));`;
  const multiplyGlsl = (tap: number, i: number, q: number) => {
    const [a, b] = [tap * dilation, stride + tap * dilation].map((column) => `c${column}_${i}`);
    return `sum${(tap * pairs + i) * wide + q} += ${a}.xxyy * dy${q}.xyxy + ${b}.xxyy * dy${q}.zwzw;`;
  };
  return `
  void main() {
    ivec3 block = blockHere();
    int group = over(block.y, groups.y);
    int fy = over(group, groups.x);
    int ix = (group - fy * groups.x) * ${taps} * dilations.y - pads.y;
    bool odd = (ix & 1) == 1;
    ivec2 xStep = stepOf(xGrid);
    ivec2 dyStep = stepOf(dyGrid);
    ${each(taps * pairs * wide, (t) => `vec4 sum${t} = vec4(0.);`)}
    int end = min((block.x + 1) * imageRows.y, imageRows.x);
    for (int line = block.x * imageRows.y; line < end; line++) {
      int image = over(line, dySize.y);
      int oy = line - image * dySize.y;
      int iy = oy * strides.x - pads.x + fy * dilations.x;
      int count = iy >= 0 && iy < inSize.y ? (dySize.z + 1) / 2 : 0;
      ivec2 xRow = startOf(image * inSize.x + max(iy, 0), xGrid) + ivec2(block.y - group * groups.y, 0);
      ivec2 dyRow = startOf(image * dySize.x + oy, dyGrid) + ivec2(block.z, 0);
      int texel;
      ${each(pairs, (i) => each(texels, (j) => `vec4 x${j}_${i} = vec4(0.);`))}
      ${each(pairs, (i) => each(kept, (j) => fetchGlsl(i, j + stride, `(ix >> 1) + ${j}`)))}
      for (int pair = 0; pair < count; pair++) {
        ${each(pairs, (i) => each(kept, (j) => `x${j}_${i} = x${j + stride}_${i};`))}
        ${each(pairs, (i) =>
          each(texels - kept, (j) => fetchGlsl(i, j + kept, `(ix >> 1) + pair * ${stride} + ${j + kept}`)),
        )}
        ${each(pairs, (i) => columnsGlsl(columns, window, `_${i}`))}
        bool isPair = 2 * pair + 1 < dySize.z;
        ${each(
          wide,
          (q) => `
        vec4 dy${q} = texelFetch(dy, dyRow + pair * dyStep + ivec2(${q} * blocks.y, 0), 0);
        dy${q}.zw = isPair ? dy${q}.zw : vec2(0.);
        ${each(taps, (tap) => each(pairs, (i) => multiplyGlsl(tap, i, q)))}`,
        )}
      }
    }`;
}

/** store is (width of y's texture, perRow, texelRows, slabs). */
const storeGlsl = (targets: number, find: string) => `
  vec4 fetch(int target, ivec2 at) {
    switch (target) {
      ${each(targets, (t) => `case ${t}: return texelFetch(sums${t}, at, 0);`)}
    }
    return vec4(0.);
  }
  ${find}
  void main() {
    int index = int(gl_FragCoord.y) * store.x + int(gl_FragCoord.x);
    int row = over(index, store.y);
    int column = index - row * store.y;
    int q = over(column, blocks.y);
    out0 = finish(find(row, column - q * blocks.y, q), row, column);
  }
`;

const findInRow = ({ tall, wide }: Blocks) => `
  vec4 find(int row, int column, int q) {
    int line = over(row, store.z);
    int pair = row - line * store.z;
    int block = line * ((store.z + ${tall - 1}) / ${tall}) + pair / ${tall};
    return fetch(pair % ${tall} * ${wide} + q, placeOf(ivec3(0, block, column)));
  }
`;

const findInPhases = ({ tall, wide }: Blocks) => `
  vec2 findColumn(int phase, int line, int ix, int column, int q) {
    int jx = ix / strides.y;
    int pair = jx >> 1;
    int block = line * ((outSizes.y + ${2 * tall - 1}) / ${2 * tall}) + pair / ${tall};
    ivec2 at = placeOf(ivec3(phase * strides.y + ix - jx * strides.y, block, column));
    vec4 z = fetch(pair % ${tall} * ${wide} + q, at);
    return (jx & 1) == 1 ? z.zw : z.xy;
  }
  vec4 find(int row, int column, int q) {
    int line = over(row, store.z);
    int image = over(line, outSizes.z);
    int iy = line - image * outSizes.z;
    int jy = iy / strides.x;
    int ix = 2 * (row - line * store.z);
    int phase = iy - jy * strides.x;
    line = image * outSizes.x + jy;
    return vec4(findColumn(phase, line, ix, column, q), findColumn(phase, line, ix + 1, column, q));
  }
`;

const findInFilter = (taps: number, pairs: number, wide: number) => `
  vec4 find(int row, int column, int q) {
    int tap = over(row, store.z);
    int pair = row - tap * store.z;
    int i = over(pair, groups.y);
    int fy = over(tap, filterSize.y);
    int fx = tap - fy * filterSize.y;
    int block = (fy * groups.x + fx / ${taps}) * groups.y + pair - i * groups.y;
    vec4 sum = vec4(0.);
    for (int slab = 0; slab < store.w; slab++) {
      sum += fetch((fx % ${taps} * ${pairs} + i) * ${wide} + q, placeOf(ivec3(slab, block, column)));
    }
    return sum;
  }
`;

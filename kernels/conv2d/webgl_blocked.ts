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
import { columnsGlsl, columnsOf, each, tapsTogether, texelsUnder, type Window } from '../texel_window.js';
import { drawTexels, layersOf, type TexelUniforms } from '../draw_texels.js';
import { emptyTexels, OVER_GLSL, packedSize, readers, withTexels, writer } from '../texels.js';

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
}

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
  const rows = g.batchSize * g.outHeight;
  const right = (g.outWidth - 1) * g.strideWidth - g.padLeft + g.effectiveFilterWidth;
  const blocks = windowBlocks(targets, window, 1, rows, g.outWidth, g.outChannels);
  return sumAndStore(backend, g, { x, filters: filter }, blocks, g.outShape, epilogue, {
    uniforms: {
      inSize: [g.inHeight, g.inHeight, g.inWidth, depth],
      outSizes: [g.outHeight, g.outWidth, g.outHeight],
      tapSteps: [1, 1, g.filterWidth],
    },
    sums: windowSums(blocks, window, {
      isGradient: false,
      isOneRow: g.filterHeight === 1,
      tapCount: g.filterWidth,
      summed: g.inChannels,
      isPadded: g.padLeft > 0 || right > g.inWidth,
    }),
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
  const [height, width] = [g.inHeight / g.strideHeight, g.inWidth / g.strideWidth].map(Math.ceil);
  const blocks = windowBlocks(targets, window, slabs, g.batchSize * height, width, g.inChannels);
  return sumAndStore(backend, g, { x: dy, filters: filter }, blocks, g.inShape, NO_EPILOGUE, {
    uniforms: {
      inSize: [dy.shape[1], g.outHeight, g.outWidth, depth],
      outSizes: [height, width, g.inHeight],
      tapSteps: [...tapSteps, tapCount],
    },
    sums: windowSums(blocks, window, {
      isGradient: true,
      isOneRow: g.filterHeight === 1 && slabs === 1,
      tapCount: tapSteps[1] === 1 ? tapCount : NaN,
      summed: g.outChannels,
      isPadded: g.filterWidth > 1 || g.padLeft !== 0 || width > g.outWidth,
    }),
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
  const blocks = { tall: taps * pairs, wide, slabs, rows, columns };
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
  const y = emptyTexels(backend, outShape);
  const writing = writer(backend, y);
  const targets = b.tall * b.wide;
  const common = {
    ...uniforms,
    ...writing.uniforms,
    filterSize: [g.filterHeight, g.filterWidth],
    strides: [g.strideHeight, g.strideWidth],
    dilations: [g.dilationHeight, g.dilationWidth],
    pads: [g.padTop, g.padLeft],
  };
  const finish = `${COMMON_GLSL}${writing.code}${finishGlsl(epilogue)}`;
  withTexels(backend, { ...inputs, ...epilogue.inputs }, (texels) => {
    const pick = (from: object) => Object.fromEntries(Object.keys(from).map((name) => [name, texels[name]]));
    const [sources, extras] = [pick(inputs), pick(epilogue.inputs)];
    const reading = readers(backend, sources);
    const sumUniforms = { ...common, ...reading.uniforms };
    if (targets * b.slabs === 1) {
      const all = {
        ...sumUniforms,
        ...epilogue.uniforms,
        blocks: [b.rows, b.columns, writing.uniforms.place[0]],
      };
      const code = `${finish}${reading.code}${sums} out0 = finish(sum0, block.y, block.z); }`;
      drawTexels(backend, texels, all, [y], code);
      return;
    }
    const layers = layersOf(backend, b.slabs * b.rows * b.columns, targets);
    const blocks = [b.rows, b.columns, layers.side];
    const write = each(targets, (t) => `out${t} = sum${t};`);
    drawTexels(
      backend,
      sources,
      { ...sumUniforms, blocks },
      layers,
      `${COMMON_GLSL}${reading.code}${sums} ${write} }`,
    );
    drawTexels(
      backend,
      { sums: layers, ...extras },
      { ...common, ...epilogue.uniforms, blocks, slabs: [b.slabs] },
      [y],
      `${finish}${storeGlsl(find)}`,
    );
  });
  return y;
}

// Blocks

/** Of an image: where windows overlap, a block is up to 8 columns wide, so that the filter's texels serve many. */
function windowBlocks(
  targets: number,
  { taps }: Window,
  slabs: number,
  rows: number,
  width: number,
  channels: number,
): Blocks {
  const [pairs, perRow] = [width, channels].map((size) => Math.ceil(size / 2));
  const most = pairs === 1 ? 8 : pairs === 2 || taps === 1 ? 4 : 2;
  const wide = Math.min(targets, most, perRow);
  const tall = Math.min(Math.floor(targets / wide), 2 ** Math.ceil(Math.log2(pairs)));
  return { tall, wide, slabs, rows: rows * Math.ceil(pairs / tall), columns: Math.ceil(perRow / wide) };
}

const isOdd = (n: number) => n % 2 !== 0;

function gcd(a: number, b: number): number {
  return b === 0 ? a : gcd(b, a % b);
}

// Shaders

/** Where in the targets a block is, and back: blocks is (rows, columns, width of a target). */
const COMMON_GLSL = `
  ${OVER_GLSL}
  ivec3 blockHere() { // (slab, row, column)
    int index = int(gl_FragCoord.y) * blocks.z + int(gl_FragCoord.x);
    int row = over(index, blocks.y);
    int slab = over(row, blocks.x);
    return ivec3(slab, row - slab * blocks.x, index - row * blocks.y);
  }
  ivec2 placeOf(ivec3 block) {
    int index = (block.x * blocks.x + block.y) * blocks.y + block.z;
    int line = over(index, blocks.z);
    return ivec2(index - line * blocks.z, line);
  }
`;

/** What is written past an odd width or channel count is 0. */
const finishGlsl = ({ functions, code }: Epilogue) => `
  ${functions}
  vec4 finish(vec4 z, int row, int column) {
    ${code}
    return clean(z, row, column);
  }
`;

/** What else the program of a window depends on. */
interface Traits {
  /** The sums of dx, for which x is dy, and a row's taps go backwards. */
  isGradient: boolean;
  /** Whether the filter is one row high, and it reaches all of them. */
  isOneRow: boolean;
  /** Taps of a row, if every phase has as many. */
  tapCount: number;
  /** Channels that are summed. */
  summed: number;
  /** Whether columns outside of x are seen. */
  isPadded: boolean;
}

/** The sums of y, or of dx. */
function windowSums(
  { tall, wide }: Blocks,
  window: Window,
  { isGradient, isOneRow, tapCount, summed, isPadded }: Traits,
): string {
  const { taps, stride, dilation } = window;
  const columns = columnsOf(2 * tall, window);
  const isFull = tapCount % taps === 0;
  const isOnePair = summed <= 2;
  const isMasked = isOnePair || isPadded;
  const filterGlsl = (tap: number, q: number) => {
    const channel = `block.z + ${q} * blocks.y`;
    const at = isGradient ? `k, filter${tap} + ${channel}` : `${channel}, filter${tap} + k`;
    return `
      vec4 f${q} = filtersAt(ivec2(${at}))${isGradient ? '.xzyw' : ''};
      ${isOdd(summed) ? `f${q}.zw = isPair ? f${q}.zw : vec2(0.);` : ''}
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
    ${isOneRow ? 'const int fy = 0;' : 'for (int fy = first.x; fy < end; fy += tapSteps.x)'} {
      int iy = ${
        isGradient
          ? 'row + (phase.x + pads.x - fy * dilations.x) / strides.x'
          : 'row * strides.x - pads.x + fy * dilations.x'
      };
      int depth = iy >= 0 && iy < inSize.y ? inSize.w : 0;
      ivec2 xRow = xStart(image * inSize.x + max(iy, 0));
      ${tapCount === taps ? 'const int n = 0;' : `for (int n = 0; n < tapSteps.z; n += ${taps})`} {
        int ix = ${
          isGradient
            ? `column + (phase.y + pads.y - first.y * dilations.y) / strides.y - (tapSteps.z - 1 - n) * ${dilation}`
            : `column * strides.y - pads.y + n * ${dilation}`
        };
        bool odd = (ix & 1) == 1;
        int texel = ix >> 1;
        ${isMasked ? columns.map((j) => `bool inside${j} = ${isOnePair ? 'depth > 0 && ' : ''}uint(ix + ${j}) < uint(inSize.z);`).join('\n') : ''}
        ${each(
          taps,
          (m) => `
        int fx${m} = ${isGradient ? `first.y + (tapSteps.z - 1 - n - ${m}) * tapSteps.y` : `n + ${m}`};
        ${isFull ? '' : `bool isTap${m} = fx${m} >= 0 && fx${m} < filterSize.y;`}
        int filter${m} = (fy * filterSize.y + fx${m}) * filtersGrid.y;`,
        )}
        ${isOnePair ? 'const int k = 0;' : 'for (int k = 0; k < depth; k++)'} {
          ${texelsUnder(columns, window)
            .map((i) => `vec4 x${i} = xTexel(xRow, texel + ${i}, k);`)
            .join('\n')}
          ${columnsGlsl(columns, window)}
          ${isOdd(summed) ? (isOnePair ? 'const bool isPair = false;' : 'bool isPair = k + 1 < depth;') : ''}
          ${isMasked ? columns.map((j) => `c${j} = inside${j} ? c${j} : vec2(0.);`).join('\n') : ''}
          ${isOdd(summed) ? columns.map((j) => `c${j}.y = isPair ? c${j}.y : 0.;`).join('\n') : ''}
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
      x${j}_${i} = xTexel(xRow, texel, channelPair + ${i} * groups.y);
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
    int channelPair = block.y - group * groups.y;
    bool odd = (ix & 1) == 1;
    ${each(taps * pairs * wide, (t) => `vec4 sum${t} = vec4(0.);`)}
    int end = min((block.x + 1) * imageRows.y, imageRows.x);
    for (int line = block.x * imageRows.y; line < end; line++) {
      int image = over(line, dySize.y);
      int oy = line - image * dySize.y;
      int iy = oy * strides.x - pads.x + fy * dilations.x;
      int count = iy >= 0 && iy < inSize.y ? (dySize.z + 1) / 2 : 0;
      ivec2 xRow = xStart(image * inSize.x + max(iy, 0));
      ivec2 dyRow = dyStart(image * dySize.x + oy);
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
        vec4 dy${q} = dyTexel(dyRow, pair, block.z + ${q} * blocks.y);
        dy${q}.zw = isPair ? dy${q}.zw : vec2(0.);
        ${each(taps, (tap) => each(pairs, (i) => multiplyGlsl(tap, i, q)))}`,
        )}
      }
    }`;
}

const storeGlsl = (find: string) => `
  ${find}
  void main() {
    ivec2 at = here();
    int q = over(at.y, blocks.y);
    out0 = finish(find(at.x, at.y - q * blocks.y, q), at.x, at.y);
  }
`;

const findInRow = ({ tall, wide }: Blocks) => `
  vec4 find(int row, int column, int q) {
    int line = over(row, place.y);
    int pair = row - line * place.y;
    int block = line * ((place.y + ${tall - 1}) / ${tall}) + pair / ${tall};
    return sumsAt(placeOf(ivec3(0, block, column)), pair % ${tall} * ${wide} + q);
  }
`;

const findInPhases = ({ tall, wide }: Blocks) => `
  vec2 findColumn(int phase, int line, int ix, int column, int q) {
    int jx = ix / strides.y;
    int pair = jx >> 1;
    int block = line * ((outSizes.y + ${2 * tall - 1}) / ${2 * tall}) + pair / ${tall};
    ivec2 at = placeOf(ivec3(phase * strides.y + ix - jx * strides.y, block, column));
    vec4 z = sumsAt(at, pair % ${tall} * ${wide} + q);
    return (jx & 1) == 1 ? z.zw : z.xy;
  }
  vec4 find(int row, int column, int q) {
    int line = over(row, place.y);
    int image = over(line, outSizes.z);
    int iy = line - image * outSizes.z;
    int jy = iy / strides.x;
    int ix = 2 * (row - line * place.y);
    int phase = iy - jy * strides.x;
    line = image * outSizes.x + jy;
    return vec4(findColumn(phase, line, ix, column, q), findColumn(phase, line, ix + 1, column, q));
  }
`;

const findInFilter = (taps: number, pairs: number, wide: number) => `
  vec4 find(int row, int column, int q) {
    int tap = over(row, place.y);
    int pair = row - tap * place.y;
    int i = over(pair, groups.y);
    int fy = over(tap, filterSize.y);
    int fx = tap - fy * filterSize.y;
    int block = (fy * groups.x + fx / ${taps}) * groups.y + pair - i * groups.y;
    vec4 sum = vec4(0.);
    for (int slab = 0; slab < slabs; slab++) {
      sum += sumsAt(placeOf(ivec3(slab, block, column)), (fx % ${taps} * ${pairs} + i) * ${wide} + q);
    }
    return sum;
  }
`;

/** GLSL of the two passes of convolution on packed textures. blocked.ts describes the passes. */
import type { TensorInfo } from '@tensorflow/tfjs-core';
import type { TexelUniforms } from '../../runtime/webgl/draw.js';
import { columnsGlsl, columnsOf, each, isOdd, texelsUnder, type Window } from '../../runtime/webgl/window.js';
import { OVER_GLSL } from '../../runtime/webgl/texels.js';

/** What the store does to a sum z, a texel of y. The inputs are `bias` and `weights`, of [outChannels] or one value. */
export interface Epilogue {
  inputs: Record<string, TensorInfo>;
  uniforms: TexelUniforms;
  /** GLSL functions that `code` calls. */
  functions: string;
  /** GLSL statements that change the vec4 z of texel `column` of a row. */
  code: string;
}

/** A block has tall x wide targets. There are slabs x rows x columns blocks. */
export interface Blocks {
  tall: number;
  wide: number;
  slabs: number;
  /** Rows and columns of blocks in one slab. */
  rows: number;
  columns: number;
}

/** From a place in the targets to its block, and back. The uniform blocks is (rows, columns, width of a target). */
export const COMMON_GLSL = `
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

/** The values past an odd width or channel count are written as 0. */
export const finishGlsl = ({ functions, code }: Epilogue) => `
  ${functions}
  vec4 finish(vec4 z, int row, int column) {
    ${code}
    return clean(z, row, column);
  }
`;

/** What the program of a window depends on, besides the blocks and the window. */
interface Traits {
  /** Whether the sums are those of dx. Then x is dy, and the taps of a row go backwards. */
  isGradient: boolean;
  /** Whether the filter has only one row, and it reaches every row of the result. */
  isOneRow: boolean;
  /** Number of taps of a row, if it is the same in every phase. Otherwise NaN. */
  tapCount: number;
  /** Number of channels that are summed. */
  summed: number;
  /** Whether some windows see columns outside x. */
  isPadded: boolean;
}

/** The sums of y, or of dx. */
export function windowSums(
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
  // The first tap along an axis that reaches a phase of dx.
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
 * The sums of dFilter. The loop takes one pair of columns of dy after the other. It keeps the texels of x that the
 * next pair needs. The rows of a block are its taps and, for each tap, its pairs of input channels.
 */
export function filterSums(window: Window, pairs: number, wide: number): string {
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

export const storeGlsl = (find: string) => `
  ${find}
  void main() {
    ivec2 at = here();
    int q = over(at.y, blocks.y);
    out0 = finish(find(at.x, at.y - q * blocks.y, q), at.x, at.y);
  }
`;

export const findInRow = ({ tall, wide }: Blocks) => `
  vec4 find(int row, int column, int q) {
    int line = over(row, place.y);
    int pair = row - line * place.y;
    int block = line * ((place.y + ${tall - 1}) / ${tall}) + pair / ${tall};
    return sumsAt(placeOf(ivec3(0, block, column)), pair % ${tall} * ${wide} + q);
  }
`;

export const findInPhases = ({ tall, wide }: Blocks) => `
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

export const findInFilter = (taps: number, pairs: number, wide: number) => `
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

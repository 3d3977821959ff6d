/**
 * Pooling on packed textures (texels.ts): two columns of two channels a fragment, in two directions.
 *
 *   scan    every texel of y walks over the taps of its two windows: the op
 *   gather  every texel of dx walks over the windows that see its two columns: the gradient
 *
 * What is done at each step is the op's own GLSL.
 */
import type { MathBackendWebGL } from '@tensorflow/tfjs-backend-webgl';
import type { TensorInfo } from '@tensorflow/tfjs-core';
import type { PoolGeometry } from './geometry.js';
import { columnsGlsl, columnsOf, each, evenly, TEXEL_GLSL, texelsFor, type Window } from './texel_window.js';
import { drawTexels, fits, gridOf, targetsOf, type TexelUniforms, texelsOf, withTexels } from './texels.js';
import { windowUniforms } from './webgl.js';

/** GLSL of an op; sizes are the uniforms of `windowUniforms`. */
export interface PoolCode {
  functions?: string;
  /** Before the first step. */
  start?: string;
  step: string;
  /** Statements that give each output, vec4 z<i>, its value; what lies past y's or dx's size is cleared afterwards. */
  finish: string;
}

const MOST_TAPS = 7;
/** More windows than this over one column are no longer unrolled, but left to the simple programs. */
const MOST_WINDOWS = 16;
const isOdd = (n: number) => n % 2 !== 0;

/** Whether the packed programs serve this pooling. */
export function isPacked(backend: MathBackendWebGL, g: PoolGeometry, ...inputs: TensorInfo[]): boolean {
  const shapes = [g.inShape, g.outShape, ...inputs.map(({ shape }) => shape)];
  const windows = Math.ceil(g.effectiveFilterWidth / g.strideWidth);
  return g.dataFormat === 'NHWC' && windows <= MOST_WINDOWS && targetsOf(backend) > 0 && shapes.every(fits);
}

/**
 * Fills `outputs`, packed tensors of y's shape. \`step\` is given a tap (fy, fx), the values vec4 x under it, of the window of
 * the first column in x.xy and of the second in x.zw, and whether they are in the image, bool inside and nextInside.
 */
export function scan(
  backend: MathBackendWebGL,
  g: PoolGeometry,
  x: TensorInfo,
  outputs: readonly TensorInfo[],
  uniforms: TexelUniforms,
  { functions = '', start = '', step, finish }: PoolCode,
): void {
  const taps = evenly(g.filterWidth, MOST_TAPS);
  const window: Window = { taps, stride: g.strideWidth, dilation: g.dilationWidth };
  if (taps === g.filterWidth) window.isOdd = isOdd(g.padLeft);
  const columns = columnsOf(2, window);
  const isFull = g.filterWidth % taps === 0;
  const code = `
  ${TEXEL_GLSL}
  ${functions}
  void main() {
    ${HERE_GLSL}
    int image = over(line, ySize.y);
    ivec2 corner = ivec2(line - image * ySize.y, 2 * pair) * strides - pads;
    ivec2 xStep = stepOf(xGrid);
    ${start}
    for (int fy = 0; fy < filterSize.x; fy++) {
      int iy = corner.x + fy * dilations.x;
      bool rowInside = uint(iy) < uint(xSize.y);
      ivec2 xRow = startOf(image * xSize.y + (rowInside ? iy : 0), xGrid) + ivec2(channelPair, 0);
      ${taps === g.filterWidth ? 'const int n = 0;' : `for (int n = 0; n < filterSize.y; n += ${taps})`} {
        int ix = corner.y + n * dilations.y;
        bool odd = (ix & 1) == 1;
        ${each(texelsFor(columns, window), (i) => `vec4 x${i} = texelFetch(x, xRow + ((ix >> 1) + ${i}) * xStep, 0);`)}
        ${columnsGlsl(columns, window)}
        ${columns.map((j) => `bool inside${j} = rowInside && uint(ix + ${j}) < uint(xSize.z);`).join('\n')}
        ${each(taps, (tap) => {
          const [a, b] = [tap * window.dilation, tap * window.dilation + window.stride];
          return `{
          int fx = n + ${tap};
          vec4 x = vec4(c${a}, c${b});
          bool inside = inside${a}${isFull ? '' : ' && fx < filterSize.y'};
          bool nextInside = inside${b}${isFull ? '' : ' && fx < filterSize.y'};
          ${step}
        }`;
        })}
      }
    }
    ${each(outputs.length, (i) => `vec4 z${i};`)}
    ${finish}
  `;
  draw(backend, { x }, outputs, { ...windowUniforms(g), ...uniforms }, code);
}

/**
 * Fills `dx`. \`step\` is given, for each window that sees the first or the second column, a tap (fy, fx) and the place of the
 * window: \`isSeen\`, whether there is such a window and tap; vec2 <input> of each input at the window; and it adds to vec2 sum.
 * @param inputs packed or not, of y's shape or larger
 */
export function gather(
  backend: MathBackendWebGL,
  g: PoolGeometry,
  inputs: Record<string, TensorInfo>,
  dx: TensorInfo,
  uniforms: TexelUniforms,
  { functions = '', start = '', step, finish }: PoolCode,
): void {
  const names = Object.keys(inputs);
  const [rowCount, count] = [
    g.effectiveFilterHeight / g.strideHeight,
    g.effectiveFilterWidth / g.strideWidth,
  ].map(Math.ceil);
  // The second column's windows are those of the first, or one further: with strides 1 and 2 all over the image.
  const ahead = g.strideWidth === 1 ? 1 : g.strideWidth === 2 ? Number(isOdd(g.padLeft)) : undefined;
  const window: Window = { taps: count, stride: ahead ?? 1, dilation: 1 };
  if (g.strideWidth === 1) window.isOdd = isOdd(g.padLeft - count + 1);
  const columns = columnsOf(2, window);
  const seenGlsl = (i: number, side: number) => `
    int fx${side}_${i} = 2 * pair + ${side} + pads.y - (ox + ${i} + ${side === 0 ? 0 : (ahead ?? 'ahead')}) * strides.y;
    int tap${side}_${i} = fx${side}_${i} / dilations.y;
    bool isSeen${side}_${i} = fx${side}_${i} >= 0 && tap${side}_${i} * dilations.y == fx${side}_${i}
        && tap${side}_${i} < filterSize.y && uint(ox + ${i} + ${side === 0 ? 0 : (ahead ?? 'ahead')}) < uint(ySize.z);`;
  const valueGlsl = (name: string, i: number, side: number) => {
    if (side === 0) return `${name}_c${i}`;
    return ahead === undefined ? `(ahead == 0 ? ${name}_c${i} : ${name}_c${i + 1})` : `${name}_c${i + ahead}`;
  };
  const code = `
  ${TEXEL_GLSL}
  // The last window of an axis that starts at or before a place in the padded image.
  int lastWindow(int place, int stride) {
    return (place + stride * 65536) / stride - 65536;
  }
  ${functions}
  void main() {
    ${HERE_GLSL}
    int image = over(line, xSize.y);
    int iy = line - image * xSize.y;
    int oyLast = lastWindow(iy + pads.x, strides.x);
    int ox = lastWindow(2 * pair + pads.y, strides.y) - ${count - 1};
    int ahead = lastWindow(2 * pair + 1 + pads.y, strides.y) - lastWindow(2 * pair + pads.y, strides.y);
    bool odd = (ox & 1) == 1;
    ${each(count, (i) => seenGlsl(i, 0) + seenGlsl(i, 1))}
    ${names.map((name) => `ivec2 ${name}Step = stepOf(${name}Grid);`).join('\n')}
    vec2 sum0 = vec2(0.);
    vec2 sum1 = vec2(0.);
    ${start}
    for (int n = 0; n < ${rowCount}; n++) {
      int oy = oyLast - n;
      int fyStart = iy + pads.x - oy * strides.x;
      int fy = fyStart / dilations.x;
      bool rowSeen = fy * dilations.x == fyStart && fy < filterSize.x && uint(oy) < uint(ySize.y);
      ${names
        .map(
          (name) => `
      ivec2 ${name}Row = startOf(image * ${name}Rows + (rowSeen ? oy : 0), ${name}Grid) + ivec2(channelPair, 0);
      ${each(
        texelsFor(columns, window),
        (i) => `vec4 ${name}_x${i} = texelFetch(${name}, ${name}Row + ((ox >> 1) + ${i}) * ${name}Step, 0);`,
      )}
      ${columnsGlsl(columns, window, '', `${name}_x`, `${name}_c`)}`,
        )
        .join('\n')}
      ${each(count, (i) =>
        each(
          2,
          (side) => `{
        int fx = tap${side}_${i};
        int column = ox + ${i} + ${side === 0 ? 0 : (ahead ?? 'ahead')};
        bool isSeen = rowSeen && isSeen${side}_${i};
        ${names.map((name) => `vec2 ${name}Here = ${valueGlsl(name, i, side)};`).join('\n')}
        vec2 sum = sum${side};
        ${step}
        sum${side} = sum;
      }`,
        ),
      )}
    }
    vec4 z0;
    ${finish}
  `;
  const rows = Object.fromEntries(names.map((name) => [`${name}Rows`, [inputs[name].shape[1]]]));
  draw(backend, inputs, [dx], { ...windowUniforms(g), ...rows, ...uniforms }, code);
}

/** Which texel of the output this is; place is (width of its texture, texelRows, perRow), outSize its (width, channels). */
const HERE_GLSL = `
    int index = int(gl_FragCoord.y) * place.x + int(gl_FragCoord.x);
    int row = over(index, place.z);
    int channelPair = index - row * place.z;
    int line = over(row, place.y);
    int pair = row - line * place.y;
`;

/** At once where the GPU has targets enough, else one output after the other. */
function draw(
  backend: MathBackendWebGL,
  inputs: Record<string, TensorInfo>,
  outputs: readonly TensorInfo[],
  uniforms: TexelUniforms,
  code: string,
): void {
  const [, , width, channels] = outputs[0].shape;
  const place = [texelsOf(backend, outputs[0])[0], Math.ceil(width / 2), Math.ceil(channels / 2)];
  withTexels(backend, inputs, false, (sources) => {
    const grids = Object.entries(sources).map(([name, source]) => [`${name}Grid`, gridOf(backend, source)!]);
    const all = { ...uniforms, ...Object.fromEntries(grids), place, outSize: [width, channels] };
    const write = (outs: number[]) =>
      `${code} ${outs.map((i, at) => `out${at} = clean(z${i}, pair, channelPair, outSize);`).join('\n')} }`;
    if (outputs.length <= targetsOf(backend))
      drawTexels(backend, sources, all, outputs, write([...outputs.keys()]));
    else outputs.forEach((output, i) => drawTexels(backend, sources, all, [output], write([i])));
  });
}

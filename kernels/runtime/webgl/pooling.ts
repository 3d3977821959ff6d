/**
 * Pooling on packed textures (texels.ts). A fragment computes two columns of two channels. There are two directions:
 *
 *   scan    the op: each texel of y walks over the taps of its two windows
 *   gather  the gradient: each texel of dx walks over the windows that see its two columns
 *
 * The GLSL of the op says what is done at each step.
 */
import type { MathBackendWebGL } from '@tensorflow/tfjs-backend-webgl';
import type { TensorInfo } from '@tensorflow/tfjs-core';
import type { PoolGeometry } from '../../geometry.js';
import { columnsGlsl, columnsOf, each, isOdd, tapsTogether, texelsUnder, type Window } from './window.js';
import { drawTexels, type TexelUniforms } from './draw.js';
import { fits, OVER_GLSL, readers, targetsOf, withTexels, writer } from './texels.js';
import { windowUniforms } from './program.js';

/** GLSL of an op. It reads sizes from the uniforms of `windowUniforms`. */
interface ScanCode {
  functions?: string;
  /** Statements before the first step. */
  start: string;
  step: string;
  /** Statements that give each output, vec4 z<i>, its value. Values past y's size are cleared afterwards. */
  finish: string;
}

interface GatherCode {
  functions?: string;
  /** Statements before the first step, for each column j of windows. The names that they declare contain j. */
  column?: (j: number, ox: string) => string;
  /** Statements for each row of windows, int oy. They may change its values, vec2 <input>_c<j>. */
  row?: (columns: number[]) => string;
  step: string;
}

/** The windows over one column are unrolled. Where there are more than this, the simple programs serve. */
const MOST_WINDOWS = 16;

/**
 * Whether the packed programs serve this pooling. What no program serves goes to the simple programs, which throw an
 * error that names it.
 */
export function isPacked(backend: MathBackendWebGL, g: PoolGeometry, ...inputs: TensorInfo[]): boolean {
  const shapes = [g.inShape, g.outShape, ...inputs.map(({ shape }) => shape)];
  return (
    g.dataFormat === 'NHWC' &&
    windowsOverOne(g)[1] <= MOST_WINDOWS &&
    targetsOf(backend) > 0 &&
    shapes.every(fits) &&
    inputs.every(({ dtype }) => dtype !== 'string' && dtype !== 'complex64')
  );
}

/**
 * Fills `outputs`, packed tensors of y's shape. `step` reads:
 *
 *   int fy, fx               the tap
 *   vec4 x                   the values under the tap: x.xy in the first column's window, x.zw in the second's
 *   bool inside, nextInside  whether x.xy and x.zw lie in the image
 */
export function scan(
  backend: MathBackendWebGL,
  g: PoolGeometry,
  x: TensorInfo,
  outputs: readonly TensorInfo[],
  uniforms: TexelUniforms,
  { functions = '', start, step, finish }: ScanCode,
): void {
  const taps = tapsTogether(g.filterWidth, g.strideWidth, g.dilationWidth);
  const window: Window = { taps, stride: g.strideWidth, dilation: g.dilationWidth };
  if (taps === g.filterWidth) window.isOdd = isOdd(g.padLeft);
  const columns = columnsOf(2, window);
  const isFull = g.filterWidth % taps === 0;
  const code = `
  ${functions}
  void main() {
    ${HERE_GLSL}
    int image = over(line, ySize.y);
    ivec2 corner = ivec2(line - image * ySize.y, 2 * pair) * strides - pads;
    ${start}
    for (int fy = 0; fy < filterSize.x; fy++) {
      int iy = corner.x + fy * dilations.x;
      bool rowInside = uint(iy) < uint(xSize.y);
      ivec2 xRow = xStart(image * xSize.y + (rowInside ? iy : 0));
      ${taps === g.filterWidth ? 'const int n = 0;' : `for (int n = 0; n < filterSize.y; n += ${taps})`} {
        int ix = corner.y + n * dilations.y;
        bool odd = (ix & 1) == 1;
        ${texelsUnder(columns, window)
          .map((i) => `vec4 x${i} = xTexel(xRow, (ix >> 1) + ${i}, channelPair);`)
          .join('\n')}
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
 * Fills `dx`. `step` runs for each window that may see the first or the second column. It adds to vec2 sum. It reads:
 *
 *   float tap         the tap at which the window sees the column, negative if it does not see it
 *   vec2 <input>Here  the value of each input at the window
 *
 * @param inputs packed or not, of y's shape or larger
 */
export function gather(
  backend: MathBackendWebGL,
  g: PoolGeometry,
  inputs: Record<string, TensorInfo>,
  dx: TensorInfo,
  uniforms: TexelUniforms,
  { functions = '', column, row, step }: GatherCode,
): void {
  const names = Object.keys(inputs);
  const [rowCount, count] = windowsOverOne(g);
  // The windows over the second column are those over the first, or one further. For strides 1 and 2 it is the same
  // all over the image.
  const ahead = g.strideWidth === 1 ? 1 : g.strideWidth === 2 ? Number(isOdd(g.padLeft)) : undefined;
  const window: Window = { taps: count, stride: ahead ?? 1, dilation: 1 };
  if (g.strideWidth === 1) window.isOdd = isOdd(g.padLeft - count + 1);
  const columns = columnsOf(2, window);
  const offset = (i: number, side: number) =>
    side === 0 ? `${i}` : ahead === undefined ? `${i} + ahead` : `${i + ahead}`;
  const valueGlsl = (name: string, i: number, side: number) => {
    if (side === 0) return `${name}_c${i}`;
    return ahead === undefined ? `(ahead == 0 ? ${name}_c${i} : ${name}_c${i + 1})` : `${name}_c${i + ahead}`;
  };
  const code = `
  const float UNSEEN = -1e9;
  // The tap at which a window sees a place at this distance from its start.
  float tapAt(int distance, int dilation, int size) {
    int tap = ${dilated(g, 'distance / dilation', 'distance')};
    return distance >= 0 && ${dilated(g, 'tap * dilation == distance && ')}tap < size ? float(tap) : UNSEEN;
  }
  ${functions}
  void main() {
    ${HERE_GLSL}
    int image = over(line, xSize.y);
    int iy = line - image * xSize.y;
    int ix = 2 * pair + pads.y;
    int oyLast = ${lastWindow('(iy + pads.x)', g.strideHeight)};
    int oxLast = ${lastWindow('ix', g.strideWidth)};
    ${ahead === undefined ? `int ahead = ${lastWindow('(ix + 1)', g.strideWidth)} - oxLast;` : ''}
    int ox = oxLast - ${count - 1};
    bool odd = (ox & 1) == 1;
    ${each(count, (i) =>
      each(
        2,
        (side) => `
    int ox${side}_${i} = ox + ${offset(i, side)};
    float tap${side}_${i} = uint(ox${side}_${i}) < uint(ySize.z)
        ? tapAt(ix + ${side} - ox${side}_${i} * strides.y, dilations.y, filterSize.y) : UNSEEN;`,
      ),
    )}
    ${columns.map((j) => column?.(j, `(ox + ${j})`) ?? '').join('\n')}
    vec2 sum0 = vec2(0.);
    vec2 sum1 = vec2(0.);
    for (int n = 0; n < ${rowCount}; n++) {
      int oy = oyLast - n;
      float fy = uint(oy) < uint(ySize.y) ? tapAt(iy + pads.x - oy * strides.x, dilations.x, filterSize.x) : UNSEEN;
      float rowTap = fy * float(filterSize.y);
      ${names
        .map(
          (name) => `
      ivec2 ${name}Row = ${name}Start(image * ${name}Rows + (fy < 0. ? 0 : oy));
      ${texelsUnder(columns, window)
        .map((i) => `vec4 ${name}_x${i} = ${name}Texel(${name}Row, (ox >> 1) + ${i}, channelPair);`)
        .join('\n')}
      ${columnsGlsl(columns, window, '', `${name}_x`, `${name}_c`)}`,
        )
        .join('\n')}
      ${row?.(columns) ?? ''}
      ${each(count, (i) =>
        each(
          2,
          (side) => `{
        float tap = rowTap + tap${side}_${i};
        ${names.map((name) => `vec2 ${name}Here = ${valueGlsl(name, i, side)};`).join('\n')}
        vec2 sum = sum${side};
        ${step}
        sum${side} = sum;
      }`,
        ),
      )}
    }
    vec4 z0 = vec4(sum0, sum1);
  `;
  const rows = Object.fromEntries(names.map((name) => [`${name}Rows`, [inputs[name].shape[1]]]));
  draw(backend, inputs, [dx], { ...windowUniforms(g), ...rows, ...uniforms }, code);
}

/** `code` for windows with dilation, else `otherwise`. Without dilation there is no division, which takes time here. */
export const dilated = (g: PoolGeometry, code: string, otherwise = '') =>
  g.dilationHeight * g.dilationWidth > 1 ? code : otherwise;

/**
 * GLSL: the last window along an axis that starts at or before a place in the padded image. With negative pads the
 * place may be < 0.
 */
function lastWindow(place: string, stride: number): string {
  if (stride === 1) return place;
  return stride === 2 ? `(${place} >> 1)` : `((${place} + ${stride * 65536}) / ${stride} - 65536)`;
}

/** The most windows that see one row, and the most that see one column. */
function windowsOverOne(g: PoolGeometry): number[] {
  return [g.effectiveFilterHeight / g.strideHeight, g.effectiveFilterWidth / g.strideWidth].map(Math.ceil);
}

/** The texel of the output that the fragment writes. */
const HERE_GLSL = `
    ivec2 at = here();
    int row = at.x;
    int channelPair = at.y;
    int line = over(row, place.y);
    int pair = row - line * place.y;
`;

/** Draws all outputs at once if the GPU has enough targets. Else it draws one output after the other. */
function draw(
  backend: MathBackendWebGL,
  inputs: Record<string, TensorInfo>,
  outputs: readonly TensorInfo[],
  uniforms: TexelUniforms,
  code: string,
): void {
  const writing = writer(backend, outputs[0]);
  withTexels(backend, inputs, (sources) => {
    const reading = readers(backend, sources);
    const all = { ...uniforms, ...reading.uniforms, ...writing.uniforms };
    const write = (outs: number[]) =>
      `${OVER_GLSL}${reading.code}${writing.code}${code} ${outs.map((i, at) => `out${at} = clean(z${i}, row, channelPair);`).join('\n')} }`;
    if (outputs.length <= targetsOf(backend))
      drawTexels(backend, sources, all, outputs, write([...outputs.keys()]));
    else outputs.forEach((output, i) => drawTexels(backend, sources, all, [output], write([i])));
  });
}

/**
 * Packed textures: how they hold tfjs's tensors, and how to read and write them texel by texel.
 *
 * tfjs packs a tensor by 2 x 2 over its last two dimensions. For NHWC a texel holds two columns of two channels:
 *
 *   r: (column, channel)   g: (column, channel + 1)   b: (column + 1, channel)   a: (column + 1, channel + 1)
 *
 * For a filter a texel holds two input channels of two output channels. The number of a texel is
 *
 *   ((batch * height + row) * W2 + column / 2) * C2 + channel / 2      C2 = ceil(channels / 2), W2 = ceil(width / 2)
 *
 * The texels stand in the texture in this order, row by row. In tensors that other ops made, the values past an odd
 * width or channel count can be anything, infinities and NaN included.
 */
import type { MathBackendWebGL } from '@tensorflow/tfjs-backend-webgl';
import { type DataType, env, type TensorInfo } from '@tensorflow/tfjs-core';
import { lendTexture } from './compile_only.js';
import { drawTexels, texelsOf } from './draw.js';
import { sizeOf } from '../../geometry.js';

/** A tensor in a packed texture. `made` must be disposed of after use. */
interface Texels {
  tensor: TensorInfo;
  made?: TensorInfo;
}

/** A flag of tf.env(): the most texels that a fragment writes. With 0 only the simple programs run. */
export const TARGETS_FLAG = 'CONVGRAD_WEBGL_TARGETS';
const MOST_TARGETS = 8;

env().registerFlag(TARGETS_FLAG, () => (env().getNumber('WEBGL_VERSION') === 2 && env().getBool('WEBGL_PACK') ? MOST_TARGETS : 0)); // prettier-ignore

/** A method of the backend that its types make private. */
interface Inside {
  packedReshape(input: TensorInfo, shape: number[]): TensorInfo;
}

/** How many targets the packed programs may use here. With 0 only the simple programs serve. */
export function targetsOf(backend: MathBackendWebGL): number {
  const wanted = env().getNumber(TARGETS_FLAG);
  if (!Number.isInteger(wanted) || wanted < 0 || wanted > MOST_TARGETS) {
    throw new Error(
      `tfjs-convgrad: the flag ${TARGETS_FLAG} is ${wanted}, but it must be a whole number from 0 to ${MOST_TARGETS}.`,
    );
  }
  if (!('buildVao' in backend.gpgpu)) return 0; // tfjs before 4.5 binds vertices in another way
  return wanted < 2 ? wanted : Math.min(wanted, drawBuffersOf(backend));
}

/** The limit of each backend. It is asked for once: a browser may answer only when all earlier drawing is done. */
const drawBuffers = new WeakMap<MathBackendWebGL, number>();

function drawBuffersOf(backend: MathBackendWebGL): number {
  const gl = backend.gpgpu.gl as WebGL2RenderingContext;
  const count = drawBuffers.get(backend) ?? (gl.getParameter(gl.MAX_DRAW_BUFFERS) as number);
  drawBuffers.set(backend, count);
  return count;
}

/**
 * The last two dimensions, [width, channels], and the size in texels: `rows` rows of `perRow` texels. An image row
 * has `texelRows` of these rows. There are `imageRows` image rows.
 */
export function packedSize(shape: readonly number[]) {
  const [width, channels] = [1, 1, ...shape].slice(-2);
  const [texelRows, perRow] = [Math.ceil(width / 2), Math.ceil(channels / 2)];
  const imageRows = sizeOf(shape.slice(0, -2));
  return { width, channels, texelRows, perRow, imageRows, rows: imageRows * texelRows };
}

/** Whether our programs can number the texels of a tensor, and a texture can hold them row by row. */
export function fits(shape: readonly number[]): boolean {
  const { rows, perRow, texelRows } = packedSize(shape);
  const most = env().getNumber('WEBGL_MAX_TEXTURE_SIZE');
  const area = Math.min(most * most, MOST_TEXELS) / 2; // lines may be only partly full
  const isWide = perRow > most || (rows > most && texelRows * perRow > most);
  return rows > 0 && perRow > 0 && rows * perRow <= area && !isWide;
}

/**
 * How the texels of a packed tensor stand in its texture. If imageRowsPerLine is 0, each line of the texture holds
 * one row of perRow texels. Otherwise each line holds that many image rows, of W2 x C2 texels each. The grid is
 * undefined where neither is true.
 */
type Grid = readonly [imageRowsPerLine: number, texelRows: number, perRow: number];

function gridOf(backend: MathBackendWebGL, tensor: TensorInfo): Grid | undefined {
  const [width] = texelsOf(backend, tensor);
  const { texelRows, perRow } = packedSize(tensor.shape);
  if (width === perRow) return [0, texelRows, perRow];
  const lines = width / (texelRows * perRow);
  return Number.isInteger(lines) ? [lines, texelRows, perRow] : undefined;
}

/**
 * GLSL that reads tensors of withTexels by the image row, and the uniforms of this GLSL:
 *
 *   ivec2 <name>Start(int imageRow)                              the place where the image row starts
 *   vec4 <name>Texel(ivec2 start, int pair, int channelPair)     a texel of the image row that starts there
 */
export function readers(backend: MathBackendWebGL, texels: Record<string, TensorInfo>) {
  const grids = Object.entries(texels).map(([name, tensor]) => [name, gridOf(backend, tensor)!] as const);
  return {
    uniforms: Object.fromEntries(grids.map(([name, grid]) => [`${name}Grid`, grid])),
    code: grids.map(([name, [perLine]]) => readerGlsl(name, perLine > 0)).join('\n'),
  };
}

const readerGlsl = (name: string, hasLines: boolean) =>
  hasLines
    ? `
  ivec2 ${name}Start(int imageRow) {
    int line = over(imageRow, ${name}Grid.x);
    return ivec2((imageRow - line * ${name}Grid.x) * ${name}Grid.y * ${name}Grid.z, line);
  }
  vec4 ${name}Texel(ivec2 start, int pair, int channelPair) {
    return ${name}At(start + ivec2(pair * ${name}Grid.z + channelPair, 0));
  }`
    : `
  ivec2 ${name}Start(int imageRow) {
    return ivec2(0, imageRow * ${name}Grid.y);
  }
  vec4 ${name}Texel(ivec2 start, int pair, int channelPair) {
    return ${name}At(start + ivec2(channelPair, pair));
  }`;

/**
 * GLSL of a fragment that writes a tensor, and the uniforms of this GLSL:
 *
 *   ivec2 here()                                the fragment's row of texels, and its texel in this row
 *   vec4 clean(vec4 z, int row, int column)     z with the values past an odd width or channel count cleared
 */
export function writer(backend: MathBackendWebGL, tensor: TensorInfo) {
  const { width, channels, texelRows, perRow } = packedSize(tensor.shape);
  const textureWidth = texelsOf(backend, tensor)[0];
  const isEven = (width % 2) + (channels % 2) === 0;
  return {
    uniforms: { place: [textureWidth, texelRows, perRow], outSize: [width, channels] },
    code: `
  ivec2 here() {
    ${
      textureWidth === perRow
        ? 'return ivec2(gl_FragCoord.yx);'
        : `
    int index = int(gl_FragCoord.y) * place.x + int(gl_FragCoord.x);
    int row = over(index, place.z);
    return ivec2(row, index - row * place.z);`
    }
  }
  vec4 clean(vec4 z, int row, int column) {
    ${
      isEven
        ? 'return z;'
        : `
    int pair = row - over(row, place.y) * place.y;
    bvec2 inside = lessThan(2 * ivec2(pair, column) + 1, outSize);
    return vec4(z.x, inside.y ? z.y : 0., inside.x ? z.z : 0., inside.x && inside.y ? z.w : 0.);`
    }
  }`,
  };
}

/** Up to this number floats divide whole numbers exactly enough for OVER_GLSL. */
const MOST_TEXELS = 2 ** 24;

export const OVER_GLSL = `
  int over(int a, int b) { // a / b for 0 <= a < 2^24, faster than integer division
    int quotient = int(float(a) / float(b));
    int rest = a - quotient * b;
    return quotient + int(rest >= b) - int(rest < 0);
  }
`;

/**
 * An uninitialised packed tensor in a texture that has a grid. Where one row of texels to a line fits, tfjs would
 * choose the same texture.
 */
export function emptyTexels(
  backend: MathBackendWebGL,
  shape: readonly number[],
  dtype: DataType = 'float32',
): TensorInfo {
  const { rows, perRow, texelRows, imageRows } = packedSize(shape);
  const most = env().getNumber('WEBGL_MAX_TEXTURE_SIZE');
  const perLine = Math.ceil(imageRows / most);
  const tensor = backend.makeTensorInfo([...shape], dtype);
  const data = backend.texData.get(tensor.dataId);
  data.isPacked = true;
  data.texShape =
    rows <= most
      ? [2 * rows, 2 * perRow]
      : [2 * Math.ceil(imageRows / perLine), 2 * texelRows * perRow * perLine];
  backend.uploadToGPU(tensor.dataId);
  return tensor;
}

/**
 * The tensor in a packed texture that has a grid, with one row of texels to a line if that fits. It is the tensor's
 * own texture wherever that can be read as it is.
 */
function readTexels(backend: MathBackendWebGL, tensor: TensorInfo): Texels {
  const { shape } = tensor;
  const data = backend.texData.get(tensor.dataId);
  if (!data.texture) {
    forgetLayout(backend, tensor);
    data.isPacked = true;
    data.shape = shape;
    backend.uploadToGPU(tensor.dataId);
    if (!data.texture) lendTexture(data); // compiling ahead
  }
  if (!data.isPacked) return made(copy(backend, tensor, UNPACKED_GLSL, [data.slice?.flatOffset ?? 0]));
  if (!samePacking(data.shape, shape)) {
    const asStored = { ...tensor, shape: data.shape };
    const tensorInShape = (backend as unknown as Inside).packedReshape(asStored, shape);
    const { tensor: result, made: again } = readTexels(backend, tensorInShape);
    if (!again) return made(result);
    backend.disposeIntermediateTensorInfo(tensorInShape);
    return made(result);
  }
  const { rows } = packedSize(shape);
  const grid = gridOf(backend, tensor);
  const isFlat = grid && (grid[0] === 0 || rows > env().getNumber('WEBGL_MAX_TEXTURE_SIZE'));
  return isFlat ? { tensor } : made(copy(backend, tensor, PACKED_GLSL, [0]));
}

/** Forgets the layout that a dummy run (compile_only.ts) has noted of a tensor without texture. Now the first use chooses it. */
export function forgetLayout(backend: MathBackendWebGL, { dataId }: TensorInfo): void {
  const data = backend.texData.get(dataId);
  if (!data.texture) Object.assign(data, { isPacked: false, texShape: undefined });
}

/** Calls f with all tensors in packed textures. Then it disposes of the textures that it made. */
export function withTexels(
  backend: MathBackendWebGL,
  tensors: Record<string, TensorInfo>,
  f: (texels: Record<string, TensorInfo>) => void,
): void {
  const texels = Object.entries(tensors).map(([name, t]) => [name, readTexels(backend, t)] as const);
  f(Object.fromEntries(texels.map(([name, { tensor }]) => [name, tensor])));
  texels.forEach(([, { made }]) => made && backend.disposeIntermediateTensorInfo(made));
}

const made = (tensor: TensorInfo): Texels => ({ tensor, made: tensor });

/** Whether each texel number means the same texel in both shapes. */
function samePacking(a: readonly number[], b: readonly number[]): boolean {
  const [one, other] = [packedSize(a), packedSize(b)];
  const areEven = one.width % 2 === 0 && other.width % 2 === 0;
  return one.channels === other.channels && (one.width === other.width || areEven);
}

function copy(backend: MathBackendWebGL, tensor: TensorInfo, read: string, offset: number[]): TensorInfo {
  const { shape, dtype } = tensor;
  const { width, channels } = packedSize(shape);
  const result = emptyTexels(backend, shape, dtype);
  const [resultWidth, sourceWidth] = [result, tensor].map((t) => texelsOf(backend, t)[0]);
  drawTexels(
    backend,
    { source: tensor },
    { size: [width, channels], offset, resultWidth: [resultWidth], sourceWidth: [sourceWidth] },
    [result],
    COPY_GLSL + read,
  );
  return result;
}

const COPY_GLSL = `
  vec4 read(int index, int row, int column, int channel);
  void main() {
    int index = int(gl_FragCoord.y) * resultWidth + int(gl_FragCoord.x);
    ivec2 texels = (size + 1) / 2;
    int row = index / texels.y;
    int image = row / texels.x;
    int channel = 2 * (index - row * texels.y);
    int column = 2 * (row - image * texels.x);
    vec4 value = read(index, image * size.x + column, column, channel);
    bvec2 inside = lessThan(ivec2(column, channel) + 1, size);
    out0 = vec4(value.x, inside.y ? value.y : 0., inside.x ? value.z : 0., inside.x && inside.y ? value.w : 0.);
  }
`;

/** Reads an unpacked texture, which holds one value in a texel. */
const UNPACKED_GLSL = `
  float at(int index) {
    int line = index / sourceWidth;
    return sourceAt(ivec2(index - line * sourceWidth, line)).r;
  }
  vec4 read(int index, int row, int column, int channel) {
    int first = offset + row * size.y + channel;
    return vec4(at(first), at(first + 1), at(first + size.y), at(first + size.y + 1));
  }
`;

const PACKED_GLSL = `
  vec4 read(int index, int row, int column, int channel) {
    int line = (offset + index) / sourceWidth;
    return sourceAt(ivec2(index - line * sourceWidth, line));
  }
`;

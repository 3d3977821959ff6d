/**
 * Packed textures: reading tfjs's tensors by the texel, and drawing into several of them at once.
 *
 * tfjs packs a tensor by 2 x 2 over its last two dimensions; for NHWC a texel holds two columns of two channels,
 *
 *   r: (column, channel)   g: (column, channel + 1)   b: (column + 1, channel)   a: (column + 1, channel + 1)
 *
 * and for a filter two input channels of two output channels. With C2 = ceil(channels / 2) and W2 = ceil(width / 2),
 * texel number ((batch * height + row) * W2 + column / 2) * C2 + channel / 2 stands in the texture row by row. What lies
 * past an odd width or channel count is anything, infinities and NaN included, in what other ops made.
 *
 * A fragment of `drawTexels` writes one texel of each target, so values that it has fetched serve many results. That is
 * what makes these programs fast; without it WebGL 2 has no way to write more than four values.
 */
import type { MathBackendWebGL } from '@tensorflow/tfjs-backend-webgl';
import { type DataType, env, type TensorInfo } from '@tensorflow/tfjs-core';
import { sizeOf } from './geometry.js';

export type TexelUniforms = Record<string, readonly number[] | number>;

/** A tensor in a packed texture. `made` is to be disposed of after use. */
interface Texels {
  tensor: TensorInfo;
  made?: TensorInfo;
}

/** A flag of tf.env(): how many texels a fragment writes at most; 0 for the simple programs of webgl.ts alone. */
export const TARGETS_FLAG = 'CONVGRAD_WEBGL_TARGETS';
const MOST_TARGETS = 8;

env().registerFlag(TARGETS_FLAG, () => (env().getNumber('WEBGL_VERSION') === 2 && env().getBool('WEBGL_PACK') ? MOST_TARGETS : 0)); // prettier-ignore

/** Parts of the backend that its types keep private. */
interface Inside {
  binaryCache: Record<string, Binary>;
  packedReshape(input: TensorInfo, shape: number[]): TensorInfo;
}

/** What tfjs keeps of a program: it deletes these with the backend, and looks through all of them at times. */
interface Binary {
  webGLProgram: ReturnType<MathBackendWebGL['gpgpu']['createProgram']>;
  source: string;
  fragmentShader: WebGLShader;
  program: { variableNames: string[]; customUniforms: [] };
  locations: Record<string, WebGLUniformLocation | null>;
}

/** @throws Error if the context is lost, after which nothing that is drawn or read means anything */
export function checkContext({ gpgpu }: MathBackendWebGL): void {
  if (gpgpu.gl.isContextLost()) {
    throw new Error(
      'tfjs-convgrad: the WebGL context of this backend is lost, with all its tensors. Remove the backend and register it anew.',
    );
  }
}

/** How many targets the packed programs may use here; 0: none, and only the simple programs of webgl.ts serve. */
export function targetsOf(backend: MathBackendWebGL): number {
  checkContext(backend);
  const { gl } = backend.gpgpu;
  const wanted = env().getNumber(TARGETS_FLAG);
  if (wanted < 2 || env().getBool('ENGINE_COMPILE_ONLY')) return wanted && 1;
  return Math.min(wanted, gl.getParameter((gl as WebGL2RenderingContext).MAX_DRAW_BUFFERS));
}

/** The last two dimensions, [width, channels], and in texels: rows of perRow texels, texelRows of them to an image row. */
export function packedSize(shape: readonly number[]) {
  const [width, channels] = [1, 1, ...shape].slice(-2);
  const [texelRows, perRow] = [Math.ceil(width / 2), Math.ceil(channels / 2)];
  const imageRows = sizeOf(shape.slice(0, -2));
  return { width, channels, texelRows, perRow, imageRows, rows: imageRows * texelRows };
}

/** Whether our programs can number a tensor's texels, and a texture holds them row by row. */
export function fits(shape: readonly number[]): boolean {
  const { rows, perRow, texelRows } = packedSize(shape);
  const most = env().getNumber('WEBGL_MAX_TEXTURE_SIZE');
  const area = Math.min(most * most, MOST_TEXELS) / 2; // lines may not be full
  const isWide = perRow > most || (rows > most && texelRows * perRow > most);
  return rows > 0 && perRow > 0 && rows * perRow <= area && !isWide;
}

/** Up to here floats divide whole numbers exactly enough for GRID_GLSL. */
const MOST_TEXELS = 2 ** 24;

/**
 * How a packed tensor's texels stand in its texture: one row of perRow texels in each line (0), or so many images' rows,
 * W2 x C2 texels each. Undefined where it is neither.
 */
type Grid = readonly [imageRowsPerLine: number, texelRows: number, perRow: number];

export function gridOf(backend: MathBackendWebGL, tensor: TensorInfo): Grid | undefined {
  const [width] = texelsOf(backend, tensor);
  const { texelRows, perRow } = packedSize(tensor.shape);
  if (width === perRow) return [0, texelRows, perRow];
  const lines = width / (texelRows * perRow);
  return Number.isInteger(lines) ? [lines, texelRows, perRow] : undefined;
}

/** Two rows of texels are a step apart; `startOf` is the first texel of an image's row. */
export const GRID_GLSL = `
  int over(int a, int b) { // a / b for 0 <= a < 2^24; faster than the integers' division
    int quotient = int(float(a) / float(b));
    int rest = a - quotient * b;
    return quotient + int(rest >= b) - int(rest < 0);
  }
  ivec2 startOf(int imageRow, ivec3 grid) {
    int perLine = max(1, grid.x);
    int line = over(imageRow, perLine);
    return grid.x == 0 ? ivec2(0, imageRow * grid.y) : ivec2((imageRow - line * perLine) * grid.y * grid.z, line);
  }
  ivec2 stepOf(ivec3 grid) {
    return grid.x == 0 ? ivec2(0, 1) : ivec2(grid.z, 0);
  }
`;

/**
 * An uninitialised packed tensor in a texture that has a grid; where a row to a line fits, tfjs would choose the same.
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

/** Uninitialised textures of width x height texels, for what only our own programs read. */
export function scratchTexels(backend: MathBackendWebGL, width: number, height: number): TensorInfo {
  return emptyTexels(backend, [2 * height, 2 * width]);
}

/**
 * The tensor in a packed texture with a grid, one row to a line if they fit: its own wherever it can be read as it is.
 * @param isClean what is past an odd number of channels must be 0
 */
function readTexels(backend: MathBackendWebGL, tensor: TensorInfo, isClean: boolean): Texels {
  const { shape } = tensor;
  const data = backend.texData.get(tensor.dataId);
  if (!data.texture) {
    data.isPacked = true;
    data.shape = shape;
    backend.uploadToGPU(tensor.dataId);
  }
  if (!data.isPacked) return made(copy(backend, tensor, UNPACKED_GLSL, [data.slice?.flatOffset ?? 0]));
  if (!samePacking(data.shape, shape)) {
    const asStored = { ...tensor, shape: data.shape };
    const tensorInShape = (backend as unknown as Inside).packedReshape(asStored, shape);
    const { tensor: result, made: again } = readTexels(backend, tensorInShape, isClean);
    if (!again) return made(result);
    backend.disposeIntermediateTensorInfo(tensorInShape);
    return made(result);
  }
  const { channels, rows } = packedSize(shape);
  const grid = gridOf(backend, tensor);
  const isFlat = grid && (grid[0] === 0 || rows > env().getNumber('WEBGL_MAX_TEXTURE_SIZE'));
  return isFlat && !(isClean && channels % 2 === 1)
    ? { tensor }
    : made(copy(backend, tensor, PACKED_GLSL, [0]));
}

/** Calls f with all the tensors in packed textures, and disposes of what it made for that. */
export function withTexels(
  backend: MathBackendWebGL,
  tensors: Record<string, TensorInfo>,
  areClean: boolean,
  f: (texels: Record<string, TensorInfo>) => void,
): void {
  const texels = Object.entries(tensors).map(
    ([name, t]) => [name, readTexels(backend, t, areClean)] as const,
  );
  f(Object.fromEntries(texels.map(([name, { tensor }]) => [name, tensor])));
  texels.forEach(([, { made }]) => made && backend.disposeIntermediateTensorInfo(made));
}

const made = (tensor: TensorInfo): Texels => ({ tensor, made: tensor });

/** Whether texel numbers mean the same in both shapes. */
function samePacking(a: readonly number[], b: readonly number[]): boolean {
  const [one, other] = [packedSize(a), packedSize(b)];
  const areEven = one.width % 2 === 0 && other.width % 2 === 0;
  return one.channels === other.channels && (one.width === other.width || areEven);
}

function copy(backend: MathBackendWebGL, tensor: TensorInfo, read: string, offset: number[]): TensorInfo {
  const { shape, dtype } = tensor;
  const { width, channels } = packedSize(shape);
  const result = emptyTexels(backend, shape, dtype);
  drawTexels(
    backend,
    { source: tensor },
    { size: [width, channels], offset, resultWidth: [texelsOf(backend, result)[0]] },
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

/** Values of an unpacked texture, one a texel. */
const UNPACKED_GLSL = `
  float at(int index) {
    int line = index / sourceWidth;
    return texelFetch(source, ivec2(index - line * sourceWidth, line), 0).r;
  }
  vec4 read(int index, int row, int column, int channel) {
    int first = offset + row * size.y + channel;
    return vec4(at(first), at(first + 1), at(first + size.y), at(first + size.y + 1));
  }
`;

const PACKED_GLSL = `
  vec4 read(int index, int row, int column, int channel) {
    int line = (offset + index) / sourceWidth;
    return texelFetch(source, ivec2(index - line * sourceWidth, line), 0);
  }
`;

/** [width, height] of a tensor's texture. */
export function texelsOf(backend: MathBackendWebGL, { dataId }: TensorInfo): [number, number] {
  const { texShape, isPacked } = backend.texData.get(dataId);
  const [height, width] = isPacked ? texShape!.map((size) => Math.ceil(size / 2)) : texShape!;
  return [width, height];
}

const HEADER = `#version 300 es
  precision highp float;
  precision highp int;
  precision highp sampler2D;
`;

/**
 * Runs a fragment shader for every texel of the targets, whose textures have the same size.
 * @param inputs name -> packed tensor; the shader reads the sampler of that name, <name>Width wide
 * @param code GLSL with a main() that writes out0, out1 ..., one for each target
 */
export function drawTexels(
  backend: MathBackendWebGL,
  inputs: Record<string, TensorInfo>,
  uniforms: TexelUniforms,
  targets: readonly TensorInfo[],
  code: string,
): void {
  const names = Object.keys(inputs);
  const source = [
    HEADER,
    ...names.map((name) => `uniform sampler2D ${name}; uniform int ${name}Width;`),
    ...Object.entries(uniforms).map(([name, value]) => `uniform ${typeOf(value)} ${name};`),
    ...targets.map((_, i) => `layout(location = ${i}) out vec4 out${i};`),
    code,
  ].join('\n');
  const { gpgpu } = backend;
  const gl = gpgpu.gl as WebGL2RenderingContext;
  const { webGLProgram, locations } = binaryOf(backend, source, [
    ...names.flatMap((name) => [name, `${name}Width`]),
    ...Object.keys(uniforms),
  ]);
  const [width, height] = texelsOf(backend, targets[0]);
  const textures = targets.map(({ dataId }) => backend.texData.get(dataId).texture!.texture);
  gpgpu.setOutputMatrixTexture(textures[0], height, width);
  gpgpu.setProgram(webGLProgram);
  gpgpu.bindVertexArray(webGLProgram.vao!);
  names.forEach((name, unit) => {
    const { dataId } = inputs[name];
    gpgpu.setInputMatrixTexture(backend.texData.get(dataId).texture!.texture, locations[name]!, unit);
    gl.uniform1i(locations[`${name}Width`], texelsOf(backend, inputs[name])[0]);
  });
  for (const [name, value] of Object.entries(uniforms)) setUniform(gl, locations[name], value);
  const places = textures.map((_, i) => gl.COLOR_ATTACHMENT0 + i);
  const attach = (texture: WebGLTexture | null, i: number) =>
    gl.framebufferTexture2D(gl.FRAMEBUFFER, places[i], gl.TEXTURE_2D, texture, 0);
  // The other targets are attached to tfjs's own framebuffer for this draw alone.
  textures.forEach((texture, i) => i > 0 && attach(texture, i));
  if (textures.length > 1) gl.drawBuffers(places);
  gpgpu.executeProgram();
  if (textures.length > 1) gl.drawBuffers([gl.COLOR_ATTACHMENT0]);
  textures.forEach((_, i) => i > 0 && attach(null, i));
}

function binaryOf(backend: MathBackendWebGL, source: string, names: string[]): Binary {
  const { gpgpu } = backend;
  const { binaryCache } = backend as unknown as Inside;
  const key = `convgrad ${source}`;
  if (binaryCache[key]) return binaryCache[key];
  const fragmentShader = compile(gpgpu.gl, source);
  const webGLProgram = gpgpu.createProgram(fragmentShader);
  gpgpu.buildVao(webGLProgram);
  const locations = Object.fromEntries(
    names.map((name) => [name, gpgpu.gl.getUniformLocation(webGLProgram, name)]),
  );
  const program = { variableNames: [], customUniforms: [] as [] };
  return (binaryCache[key] = { webGLProgram, source, fragmentShader, program, locations });
}

function compile(gl: WebGLRenderingContext, source: string): WebGLShader {
  const shader = gl.createShader(gl.FRAGMENT_SHADER)!;
  gl.shaderSource(shader, source);
  gl.compileShader(shader);
  if (!gl.getShaderParameter(shader, gl.COMPILE_STATUS) && !gl.isContextLost()) {
    throw new Error(`tfjs-convgrad: a shader does not compile on this GPU: ${gl.getShaderInfoLog(shader)}`);
  }
  return shader;
}

function typeOf(value: readonly number[] | number): string {
  return typeof value === 'number' ? 'float' : value.length === 1 ? 'int' : `ivec${value.length}`;
}

function setUniform(
  gl: WebGLRenderingContext,
  at: WebGLUniformLocation | null,
  value: readonly number[] | number,
): void {
  if (typeof value === 'number') gl.uniform1f(at, value);
  else if (value.length === 1) gl.uniform1iv(at, value as number[]);
  else if (value.length === 2) gl.uniform2iv(at, value as number[]);
  else if (value.length === 3) gl.uniform3iv(at, value as number[]);
  else gl.uniform4iv(at, value as number[]);
}

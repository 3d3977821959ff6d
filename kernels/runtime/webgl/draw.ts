/**
 * Drawing into packed textures (texels.ts), into several of them at once.
 *
 * A fragment writes one texel of each target. So the values that it has fetched serve many results. That makes these
 * programs fast: without several targets a fragment of WebGL 2 cannot write more than four values. The targets are
 * tensors or layers. Layers are the textures of one array of textures, which a later draw reads as one.
 */
import type { MathBackendWebGL } from '@tensorflow/tfjs-backend-webgl';
import { env, type TensorInfo } from '@tensorflow/tfjs-core';
import { isCompileOnly } from './compile_only.js';

export type TexelUniforms = Record<string, readonly number[] | number>;

/** `count` layers of which `side` x `side` texels are in use. A backend has one array of them: those drawn last are in it. */
export class Layers {
  constructor(
    readonly side: number,
    readonly count: number,
  ) {}
}

interface LayerArray {
  format: number;
  size: number;
  count: number;
  texture: WebGLTexture;
  framebuffer: WebGLFramebuffer;
}

/** What tfjs keeps of a program. It deletes its programs with the backend. At times it looks through all of them. */
interface Binary {
  webGLProgram: ReturnType<MathBackendWebGL['gpgpu']['createProgram']>;
  source: string;
  fragmentShader: WebGLShader;
  program: { variableNames: string[]; customUniforms: [] };
  /** Undefined until the program is drawn for the first time. */
  locations?: Record<string, WebGLUniformLocation | null>;
  /** The values of the uniforms. A program keeps them from draw to draw. */
  values: Record<string, readonly number[]>;
}

/** [width, height] of a tensor's texture, in texels. */
export function texelsOf(backend: MathBackendWebGL, { dataId }: TensorInfo): [number, number] {
  const { texShape, isPacked } = backend.texData.get(dataId);
  const [height, width] = isPacked ? texShape!.map((size) => Math.ceil(size / 2)) : texShape!;
  return [width, height];
}

const glOf = ({ gpgpu }: MathBackendWebGL) => gpgpu.gl as WebGL2RenderingContext;

// Layers

const arrays = new WeakMap<MathBackendWebGL, LayerArray>();

/** Layers of `texels` texels each. */
export const layersOf = (texels: number, count: number) => new Layers(Math.ceil(Math.sqrt(texels)), count);

/** The array that holds these layers. It grows with them. */
function arrayOf(backend: MathBackendWebGL, { side, count }: Layers): LayerArray {
  const gl = glOf(backend);
  const format = env().getBool('WEBGL_RENDER_FLOAT32_ENABLED') ? gl.RGBA32F : gl.RGBA16F;
  const old = arrays.get(backend);
  if (old && old.size >= side && old.count >= count && old.format === format) return old;
  const array = layerArray(gl, format, Math.max(side, old?.size ?? 0), Math.max(count, old?.count ?? 0));
  if (old) {
    gl.deleteFramebuffer(old.framebuffer);
    gl.deleteTexture(old.texture);
  }
  arrays.set(backend, array);
  return array;
}

function layerArray(gl: WebGL2RenderingContext, format: number, size: number, count: number): LayerArray {
  const texture = gl.createTexture()!;
  gl.bindTexture(gl.TEXTURE_2D_ARRAY, texture);
  gl.texStorage3D(gl.TEXTURE_2D_ARRAY, 1, format, size, size, count);
  for (const filter of [gl.TEXTURE_MIN_FILTER, gl.TEXTURE_MAG_FILTER]) {
    gl.texParameteri(gl.TEXTURE_2D_ARRAY, filter, gl.NEAREST);
  }
  const framebuffer = gl.createFramebuffer()!;
  gl.bindFramebuffer(gl.FRAMEBUFFER, framebuffer);
  for (let i = 0; i < count; i++) {
    gl.framebufferTextureLayer(gl.FRAMEBUFFER, gl.COLOR_ATTACHMENT0 + i, texture, 0, i);
  }
  return { format, size, count, texture, framebuffer };
}

// Drawing

const HEADER = `#version 300 es
  precision highp float;
  precision highp int;
  precision highp sampler2D;
  precision highp sampler2DArray;
`;

/**
 * Runs a fragment shader for every texel of the targets. All targets have the same size.
 * @param inputs name -> packed tensor or layers. The shader reads texels of a tensor by vec4 <name>At(ivec2), and
 *   texels of layers by vec4 <name>At(ivec2, int layer).
 * @param code GLSL with a main() that writes out0, out1 ..., one for each target
 */
export function drawTexels(
  backend: MathBackendWebGL,
  inputs: Record<string, TensorInfo | Layers>,
  uniforms: TexelUniforms,
  targets: readonly TensorInfo[] | Layers,
  code: string,
): void {
  const source = [
    HEADER,
    ...Object.entries(inputs).map(([name, input]) => samplerGlsl(name, input)),
    ...Object.entries(uniforms).map(([name, value]) => `uniform ${typeOf(value)} ${name};`),
    ...Array.from(
      { length: targets instanceof Layers ? targets.count : targets.length },
      (_, i) => `layout(location = ${i}) out vec4 out${i};`,
    ),
    code,
  ].join('\n');
  const { gpgpu } = backend;
  const gl = glOf(backend);
  const binary = binaryOf(backend, source);
  if (isCompileOnly()) return;
  binary.locations ??= locationsOf(backend, binary, [
    ...Object.keys(inputs).flatMap((name) => [name, `${name}Scale`]),
    ...Object.keys(uniforms),
  ]);
  const { webGLProgram } = binary;
  gpgpu.setProgram(webGLProgram);
  gpgpu.bindVertexArray(webGLProgram.vao!);
  Object.entries(inputs).forEach(([name, input], unit) => {
    const [width, height] = bindInput(backend, input, unit);
    handOver(gl, binary, name, [unit], 'i');
    handOver(gl, binary, `${name}Scale`, [1 / width, 1 / height], 'f');
  });
  for (const [name, value] of Object.entries(uniforms)) {
    if (typeof value === 'number') handOver(gl, binary, name, [value], 'f');
    else handOver(gl, binary, name, value, 'i');
  }
  if (targets instanceof Layers) drawLayers(backend, targets);
  else drawTensors(backend, targets);
}

/** Sampling costs half as much as texelFetch on llvmpipe. On SwiftShader it also costs less. */
function samplerGlsl(name: string, input: TensorInfo | Layers): string {
  const [type, parameters, depth] =
    input instanceof Layers
      ? ['sampler2DArray', 'ivec2 at, int layer', ', layer']
      : ['sampler2D', 'ivec2 at', ''];
  const place = `(vec2(at) + .5) * ${name}Scale`;
  return `
  uniform ${type} ${name}; uniform vec2 ${name}Scale;
  vec4 ${name}At(${parameters}) { return texture(${name}, ${depth ? `vec3(${place}${depth})` : place}); }`;
}

/** Binds an input to a texture unit, and returns its width and height. */
function bindInput(backend: MathBackendWebGL, input: TensorInfo | Layers, unit: number): [number, number] {
  const gl = glOf(backend);
  gl.activeTexture(gl.TEXTURE0 + unit);
  if (input instanceof Layers) {
    const { texture, size } = arrayOf(backend, input);
    gl.bindTexture(gl.TEXTURE_2D_ARRAY, texture);
    return [size, size];
  }
  gl.bindTexture(gl.TEXTURE_2D, backend.texData.get(input.dataId).texture!.texture);
  return texelsOf(backend, input);
}

function drawLayers(backend: MathBackendWebGL, layers: Layers): void {
  const gl = glOf(backend);
  const { side, count } = layers;
  gl.bindFramebuffer(gl.FRAMEBUFFER, arrayOf(backend, layers).framebuffer);
  gl.viewport(0, 0, side, side);
  gl.scissor(0, 0, side, side);
  gl.drawBuffers(placesOf(gl, count));
  backend.gpgpu.executeProgram();
}

/** Only for this draw, the targets after the first are attached to tfjs's own framebuffer. */
function drawTensors(backend: MathBackendWebGL, targets: readonly TensorInfo[]): void {
  const { gpgpu } = backend;
  const gl = glOf(backend);
  const [width, height] = texelsOf(backend, targets[0]);
  const textures = targets.map(({ dataId }) => backend.texData.get(dataId).texture!.texture);
  const places = placesOf(gl, targets.length);
  const attach = (texture: WebGLTexture | null, i: number) =>
    gl.framebufferTexture2D(gl.FRAMEBUFFER, places[i], gl.TEXTURE_2D, texture, 0);
  gpgpu.setOutputMatrixTexture(textures[0], height, width);
  textures.forEach((texture, i) => i > 0 && attach(texture, i));
  if (textures.length > 1) gl.drawBuffers(places);
  gpgpu.executeProgram();
  if (textures.length > 1) gl.drawBuffers([gl.COLOR_ATTACHMENT0]);
  textures.forEach((_, i) => i > 0 && attach(null, i));
}

const placesOf = (gl: WebGL2RenderingContext, count: number) =>
  Array.from({ length: count }, (_, i) => gl.COLOR_ATTACHMENT0 + i);

// Programs

/** The program of this source. It may still be compiling. */
function binaryOf(backend: MathBackendWebGL, source: string): Binary {
  const { gpgpu } = backend;
  const { binaryCache } = backend as unknown as { binaryCache: Record<string, Binary> };
  const key = `convgrad ${source}`;
  if (binaryCache[key]) return binaryCache[key];
  const fragmentShader = compile(gpgpu.gl, source);
  const webGLProgram = gpgpu.createProgram(fragmentShader);
  const program = { variableNames: [], customUniforms: [] as [] };
  return (binaryCache[key] = { webGLProgram, source, fragmentShader, program, values: {} });
}

function compile(gl: WebGLRenderingContext, source: string): WebGLShader {
  const shader = gl.createShader(gl.FRAGMENT_SHADER)!;
  gl.shaderSource(shader, source);
  gl.compileShader(shader);
  if (!isCompileOnly() && !gl.getShaderParameter(shader, gl.COMPILE_STATUS) && !gl.isContextLost()) {
    throw new Error(`tfjs-convgrad: a shader does not compile on this GPU: ${gl.getShaderInfoLog(shader)}`);
  }
  return shader;
}

/** Where the uniforms are. This waits until the program is compiled. */
function locationsOf(backend: MathBackendWebGL, { webGLProgram }: Binary, names: string[]) {
  const { gpgpu } = backend;
  gpgpu.buildVao(webGLProgram);
  return Object.fromEntries(names.map((name) => [name, gpgpu.gl.getUniformLocation(webGLProgram, name)]));
}

function typeOf(value: readonly number[] | number): string {
  return typeof value === 'number' ? 'float' : value.length === 1 ? 'int' : `ivec${value.length}`;
}

/** Sets a uniform if its value has changed. Comparing is cheaper, above all if the browser draws in another process. */
function handOver(
  gl: WebGLRenderingContext,
  { locations, values }: Binary,
  name: string,
  value: readonly number[],
  type: 'i' | 'f',
): void {
  if (value.every((number, i) => number === values[name]?.[i])) return;
  values[name] = value;
  gl[`uniform${value.length as 1 | 2 | 3 | 4}${type}v`](locations![name], value as number[]);
}

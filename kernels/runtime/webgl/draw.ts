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
  /** Undefined until the program is about to be drawn for the first time. */
  locations?: Record<string, WebGLUniformLocation | null>;
  isDrawn?: boolean;
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

// The errors here become errors of the kernel that runs: see kernel.ts.

function made<T>(what: string, object: T | null): T {
  if (object === null) throw new Error(`The GPU makes no room for ${what}.`);
  return object;
}

/** A texture that has found no room makes its framebuffer incomplete. */
function checkFramebuffer(gl: WebGL2RenderingContext, what: string): void {
  const status = gl.checkFramebufferStatus(gl.FRAMEBUFFER);
  if (status !== gl.FRAMEBUFFER_COMPLETE) {
    throw new Error(`The GPU cannot draw into ${what}: the framebuffer's status is ${status}.`);
  }
}

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
  const [texture, framebuffer] = [gl.createTexture(), gl.createFramebuffer()];
  const what = `an array of ${count} textures of ${size} x ${size} texels`;
  try {
    const array = { format, size, count, texture: made(what, texture), framebuffer: made(what, framebuffer) };
    gl.bindTexture(gl.TEXTURE_2D_ARRAY, texture);
    gl.texStorage3D(gl.TEXTURE_2D_ARRAY, 1, format, size, size, count);
    for (const filter of [gl.TEXTURE_MIN_FILTER, gl.TEXTURE_MAG_FILTER]) {
      gl.texParameteri(gl.TEXTURE_2D_ARRAY, filter, gl.NEAREST);
    }
    gl.bindFramebuffer(gl.FRAMEBUFFER, framebuffer);
    for (let i = 0; i < count; i++) {
      gl.framebufferTextureLayer(gl.FRAMEBUFFER, gl.COLOR_ATTACHMENT0 + i, texture, 0, i);
    }
    checkFramebuffer(gl, what);
    return array;
  } catch (error) {
    gl.deleteFramebuffer(framebuffer);
    gl.deleteTexture(texture);
    throw error;
  }
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
  if (!binary.locations) prepare(backend, binary, Object.keys(inputs), Object.keys(uniforms));
  const { webGLProgram } = binary;
  gpgpu.setProgram(webGLProgram);
  gpgpu.bindVertexArray(webGLProgram.vao!);
  Object.entries(inputs).forEach(([name, input], unit) => {
    const [width, height] = bindInput(backend, input, unit);
    handOver(gl, binary, `${name}Scale`, [1 / width, 1 / height], 'f');
  });
  for (const [name, value] of Object.entries(uniforms)) {
    if (typeof value === 'number') handOver(gl, binary, name, [value], 'f');
    else handOver(gl, binary, name, value, 'i');
  }
  timed(backend, () => {
    if (targets instanceof Layers) drawLayers(backend, targets);
    else drawTensors(backend, targets, !binary.isDrawn);
  });
  binary.isDrawn = true;
}

/** What the backend's types make private. */
interface Timers {
  /** Undefined if nobody measures: neither tf.time, nor tf.profile, nor the flag DEBUG. */
  activeTimers?: { name: string; query: Promise<number> }[];
  startTimer(): unknown;
  endTimer(query: unknown): unknown;
  getQueryTime(query: unknown): Promise<number>;
}

/** Draws, and has the backend measure it as it measures its own programs. */
function timed(backend: MathBackendWebGL, draw: () => void): void {
  const timers = backend as unknown as Timers;
  if (!timers.activeTimers) return draw();
  const query = timers.startTimer();
  draw();
  timers.activeTimers.push({ name: 'convgrad', query: timers.getQueryTime(timers.endTimer(query)) });
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
function drawTensors(backend: MathBackendWebGL, targets: readonly TensorInfo[], isFirst: boolean): void {
  const { gpgpu } = backend;
  const gl = glOf(backend);
  const [width, height] = texelsOf(backend, targets[0]);
  const textures = targets.map(({ dataId }) => backend.texData.get(dataId).texture!.texture);
  const places = placesOf(gl, targets.length);
  const attach = (texture: WebGLTexture | null, i: number) =>
    gl.framebufferTexture2D(gl.FRAMEBUFFER, places[i], gl.TEXTURE_2D, texture, 0);
  gpgpu.setOutputMatrixTexture(textures[0], height, width);
  if (textures.length === 1) return gpgpu.executeProgram();
  try {
    textures.forEach((texture, i) => i > 0 && attach(texture, i));
    if (isFirst) checkFramebuffer(gl, `${textures.length} textures of ${width} x ${height} texels`);
    gl.drawBuffers(places);
    gpgpu.executeProgram();
  } finally {
    gl.drawBuffers([gl.COLOR_ATTACHMENT0]);
    textures.forEach((_, i) => i > 0 && attach(null, i));
  }
}

const placesOf = (gl: WebGL2RenderingContext, count: number) =>
  Array.from({ length: count }, (_, i) => gl.COLOR_ATTACHMENT0 + i);

// Programs

const VERTEX_GLSL = `#version 300 es
  in vec3 clipSpacePos;
  void main() { gl_Position = vec4(clipSpacePos, 1); }
`;

const cacheOf = (backend: MathBackendWebGL) =>
  (backend as unknown as { binaryCache: Record<string, Binary> }).binaryCache;
const keyOf = (source: string) => `convgrad ${source}`;

/** The program of this source. It may still be compiling. */
function binaryOf(backend: MathBackendWebGL, source: string): Binary {
  const cache = cacheOf(backend);
  return (cache[keyOf(source)] ??= newBinary(backend, source));
}

function newBinary({ gpgpu }: MathBackendWebGL, source: string): Binary {
  const { gl } = gpgpu;
  const vertexShader = compile(gl, gl.VERTEX_SHADER, VERTEX_GLSL);
  const fragmentShader = compile(gl, gl.FRAGMENT_SHADER, source);
  const webGLProgram = made('a program', gl.createProgram()) as Binary['webGLProgram'];
  gl.attachShader(webGLProgram, vertexShader);
  gl.attachShader(webGLProgram, fragmentShader);
  gl.linkProgram(webGLProgram);
  gl.deleteShader(vertexShader); // the program keeps it
  webGLProgram.vao = gpgpu.createVertexArray()!;
  return {
    webGLProgram,
    source,
    fragmentShader,
    program: { variableNames: [], customUniforms: [] },
    values: {},
  };
}

function compile(gl: WebGLRenderingContext, type: number, source: string): WebGLShader {
  const shader = made('a shader', gl.createShader(type));
  gl.shaderSource(shader, source);
  gl.compileShader(shader);
  return shader;
}

/** Before the first draw. This waits until the program is compiled. */
function prepare(backend: MathBackendWebGL, binary: Binary, inputs: string[], uniforms: string[]): void {
  const { gpgpu } = backend;
  const { gl } = gpgpu;
  const { webGLProgram, fragmentShader, source } = binary;
  if (!gl.getProgramParameter(webGLProgram, gl.LINK_STATUS)) {
    gl.getShaderInfoLog(fragmentShader); // kernel.ts hears what the driver says
    gl.getProgramInfoLog(webGLProgram);
    delete cacheOf(backend)[keyOf(source)];
    gpgpu.deleteProgram(webGLProgram);
    gl.deleteShader(fragmentShader);
    throw new Error('The program does not link.');
  }
  const names = [...inputs.flatMap((name) => [name, `${name}Scale`]), ...uniforms];
  binary.locations = Object.fromEntries(
    names.map((name) => [name, gl.getUniformLocation(webGLProgram, name)]),
  );
  // With the flag DEBUG tfjs checks a program whenever it is set. Samplers of two kinds must not be in one unit then.
  gl.useProgram(webGLProgram);
  inputs.forEach((name, unit) => gl.uniform1i(binary.locations![name], unit));
  gpgpu.buildVao(webGLProgram);
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

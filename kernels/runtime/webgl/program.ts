/**
 * What the simple 'webgl' programs of all ops have in common: how to run a program, the index arithmetic of its
 * shader, and its loops over windows.
 *
 * Every tensor is flat. tfjs gets the inputs and the output of a program as one-dimensional tensors. So `getX(index)`
 * reads a value and `getOutputCoords()` is an index, whatever the shape is. Shapes are uniforms, so a new shape does
 * not compile a new shader. WebGL 1 needs constant loop bounds. There the shapes are constants, as in tfjs's own
 * programs.
 *
 * A GPGPUProgram is a structural type. So nothing of the backend package is imported at run time.
 */
import type { GPGPUProgram, MathBackendWebGL } from '@tensorflow/tfjs-backend-webgl';
import { type DataType, env, type TensorInfo } from '@tensorflow/tfjs-core';
import { type Geometry, sizeOf, type Steps } from '../../geometry.js';
import { forgetLayout } from './texels.js';

/** Two or four whole numbers become an ivec2 or ivec4. A single number becomes a float. */
export type Uniforms = Record<string, readonly number[] | number>;

/**
 * Index arithmetic. Coordinates are (batch, row, column, channel) in every layout: a layout only changes the steps.
 * The coordinates of a filter are (row, column, input channel, output channel).
 */
const INDEX_GLSL = `
  int indexOf(ivec4 coords, ivec4 steps) {
    ivec4 parts = coords * steps;
    return parts.x + parts.y + parts.z + parts.w;
  }
  ivec4 coordsOf(int index, ivec4 steps, ivec4 sizes) {
    ivec4 whole = ivec4(index) / steps;
    return whole - (whole / sizes) * sizes;
  }
  // start in steps of stride, or -1 where the stride does not hit it or the position is outside: a row of y that
  // sees a row of x.
  int positionOf(int start, int stride, int size) {
    int position = start / stride;
    return start < 0 || position * stride != start || position >= size ? -1 : position;
  }
`;

/**
 * Runs a fragment shader for every element of the output.
 * @param inputs name -> tensor. The shader reads a value by get<Name>(index).
 * @param code GLSL with a main() that calls setOutput(float) once
 */
export function runShader(
  backend: MathBackendWebGL,
  inputs: Record<string, TensorInfo>,
  uniforms: Uniforms,
  outShape: readonly number[],
  dtype: DataType,
  code: string,
): TensorInfo {
  checkSize('the result', outShape);
  for (const [name, { shape }] of Object.entries(inputs)) checkSize(name, shape);
  const names = Object.keys(uniforms);
  const constants = env().getNumber('WEBGL_VERSION') === 1;
  const program: GPGPUProgram = {
    variableNames: Object.keys(inputs),
    outputShape: [sizeOf(outShape)],
    enableShapeUniforms: true,
    customUniforms: constants ? [] : names.map((name) => ({ name, type: typeOf(uniforms[name]) })),
    userCode: [
      ...(constants ? names.map((name) => constantOf(name, uniforms[name])) : []),
      INDEX_GLSL,
      code,
    ].join('\n'),
  };
  const flat = Object.entries(inputs).map(([name, tensor]) => flatten(backend, name, tensor));
  const values = constants ? undefined : names.map((name) => [uniforms[name]].flat() as number[]);
  const { dataId } = backend.runWebGLProgram(
    program,
    flat.map(({ tensor }) => tensor),
    dtype,
    values,
  );
  flat.forEach(({ made }) => made && backend.disposeIntermediateTensorInfo(made));
  backend.texData.get(dataId).shape = [...outShape];
  return { dataId, shape: [...outShape], dtype };
}

/** A tensor must fit into one texture. This is checked before anything is made. */
function checkSize(name: string, shape: readonly number[]): void {
  const side = env().getNumber('WEBGL_MAX_TEXTURE_SIZE');
  if (sizeOf(shape) > side * side) {
    throw new Error(
      `tfjs-convgrad: ${name} is of shape [${shape}], but on this GPU a tensor has at most ${side} x ${side} values.`,
    );
  }
}

/** Uniforms of windows over an image. Sizes and steps of x and y are (batch, row, column, channel). */
export function windowUniforms(g: Geometry): Uniforms {
  return {
    xSize: [g.batchSize, g.inHeight, g.inWidth, g.inChannels],
    ySize: [g.batchSize, g.outHeight, g.outWidth, g.outChannels],
    xSteps: stepsOf(g.x),
    ySteps: stepsOf(g.y),
    filterSize: [g.filterHeight, g.filterWidth],
    strides: [g.strideHeight, g.strideWidth],
    dilations: [g.dilationHeight, g.dilationWidth],
    pads: [g.padTop, g.padLeft],
  };
}

/**
 * GLSL that runs `body` for each tap of a window that lies in x. The body reads the tap, (fy, fx), and its cell of x,
 * (iy, ix). The code before declares ivec2 corner, the cell of the window's first tap, which may lie in the padding.
 */
export const eachTap = (body: string) => `
      for (int fy = 0; fy < filterSize.x; fy++) {
        int iy = corner.x + fy * dilations.x;
        if (iy < 0 || iy >= xSize.y) continue;
        for (int fx = 0; fx < filterSize.y; fx++) {
          int ix = corner.y + fx * dilations.y;
          if (ix < 0 || ix >= xSize.z) continue;
          ${body}
        }
      }`;

/**
 * GLSL that runs `body` for each window that sees a cell of x. The body reads the window's place in y, (oy, ox), and
 * the tap at which the window sees the cell, (fy, fx). The code before declares the cell, ivec4 x.
 */
export const eachWindow = (body: string) => `
      for (int fy = 0; fy < filterSize.x; fy++) {
        int oy = positionOf(x.y + pads.x - fy * dilations.x, strides.x, ySize.y);
        if (oy < 0) continue;
        for (int fx = 0; fx < filterSize.y; fx++) {
          int ox = positionOf(x.z + pads.y - fx * dilations.y, strides.y, ySize.z);
          if (ox < 0) continue;
          ${body}
        }
      }`;

export function stepsOf({ batch, row, col, channel }: Steps): number[] {
  return [batch, row, col, channel];
}

function typeOf(value: readonly number[] | number) {
  if (typeof value === 'number') return 'float';
  return value.length === 2 ? 'ivec2' : 'ivec4';
}

function constantOf(name: string, value: readonly number[] | number): string {
  if (value === -Infinity) return `#define ${name} (-INFINITY)`;
  if (typeof value === 'number') return `const float ${name} = float(${value});`;
  return `const ${typeOf(value)} ${name} = ${typeOf(value)}(${value});`;
}

/**
 * The tensor as a one-dimensional one, unpacked if it is packed. An empty tensor becomes a single 0, because there is
 * no empty texture. No shader reads from it. The caller disposes of `made`.
 */
function flatten(
  backend: MathBackendWebGL,
  name: string,
  tensor: TensorInfo,
): { tensor: TensorInfo; made?: TensorInfo } {
  const { dtype, dataId, shape } = tensor;
  if (dtype === 'complex64' || dtype === 'string') {
    throw new Error(`tfjs-convgrad: ${name} is of dtype ${dtype}, but it must be float32, int32 or bool.`);
  }
  if (sizeOf(shape) === 0) {
    const made = backend.makeTensorInfo([1], dtype, Float32Array.of(0));
    return { tensor: made, made };
  }
  forgetLayout(backend, tensor);
  const made = backend.texData.get(dataId).isPacked ? backend.unpackTensor(tensor) : undefined;
  return { tensor: { dataId: (made ?? tensor).dataId, shape: [sizeOf(shape)], dtype }, made };
}

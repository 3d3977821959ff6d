/**
 * tfjs 'webgl' kernels of max pooling: the definition (definition.ts), one fragment for each element of the result.
 *
 *   y[b, oy, ox, c]  searches its window for the first maximum; NaN is skipped as long as there is anything else
 *   dx[b, iy, ix, c] sums the dy of those windows that see the cell, and whose maximum's tap is the one that sees it
 *
 * The taps, fy * filterWidth + fx, are small whole numbers, exact in every texture. Flat indexes and int32 values live
 * in float textures: exact up to 2^24, and up to 2^11 where textures hold half floats.
 */
import type { MathBackendWebGL } from '@tensorflow/tfjs-backend-webgl';
import { type DataType, engine, type TensorInfo } from '@tensorflow/tfjs-core';
import { type PoolGeometry, withDyShape } from '../geometry.js';
import { gather, isPacked, scan } from '../runtime/webgl/pooling.js';
import { poolGeometryOf } from '../runtime/tensors.js';
import { emptyTexels } from '../runtime/webgl/texels.js';
import {
  eachTap,
  eachWindow,
  runShader,
  stepsOf,
  webglKernel,
  windowUniforms,
} from '../runtime/webgl/program.js';

/** y: [batch, outHeight, outWidth, channels], of x's dtype */
export const maxPool = webglKernel(({ inputs: { x }, attrs, backend }) => {
  const g = poolGeometryOf(x, attrs);
  if (!isPacked(backend, g, x)) return search(backend, x, g, x.dtype, MAXIMUM);
  forgetDisposed(backend);
  if (engine().state.gradientDepth === 0) return packedSearch(backend, x, g, [x.dtype, 'y'])[0];
  const [y, taps] = packedSearch(backend, x, g, [x.dtype, 'y'], ['float32', 'taps']);
  remember(backend, x, g, y, taps);
  return y;
});

/** [y, indexes]: of y's shape; indexes int32, into x flattened, or into one image of it, -1 for no cell at all. */
export const maxPoolWithArgmax = webglKernel(({ inputs: { x }, attrs, backend }) => {
  const g = poolGeometryOf(x, attrs);
  if (isPacked(backend, g, x)) {
    const indexes = attrs.includeBatchInIndex ? 'batchIndexes' : 'indexes';
    return packedSearch(backend, x, g, [x.dtype, 'y'], ['int32', indexes]);
  }
  const index = attrs.includeBatchInIndex ? 'at' : 'at - y.x * xSteps.x';
  return [
    search(backend, x, g, x.dtype, MAXIMUM),
    search(backend, x, g, 'int32', `tap < 0 ? -1. : float(${index})`),
  ];
});

/** dx: the shape of `input`; `output`, if it is ours, tells where the maxima are. */
export const maxPoolGrad = webglKernel(({ inputs: { dy, input, output }, attrs, backend }) => {
  const g = poolGeometryOf(input, attrs);
  const dySteps = stepsOf(withDyShape(g, dy.shape).y);
  if (isPacked(backend, g, input, dy)) {
    return packedMaxPoolGrad(backend, g, dy, input, output);
  }
  const taps = search(backend, input, g, 'float32', 'float(tap)');
  const dx = runShader(
    backend,
    { dy, taps },
    { ...windowUniforms(g), dySteps },
    input.shape,
    'float32',
    `
    void main() {
      ivec4 x = coordsOf(getOutputCoords(), xSteps, xSize);
      float sum = 0.;
      ${eachWindow(`
        ivec4 y = ivec4(x.x, oy, ox, x.w);
        float tap = getTaps(indexOf(y, ySteps));
        if (tap == float(fy * filterSize.y + fx)) sum += getDy(indexOf(y, dySteps));`)}
      setOutput(sum);
    }`,
  );
  backend.disposeIntermediateTensorInfo(taps);
  return dx;
});

const MAXIMUM = 'tap < 0 ? nothing : maximum';

/** The maximum of no cells at all. */
const nothingOf = ({ dtype }: TensorInfo) =>
  dtype === 'int32' ? -(2 ** 31) : dtype === 'bool' ? 0 : -Infinity;

/** What packedSearch can write of each window: its maximum; its tap; where it is in x, or in one image of x. */
const RESULTS = {
  y: 'mix(maximum, vec4(nothing), lessThan(taps, vec4(0.)))',
  taps: 'taps',
  indexes: 'indexes(taps, corner, channelPair, 0)',
  batchIndexes: 'indexes(taps, corner, channelPair, image)',
};

/** As `search`, on packed textures: one tensor for each result, all of them in one pass. */
function packedSearch(
  backend: MathBackendWebGL,
  x: TensorInfo,
  g: PoolGeometry,
  ...results: [dtype: DataType, result: keyof typeof RESULTS][]
): TensorInfo[] {
  const outputs = results.map(([dtype]) => emptyTexels(backend, g.outShape, dtype));
  scan(
    backend,
    g,
    x,
    outputs,
    { nothing: nothingOf(x) },
    {
      functions: INDEXES_GLSL,
      start: 'vec4 maximum = vec4(0.); vec4 taps = vec4(-1.);',
      step: `
        ivec4 isNew = -ivec4(lessThan(taps, vec4(0.)))
            | ~(-ivec4(isnan(x)) | -ivec4(greaterThanEqual(maximum, x)));
        bvec4 isMaximum = bvec4(isNew & -ivec4(inside, inside, nextInside, nextInside));
        maximum = mix(maximum, x, isMaximum);
        taps = mix(taps, vec4(fy * filterSize.y + fx), isMaximum);`,
      finish: results.map(([, result], i) => `z${i} = ${RESULTS[result]};`).join('\n'),
    },
  );
  return outputs;
}

const INDEXES_GLSL = `
  float index(float tap, ivec2 corner, int channel, int image) {
    int fy = int(tap) / filterSize.y;
    ivec2 at = corner + ivec2(fy, int(tap) - fy * filterSize.y) * dilations;
    return tap < 0. ? -1. : float(((image * xSize.y + at.x) * xSize.z + at.y) * xSize.w + channel);
  }
  vec4 indexes(vec4 taps, ivec2 corner, int channelPair, int image) {
    ivec2 next = corner + ivec2(0, strides.y);
    int channel = 2 * channelPair;
    return vec4(index(taps.x, corner, channel, image), index(taps.y, corner, channel + 1, image),
        index(taps.z, next, channel, image), index(taps.w, next, channel + 1, image));
  }
`;

function packedMaxPoolGrad(
  backend: MathBackendWebGL,
  g: PoolGeometry,
  dy: TensorInfo,
  input: TensorInfo,
  output: TensorInfo | undefined,
): TensorInfo {
  const taps = recall(backend, input, g, output) ?? packedSearch(backend, input, g, ['float32', 'taps'])[0];
  const dx = emptyTexels(backend, input.shape);
  const step = 'sum += mix(vec2(0.), dyHere, equal(tapsHere, vec2(tap)));';
  gather(backend, g, { dy, taps }, dx, {}, { step });
  backend.disposeIntermediateTensorInfo(taps);
  return dx;
}

/**
 * The taps of y's made while a gradient was recorded, until that gradient takes them. tfjs does not tell when y is disposed
 * of: those of y's that are gone are let go at the next pooling. Meanwhile they are no tensors of the backend's, which
 * counts what a kernel leaves behind.
 */
const remembered = new WeakMap<MathBackendWebGL, Map<object, Remembered>>();

interface Remembered {
  x: object;
  geometry: string;
  taps: TensorInfo;
  data: ReturnType<MathBackendWebGL['texData']['get']>;
}

function remember(
  backend: MathBackendWebGL,
  x: TensorInfo,
  g: PoolGeometry,
  y: TensorInfo,
  taps: TensorInfo,
): void {
  const data = backend.texData.get(taps.dataId);
  backend.texData.delete(taps.dataId);
  if (!remembered.has(backend)) remembered.set(backend, new Map());
  remembered.get(backend)!.set(y.dataId, { x: x.dataId, geometry: JSON.stringify(g), taps, data });
}

/** The taps of this very pooling, to be disposed of. */
function recall(
  backend: MathBackendWebGL,
  x: TensorInfo,
  g: PoolGeometry,
  y?: TensorInfo,
): TensorInfo | undefined {
  const all = remembered.get(backend);
  const found = y && all?.get(y.dataId);
  if (!found || found.x !== x.dataId || found.geometry !== JSON.stringify(g)) return undefined;
  all!.delete(y.dataId);
  backend.texData.set(found.taps.dataId, found.data);
  return found.taps;
}

function forgetDisposed(backend: MathBackendWebGL): void {
  remembered.get(backend)?.forEach(({ taps, data }, y, all) => {
    if (backend.texData.has(y)) return;
    all.delete(y);
    backend.texData.set(taps.dataId, data);
    backend.disposeIntermediateTensorInfo(taps);
  });
}

/** For each window: its maximum, the tap it is under (-1: the window lies wholly in padding), and where it is in x. */
function search(
  backend: MathBackendWebGL,
  x: TensorInfo,
  g: PoolGeometry,
  dtype: DataType,
  result: string,
): TensorInfo {
  return runShader(
    backend,
    { x },
    { ...windowUniforms(g), nothing: nothingOf(x) },
    g.outShape,
    dtype,
    `
    void main() {
      ivec4 y = coordsOf(getOutputCoords(), ySteps, ySize);
      ivec2 corner = y.yz * strides - pads;
      float maximum = 0.;
      int tap = -1;
      int at = -1;
      ${eachTap(`
        int index = indexOf(ivec4(y.x, iy, ix, y.w), xSteps);
        float value = getX(index);
        if (tap < 0 || value > maximum || (isnan(maximum) && !isnan(value))) {
          maximum = value;
          tap = fy * filterSize.y + fx;
          at = index;
        }`)}
      setOutput(${result});
    }`,
  );
}

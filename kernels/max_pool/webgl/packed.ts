/** Max pooling on packed textures (../../runtime/webgl/pooling.ts), in NHWC. The results are those of simple.ts. */
import type { MathBackendWebGL } from '@tensorflow/tfjs-backend-webgl';
import type { TensorInfo } from '@tensorflow/tfjs-core';
import type { PoolGeometry } from '../../geometry.js';
import { gather, scan } from '../../runtime/webgl/pooling.js';
import { emptyTexels } from '../../runtime/webgl/texels.js';
import { nothingOf, type SearchResult } from './simple.js';

const RESULTS: Record<SearchResult[1], string> = {
  y: 'mix(maximum, vec4(nothing), lessThan(taps, vec4(0.)))',
  taps: 'taps',
  batchIndexes: 'indexes(taps, corner, channelPair, image)',
  indexes: 'indexes(taps, corner, channelPair, 0)',
};

/** One tensor of y's shape for each result. All results take one pass. */
export function packedSearch(
  backend: MathBackendWebGL,
  x: TensorInfo,
  g: PoolGeometry,
  ...results: SearchResult[]
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

/** dx: of x's shape. `taps` has y's shape. dy may be larger than y. */
export function packedMaxPoolGrad(
  backend: MathBackendWebGL,
  g: PoolGeometry,
  dy: TensorInfo,
  taps: TensorInfo,
): TensorInfo {
  const dx = emptyTexels(backend, g.inShape);
  const step = 'sum += mix(vec2(0.), dyHere, equal(tapsHere, vec2(tap)));';
  gather(backend, g, { dy, taps }, dx, {}, { step });
  return dx;
}

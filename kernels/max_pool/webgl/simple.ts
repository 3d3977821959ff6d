/**
 * Max pooling in any layout, on any GPU: the definition (../definition.ts), with one fragment for each element of the
 * result.
 *
 *   y[b, oy, ox, c]   The fragment searches the window for the first maximum. It skips NaN if there is anything else.
 *   dx[b, iy, ix, c]  The fragment walks over the windows that see the cell. It sums the dy of each window whose
 *                     maximum lies under the tap that sees the cell.
 */
import type { MathBackendWebGL } from '@tensorflow/tfjs-backend-webgl';
import type { DataType, TensorInfo } from '@tensorflow/tfjs-core';
import type { PoolGeometry, Steps } from '../../geometry.js';
import { eachTap, eachWindow, runShader, stepsOf, windowUniforms } from '../../runtime/webgl/program.js';

/**
 * What a search can write for each window:
 *
 *   y             the maximum
 *   taps          number of the tap that the maximum lies under, -1 for a window wholly in padding
 *   batchIndexes  index of the maximum in the flat x, -1 for a window wholly in padding
 *   indexes       the same in one image of x
 */
export type SearchResult = [dtype: DataType, result: 'y' | 'taps' | 'batchIndexes' | 'indexes'];

const RESULTS: Record<SearchResult[1], string> = {
  y: 'tap < 0 ? nothing : maximum',
  taps: 'float(tap)',
  batchIndexes: 'tap < 0 ? -1. : float(at)',
  indexes: 'tap < 0 ? -1. : float(at - y.x * xSteps.x)',
};

/** The maximum of a window without cells. */
export const nothingOf = ({ dtype }: TensorInfo) =>
  dtype === 'int32' ? -(2 ** 31) : dtype === 'bool' ? 0 : -Infinity;

/** One tensor of y's shape for each result. Each result takes a pass of its own. */
export function simpleSearch(
  backend: MathBackendWebGL,
  x: TensorInfo,
  g: PoolGeometry,
  ...results: SearchResult[]
): TensorInfo[] {
  return results.map(([dtype, result]) =>
    runShader(
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
      setOutput(${RESULTS[result]});
    }`,
    ),
  );
}

/** dx: of x's shape. `taps` has y's shape. dy may be larger than y and has steps of its own. */
export function simpleMaxPoolGrad(
  backend: MathBackendWebGL,
  g: PoolGeometry,
  dySteps: Steps,
  dy: TensorInfo,
  taps: TensorInfo,
): TensorInfo {
  return runShader(
    backend,
    { dy, taps },
    { ...windowUniforms(g), dySteps: stepsOf(dySteps) },
    g.inShape,
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
}

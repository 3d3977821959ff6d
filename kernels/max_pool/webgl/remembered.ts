/**
 * The taps of the maxima. A forward pass that is recorded for a gradient keeps them until the gradient takes them.
 *
 * tfjs does not tell when a y is disposed of. So the next pooling disposes of the taps of every y that is gone. tfjs
 * counts the tensors of the backend that a kernel leaves behind. So the backend does not know the taps while they are
 * kept.
 */
import type { MathBackendWebGL } from '@tensorflow/tfjs-backend-webgl';
import type { TensorInfo } from '@tensorflow/tfjs-core';
import type { PoolGeometry } from '../../geometry.js';

interface Remembered {
  /** The input and the geometry of the pooling that made the taps. */
  x: object;
  geometry: string;
  taps: TensorInfo;
  /** The entry of the taps in the backend. */
  data: ReturnType<MathBackendWebGL['texData']['get']>;
}

/** Keys: the backend, then the dataId of y. */
const remembered = new WeakMap<MathBackendWebGL, Map<object, Remembered>>();

export function remember(
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

/** The taps of this very pooling, or undefined if they are not kept. The caller disposes of them. */
export function recall(
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

/** Disposes of the taps of every y that is gone. */
export function forgetDisposed(backend: MathBackendWebGL): void {
  remembered.get(backend)?.forEach(({ taps, data }, y, all) => {
    if (backend.texData.has(y)) return;
    all.delete(y);
    backend.texData.set(taps.dataId, data);
    backend.disposeIntermediateTensorInfo(taps);
  });
}

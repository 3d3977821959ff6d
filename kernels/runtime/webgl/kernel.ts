/**
 * What every webgl kernel of the plugin goes through. A kernel that fails says what failed, and leaves nothing behind.
 *
 * tfjs's backend makes tensors and textures in many places, and keeps them if a later step throws. It only prints what the driver says
 * about a program. So a kernel is watched while it runs.
 */
import type { MathBackendWebGL } from '@tensorflow/tfjs-backend-webgl';
import type { TensorInfo } from '@tensorflow/tfjs-core';
import type { Kernel } from '../tensors.js';
import { isCompileOnly, lendTextures, takeTexturesBack } from './compile_only.js';
import { hear, observe, programError } from './driver.js';

type DataId = TensorInfo['dataId'];

/** What the backend's types make private. */
interface Inside {
  numBytesInGPU: number;
  computeBytes(texShape: [number, number], dtype: string): number;
}

/**
 * A webgl kernel for the tables of kernels. tfjs calls it with the webgl backend only.
 * @param name tfjs's name of the kernel, for errors
 */
export function webglKernel(name: string, kernel: Kernel<MathBackendWebGL>): Kernel {
  const webgl: Kernel<MathBackendWebGL> = (args) => {
    const { backend, inputs } = args;
    checkContext(name, backend);
    const { made, words, end } = watch(backend);
    try {
      if (isCompileOnly()) lendTextures(backend, Object.values(inputs));
      const result = kernel(args);
      checkContext(name, backend);
      return result;
    } catch (error) {
      made.forEach((dataId) => dispose(backend, dataId));
      checkContext(name, backend);
      throw inWords(name, error, words);
    } finally {
      end();
      takeTexturesBack();
    }
  };
  return webgl as Kernel;
}

/** @throws Error if the context is lost, or was. After that, nothing that is drawn or read means anything. */
function checkContext(name: string, backend: MathBackendWebGL): void {
  const isLost = backend.gpgpu.gl.isContextLost();
  if (isLost || wasLost(backend)) {
    throw new Error(
      `tfjs-convgrad: ${name} cannot run: the WebGL context of this backend ${isLost ? 'is' : 'was'} lost, with all its tensors. ` +
        'Remove the backend and register it anew.',
    );
  }
}

const contexts = new WeakMap<MathBackendWebGL, { wasLost: boolean }>();

/** Whether the context was lost before, and the browser has restored it: without the backend's textures and programs. */
function wasLost(backend: MathBackendWebGL): boolean {
  const known = contexts.get(backend);
  if (known) return known.wasLost;
  const { gl, vertexBuffer } = backend.gpgpu;
  const context = { wasLost: !gl.isBuffer(vertexBuffer) };
  const { canvas } = gl as { canvas?: Partial<EventTarget> }; // React Native has none
  canvas?.addEventListener?.('webglcontextlost', () => (context.wasLost = true), { once: true });
  contexts.set(backend, context);
  return context.wasLost;
}

/** Until `end`: the data that the backend makes, and what the driver says about shaders and programs. */
function watch(backend: MathBackendWebGL) {
  const made: DataId[] = [];
  const heard = hear(backend.gpgpu.gl);
  const endWrites = observe<DataId>(backend, 'write', (dataId) => made.push(dataId));
  const end = () => {
    endWrites();
    heard.end();
  };
  return { made, words: heard.words, end };
}

/** Disposes of data that a kernel has made, if they are still there. */
function dispose(backend: MathBackendWebGL, dataId: DataId): void {
  if (!backend.texData.has(dataId)) return;
  const { texShape, texture, values, dtype } = backend.texData.get(dataId);
  const inside = backend as unknown as Inside;
  // tfjs has counted the texture that it then failed to make.
  if (texShape && !texture && !values) inside.numBytesInGPU -= inside.computeBytes(texShape, dtype);
  backend.disposeData(dataId, true);
}

/** The error, as one of ours. Whatever it is, it was about a program if the driver had been asked what it has to say. */
function inWords(name: string, error: unknown, words: readonly (string | null)[]): unknown {
  const message = error instanceof Error ? error.message : String(error);
  if (message.startsWith('tfjs-convgrad: ')) return error;
  if (words.length === 0) return new Error(`tfjs-convgrad: ${name} failed on webgl: ${message}`);
  return programError(name, words);
}

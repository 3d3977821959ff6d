/** What a page can say of the browser and the GPU on which it runs. */
import { findBackend } from '@tensorflow/tfjs-core';
import type { MathBackendWebGL } from '@tensorflow/tfjs-backend-webgl';

export const browserName = (): string =>
  /(Headless)?Chrome\/\d+|Firefox\/\d+/.exec(navigator.userAgent)?.[0] ?? navigator.userAgent;

/** The GPU of the webgl backend, which has started. Some browsers give a name that many GPUs share. */
export function gpuName(): string {
  const { gl } = (findBackend('webgl') as MathBackendWebGL).gpgpu;
  const extension = gl.getExtension('WEBGL_debug_renderer_info');
  return String(gl.getParameter(extension ? extension.UNMASKED_RENDERER_WEBGL : gl.RENDERER));
}

/** What a page can say of the browser and the GPU on which it runs. */
import { env, findBackend } from '@tensorflow/tfjs-core';
import type { MathBackendWebGL } from '@tensorflow/tfjs-backend-webgl';

export const browserName = (): string =>
  /(Headless)?Chrome\/\d+|Firefox\/\d+/.exec(navigator.userAgent)?.[0] ?? navigator.userAgent;

/** The GPU of the webgl backend, which has started. Some browsers give a name that many GPUs share. */
export function gpuName(): string {
  const { gl } = (findBackend('webgl') as MathBackendWebGL).gpgpu;
  const extension = gl.getExtension('WEBGL_debug_renderer_info');
  return String(gl.getParameter(extension ? extension.UNMASKED_RENDERER_WEBGL : gl.RENDERER));
}

/** What a number keeps in the textures of the webgl backend, and how large they may be: they hold all tensors there. */
export function texturesInWords(): string {
  const size = env().getNumber('WEBGL_MAX_TEXTURE_SIZE');
  const kind = env().getBool('WEBGL_RENDER_FLOAT32_ENABLED')
    ? 'float32'
    : 'half floats: three digits, whole numbers up to 2048, and nothing above 65504';
  return `${kind}; at most ${size} x ${size} texels`;
}

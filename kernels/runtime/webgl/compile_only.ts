/**
 * Compiling ahead: tfjs's flag ENGINE_COMPILE_ONLY. A dummy run compiles its programs, waits for none, and draws nothing. The programs
 * are ready after `backend.checkCompileCompletionAsync()` and `backend.getUniformLocations()`.
 *
 * Results of a dummy run have textures, whose contents mean nothing. Tensors with values are not uploaded: tfjs only notes the layout
 * that they would have (isPacked, shape, texShape). In the run that follows, a tensor that is used again has a texture by then, and
 * other programs read it. So that the dummy run compiles these, a kernel lends such a tensor a texture that is none.
 */
import type { MathBackendWebGL } from '@tensorflow/tfjs-backend-webgl';
import { env, type TensorInfo } from '@tensorflow/tfjs-core';

type TextureData = ReturnType<MathBackendWebGL['texData']['get']>;

export function isCompileOnly(): boolean {
  return env().getBool('ENGINE_COMPILE_ONLY');
}

const NO_TEXTURE: TextureData['texture'] = { texture: {}, texShape: [0, 0] };

/** Those that have a texture on loan. Kernels run one at a time. */
const lent: TextureData[] = [];

/** Lends a texture to each tensor that would be uploaded by now. */
export function lendTextures(backend: MathBackendWebGL, tensors: readonly (TensorInfo | undefined)[]): void {
  for (const tensor of tensors) {
    const data = tensor && backend.texData.get(tensor.dataId);
    if (data?.texShape && !data.texture) lendTexture(data);
  }
}

export function lendTexture(data: TextureData): void {
  data.texture = NO_TEXTURE;
  lent.push(data);
}

export function takeTexturesBack(): void {
  for (const data of lent.splice(0)) data.texture = undefined;
}

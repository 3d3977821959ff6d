/** What every webgl kernel of the plugin goes through. */
import type { MathBackendWebGL } from '@tensorflow/tfjs-backend-webgl';
import type { Kernel } from '../tensors.js';
import { isCompileOnly, lendTextures, takeTexturesBack } from './compile_only.js';

/** A webgl kernel for the tables of kernels. tfjs calls it with the webgl backend only. */
export function webglKernel(kernel: Kernel<MathBackendWebGL>): Kernel {
  const webgl: Kernel<MathBackendWebGL> = (args) => {
    if (!isCompileOnly()) return kernel(args);
    lendTextures(args.backend, Object.values(args.inputs));
    try {
      return kernel(args);
    } finally {
      takeTexturesBack();
    }
  };
  return webgl as Kernel;
}

/** Script of the page that the command line opens in a browser. It compares kernels there, and sends what it finds. */
import { backend, enableProdMode, setBackend, version_core } from '@tensorflow/tfjs-core';
import type { MathBackendWebGL } from '@tensorflow/tfjs-backend-webgl';
import '@tensorflow/tfjs-core/dist/public/chained_ops/register_all_chained_ops.js';
import '@tensorflow/tfjs-core/dist/register_all_gradients.js';
import { namesOf, runComparisons } from './run-comparisons.js';
import type { Task, TaskMessage } from './task.js';
import { readModule, type UserModule } from './user-kernels.js';

export { alea } from 'seedrandom'; // tfjs-backend-cpu imports it from the package, which a page cannot load

/** @param moduleUrl where the page finds the user's module */
export async function comparePage(
  { asked, kernels, list }: Task,
  moduleUrl: string | undefined,
  send: (message: { message: TaskMessage } | { done: true } | { error: string }) => Promise<unknown>,
): Promise<void> {
  const tell = (message: TaskMessage) => void send({ message });
  try {
    enableProdMode();
    if (!(await setBackend('webgl').catch(() => false)))
      throw new Error('Backend webgl does not start in this browser.');
    tell({ facts: { 'TensorFlow.js': version_core, Browser: browserName(), GPU: gpuName() } });
    const module = kernels && moduleUrl ? await moduleOf(kernels, moduleUrl) : undefined;
    if (list) tell({ names: namesOf(asked, module, 'webgl') });
    else await runComparisons(asked, module, tell);
    await send({ done: true });
  } catch (error) {
    await send({ error: error instanceof Error ? error.message : String(error) });
  }
}

async function moduleOf(file: string, url: string): Promise<UserModule> {
  const module = (await import(url).catch((error: unknown) => {
    throw new Error(`${file} does not load: ${error}`);
  })) as object;
  return readModule(file, module);
}

const browserName = () => /(Headless)?Chrome\/\d+/.exec(navigator.userAgent)?.[0] ?? navigator.userAgent;

function gpuName(): string {
  const { gl } = (backend() as MathBackendWebGL).gpgpu;
  const extension = gl.getExtension('WEBGL_debug_renderer_info');
  return String(gl.getParameter(extension ? extension.UNMASKED_RENDERER_WEBGL : gl.RENDERER));
}

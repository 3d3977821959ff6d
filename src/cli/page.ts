/** Script of the page that the command line opens in a browser. It compares kernels there, and sends each row. */
import { enableProdMode, setBackend } from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-core/dist/register_all_gradients.js';
import { type Asked, type CompareMessage, runComparisons } from './run-comparisons.js';
import type { UserModule } from './user-kernels.js';

export async function comparePage(
  asked: Asked,
  backendName: string,
  kernelsUrl: string | undefined,
  send: (message: { message: CompareMessage } | { done: true }) => Promise<unknown>,
): Promise<void> {
  enableProdMode();
  if (!(await setBackend(backendName).catch(() => false))) {
    throw new Error(`Backend ${backendName} does not start in this browser.`);
  }
  const module = kernelsUrl ? ((await import(kernelsUrl)) as UserModule) : undefined;
  await runComparisons(asked, module, (message) => void send({ message }));
  await send({ done: true });
}

/**
 * The thread in which the command compares on cpu and wasm. A kernel that never ends blocks only this thread, and one that ends the
 * process ends only this thread.
 */
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { parentPort, workerData } from 'node:worker_threads';
import { enableProdMode, version_core } from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-core/dist/register_all_gradients.js';
import { startBackend } from './backend.js';
import { namesOf, runComparisons } from './run-comparisons.js';
import type { Task, TaskMessage } from './task.js';
import { readModule, type UserModule } from './user-kernels.js';

const { asked, backend, kernels, list } = workerData as Task;
const send = (message: TaskMessage | { done: true }) => parentPort!.postMessage(message);

enableProdMode(); // no advice to use another backend
const needsBackend = !list || kernels !== undefined; // a module's kernels may look at the backend
if (needsBackend) await startBackend(backend);
send({ facts: { 'TensorFlow.js': version_core, Node: process.version } });
const module = kernels === undefined ? undefined : await moduleOf(kernels);
if (list) send({ names: namesOf(asked, module, backend) });
else await runComparisons(asked, module, send);
send({ done: true });

async function moduleOf(file: string): Promise<UserModule> {
  const module = (await import(pathToFileURL(resolve(file)).href).catch((error: unknown) => {
    throw new Error(`${file} does not load: ${whyNot(error)}`);
  })) as object;
  return readModule(file, module);
}

function whyNot(error: unknown): string {
  const text = String(error);
  return /Cannot use import statement|Unexpected token 'export'/.test(text)
    ? `${text}. Node takes it for CommonJS: give it the suffix .mjs, or say "type": "module" in package.json.`
    : text;
}

/**
 * The thread in which the command works on cpu and wasm. A kernel that never ends blocks only this thread, and one that ends the
 * process ends only this thread.
 */
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { parentPort, workerData } from 'node:worker_threads';
import { enableProdMode, version_core } from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-core/dist/register_all_gradients.js';
import { importFromProject, isInstalled, startBackend } from './backend.js';
import { localHandler } from './model/files.js';
import { loadedFrom, loadModel, OWN_LAYERS } from './model/load.js';
import { runModel } from './model/run.js';
import type { ModelMessage, ModelTask } from './model/task.js';
import { namesOf, runComparisons } from './run-comparisons.js';
import type { AnyTask, Task, TaskMessage } from './task.js';
import { readModule } from './user-kernels.js';

const task = workerData as AnyTask;
const send = (message: TaskMessage | ModelMessage | { done: true }) => parentPort!.postMessage(message);

enableProdMode(); // no advice to use another backend
if ('model' in task) await checkTheModel(task);
else await compare(task);
send({ done: true });

async function compare({ asked, backend, kernels, list }: Task): Promise<void> {
  const needsBackend = !list || kernels !== undefined; // a module's kernels may look at the backend
  if (needsBackend) await start(backend);
  const module = kernels === undefined ? undefined : readModule(kernels, await moduleOf(kernels));
  if (list) send({ names: namesOf(asked, module, backend) });
  else await runComparisons(asked, module, send);
}

async function checkTheModel(task: ModelTask): Promise<void> {
  const { model, format, backend } = task;
  if (backend !== 'cpu' && isInstalled('cpu')) await startBackend('cpu'); // with which kernels are compared
  await start(backend);
  const loaded =
    format === 'module'
      ? await loadedFrom(model, await moduleOf(model))
      : await loadModel(format, localHandler(model), importPackage);
  await runModel(loaded, task, send);
}

async function importPackage(name: string): Promise<object> {
  if (name !== OWN_LAYERS) return importFromProject(name);
  return import(new URL('../esm/layers.js', import.meta.url).href) as Promise<object>;
}

async function start(backend: string): Promise<void> {
  await startBackend(backend);
  send({ facts: { 'TensorFlow.js': version_core, Node: process.version } });
}

async function moduleOf(file: string): Promise<object> {
  return import(pathToFileURL(resolve(file)).href).catch((error: unknown) => {
    throw new Error(`${file} does not load: ${whyNot(error)}`);
  });
}

function whyNot(error: unknown): string {
  const text = String(error);
  return /Cannot use import statement|Unexpected token 'export'/.test(text)
    ? `${text}. Node takes it for CommonJS: give it the suffix .mjs, or say "type": "module" in package.json.`
    : text;
}

/** Script of the page that the command line opens in a browser. It does the task there, and sends what it finds. */
import { enableProdMode, setBackend, version_core } from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-core/dist/public/chained_ops/register_all_chained_ops.js';
import '@tensorflow/tfjs-core/dist/register_all_gradients.js';
import { browserName, gpuName } from './device.js';
import { namesOf, runComparisons } from './run-comparisons.js';
import { loadedFrom, loadModel } from './model/load.js';
import { runModel } from './model/run.js';
import type { ModelMessage, ModelTask } from './model/task.js';
import type { AnyTask, Task, TaskMessage } from './task.js';
import { readModule } from './user-kernels.js';

export { alea } from 'seedrandom'; // tfjs-backend-cpu imports it from the package, which a page cannot load

type Message = TaskMessage | ModelMessage;

/** @param url where the page finds the user's module, or the model */
export async function onThisPage(
  task: AnyTask,
  url: string | undefined,
  send: (message: { message: Message } | { done: true } | { error: string }) => Promise<unknown>,
): Promise<void> {
  const tell = (message: Message) => void send({ message });
  try {
    enableProdMode();
    if (!(await setBackend('webgl').catch(() => false)))
      throw new Error('Backend webgl does not start in this browser.');
    tell({ facts: { 'TensorFlow.js': version_core, Browser: browserName(), GPU: gpuName() } });
    if ('model' in task) await checkTheModel(task, url!, tell);
    else await compare(task, url, tell);
    await send({ done: true });
  } catch (error) {
    await send({ error: error instanceof Error ? error.message : String(error) });
  }
}

async function compare(
  { asked, kernels, list }: Task,
  url: string | undefined,
  tell: (message: TaskMessage) => void,
): Promise<void> {
  const module = kernels && url ? readModule(kernels, await moduleOf(kernels, url)) : undefined;
  if (list) tell({ names: namesOf(asked, module, 'webgl') });
  else await runComparisons(asked, module, tell);
}

async function checkTheModel(task: ModelTask, url: string, tell: (message: ModelMessage) => void) {
  await importPackage('@tensorflow/tfjs-backend-cpu').catch(() => {}); // with which kernels are compared, if it is installed
  const { format, model } = task;
  const loaded =
    format === 'module'
      ? await loadedFrom(model, await moduleOf(model, url))
      : await loadModel(format, url, importPackage);
  await runModel(loaded, task, tell);
}

const importPackage = (name: string) => import(name) as Promise<object>;

async function moduleOf(file: string, url: string): Promise<object> {
  return import(url).catch((error: unknown) => {
    throw new Error(`${file} does not load: ${error}`);
  });
}

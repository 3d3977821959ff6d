/**
 * Runs a model on the active backend, in Node or in a page, with tfjs's kernels and with the plugin's: checks both, and times both in
 * turn.
 */
import { backend, dispose, getBackend, type Tensor } from '@tensorflow/tfjs-core';
import { install, type Installation } from '../../index.js';
import { checkModel, type CheckModelOptions } from '../../verify/check-model.js';
import { innerProduct, parametersOf } from '../../verify/model/parameters.js';
import { type Model, type ModelLoss, runnerOf } from '../../verify/model/runner.js';
import { median } from '../../verify/time.js';
import { type KernelTime, timeByKernel } from '../by-kernel.js';
import { type Inputs, inputsOf, namesOf } from './inputs.js';
import type { KernelRow, ModelMessage, ModelResult, ModelTask, PlainReport, Side } from './task.js';

/** A model that is loaded, with what its module exports beside it. */
export interface Loaded {
  model: Model;
  /** Makes the inputs. Default: random ones, of the shapes that the model or --shape says. */
  inputs?: () => Tensor[] | Record<string, Tensor>;
  loss?: ModelLoss;
}

/** How long each side runs before the first measurement, in milliseconds. */
const WARM_MS = 1000;

type OnProgress = NonNullable<CheckModelOptions['onProgress']>;

/** What a run needs to know of the task. */
export type RunTask = Omit<ModelTask, 'model' | 'format' | 'backend'> & { warmMs?: number };

/**
 * @param tell is awaited
 * @param onProgress awaited between runs and between checks, with how many of a step are done, and of how many. If one of the two goes on
 *   throwing, the run ends with that error.
 */
export async function runModel(
  loaded: Loaded,
  task: RunTask,
  tell: (message: ModelMessage) => unknown,
  onProgress?: OnProgress,
): Promise<void> {
  const { model } = loaded;
  const inputs = inputsOf(loaded, task);
  const list = Array.isArray(inputs) ? inputs : Object.values(inputs);
  try {
    const names = namesOf(model, inputs);
    await tell({ step: 'time' });
    const times = await timed(loaded, inputs, task, onProgress);
    await tell({ step: "check tfjs's kernels" });
    const tfjs = await sideOf(loaded, inputs, task, onProgress);
    await tell({ step: "check the plugin's kernels" });
    const installed = await withPlugin(async ({ active }) => ({
      ours: active.map(({ kernelName }) => kernelName),
      plugin: await sideOf(loaded, inputs, task, onProgress),
    }));
    const result: ModelResult = {
      backend: getBackend(),
      inputs: list.map(({ shape }, i) => ({ name: names[i], shape })),
      tfjs,
      ...installed,
      ...times,
    };
    await tell({ result });
  } finally {
    dispose(list);
  }
}

// Checks

async function sideOf(
  { model, loss }: Loaded,
  inputs: Inputs,
  task: RunTask,
  onProgress: OnProgress | undefined,
): Promise<Side> {
  const { gradients, seed, elements } = task;
  try {
    const options = {
      gradients,
      seed,
      maxElements: elements,
      onProgress,
      ...(gradients && loss && { loss }),
    };
    const report = await checkModel(model, inputs, options);
    const fields = Object.entries(report).filter(([, value]) => typeof value !== 'function');
    return { report: { ...Object.fromEntries(fields), text: String(report) } as PlainReport };
  } catch (error) {
    return { error: error instanceof Error ? error.message : String(error) };
  }
}

async function withPlugin<T>(work: (installation: Installation) => Promise<T>): Promise<T> {
  const installation = install({ backends: [getBackend()] });
  try {
    return await work(installation);
  } finally {
    installation.uninstall();
  }
}

// Times

/** Both sides in turn, so that other work of the machine slows both of them down. */
async function timed(
  loaded: Loaded,
  inputs: Inputs,
  task: RunTask,
  onProgress: OnProgress | undefined,
): Promise<Pick<ModelResult, 'kernels' | 'whole'>> {
  const work = await workOf(loaded, inputs, task);
  const sides = { tfjs: <T>(f: () => Promise<T>) => f(), plugin: withPlugin };
  const isGpu = 'gpgpu' in backend();
  const whole = { tfjs: [] as number[], plugin: [] as number[] };
  const byKernel = { tfjs: [] as KernelTime[][], plugin: [] as KernelTime[][] };
  const runs = 2 * task.repeat;
  for (const name of ['tfjs', 'plugin'] as const) {
    await onProgress?.(0, runs);
    await sides[name](() => warmUp(work, task.warmMs ?? WARM_MS)).catch(() => {}); // the check says what is thrown
  }
  for (let i = 0; i < task.repeat; i++) {
    for (const [k, name] of (['tfjs', 'plugin'] as const).entries()) {
      await onProgress?.(2 * i + k, runs);
      try {
        await sides[name](async () => {
          await warmUp(work, 0);
          const start = performance.now();
          await work();
          whole[name].push(performance.now() - start);
          if (!isGpu) byKernel[name].push(await timeByKernel(work));
        });
      } catch {
        // The check says what is thrown.
      }
    }
  }
  return {
    kernels: rowsOf(byKernel.tfjs, byKernel.plugin),
    whole: { tfjs: medianOr(whole.tfjs), plugin: medianOr(whole.plugin) },
  };
}

/** The first runs make what later ones use again, and engines compile code better that has run for a while. */
async function warmUp(work: () => Promise<void>, milliseconds: number): Promise<void> {
  const start = performance.now();
  do await work();
  while (performance.now() - start < milliseconds);
}

const medianOr = (values: readonly number[]) => (values.length > 0 ? median(values) : null);

/** What is timed: a prediction or, with gradients, a run forward and backward, until its results are read. */
async function workOf(
  { model, loss }: Loaded,
  inputs: Inputs,
  { gradients, seed }: RunTask,
): Promise<() => Promise<void>> {
  const runner = runnerOf(model, inputs, gradients);
  const read = async (tensors: readonly (Tensor | null)[]) => {
    const present = tensors.filter((t) => t !== null);
    await Promise.all(present.map((t) => t.data()));
    dispose(present);
  };
  if (!gradients) return async () => read(await runner.forward(() => {}));
  const parameters = await parametersOf(runner);
  const xs = parameters.map(({ tensor }) => tensor);
  const lossOf = loss ?? innerProduct(seed);
  return async () => read(await runner.backward(() => {}, lossOf, xs));
}

function rowsOf(tfjs: readonly KernelTime[][], plugin: readonly KernelTime[][]): KernelRow[] {
  const names = [...new Set([...tfjs, ...plugin].flat().map(({ kernelName }) => kernelName))];
  const of = (runs: readonly KernelTime[][], name: string) => runs.flatMap((run) => run.find(({ kernelName }) => kernelName === name) ?? []); // prettier-ignore
  const rows = names.map((kernel) => {
    const [a, b] = [of(tfjs, kernel), of(plugin, kernel)];
    return {
      kernel,
      calls: (b[0] ?? a[0]).calls,
      tfjs: medianOr(a.map(({ milliseconds }) => milliseconds)),
      plugin: medianOr(b.map(({ milliseconds }) => milliseconds)),
    };
  });
  return rows.sort((a, b) => (b.tfjs ?? b.plugin ?? 0) - (a.tfjs ?? a.plugin ?? 0));
}

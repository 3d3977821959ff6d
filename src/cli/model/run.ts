/**
 * Runs a model on the active backend, in Node or in a page, with tfjs's kernels and with the plugin's: checks both, and times both in
 * turn.
 */
import { backend, dispose, getBackend, type Tensor, tensor } from '@tensorflow/tfjs-core';
import { install, type Installation } from '../../index.js';
import { checkModel } from '../../verify/check-model.js';
import { floats, integers } from '../../verify/data.js';
import { innerProduct, parametersOf } from '../../verify/model/parameters.js';
import { type Model, type ModelLoss, runnerOf } from '../../verify/model/runner.js';
import { median } from '../../verify/time.js';
import { type KernelTime, timeByKernel } from '../by-kernel.js';
import type { KernelRow, ModelMessage, ModelResult, ModelTask, PlainReport, Shapes, Side } from './task.js';

/** A model that is loaded, with what its module exports beside it. */
export interface Loaded {
  model: Model;
  /** Makes the inputs. Default: random ones, of the shapes that the model or --shape says. */
  inputs?: () => Tensor[] | Record<string, Tensor>;
  loss?: ModelLoss;
}

/** How long each side runs before the first measurement. */
const WARM_MS = 1000;

export async function runModel(
  loaded: Loaded,
  task: ModelTask,
  tell: (message: ModelMessage) => void,
): Promise<void> {
  const { model } = loaded;
  const inputs = inputsOf(loaded, task);
  const list = Array.isArray(inputs) ? inputs : Object.values(inputs);
  try {
    const names = namesOf(model, inputs);
    tell({ step: 'time' });
    const times = await timed(loaded, inputs, task);
    tell({ step: "check tfjs's kernels" });
    const tfjs = await sideOf(loaded, inputs, task);
    tell({ step: "check the plugin's kernels" });
    const plugin = await withPlugin(() => sideOf(loaded, inputs, task));
    const result: ModelResult = {
      backend: getBackend(),
      inputs: list.map(({ shape }, i) => ({ name: names[i], shape })),
      tfjs,
      plugin,
      ours: await withPlugin(async ({ active }) => active.map(({ kernelName }) => kernelName)),
      ...times,
    };
    tell({ result });
  } finally {
    dispose(list);
  }
}

// Inputs

type Inputs = Tensor[] | Record<string, Tensor>;

/** An input as a tf.LayersModel and a tf.GraphModel describe it. Sizes that are not fixed are null or -1. */
interface Description {
  name: string;
  shape?: readonly (number | null)[];
  dtype?: string;
}

const described = (model: Model): readonly Description[] =>
  (model as unknown as { inputs?: readonly Description[] }).inputs ?? [];

function namesOf(model: Model, inputs: Inputs): string[] {
  if (!Array.isArray(inputs)) return Object.keys(inputs);
  return inputs.map((_, i) => described(model)[i]?.name ?? `input ${i}`);
}

function inputsOf({ model, inputs }: Loaded, { shapes, seed }: ModelTask): Inputs {
  const isShaped = shapes.inOrder.length + Object.keys(shapes.byName).length > 0;
  if (inputs) {
    if (isShaped) throw new Error('--shape is given, but the module exports inputs, which have shapes.');
    return inputs();
  }
  const wanted = described(model);
  if (wanted.length === 0 && shapes.inOrder.length === 0)
    throw new Error(
      'The model does not say what its inputs are: give --shape, or let the module export inputs().',
    );
  const names = wanted.map(({ name }) => name);
  checkShapes(shapes, names);
  const descriptions = wanted.length > 0 ? wanted : shapes.inOrder.map((_, i): Description => ({ name: `input ${i}` })); // prettier-ignore
  return descriptions.map((description, i) =>
    drawnInput(description, shapeOf(description, i, shapes), seed + i),
  );
}

function checkShapes({ inOrder, byName }: Shapes, names: readonly string[]): void {
  const unknown = Object.keys(byName).find((name) => !names.includes(name));
  if (unknown !== undefined)
    throw new Error(`--shape names the input ${unknown}, but the inputs are ${names.join(', ')}.`);
  if (names.length > 0 && inOrder.length > names.length)
    throw new Error(`--shape has ${inOrder.length} shapes, but the model has ${names.length} inputs: ${names.join(', ')}.`); // prettier-ignore
}

/** The shape that was given, or the model's own. A batch has one element, unless the model says otherwise. */
function shapeOf({ name, shape }: Description, i: number, { inOrder, byName }: Shapes): number[] {
  const given = byName[name] ?? inOrder[i];
  const fixed = shape?.map((size) => (size === null || size < 0 ? null : size));
  const text = fixed?.map((size) => size ?? '?').join('x');
  if (given) {
    const fits = !fixed || (fixed.length === given.length && fixed.every((size, k) => size === null || size === given[k])); // prettier-ignore
    if (!fits)
      throw new Error(`--shape gives ${name} the shape ${given.join('x')}, but the model wants ${text}.`);
    return given;
  }
  const own = fixed?.map((size, k) => (k === 0 ? (size ?? 1) : size));
  if (own && own.every((size) => size !== null)) return own as number[];
  throw new Error(`The model takes ${name} in any size${text ? ` of ${text}` : ''}: give one, such as --shape ${name}=${(own ?? [1, null, null, 3]).map((size) => size ?? 64).join('x')}.`); // prettier-ignore
}

/** Random numbers in [-1, 1), or whole numbers 0 and 1. */
function drawnInput({ dtype = 'float32' }: Description, shape: number[], seed: number): Tensor {
  const size = shape.reduce((product, n) => product * n, 1);
  if (dtype === 'float32') return tensor(Float32Array.from(floats(size, seed)), shape, dtype);
  if (dtype === 'int32' || dtype === 'bool')
    return tensor(Int32Array.from(integers(size, seed, 1), Math.abs), shape, 'int32').cast(dtype);
  throw new Error(`An input of dtype ${dtype} cannot be drawn at random: let a module export the model and inputs().`); // prettier-ignore
}

// Checks

async function sideOf({ model, loss }: Loaded, inputs: Inputs, task: ModelTask): Promise<Side> {
  const { gradients, seed, elements } = task;
  try {
    const options = { gradients, seed, maxElements: elements, ...(gradients && loss && { loss }) };
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
  task: ModelTask,
): Promise<Pick<ModelResult, 'kernels' | 'whole'>> {
  // prettier-ignore
  const work = await workOf(loaded, inputs, task);
  const sides = { tfjs: <T>(f: () => Promise<T>) => f(), plugin: withPlugin };
  const isGpu = 'gpgpu' in backend();
  const whole = { tfjs: [] as number[], plugin: [] as number[] };
  const byKernel = { tfjs: [] as KernelTime[][], plugin: [] as KernelTime[][] };
  for (const name of ['tfjs', 'plugin'] as const) {
    await sides[name](() => warmUp(work, WARM_MS)).catch(() => {}); // the check says what is thrown
  }
  for (let i = 0; i < task.repeat; i++) {
    for (const name of ['tfjs', 'plugin'] as const) {
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
  { gradients, seed }: ModelTask,
): Promise<() => Promise<void>> {
  // prettier-ignore
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

/**
 * Checks a whole model on the active backend, kernel call by kernel call.
 *
 * Each call is judged by itself, from its inputs as the backend has them. So an op is wrong only if it makes an error of its own, not
 * if its inputs were off.
 *
 *   1. The model runs once, and the sequence of its kernel calls is noted.
 *   2. The calls are divided into windows whose tensors fit into the memory that is allowed. For each window the model runs again, and
 *      the tensors of the window's calls are kept, read and judged.
 *   3. The model runs again with right values in place of the outputs of the ops whose errors are largest. What changes in its outputs
 *      is what these errors do.
 */
import { getBackend } from '@tensorflow/tfjs-core';
import { readOptions, shown } from '../../kernels/known.js';
import { candidatesOf, influenceOf } from './model/influence.js';
import { type Judged, judged, precisionOf } from './model/judge.js';
import { modelReportOf, type ModelReport } from './model/model-report.js';
import { checkParameters, innerProduct, parametersOf } from './model/parameters.js';
import type { Watcher } from './model/record.js';
import { type Model, type ModelInputs, type ModelLoss, runnerOf } from './model/runner.js';
import { captured, noted, type Run, windowsOf } from './model/sequence.js';

/** Options of checkModel. */
export interface CheckModelOptions {
  /** Also run the model backward, and check the gradient in its trainable weights, or else its inputs. Default: false. */
  gradients?: boolean;
  /**
   * The loss of the model's outputs, which come as arguments: a tensor of one element. Default: the inner product of the outputs with
   * random numbers.
   */
  loss?: ModelLoss;
  /** The seed of all that is drawn at random, a whole number. Default: 1. */
  seed?: number;
  /** Compare at most this many elements of each output, drawn at random. Default: all. */
  maxElements?: number;
  /** The tensors that are kept at one time may take this many bytes, but those of one op always are. Default: 64 MiB. */
  maxBytes?: number;
  /**
   * Called, and awaited, before each kernel call is judged, with how many were judged and how many there are; with gradients also before
   * each run along a random direction. So a page can show how far the check is, and stays usable. If it throws, the check ends with that
   * error.
   */
  onProgress?: (done: number, all: number) => void | Promise<void>;
}

/**
 * Checks every kernel call of a model, on the active backend. The model must be deterministic, because it runs several times. What other
 * programs run on tfjs meanwhile is checked, too, or makes the sequence of calls differ.
 * @param model a tf.LayersModel, a tf.GraphModel, or a function of tensors
 * @param inputs a tensor or a list of tensors; for a tf.GraphModel also an object of tensors by their names
 * @returns the report; its promise is fulfilled whatever the verdict is
 * @throws Error naming the argument, what it was and what is allowed; if the model runs other kernels in one run than in another; also
 *   whatever the model throws
 */
export async function checkModel(
  model: Model,
  inputs: ModelInputs,
  options: CheckModelOptions = {},
): Promise<ModelReport> {
  const { gradients, loss, seed, maxElements, maxBytes, onProgress } = settingsOf(options);
  const runner = runnerOf(model, inputs, gradients);
  const parameters = gradients ? await parametersOf(runner) : [];
  const lossOf = loss ?? innerProduct(seed);
  const run: Run = gradients
    ? (watch) =>
        runner.backward(
          watch,
          lossOf,
          parameters.map(({ tensor }) => tensor),
        )
    : (watch) => runner.forward(watch);
  const forward = gradients
    ? (watch: Watcher) =>
        runner.taped(
          watch,
          lossOf,
          parameters.map(({ tensor }) => tensor),
        )
    : (watch: Watcher) => runner.forward(watch);
  const notes = await noted(run);
  const where = precisionOf();
  const all: Pick<Judged, 'op' | 'nonFinite'>[] = [];
  let candidates: Judged[] = [];
  for (const window of windowsOf(notes, maxBytes)) {
    for (const kept of await captured(run, notes, window)) {
      await onProgress?.(all.length, notes.length);
      const next = judged(kept, where, { seed, maxElements });
      candidates = candidatesOf(candidates, next);
      all.push({ op: next.op, nonFinite: next.nonFinite });
    }
  }
  const pause = () => onProgress?.(notes.length, notes.length);
  const firstNonFinite = all.find(({ nonFinite }) => nonFinite)?.nonFinite;
  return modelReportOf({
    backend: getBackend(),
    seed,
    halfFloats: where.isHalf,
    ops: all.map(({ op }) => op),
    ...(firstNonFinite && { firstNonFinite }),
    ...(await influenceOf(forward, candidates)),
    ...(gradients && (await checkParameters(runner, lossOf, parameters, { seed, pause }))),
  });
}

const NAMES = ['gradients', 'loss', 'seed', 'maxElements', 'maxBytes', 'onProgress'] as const;

/** @throws Error naming the option, what it was and what is allowed */
function settingsOf(options: CheckModelOptions) {
  const given = readOptions('checkModel', options, NAMES);
  const { gradients = false, loss, seed = 1, maxElements = Infinity, maxBytes = 2 ** 26, onProgress } = given;
  const demand = (isMet: boolean, name: (typeof NAMES)[number], allowed: string) => {
    if (!isMet)
      throw new Error(`tfjs-convgrad: ${name} is ${shown(given[name])}, but it must be ${allowed}.`);
  };
  demand(typeof gradients === 'boolean', 'gradients', 'true or false');
  demand(loss === undefined || typeof loss === 'function', 'loss', "a function of the model's outputs");
  demand(loss === undefined || gradients, 'loss', 'given together with gradients: true');
  demand(Number.isInteger(seed), 'seed', 'a whole number');
  demand(maxElements > 0, 'maxElements', 'a number above 0');
  demand(maxBytes > 0, 'maxBytes', 'a number above 0');
  demand(
    onProgress === undefined || typeof onProgress === 'function',
    'onProgress',
    'a function of two numbers',
  );
  return { gradients, loss, seed, maxElements, maxBytes, onProgress };
}

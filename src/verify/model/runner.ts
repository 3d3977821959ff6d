/**
 * Runs a model of any kind, forward or forward and backward. It finds out what the model is by the shape of the object, because only
 * tfjs-core is imported.
 *
 *   layers     a tf.LayersModel: it has layers and predict
 *   graph      a tf.GraphModel: it has predict and executeAsync
 *   function   of tensors
 */
import { engine, keep, type Tensor, tidy, Variable } from '@tensorflow/tfjs-core';
import { shown } from '../../../kernels/known.js';
import { gradientsOf } from '../flat.js';
import { recorded, type Stage, type Watcher } from './record.js';

/** A function of tensors. It returns a tensor, a list of tensors, or an object of tensors, or a promise of one of these. */
export type ModelFunction = (...inputs: never[]) => unknown;

/** The part of a tf.LayersModel that a check uses. */
export interface LayersModelLike {
  layers: readonly { name: string; call: unknown }[];
  predict(...inputs: never[]): unknown;
  apply(...inputs: never[]): unknown;
  trainableWeights: readonly unknown[];
}

/** The part of a tf.GraphModel that a check uses. */
export interface GraphModelLike {
  predict(...inputs: never[]): unknown;
  executeAsync(...inputs: never[]): Promise<unknown>;
}

export type Model = ModelFunction | LayersModelLike | GraphModelLike;
export type ModelInputs = Tensor | readonly Tensor[] | Readonly<Record<string, Tensor>>;

/** The loss of a model's outputs: a tensor of one element. */
export type ModelLoss = (...outputs: Tensor[]) => Tensor;

export interface Runner {
  kind: 'layers' | 'graph' | 'function';
  /** The inputs in the order of the model's. */
  inputs: readonly Tensor[];
  inputNames: readonly string[];
  /** Runs the model, with these in place of its inputs. Whoever calls it owns the outputs. */
  forward(watch: Watcher, inputs?: readonly Tensor[]): Promise<Tensor[]>;
  /** Runs it forward and backward. The gradients of the loss in `xs`; null where there is none. */
  backward(watch: Watcher, loss: ModelLoss, xs: readonly Tensor[]): Promise<(Tensor | null)[]>;
  /** Runs it as `backward` does, and gives its outputs. */
  taped(watch: Watcher, loss: ModelLoss, xs: readonly Tensor[]): Promise<Tensor[]>;
  /** The trainable weights of a tf.LayersModel. */
  weights: readonly Variable[];
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null;
const isTensor = (value: unknown): value is Tensor =>
  isObject(value) && 'dataId' in value && 'shape' in value;

/**
 * @param isTrained the model is run backward, too. A tf.LayersModel is applied then: predict cuts large batches, and has no gradient.
 * @throws Error naming the argument, what it was and what is allowed
 */
export function runnerOf(model: Model, inputs: ModelInputs, isTrained: boolean): Runner {
  const kind = kindOf(model);
  const list = listOf(kind, inputs);
  const names = Array.isArray(inputs) || isTensor(inputs) ? undefined : Object.keys(inputs);
  const given = (tensors: readonly Tensor[]): unknown => {
    if (names) return Object.fromEntries(names.map((name, i) => [name, tensors[i]]));
    return tensors.length === 1 ? tensors[0] : [...tensors];
  };
  let isAsync = false;
  /** Calls the model as its kind is called. */
  const call = (tensors: readonly Tensor[]): unknown => {
    if (kind === 'function') return (model as (...inputs: Tensor[]) => unknown)(...tensors);
    if (kind === 'layers') {
      const { apply, predict } = model as unknown as Record<
        'apply' | 'predict',
        (inputs: unknown) => unknown
      >;
      return (isTrained ? apply : predict).call(model, given(tensors));
    }
    const graph = model as unknown as Record<'predict' | 'executeAsync', (inputs: unknown) => unknown>;
    if (isAsync) return graph.executeAsync(given(tensors));
    try {
      return graph.predict(given(tensors));
    } catch (error) {
      // tfjs says this before it runs anything, of a model with control flow or with results of unknown sizes.
      if (!(error instanceof Error && error.message.includes('executeAsync')) || isTrained) throw error;
      isAsync = true;
      return graph.executeAsync(given(tensors));
    }
  };

  const runner: Runner = {
    kind,
    inputs: list,
    inputNames: names ?? list.map((_, i) => `inputs[${i}]`),
    weights: kind === 'layers' ? variablesOf(model as LayersModelLike) : [],
    async forward(watch, tensors = list) {
      const stage: Stage = { phase: 'forward' };
      const run = (): unknown => {
        let pending: Promise<unknown> | undefined;
        const results = tidy(() => {
          const result = call(tensors);
          if (!isPromise(result)) return tensorsIn(result);
          pending = result;
          // Those that it has made so far must outlive the scope.
          return [...engine().state.activeScope.track];
        });
        return pending ?? results;
      };
      const result = await recorded(stage, watch, () => named(model, stage, run));
      return tensorsIn(result).map((t) => (tensors.includes(t) || t.kept ? t.clone() : t));
    },
    async backward(watch, loss, xs) {
      const stage: Stage = { phase: 'forward' };
      /** Of the calls before the backward pass: where the tensors with these ids come from. */
      const origins = new Map<number, Stage>();
      const see: Watcher = (seen) => {
        if (seen.phase !== 'backward') {
          for (const { id } of seen.outputs)
            origins.set(id, { phase: 'backward', layer: seen.layer, of: seen.index });
        }
        return watch(seen);
      };
      const value = () => {
        const result = call(list);
        if (isPromise(result)) {
          result.catch(() => {});
          fail(
            'model',
            'asynchronous',
            'synchronous if options.gradients is true: tfjs differentiates no other',
          );
        }
        const outputs = tensorsIn(result);
        Object.assign(stage, { phase: 'loss', layer: undefined });
        const y = loss(...outputs);
        if (!isTensor(y) || y.size !== 1) fail('options.loss', `a function that returns ${shown(y)}`, 'one that returns a tensor of one element'); // prettier-ignore
        markGradients(stage, origins);
        stage.phase = 'backward';
        return y;
      };
      const run = () => tidy(() => gradientsOf(value, xs) as Tensor[]) as (Tensor | null)[];
      return recorded(stage, see, () => named(model, stage, run));
    },
    async taped(watch, loss, xs) {
      let outputs: Tensor[] = [];
      const kept: ModelLoss = (...ys) => {
        outputs = ys.map((y) => keep(y.clone()));
        return loss(...ys);
      };
      try {
        (await runner.backward(watch, kept, xs)).forEach((t) => t?.dispose());
        return outputs;
      } catch (error) {
        outputs.forEach((t) => t.dispose());
        throw error;
      }
    },
  };
  return runner;
}

function fail(name: string, was: string, allowed: string): never {
  throw new Error(`tfjs-convgrad: ${name} is ${was}, but it must be ${allowed}.`);
}

function kindOf(model: unknown): Runner['kind'] {
  if (typeof model === 'function') return 'function';
  const has = (name: string) => isObject(model) && typeof model[name] === 'function';
  if (isObject(model) && Array.isArray(model.layers) && has('predict') && has('apply')) return 'layers';
  if (has('predict') && has('executeAsync')) return 'graph';
  return fail('model', shown(model), 'a tf.LayersModel, a tf.GraphModel or a function of tensors');
}

function listOf(kind: Runner['kind'], inputs: unknown): Tensor[] {
  const isList = isTensor(inputs) || Array.isArray(inputs);
  if (!isObject(inputs) || (!isList && kind !== 'graph')) {
    fail(
      'inputs',
      shown(inputs),
      `a tensor or a list of tensors${kind === 'graph' ? ', or an object of tensors' : ''}`,
    );
  }
  const list = isList ? [inputs].flat().map((t, i) => [`inputs[${i}]`, t]) : Object.entries(inputs).map(([name, t]) => [`inputs.${name}`, t]); // prettier-ignore
  for (const [name, t] of list as [string, unknown][]) {
    if (!isTensor(t)) fail(name, shown(t), 'a tensor');
    if (t.isDisposed) fail(name, 'a disposed tensor', 'a tensor');
  }
  return list.map(([, t]) => t as Tensor);
}

/** A LayerVariable holds its variable in `val`. */
function variablesOf({ trainableWeights }: LayersModelLike): Variable[] {
  const values = (trainableWeights ?? []).map((weight) => (weight as { val?: unknown }).val);
  return values.filter((value): value is Variable => value instanceof Variable);
}

const isPromise = (value: unknown): value is Promise<unknown> =>
  isObject(value) && typeof value.then === 'function';

/** @throws Error if a model returns something else than tensors */
function tensorsIn(result: unknown): Tensor[] {
  if (isTensor(result)) return [result];
  const list = isObject(result) ? Object.values(result) : [];
  if (list.length > 0 && list.every(isTensor)) return list;
  return fail(
    'model',
    `one that returns ${shown(result)}`,
    'one that returns a tensor, a list or an object of tensors',
  );
}

/** Runs `run`. Meanwhile the layers of a tf.LayersModel, also those of models in it, say when they are called. */
async function named<T>(model: unknown, stage: Stage, run: () => T | Promise<T>): Promise<T> {
  const layers = isObject(model) && Array.isArray(model.layers) ? layersIn(model.layers as Layer[]) : [];
  const undo = [...new Set(layers)].map((layer) => {
    const before = Object.getOwnPropertyDescriptor(layer, 'call');
    const { call } = layer;
    layer.call = (...args) => {
      const outer = stage.layer;
      stage.layer = layer.name;
      try {
        return call.apply(layer, args);
      } finally {
        stage.layer = outer;
      }
    };
    return () => {
      if (before) Object.defineProperty(layer, 'call', before);
      else delete (layer as Partial<Layer>).call;
    };
  });
  try {
    return await run();
  } finally {
    undo.forEach((put) => put());
  }
}

interface Layer {
  name: string;
  call(...args: unknown[]): unknown;
  layers?: Layer[];
}

function layersIn(layers: readonly Layer[]): Layer[] {
  return layers.flatMap((layer) => (Array.isArray(layer.layers) ? layersIn(layer.layers) : [layer]));
}

interface TapeNode {
  outputs: Tensor[];
  saved?: Tensor[];
  gradient?: (dys: Tensor[]) => Record<string, () => Tensor>;
}
const tape = () => engine().state.activeTape as unknown as TapeNode[] | null;

/** Has the gradient of every call on the tape say which call it belongs to. */
function markGradients(stage: Stage, origins: ReadonlyMap<number, Stage>): void {
  for (const node of tape() ?? []) {
    const { gradient } = node;
    const origin = node.outputs.map((t) => t && origins.get(t.id)).find(Boolean);
    if (!gradient || !origin) continue;
    const marked = <T>(f: () => T): T => {
      Object.assign(stage, origin);
      try {
        return f();
      } finally {
        Object.assign(stage, { layer: undefined, of: undefined });
      }
    };
    node.gradient = (dys) => {
      const grads = Object.entries(marked(() => gradient(dys)));
      return Object.fromEntries(grads.map(([name, grad]) => [name, () => marked(grad)]));
    };
  }
}

/**
 * The gradient of a model's loss: in its parameters by name, and as a whole along random directions.
 *
 *   <gradient, v> = d/dt loss(parameters + t v)   at t = 0
 *
 * The left side comes from the gradient. The right side comes from values of the loss alone: see differences.ts. The parameters are put
 * back as they were.
 */
import {
  add,
  customGrad,
  engine,
  keep,
  mul,
  sum,
  tensor,
  type Tensor,
  tidy,
  Variable,
} from '@tensorflow/tfjs-core';
import { approximationOf } from '../accuracy.js';
import { random, signed } from '../data.js';
import { noiseOf, type Outputs, slopes } from '../differences.js';
import { errorOf } from '../grad-report.js';
import type { ModelParameter, ModelSlope } from './model-report.js';
import type { ModelLoss, Runner } from './runner.js';

/** A trainable weight, or an input of the model. */
export interface Parameter {
  name: string;
  tensor: Tensor;
  /** The number of the input, if it is one. */
  input?: number;
}

/** Number of random directions in all parameters. There are more if few of them can be told, as along kinks. */
const DIRECTIONS = 4;
const MOST_DIRECTIONS = 12;
/** So many directions that agree are enough: each shows the whole gradient. */
export const ENOUGH = 2;
/**
 * A bound above this share of the slope cannot tell right from wrong, unless the disagreement is CLEARLY more than the bound. It shows
 * gradients that are missing, or in the wrong place: what kernels compute is proven one by one.
 */
const RESOLUTION = 1 / 32;
const CLEARLY = 4;
/** A gradient that is so many times smaller or larger than the median of all is named. */
const FAR = 2 ** 20;

/** A tf.LayersModel's trainable weights; else the trainable variables that the model reads; else its inputs. */
export async function parametersOf(runner: Runner): Promise<Parameter[]> {
  const found = new Set<Variable>(runner.weights);
  if (found.size === 0) {
    const outputs = await runner.forward(({ inputs }) => {
      for (const [, t] of inputs) if (t instanceof Variable && t.trainable) found.add(t);
    });
    outputs.forEach((t) => t.dispose());
  }
  const variables = [...found].map((variable) => ({ name: variable.name, tensor: variable }));
  if (variables.length > 0) return variables;
  const inputs = runner.inputs.map((t, input) => ({ name: runner.inputNames[input], tensor: t, input }));
  const floats = inputs.filter(({ tensor }) => tensor.dtype === 'float32');
  if (floats.length > 0) return floats;
  throw new Error(
    `tfjs-convgrad: model is one without trainable weights, and inputs are of dtype ${inputs.map(({ tensor }) => tensor.dtype)}, but with gradients something must be float32.`,
  );
}

/** The inner product of the float32 outputs with random numbers. tfjs-core alone has no gradients, so it brings its own. */
export function innerProduct(seed: number): ModelLoss {
  return (...outputs) => {
    const floats = outputs.filter(({ dtype }) => dtype === 'float32');
    const product = customGrad((...args) => {
      const ys = args.slice(0, -1) as Tensor[]; // the last argument is the function that saves
      const cotangents = cotangentsOf(ys, seed).map((c, k) => tensor(c, ys[k].shape));
      const terms = ys.map((y, k) => sum(mul(y, cotangents[k])));
      const value = terms.reduce((a, b) => add(a, b));
      return {
        value,
        gradFunc: (dy: Tensor) => cotangentsOf(ys, seed).map((c, k) => mul(dy, tensor(c, ys[k].shape))),
      };
    });
    return product(...floats);
  };
}

const cotangentsOf = (outputs: readonly Tensor[], seed: number) => outputs.map(({ size }, k) => Float32Array.from(signed(size, seed + k))); // prettier-ignore

/** @param pause awaited before each run of the model. If it throws, so does this. */
export async function checkParameters(
  runner: Runner,
  loss: ModelLoss,
  parameters: readonly Parameter[],
  { seed, pause }: { seed: number; pause: () => unknown },
): Promise<{ parameters: ModelParameter[]; slopes: ModelSlope[] }> {
  const kernels: string[] = [];
  const tensors = parameters.map(({ tensor }) => tensor);
  const gradients = await read(await runner.backward(({ kernel }) => void kernels.push(kernel), loss, tensors), tensors); // prettier-ignore
  const approximation = await approximationOf(kernels);
  const values = await Promise.all(tensors.map(async (t) => Float64Array.from(await t.data())));
  const next = random(seed);
  const originals = tensors.map(sharing);
  const found: ModelSlope[] = [];
  try {
    const agreeing = () => found.filter(({ state }) => state === 'agrees').length;
    while (found.length < DIRECTIONS || (found.length < MOST_DIRECTIONS && agreeing() < ENOUGH)) {
      const direction = values.map((value, p) => directionOf(value, gradients[p], next));
      const f = lossAlong(runner, loss, parameters, values, direction, pause);
      let got = 0;
      gradients.forEach((gradient, p) => gradient.forEach((g, i) => (got += g * direction[p][i])));
      found.push(await slopeOf(f, got, approximation, next));
    }
  } finally {
    parameters.forEach(({ tensor }, p) => tensor instanceof Variable && tensor.assign(originals[p]));
    originals.forEach((t) => t.dispose());
  }
  return { parameters: named(parameters, gradients), slopes: found };
}

/** A tensor of the same data. A clone would be a copy on wasm, and the weight would be that copy afterwards. */
function sharing({ dataId, shape, dtype }: Tensor): Tensor {
  engine().backend.incRef(dataId);
  return keep(engine().makeTensorFromDataId(dataId, shape, dtype));
}

/** The values of the gradients, which are disposed of. Where there is none it is 0. */
async function read(gradients: readonly (Tensor | null)[], of: readonly Tensor[]): Promise<Float64Array[]> {
  try {
    return await Promise.all(
      gradients.map(async (t, p) => (t ? Float64Array.from(await t.data()) : new Float64Array(of[p].size))),
    );
  } finally {
    gradients.forEach((t) => t?.dispose());
  }
}

/**
 * Each element of v has the typical size of the parameter's values. Three of four have the sign of the gradient, so that the slope stands
 * out from rounding errors and kinks, which do not depend on the signs.
 */
function directionOf(values: Float64Array, gradient: Float64Array, next: () => number): Float64Array {
  const typical = rms(values) || 1;
  return values.map((_, i) => {
    const isUp = gradient[i] === 0 ? next() < 0.5 : gradient[i] > 0 === next() < 0.75;
    return isUp ? typical : -typical;
  });
}

/** [t] -> [loss(parameters + t v)] */
function lossAlong(
  runner: Runner,
  loss: ModelLoss,
  parameters: readonly Parameter[],
  values: readonly Float64Array[],
  direction: readonly Float64Array[],
  pause: () => unknown,
): Outputs {
  return async ([t]) => {
    await pause();
    const inputs = [...runner.inputs];
    const moved = parameters.map(({ tensor: { shape } }, p) => tensor(Float32Array.from(values[p], (value, i) => value + t * direction[p][i]), shape)); // prettier-ignore
    let outputs: Tensor[] = [];
    try {
      parameters.forEach(({ tensor, input }, p) => {
        if (input === undefined) (tensor as Variable).assign(moved[p]);
        else inputs[input] = moved[p];
      });
      outputs = await runner.forward(() => {}, inputs);
      const value = tidy(() => loss(...outputs));
      outputs.push(value);
      return Float64Array.from(await value.data());
    } finally {
      [...moved, ...outputs].forEach((t) => t.dispose());
    }
  };
}

async function slopeOf(
  f: Outputs,
  got: number,
  approximation: number,
  next: () => number,
): Promise<ModelSlope> {
  const [x, v] = [Float64Array.of(0), Float64Array.of(1)];
  const center = await f(x);
  const noise = await noiseOf(inTurn(f), x, v, next);
  const measure = async (careful: boolean) =>
    (await slopes(inTurn(f), x, center, v, noise, approximation, careful))[0];
  let slope = await measure(false);
  const isOff = () => errorOf({ got, want: slope.value, bound: slope.bound }) > 1;
  if (slope.kink || isOff()) slope = await measure(true);
  const { value: want, bound, kink } = slope;
  const isFine = bound <= RESOLUTION * Math.max(Math.abs(want), Math.abs(got));
  const error = errorOf({ got, want, bound });
  const state = kink ? 'unsure' : error > (isFine ? 1 : CLEARLY) ? 'wrong' : isFine ? 'agrees' : 'unsure';
  return { got, want, bound, state };
}

/** Weights can be moved to one place at a time, so the calls wait for each other. After one that throws, none is made. */
function inTurn(f: Outputs): Outputs {
  let last: Promise<unknown> = Promise.resolve();
  return (x) => {
    const next = last.then(() => f(x));
    last = next;
    return next;
  };
}

function named(parameters: readonly Parameter[], gradients: readonly Float64Array[]): ModelParameter[] {
  const sizes = gradients.map(rms);
  const alive = sizes.filter((size) => size > 0 && size < Infinity).sort((a, b) => a - b);
  const median = alive[alive.length >> 1] ?? 0;
  return parameters.map(({ name, tensor: { shape } }, p) => {
    const state = stateOf(sizes[p], median);
    return { name, shape, norm: sizes[p] * Math.sqrt(gradients[p].length), ...(state && { state }) };
  });
}

function stateOf(size: number, median: number): ModelParameter['state'] {
  if (size === 0) return 'zero';
  if (!(size < Infinity) || size > FAR * median) return 'explodes';
  return size * FAR < median ? 'vanishes' : undefined;
}

function rms(values: Float64Array): number {
  let squares = 0;
  for (const value of values) squares += value * value;
  return Math.sqrt(squares / (values.length || 1));
}

/**
 * Turns a function of tensors into a function of arrays. All float32 inputs are in one array, and all float32 outputs
 * in another, so that a check does not need to know their shapes. It reads tensors asynchronously, and leaves no tensor
 * behind.
 */
import { engine, tensor, type Tensor, tidy, util } from '@tensorflow/tfjs-core';
import { readOptions } from '../../kernels/known.js';
import { withAdvice } from './advice.js';

/** A function from tensors to a tensor or a list of tensors. Outputs that are not float32 have no gradient. */
export type Differentiable = (...inputs: never[]) => Tensor | Tensor[];

export interface Flat {
  /** The values of the float32 inputs, one input after the other. */
  x: Float64Array;
  inputs: Part[];
  outputs: Part[];
  /** The outputs at x. */
  f(x: Float64Array): Promise<Float64Array>;
  /** The gradient at x of <outputs, cotangent>, as tfjs computes it. */
  gradient(x: Float64Array, cotangent: Float64Array): Promise<Float64Array>;
}

/** The part of the array that belongs to one tensor. */
export interface Part {
  /** The tensor's place in the list of inputs or outputs. */
  number: number;
  shape: number[];
  start: number;
  end: number;
}

/**
 * @throws Error if an input is no tensor, if no input is float32, if a value is not finite, or if f returns something
 *   else than tensors, or no float32 values
 */
export async function flatten(f: Differentiable, inputs: readonly Tensor[]): Promise<Flat> {
  check(inputs);
  const inputParts = partsOf(inputs);
  const originals = await Promise.all(inputParts.map((part) => inputs[part.number].data()));
  const x = new Float64Array(sizeOf(inputParts));
  inputParts.forEach((part, i) => x.set(originals[i] as Float32Array, part.start));
  inputParts.forEach(({ number, start, end }) => {
    const broken = x.subarray(start, end).find((value) => !Number.isFinite(value));
    if (broken !== undefined) {
      throw new Error(`tfjs-convgrad: inputs[${number}] holds ${broken}, but all its values must be finite.`);
    }
  });

  /** The inputs with new values. Inputs that are not float32 stay as they are. */
  const withValues = (values: Float64Array) => {
    const made = [...inputs];
    for (const part of inputParts) made[part.number] = toTensor(values, part);
    return made;
  };
  let kinds: string | undefined;
  /** Calls f. Its outputs must have the same number, dtypes and shapes in each call. */
  const call = (made: Tensor[]) => {
    const results = listOf('f', f(...(made as never[])));
    const now = results.map(({ dtype, shape }) => `${dtype} [${shape}]`).join(', ');
    kinds ??= now;
    if (now === kinds) return results;
    throw new Error(`tfjs-convgrad: f gives ${now}, but gave ${kinds} before: its outputs must be the same in number, dtype and shape in every call.`); // prettier-ignore
  };
  const results = tidy(() => call(withValues(x)).map((y) => y.clone()));
  results.forEach((y) => y.dispose());
  const outputs = partsOf(results);
  const size = sizeOf(outputs);
  if (size === 0)
    throw new Error(
      'tfjs-convgrad: f gives no float32 values, but it must give at least one: there is nothing to check.',
    );

  return {
    x,
    inputs: inputParts,
    outputs,
    f(at) {
      const results: Tensor[] = tidy(() => {
        const results = call(withValues(at));
        return outputs.map(({ number }) => results[number].clone());
      });
      return read(results, outputs, size);
    },
    async gradient(at, cotangent) {
      const sum = new Float64Array(x.length);
      for (const part of outputs) {
        if (cotangent.subarray(part.start, part.end).every((c) => c === 0)) continue;
        const grads = tidy(() => {
          const made = withValues(at);
          const wanted = inputParts.map(({ number }) => made[number]);
          const dy = toTensor(cotangent, part);
          const y = () => call(made)[part.number];
          // If the output does not depend on an input, tfjs gives no gradient for it. It is 0.
          const grads = gradientsOf(y, wanted, dy);
          return grads.map((grad) => grad?.clone() ?? null) as Tensor[];
        }) as (Tensor | null)[];
        const present = inputParts.filter((_, i) => grads[i] !== null);
        const values = await read(
          grads.filter((grad) => grad !== null),
          present,
          x.length,
        );
        values.forEach((value, i) => (sum[i] += value));
      }
      return sum;
    },
  };
}

/**
 * The options of a check, with the defaults that all checks share.
 * @throws Error if f is no function, options is no object, an option is not one of `names`, seed is no whole number, or exact is not
 *   boolean
 */
export function checkOptions<Options extends { seed?: number; exact?: boolean }>(
  where: string,
  f: unknown,
  options: Options,
  names: readonly (keyof Options & string)[],
) {
  demand(typeof f === 'function', 'f', f, 'a function');
  const given = { seed: 1, exact: false, ...readOptions(where, options, names) };
  demand(Number.isInteger(given.seed), 'seed', given.seed, 'a whole number');
  demand(typeof given.exact === 'boolean', 'exact', given.exact, 'true or false');
  return given;
}

/** @throws Error naming the argument, its value and the allowed values, unless isMet */
export function demand(isMet: boolean, name: string, value: unknown, allowed: string): void {
  if (!isMet) throw new Error(`tfjs-convgrad: ${name} is ${shown(value)}, but it must be ${allowed}.`);
}

function check(inputs: readonly Tensor[]): void {
  const isList = Array.isArray(inputs) && inputs.length > 0;
  demand(isList, 'inputs', inputs, "a list of tensors, f's arguments");
  inputs.forEach((input, i) => {
    demand(isTensor(input) && !input.isDisposed, `inputs[${i}]`, input, "a tensor, one of f's arguments");
  });
  if (inputs.every(({ dtype, size }) => dtype !== 'float32' || size === 0)) {
    throw new Error(
      `tfjs-convgrad: inputs are of dtype ${inputs.map(({ dtype }) => dtype)} and shape ` +
        `${inputs.map(({ shape }) => `[${shape}]`)}, but at least one must be float32 and have elements.`,
    );
  }
}

export function listOf(name: string, result: Tensor | Tensor[]): Tensor[] {
  const list = Array.isArray(result) ? result : [result];
  if (list.every(isTensor)) return list;
  throw new Error(
    `tfjs-convgrad: ${name} gives ${shown(result)}, but it must give a tensor or a list of tensors.`,
  );
}

function shown(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(shown)}]`;
  if (isTensor(value)) return value.isDisposed ? 'a disposed tensor' : 'a tensor';
  return String(value);
}

function isTensor(value: unknown): value is Tensor {
  return typeof value === 'object' && value !== null && 'dataId' in value && 'shape' in value;
}

/** The place of each float32 tensor in one array of all of them. Tensors without elements have none. */
function partsOf(tensors: readonly Tensor[]): Part[] {
  const parts: Part[] = [];
  tensors.forEach(({ dtype, shape }, number) => {
    const start = sizeOf(parts);
    const size = util.sizeFromShape(shape);
    if (dtype === 'float32' && size > 0) parts.push({ number, shape, start, end: start + size });
  });
  return parts;
}

/**
 * The gradients, as tfjs computes them. After an error tfjs would keep the tensors that it saved for gradients; this
 * function disposes of them.
 */
export function gradientsOf(y: () => Tensor, xs: readonly Tensor[], dy?: Tensor): (Tensor | null)[] {
  try {
    return engine().gradients(y, [...xs], dy, true).grads;
  } catch (error) {
    engine().state.activeTape?.forEach(({ saved }) => saved?.forEach((t) => t.dispose()));
    throw withAdvice(error);
  }
}

export function sizeOf(parts: readonly Part[]): number {
  return parts.length === 0 ? 0 : parts[parts.length - 1].end;
}

function toTensor(values: Float64Array, { start, end, shape }: Part): Tensor {
  return tensor(Float32Array.from(values.subarray(start, end)), shape, 'float32');
}

async function read(tensors: Tensor[], parts: Part[], size: number): Promise<Float64Array> {
  const result = new Float64Array(size);
  try {
    const values = await Promise.all(tensors.map((t) => t.data()));
    parts.forEach((part, i) => result.set(values[i] as Float32Array, part.start));
  } finally {
    tensors.forEach((t) => t.dispose());
  }
  return result;
}

/** For each element: the power of two nearest to its size, or to its input's typical size if that is larger. */
export function sizesOf({ x, inputs }: Flat): Float64Array {
  const sizes = new Float64Array(x.length);
  for (const { start, end } of inputs) {
    const square = x.subarray(start, end).reduce((sum, value) => sum + value * value, 0);
    const typical = Math.sqrt(square / (end - start)) || 1;
    for (let i = start; i < end; i++) {
      sizes[i] = 2 ** Math.round(Math.log2(Math.max(Math.abs(x[i]), typical)));
    }
  }
  return sizes;
}

/** @throws Error if an input holds a number that is not whole */
export function checkWhole({ x }: Flat): void {
  const broken = x.find((value) => !Number.isInteger(value));
  if (broken === undefined) return;
  throw new Error(`tfjs-convgrad: inputs hold ${broken}, but with exact they must be whole numbers.`);
}

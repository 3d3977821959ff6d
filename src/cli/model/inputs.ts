/** The inputs with which a model is checked: random numbers of the shapes that the model or the user says. */
import { cast, type Tensor, tensor, tidy } from '@tensorflow/tfjs-core';
import { floats, integers } from '../../verify/data.js';
import type { Model } from '../../verify/model/runner.js';
import type { Loaded, RunTask } from './run.js';
import type { Shapes } from './shapes.js';

export type Inputs = Tensor[] | Record<string, Tensor>;

/** An input as a tf.LayersModel and a tf.GraphModel describe it. Sizes that are not fixed are null or -1. */
interface Description {
  name: string;
  shape?: readonly (number | null)[];
  dtype?: string;
}

/** A tf.LayersModel that is loaded again gives its inputs other names, but its input layers keep theirs. */
function described(model: Model): Description[] {
  const { inputs = [], inputNames = [] } = model as { inputs?: readonly Description[]; inputNames?: readonly string[] }; // prettier-ignore
  return inputs.map(({ name, shape, dtype }, i) => ({ name: inputNames[i] ?? name, shape, dtype }));
}

export function namesOf(model: Model, inputs: Inputs): string[] {
  if (!Array.isArray(inputs)) return Object.keys(inputs);
  return inputs.map((_, i) => described(model)[i]?.name ?? `input ${i}`);
}

export function inputsOf({ model, inputs }: Loaded, { shapes, seed }: RunTask): Inputs {
  const isShaped = shapes.inOrder.length + Object.keys(shapes.byName).length > 0;
  if (inputs) {
    if (isShaped) throw new Error('--shape is given, but the module exports inputs, which have shapes: leave one of the two out.'); // prettier-ignore
    return inputs();
  }
  const wanted = described(model);
  if (wanted.length === 0 && shapes.inOrder.length === 0)
    throw new Error('The model does not say what its inputs are: give their shapes in order, such as --shape 1x224x224x3, or let the module export inputs().'); // prettier-ignore
  const descriptions = wanted.length > 0 ? wanted : shapes.inOrder.map((_, i): Description => ({ name: `input ${i}` })); // prettier-ignore
  const open = openInput(model, shapes);
  if (open) throw new Error(`${open.words}: give one, such as --shape ${open.example}.`);
  const all = descriptions.map((description, i) => ({ description, shape: shapeOf(description, i, shapes) }));
  return tidy(() => all.map(({ description, shape }, i) => drawnInput(description, shape, seed + i)));
}

function checkShapes({ inOrder, byName }: Shapes, names: readonly string[]): void {
  const unknown = Object.keys(byName).find((name) => !names.includes(name));
  if (unknown !== undefined)
    throw new Error(`A shape is given for the input ${unknown}, but the inputs are ${names.join(', ')}.`);
  if (names.length > 0 && inOrder.length > names.length)
    throw new Error(`${inOrder.length} shapes are given, but the model has ${names.length} inputs: ${names.join(', ')}.`); // prettier-ignore
}

/** The sizes that the model demands; null: it takes any. undefined: it demands nothing, not even how many there are. */
const sizesOf = ({ shape }: Description) => shape?.map((size) => (size === null || size < 0 ? null : size));
/** A batch has one element, unless the model says otherwise. */
const withBatch = (sizes: (number | null)[] | undefined) =>
  sizes?.map((size, k) => (k === 0 ? (size ?? 1) : size));
const inWords = (sizes: (number | null)[]) => sizes.map((size) => size ?? '?').join('x');

/**
 * The first input whose shape is neither given nor the model's, and a shape that it could have; undefined if there is none.
 * @throws Error if a shape is given for an input that there is not
 */
export function openInput(model: Model, shapes: Shapes): { words: string; example: string } | undefined {
  const { inOrder, byName } = shapes;
  checkShapes(shapes, described(model).map(({ name }) => name)); // prettier-ignore
  for (const [i, description] of described(model).entries()) {
    const { name } = description;
    const sizes = sizesOf(description);
    const own = withBatch(sizes);
    if (byName[name] ?? inOrder[i] ?? own?.every((size) => size !== null)) continue;
    const example = (own ?? [1, null, null, 3]).map((size) => size ?? 64).join('x');
    return {
      words: `The model takes ${name} in any size${sizes ? ` of ${inWords(sizes)}` : ''}`,
      example: `${name}=${example}`,
    };
  }
  return undefined;
}

/** The shape that was given, or the model's own. */
function shapeOf(description: Description, i: number, { inOrder, byName }: Shapes): number[] {
  const { name } = description;
  const sizes = sizesOf(description);
  const given = byName[name] ?? inOrder[i];
  if (!given) return withBatch(sizes) as number[];
  const fits =
    !sizes || (sizes.length === given.length && sizes.every((size, k) => size === null || size === given[k]));
  if (!fits)
    throw new Error(`The shape of ${name} is given as ${inWords(given)}, but the model wants ${inWords(sizes)}.`); // prettier-ignore
  return given;
}

/** Random numbers in [-1, 1), or whole numbers 0 and 1. */
function drawnInput({ dtype = 'float32' }: Description, shape: number[], seed: number): Tensor {
  const size = shape.reduce((product, n) => product * n, 1);
  if (dtype === 'float32') return tensor(Float32Array.from(floats(size, seed)), shape, dtype);
  if (dtype === 'int32' || dtype === 'bool')
    return cast(tensor(Int32Array.from(integers(size, seed, 1), Math.abs), shape, 'int32'), dtype);
  throw new Error(`An input of dtype ${dtype} cannot be drawn at random: let a module export the model and inputs().`); // prettier-ignore
}

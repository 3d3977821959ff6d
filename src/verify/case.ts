/**
 * Completes the case of a kernel. What its author leaves out gets a default:
 *
 *   caseName   the shapes of the inputs
 *   attrs      none
 *   output     0
 *   outShape   the shape of the first input
 *   exact      false
 *   terms      TERMS
 *   magnitude  see derivedMagnitude
 *
 * What cannot be right is refused: fields, names of inputs, arrays of another length.
 */
import { util } from '@tensorflow/tfjs-core';
import { checkKnown, nearestOf, shown } from '../../kernels/known.js';
import { absolute, type KernelCase, type Values } from '../../kernels/proof.js';
import { demand } from './flat.js';

/** A case as its author gives it. */
export interface GivenCase extends Partial<KernelCase> {
  /** The name under which the kernel is registered. */
  kernelName?: string;
  /** Input name -> shape. */
  inputs: KernelCase['inputs'];
  /** The kernel in float64. It returns the elements of the result, flat and row-major. */
  definition?(inputs: Values): Float64Array;
  /** Why tfjs's own kernel of this name gives another result. */
  tfjsDiffers?: string;
  /** The same for one backend that differs from the others. null means that tfjs agrees there. */
  tfjsDiffersOn?: { [backendName: string]: string | null | undefined };
}

export interface CompleteCase extends KernelCase, Pick<GivenCase, 'kernelName' | 'definition'> {
  /** Whose case it is, for messages. */
  where?: string;
  /** Fields that the author has left out. */
  leftOut?: readonly string[];
}

/** Default of `terms`: the rounding errors of a pointwise kernel, at most, in units of 2^-24 of its result. */
const TERMS = 4;

const isObject = (value: unknown) => typeof value === 'object' && value !== null && !Array.isArray(value);
const isFunction = (value: unknown) => typeof value === 'function';
const isText = (value: unknown) => typeof value === 'string' && value !== '';
const isSize = (value: unknown) => Number.isInteger(value) && (value as number) >= 0;
const isShape = (value: unknown) => Array.isArray(value) && value.every(isSize);
const SHAPE = 'a shape, such as [2, 3]';

/** Field -> what is allowed. */
const FIELDS: Record<keyof GivenCase, [isAllowed: (value: unknown) => boolean, allowed: string]> = {
  kernelName: [isText, "a kernel's name"],
  caseName: [isText, 'a text'],
  inputs: [(value) => isObject(value) && Object.keys(value as object).length > 0, "an object with each input's shape, such as { x: [2, 3] }"], // prettier-ignore
  definition: [isFunction, 'a function of the inputs'],
  attrs: [isObject, 'an object'],
  output: [isSize, 'a whole number from 0'],
  outShape: [isShape, SHAPE],
  exact: [(value) => typeof value === 'boolean', 'true or false'],
  terms: [(value) => Number.isFinite(value) && (value as number) >= 0, 'a finite number from 0'],
  magnitude: [isFunction, 'a function of the inputs'],
  loss: [isLoss, 'an object with start, value, step and linear'],
  untied: [isText, "an input's name"],
  tfjsDiffers: [isText, 'a text'],
  tfjsDiffersOn: [isObject, 'an object with a text, or null, for a backend'],
};

function isLoss(value: unknown): boolean {
  const { start, value: of, step, linear } = { ...(value as NonNullable<KernelCase['loss']>) };
  return isFunction(start) && isFunction(of) && step > 0 && typeof linear === 'boolean';
}

/**
 * @param where whose case it is, for messages
 * @param required fields that it must have
 * @throws Error if a field is missing, or not what it must be
 */
export function completeCase(
  given: GivenCase,
  where: string,
  required: readonly (keyof GivenCase)[],
): CompleteCase {
  check(given, where, required);
  const { inputs, definition, magnitude } = given;
  const shapes = Object.values(inputs);
  const fields = Object.entries(given).filter(([, value]) => value !== undefined);
  const complete: CompleteCase = {
    caseName: shapes.map((shape) => shape.join('x')).join(', '),
    attrs: {},
    output: 0,
    outShape: shapes[0],
    exact: false,
    terms: TERMS,
    ...(Object.fromEntries(fields) as GivenCase),
    where,
    leftOut: Object.keys(FIELDS).filter((field) => given[field as keyof GivenCase] === undefined),
    magnitude: (values) =>
      magnitude
        ? magnitudeOf(magnitude.bind(given), values, complete)
        : derivedMagnitude(definition!.bind(given), values, complete),
  };
  return complete;
}

function check(given: GivenCase, where: string, required: readonly (keyof GivenCase)[]): void {
  const all = `${required.slice(0, -1).join(', ')} and ${required[required.length - 1]}`;
  demand(isObject(given), where, shown(given), `an object with ${all}`);
  for (const field of required) {
    if (given[field] === undefined)
      throw new Error(`tfjs-convgrad: ${where} has no ${field}, but a case must have ${all}.`);
  }
  for (const [name, value] of Object.entries(given)) {
    if (value === undefined) continue;
    checkKnown(`${where} has the field`, name, Object.keys(FIELDS));
    const [isAllowed, allowed] = FIELDS[name as keyof GivenCase];
    demand(isAllowed(value), `${name} of ${where}`, shown(value), allowed);
  }
  const { inputs, untied } = given;
  for (const [name, shape] of Object.entries(inputs))
    demand(isShape(shape), `inputs.${name} of ${where}`, shown(shape), SHAPE);
  if (untied !== undefined) checkKnown(`untied of ${where} is`, untied, Object.keys(inputs));
}

/** Runs a case's definition, and checks what it gives. */
export function runDefinition(
  definition: (inputs: Values) => Float64Array,
  values: Values,
  c: CompleteCase,
): Float64Array {
  const who = `definition of ${whose(c)}`;
  return elementsOf(
    who,
    withKnownNames(who, values, (inputs) => definition(inputs)),
    c,
  );
}

function magnitudeOf(magnitude: (inputs: Values) => unknown, values: Values, c: CompleteCase): Float64Array {
  const who = `magnitude of ${whose(c)}`;
  const elements = elementsOf(
    who,
    withKnownNames(who, values, (inputs) => magnitude(inputs)),
    c,
  );
  elements.forEach((value, i) => {
    if (!(value >= 0 && value < Infinity))
      throw new Error(
        `tfjs-convgrad: ${who} gives ${value} for element [${placeOf(i, c.outShape)}], but it must give finite numbers from 0.`,
      );
  });
  return elements;
}

/**
 * The magnitudes of the terms, summed: the definition on the absolute values of the inputs, if the definition is linear in each input by
 * itself. If it is not, or if its own coefficients are negative, it has no terms that are known, and the magnitude is that of the result.
 */
function derivedMagnitude(
  definition: (inputs: Values) => Float64Array,
  values: Values,
  c: CompleteCase,
): Float64Array {
  const run = (inputs: Values) => runDefinition(definition, inputs, c);
  const result = run(values);
  const ofResult = result.map(Math.abs);
  const isLinear = Object.keys(values).every((name) => {
    const twice = run({ ...values, [name]: values[name].map((value) => 2 * value) });
    return twice.every((value, i) => value === 2 * result[i]);
  });
  if (!isLinear) return ofResult;
  const ofTerms = run(absolute(values));
  return ofTerms.every((sum, i) => sum >= ofResult[i] && sum < Infinity) ? ofTerms : ofResult;
}

const FLAT = 'the elements of the result, flat and row-major';

/** @throws Error if the result is no array of numbers, or of another length than the case's result */
function elementsOf(who: string, result: unknown, c: CompleteCase): Float64Array {
  const isArray = Array.isArray(result) || (ArrayBuffer.isView(result) && 'length' in result);
  if (!isArray)
    throw new Error(
      `tfjs-convgrad: ${who} gives ${shown(result)}, but it must give a Float64Array: ${FLAT}.`,
    );
  const elements = result instanceof Float64Array ? result : Array.from(result as ArrayLike<unknown>);
  const other = (elements as unknown[]).find((value) => typeof value !== 'number');
  if (other !== undefined)
    throw new Error(
      `tfjs-convgrad: ${who} gives an array that holds ${shown(other)}, but it must hold numbers: ${FLAT}.`,
    );
  const size = util.sizeFromShape([...c.outShape]);
  if (elements.length !== size)
    throw new Error(
      `tfjs-convgrad: ${who} gives ${elements.length} elements, but outShape [${c.outShape}] has ${size}.${onOutShape(c)}`,
    );
  return elements instanceof Float64Array ? elements : Float64Array.from(elements as number[]);
}

/** What to say where a result has another shape than the case. */
export function onOutShape({ inputs, leftOut }: CompleteCase): string {
  return leftOut?.includes('outShape')
    ? ` outShape was not given, so it is the shape of the first input, ${Object.keys(inputs)[0]}: give the shape of the result as outShape.`
    : '';
}

/** What to say where a result is above a bound that was made of defaults. */
export function onBound({ leftOut = [], terms }: CompleteCase): string | undefined {
  const advice = [
    leftOut.includes('magnitude') &&
      'magnitude was not given: if the terms of a sum cancel, give the case a function of the inputs that returns, for each element of the result, the sum of the absolute values of its terms.',
    leftOut.includes('terms') &&
      `terms was not given, so it is ${terms}: if an element sums more products or rounds more often, give their number.`,
  ].filter(Boolean);
  return advice.length > 0 ? advice.join(' ') : undefined;
}

const whose = ({ where, caseName }: CompleteCase) => where ?? caseName;

/** The element's coordinates. */
export function placeOf(index: number, shape: readonly number[]): number[] {
  return util.indexToLoc(index, shape.length, util.computeStrides([...shape]));
}

/**
 * Runs f on the inputs, and sees which of them it reads. A function may ask for an input that is optional. But if its name is like that of
 * an input that is not read, or if f then fails on what is not there, a name is misspelt.
 * @param who whose function it is, for messages
 */
export function withKnownNames<Input, Result>(
  who: string,
  inputs: Record<string, Input>,
  f: (inputs: Record<string, Input>) => Result,
): Result {
  const read = new Set<string>();
  const missing = new Set<string>();
  const watched = new Proxy(inputs, {
    get(target, name) {
      if (typeof name === 'string') (name in target ? read : missing).add(name);
      return Reflect.get(target, name) as unknown;
    },
  });
  const names = Object.keys(inputs);
  const fail = (asked: string, hint: string) =>
    new Error(
      `tfjs-convgrad: ${who} asks for the input '${asked}', but the case has only these: ${names.join(', ')}.${hint}`,
    );
  const checkNames = () => {
    const unread = names.filter((name) => !read.has(name));
    for (const asked of missing) {
      const near = nearestOf(asked, unread);
      if (near) throw fail(asked, ` One of '${asked}' and '${near}' is misspelt.`);
    }
  };
  try {
    const result = f(watched);
    checkNames();
    return result;
  } catch (error) {
    checkNames();
    const [asked] = missing;
    if (asked !== undefined && error instanceof TypeError) throw fail(asked, ` It throws: ${error.message}`);
    throw error;
  }
}

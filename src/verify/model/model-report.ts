/** The result of checkModel, as fields, as JSON and as text. */
import { writeNumber } from '../../cli/numbers.js';
import { digits, short, type Verdict } from '../grad-report.js';
import type { WorstElement } from './compare.js';
import { ENOUGH } from './parameters.js';
import type { Phase } from './record.js';

/** A kernel call of the model, and whether it is right. */
export interface ModelOp {
  /** Its place in the sequence of the model's kernel calls, from 0. */
  index: number;
  kernel: string;
  /** Name of the layer that ran it, in a tf.LayersModel. In the backward pass: whose gradient it belongs to. */
  layer?: string;
  phase: Phase;
  /** In the backward pass: index of the forward call whose gradient it belongs to. */
  of?: number;
  /** Shapes of the inputs by name. */
  inputs: Record<string, readonly number[]>;
  /** Shapes of the outputs. */
  outputs: readonly (readonly number[])[];
  /**
   * 'right': proven by its float64 definition.
   * 'compared': it agrees with the cpu backend, which may have the same fault.
   * 'wrong': it disagrees with one of them by more than the bound.
   * 'not judged': `reason` says why.
   */
  state: 'right' | 'compared' | 'wrong' | 'not judged';
  /** What it was judged by. */
  by?: 'definition' | 'cpu';
  /** The largest error in units of its bound. At most 1 is right. */
  error?: number;
  /** The element with the largest error; absent if there is no error. */
  worst?: WorstElement;
  /** Why it was not judged, or what explains the error. */
  reason?: string;
  /** Number of elements that were compared, if it was a sample of them. */
  sampled?: number;
  /** Milliseconds of the call. On a GPU it is the time until its work is queued, not until it is done. */
  milliseconds: number;
}

/** The first op that makes NaN or Infinity of finite inputs. */
export interface FirstNonFinite {
  index: number;
  kernel: string;
  layer?: string;
  /** How many of the output's elements are not finite. */
  count: number;
  /** Some of them. */
  elements: { output: number; index: readonly number[]; value: number }[];
}

/** How far an output of the model is off, as far as the ops with the largest errors show it. */
export interface ModelOutput {
  shape: readonly number[];
  /** The largest magnitude of the output. */
  largest: number;
  /** The largest change when the ops of `contributions` give the right values. */
  off: number;
}

/** What an op's error does to the model's outputs. */
export interface Contribution {
  index: number;
  kernel: string;
  layer?: string;
  /** The largest change of an output when the op gives the right values, in units of the largest value of that output. */
  off: number;
}

/** A parameter of the model, and its gradient. */
export interface ModelParameter {
  name: string;
  shape: readonly number[];
  /** The root of the sum of the squares of its gradient. */
  norm: number;
  /** Unless the gradient is as one expects it: it is 0, or far smaller or larger than those of other parameters, or not finite. */
  state?: 'zero' | 'vanishes' | 'explodes';
}

/** The whole model's gradient along a random direction in all parameters. */
export interface ModelSlope {
  /** The value from the gradient. */
  got: number;
  /** The value from differences of the loss. */
  want: number;
  /** The largest difference allowed between the two. */
  bound: number;
  state: 'agrees' | 'wrong' | 'unsure';
}

/** The result of checkModel. */
export interface ModelReport {
  /**
   * 'right': no op is wrong, and each was proven or compared.
   * 'wrong': an op, or the whole model's gradient, disagrees by more than its bound.
   * 'unsure': nothing is wrong, but some ops were not judged, or values are not finite, or the whole gradient agrees along fewer than
   * two random directions.
   */
  verdict: Verdict;
  /** Name of the backend on which the model ran. */
  backend: string;
  /** The seed of all that is drawn at random. */
  seed: number;
  /** Results are stored as half floats there. */
  halfFloats: boolean;
  /** Every kernel call, in order. */
  ops: ModelOp[];
  firstNonFinite?: FirstNonFinite;
  outputs: ModelOutput[];
  /** The forward ops whose errors change the outputs most, the largest change first. */
  contributions: Contribution[];
  /** With `gradients`: the parameters, in the order of the model's. */
  parameters?: ModelParameter[];
  /** With `gradients`: the whole gradient along random directions. */
  slopes?: ModelSlope[];
  /** The report for JSON.stringify. Infinity and NaN are texts in it. */
  toJSON(): object;
  /** The report as text: a verdict, what is wrong, and a table by kernel. */
  toString(): string;
}

type Fields = Omit<ModelReport, 'toJSON' | 'toString' | 'verdict'>;

export function modelReportOf(fields: Fields): ModelReport {
  const full = { verdict: verdictOf(fields), ...fields };
  return {
    ...full,
    toJSON: () => JSON.parse(JSON.stringify(full, writeNumber)) as object,
    toString: () => inWords(full),
  };
}

function verdictOf({ ops, firstNonFinite, slopes }: Fields): Verdict {
  if (ops.some(({ state }) => state === 'wrong') || slopes?.some(({ state }) => state === 'wrong'))
    return 'wrong';
  const agree = slopes?.filter(({ state }) => state === 'agrees').length ?? ENOUGH;
  const isTold = ops.length > 0 && ops.every(({ state }) => state !== 'not judged') && agree >= ENOUGH;
  return isTold && !firstNonFinite ? 'right' : 'unsure';
}

/** The text names at most this many wrong ops, and as many parameters of a kind. */
const NAMED = 10;

const WORDS: Record<Verdict, string> = { right: 'right', wrong: 'WRONG', unsure: 'UNSURE' };

function inWords(report: Fields & { verdict: Verdict }): string {
  const { verdict, backend, seed, halfFloats, ops } = report;
  const count = (state: ModelOp['state']) => ops.filter((op) => op.state === state).length;
  const counts = [
    `${count('right')} proven`,
    `${count('compared')} compared with cpu`,
    ...(['wrong', 'not judged'] as const).map((state) => `${count(state)} ${state}`),
  ];
  return [
    `The model is ${WORDS[verdict]} on ${backend}${halfFloats ? ', which stores half floats' : ''}: ${ops.length} ops, ${counts.join(', ')}; seed ${seed}.`,
    ...wrongOps(ops),
    ...nonFinite(report),
    ...outputsInWords(report),
    ...gradientInWords(report),
    ...notJudged(ops),
    ...sampled(ops),
    '',
    ...tableOf(ops),
  ].join('\n');
}

/** An op in words: its place, kernel and layer. */
function nameOf({ index, kernel, layer }: Pick<ModelOp, 'index' | 'kernel' | 'layer'>): string {
  return `#${index} ${kernel}${layer === undefined ? '' : ` of layer ${layer}`}`;
}

function wrongOps(ops: readonly ModelOp[]): string[] {
  const wrong = ops.filter(({ state }) => state === 'wrong');
  const lines = wrong.slice(0, NAMED).map((op) => {
    const shapes = Object.entries(op.inputs).map(([name, shape]) => `${name} [${shape}]`);
    const { worst, error = NaN } = op;
    const element = worst && `${worst.output ? `output ${worst.output}, ` : ''}element [${worst.index}] is ${digits(worst.got)}, want ${digits(worst.want)} within ${short(worst.bound)}: ${times(error)}`; // prettier-ignore
    const phase = op.phase === 'backward' ? ', backward' : '';
    return `WRONG: ${nameOf(op)}${phase}, ${shapes.join(', ')}: ${[element, op.reason].filter(Boolean).join('; ')}.`;
  });
  return wrong.length > NAMED ? [...lines, `... and ${wrong.length - NAMED} more wrong ops.`] : lines;
}

function nonFinite({ firstNonFinite }: Fields): string[] {
  if (!firstNonFinite) return [];
  const elements = firstNonFinite.elements.map(({ index, value }) => `[${index}] is ${value}`);
  return [
    `${nameOf(firstNonFinite)} is the first that makes NaN or Infinity of finite values: ${firstNonFinite.count} elements, ${elements.join(', ')}.`,
  ];
}

function outputsInWords({ outputs, contributions }: Fields): string[] {
  if (contributions.length === 0) return [];
  const off = outputs.map(
    ({ shape, off, largest }) => `[${shape}] by ${short(off)}, of values up to ${short(largest)}`,
  );
  return [
    `The largest errors change the outputs: ${off.join('; ')}. Most is from ${nameOf(contributions[0])}.`,
  ];
}

function gradientInWords({ parameters, slopes }: Fields): string[] {
  if (!parameters || !slopes) return [];
  const lines = (['zero', 'vanishes', 'explodes'] as const).flatMap((state) => {
    const names = parameters.filter((parameter) => parameter.state === state).map(({ name, norm }) => (state === 'zero' ? name : `${name} (${short(norm)})`)); // prettier-ignore
    if (names.length === 0) return [];
    const more = names.length > NAMED ? `, and ${names.length - NAMED} more` : '';
    return [
      `The gradient ${state === 'zero' ? 'is zero' : state}: ${names.slice(0, NAMED).join(', ')}${more}.`,
    ];
  });
  const agree = slopes.filter(({ state }) => state === 'agrees').length;
  const wrong = slopes.find(({ state }) => state === 'wrong');
  const disagreement = wrong ? ` WRONG: got ${digits(wrong.got)}, want ${digits(wrong.want)} within ${short(wrong.bound)}.` : ''; // prettier-ignore
  return [
    `The gradient in ${parameters.length} parameters agrees with differences along ${agree} of ${slopes.length} random directions.${disagreement}`,
    ...lines,
  ];
}

/** Kernels that were not judged, by reason. */
function notJudged(ops: readonly ModelOp[]): string[] {
  const reasons = new Map<string, Set<string>>();
  for (const { state, reason = '', kernel } of ops) {
    if (state === 'not judged') reasons.set(reason, (reasons.get(reason) ?? new Set()).add(kernel));
  }
  return [...reasons].map(([reason, kernels]) => `Not judged: ${[...kernels].join(', ')}: ${reason}.`);
}

function sampled(ops: readonly ModelOp[]): string[] {
  const some = ops.filter((op) => op.sampled !== undefined);
  if (some.length === 0) return [];
  const names = some.slice(0, NAMED).map((op) => `#${op.index} ${op.kernel} (${op.sampled} elements)`);
  return [`Sampled: ${names.join(', ')}${some.length > NAMED ? `, and ${some.length - NAMED} more` : ''}.`];
}

const COLUMNS = ['kernel', 'calls', 'proven', 'compared', 'wrong', 'not judged', 'largest error', 'ms'];

function tableOf(ops: readonly ModelOp[]): string[] {
  const kernels = [...new Set(ops.map(({ kernel }) => kernel))];
  const rows = kernels.map((kernel) => {
    const own = ops.filter((op) => op.kernel === kernel);
    const count = (state: ModelOp['state']) => own.filter((op) => op.state === state).length;
    const errors = own.flatMap(({ error }) => (error === undefined ? [] : [error]));
    const milliseconds = own.reduce((sum, op) => sum + op.milliseconds, 0);
    const counts = [own.length, count('right'), count('compared'), count('wrong'), count('not judged')];
    const error = errors.length > 0 ? short(Math.max(...errors)) : '';
    return {
      milliseconds,
      cells: [kernel, ...counts.map((n) => (n === 0 ? '' : String(n))), error, milliseconds.toFixed(1)],
    };
  });
  rows.sort((a, b) => b.milliseconds - a.milliseconds);
  const cells = [COLUMNS, ...rows.map((row) => row.cells)];
  const widths = COLUMNS.map((_, c) => Math.max(...cells.map((row) => row[c].length)));
  const pad = (cell: string, c: number) => (c === 0 ? cell.padEnd(widths[c]) : cell.padStart(widths[c]));
  return cells.map((row) => row.map(pad).join('  ').trimEnd());
}

const times = (error: number) =>
  error === Infinity ? 'no error is allowed there' : `${short(error)} times the bound`;

/** The results of gradCheck and checkAdjoint, as fields and as text. */
import { util } from '@tensorflow/tfjs-core';
import { adviceOn, isAlive } from './grad-advice.js';

export interface Place {
  /** The number of f's argument, from 0. */
  input: number;
  /** The element's coordinates in the input; absent for several elements. */
  index?: readonly number[];
  /** Elements that moved together, because each is at a kink; absent for one element, and for a random direction. */
  together?: readonly (readonly number[])[];
  /** The number of the output, from 0; absent for a random combination of all outputs. */
  output?: number;
  /** The element's coordinates in the output; absent for a random combination of all outputs. */
  outputIndex?: readonly number[];
}

/** One element of a gradient, or its inner product with a random direction, with the value that it should have. */
export interface Entry extends Place {
  /** The value from the gradient. */
  got: number;
  /** The value from differences of f. At a kink: the value next to `got` of those that are right. */
  want: number;
  /** At a kink: the slopes on both sides. Every value between them is right. */
  range?: readonly [low: number, high: number];
  /** The largest difference allowed between the two. */
  bound: number;
  state: 'agrees' | 'wrong' | 'kink' | 'unsure';
  /** It agrees, and its bound is not so wide that it may be anything. */
  isCoarse?: boolean;
  /** Shapes of the input and of the output; the latter is absent for a random combination of all outputs. */
  shapes?: readonly [input: readonly number[], output?: readonly number[]];
  /** Elements of the outputs that were left out because they have a kink along a random direction. */
  kinks: readonly Omit<Place, 'input' | 'index'>[];
}

/** See GradReport.verdict. */
export type Verdict = 'right' | 'wrong' | 'unsure';

/** The text names at most this many places of a kind. */
const NAMED = 5;

/** |got - want| in units of the bound; Infinity if the bound is 0, or if a value is not a number. */
export function errorOf({ got, want, bound }: Pick<Entry, 'got' | 'want' | 'bound'>): number {
  if (got === want) return 0;
  const error = Math.abs(got - want) / bound;
  return Number.isNaN(error) ? Infinity : error;
}

/** The result of a check. */
export interface GradReport {
  /**
   * 'right': nothing disagrees, and enough elements could be compared.
   * 'wrong': something disagrees by more than its bound.
   * 'unsure': elements have bounds that are too wide to tell, or too many elements lie at kinks.
   */
  verdict: Verdict;
  /**
   * What was checked. With order 2 it is the second-order gradient if the first one is right. Its inputs are f's
   * inputs, followed by dy.
   */
  what: 'The gradient' | 'The second-order gradient' | 'The adjoint';
  /** The seed of the random directions and cotangents. The same seed gives the same report. */
  seed: number;
  /** true: the check allowed no tolerance. */
  exact: boolean;
  /** Name of the backend on which f ran. */
  backend: string;
  /** If elements are wrong, the worst of them. Otherwise the element with the largest error in units of its bound. */
  worst?: Place & Pick<Entry, 'got' | 'want' | 'range' | 'bound'> & { error: number };
  /** Number of elements of the Jacobian, and of random directions, that were compared and told right from wrong. */
  compared: number;
  /** How many of these disagree. */
  wrong: number;
  /** How many were left out, as f has a kink or a jump there. */
  leftOut: number;
  /** How many have bounds that are too wide to tell right from wrong. */
  unsure: number;
  /** The places that were left out. Where the slopes on both sides are clear, the gradient is between them. */
  kinks: string[];
  /** The places that are unsure. */
  uncertain: string[];
  /** Likely causes, and what to try, as sentences. */
  advice: string[];
  /** The report as text of several lines. */
  toString(): string;
}

type Facts = Pick<GradReport, 'what' | 'seed' | 'exact' | 'backend'>;

/**
 * @param wrong the worst wrong entry; default: the worst of `entries`
 * @param advice default: what the entries suggest
 */
export function reportOf(
  facts: Facts,
  entries: readonly Entry[],
  wrong: Entry | undefined = worstOf(entries, 'wrong'),
  advice?: string[],
): GradReport {
  const of = (state: Entry['state']) => entries.filter((entry) => entry.state === state);
  const [agree, disagree, unsure] = [of('agrees'), of('wrong'), of('unsure')];
  const inputs = [...new Set(entries.map(({ input }) => input))];
  const isRight = inputs.every(isTold) && !(facts.exact && unsure.length > 0);
  const verdict: Verdict = disagree.length > 0 ? 'wrong' : isRight ? 'right' : 'unsure';
  const report = {
    ...facts,
    verdict,
    worst: shown(wrong ?? worstOf(entries, 'agrees')),
    compared: agree.length + disagree.length,
    wrong: disagree.length,
    leftOut: entries.length - agree.length - disagree.length - unsure.length,
    unsure: unsure.length,
    kinks: kinksOf(entries),
    uncertain: [...new Set(unsure.map(placeOf))],
  };
  const alive = agree.filter(isAlive).length;
  const full = { ...report, advice: advice ?? adviceOn({ ...report, alive }, entries) };
  return { ...full, toString: () => inWords(full) };

  /**
   * Is the input checked well enough, by all of its elements or by random directions? No element may be so uncertain that it may be
   * anything. In a random direction others show it.
   */
  function isTold(input: number): boolean {
    const own = entries.filter((entry) => entry.input === input);
    const isOfElements = ({ index, together }: Entry) => index !== undefined || together !== undefined;
    const elements = own.filter(isOfElements);
    const isOpen = elements.some(({ state, isCoarse }) => state === 'unsure' && !isCoarse);
    const isWhole =
      new Set(elements.map(({ index }) => String(index))).size >=
      util.sizeFromShape([...(own[0].shapes?.[0] ?? [])]);
    return (isWhole && !isOpen && agreeEnough(elements)) || agreeEnough(own.filter((e) => !isOfElements(e)));
  }
}

/** Do at least as many agree, and are not 0, as are left out or uncertain? */
export function agreeEnough(entries: readonly Entry[]): boolean {
  const leftOut = entries.filter(({ state }) => state === 'kink' || state === 'unsure').length;
  const told = entries.filter((entry) => entry.state === 'agrees' && isAlive(entry)).length;
  return entries.length > 0 && leftOut <= told;
}

/** The entry in this state with the largest error in units of its bound. */
export function worstOf<E extends Entry>(entries: readonly E[], state: Entry['state']): E | undefined {
  const found = entries.filter((entry) => entry.state === state);
  return found.reduce<E | undefined>((a, b) => (a && errorOf(a) >= errorOf(b) ? a : b), undefined);
}

/** The entry as the report shows it, without the fields that only the check needs. */
function shown(entry?: Entry): GradReport['worst'] {
  if (!entry) return undefined;
  const { input, index, together, output, outputIndex, got, want, range, bound } = entry;
  const place = { input, index, ...(together && { together }), output, outputIndex };
  return { ...place, got, want, ...(range && { range }), bound, error: errorOf(entry) };
}

function kinksOf(entries: readonly Entry[]): string[] {
  const at = entries.filter(({ state }) => state === 'kink').map(placeOf);
  const leftOut = entries.flatMap(({ kinks }) => kinks.map(outputPlace));
  return [...new Set([...at, ...leftOut])];
}

function placeOf(entry: Place): string {
  const { index, together } = entry;
  const where = index
    ? element(index)
    : together
      ? `, elements ${listed(together.map((one) => `[${one}]`), ', ')} together`
      : ' along a random direction'; // prettier-ignore
  const input = `input ${entry.input}${where}`;
  return entry.output === undefined ? input : `${input}, in ${outputPlace(entry)}`;
}

/** The first few of them. */
function listed(all: readonly string[], separator: string): string {
  const more = all.length > NAMED ? [`and ${all.length - NAMED} more`] : [];
  return [...all.slice(0, NAMED), ...more].join(separator);
}

function outputPlace({ output, outputIndex }: Omit<Place, 'input' | 'index'>): string {
  return `output ${output}${element(outputIndex!)}`;
}

/** The element in words. A scalar has none. */
const element = (index: readonly number[]) => (index.length > 0 ? `, element [${index}]` : '');

function inWords(report: Omit<GradReport, 'toString'>): string {
  const {
    verdict,
    what,
    seed,
    exact,
    backend,
    worst,
    compared,
    wrong,
    leftOut,
    unsure,
    kinks,
    uncertain,
    advice,
  } = report;
  const mode = exact ? ', exact' : '';
  const counts = [
    `${compared} compared`,
    ...(wrong ? [`${wrong} wrong`] : []),
    `${leftOut} left out`,
    `${unsure} uncertain`,
  ];
  const lines = [`${what} is ${WORDS[verdict]} (${counts.join(', ')}; ${backend}, seed ${seed}${mode}).`];
  if (worst) {
    const { got, want, range, bound, error } = worst;
    const right = range ? `between ${digits(range[0])} and ${digits(range[1])}` : digits(want);
    lines.push(
      `Worst: ${placeOf(worst)}: got ${digits(got)}, want ${right} within ${short(bound)}, ` +
        (error === Infinity
          ? 'an infinite error in units of the bound.'
          : `${short(error)} times the bound.`),
    );
  }
  if (kinks.length > 0) lines.push(`Left out, at a kink: ${listed(kinks, '; ')}.`);
  if (uncertain.length > 0) lines.push(`Too uncertain to tell: ${listed(uncertain, '; ')}.`);
  return [...lines, ...advice].join('\n');
}

const WORDS: Record<Verdict, string> = { right: 'right', wrong: 'WRONG', unsure: 'UNSURE' };

/** To nine digits, which tell all float32 numbers apart. */
export const digits = (value: number) => String(Number(value.toPrecision(9)));
/** To three digits. */
export const short = (value: number) => String(Number(value.toPrecision(3)));

/** The results of gradCheck and checkAdjoint, as fields and as text. */

export interface Place {
  /** The number of f's argument, from 0. */
  input: number;
  /** The element's coordinates in the input; absent for a random direction. */
  index?: readonly number[];
  /** The number of the output, from 0; absent for a random combination of all outputs. */
  output?: number;
  /** The element's coordinates in the output; absent for a random combination of all outputs. */
  outputIndex?: readonly number[];
}

/** One element of a gradient, or its inner product with a random direction, with the value that it should have. */
export interface Entry extends Place {
  /** The value from the gradient. */
  got: number;
  /** The value from differences of f. */
  want: number;
  /** The largest difference allowed between the two. */
  bound: number;
  state: 'agrees' | 'wrong' | 'kink' | 'unsure';
  /** Elements of the outputs that were left out because they have a kink along a random direction. */
  kinks: readonly Omit<Place, 'input' | 'index'>[];
}

/** See GradReport.verdict. */
export type Verdict = 'right' | 'wrong' | 'unsure';

/** The text names at most this many kinks. */
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
   * 'unsure': too many elements lie at kinks, or have bounds that are too wide to tell.
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
  worst?: Place & Pick<Entry, 'got' | 'want' | 'bound'> & { error: number };
  /** Number of elements of the Jacobian, and of random directions, that were compared. */
  compared: number;
  /** How many of these disagree. */
  wrong: number;
  /** How many of these have bounds that are too wide to tell. */
  unsure: number;
  /** The places where f has a kink or a jump, so that there is nothing to compare with. */
  kinks: string[];
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
  const inputs = [...new Set(entries.map(({ input }) => input))];
  const verdict = of('wrong').length > 0 ? 'wrong' : inputs.every(isTold) ? 'right' : 'unsure';
  const alive = of('agrees').filter(isAlive).length;
  const worst = shown(wrong ?? worstOf(entries, 'agrees'));
  const counts = { wrong: of('wrong').length, unsure: of('unsure').length, kinks: kinksOf(entries) };
  const report = {
    ...facts,
    verdict,
    worst,
    compared: entries.length - of('kink').length,
    ...counts,
  } as const;
  const full = { ...report, advice: advice ?? adviceOn({ ...report, alive }, entries) };
  return { ...full, toString: () => inWords(full) };

  /**
   * Is the input checked well enough, by its elements or by random directions? At least as many entries must agree, and
   * not be 0, as are left out.
   */
  function isTold(input: number): boolean {
    const own = entries.filter((entry) => entry.input === input);
    const kinds = [own.filter(({ index }) => index), own.filter(({ index }) => !index)];
    return kinds.some((kind) => {
      const leftOut = kind.filter(({ state }) => state === 'kink' || state === 'unsure').length;
      const told = kind.filter((entry) => entry.state === 'agrees' && isAlive(entry)).length;
      return kind.length > 0 && leftOut <= told;
    });
  }
}

/** The entry in this state with the largest error in units of its bound. */
export function worstOf<E extends Entry>(entries: readonly E[], state: Entry['state']): E | undefined {
  const found = entries.filter((entry) => entry.state === state);
  return found.reduce<E | undefined>((a, b) => (a && errorOf(a) >= errorOf(b) ? a : b), undefined);
}

/** The entry as the report shows it, without the fields that only the check needs. */
function shown(entry?: Entry): GradReport['worst'] {
  if (!entry) return undefined;
  const { input, index, output, outputIndex, got, want, bound } = entry;
  return { input, index, output, outputIndex, got, want, bound, error: errorOf(entry) };
}

/** The entry is not 0, as far as its bound can tell. */
const isAlive = ({ got, want, bound }: Entry) => Math.abs(got) > bound || Math.abs(want) > bound;

function kinksOf(entries: readonly Entry[]): string[] {
  const at = entries.filter(({ state }) => state === 'kink').map(placeOf);
  const leftOut = entries.flatMap(({ kinks }) => kinks.map(outputPlace));
  return [...new Set([...at, ...leftOut])];
}

function placeOf(entry: Place): string {
  const input = `input ${entry.input}${entry.index ? element(entry.index) : ' along a random direction'}`;
  return entry.output === undefined ? input : `${input}, in ${outputPlace(entry)}`;
}

function outputPlace({ output, outputIndex }: Omit<Place, 'input' | 'index'>): string {
  return `output ${output}${element(outputIndex!)}`;
}

/** The element in words. A scalar has none. */
const element = (index: readonly number[]) => (index.length > 0 ? `, element [${index}]` : '');

/** What a person should look at first. */
function adviceOn(
  { verdict, kinks, exact, unsure, alive }: Omit<GradReport, 'advice' | 'toString'> & { alive: number },
  entries: readonly Entry[],
): string[] {
  if (verdict === 'wrong') return [likelyCause(entries)];
  if (verdict === 'right') {
    return alive > 0 || exact
      ? []
      : ['The gradient is 0 here, and f has no slope larger than its rounding errors: try other inputs too.'];
  }
  const advice: string[] = [];
  if (kinks.length > 0) {
    advice.push(
      'Too many elements lie at kinks, at jumps, at values that are not finite, or on waves too short for float32: ' +
        'move the inputs away from there.',
    );
  }
  if (unsure > 0) {
    advice.push(
      exact
        ? 'f is not exact here: it is not linear along an input, or it rounds. Use smaller whole numbers, or leave out ' +
            'the option exact.'
        : 'Rounding errors of f hide its slope, or f is random. Use inputs nearer to 1, use fewer inputs, avoid sums in ' +
            'f that cancel, and give its random ops a seed.',
    );
  }
  return advice;
}

function likelyCause(entries: readonly Entry[]): string {
  const wrong = entries.filter(({ state }) => state === 'wrong');
  const told = entries.filter(({ state }) => state === 'agrees' || state === 'wrong');
  const inputs = [...new Set(wrong.map(({ input }) => input))];
  const of = told.filter(({ input, want, bound }) => inputs.includes(input) && Math.abs(want) > bound);
  const where = `input ${inputs.join(' and ')}`;
  if (wrong.every(({ got }) => Math.abs(got) === Infinity)) return `The gradient in ${where} is Infinity.`;
  if (wrong.some(({ got }) => Number.isNaN(got))) {
    return `The gradient in ${where} is NaN: look for 0 times an infinite slope, or for an argument outside of a function's domain.`;
  }
  if (of.length === 0) {
    return `f does not change with ${where}, as far as its values show: is f constant, or does rounding hide the change?`;
  }
  if (of.every(({ got }) => got === 0)) {
    return `No gradient reaches ${where}: does f use it only in tfjs's ops, and does the gradient function return it?`;
  }
  const ratios = of.map(({ got, want }) => got / want).sort((a, b) => a - b);
  const factor = ratios[ratios.length >> 1];
  const isFactor =
    of.length > 1 &&
    of.every(({ got, want, bound }) => Math.abs(got - factor * want) <= 2 * bound + 1e-6 * Math.abs(got));
  if (isFactor && Math.abs(factor + 1) < 1e-3)
    return `Every element of the gradient in ${where} has the wrong sign.`;
  if (isFactor)
    return `Every element of the gradient in ${where} is ${Number(factor.toPrecision(6))} times its right value: look for a missing factor or divisor.`;
  const elements = told.filter(({ input, index }) => inputs.includes(input) && index !== undefined);
  const broken = elements.filter(({ state }) => state === 'wrong').length;
  if (elements.length > 0 && broken === 0) {
    return `Few elements of ${where} are wrong: look for what is different about the one named above.`;
  }
  return broken < elements.length / 2
    ? `${broken} of ${elements.length} elements are wrong: look for what they have in common, such as a border or the last row.`
    : `Most elements of ${where} are wrong: look for a transposed or shifted operand.`;
}

function inWords(report: Omit<GradReport, 'toString'>): string {
  const { verdict, what, seed, exact, backend, worst, compared, wrong, unsure, kinks, advice } = report;
  const mode = exact ? ', exact' : '';
  const counts = [
    `${compared} compared`,
    ...(wrong ? [`${wrong} wrong`] : []),
    ...(unsure ? [`${unsure} too uncertain to tell`] : []),
    ...(kinks.length ? [`${kinks.length} at kinks`] : []),
  ];
  const lines = [`${what} is ${WORDS[verdict]} (${counts.join(', ')}; ${backend}, seed ${seed}${mode}).`];
  if (worst) {
    const { got, want, bound, error } = worst;
    lines.push(
      `Worst: ${placeOf(worst)}: got ${digits(got)}, want ${digits(want)} within ${short(bound)}, ` +
        (error === Infinity ? 'an infinite error in units of the bound.' : `${short(error)} of the bound.`),
    );
  }
  const more = kinks.length > NAMED ? [`and ${kinks.length - NAMED} more`] : [];
  if (kinks.length) lines.push(`Left out, at a kink: ${[...kinks.slice(0, NAMED), ...more].join('; ')}.`);
  return [...lines, ...advice].join('\n');
}

const WORDS: Record<Verdict, string> = { right: 'right', wrong: 'WRONG', unsure: 'UNSURE' };

/** To nine digits, which tell all float32 numbers apart. */
const digits = (value: number) => String(Number(value.toPrecision(9)));
/** To three digits. */
const short = (value: number) => String(Number(value.toPrecision(3)));

/** What gradCheck found, in fields and in words. */

export interface Place {
  /** Which of f's arguments. */
  input: number;
  /** The element's coordinates in it; absent for a random direction. */
  index?: readonly number[];
  /** Which output, and its element; absent for a random combination of all outputs. */
  output?: number;
  outputIndex?: readonly number[];
}

/** One element of a gradient, or its inner product with a random direction, beside what it should be. */
export interface Entry extends Place {
  /** By the gradient. */
  got: number;
  /** By differences of f. */
  want: number;
  /** How far apart the two may be. */
  bound: number;
  state: 'agrees' | 'wrong' | 'kink' | 'unsure';
  /** Elements of the outputs that have a kink along a random direction, and were left out. */
  kinks: readonly Omit<Place, 'input' | 'index'>[];
}

export type Verdict = 'right' | 'wrong' | 'unsure';

const NAMED = 5;

/** |got - want| in units of the bound. */
export function errorOf({ got, want, bound }: Pick<Entry, 'got' | 'want' | 'bound'>): number {
  if (got === want) return 0;
  const error = Math.abs(got - want) / bound;
  return Number.isNaN(error) ? Infinity : error;
}

export interface GradReport {
  /**
   * 'right': nothing disagrees, and enough could be compared. 'wrong': something disagrees by more than its bound.
   * 'unsure': too much lies at kinks, or the bounds are too wide to tell.
   */
  verdict: Verdict;
  /** What was checked. With order 2, the second-order gradient, in f's inputs and then in dy, once the first is right. */
  what: 'The gradient' | 'The second-order gradient' | 'The adjoint';
  seed: number;
  /** No tolerance was given. */
  exact: boolean;
  backend: string;
  /** The most wrong element; if none is wrong, the one with the largest error in units of its bound. */
  worst?: Place & Pick<Entry, 'got' | 'want' | 'bound'> & { error: number };
  /** How many elements of the Jacobian, and random directions, were compared, */
  compared: number;
  /** and how many of them disagree, */
  wrong: number;
  /** and how many have bounds too wide to tell. */
  unsure: number;
  /** Where f has a kink or a jump, so that there is nothing to compare with. */
  kinks: string[];
  advice: string[];
  toString(): string;
}

type Facts = Pick<GradReport, 'what' | 'seed' | 'exact' | 'backend'>;

/**
 * @param wrong the worst of what is wrong; default among the entries
 * @param advice instead of what the entries suggest
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

  /** By its elements or by random directions: at least as many are told as are left out, of what is not 0. */
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

/** The entry with the largest error, in units of its bound. */
export function worstOf<E extends Entry>(entries: readonly E[], state: Entry['state']): E | undefined {
  const found = entries.filter((entry) => entry.state === state);
  return found.reduce<E | undefined>((a, b) => (a && errorOf(a) >= errorOf(b) ? a : b), undefined);
}

/** Without what only the check needed. */
function shown(entry?: Entry): GradReport['worst'] {
  if (!entry) return undefined;
  const { input, index, output, outputIndex, got, want, bound } = entry;
  return { input, index, output, outputIndex, got, want, bound, error: errorOf(entry) };
}

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

/** Nothing, of a scalar. */
const element = (index: readonly number[]) => (index.length > 0 ? `, element [${index}]` : '');

/** What a person would look at first. */
function adviceOn(
  { verdict, kinks, exact, unsure, alive }: Omit<GradReport, 'advice' | 'toString'> & { alive: number },
  entries: readonly Entry[],
): string[] {
  if (verdict === 'wrong') return [likelyCause(entries)];
  if (verdict === 'right') {
    return alive > 0 || exact
      ? []
      : ['The gradient is 0 everywhere here, and f no steeper than its rounding: try other inputs as well.'];
  }
  const advice: string[] = [];
  if (kinks.length > 0) {
    advice.push(
      'Too many elements lie at kinks or jumps, values that are not finite, or waves too short for float32: move the ' +
        'inputs away from them.',
    );
  }
  if (unsure > 0) {
    advice.push(
      exact
        ? 'f is not exact here: not linear along an input, or rounded. Use smaller whole numbers, or leave exact out.'
        : 'Rounding of f hides its slope, or f is random: use inputs nearer to 1, fewer of them, or less that cancels ' +
            'in f, and give its random ops a seed.',
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
    return `The gradient in ${where} is NaN: look for 0 times an infinite slope, or a value outside of a domain.`;
  }
  if (of.length === 0) {
    return `f does not change with ${where}, to all that is seen: is it constant, or does rounding swallow the change?`;
  }
  if (of.every(({ got }) => got === 0)) {
    return `No gradient reaches ${where}: does f compute it with tfjs's ops, and does the gradient function return it?`;
  }
  const ratios = of.map(({ got, want }) => got / want).sort((a, b) => a - b);
  const factor = ratios[ratios.length >> 1];
  const isFactor =
    of.length > 1 &&
    of.every(({ got, want, bound }) => Math.abs(got - factor * want) <= 2 * bound + 1e-6 * Math.abs(got));
  if (isFactor && Math.abs(factor + 1) < 1e-3) return `Every element of ${where} has the wrong sign.`;
  if (isFactor)
    return `Every element of ${where} is ${Number(factor.toPrecision(6))} times what it should be: look for a missing factor or divisor.`;
  const elements = told.filter(({ input, index }) => inputs.includes(input) && index !== undefined);
  const broken = elements.filter(({ state }) => state === 'wrong').length;
  if (elements.length > 0 && broken === 0) {
    return `Few elements of ${where} are wrong: look at what sets the one named above apart.`;
  }
  return broken < elements.length / 2
    ? `${broken} of ${elements.length} elements are wrong: look at what these have in common, a border or a last row.`
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
        (error === Infinity ? 'where there is no room.' : `${short(error)} of the bound.`),
    );
  }
  const more = kinks.length > NAMED ? [`and ${kinks.length - NAMED} more`] : [];
  if (kinks.length) lines.push(`Left out, at a kink: ${[...kinks.slice(0, NAMED), ...more].join('; ')}.`);
  return [...lines, ...advice].join('\n');
}

const WORDS: Record<Verdict, string> = { right: 'right', wrong: 'WRONG', unsure: 'UNSURE' };

/** Float32's digits. */
const digits = (value: number) => String(Number(value.toPrecision(9)));
const short = (value: number) => String(Number(value.toPrecision(3)));

/** The advice of a GradReport: what the entries suggest about the cause, and what to try. It claims only what the entries show. */
import type { Entry, GradReport } from './grad-report.js';

/** The entry is not 0, as far as its bound can tell. */
export const isAlive = ({ got, want, bound }: Entry) => Math.abs(got) > bound || Math.abs(want) > bound;

/** What a person should look at first. */
export function adviceOn(
  { verdict, kinks, exact, uncertain, alive }: Omit<GradReport, 'advice' | 'toString'> & { alive: number },
  entries: readonly Entry[],
): string[] {
  if (verdict === 'wrong') return [likelyCause(entries)];
  if (verdict === 'right') {
    return alive > 0 || exact
      ? []
      : ['The gradient is 0 here, and f has no slope larger than its rounding errors: try other inputs too.'];
  }
  if (uncertain.length > 0) {
    return [
      exact
        ? 'f is not exact here: it is not linear along an input, or it rounds. Use smaller whole numbers, or leave out ' +
          'the option exact.'
        : 'Rounding errors of f hide its slope, or f is random. Use inputs nearer to 1, use fewer inputs, avoid sums in ' +
          'f that cancel, and give its random ops a seed.',
    ];
  }
  return kinks.length === 0
    ? ['f has no slope that is larger than its rounding errors: use other inputs.']
    : [
        'Too many elements lie at kinks, at jumps, at values that are not finite, or on waves too short for float32: ' +
          'move the inputs away from there.',
      ];
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
  if (wrong.every(({ range }) => range)) {
    return 'f has a kink there. Any value between the slopes on its two sides is a gradient, but none outside of them.';
  }
  if (wrong.every(({ range, together }) => range || together)) {
    return `Elements of ${where} that tie have the slope of f together: let one of them have it, or divide it among them.`;
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
    wrong.every((entry) => of.includes(entry)) &&
    of.every(({ got, want, bound }) => Math.abs(got - factor * want) <= 2 * bound + 1e-6 * Math.abs(got));
  if (isFactor && Math.abs(factor + 1) < 1e-3)
    return `Every element of the gradient in ${where} has the wrong sign.`;
  if (isFactor)
    return `Every element of the gradient in ${where} is ${Number(factor.toPrecision(6))} times its right value: look for a missing factor or divisor.`;
  const alive = told.filter((e) => inputs.includes(e.input) && e.index && isAlive(e));
  const broken = alive.filter(({ state }) => state === 'wrong');
  if (broken.length === 0) {
    return `Few elements of ${where} are wrong: look for what is different about the one named above.`;
  }
  const many =
    broken.length === alive.length
      ? `All ${alive.length} elements of ${where} that were compared and are not 0 are wrong`
      : `${broken.length} of the ${alive.length} elements of ${where} that were compared and are not 0 are wrong`;
  const pattern = (inputs.length === 1 ? movedIn(alive) : undefined) ?? borderIn(alive);
  return pattern ? `${many}: ${pattern}.` : `${many}.`;
}

/** Whether what each element got is what another one should have: the elements are exchanged or shifted along axes. */
function movedIn(elements: readonly Entry[]): string | undefined {
  const keyOf = ({ input, output, outputIndex }: Entry, index: readonly number[]) =>
    [input, output, outputIndex, index].join(' ');
  const wants = new Map(elements.map((entry) => [keyOf(entry, entry.index!), entry]));
  /** Whether `from` gives the place from which each element comes, and there is an element at most of these places. */
  const explains = (from: (index: readonly number[]) => number[]) => {
    const pairs = elements.flatMap((entry) => {
      const other = wants.get(keyOf(entry, from(entry.index!)));
      return other ? [[entry, other] as const] : [];
    });
    return (
      2 * pairs.length > elements.length &&
      pairs.every(([{ got, bound }, other]) => Math.abs(got - other.want) <= bound + other.bound)
    );
  };
  const axes = elements[0].index!.map((_, axis) => axis);
  for (const a of axes) {
    for (const b of axes.slice(a + 1)) {
      if (
        explains((index) =>
          index.map((value, axis) => (axis === a ? index[b] : axis === b ? index[a] : value)),
        )
      )
        return `axes ${a} and ${b} are exchanged`;
    }
    for (const by of [1, -1]) {
      if (explains((index) => index.map((value, axis) => (axis === a ? value - by : value))))
        return `each is where its neighbour along axis ${a} should be`;
    }
  }
  return undefined;
}

/**
 * Whether the places with wrong elements lie nearer to a border than all others: places in the input, or in the output. Few places
 * do so by chance.
 */
function borderIn(elements: readonly Entry[]): string | undefined {
  const isOneInput = elements.every(({ input }) => input === elements[0].input);
  const inInput = isOneInput ? placesOf(elements, ({ index, shapes }) => [index, shapes?.[0]]) : [];
  const inOutput = placesOf(elements, ({ outputIndex, shapes }) => [outputIndex, shapes?.[1]]);
  for (const [name, places] of [
    ['input', inInput],
    ['output', inOutput],
  ] as const) {
    const [wrong, right] = [true, false].map((isWrong) =>
      places.filter((place) => place.isWrong === isWrong),
    );
    if (wrong.length < 2 || right.length < 2) continue;
    const axes = wrong[0].toBorder.map((_, axis) => axis);
    for (const chosen of axes.flatMap((axis) => [[axis, axis + 1], [axis]])) {
      const nearest = ({ toBorder }: { toBorder: number[] }) =>
        Math.min(...chosen.map((axis) => toBorder[axis] ?? Infinity));
      if (Math.max(...wrong.map(nearest)) < Math.min(...right.map(nearest)))
        return `they are near the border of the ${name} along ${chosen.length > 1 ? 'axes' : 'axis'} ${chosen.join(' and ')}, and those inside are right: look at padding, or at a divisor that counts it`;
    }
  }
  return undefined;
}

/** The places of the elements: how far they are from the border along each axis, and whether an element there is wrong. */
function placesOf(
  elements: readonly Entry[],
  placeIn: (entry: Entry) => [index?: readonly number[], shape?: readonly number[]],
) {
  const places = new Map<string, { toBorder: number[]; isWrong: boolean }>();
  for (const entry of elements) {
    const [index, shape] = placeIn(entry);
    if (!index || !shape) continue;
    const toBorder = index.map((value, axis) => Math.min(value, shape[axis] - 1 - value));
    const isWrong = entry.state === 'wrong' || places.get(String(index))?.isWrong === true;
    places.set(String(index), { toBorder, isWrong });
  }
  return [...places.values()];
}

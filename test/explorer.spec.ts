/** Specs of the explorer. What it computes is checked everywhere, its page only in browsers. */
import { calculated, type Calculation } from '../demo/explorer/calculation.js';
import { panelsOf } from '../demo/explorer/panels.js';
import { fromHash, LIMITS, LOOKS, OPS, reshaped, type State, stateOf, toHash, VIEWS } from '../demo/explorer/state.js'; // prettier-ignore
import { isResult, nudged, spreadOf, termsOf } from '../demo/explorer/sums.js';
import { agrees, marksOf, sentence, textOf } from '../demo/explorer/words.js';
import { type Random, randomFrom } from './support/num_random.js';

/** A state with whole numbers, whose window fits. */
function randomState(random: Random): State {
  const upTo = (most: number) => 1 + random.below(most);
  const pads = ['same', 'valid', [0, 1, 2, 3].map(() => random.below(4))] as const;
  const state = stateOf({
    op: random.pick(OPS),
    look: random.pick(LOOKS),
    view: random.pick(VIEWS),
    batch: upTo(2),
    height: upTo(6),
    width: upTo(6),
    channels: upTo(3),
    filterHeight: upTo(3),
    filterWidth: upTo(3),
    outChannels: upTo(3),
    strides: [upTo(3), upTo(3)],
    pad: random.pick(pads) as State['pad'],
    dilations: [upTo(2), upTo(2)],
    dataFormat: random.pick(['NHWC', 'NCHW'] as const),
    countIncludePad: random.below(2) === 1,
    nudge: random.pick([1, 0.5, -0.25]),
  });
  const whole = (values: number[]) => Array.from(random.integers(values.length));
  const { x, filter, bias, dy } = state;
  const filled = { ...state, x: whole(x), filter: whole(filter), bias: whole(bias), dy: whole(dy) };
  return problem(filled) ? randomState(random) : filled;
}

function problem(state: State): string {
  try {
    return calculated(state).arrays.y.length ? '' : 'y is empty';
  } catch (error) {
    return (error as Error).message;
  }
}

const COUNT = 300;
function forRandomStates(seed: number, check: (c: Calculation, random: Random) => string): void {
  const random = randomFrom(seed);
  for (let i = 0; i < COUNT; i++) {
    const c = calculated(randomState(random));
    const complaint = check(c, random);
    if (complaint) return fail(`${complaint}, in ${toHash(c.state)}`);
  }
  expect().nothing();
}

/** The computed cells that are on the page. */
const results = (c: Calculation) => panelsOf(c).flatMap(({ planes }) => planes.flatMap(({ cells }) => cells)).filter(({ of }) => isResult(of)); // prettier-ignore

function totalOf(c: Calculation, cell: { of: 'y'; index: number }): number {
  const terms = termsOf(c, cell);
  if (c.state.op === 'maxPool' && cell.of === 'y' && terms.length === 0) return -Infinity;
  return terms.reduce((sum, { value }) => sum + value, 0);
}

describe('the explorer', () => {
  it('adds up to what the numeric functions give, cell by cell, in both views', () => {
    forRandomStates(1, (c) => {
      for (const view of VIEWS) {
        const seen = { ...c, state: { ...c.state, view } };
        for (const cell of results(seen)) {
          const total = totalOf(seen, cell as { of: 'y'; index: number });
          const want = c.arrays[cell.of][cell.index];
          const isRight = total === want || Math.abs(total - want) <= 1e-12 * (1 + Math.abs(want));
          if (!isRight) return `${view}: ${cell.of} ${cell.index} is ${want}, its terms add up to ${total}`;
        }
      }
      return '';
    });
  });

  it('shows each product with the factors that stand in the grids', () => {
    forRandomStates(2, (c) => {
      const shown = new Map(panelsOf(c).flatMap(({ planes }) => planes.flatMap(({ cells }) => cells)).map((cell) => [`${cell.of}:${cell.index}`, cell.value])); // prettier-ignore
      for (const cell of results(c)) {
        for (const { factors, value, divisor = 1 } of termsOf(c, cell)) {
          const lost = factors.find((factor) => shown.get(`${factor.of}:${factor.index}`) !== factor.value);
          if (lost) return `${lost.of} ${lost.index} is not shown, or has another value`;
          if (factors.reduce((p, f) => p * f.value, 1) / divisor !== value) return 'a product is wrong';
        }
      }
      return '';
    });
  });

  it('adds the same from the sources as the results collect', () => {
    forRandomStates(3, (c) => {
      const source = c.state.look === 'forward' ? 'x' : 'dy';
      const sums = new Map<string, number>();
      c.arrays[source].forEach((_, index) => {
        for (const { to, value } of spreadOf(c, { of: source, index })) sums.set(`${to.of}:${to.index}`, (sums.get(`${to.of}:${to.index}`) ?? 0) + value); // prettier-ignore
      });
      for (const { of, index, value } of results(c)) {
        const { g, arrays, state } = c;
        const bias = of === 'y' && state.op.includes('onv') ? arrays.bias[Math.floor(index / g.y.channel) % g.outChannels] : 0; // prettier-ignore
        const got = (sums.get(`${of}:${index}`) ?? 0) + bias;
        if (Number.isFinite(value) && Math.abs(got - value!) > 1e-12 * (1 + Math.abs(value!))) return `${of} ${index} is ${value}, but sources add ${got}`; // prettier-ignore
      }
      return '';
    });
  });

  it('lights the same links from both ends', () => {
    forRandomStates(4, (c, random) => {
      const state = { ...c.state, view: 'scatter' as const };
      const seen = { ...c, state };
      const cells = results(seen);
      const cell = cells[random.below(cells.length)];
      for (const key of marksOf(seen, cell).keys()) {
        const [of, index] = key.split(':');
        const back = marksOf(seen, { of: of as 'x', index: Number(index) });
        if (!back.has(`${cell.of}:${cell.index}`) && of !== 'x') return `${cell.of} ${cell.index} lights ${key}, not the other way round`; // prettier-ignore
      }
      return '';
    });
  });

  it('has an address for every state', () => {
    forRandomStates(5, ({ state }, random) => {
      const withFractions = { ...state, x: state.x.map((value) => value / 8), cell: { of: random.pick(['x', 'dy'] as const), index: random.below(3) } }; // prettier-ignore
      expect(fromHash(toHash(withFractions))).toEqual(withFractions);
      return '';
    });
  });

  it('shows something for an address that makes no sense', () => {
    const wrong = [
      '',
      '#',
      '#op=foo&in=1,2',
      '#in=1,99,3,1&pad=-1,0,0,0',
      '#x=1,&cell=y,-3&strides=0,1',
      '#a=b=c',
    ];
    for (const hash of wrong) expect(problem(fromHash(hash))).toBe('');
    expect(fromHash('#op=conv2d&in=1,9,9,1').height).toBeLessThanOrEqual(LIMITS.height);
  });

  it('keeps the values of cells when sizes and layouts change', () => {
    const state = stateOf({ height: 3, width: 2, channels: 2, x: [...Array(12).keys()] });
    const larger = reshaped(state, { width: 3 });
    expect(larger.x.slice(0, 4)).toEqual([0, 1, 2, 3]);
    expect(larger.x.slice(6, 10)).toEqual([4, 5, 6, 7]);
    expect(reshaped(larger, { width: 2 }).x).toEqual(state.x);
    const turned = reshaped(state, { dataFormat: 'NCHW' });
    expect(turned.x).toEqual([0, 2, 4, 6, 8, 10, 1, 3, 5, 7, 9, 11]);
    expect(reshaped(turned, { dataFormat: 'NHWC' })).toEqual(state);
  });

  it('finds the derivative by a nudge, but for kinks', () => {
    forRandomStates(6, (c, random) => {
      const index = random.below(c.state.x.length);
      const n = nudged(c, { of: 'x', index }, calculated)!;
      if (!agrees(n) && !n.kink) return `x ${index}: derivative ${n.derivative}, quotient ${n.quotient}`;
      return c.state.op !== 'maxPool' && n.kink ? 'a kink where there is none' : '';
    });
    forRandomStates(7, (c) => {
      if (c.state.op.endsWith('Pool')) return '';
      for (const of of ['filter', 'bias'] as const) {
        const n = nudged(c, { of, index: 0 }, calculated)!;
        if (!agrees(n)) return `${of}: derivative ${n.derivative}, quotient ${n.quotient}`;
      }
      return '';
    });
  });

  it('says when two maxima are equal', () => {
    const c = calculated(
      stateOf({ op: 'maxPool', look: 'dx', height: 2, width: 2, x: [5, 5, 1, 2], dy: [3] }),
    );
    expect(nudged(c, { of: 'dx', index: 1 }, calculated)).toEqual(jasmine.objectContaining({ derivative: 0, kink: true })); // prettier-ignore
    expect(textOf(sentence(c, { of: 'y', index: 0 }))).toBe('y[0, 0] = max(5, 5, 1, 2) = 5, which stands in x[0, 0]: of 2 equal maxima the first one wins'); // prettier-ignore
  });

  describe('writes out', () => {
    const A = { x: [1, 2, 3, 4, 5, 6, 7, 8, 9], filter: [1, 2, 3, 4], dy: [1, 0, 0, 2] };
    const says = (fields: Partial<State>, of: 'y' | 'dx' | 'dy' | 'tfjs' | 'dFilter', index: number) =>
      textOf(sentence(calculated(stateOf({ ...A, ...fields })), { of, index }));

    it('y', () => expect(says({}, 'y', 0)).toBe('y[0, 0] = 1×1 + 2×2 + 4×3 + 5×4 = 37'));
    it('y with a bias', () => expect(says({ bias: [3] }, 'y', 0)).toBe('y[0, 0] = 3 + 1×1 + 2×2 + 4×3 + 5×4 = 40')); // prettier-ignore
    it('dx, scattered', () => expect(says({ look: 'dx', view: 'scatter' }, 'dx', 4)).toBe('dx[1, 1] = 1×4 + 0×3 + 0×2 + 2×1 = 6')); // prettier-ignore
    it('dx, gathered with zeros', () => expect(says({ look: 'dx' }, 'dx', 8)).toBe('dx[2, 2] = 2×4 + 0×3 + 0×2 + 0×1 = 8')); // prettier-ignore
    it('dFilter', () => expect(says({ look: 'dFilter' }, 'dFilter', 0)).toBe('dFilter[0, 0] = 1×1 + 2×0 + 4×0 + 5×2 = 11')); // prettier-ignore
    it('what a dy adds', () => expect(says({ look: 'dx' }, 'dy', 0)).toBe('dy[0, 0] = 1. It adds 1×1 = 1 to dx[0, 0]; 1×2 = 2 to dx[0, 1]; 1×3 = 3 to dx[1, 0]; 1×4 = 4 to dx[1, 1]')); // prettier-ignore
    it('an average at a border, and tfjs’s', () => {
      const fields: Partial<State> = {
        op: 'avgPool',
        look: 'dx',
        pad: 'same',
        strides: [2, 2],
        dy: [1, 1, 1, 1],
      };
      expect(says(fields, 'dx', 8)).toBe('dx[2, 2] = 1 / 1 = 1');
      expect(says(fields, 'tfjs', 8)).toBe('tfjs’s dx[2, 2] = 1 / 4 = 0.25');
    });
  });
});

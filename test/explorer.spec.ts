/** Specs of the explorer. What it computes is checked everywhere, its page only in browsers. */
import * as plugin from '../src/index.js';
import * as numeric from '../src/numeric.js';
import { codeOf, type Kind, KINDS } from '../demo/explorer/code.js';
import { onBackend } from '../demo/explorer/on_backend.js';
import { presetOf, PRESETS } from '../demo/explorer/presets.js';
import { mountExplorer } from '../demo/explorer/page.js';
import { calculated, type Calculation } from '../demo/explorer/calculation.js';
import { panelsOf } from '../demo/explorer/panels.js';
import { fromHash, hasPatches, isPool, LIMITS, LOOKS, numberIn, OPS, reshaped, RESULT, ROUNDINGS, type State, stateOf, toHash, VIEWS, xShape } from '../demo/explorer/state.js'; // prettier-ignore
import { differ } from '../demo/explorer/tfjs.js';
import { isResult, nudged, spreadOf, sumsSoFar, termsOf } from '../demo/explorer/sums.js';
import { agrees, marksOf, sentence, textOf, verdict } from '../demo/explorer/words.js';
import { type Random, randomFrom } from './support/num_random.js';
import { tf, valuesOf } from './support/tfjs.js';

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
    groups: upTo(2),
    dimRoundingMode: random.pick(ROUNDINGS),
    dataFormat: random.pick(['NHWC', 'NCHW'] as const),
    countIncludePad: random.below(2) === 1,
    soFar: random.below(2) === 1,
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

/** The computed cells that are on the page. Of tfjs's y the page shows no sums. */
const results = (c: Calculation) => panelsOf(c).flatMap(({ planes }) => planes.flatMap(({ cells }) => cells)).filter(({ of }) => isResult(of) && !(of === 'tfjs' && c.tfjs!.of === 'y')); // prettier-ignore

function totalOf(c: Calculation, cell: { of: 'y'; index: number }): number {
  const terms = termsOf(c, cell);
  if (c.state.op === 'maxPool' && cell.of === 'y' && terms.length === 0) return -Infinity;
  return terms.reduce((sum, { value }) => sum + value, 0);
}

describe('the explorer', () => {
  it('adds up to what the numeric functions give, cell by cell, in every view', () => {
    forRandomStates(1, (c) => {
      for (const view of VIEWS) {
        if (view === 'im2col' && !hasPatches(c.state)) continue;
        const seen = calculated({ ...c.state, view });
        for (const cell of results(seen)) {
          const total = totalOf(seen, cell as { of: 'y'; index: number });
          const want = seen.arrays[cell.of][cell.index];
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
      const { look, view } = c.state;
      const forward = view === 'im2col' ? 'patches' : 'x';
      const sources = look === 'forward' ? [forward] as const : look === 'dx' && view === 'im2col' ? ['dy', 'dPatches'] as const : ['dy'] as const; // prettier-ignore
      const sums = new Map<string, number>();
      for (const of of sources) {
        c.arrays[of].forEach((_, index) => {
          for (const { to, value } of spreadOf(c, { of, index })) sums.set(`${to.of}:${to.index}`, (sums.get(`${to.of}:${to.index}`) ?? 0) + value); // prettier-ignore
        });
      }
      for (const { of, index, value } of results(c)) {
        const { g, arrays, state } = c;
        const bias = of === 'y' && !isPool(state.op) ? arrays.bias[Math.floor(index / g.y.channel) % g.outChannels] : 0; // prettier-ignore
        const got = (sums.get(`${of}:${index}`) ?? 0) + bias;
        if (Number.isFinite(value) && Math.abs(got - value!) > 1e-12 * (1 + Math.abs(value!))) return `${of} ${index} is ${value}, but sources add ${got}`; // prettier-ignore
      }
      return '';
    });
  });

  it('builds up what a part of dy gives', () => {
    forRandomStates(9, ({ state }, random) => {
      if (state.look === 'forward') return '';
      const at = random.below(state.dy.length);
      const c = calculated({ ...state, view: 'scatter' });
      const sums = sumsSoFar(c, { of: 'dy', index: at });
      const part = calculated({ ...c.state, dy: state.dy.map((value, i) => (i <= at ? value : 0)) });
      const wrong = results(part).filter(({ of }) => of !== 'tfjs').find(({ of, index, value }) => Math.abs((sums.get(`${of}:${index}`) ?? 0) - value!) > 1e-12); // prettier-ignore
      return wrong ? `${wrong.of} ${wrong.index} is another after dy ${at}` : '';
    });
  });

  it('lights the same links from both ends', () => {
    forRandomStates(4, (c, random) => {
      const seen = calculated({ ...c.state, view: 'scatter' });
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
      const withFractions = { ...state, paint: random.pick([0, 9, NaN]), filter: state.filter.map((value) => value / 0), x: state.x.map((value) => value / 8), cell: { of: random.pick(['x', 'dy'] as const), index: random.below(3) } }; // prettier-ignore
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

  it('reads numbers as people write them', () => {
    const texts = [
      '1',
      '-2.5',
      '−2,5',
      ' 3 ',
      '-',
      '',
      'x',
      '-x',
      'NaN',
      'nan',
      '-∞',
      'inf',
      '-Infinity',
      '1e3',
    ];
    const want = [1, -2.5, -2.5, 3, 0, 0, 0, 0, NaN, NaN, -Infinity, Infinity, -Infinity, 1000];
    expect(texts.map(numberIn)).toEqual(want);
  });

  it('keeps the name of an example while its numbers stay', () => {
    for (const preset of PRESETS) {
      expect(presetOf(preset.state)).toBe(preset);
      for (const look of LOOKS) {
        for (const view of VIEWS) {
          const named = presetOf(stateOf({ ...preset.state, look, view, nudge: 3, soFar: true }));
          expect({ ...named?.state, look, view, cell: 0, nudge: 0, paint: 0 }).withContext(`${preset.title}, ${look}, ${view}`).toEqual({ ...preset.state, look, view, cell: 0, nudge: 0, paint: 0 } as never); // prettier-ignore
        }
      }
      expect(presetOf({ ...preset.state, x: preset.state.x.map((value) => value + 1) })).toBeUndefined();
    }
  });

  it('shows which channels a group has', () => {
    const c = calculated(stateOf({ channels: 4, outChannels: 2, groups: 2 }));
    const filter = panelsOf(c).find(({ of }) => of === 'filter')!;
    expect(filter.planes.map(({ title }) => title)).toEqual(['channel 0 to 0', 'channel 1 to 0', 'channel 2 to 1', 'channel 3 to 1']); // prettier-ignore
    const seen = termsOf(c, { of: 'y', index: 1 }).flatMap(({ factors }) => factors.filter(({ of }) => of === 'x')); // prettier-ignore
    expect(new Set(seen.map(({ index }) => index % 4))).toEqual(new Set([2, 3]));
    const linked = [1, 2].map((groups) => calculated(stateOf({ channels: 2, outChannels: 2, groups })).links.length); // prettier-ignore
    expect(linked[0]).toBe(2 * linked[1]);
    expect(problem(stateOf({ channels: 3, groups: 2 }))).toMatch(/groups/);
    expect(problem(stateOf({ channels: 4, outChannels: 3, groups: 2 }))).toMatch(/groups/);
  });

  it('gives a zero of the padding no part in a product with Infinity', () => {
    const fields: Partial<State> = { filterHeight: 3, filterWidth: 3, filter: [Infinity, 1, 1, 1, 1, 1, 1, 1, 1], pad: 'same' }; // prettier-ignore
    for (const view of VIEWS) {
      const c = calculated(stateOf({ ...fields, view }));
      expect(c.arrays.y[0]).toBe(c.state.x[0] + c.state.x[1] + c.state.x[3] + c.state.x[4]);
      expect(totalOf(c, { of: 'y', index: 0 })).toBe(c.arrays.y[0]);
      expect(c.arrays.y[4]).toBe(Infinity);
    }
  });

  it('finds the derivative by a nudge, but for kinks', () => {
    forRandomStates(6, (c, random) => {
      const index = random.below(c.state.x.length);
      const n = nudged(c, { of: 'x', index }, calculated)!;
      if (!agrees(n) && !n.kink) return `x ${index}: derivative ${n.derivative}, quotient ${n.quotient}`;
      return c.state.op !== 'maxPool' && n.kink ? 'a kink where there is none' : '';
    });
    forRandomStates(7, (c) => {
      if (isPool(c.state.op)) return '';
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
    const verdicts = [-1, 1].map((nudge) => verdict(nudged({ ...c, state: { ...c.state, nudge } }, { of: 'dx', index: 0 }, calculated)!)); // prettier-ignore
    expect(verdicts).toEqual([
      jasmine.stringContaining('kink'),
      jasmine.stringContaining('Both agree, on this side'),
    ]);
    expect(textOf(sentence(c, { of: 'y', index: 0 }))).toBe('y[0, 0] = max(5, 5, 1, 2) = 5, which stands in x[0, 0]: of 2 equal maxima the first one wins'); // prettier-ignore
  });

  /** What tfjs's own kernels give for what is looked at, on the active backend. The bias is left out. */
  function byTfjs(state: State): tf.Tensor {
    const { op, look, strides, dilations, pad, dataFormat, dimRoundingMode: rounding } = state;
    const sides = typeof pad === 'string' ? [] : [pad.slice(0, 2), pad.slice(2)];
    const explicit = dataFormat === 'NHWC' ? [[0, 0], ...sides, [0, 0]] : [[0, 0], [0, 0], ...sides];
    const given = typeof pad === 'string' ? pad : pad.every((side) => side === pad[0]) ? pad[0] : explicit;
    const mode = typeof pad === 'string' ? undefined : rounding;
    const [s, d, p] = [strides as [number, number], dilations as [number, number], given as 'same'];
    const x = tf.tensor4d(state.x, xShape(state) as [number, number, number, number]);
    const { filterHeight, filterWidth, channels, groups, outChannels } = state;
    const filter = tf.tensor4d(state.filter, [filterHeight, filterWidth, channels / groups, outChannels]);
    const bias = tf.tensor1d(state.bias);
    const f = (a: tf.Tensor4D, b: tf.Tensor4D) => {
      if (op === 'maxPool') return tf.maxPool(a, [filterHeight, filterWidth], s, p, mode);
      if (op === 'avgPool') return tf.avgPool(a, [filterHeight, filterWidth], s, p, mode);
      if (op === 'depthwiseConv2d') return tf.depthwiseConv2d(a, b, s, p, dataFormat, d, mode);
      // Its gradient is a matter of its own.
      if (state.bias[0] !== 0 && look !== 'forward') return tf.fused.conv2d({ x: a, filter: b, strides: s, pad: p, dataFormat, dilations: d, dimRoundingMode: mode, bias }); // prettier-ignore
      return tf.conv2d(a, b, s, p, dataFormat, d, mode);
    };
    if (look === 'forward') return f(x, filter);
    const y = f(x, filter);
    const dy = y.size === state.dy.length ? tf.tensor(state.dy, y.shape) : tf.onesLike(y);
    return look === 'dx' ? tf.grad((a) => f(a as tf.Tensor4D, filter))(x, dy) : tf.grad((b) => f(x, b as tf.Tensor4D))(filter, dy); // prettier-ignore
  }

  /** The same values as tfjs would have them, as far as the page says. */
  function expectTfjs(c: Calculation, got: tf.Tensor, want: Float64Array): string {
    const { g, state, tfjs } = c;
    const isY = state.look === 'forward';
    const width = tfjs?.width ?? g.outWidth;
    const kept = Array.from(want.keys()).filter((i) => !isY || Math.floor(i / g.y.col) % g.outWidth < width);
    const bias = (i: number) => (isY && !isPool(state.op) ? state.bias[Math.floor(i / g.y.channel) % g.outChannels] : 0); // prettier-ignore
    const values = valuesOf(got);
    const wrong = kept.findIndex((i, k) => differ(values[k], want[i] - bias(i)) && !(Math.abs(values[k] / (want[i] - bias(i)) - 1) < 1e-5)); // prettier-ignore
    if (values.length !== kept.length) return `tfjs has ${values.length} values, not ${kept.length}`;
    return wrong < 0 ? '' : `${wrong} is ${values[wrong]}, not ${want[kept[wrong]]}`;
  }

  for (const backendName of ['cpu', 'wasm', 'webgl'] as const) {
    it(`says what tfjs 4.22 gives on ${backendName}`, async () => {
      if (!(await tf.setBackend(backendName).catch(() => false))) return pending('it does not start here');
      const random = randomFrom(11);
      // Negative numbers, NaN and Infinity make cases of their own in pools.
      const odd = (state: State) => (state.op === 'maxPool' && random.below(2) ? { ...state, x: state.x.map((value) => (random.below(4) ? -Math.abs(value) : random.pick([NaN, -Infinity]))) } : state); // prettier-ignore
      // What tf has, too. Elsewhere the page says nothing about tfjs.
      const plain = { dilations: [1, 1], dataFormat: 'NHWC', countIncludePad: false, groups: 1 } as const;
      const drawn = Array.from({ length: 400 }, () => odd(stateOf({ ...randomState(random), ...plain, dilations: [1, 1] }))); // prettier-ignore
      const counts = { wrong: 0, right: 0 };
      for (const state of [...PRESETS.map((preset) => preset.state), ...drawn]) {
        if (problem(state)) continue;
        const c = calculated({ ...state, bias: state.bias.map(() => 0) });
        const { op, look, pad, dilations } = c.state;
        const isSaid = c.tfjs?.backends.includes(backendName) ?? false;
        // Of wasm the page says less: there tfjs leaves cells undefined. A pad of one number may give tfjs another shape.
        const isRight = !c.tfjs && backendName === 'cpu' && typeof pad === 'string' && op !== 'dense' && plain.dilations.every((d, i) => d === dilations[i]); // prettier-ignore
        if (!isSaid && !(isRight && c.state.dataFormat === 'NHWC' && c.state.groups === 1 && !c.state.countIncludePad)) continue; // prettier-ignore
        counts[isSaid ? 'wrong' : 'right']++;
        const want = isSaid ? c.arrays.tfjs : c.arrays[RESULT[look]];
        const complaint = tf.tidy(() => expectTfjs(c, byTfjs(c.state), want));
        expect(complaint).withContext(toHash(state)).toBe('');
      }
      expect(counts.wrong).toBeGreaterThan(20);
      if (backendName === 'cpu') expect(counts.right).toBeGreaterThan(20);
    });
  }

  it('has examples of the rows of docs/deviations.md that show in cells, or where tfjs throws', () => {
    const rows = PRESETS.flatMap(({ title, state }) => {
      const row = /^Row \d+/.exec(title)?.[0];
      return row ? [`${row}: ${calculated(state).tfjs?.backends.join(', ') ?? ''}`] : [];
    });
    const all = 'cpu, webgl, wasm';
    expect(rows.filter((row) => !row.endsWith(': '))).toEqual([`Row 1: ${all}`, `Row 2: ${all}`, 'Row 3: cpu, webgl', 'Row 7: webgl, wasm', 'Row 8: cpu', 'Row 9: cpu', 'Row 10: cpu', 'Row 12: cpu, webgl', 'Row 14: wasm', 'Row 15: webgl', 'Row 26: wasm']); // prettier-ignore
    expect(rows.filter((row) => row.endsWith(': ')).map((row) => parseInt(row.slice(4)))).toEqual([4, 5, 11, 11, 11, 18, 25, 38, 39]); // prettier-ignore
  });

  it('says where tfjs 4.22 throws', async () => {
    const quotes = PRESETS.flatMap(({ title, about, state }) => Array.from(about.matchAll(/“(.*?)”/g), ([, quote]) => ({ title, quote, state }))); // prettier-ignore
    expect(quotes.length).toBeGreaterThan(5);
    for (const { title, quote, state } of quotes) {
      await tf.setBackend(title.endsWith('wasm') ? 'wasm' : 'cpu');
      expect(() => tf.tidy(() => byTfjs(state)))
        .withContext(title)
        .toThrowMatching(({ message }: Error) => message.includes(quote));
    }
    await tf.setBackend('cpu');
  });

  /** The arrays that a program of the page computes. */
  function ranBy(state: State, kind: Kind): ArrayLike<number>[] {
    const names = isPool(state.op) ? '[y, dx]' : '[y, dx, dFilter, dBias]';
    const body = codeOf(state, kind)
      .replace(/^import .* as tf .*$/m, '')
      .replace(/^import ({.*}) from .*$/m, 'const $1 = library;')
      .replace(/^.*(print|console\.log)\(.*$/m, `return ${names};`);
    return new Function('tf', 'library', body)(tf, kind === 'tfjs-convgrad' ? plugin : numeric);
  }

  it('gives programs that compute what is shown', () => {
    const random = randomFrom(8);
    for (let i = 0; i < 40; i++) {
      const { state, arrays, g } = calculated(randomState(random));
      const { dx, dFilter, dBias } = arrays;
      const noBias = arrays.y.map((value, yi) => value - (isPool(state.op) ? 0 : arrays.bias[Math.floor(yi / g.y.channel) % g.outChannels])); // prettier-ignore
      for (const kind of KINDS) {
        const y = kind === 'tfjs-convgrad' ? arrays.y : noBias;
        const want = isPool(state.op) ? [y, dx] : [y, dx, dFilter, dBias];
        const got = tf.tidy(() => ranBy(state, kind).map((values) => Array.from(values instanceof tf.Tensor ? valuesOf(values) : values))); // prettier-ignore
        const isNear = got.every((values, k) => values.length === want[k].length && values.every((value, n) => value === want[k][n] || Math.abs(value - want[k][n]) < 1e-4)); // prettier-ignore
        expect(isNear)
          .withContext(`${kind}, ${toHash(state)}`)
          .toBeTrue();
      }
    }
  });

  describe('writes out', () => {
    const A = { x: [1, 2, 3, 4, 5, 6, 7, 8, 9], filter: [1, 2, 3, 4], dy: [1, 0, 0, 2] };
    const says = (fields: Partial<State>, of: 'y' | 'dx' | 'dy' | 'tfjs' | 'dFilter', index: number) =>
      textOf(sentence(calculated(stateOf({ ...A, ...fields })), { of, index }));

    it('y', () => expect(says({}, 'y', 0)).toBe('y[0, 0] = 1×1 + 2×2 + 4×3 + 5×4 = 37'));
    it('y with a bias', () => expect(says({ bias: [3] }, 'y', 0)).toBe('y[0, 0] = 3 + 1×1 + 2×2 + 4×3 + 5×4 = 40')); // prettier-ignore
    it('dx, scattered', () => expect(says({ look: 'dx', view: 'scatter' }, 'dx', 4)).toBe('dx[1, 1] = 1×4 + 0×3 + 0×2 + 2×1 = 6')); // prettier-ignore
    it('dx, gathered with zeros', () => expect(says({ look: 'dx' }, 'dx', 8)).toBe('dx[2, 2] = 2×4 + 0×3 + 0×2 + 0×1 = 8')); // prettier-ignore
    it('long sums without the zeros', () => {
      const fields: Partial<State> = { x: Array(18).fill(2), dy: undefined, filter: Array(50).fill(1), channels: 2, filterHeight: 5, filterWidth: 5, pad: 'same' }; // prettier-ignore
      const text = says(fields, 'y', 0);
      expect(text.match(/2×1/g)!.length).toBe(18);
      expect(text).toMatch(/2×1 \+ 32 products with a zero that was put there = 36$/);
    });
    it('dFilter', () => expect(says({ look: 'dFilter' }, 'dFilter', 0)).toBe('dFilter[0, 0] = 1×1 + 2×0 + 4×0 + 5×2 = 11')); // prettier-ignore
    it('what a dy adds', () => expect(says({ look: 'dx' }, 'dy', 0)).toBe('dy[0, 0] = 1. It adds 1×1 = 1 to dx[0, 0]; 1×2 = 2 to dx[0, 1]; 1×3 = 3 to dx[1, 0]; 1×4 = 4 to dx[1, 1]')); // prettier-ignore
    it('a product of matrices, and col2im', () => {
      const fields: Partial<State> = { view: 'im2col', pad: 'same' };
      const patches = 'patches' as 'y';
      expect(says(fields, 'y', 8)).toBe('y[2, 2] = 9×1 + 0×2 + 0×3 + 0×4 = 9');
      expect(says(fields, patches, 33)).toBe(
        'patches[8, 1] = 0, a zero of the padding. It adds 0×2 = 0 to y[2, 2]',
      );
      expect(says(fields, patches, 32)).toBe(
        'patches[8, 0] = 9, which is x[2, 2]. It adds 9×1 = 9 to y[2, 2]',
      );
      expect(says(fields, 'x' as 'y', 4)).toBe('x[1, 1] = 5. The patch matrix holds it 4 times');
      const backward: Partial<State> = { view: 'im2col', look: 'dx', cell: { of: 'dx', index: 4 } };
      expect(says(backward, 'dx', 4)).toBe('dx[1, 1] = 4 + 0 + 0 + 2 = 6');
      expect(says(backward, 'dPatches' as 'dx', 3)).toBe('dPatches[0, 3] = 1×4 = 4');
      const marks = marksOf(calculated(stateOf({ ...A, ...backward })), { of: 'dPatches', index: 3 });
      expect(marks.get('dx:4')).toEqual({ kind: 'feeds', note: '+4' });
    });
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

describe('the explorer’s page', () => {
  if (typeof document === 'undefined') {
    it('is tested in browsers', () => pending('there is no page here'));
    return;
  }

  const root = document.createElement('div');
  const address = location.href;
  const all = <E extends HTMLElement>(selector: string) => Array.from(root.querySelectorAll<E>(selector));
  const find = <E extends HTMLElement>(selector: string) => root.querySelector<E>(selector)!;
  const cell = (of: string, index: number) => find(`td[data-of=${of}][data-index="${index}"]`);
  const field = (of: string, index: number) => cell(of, index).querySelector('input')!;
  const sum = () => find('.sum').textContent;
  /** The values of an array, in its order. */
  const values = (of: string) => {
    const tds = all(`td[data-of=${of}]`).sort((p, q) => Number(p.dataset.index) - Number(q.dataset.index));
    return tds.map((td) => td.querySelector('input')?.value ?? td.textContent);
  };
  const choose = (name: string, value: string) => find(`input[name=${name}][value=${value}]`).click();
  const type = (input: HTMLInputElement, text: string) => {
    input.focus();
    input.value = text;
    input.dispatchEvent(new Event('input', { bubbles: true }));
  };
  const press = (...keys: string[]) => {
    for (const key of keys) document.activeElement!.dispatchEvent(new KeyboardEvent('keydown', { key, bubbles: true, cancelable: true })); // prettier-ignore
  };
  const change = (select: HTMLSelectElement, value: string) => {
    select.value = value;
    select.dispatchEvent(new Event('change', { bubbles: true }));
  };
  const example = (start: string) => change(find('.example select'), String(PRESETS.findIndex(({ title }) => title.startsWith(start)))); // prettier-ignore
  const until = async (isSo: () => boolean) => {
    while (!isSo()) await new Promise((done) => setTimeout(done, 20));
  };
  const open = async (hash: string) => {
    if (location.hash === hash) return;
    const moved = new Promise((done) => addEventListener('popstate', done, { once: true }));
    location.hash = hash;
    await moved;
  };

  beforeAll(() => {
    document.body.append(root);
    mountExplorer(root);
  });
  beforeEach(() => example('A: a convolution'));
  afterAll(async () => {
    await tf.setBackend('cpu');
    root.remove();
    history.replaceState(null, '', address);
  });

  it('names every control and every grid', () => {
    const unnamed = all('select, button, input, table, [tabindex]').filter((element) => {
      const labels = (element as HTMLInputElement).labels;
      return !(element.getAttribute('aria-label') ?? labels?.[0]?.textContent ?? element.textContent)?.trim();
    });
    expect(unnamed).toEqual([]);
  });

  it('has one stop of the Tab key in each grid', () => {
    const stops = all('table').map((table) => table.querySelectorAll('[tabindex="0"]').length);
    expect(stops).toEqual([1, 1, 1, 1]);
  });

  it('computes at once what is typed, and puts it into the address', async () => {
    type(field('x', 0), '-2.5');
    expect(values('y')).toEqual(['33.5', '47', '67', '77']);
    expect(field('x', 0).value).toBe('-2.5');
    expect(find<HTMLSelectElement>('.example select').value).toBe('');
    await until(() => fromHash(location.hash).x[0] === -2.5);
    type(field('x', 0), '-');
    expect(field('x', 0).value).toBe('-');
    expect(values('y')[0]).toBe('36');
  });

  it('lights up what a cell under the pointer depends on', () => {
    const over = (target: Element) =>
      target.dispatchEvent(new PointerEvent('pointerover', { bubbles: true }));
    over(cell('y', 3));
    expect(all('.reads').map(({ dataset }) => `${dataset.of} ${dataset.index} ${dataset.note}`)).toEqual(
      ['x 4 ×1', 'x 5 ×2', 'x 7 ×3', 'x 8 ×4', 'filter 0 ×5', 'filter 1 ×6', 'filter 2 ×8', 'filter 3 ×9', 'bias 0 +'], // prettier-ignore
    );
    expect(sum()).toBe('y[1, 1] = 5×1 + 6×2 + 8×3 + 9×4 = 77');
    over(cell('x', 0).querySelector('input')!);
    expect(all('.feeds').map(({ dataset }) => `${dataset.of} ${dataset.index} ${dataset.note}`)).toEqual(['y 0 +1']); // prettier-ignore
    find('.grids').dispatchEvent(new PointerEvent('pointerleave'));
    expect(sum()).toContain('y[0, 0]');
  });

  it('goes back and forward', async () => {
    choose('follow', 'dx');
    choose('view', 'scatter');
    expect(fromHash(location.hash)).toEqual(jasmine.objectContaining({ look: 'dx', view: 'scatter' }));
    history.back();
    await until(() => find<HTMLInputElement>('[name=view][value=gather]').checked);
    expect(all('.panel').length).toBe(4);
    expect(field('dy', 0).value).toBe('1');
    history.forward();
    await until(() => find<HTMLInputElement>('[name=view][value=scatter]').checked);
    expect(all('.panel').length).toBe(3);
  });

  it('keeps in the history what was typed just before', async () => {
    type(field('x', 0), '8');
    choose('follow', 'dx');
    history.back();
    await until(() => all('.panel').length === 4 && find<HTMLInputElement>('[value=forward]').checked);
    expect(field('x', 0).value).toBe('8');
  });

  it('keeps the numbers when the view changes', () => {
    for (const { title, state } of PRESETS) {
      example(title);
      const before = [values('y'), values('dx'), values('dFilter'), values('tfjs')];
      choose('view', state.view === 'gather' ? (state.op === 'conv2d' ? 'im2col' : 'scatter') : 'gather');
      expect([values('y'), values('dx'), values('dFilter'), values('tfjs')])
        .withContext(title)
        .toEqual(before);
    }
  });

  it('says what does not fit', () => {
    const filterHeight = all<HTMLSelectElement>('.sizes select')[4];
    change(filterHeight, '5');
    expect(find('.trouble').textContent).toMatch(/window|filter/);
    expect(find('.explored').hidden).toBeTrue();
    change(filterHeight, '2');
    expect(find('.explored').hidden).toBeFalse();
    expect(find('.trouble').textContent).toBe('');
  });

  it('steps from cell to cell, and plays', async () => {
    const button = (text: string) => all('button').find(({ textContent }) => textContent === text)!;
    button('Next').click();
    expect(sum()).toContain('y[0, 1] = ');
    change(
      all<HTMLSelectElement>('select').find(({ value }) => value === 'medium')!,
      'fast',
    );
    button('Play').click();
    await until(() => sum()!.startsWith('y[1, 1]'));
    await until(() => !button('Pause'));
    button('Play').click();
    expect(sum()).toContain('y[0, 0] = ');
    button('Pause').click();
    button('Next').click();
    button('Previous').click();
    expect(sum()).toContain('y[0, 0] = ');
  }, 20_000);

  it('builds a gradient up, cell by cell of dy', () => {
    example('A: its gradient of x');
    find('input[type=checkbox]').click();
    expect(values('dx')).toEqual(['1', '2', '0', '3', '4', '0', '0', '0', '0']);
    expect(fromHash(location.hash)).toEqual(
      jasmine.objectContaining({ soFar: true, cell: { of: 'dy', index: 0 } }),
    );
    for (let i = 0; i < 3; i++)
      all('button')
        .find(({ textContent }) => textContent === 'Next')!
        .click();
    expect(values('dx')).toEqual(['1', '2', '0', '3', '6', '4', '0', '6', '8']);
    choose('view', 'gather');
    expect(find('input[type=checkbox]').checkVisibility?.()).not.toBeTrue();
  });

  for (const backendName of ['cpu', 'wasm', 'webgl']) {
    it(`computes by the kernels of ${backendName}, too`, async () => {
      if (!(await tf.setBackend(backendName).catch(() => false))) return pending('it does not start here');
      Object.assign(globalThis, { explorerOnBackend: onBackend });
      const equal = (...names: string[]) => names.map((name) => `${name}: equal to float64 in every cell`);
      for (const { title, state } of PRESETS) {
        if (state.op === 'avgPool' || state.dy.some((value) => !Number.isInteger(value))) continue; // float32 rounds there
        example(title);
        find('.kernels button').click();
        await until(() => find('.kernels .lines').textContent !== 'Computing …');
        const lines = all('.kernels p').map(({ textContent }) => textContent);
        const names = isPool(state.op) ? ['y', 'dx'] : ['y', 'dx', 'dFilter', 'dBias'];
        expect(lines)
          .withContext(title)
          .toEqual(equal(...names));
      }
      cell('dx', 1).focus();
      expect(all('.kernels p').length).toBeGreaterThan(0);
      type(field('dy', 0), '5');
      expect(all('.kernels p')).toEqual([]);
    });
  }

  it('is walked by keyboard: a link to a step, an edit, both views, a nudge, and tfjs’s wrong gradient', async () => {
    const D = PRESETS.find(({ title }) => title.startsWith('D: stride 2'))!.state;
    await open(toHash({ ...D, cell: { of: 'dx', index: 6 } }));
    expect(sum()).toContain('dx[1, 1] = ');
    const stop = () => all('table[aria-label=dx] [tabindex="0"]')[0];
    expect(stop()).toBe(cell('dx', 6));
    stop().focus();
    press('ArrowRight', 'ArrowDown', 'ArrowLeft');
    expect(document.activeElement).toBe(cell('dx', 11));
    expect(sum()).toContain('dx[2, 1] = ');
    expect(all('.gap.reads').length).toBeGreaterThan(0);

    all('table[aria-label^="dy, can be edited"] input[tabindex="0"]')[0].focus();
    press('End', 'ArrowDown');
    expect(document.activeElement).toBe(field('dy', 5));
    type(field('dy', 5), '7');
    cell('dx', 9).focus();
    const gathered = values('dx');
    expect(sum()).toMatch(/^dx\[1, 4\] = .*7/);
    choose('view', 'scatter');
    expect(values('dx')).toEqual(gathered);
    expect(sum()).toMatch(/^dx\[1, 4\] = .*7/);

    example('Row 1');
    const [right, wrong] = [cell('dx', 8), cell('tfjs', 8)];
    right.focus();
    expect(sum()).toBe('dx[2, 2] = 1 / 1 = 1');
    expect(find('.lines').textContent).toContain('(23 − 22) / 1 = 1');
    expect(find('.lines').textContent).toContain('✓ Both agree');
    expect(find('.lines').textContent).toContain('✗ tfjs 4.22 says 0.25 here');
    wrong.focus();
    expect(sum()).toBe('tfjs’s dx[2, 2] = 1 / 4 = 0.25');
    expect(wrong.className).toContain('wrong');
    expect(wrong.getAttribute('aria-label')).toBe('row 2, column 2: 0.25, wrong');
    press('PageUp');
    expect(find('.said').textContent).toBe('x[2, 2] is now 10');
    expect(find('.lines').textContent).toContain('(24 − 23) / 1 = 1');
  });
});

/** Specs of the demo page. Its words and its planes are tested everywhere, the page itself only in browsers. */
import { caseEntries, caseInWords, similarCase } from '../demo/cases.js';
import { between } from '../demo/dom.js';
import { fromHash } from '../demo/explorer/state.js';
import { measure, type Measured } from '../demo/measure.js';
import { mountPage } from '../demo/page.js';
import { placeInWords, planesOf } from '../demo/planes.js';
import { type Outcome, resultsOf, verdict } from '../demo/results.js';
import { inTurn } from '../demo/turns.js';
import { sizeOf } from '../kernels/geometry.js';
import type { BackendName, KernelName } from '../kernels/registry.js';
import { subjects } from '../kernels/subjects.js';
import type { Comparison } from '../src/cli/comparison.js';
import { placeOf } from '../src/verify/case.js';
import { untiedInputs } from '../src/verify/compare-kernels.js';
import { floats } from '../src/verify/data.js';
import { tf } from './support/tfjs.js';

const all = subjects();
const casesOf = (kernelName: KernelName) => all.filter((subject) => subject.kernelName === kernelName);
const subjectOf = (kernelName: KernelName, caseName: string) =>
  casesOf(kernelName).find((subject) => subject.caseName === caseName)!;

describe('the demo, a case', () => {
  const after = (from: KernelName, caseName: string, to: KernelName) => {
    const { subject, words } = similarCase(subjectOf(from, caseName), casesOf(to));
    return [subject.caseName, words];
  };

  it('stays when its convolution is differentiated', () => {
    for (const { kernelName, caseName } of [...casesOf('Conv2D'), ...casesOf('DepthwiseConv2dNative')]) {
      for (const gradient of ['BackpropInput', 'BackpropFilter'])
        expect(after(kernelName, caseName, `${kernelName}${gradient}` as KernelName)).toEqual([caseName, `The case stays: ${caseName}.`]); // prettier-ignore
    }
    for (const { caseName } of casesOf('MaxPool'))
      expect(after('AvgPoolGrad', caseName, 'MaxPoolGrad')[0]).toBe(caseName);
  });

  it('stays under another name', () => {
    const name = 'stride 2 with dilation 2, same (indexes)';
    expect(after('MaxPoolWithArgmax', name, 'AvgPool')).toEqual([
      'stride 2 with dilation 2, same',
      'The sizes stay. This case of AvgPool is named stride 2 with dilation 2, same.',
    ]);
  });

  it('keeps its name where a kernel has other sizes under it', () => {
    expect(after('Conv2D', 'same', 'DepthwiseConv2dNative')).toEqual([
      'same',
      'The case keeps its name, same, with other sizes: those of DepthwiseConv2dNative.',
    ]);
  });

  it('gives way to the nearest one', () => {
    const nearest = (from: KernelName, caseName: string, to: KernelName, name: string) =>
      expect(after(from, caseName, to)).toEqual([name, `${to} has no case ${caseName}. The nearest one is ${name}.`]); // prettier-ignore
    nearest('Conv2D', 'stride 2 with dilation 2', 'MaxPool', 'stride 2 with dilation 2, same');
    nearest('MaxPool', 'global', 'Conv2D', 'filter as large as x');
    nearest('FusedConv2D', 'tanh, dilation 2', 'Conv2D', 'dilation 2');
    nearest('BatchMatMul', 'rank 2', '_FusedMatMul', 'bias');
  });

  it('is said in words and shapes', () => {
    const subject = subjectOf('Conv2DBackpropFilter', 'NCHW, stride 2, explicit pads');
    expect(caseInWords(subject)).toEqual([
      'The gradient of the filter. Each cell of dFilter gathers: it sums x times dy over all windows.',
      'x: 1 image of 6 by 7, 2 channels. Window: 3 by 2. y: 1 image of 4 by 4, 3 channels.',
    ]);
    expect(caseEntries(subject)).toEqual([
      ['x [n, c, h, w]', '[1, 2, 6, 7]'],
      ['dy [n, c, h, w]', '[1, 3, 4, 4]'],
      ['strides', '2'],
      ['pad', '[[0, 0], [0, 0], [1, 2], [0, 1]]'],
      ['dilations', '1'],
      ['dataFormat', 'NCHW'],
      ['dFilter [h, w, c, out]', '[3, 2, 2, 3]'],
    ]);
  });

  it('is said in words for every kernel that has windows', () => {
    for (const subject of all) {
      const words = caseInWords(subject);
      expect(words.length).toBe(subject.attrs.strides === undefined ? 0 : 2);
      expect(words.join()).not.toContain('undefined');
    }
  });
});

describe('the demo, planes', () => {
  it('have every element once, in rows and columns of 32 at most', () => {
    for (const subject of all.filter(({ outShape }) => sizeOf(outShape) < 50_000)) {
      const planes = planesOf(subject, new Float64Array(sizeOf(subject.outShape)));
      const elements = planes.flatMap(({ elements }) => elements).sort((p, q) => p - q);
      expect(elements).toEqual(Array.from(elements.keys()));
      expect(elements.length).toBe(sizeOf(subject.outShape));
      expect(new Set(planes.map(({ name }) => name)).size).toBe(planes.length);
      for (const { columns, elements } of planes) {
        const place = (i: number) => placeOf(elements[i], subject.outShape);
        expect(elements.length % columns).toBe(0);
        expect(Math.max(columns, elements.length / columns)).toBeLessThan(33);
        // One step to the right changes one coordinate, whatever the row.
        const changed = (i: number) => place(i).map((at, axis) => place(i + 1)[axis] - at);
        if (columns > 1 && elements.length > columns) expect(changed(0)).toEqual(changed(columns));
      }
    }
  });

  it('begin with the one that has the largest error', () => {
    const subject = subjectOf('Conv2D', 'NCHW'); // y: [2, 4, 6, 5]
    const ratios = new Float64Array(sizeOf(subject.outShape)).fill(0.25);
    ratios[30 * 6 + 7] = 0.5; // image 1, channel 2, row 1, column 2
    const [first, second] = planesOf(subject, ratios);
    expect([first.name, first.columns, first.elements[7], first.error]).toEqual(['image 1, channel 2', 5, 187, 0.5]); // prettier-ignore
    expect([second.name, second.error]).toEqual(['image 0, channel 0', 0.25]);
    expect(placeInWords(subject, 187)).toBe('image 1, channel 2, row 1, column 2');
  });

  it('are one if images have one pixel', () => {
    const subject = subjectOf('Conv2D', 'filter as large as x'); // y: [3, 1, 1, 3]
    const [plane, ...others] = planesOf(subject, new Float64Array(9));
    expect([plane.name, plane.columns, others.length]).toEqual(['', 3, 0]);
    expect(placeInWords(subject, 5)).toBe('image 1, channel 2');
  });

  it('are blocks of a large matrix', () => {
    const subject = subjectOf('BatchMatMul', 'more than a block'); // y: [133, 261]
    const ratios = new Float64Array(133 * 261);
    ratios[130 * 261 + 258] = 1;
    const [{ name, columns, elements }] = planesOf(subject, ratios);
    expect([name, columns, elements.length]).toEqual(['rows 128 to 132, columns 256 to 260', 5, 25]);
  });
});

describe('the demo, times', () => {
  it('have the digits that their spread supports', () => {
    expect(between([1.934, 2.312])).toBe('1.9 to 2.3');
    expect(between([0.31, 4.2])).toBe('0.3 to 4');
    expect(between([0.96, 1.04])).toBe('0.96 to 1.0');
    expect(between([9.7, 21])).toBe('10 to 20');
    expect(between([95, 312])).toBe('100 to 300');
    expect(between([123.4, 123.5])).toBe('120');
  });
});

describe('the demo, a verdict', () => {
  const subject = subjectOf('Conv2D', 'same');
  const measured = (comparison: Partial<Comparison>) => ({ comparison: { ok: false, error: 0.5, gradientError: null, ...comparison } }) as Measured; // prettier-ignore
  const words = (outcomes: [BackendName, Outcome][]) => verdict(subject, new Map(outcomes));

  it('is right if no backend is wrong', () => {
    const right = measured({ ok: true });
    expect(words([['cpu', right], ['wasm', null], ['webgl', right]])).toEqual({ ok: true, text: '✓ Conv2D, same: right on cpu and webgl, no kernel of the plugin on wasm.' }); // prettier-ignore
  });

  it('names the backends that are wrong', () => {
    const outcomes = [measured({ gradientError: 2 }), measured({}), new Error('lost')] as const;
    expect(words([['cpu', outcomes[0]], ['wasm', outcomes[1]], ['webgl', outcomes[2]]])).toEqual({
      ok: false,
      text: '✗ Conv2D, same: wrong on cpu, right, but tfjs’s own kernel differs unexpectedly on wasm, throws on webgl.',
    }); // prettier-ignore
  });
});

describe('the demo page', () => {
  if (typeof document === 'undefined') {
    it('is tested in browsers', () => pending('there is no page here'));
    return;
  }

  const root = document.createElement('div');
  let section: HTMLElement;
  const find = <E extends HTMLElement>(selector: string) => section.querySelector<E>(selector)!;
  const findAll = <E extends HTMLElement>(selector: string) => Array.from(section.querySelectorAll<E>(selector)); // prettier-ignore
  const named = <E extends HTMLElement>(selector: string, name: string) => findAll<E>(selector).find((element) => nameOf(element) === name)!; // prettier-ignore
  const choose = (name: string, value: string) => {
    const select = named<HTMLSelectElement>('select', name);
    select.value = value;
    select.dispatchEvent(new Event('change', { bubbles: true }));
  };
  const text = (selector: string) => find(selector).textContent!;
  const press = (key: string) => document.activeElement!.dispatchEvent(new KeyboardEvent('keydown', { key, bubbles: true, cancelable: true })); // prettier-ignore
  /** What the page says of a cell, by name. */
  const numbers = () => Object.fromEntries(findAll('.numbers dt').map((dt) => [dt.textContent, dt.nextSibling!.textContent!])); // prettier-ignore
  const numberOf = (name: string) => Number(numbers()[name].replaceAll('−', '-'));
  const rowOf = (head: string) => findAll<HTMLTableRowElement>('tr').find((row) => row.cells[0].textContent === head)!; // prettier-ignore
  const cells = () => findAll('[role=gridcell]');
  const tabStops = () => cells().filter(({ tabIndex }) => tabIndex === 0);
  const hasWebgl = () => tf.env().getBool('HAS_WEBGL');
  const everywhere = () => (hasWebgl() ? 'cpu, wasm and webgl' : 'cpu and wasm');

  beforeAll(async () => {
    document.body.append(root);
    await mountPage(root);
    section = root.querySelector('[aria-labelledby=compare]')!;
  });

  afterAll(async () => {
    root.remove();
    await tf.setBackend('cpu');
  });

  /** Runs a comparison, and returns the verdict. */
  async function run(kernelName: string, caseName: string): Promise<string> {
    choose('Kernel', kernelName);
    choose('Case', caseName);
    named('button', 'Compare').click();
    expect(text('.verdict')).toMatch(/^Running on .* …$/);
    while (/…$/.test(text('.verdict'))) await new Promise((done) => setTimeout(done, 20));
    return text('.verdict');
  }

  it('leads to the explorer, for a gather and for a scatter', () => {
    const links = Array.from(root.querySelectorAll<HTMLAnchorElement>('[aria-labelledby=explorer] a'));
    const states = links.map(({ hash }) => fromHash(hash)).map(({ look, view }) => [look, view]);
    expect(states).toEqual([['forward', 'gather'], ['forward', 'gather'], ['dx', 'gather'], ['dx', 'scatter']]); // prettier-ignore
  });

  it('shows the case, and keeps it when the kernel changes', () => {
    choose('Kernel', 'Conv2D');
    choose('Case', 'stride 2, same');
    expect(text('.case')).toContain('filter [h, w, c, out][3, 3, 3, 5]');
    choose('Kernel', 'Conv2DBackpropInput');
    expect(named<HTMLSelectElement>('select', 'Case').value).toBe('stride 2, same');
    expect(section.textContent).toContain('The case stays: stride 2, same.');
    expect(text('.case')).toContain('dx [n, h, w, c][2, 7, 8, 3]');
    choose('Kernel', 'Sum');
    expect(section.textContent).toContain('Sum has no case stride 2, same. The nearest one is');
    choose('Kernel', 'Conv2D'); // what somebody chose comes back
    expect(named<HTMLSelectElement>('select', 'Case').value).toBe('stride 2, same');
  });

  it('compares on every backend that starts, side by side', async () => {
    expect(await run('Conv2D', 'same')).toBe(`✓ Conv2D, same: right on ${everywhere()}.`);
    const heads = Array.from(find<HTMLTableElement>('table').tHead!.rows[0].cells, (cell) => cell.textContent); // prettier-ignore
    expect(heads).toEqual(['', 'cpu', 'wasm', ...(hasWebgl() ? ['webgl'] : [])]);
    const errors = Array.from(rowOf('Error of the plugin').cells).slice(1).map((cell) => Number(cell.textContent)); // prettier-ignore
    expect(errors.every((error) => error > 0 && error <= 1)).toBeTrue();
    expect(errors.length).toBe(heads.length - 1);
    expect(text('.case')).toContain('x [n, h, w, c][2, 6, 5, 3]');
  });

  it('shows the numbers of a cell that has the focus or the pointer', async () => {
    await run('Conv2D', 'same');
    const subject = subjectOf('Conv2D', 'same');
    const want = subject.definition(untiedInputs(subject, 1, floats));
    /** The index of the cell whose numbers are shown, if they are right. */
    const shown = () => {
      const index = numbers().Element.match(/\d+/g)!.map(Number);
      const [b, row, column, channel] = index;
      const value = want[((b * 6 + row) * 5 + column) * 4 + channel];
      expect(numberOf('In float64')).toBeCloseTo(value, 7);
      expect(Math.abs(numberOf('On cpu') - value)).toBeLessThan(numberOf('Bound'));
      expect(numberOf('Difference')).toBeCloseTo(numberOf('On cpu') - value, 7);
      expect(numbers().Place).toBe(`image ${b}, channel ${channel}, row ${row}, column ${column}`);
      return [row, column];
    };
    const worst = shown();
    expect(tabStops()[0].classList).toContain('worst');
    cells()[7].focus();
    expect(shown()).toEqual([1, 2]);
    const keys = ['ArrowRight', 'ArrowDown', 'Home', 'ArrowLeft', 'End', 'ArrowRight', 'ArrowUp', 'ArrowUp', 'ArrowUp']; // prettier-ignore
    const places = keys.map((key) => (press(key), shown()));
    expect(places).toEqual([[1, 3], [2, 3], [2, 0], [2, 0], [2, 4], [2, 4], [1, 4], [0, 4], [0, 4]]); // prettier-ignore
    expect(tabStops()).toEqual([document.activeElement as HTMLElement]);
    expect(nameOf(tabStops()[0])).toContain(', row 0, column 4: ');
    cells()[29].dispatchEvent(new PointerEvent('pointerover', { bubbles: true }));
    expect(shown()).toEqual([5, 4]);
    find('[role=grid]').dispatchEvent(new PointerEvent('pointerleave'));
    expect(shown()).toEqual([0, 4]);
    expect(worst.length).toBe(2);
    expect(find('.numbers').getAttribute('role')).toBe('status');
  });

  it('shows the worst plane, and others of a strip when they are chosen', async () => {
    await run('Conv2DBackpropFilter', 'stride 2, same'); // 3 * 5 planes
    const planes = findAll<HTMLInputElement>('.strip input');
    expect(planes.length).toBe(8);
    const largest = planes.map((input) => Number(/: (.*)$/.exec(input.parentElement!.textContent!)![1]));
    expect(largest).toEqual([...largest].sort((p, q) => q - p));
    expect(section.textContent).toMatch(/7 more planes: the largest error is .* of the bound\./);
    planes[3].click();
    const [name] = planes[3].parentElement!.textContent!.split(':');
    expect(find('[role=grid]').getAttribute('aria-label')).toBe(name);
    expect(numbers().Place).toContain(name);
    expect(numberOf('Difference') / numberOf('Bound')).toBeCloseTo(largest[3] * Math.sign(numberOf('Difference')), 2); // prettier-ignore
  });

  it('dims what has no error, and sums it up', async () => {
    await run('MaxPool', '2x2'); // it copies
    expect(cells().map(({ className }) => className)).toEqual(Array(6).fill('exact'));
    expect(section.textContent).toContain('5 more planes: all exact.');
    expect(findAll('.strip').length).toBe(0);
  });

  it('shows the picture that is chosen: where the built-in is wrong', async () => {
    await run('AvgPoolGrad', '3x3, stride 1, same');
    expect(cells().filter(({ classList }) => classList.contains('over')).length).toBe(0);
    const error = find<HTMLInputElement>('[aria-label^="tfjs’s own kernel on cpu"]');
    error.click();
    // In a 5x5 image, only the middle cell is in no window that touches padding.
    expect(cells().filter(({ classList }) => classList.contains('over')).length).toBe(24);
    expect(section.textContent).toContain('see row 1 of docs/deviations.md: divides by the full window');
    expect(section.textContent).toContain('wasm: tfjs’s own kernel was not run: it may write anywhere in memory.'); // prettier-ignore
    expect(rowOf('Error of tfjs’s own kernel').cells[2].textContent).toBe('no result');
    expect(section.querySelectorAll('.dot').length).toBe(50);
    named('button', 'Compare').click(); // the choice stays
    while (cells().length === 0) await new Promise((done) => setTimeout(done, 20));
    expect(cells().filter(({ classList }) => classList.contains('over')).length).toBe(24);
  });

  it('says where the plugin has no kernel', async () => {
    expect(await run('Add', 'bias')).toContain('right on cpu, no kernel of the plugin on wasm');
    expect(section.textContent).toContain('tfjs’s own serves.');
    expect(find<HTMLInputElement>('.pick input:checked').ariaLabel).toContain('on cpu');
  });

  it('says what a backend throws, and shows the others', async () => {
    await run('Conv2D', 'same');
    const subject = subjectOf('Conv2D', 'same');
    const host = document.createElement('div');
    const measured = await inTurn(async () => (await tf.setBackend('cpu'), measure(subject)));
    const outcomes = new Map<BackendName, Outcome>([['wasm', new Error('planted')], ['cpu', measured]]); // prettier-ignore
    host.append(...resultsOf(subject, outcomes, { side: 'ours', name: 'wasm' }));
    expect(host.textContent).toContain('wasm: planted');
    expect(host.textContent).toContain('The plugin on cpu: the error of each element of y');
  });

  it('gives a run up when another case is chosen', async () => {
    const pause = () => new Promise((done) => setTimeout(done, 100));
    choose('Kernel', 'Conv2D');
    named('button', 'Compare').click();
    await pause();
    choose('Case', '1x1');
    await pause();
    await inTurn(pause); // what was going on has ended
    expect(text('.verdict')).toBe('');
    expect(named('button', 'Compare').hasAttribute('aria-disabled')).toBeFalse();
  });

  it('waits while a model is checked on another backend', async () => {
    const model = root.querySelector('[aria-labelledby=model]')!;
    model.querySelector('select')!.value = 'wasm';
    model.querySelector<HTMLButtonElement>('button[type=button]')!.click();
    expect(await run('Conv2D', 'same')).toContain('✓ Conv2D, same: right on cpu');
    expect(model.querySelector('.verdict')!.textContent).toContain('✓ On wasm');
  });

  it('shows a case without elements', async () => {
    expect(await run('MaxPool', 'batch 0')).toContain('✓');
    expect(section.textContent).toContain('There are no elements.');
  });

  it('names every control and every picture', async () => {
    await run('AvgPoolGrad', '2x2');
    const controls = root.querySelectorAll('select, button, input, progress, svg:not([aria-hidden]), [tabindex], section, fieldset, table'); // prettier-ignore
    expect(controls.length).toBeGreaterThan(20);
    expect(Array.from(controls).filter((element) => !nameOf(element))).toEqual([]);
  });
});

/** The accessible name, by the rules that this page needs: the element's own label, a label around it, or its text. */
function nameOf(element: Element): string {
  const ids = element.getAttribute('aria-labelledby');
  const labels =
    element instanceof HTMLSelectElement || element instanceof HTMLInputElement ? element.labels : null;
  const name =
    element.getAttribute('aria-label') ??
    (ids && document.getElementById(ids)?.textContent) ??
    (labels?.length ? ownText(labels[0]) || labels[0].textContent : element.textContent);
  return (name ?? '').trim();
}

/** The text of an element without that of the elements in it. */
function ownText(element: Element): string {
  const texts = Array.from(element.childNodes).filter(({ nodeType }) => nodeType === Node.TEXT_NODE);
  return texts.map(({ textContent }) => textContent).join('');
}

/** Specs of the demo page. Its worked examples run everywhere, the page itself only in browsers. */
import { examples, type Example } from '../demo/examples.js';
import { mountPage } from '../demo/page.js';
import { tf } from './support/tfjs.js';

const HALVES = (a: number, b: number) => [a, a, b, b, a, a, b, b];

/** The numbers that the last picture of each example must show after the last step. */
const RESULTS = [
  [37, 47, 67, 77],
  [11, 14, 20, 23],
  [1, 2, 0, 3, 6, 4, 0, 6, 8],
  [4, 5, 3, 6],
  [0, 0, 0, 0, 0.5, 0, 0, 1.2, 0.8, 0, 0, 0, 0, 0, 0, -0.3],
  [2.5, 2, 1.5, 3.75],
  [...HALVES(0.125, 0.3), ...HALVES(0.2, -0.075)],
  [0, 0, 0, 0, 10, 0, 0, 0, 0],
  [0.25, 0.75, 0.5, 1, 2.5, 1.5, 0.75, 1.75, 1],
];

describe('the demo, example', () => {
  const last = ({ steps }: Example) => steps[steps.length - 1].grids.at(-1)!.values;

  examples().forEach((example, i) => {
    it(`${example.title}: ends in the printed numbers`, () => {
      expect(last(example).map((value) => Number(value!.toPrecision(7)) + 0)).toEqual(RESULTS[i]);
      expect(example.steps.length).toBe(5);
    });
  });

  it('shows the products of each window', () => {
    expect(examples()[0].steps[2].text).toBe('row 0, column 1: 2×1 + 3×2 + 5×3 + 6×4 = 47');
  });

  it('accumulates where windows overlap', () => {
    expect(examples()[7].steps[4].text).toContain('is now 6 + 4 = 10');
  });
});

describe('the demo page', () => {
  if (typeof document === 'undefined') {
    it('is tested in browsers', () => pending('there is no page here'));
    return;
  }

  const root = document.createElement('div');
  /** The check of a model has its own specs. */
  const OTHERS = 'section:not([aria-labelledby=model])';
  const find = <E extends Element>(selector: string) => root.querySelector<E>(`${OTHERS} ${selector}`)!;
  const byName = <E extends HTMLElement>(selector: string, name: string) =>
    Array.from(root.querySelectorAll<E>(`${OTHERS} ${selector}`)).find(
      (element) => nameOf(element) === name,
    )!;
  const select = (name: string) => byName<HTMLSelectElement>('select', name);
  const choose = (name: string, value: string) => {
    select(name).value = value;
    select(name).dispatchEvent(new Event('change', { bubbles: true }));
  };
  const stepText = () => find('.step').textContent;
  const press = (key: string) =>
    document.activeElement!.dispatchEvent(
      new KeyboardEvent('keydown', { key, bubbles: true, cancelable: true }),
    );

  beforeAll(async () => {
    document.body.append(root);
    await mountPage(root);
  });

  afterAll(async () => {
    root.remove();
    await tf.setBackend('cpu');
  });

  /** Runs a comparison and returns the verdict. */
  async function run(kernelName: string, caseName: string, backendName: string): Promise<string> {
    choose('Kernel', kernelName);
    choose('Case', caseName);
    choose('Backend', backendName);
    byName('button', 'Run').click();
    expect(find('.verdict').textContent).toBe('Running …');
    while (find('.verdict').textContent === 'Running …') await new Promise((done) => setTimeout(done, 20));
    return find('.verdict').textContent!;
  }

  it('names every control and every picture', () => {
    const controls = root.querySelectorAll('select, button, input, progress, svg, [tabindex], section');
    expect(controls.length).toBeGreaterThan(10);
    expect(Array.from(controls).filter((element) => !nameOf(element))).toEqual([]);
  });

  it('steps by buttons, which keep the focus at either end', () => {
    const [first, next, last] = ['First', 'Next', 'Last'].map((name) => byName('button', name));
    next.focus();
    next.click();
    expect(stepText()).toBe('row 0, column 0: 1×1 + 2×2 + 4×3 + 5×4 = 37');
    for (let i = 0; i < 9; i++) next.click();
    expect(stepText()).toContain('row 1, column 1');
    expect(document.activeElement).toBe(next);
    expect(last.getAttribute('aria-disabled')).toBe('true');
    first.click();
    expect(first.getAttribute('aria-disabled')).toBe('true');
  });

  it('steps by keyboard', () => {
    find<HTMLElement>('.pictures').focus();
    press('End');
    expect(stepText()).toContain('= 77');
    press('ArrowLeft');
    expect(stepText()).toContain('= 67');
    press('Home');
    press('ArrowRight');
    expect(stepText()).toContain('= 37');
    expect(find('.step').getAttribute('role')).toBe('status');
  });

  it('says in words what the pictures show', () => {
    choose('Example', examples()[0].title);
    byName('button', 'Next').click();
    expect(find('svg').getAttribute('aria-label')).toBe(
      'x: 1 2 3; 4 5 6; 7 8 9. The window: rows 0 to 1, columns 0 to 1',
    );
    expect(find('figure:last-child svg').getAttribute('aria-label')).toBe('y: 37 empty; empty empty');
  });

  it('offers the backends that have the kernel', () => {
    choose('Kernel', 'Conv2D');
    choose('Backend', 'wasm');
    choose('Kernel', 'Add');
    const option = find<HTMLOptionElement>('option[value=wasm]');
    expect([option.disabled, option.textContent]).toEqual([true, 'wasm (has tfjs’s own)']);
    expect(select('Backend').value).toBe('cpu');
    choose('Kernel', 'Conv2D');
    expect([option.disabled, option.textContent]).toEqual([false, 'wasm']);
  });

  for (const backendName of ['cpu', 'wasm', 'webgl']) {
    it(`compares on ${backendName}`, async () => {
      const option = find<HTMLOptionElement>(`option[value=${backendName}]`);
      if (backendName === 'webgl' && option.disabled) return pending('there is no webgl here');
      expect(await run('Conv2D', 'same', backendName)).toBe(`✓ Right: Conv2D, same, on ${backendName}.`);
      expect(root.querySelectorAll('.error').length).toBeGreaterThan(2 * 6 * 5 * 4);
    });
  }

  it('shows the gradient against differences, and where the built-in is wrong', async () => {
    const verdict = await run('AvgPoolGrad', '3x3, stride 1, same', 'cpu');
    expect(verdict).toContain('✓ Right');
    expect(root.querySelectorAll('.dot').length).toBe(50);
    expect(find('dl').textContent).toContain('row 1 of docs/deviations.md');
    // In a 5x5 image, only the middle cell is in no window that touches padding. There are two channels, and one more
    // '.over' in the legend.
    expect(root.querySelectorAll('.over').length).toBe(2 * 24 + 1);
  });

  it('does not run a built-in on wasm that may write anywhere in memory, and says so', async () => {
    expect(await run('AvgPoolGrad', '3x3, stride 1, same', 'wasm')).toContain('✓ Right');
    expect(find('dl').textContent).toContain('row 1 of docs/deviations.md');
    expect(find('dl').textContent).toContain('It was not run');
  });

  it('waits while a model is checked on another backend', async () => {
    const section = root.querySelector('[aria-labelledby=model]')!;
    section.querySelector('select')!.value = 'wasm';
    section.querySelector<HTMLButtonElement>('button[type=button]')!.click();
    expect(await run('Conv2D', 'same', 'cpu')).toBe('✓ Right: Conv2D, same, on cpu.');
    expect(section.querySelector('.verdict')!.textContent).toContain('✓ On wasm');
  });

  it('shows a case without elements', async () => {
    expect(await run('MaxPool', 'batch 0', 'cpu')).toContain('✓ Right');
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
    (labels?.length ? ownText(labels[0]) : element.textContent);
  return (name ?? '').trim();
}

/** The text of an element without that of the elements in it. */
function ownText(element: Element): string {
  const texts = Array.from(element.childNodes).filter(({ nodeType }) => nodeType === Node.TEXT_NODE);
  return texts.map(({ textContent }) => textContent).join('');
}

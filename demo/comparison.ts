/** Runs one kernel on one case in this browser, and compares it with its definition and with the built-in. */
import * as tf from '@tensorflow/tfjs-core';
import { kernelNamesOn } from '../kernels/all.js';
import { type BackendName, BACKENDS, KERNEL_NAMES, type KernelName } from '../kernels/registry.js';
import { canAskBuiltin, type Subject } from '../kernels/proof.js';
import { subjects } from '../kernels/subjects.js';
import { html, labelledSelect, setOptions, short } from './dom.js';
import { errorFigure, inBounds, inTimes, legend, place, slopeFigure, timeFigure } from './figures.js';
import { type Errors, measure, type Measured } from './measure.js';
import { inTurn } from './turns.js';

/** For each backend of the plugin: why it does not start here, or '' if it does. The last one that starts stays active. */
export async function backendsHere(): Promise<Map<string, string>> {
  const backends = new Map<string, string>();
  for (const name of BACKENDS) backends.set(name, (await starts(name)) ? '' : whyNot(name));
  return backends;
}

const starts = (name: string) => tf.setBackend(name).catch(() => false);

function whyNot(name: string): string {
  if (name !== 'wasm') return 'This browser does not start it.';
  return location.protocol === 'file:'
    ? 'A page that is opened from a file cannot load its .wasm files. A page from a server can: npm run demo.'
    : 'Its .wasm files do not load from beside this page, or this page may not run them.';
}

export function comparison(backends: Map<string, string>): HTMLElement {
  const all = subjects();
  const op = labelledSelect('Kernel', KERNEL_NAMES);
  const one = labelledSelect('Case', []);
  const backend = labelledSelect('Backend', [...backends.keys()]);
  const button = html('button', { type: 'submit' }, 'Run');
  const status = html('p', { class: 'verdict', role: 'status' });
  const results = html('div');
  const form = html('form', { class: 'controls' }, op.field, one.field, backend.field, button);

  /** The backends with why they cannot be chosen for the kernel, if they cannot. */
  const listBackends = () => {
    const options = Array.from(backend.select.options);
    for (const option of options) {
      const name = option.value as BackendName;
      const has = kernelNamesOn(name).includes(op.select.value as KernelName);
      const why = backends.get(name) !== '' ? 'does not start here' : has ? '' : 'has tfjs’s own';
      option.disabled = why !== '';
      option.textContent = why ? `${name} (${why})` : name;
    }
    const chosen = options.find(({ selected, disabled }) => selected && !disabled);
    backend.select.value = (chosen ?? options.find(({ disabled }) => !disabled) ?? options[0]).value;
  };
  const reasons = [...backends].filter(([, why]) => why);
  const cases = () => all.filter(({ kernelName }) => kernelName === op.select.value);
  const listCases = () => setOptions(one.select, cases().map(({ caseName }) => caseName)); // prettier-ignore
  const listBoth = () => {
    listCases();
    listBackends();
  };
  op.select.addEventListener('change', listBoth);
  listBoth();

  async function run(): Promise<void> {
    const subject = cases()[one.select.selectedIndex];
    button.setAttribute('aria-disabled', 'true');
    results.replaceChildren();
    status.className = 'verdict';
    status.textContent = 'Running …';
    await new Promise((resolve) => setTimeout(resolve, 50)); // so that the browser shows the text
    try {
      const measured = await inTurn(async () => {
        if (!(await starts(backend.select.value)))
          throw new Error(`Backend ${backend.select.value} does not start in this browser.`);
        return measure(subject);
      });
      status.textContent = verdict(subject, measured);
      status.classList.add(measured.comparison.ok ? 'right' : 'wrong');
      results.replaceChildren(...shown(subject, measured));
    } catch (error) {
      status.textContent = `✗ ${error instanceof Error ? error.message : error}`;
      status.classList.add('wrong');
    }
    button.removeAttribute('aria-disabled');
  }

  form.addEventListener('submit', (event) => {
    event.preventDefault();
    if (!button.hasAttribute('aria-disabled')) void run();
  });
  return html(
    'section',
    { 'aria-labelledby': 'compare' },
    html('h2', { id: 'compare' }, 'Compare a kernel with its definition'),
    html(
      'p',
      {},
      'The plugin’s kernel and tfjs’s own kernel run on the same random numbers. Each element is compared with a ' +
        'float64 definition. Each element has a bound: the largest error that float32 rounding can cause. Gradients are ' +
        'also compared with differences.',
    ),
    form,
    ...reasons.map(([name, why]) => html('p', {}, `${name} does not start here. ${why}`)),
    status,
    results,
  );
}

// Words

function verdict({ kernelName, caseName }: Subject, { comparison }: Measured): string {
  const what = `${kernelName}, ${caseName}, on ${tf.getBackend()}`;
  if (comparison.ok) return `✓ Right: ${what}.`;
  const isRight = comparison.error <= 1 && (comparison.gradientError ?? 0) <= 1;
  return isRight ? `✗ Right, but tfjs’s own kernel differs unexpectedly: ${what}.` : `✗ Wrong: ${what}.`;
}

function shown(subject: Subject, measured: Measured): Element[] {
  const { ours, builtin, gradient, time } = measured;
  return [
    facts(subject, measured),
    legend(),
    errorFigure('The plugin: error of each element', subject, ours),
    ...(builtin ? [errorFigure('tfjs’s own kernel: error of each element', subject, builtin)] : []),
    ...(gradient?.length ? [slopeFigure(gradient)] : []),
    ...(time ? [timeFigure(time)] : []),
  ];
}

function facts(subject: Subject, { comparison, ours, builtin, time }: Measured): HTMLElement {
  const { error, gradientError } = comparison;
  const lines: Record<string, string> = {
    'Shape of the result': `[${subject.outShape.join(', ')}]`,
    Error: `${inBounds(error)}. ${worstInWords(subject, ours)}`,
    ...(gradientError !== null && { Gradient: `${inBounds(gradientError)}, compared with differences` }),
    'tfjs’s own kernel': `${agreement(comparison.builtin)}. ${builtin ? worstInWords(subject, builtin) : noResult(subject)}`,
    Time: time
      ? inTimes(time)
      : 'not measured: tfjs gives no result to compare with, or the browser’s clock is too coarse',
  };
  const entries = Object.entries(lines);
  return html('dl', {}, ...entries.flatMap(([name, value]) => [html('dt', {}, name), html('dd', {}, value)]));
}

function noResult(subject: Subject): string {
  return canAskBuiltin(subject, tf.getBackend())
    ? 'It throws, or gives a result of another shape.'
    : 'It was not run: there is none on wasm, or it may write anywhere in memory.';
}

/** How the built-in agrees, in words. A known deviation, 'row 1: why', names its row of docs/deviations.md. */
function agreement(words: string): string {
  return words.replace(/^row \d+/, 'differs, see $& of docs/deviations.md');
}

function worstInWords(subject: Subject, { worst }: Errors): string {
  if (worst.index < 0) return '';
  const { index, got, want } = worst;
  return `The worst element, ${place(subject, index)}, is ${short(got)}. Its error is ${short(Math.abs(got - want))}.`;
}

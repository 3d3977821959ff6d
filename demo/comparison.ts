/** Runs one kernel on one case on every backend of this browser, and compares it with its definition and with the built-in. */
import * as tf from '@tensorflow/tfjs-core';
import { kernelNamesOn } from '../kernels/all.js';
import type { Subject } from '../kernels/proof.js';
import { type BackendName, BACKENDS, KERNEL_NAMES } from '../kernels/registry.js';
import { subjects } from '../kernels/subjects.js';
import { caseEntries, caseInWords, similarCase } from './cases.js';
import { html, labelledSelect, list, listed, setOptions } from './dom.js';
import { measure } from './measure.js';
import { type Choice, type Outcome, resultsOf, verdict } from './results.js';
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

/** @param backends for each backend: why it does not start here, or '' if it does */
export function comparison(backends: Map<string, string>): HTMLElement {
  const all = subjects();
  const here = BACKENDS.filter((name) => backends.get(name) === '');
  const kernel = labelledSelect('Kernel', KERNEL_NAMES);
  const one = labelledSelect('Case', []);
  const button = html('button', { type: 'submit' }, 'Compare');
  const form = html('form', { class: 'controls' }, kernel.field, one.field, button);
  const kept = html('p', { role: 'status' });
  const told = html('div');
  const status = html('p', { class: 'verdict', role: 'status' });
  const results = html('div');
  const choice: Choice = { side: 'ours', name: here[0] };
  let cases: Subject[] = [];
  /** The case that somebody chose last, perhaps one of another kernel. */
  let wanted = all[0];
  let subject = wanted;
  /** How many runs have begun or have been given up. */
  let runs = 0;

  function choose(next: Subject): void {
    subject = next;
    one.select.selectedIndex = cases.indexOf(subject);
    told.replaceChildren(
      ...caseInWords(subject).map((text) => html('p', {}, text)),
      list(caseEntries(subject), { class: 'case' }),
    );
    runs++;
    button.removeAttribute('aria-disabled');
    status.textContent = '';
    results.replaceChildren();
  }

  function listCases(): void {
    cases = all.filter(({ kernelName }) => kernelName === kernel.select.value);
    setOptions(one.select, cases.map(({ caseName }) => caseName)); // prettier-ignore
  }

  async function run(): Promise<void> {
    const mine = ++runs;
    const outcomes = new Map<BackendName, Outcome>();
    button.setAttribute('aria-disabled', 'true');
    results.replaceChildren();
    status.className = 'verdict';
    for (const name of here) {
      status.textContent = `Running on ${name} …`;
      await new Promise((resolve) => setTimeout(resolve, 50)); // so that the browser shows the text
      const outcome = await inTurn(() => outcomeOn(name, subject));
      if (mine !== runs) return; // another case was chosen
      outcomes.set(name, outcome);
    }
    button.removeAttribute('aria-disabled');
    const { text, ok } = verdict(subject, outcomes);
    status.textContent = text;
    status.classList.add(ok ? 'right' : 'wrong');
    results.replaceChildren(...resultsOf(subject, outcomes, choice));
  }

  kernel.select.addEventListener('change', () => {
    listCases();
    const similar = similarCase(wanted, cases);
    kept.textContent = similar.words;
    choose(similar.subject);
  });
  one.select.addEventListener('change', () => {
    kept.textContent = '';
    wanted = cases[one.select.selectedIndex];
    choose(wanted);
  });
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    if (!button.hasAttribute('aria-disabled')) void run();
  });
  listCases();
  choose(wanted);

  const missing = [...backends].filter(([, why]) => why);
  return html(
    'section',
    { 'aria-labelledby': 'compare' },
    html('h2', { id: 'compare' }, 'Compare a kernel with its definition'),
    html(
      'p',
      {},
      `The plugin’s kernel and tfjs’s own kernel run on the same random numbers, on ${listed(here)}. Each element is ` +
        'compared with a float64 definition. Each element has a bound: the largest error that float32 rounding can ' +
        'cause. Gradients are also compared with differences.',
    ),
    form,
    ...missing.map(([name, why]) => html('p', {}, `${name} does not start here. ${why}`)),
    kept,
    told,
    status,
    results,
  );
}

async function outcomeOn(name: BackendName, subject: Subject): Promise<Outcome> {
  if (!kernelNamesOn(name).includes(subject.kernelName)) return null;
  try {
    if (!(await starts(name))) throw new Error(`Backend ${name} does not start in this browser.`);
    return await measure(subject);
  } catch (error) {
    return error instanceof Error ? error : new Error(String(error));
  }
}

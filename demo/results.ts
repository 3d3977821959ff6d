/** What a comparison shows: a table of all backends side by side, and the picture of the result that is chosen in it. */
import { getKernel } from '@tensorflow/tfjs-core';
import { canAskBuiltin, type Subject } from '../kernels/proof.js';
import type { BackendName } from '../kernels/registry.js';
import { format } from '../src/cli/cells.js';
import { remarksOn } from '../src/cli/remarks.js';
import { between, html, listed } from './dom.js';
import { errorFigure, inBounds, slopeFigure } from './figures.js';
import type { Measured, Times } from './measure.js';

/** What was measured on a backend, or why nothing was: an error, or null if the plugin has no such kernel there. */
export type Outcome = Measured | Error | null;
type Outcomes = ReadonlyMap<BackendName, Outcome>;

const SIDES = { ours: 'The plugin', builtin: 'tfjs’s own kernel' } as const;
type Side = keyof typeof SIDES;

const isMeasured = (outcome: Outcome): outcome is Measured => outcome !== null && !(outcome instanceof Error);

const isRight = (outcome: Outcome) => isMeasured(outcome) && outcome.comparison.ok;
const SIGNS = { right: '✓', wrong: '✗' };

/** The verdicts in one sentence. */
export function verdict({ kernelName, caseName }: Subject, outcomes: Outcomes) {
  const groups = grouped(outcomes, (outcome) => [verdictOn(outcome)]);
  const ok = [...outcomes.values()].every((outcome) => outcome === null || isRight(outcome));
  const parts = Array.from(groups, ([words, names]) => `${words} on ${listed(names)}`);
  return { ok, text: `${SIGNS[ok ? 'right' : 'wrong']} ${kernelName}, ${caseName}: ${parts.join(', ')}.` };
}

function verdictOn(outcome: Outcome): string {
  if (outcome === null) return 'no kernel of the plugin';
  if (outcome instanceof Error) return 'throws';
  const { ok, error, gradientError } = outcome.comparison;
  if (ok) return 'right';
  return error <= 1 && (gradientError ?? 0) <= 1 ? 'right, but tfjs’s own kernel differs unexpectedly' : 'wrong'; // prettier-ignore
}

/** Each text that is said of a backend -> the backends of which it is said. */
function grouped(outcomes: Outcomes, say: (outcome: Outcome, name: BackendName) => string[]) {
  const groups = new Map<string, BackendName[]>();
  for (const [name, outcome] of outcomes)
    for (const text of say(outcome, name)) groups.set(text, [...(groups.get(text) ?? []), name]);
  return groups;
}

/** The result whose picture is shown. */
export interface Choice {
  side: Side;
  name: BackendName;
}

/** @param choice what was chosen last. A new choice is written there. */
export function resultsOf(subject: Subject, outcomes: Outcomes, choice: Choice): Element[] {
  const picture = html('div');
  const choose = ({ side, name }: Choice) => {
    Object.assign(choice, { side, name });
    const { [side]: errors, gradient } = outcomes.get(name) as Measured;
    picture.replaceChildren(
      errorFigure(SIDES[side], name, subject, errors!),
      ...(gradient?.length ? [slopeFigure(gradient)] : []),
    );
  };
  const errorsOf = ({ side, name }: Choice) => {
    const outcome = outcomes.get(name);
    return outcome && isMeasured(outcome) ? outcome[side] : null;
  };
  const first = [...outcomes.keys()].map((name): Choice => ({ side: 'ours', name })).find(errorsOf);
  const start = errorsOf(choice) ? choice : first;
  if (start) choose(start);
  const notes = grouped(outcomes, (outcome, name) => notesOn(subject, outcome, name));
  return [
    table(subject, outcomes, start && choice, choose),
    ...Array.from(notes, ([text, names]) => html('p', {}, `${listed(names)}: ${text}`)),
    picture,
  ];
}

type Cell = (measured: Measured, name: BackendName) => Node | string;

/** A column for each backend. An error leads to its picture. */
function table(
  subject: Subject,
  outcomes: Outcomes,
  chosen: Choice | undefined,
  choose: (choice: Choice) => void,
): HTMLElement {
  const row = (head: string, cells: (Node | string)[]) =>
    html('tr', {}, html('th', { scope: 'row' }, head), ...cells.map((cell) => html('td', {}, cell)));
  const measured = (head: string, cell: Cell) =>
    row(head, Array.from(outcomes, ([name, outcome]) => (isMeasured(outcome) ? cell(outcome, name) : '–'))); // prettier-ignore
  const errors = (head: string, side: Side) =>
    measured(head, (measured, name) => {
      if (!measured[side]) return 'no result';
      const error = side === 'ours' ? measured.comparison.error : measured[side].worst.error;
      const checked = side === chosen?.side && name === chosen.name;
      const label = `${SIDES[side]} on ${name}: ${inBounds(error)}`;
      const input = html('input', { type: 'radio', name: 'picture', checked, 'aria-label': label });
      input.addEventListener('change', () => choose({ side, name }));
      return html('label', { class: 'pick' }, input, html('span', {}, bounded(error)));
    });
  const times = (head: string, of: keyof Times) =>
    measured(head, ({ times }) => (times ? between(times[of]) : '–'));
  const heads = Array.from(outcomes.keys(), (name) => html('th', { scope: 'col' }, name));
  return html(
    'table',
    { class: 'sides' },
    html('caption', {}, 'Errors in units of their bounds: at most 1 is right. Choose an error to see its picture. ' +
        'Times are the middle half of several rounds. They include the copies of the inputs and of the result: in small cases, most of the time.'), // prettier-ignore
    html('thead', {}, html('tr', {}, html('td'), ...heads)),
    html(
      'tbody',
      {},
      row('Verdict', Array.from(outcomes.values(), verdictCell)),
      errors('Error of the plugin', 'ours'),
      errors('Error of tfjs’s own kernel', 'builtin'),
      ...(subject.loss ? [measured('Gradient against differences', ({ comparison }) => bounded(comparison.gradientError!))] : []), // prettier-ignore
      times('Times as fast as tfjs’s own', 'ratio'),
      times('ms of a call, the plugin', 'ours'),
      times('ms of a call, tfjs’s own', 'builtin'),
    ),
  );
}

function verdictCell(outcome: Outcome): HTMLElement {
  const state = isRight(outcome) ? 'right' : 'wrong';
  return html('span', outcome ? { class: state } : {}, `${outcome ? SIGNS[state] : ''} ${verdictOn(outcome)}`); // prettier-ignore
}

/** An error in bounds, marked if it is wrong. */
const bounded = (error: number) =>
  error <= 1 ? format(error) : html('span', { class: 'wrong' }, `✗ ${format(error)}`);

/** What is to be said of a backend beside its numbers. */
function notesOn(subject: Subject, outcome: Outcome, name: BackendName): string[] {
  if (outcome === null) return ['the plugin has no such kernel; tfjs’s own serves.'];
  if (outcome instanceof Error) return [outcome.message];
  const { comparison, builtin, times } = outcome;
  return [
    ...remarksOn(comparison),
    ...agreement(comparison.builtin),
    ...(builtin || !getKernel(subject.kernelName, name)
      ? []
      : [
          `tfjs’s own kernel ${canAskBuiltin(subject, name) ? 'throws, or gives a result of another shape' : 'was not run: it may write anywhere in memory'}.`,
        ]),
    ...(times || !builtin ? [] : ['the browser’s clock is too coarse for times.']),
  ];
}

/** How the built-in differs. A known deviation, 'row 1: why', names its row of docs/deviations.md. */
function agreement(words: string): string[] {
  const known = /^row (\d+): (.*)/.exec(words);
  if (known) return [`tfjs’s own kernel differs, see row ${known[1]} of docs/deviations.md: ${known[2]}.`];
  if (words === 'differs') return ['tfjs’s own kernel differs.'];
  return words === 'equal' || words === 'none' ? [] : [`${words}.`];
}

// This file is bundled ahead of the specs. Only this file configures Jasmine, in Node and in every browser.
import { isIncluded } from './runner/plan.js';
import { plan } from './support/plan.js';

declare const NEEDS_EXPECTATIONS: boolean;
interface SpecResult {
  /** The spec was not chosen. */
  disabled: boolean;
}
declare const __karma__: { info(info: object): void; result(spec: SpecResult): void } | undefined;

const chosen = new Map<string, boolean>();
let matching = 0;

/** Jasmine asks for each spec in the order of definition. So every run of a bundle counts the specs in the same order. */
function isChosen(spec: jasmine.Spec): boolean {
  if (!chosen.has(spec.id as unknown as string)) {
    const included = isIncluded(plan, spec.getFullName());
    chosen.set(spec.id as unknown as string, included && matching++ % plan.parts === plan.part);
  }
  return chosen.get(spec.id as unknown as string)!;
}

// Karma would send a message for each of the thousands of specs that this run leaves out.
if (typeof __karma__ !== 'undefined') {
  const send = __karma__.result;
  __karma__.result = (spec) => spec.disabled || send(spec);
}

jasmine.DEFAULT_TIMEOUT_INTERVAL = 60_000;
jasmine.getEnv().configure({
  random: false,
  failSpecWithNoExpectations: NEEDS_EXPECTATIONS,
  specFilter: isChosen,
});
jasmine.getEnv().addReporter({
  jasmineStarted() {
    const specs = [...chosen.values()].filter(Boolean).length;
    if (typeof __karma__ === 'undefined') process.send!({ specs });
    else __karma__.info({ specs });
  },
});

const refuseFocus = () => {
  throw new Error('A focused spec hides all the others: use npm test -- --filter TEXT instead.');
};
Object.assign(globalThis, { fit: refuseFocus, fdescribe: refuseFocus });

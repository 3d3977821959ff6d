// Bundled ahead of the specs: the one place that configures Jasmine, in Node and in every browser.

declare const FILTER: string;
declare const NEEDS_EXPECTATIONS: boolean;

jasmine.DEFAULT_TIMEOUT_INTERVAL = 60_000;
jasmine.getEnv().configure({
  random: false,
  failSpecWithNoExpectations: NEEDS_EXPECTATIONS,
  specFilter: (spec) => spec.getFullName().includes(FILTER),
});

const refuseFocus = () => {
  throw new Error('A focused spec hides all the others: use npm test -- --filter TEXT instead.');
};
Object.assign(globalThis, { fit: refuseFocus, fdescribe: refuseFocus });

/** The plan of this run. It comes from Karma in a browser, and from the command line in Node. */
import type { Plan } from '../runner/plan.js';

declare const __karma__: { config: { plan: Plan } } | undefined;

/** If another test runner has started the bundle, all specs run. */
const WHOLE: Plan = { filter: '', part: 0, parts: 1, all: true, seed: 0 };

const planOfNode = (): Plan => (process.argv[3] ? JSON.parse(process.argv[3]) : WHOLE);

export const plan: Plan = typeof __karma__ === 'undefined' ? planOfNode() : __karma__.config.plan;

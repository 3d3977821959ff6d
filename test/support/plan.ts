/** The plan of this run, from Karma in a browser, from the command line in Node. */
import type { Plan } from '../runner/plan.js';

declare const __karma__: { config: { plan: Plan } } | undefined;

export const plan: Plan =
  typeof __karma__ === 'undefined' ? JSON.parse(process.argv[3]) : __karma__.config.plan;

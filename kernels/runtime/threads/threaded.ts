/** The micro-kernels on a pool: calls that are large enough are cut into parts, which the threads share. */
import type { MicroKernels } from '../simd/calls.js';
import type { SimdLevel } from '../simd/modules.js';
import { type Call, type Cut, cutOf, CUTS, cutsOf, type Items, partOf, type Step } from './cuts.js';
import type { Pool } from './pool.js';
import { runSteps, type Sequences } from './steps.js';
import { leastWork } from './threads.js';
import { MOST_CALLS, MOST_TASKS } from './worker.js';

/** More than one part for each thread, as threads are not equally fast. Each part reads all panels, or all pixels: many would be slow. */
const PARTS = 2;
/** Longer sequences are cut. */
const MOST_STEPS = 32;

export function threaded(direct: MicroKernels, pool: Pool, level: SimdLevel): MicroKernels & Sequences {
  const threads = pool.threads();
  const parts = Math.min(MOST_TASKS, PARTS * threads);
  const run = (by: Items, count: number, steps: readonly Step[], meanwhile?: () => void): boolean => {
    const tasks = cut(by, count, steps, parts);
    if (tasks.length > 1) return pool.run(level, direct, tasks, meanwhile);
    const isTrue = runSteps(direct, steps);
    meanwhile?.();
    return isTrue;
  };
  const sequence: Sequences['sequence'] = (by, count, steps, meanwhile) => {
    for (let i = 0; i < steps.length; i += MOST_STEPS) {
      run(by, count, steps.slice(i, i + MOST_STEPS) as Step[], i === 0 ? meanwhile : undefined);
    }
  };
  const shared = (Object.keys(CUTS) as Step[0][]).map((name) => {
    const ways = Object.entries(cutsOf(name).by) as Way[];
    const kernel = (call: Call) => {
      const [by, { count }] = ways.length > 1 ? finest(ways, call) : ways[0];
      return run(by, count(call), [[name, call] as Step]);
    };
    return [name, kernel];
  });
  return { ...direct, ...Object.fromEntries(shared), threads, parts, sequence };
}

type Way = [Items, Cut<Call>];

/** The way that gives the most parts. */
function finest(ways: readonly Way[], call: Call): Way {
  const parts = ([, { step, count }]: Way) => count(call) / step;
  return ways.reduce((a, b) => (parts(b) > parts(a) ? b : a));
}

/** At most so many parts, none of them too small to gain by it. None: the steps are not worth to be cut. */
function cut(by: Items, count: number, steps: readonly Step[], most: number): Step[][] {
  const work = steps.reduce((sum, [name, call]) => sum + cutsOf(name).work(call), 0);
  const step = Math.max(...steps.map(([name]) => cutOf(name, by).step));
  const units = Math.ceil(count / step);
  const parts = Math.min(
    units,
    most,
    Math.floor(MOST_CALLS / steps.length),
    Math.floor((2 * work) / leastWork()),
  );
  if (parts < 2) return [];
  return Array.from({ length: parts }, (_, i) => {
    const [first, end] = [i, i + 1].map((k) => Math.min(count, step * Math.floor((units * k) / parts)));
    return steps.map((each) => partOf(each, by, first, end, count, i));
  });
}

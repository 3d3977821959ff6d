/** The micro-kernels on a pool: calls that are large enough are cut into parts, which the threads share. */
import type { MicroKernels } from '../simd/calls.js';
import type { SimdLevel } from '../simd/modules.js';
import { type Call, type Cut, CUTS, type Name, partOf } from './cuts.js';
import type { Pool, Task } from './pool.js';
import { leastWork } from './threads.js';
import { MOST_CALLS } from './worker.js';

/** More than one part for each thread, as threads are not equally fast. */
const PARTS = 2;

export function threaded(direct: MicroKernels, pool: Pool, level: SimdLevel): MicroKernels {
  const shared = (Object.keys(CUTS) as Name[]).map((name) => {
    const run = direct[name] as (call: Call) => boolean | void;
    const kernel = (call: Call) => {
      const tasks = partsOf(name, call, PARTS * pool.threads());
      return tasks.length < 2 ? run(call) : pool.run(level, direct, tasks);
    };
    return [name, kernel];
  });
  return { ...direct, ...Object.fromEntries(shared) };
}

/** At most so many parts, none of them too small to gain by it. None or one: the call is not worth to be cut. */
function partsOf(name: Name, call: Call, most: number): Task[] {
  const { units, work } = CUTS[name] as Cut;
  const all = units(call);
  const count = Math.min(all, most, MOST_CALLS, Math.floor((2 * work(call)) / leastWork()));
  if (count < 2) return [];
  return Array.from({ length: count }, (_, i) => {
    const [first, end] = [Math.floor((all * i) / count), Math.floor((all * (i + 1)) / count)];
    return { name, call: partOf(name, call, first, end - first, i) };
  });
}

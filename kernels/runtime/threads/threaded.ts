/** The micro-kernels on a pool: calls that are large enough are cut into parts, which the threads share. */
import type { MicroKernels } from '../simd/calls.js';
import type { SimdLevel } from '../simd/modules.js';
import { type Call, type Cut, CUTS, MOST_PARTS, type Name } from './cuts.js';
import type { Pool, Task } from './pool.js';
import { leastWork } from './threads.js';

export interface Threaded extends MicroKernels {
  /** Runs calls that `f` makes, and that write to different places, in any order and at the same time. */
  together(f: () => void): void;
}

export function threaded(direct: MicroKernels, pool: Pool, level: SimdLevel): Threaded {
  let gathered: Task[] | undefined;
  const partsOf = ({ name, call }: Task): Task[] => {
    const { units, work, part } = CUTS[name] as Cut;
    const all = units(call);
    const wanted = Math.min(3 * pool.threads(), MOST_PARTS, Math.floor((2 * work(call)) / leastWork()));
    const count = Math.min(all, wanted);
    if (count < 2) return [{ name, call }];
    return Array.from({ length: count }, (_, i) => {
      const [first, end] = [Math.floor((all * i) / count), Math.floor((all * (i + 1)) / count)];
      return { name, call: part(call, first, end - first, i) };
    });
  };
  const run = (tasks: Task[]) => {
    if (tasks.length > 1) return pool.run(level, direct, tasks);
    const [{ name, call }] = tasks;
    return (direct[name] as (call: Call) => boolean | void)(call);
  };
  const shared = Object.keys(CUTS).map((key) => {
    const name = key as Name;
    const kernel = (call: Call) => {
      if (gathered) gathered.push({ name, call });
      else return run(partsOf({ name, call }));
    };
    return [name, kernel];
  });
  const together = (f: () => void) => {
    const tasks: Task[] = (gathered = []);
    try {
      f();
    } finally {
      gathered = undefined;
    }
    const work = tasks.reduce((sum, { name, call }) => sum + (CUTS[name] as Cut).work(call), 0);
    if (work < leastWork()) for (const task of tasks) run([task]);
    else run(tasks.length < 2 * pool.threads() ? tasks.flatMap(partsOf) : tasks);
  };
  return { ...direct, ...Object.fromEntries(shared), together };
}

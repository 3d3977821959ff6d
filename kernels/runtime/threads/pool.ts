/** A pool: the calling thread and workers that run micro-kernels on one memory. worker.ts says how they speak. */
import { type MicroKernels, named, type Positional } from '../simd/calls.js';
import { exportsOf, moduleFor, SIMD_LEVELS, type SimdLevel, whyNot } from '../simd/modules.js';
import type { Name, Step } from './cuts.js';
import { runSteps } from './steps.js';
import { CALL_SIZE, CALLS, DONE, FAILED, newControl, PATIENCE, RESTING, SLEEPING, TICKET, TRUE, viewsOf } from './worker.js'; // prettier-ignore
import { type Started, startWorker } from './workers.js';

/** Calls of micro-kernels, which follow each other. */
export type Task = readonly Step[];

export interface Pool {
  readonly memory: WebAssembly.Memory;
  /** The threads that serve: this one, and the workers that have started. */
  threads(): number;
  /** Whether all workers sleep. */
  isAsleep(): boolean;
  /**
   * Runs the tasks in any order and at the same time. All have the same number of calls. Returns whether one of them has returned true.
   * @param meanwhile runs on this thread, while workers begin
   * @throws Error, and the pool is closed, if a worker has failed or is late. What has been written until then is of no use.
   */
  run(level: SimdLevel, direct: MicroKernels, tasks: readonly Task[], meanwhile?: () => void): boolean;
  close(): void;
}

/** In milliseconds: how long the calling thread waits for a task that a worker has taken. Most take less than one. */
const DEADLINE = 1000;

/**
 * Starts a pool.
 * @param count threads, with the calling one
 * @param onStart called when all workers have started
 * @param onEnd called at most once, if a worker does not start or ends by itself: then the pool is closed
 * @throws Error if the engine refuses
 */
export function openPool(
  memory: WebAssembly.Memory,
  count: number,
  url: string | undefined,
  onStart: (pool: Pool) => void,
  onEnd: (reason: string) => void,
): Pool {
  const levels = SIMD_LEVELS.filter((level) => !whyNot(level));
  const modules = levels.map((level) => moduleFor(level, true));
  const names = Object.keys(exportsOf(modules[0], memory)) as Name[];
  const control = newControl();
  const [words, table] = viewsOf(control);
  let started = 0;
  let isOpen = true;
  let job = 0;

  const close = () => {
    isOpen = false;
    for (const worker of workers) worker.stop();
  };
  const end = (reason: string) => {
    if (!isOpen) return;
    close();
    onEnd(reason);
  };
  let at = 0;
  let base = 0;
  /** Writes a call to the table. */
  const write = named(
    Object.fromEntries(
      names.map((name, kernel) => [
        name,
        (...args: (number | boolean)[]) => {
          table[at] = base + kernel;
          table[at + 1] = args.length;
          for (let i = 0; i < args.length; i++) table[at + 2 + i] = Number(args[i]);
          at += CALL_SIZE;
        },
      ]),
    ) as unknown as Positional,
  );

  /** Takes tasks until none is left. Returns how many it was, and whether one has returned true. */
  const takeTasks = (direct: MicroKernels, tasks: readonly Task[]): [number, boolean] => {
    let [taken, isTrue] = [0, false];
    for (;;) {
      const ticket = Atomics.load(words, TICKET);
      const low = (ticket >> 8) & 255;
      if (low === (ticket & 255)) return [taken, isTrue];
      if (Atomics.compareExchange(words, TICKET, ticket, ticket + 256) !== ticket) continue;
      if (runSteps(direct, tasks[low])) isTrue = true;
      taken++;
    }
  };

  const run: Pool['run'] = (level, direct, tasks, meanwhile) => {
    [at, base] = [0, levels.indexOf(level) * names.length];
    for (const task of tasks) runSteps(write, task);
    words[CALLS] = tasks[0].length;
    for (const word of [DONE, TRUE, FAILED]) words[word] = 0;
    Atomics.store(words, TICKET, (++job << 16) | tasks.length);
    if (Atomics.load(words, SLEEPING) > 0) Atomics.notify(words, TICKET);
    try {
      meanwhile?.();
      const [taken, isTrue] = takeTasks(direct, tasks);
      if (!waitFor(words, tasks.length - taken)) throw new Error('a worker was late');
      if (Atomics.load(words, FAILED)) throw new Error('a worker has failed');
      return isTrue || Atomics.load(words, TRUE) === 1;
    } catch (error) {
      end((error as Error).message); // workers may still be at the job
      throw error;
    }
  };
  const threads = () => (isOpen ? started + 1 : 1);
  const isAsleep = () => Atomics.load(words, SLEEPING) === started;
  const pool: Pool = { memory, threads, isAsleep, run, close };

  const workers: Started[] = [];
  try {
    for (let i = 1; i < count; i++) {
      const onWorkerStart = () => {
        if (++started === count - 1 && isOpen) onStart(pool);
      };
      workers.push(startWorker({ modules, memory, control, names }, url, onWorkerStart, end));
    }
  } catch (error) {
    close();
    throw error;
  }
  return pool;
}

/** Waits until so many tasks of workers have ended. Returns false if that takes too long. */
function waitFor(words: Int32Array, count: number): boolean {
  const limit = performance.now() + DEADLINE;
  for (let looks = 1; ; looks++) {
    const done = Atomics.load(words, DONE);
    if (done === count) return true;
    if (looks % PATIENCE > 0) continue;
    if (canRest) rest(words, done); // a worker may be waiting for this core
    if (performance.now() > limit) return false;
  }
}

/** Sleeps until another task has ended. */
function rest(words: Int32Array, done: number): void {
  Atomics.store(words, RESTING, 1);
  Atomics.wait(words, DONE, done, DEADLINE);
  Atomics.store(words, RESTING, 0);
}

/** Whether this thread may wait. That of a page may not. */
const canRest = (() => {
  try {
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 1);
    return true;
  } catch {
    return false;
  }
})();

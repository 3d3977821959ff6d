/**
 * The source of a worker, and the words by which it and the calling thread speak. The source needs no file and no import, so that it
 * survives every bundler.
 *
 * The words lie in a SharedArrayBuffer of their own: WORDS as int32, then a table of calls as float64. A job is a list of tasks. A task
 * is some calls of micro-kernels, which follow each other. No two tasks write to the same place, so any thread may take any of them.
 *
 * - TICKET tells which tasks nobody has taken yet: those from `low` up to `high`. It is number of the job << 16 | low << 8 | high. A thread
 *   takes a task if TICKET still is what it has read: the calling thread the lowest, a worker the highest. So a thread takes the same
 *   parts in one job after the other, and finds in its cache what it has written.
 * - The caller writes the table while no task is left. A worker reads a call after it has taken its task.
 * - A worker looks for the next task for some time before it sleeps: the jobs of a kernel follow each other within microseconds, and to
 *   be woken takes fifty.
 */
export const TICKET = 0;
/** The tasks of the job that have ended. */
export const DONE = 1;
/** The workers that sleep until TICKET changes. */
export const SLEEPING = 2;
/** 1: a call of the job has returned true. */
export const TRUE = 3;
/** 1: a call of the job has failed. */
export const FAILED = 4;
/** 1: the calling thread sleeps until DONE changes. */
export const RESTING = 5;
/** The calls of each task. */
export const CALLS = 6;
const WORDS = 16;

/** The tasks that a job may have, and the calls of all of them. */
export const MOST_TASKS = 64;
export const MOST_CALLS = 512;
/** Numbers of a call in the table: its micro-kernel, how many arguments it has, and the arguments. */
export const CALL_SIZE = 20;

/** Looks before a thread sleeps: about 450 microseconds. From one op of a network to the next it is often more than 150. */
export const PATIENCE = 30_000;

/** What a worker is told at its start. */
export interface WorkerData {
  readonly modules: readonly WebAssembly.Module[];
  readonly memory: WebAssembly.Memory;
  readonly control: SharedArrayBuffer;
  /** The micro-kernels of a module. A call has the number of one of the first module's, or of the next one's, and so on. */
  readonly names: readonly string[];
}

/** The words, and the table. */
export function viewsOf(control: SharedArrayBuffer): [words: Int32Array, table: Float64Array] {
  return [new Int32Array(control, 0, WORDS), new Float64Array(control, 4 * WORDS)];
}

export function newControl(): SharedArrayBuffer {
  return new SharedArrayBuffer(4 * WORDS + 8 * CALL_SIZE * MOST_CALLS);
}

export const WORKER = `'use strict';
const serve = ({ modules, memory, control, names }, started) => {
  const words = new Int32Array(control, 0, ${WORDS});
  const table = new Float64Array(control, ${4 * WORDS});
  const kernels = modules.flatMap((module) => {
    const { exports } = new WebAssembly.Instance(module, { env: { memory } });
    return names.map((name) => exports[name]);
  });
  started();
  for (let looks = 0; ; looks++) {
    const ticket = Atomics.load(words, ${TICKET});
    const high = ticket & 255;
    if (((ticket >> 8) & 255) === high) {
      if (looks < ${PATIENCE}) continue;
      Atomics.add(words, ${SLEEPING}, 1);
      Atomics.wait(words, ${TICKET}, ticket);
      Atomics.sub(words, ${SLEEPING}, 1);
    } else {
      if (Atomics.compareExchange(words, ${TICKET}, ticket, ticket - 1) !== ticket) continue;
      const size = ${CALL_SIZE} * words[${CALLS}];
      try {
        for (let at = size * (high - 1); at < size * high; at += ${CALL_SIZE}) {
          const args = table.subarray(at + 2, at + 2 + table[at + 1]);
          if (kernels[table[at]](...args)) Atomics.store(words, ${TRUE}, 1);
        }
      } catch {
        Atomics.store(words, ${FAILED}, 1);
      }
      Atomics.add(words, ${DONE}, 1);
      if (Atomics.load(words, ${RESTING})) Atomics.notify(words, ${DONE});
    }
    looks = 0;
  }
};
if (typeof postMessage === 'function') onmessage = ({ data }) => serve(data, () => postMessage(0));
else {
  const { parentPort, workerData } = require('node:worker_threads');
  serve(workerData, () => parentPort.postMessage(0));
}
`;

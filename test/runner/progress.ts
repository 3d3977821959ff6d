/** Shows how far a run is: as a bar on a terminal, elsewhere as a line every 15 seconds. */
import cliProgress from 'cli-progress';
import { type Job, titleOf } from './jobs.js';
import { isIncluded } from './plan.js';
import { keyOf, type Times } from './times.js';

/** Milliseconds that count for a spec that no earlier run has measured. On webgl a spec compiles programs. */
const unknown = (name: string) => (name.includes('webgl') ? 150 : 20);
const INTERVAL = 15_000;

export interface Progress {
  start(job: Job, specs: number): void;
  spec(job: Job, name: string): void;
  end(job: Job): void;
  /** Prints a line above the bar. */
  print(text: string): void;
  stop(): void;
}

/** The extent of a job: milliseconds expected and spent, specs in total and done. */
interface Extent {
  expected: number;
  spent: number;
  specs: number;
  done: number;
  state: 'waiting' | 'running' | 'ended';
}

/** @param times of the specs in earlier runs */
export function progressOf(jobs: readonly Job[], times: Times): Progress {
  const begin = Date.now();
  const timesOf = (job: Job) => times[keyOf(job)] ?? {};
  const extents = new Map<Job, Extent>();
  for (const job of jobs) {
    extents.set(job, {
      expected: expected(job, timesOf(job)),
      spent: 0,
      specs: 0,
      done: 0,
      state: 'waiting',
    });
  }

  const bar = process.stdout.isTTY
    ? new cliProgress.SingleBar(
        // Cursor and line wrapping stay as they are: a run that is interrupted could not restore them.
        { format: '{bar} {text}', barsize: 20, clearOnComplete: true, linewrap: true },
        cliProgress.Presets.shades_classic,
      )
    : undefined;
  bar?.start(1, 0, { text: '' });
  const show = () => {
    const all = [...extents.values()];
    const share =
      sum(all, (e) => Math.min(e.spent, e.expected)) /
      Math.max(
        1,
        sum(all, (e) => e.expected),
      );
    const text = describe(extents, (Date.now() - begin) / 1000, share);
    if (bar) bar.update(share, { text });
    else console.log(text);
  };
  const timer = setInterval(show, bar ? 1000 : INTERVAL);

  return {
    start(job, specs) {
      const extent = extents.get(job)!;
      Object.assign(extent, { specs, state: 'running' });
      if (extent.expected === 0) extent.expected = specs * unknown(titleOf(job));
    },
    spec(job, name) {
      const extent = extents.get(job)!;
      extent.done++;
      extent.spent += timesOf(job)[name] ?? unknown(name);
    },
    end(job) {
      const extent = extents.get(job)!;
      Object.assign(extent, { state: 'ended', spent: extent.expected });
    },
    print(text) {
      if (bar) process.stdout.write('\r\x1b[K');
      console.log(text);
    },
    stop() {
      clearInterval(timer);
      bar?.stop();
    },
  };
}

/** Milliseconds of the job's specs in earlier runs. */
export function expected({ plan }: Job, times: Record<string, number>): number {
  const included = Object.entries(times).filter(([name]) => isIncluded(plan, name));
  return sum(included, ([, time]) => time) / plan.parts;
}

/** Text: what runs, how far it is, and how long the rest will take. `share` is the share of the work that is done. */
function describe(extents: ReadonlyMap<Job, Extent>, seconds: number, share: number): string {
  const all = [...extents];
  const running = all.filter(([, { state }]) => state === 'running');
  const waiting = all.filter(([, { state }]) => state === 'waiting');
  const isKnown = share > 0.02 && waiting.every(([, { expected }]) => expected > 0);
  return [
    `${seconds.toFixed(0)} s`,
    ...(isKnown ? [`about ${((seconds * (1 - share)) / share).toFixed(0)} s left`] : []),
    ...running.map(([job, { done, specs }]) => `${titleOf(job)}: ${done} of ${specs}`),
    ...(waiting.length > 0 ? [`${waiting.length} to start`] : []),
  ].join('; ');
}

const sum = <T>(all: readonly T[], of: (one: T) => number) => all.reduce((total, one) => total + of(one), 0);

/**
 * `npm test`: runs the specs in Node and, under Karma, in every browser that is found, side by side.
 *
 * In each environment, this project's own specs run in several parts. Each part is one process (runner/jobs.ts). The number
 * of parts is --jobs, and so is the number of processes that run at a time. The default of --jobs is the number of cores.
 * tfjs-core's specs are one part. A run with --filter is one part too. The first browser takes all specs, and each other one half of
 * them. The next commit may take the other half.
 */
import { execFileSync } from 'node:child_process';
import { availableParallelism } from 'node:os';
import { Command, InvalidArgumentError } from 'commander';
import { locate, openDisplay } from './runner/browsers.js';
import type { Suite } from './runner/bundle.js';
import { writeCompatibility } from './runner/compatibility.js';
import { type Environment, ENVIRONMENTS, type Job, run, titleOf } from './runner/jobs.js';
import {
  closingLine,
  count,
  indented,
  newOutcome,
  type Outcome,
  printSkipped,
  printTable,
} from './runner/outcomes.js';
import type { Plan } from './runner/plan.js';
import { expected, type Progress, progressOf } from './runner/progress.js';
import { keepTimes, keyOf, readTimes, type Times, writeSlowest } from './runner/times.js';

interface Options {
  only?: Environment[];
  filter: string;
  upstream?: boolean;
  all: boolean;
  seed?: number;
  jobs: number;
  compatibility?: string;
  slowest?: string;
}

/** If a job failed, this many of its last console lines are shown. More would bury the result: some specs provoke warnings. */
const LAST = 50;

/** The environments asked for that are found. Without --only, a missing browser is skipped, and a message says so. */
async function available(asked: readonly Environment[], optional: boolean): Promise<Environment[]> {
  const found: Environment[] = [];
  for (const environment of asked) {
    const hint = environment === 'node' ? undefined : await locate(environment);
    if (!hint) found.push(environment);
    else if (optional) console.log(`${environment} skipped: not found, ${hint}`);
    else throw new Error(`${environment} was not found: ${hint}.`);
  }
  if (optional && found.length === 1)
    throw new Error('No browser was found: install chromium or firefox, or ask for --only node.');
  return found;
}

/** The seed depends on the commit, so that each commit takes other shares. */
function seedOfCommit(): number {
  try {
    return parseInt(execFileSync('git', ['rev-parse', '--short=7', 'HEAD'], { encoding: 'utf8' }), 16);
  } catch {
    return 1; // there is no repository, or it has no commit
  }
}

/** Every part of every suite in every environment. The parts that take longest come first. */
function jobsOf(environments: readonly Environment[], options: Options, seed: number, times: Times): Job[] {
  const jobs: Job[] = [];
  for (const environment of environments) {
    const plan = {
      filter: options.filter,
      part: 0,
      parts: 1,
      all: options.all || environment === 'node',
      seed,
    };
    // Where all environments run, one browser takes all specs, and each other one half of them.
    const isHalf = !options.only && !options.all && environments.indexOf(environment) > 1;
    for (const suite of suitesOf(environment, options.upstream ?? options.filter === '')) {
      const isWhole = suite !== 'specs' || options.filter !== '';
      const parts = isWhole ? [{}] : partsOf(environment, options.jobs);
      const onShared = environment === 'node' && suite === 'specs' && /^$|wasm/.test(options.filter);
      for (const part of onShared ? [...parts, SHARED_WASM] : parts) {
        const whole = { ...plan, ...part };
        jobs.push({ environment, suite, plan: isHalf && !isWhole ? halfOf(whole, seed) : whole });
      }
    }
  }
  // 'commands' builds the package before its first spec.
  const length = (job: Job) =>
    job.suite === 'commands'
      ? Infinity
      : expected(job, times[keyOf(job)] ?? {}) || (job.plan.on === 'webgl' ? 1 : 0);
  return jobs.sort((a, b) => length(b) - length(a));
}

/** In Node, the specs of the wasm backend run once more: on memory that threads share, by three of them. */
const SHARED_WASM: Partial<Plan> = { on: 'shared wasm', part: 0, parts: 1 };

function suitesOf(environment: Environment, upstream: boolean): Suite[] {
  return [
    ...(environment === 'node' ? (['commands'] as const) : []),
    'specs',
    ...(upstream ? (['upstream'] as const) : []),
  ];
}

/**
 * As many parts as processes run at a time. In Node there are three times as many, so that all cores end at about the same time. In
 * browsers one part is webgl, and there are at least two parts.
 */
function partsOf(environment: Environment, jobs: number): Pick<Plan, 'part' | 'parts' | 'on'>[] {
  const count = environment === 'node' ? 3 * jobs : Math.max(1, jobs - 1);
  const others = Array.from({ length: count }, (_, part) => ({ part, parts: count }));
  if (environment === 'node') return others;
  return [{ on: 'webgl', part: 0, parts: 1 }, ...others.map((part) => ({ on: 'others' as const, ...part }))];
}

/** Half of the part: that half which the seed chooses. */
const halfOf = <P extends Pick<Plan, 'part' | 'parts'>>(plan: P, seed: number): P => ({
  ...plan,
  part: 2 * plan.part + (seed % 2),
  parts: 2 * plan.parts,
});

async function runJob(job: Job, outcome: Outcome, progress: Progress): Promise<void> {
  const begin = Date.now();
  const printed: string[] = [];
  let ran = 0;
  let failed = false;
  const failure = (what: string, messages: string[] = []) => {
    failed = true;
    progress.print(indented([`FAILED in ${titleOf(job)}: ${what}`, ...messages]));
  };
  const outside = (what: string, messages?: string[]) => {
    outcome.failed++;
    failure(what, messages);
  };
  await run(job, {
    label: (text) => (outcome.label = text),
    start: (specs) => progress.start(job, specs),
    spec(result) {
      ran++;
      count(outcome, result);
      progress.spec(job, result.name);
      if (result.status === 'failed') failure(result.name, result.messages);
    },
    failure: outside,
    log: (text) => printed.push(text.trimEnd()),
  });
  if (ran === 0 && job.plan.filter === '') outside('no spec was run');
  outcome.seconds += (Date.now() - begin) / 1000;
  if (failed && printed.length)
    progress.print(indented([`The console of ${titleOf(job)} said last:`, ...printed.slice(-LAST)]));
  progress.end(job);
}

async function main(options: Options): Promise<void> {
  const environments = await available(options.only ?? ENVIRONMENTS, !options.only);
  const seed = options.seed ?? seedOfCommit();
  if (environments.some((environment) => environment !== 'node') && !options.all)
    console.log(
      `Browsers take a share of the enumerated geometries, and those after the first half of the specs; --seed ${seed} repeats the choice.`,
    );
  await openDisplay(environments);
  const times = readTimes();
  const jobs = jobsOf(environments, options, seed, times);
  const outcomes = new Map<string, Outcome>();
  for (const job of jobs) {
    if (!outcomes.has(keyOf(job))) outcomes.set(keyOf(job), newOutcome(job.environment, job.suite));
  }
  const progress = progressOf(jobs, times);
  const waiting = [...jobs];
  const work = async () => {
    for (let job = waiting.shift(); job && !interrupted; job = waiting.shift()) {
      await runJob(job, outcomes.get(keyOf(job))!, progress);
    }
  };
  await Promise.all(Array.from({ length: options.jobs }, work));
  progress.stop();
  if (interrupted) throw new Error('Interrupted.');

  const rank = ({ environment }: Outcome) => ENVIRONMENTS.indexOf(environment);
  const all = [...outcomes.values()].sort((a, b) => rank(a) - rank(b));
  if (all.every(({ passed, failed }) => passed + failed === 0))
    throw new Error(`No spec's name contains "${options.filter}".`);
  const own = all.filter(({ suite }) => suite === 'specs');
  if (options.compatibility) writeCompatibility(options.compatibility, own);
  if (options.slowest) writeSlowest(options.slowest, all);
  keepTimes(times, all);
  printSkipped(all);
  printTable(all);
  console.log(closingLine(all));
  // After an error in a browser, Karma leaves a timer behind. The timer would keep the process alive for minutes.
  process.exit(all.some(({ failed }) => failed) ? 1 : 0);
}

// At a signal, Karma closes its browser as if the run were over. After that, no other job may start.
let interrupted = false;
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => (interrupted = true));
// If nobody reads the output any more, as in `npm test | head`, Karma catches the error of each line and logs it, which fails again.
process.stdout.on('error', () => interrupted || process.kill(process.pid, 'SIGTERM'));

const parseOnly = (list: string) => {
  const names = list.split(',') as Environment[];
  if (names.every((name) => ENVIRONMENTS.includes(name))) return names;
  throw new InvalidArgumentError(`It is a list of ${ENVIRONMENTS.join(', ')}.`);
};

const parseWhole = (least: number) => (text: string) => {
  const number = Number(text);
  if (Number.isSafeInteger(number) && number >= least) return number;
  throw new InvalidArgumentError(`It is a whole number from ${least} on.`);
};

const program = new Command('npm test --')
  .description('Runs the specs in Node and, under Karma, in every browser that is found.')
  .option('--only <list>', `run only in these, of ${ENVIRONMENTS.join(',')}`, parseOnly)
  .option('--filter <text>', 'run only specs whose full name contains the text', '')
  .option(
    '--upstream',
    "run tfjs-core's own specs against the installed plugin; default: unless there is a --filter",
  )
  .option('--no-upstream', 'leave them out')
  .option('--all', 'take all enumerated geometry in browsers too, not a share (npm run test:all)', false)
  .option('--seed <number>', 'chooses the share that browsers take; default: from the commit', parseWhole(0))
  .option('--jobs <number>', 'run so many processes at a time', parseWhole(1), availableParallelism())
  .option('--compatibility <file>', 'write a table of what passed where, by kernel and backend')
  .option('--slowest <file>', 'write a table of the specs that took longest')
  .parse();
await main(program.opts()).catch((error: Error) => program.error(error.message));

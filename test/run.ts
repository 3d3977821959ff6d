import { fork } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { SourceMap } from 'node:module';
import { dirname, relative, resolve } from 'node:path';
import { inspect } from 'node:util';
import { Command, InvalidArgumentError } from 'commander';
import karma from 'karma';
import { CHROMIUM_FLAGS } from '../src/cli/browser.js';
import { type Browser, BROWSERS, locate, openDisplay } from './browsers.js';
import { bundle, bundleCspPage, type Suite } from './bundle.js';
import { writeCompatibility } from './compatibility.js';

type Environment = 'node' | Browser;
const ENVIRONMENTS: Environment[] = ['node', ...BROWSERS];

interface SpecResult {
  name: string;
  status: 'passed' | 'failed' | 'pending' | 'excluded';
  messages: string[];
}

/** What one suite did in one environment. Prints failures and skips as they come, the rest stays quiet. */
class Report {
  passed = 0;
  failed = 0;
  skipped = 0;
  seconds = 0;
  /** The environment with its version. */
  label: string;
  /** Each spec that ran, and whether it passed. */
  readonly specs = new Map<string, boolean>();
  private output: string[] = [];

  constructor(
    readonly environment: Environment,
    readonly suite: Suite,
  ) {
    this.label = environment === 'node' ? `Node ${process.versions.node}` : environment;
    console.log(`${this.title} ...`);
  }

  get title(): string {
    return this.suite === 'specs' ? this.environment : `${this.environment}, ${this.suite}`;
  }

  spec({ name, status, messages }: SpecResult): void {
    if (status === 'failed') this.failure(name, messages);
    if (status === 'passed') this.passed++;
    if (status === 'passed' || status === 'failed') this.specs.set(name, status === 'passed');
    if (status !== 'pending') return;
    this.skipped++;
    console.log(`  skipped: ${name}`);
  }

  failure(name: string, messages: string[] = []): void {
    this.failed++;
    console.log([`  FAILED: ${name}`, ...messages].join('\n').trimEnd().replaceAll('\n', '\n    '));
  }

  /** Specs that provoke warnings would bury a result: what they print is shown only if something failed. */
  log(text: string): void {
    this.output.push(text.trimEnd());
  }

  finish(seconds: number, mayBeEmpty: boolean): void {
    this.seconds = seconds;
    if (!mayBeEmpty && this.passed + this.failed === 0) this.failure('no spec was run');
    if (this.failed && this.output.length)
      console.log(
        ['  The console said last:', ...this.output.slice(-50)].join('\n').replaceAll('\n', '\n    '),
      );
  }
}

async function runInNode(file: string, report: Report): Promise<void> {
  const child = fork('test/node.mjs', [file], { execArgv: ['--enable-source-maps'], silent: true });
  child.on('message', (result) => report.spec(result as SpecResult));
  for (const stream of [child.stdout!, child.stderr!]) stream.on('data', (text) => report.log(String(text)));
  const [code, signal] = await once(child, 'close');
  if (code !== 0) report.failure(`Node stopped early (${signal ?? `exit code ${code}`})`);
}

interface KarmaResult {
  fullName: string;
  success: boolean;
  pending: boolean;
  disabled: boolean;
  log: string[];
}

async function runInBrowser(browser: Browser, file: string, report: Report): Promise<void> {
  const config = await karma.config.parseConfig(
    resolve('karma.conf.js'),
    {
      browsers: [browser],
      files: [file, { pattern: await bundleCspPage(), included: false }],
      customLaunchers: { chromium: { base: 'Chrome', flags: CHROMIUM_FLAGS } },
    },
    { promiseConfig: true, throwErrors: true },
  );
  const inSources = sourceMapper(file);
  const code = await new Promise<number>((done) => {
    const server = new karma.Server(config, done);
    server.on('spec_complete', (_, { fullName, success, pending, disabled, log }: KarmaResult) => {
      const status = disabled ? 'excluded' : pending ? 'pending' : success ? 'passed' : 'failed';
      report.spec({ name: fullName, status, messages: log.map(inSources) });
    });
    server.on('browser_register', ({ name }: { name: string }) => (report.label = name));
    let starts = 0;
    server.on('browser_start', () => {
      if (++starts > 1)
        report.failure('the page was loaded again in the middle of its specs, which began anew');
    });
    server.on('browser_error', (_, error) => report.failure('outside of a spec', [inSources(asText(error))]));
    server.on('browser_log', (_, text) => report.log(asText(text)));
    void server.start();
  });
  if (code !== 0 && report.failed === 0) report.failure(`Karma stopped with exit code ${code}`);
}

const asText = (value: unknown) => (typeof value === 'string' ? value : inspect(value));

/** Stack traces from a browser name lines of the bundle; this names those of the sources. */
function sourceMapper(file: string): (stack: string) => string {
  const map = new SourceMap(JSON.parse(readFileSync(`${file}.map`, 'utf8')));
  const inRepository = (source: string) => relative('', resolve(dirname(file), source));
  return (stack) =>
    stack.replace(/https?:[^\s()]*?\.browser\.js[^\s():]*:(\d+):(\d+)/g, (position, line, column) => {
      const entry = map.findEntry(line - 1, column - 1);
      return 'originalSource' in entry
        ? `${inRepository(entry.originalSource)}:${entry.originalLine + 1}:${entry.originalColumn + 1}`
        : position;
    });
}

async function runSuite(environment: Environment, suite: Suite, filter: string): Promise<Report> {
  const report = new Report(environment, suite);
  const start = Date.now();
  try {
    if (environment === 'node') await runInNode(await bundle(suite, 'node', filter), report);
    else await runInBrowser(environment, await bundle(suite, 'browser', filter), report);
  } catch (error) {
    report.failure('the run broke off', [(error as Error).message]);
  }
  report.finish((Date.now() - start) / 1000, filter !== '');
  return report;
}

/** The environments asked for that are here; without --only a browser that is not is skipped, visibly. */
async function available(asked: Environment[], optional: boolean): Promise<Environment[]> {
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

function printTable(reports: Report[]): void {
  const rows = reports.map((report) => [
    report.title,
    ...[report.passed, report.failed, report.skipped, report.seconds.toFixed(1)].map(String),
  ]);
  console.log();
  for (const [title, ...numbers] of [['environment', 'passed', 'failed', 'skipped', 'seconds'], ...rows])
    console.log(title.padEnd(20) + numbers.map((number) => number.padStart(9)).join(''));
}

function closingLine(reports: Report[]): string {
  const sum = (count: 'passed' | 'failed' | 'skipped') =>
    reports.reduce((total, report) => total + report[count], 0);
  const skipped = sum('skipped') ? `, ${sum('skipped')} skipped` : '';
  return `${sum('passed')} passed, ${sum('failed')} failed${skipped}`;
}

interface Options {
  only?: Environment[];
  filter: string;
  upstream: boolean;
  compatibility?: string;
}

async function main(options: Options): Promise<void> {
  const environments = await available(options.only ?? ENVIRONMENTS, !options.only);
  const suites: Suite[] = options.upstream ? ['specs', 'upstream'] : ['specs'];
  await openDisplay(environments);
  const reports: Report[] = [];
  for (const suite of suites) {
    for (const environment of environments) {
      reports.push(await runSuite(environment, suite, options.filter));
      if (interrupted) throw new Error('Interrupted.');
    }
  }
  if (reports.every((report) => report.passed + report.failed === 0))
    throw new Error(`No spec's name contains "${options.filter}".`);
  if (options.compatibility) {
    writeCompatibility(
      options.compatibility,
      reports.filter((report) => report.suite === 'specs'),
    );
  }
  printTable(reports);
  console.log(closingLine(reports));
  // After an error in a browser Karma leaves a timer behind that would keep the process alive for minutes.
  process.exit(reports.some((report) => report.failed) ? 1 : 0);
}

// Karma answers a signal by closing its browser as if the run were over; the other environments must not follow.
let interrupted = false;
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => (interrupted = true));

const parseOnly = (list: string) => {
  const names = list.split(',') as Environment[];
  if (names.every((name) => ENVIRONMENTS.includes(name))) return names;
  throw new InvalidArgumentError(`It is a list of ${ENVIRONMENTS.join(', ')}.`);
};

const program = new Command('npm test --')
  .description('Runs the specs in Node and, under Karma, in every browser that is found.')
  .option('--only <list>', `run only in these, of ${ENVIRONMENTS.join(',')}`, parseOnly)
  .option('--filter <text>', 'run only specs whose full name contains the text', '')
  .option('--no-upstream', "leave out tfjs-core's own specs, which run against the installed plugin")
  .option('--compatibility <file>', 'write a table of what passed where, by kernel and backend')
  .parse();
await main(program.opts()).catch((error: Error) => program.error(error.message));

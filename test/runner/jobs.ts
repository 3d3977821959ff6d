/** One process that runs a part of a suite's specs in one environment: Node, or a browser under Karma. */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { SourceMap } from 'node:module';
import { dirname, relative, resolve } from 'node:path';
import { inspect } from 'node:util';
import karma from 'karma';
import { CHROMIUM_FLAGS } from '../../src/cli/browser.js';
import { type Browser, BROWSERS } from './browsers.js';
import { bundle, bundlePage, type Platform, type Suite, WASM_FOLDER } from './bundle.js';
import type { Plan } from './plan.js';

export type Environment = 'node' | Browser;
export const ENVIRONMENTS: readonly Environment[] = ['node', ...BROWSERS];

export interface Job {
  environment: Environment;
  suite: Suite;
  plan: Plan;
}

export interface SpecResult {
  name: string;
  status: 'passed' | 'failed' | 'pending';
  messages: string[];
  milliseconds: number;
}

/** What a job reports while it runs. */
export interface Listener {
  /** The browser's name and version. */
  label(text: string): void;
  /** `specs` is the number of specs that will run. */
  start(specs: number): void;
  spec(result: SpecResult): void;
  /** Something outside of a spec went wrong. */
  failure(what: string, messages?: string[]): void;
  /** What specs print. */
  log(text: string): void;
}

/** The full name of a job, such as 'chromium, upstream', 'firefox, webgl' or 'node, part 1 of 2'. */
export function titleOf({ environment, suite, plan: { on, part, parts } }: Job): string {
  const of = parts > 1 ? `part ${part + 1} of ${parts}` : undefined;
  return [environment, suite === 'specs' ? on : suite, of].filter(Boolean).join(', ');
}

/** Ends when the job has ended, even if it failed. The listener hears of every failure. */
export async function run(job: Job, listener: Listener): Promise<void> {
  try {
    if (job.environment === 'node') await runInNode(job, listener);
    else await runInBrowser(job.environment, job, listener);
  } catch (error) {
    listener.failure('the run broke off', [(error as Error).message]);
  }
}

const SIGNALS = ['SIGINT', 'SIGTERM'];

const bundles = new Map<string, Promise<string>>();

/** Each suite is bundled once for Node and once for all browsers. */
function bundled(suite: Suite, platform: Platform): Promise<string> {
  const key = `${suite} ${platform}`;
  if (!bundles.has(key)) bundles.set(key, bundle(suite, platform));
  return bundles.get(key)!;
}

async function runInNode({ suite, plan }: Job, listener: Listener): Promise<void> {
  const file = await bundled(suite, 'node');
  const child = fork('test/runner/node.mjs', [file, JSON.stringify(plan)], {
    execArgv: ['--enable-source-maps'],
    silent: true,
  });
  const stop = () => child.kill();
  for (const signal of SIGNALS) process.once(signal, stop);
  child.on('message', (message: SpecResult | { specs: number }) =>
    'specs' in message ? listener.start(message.specs) : listener.spec(message),
  );
  for (const stream of [child.stdout!, child.stderr!])
    stream.on('data', (text) => listener.log(String(text)));
  const [code, signal] = await once(child, 'close');
  for (const signal of SIGNALS) process.off(signal, stop);
  if (code !== 0) listener.failure(`Node stopped early (${signal ?? `exit code ${code}`})`);
}

interface KarmaResult {
  fullName: string;
  success: boolean;
  pending: boolean;
  log: string[];
  time: number;
}

/** Servers that start side by side must not start their search for a free port at the same number. */
let nextPort = 9876;

async function runInBrowser(browser: Browser, { suite, plan }: Job, listener: Listener): Promise<void> {
  const [file, page] = await Promise.all([bundled(suite, 'browser'), cspPage()]);
  const config = await karma.config.parseConfig(
    resolve('karma.conf.js'),
    {
      browsers: [browser],
      port: (nextPort += 10),
      files: [file, ...[page, `${WASM_FOLDER}/*.wasm`].map((pattern) => ({ pattern, included: false }))],
      client: { plan } as karma.ClientOptions,
      customLaunchers: { chromium: { base: 'Chrome', flags: CHROMIUM_FLAGS } },
    },
    { promiseConfig: true, throwErrors: true },
  );
  const inSources = sourceMapper(file);
  let failed = false;
  const failure: Listener['failure'] = (what, messages) => {
    failed = true;
    listener.failure(what, messages);
  };
  const code = await new Promise<number>((done) => {
    const server = new karma.Server(config, done);
    server.on('spec_complete', (_, { fullName, success, pending, log, time }: KarmaResult) => {
      const status = pending ? 'pending' : success ? 'passed' : 'failed';
      failed ||= status === 'failed';
      listener.spec({ name: fullName, status, messages: log.map(inSources), milliseconds: time });
    });
    server.on('browser_register', ({ name }: { name: string }) => listener.label(name));
    let starts = 0;
    server.on('browser_start', () => {
      if (++starts > 1) failure('the page was loaded again in the middle of its specs, which began anew');
    });
    on(server, 'browser_info', (_, info: { specs?: number }) => {
      if (info.specs !== undefined) listener.start(info.specs);
    });
    server.on('browser_error', (_, error) => failure('outside of a spec', [inSources(asText(error))]));
    server.on('browser_log', (_, text) => listener.log(asText(text)));
    void server.start();
  });
  if (code !== 0 && !failed) listener.failure(`Karma stopped with exit code ${code}`);
}

/** For an event that Karma's types do not list. */
const on = (server: karma.Server, event: string, heard: (...args: never[]) => void) =>
  (server as unknown as NodeJS.EventEmitter).on(event, heard as (...args: unknown[]) => void);

let page: Promise<string> | undefined;
const cspPage = () => (page ??= bundlePage('test/support/csp_page.ts'));

const asText = (value: unknown) => (typeof value === 'string' ? value : inspect(value));

/** Stack traces from a browser name lines of the bundle. The result replaces them by lines of the sources. */
function sourceMapper(file: string): (stack: string) => string {
  let map: SourceMap | undefined;
  const inRepository = (source: string) => relative('', resolve(dirname(file), source));
  return (stack) =>
    stack.replace(/https?:[^\s()]*?\.browser\.js[^\s():]*:(\d+):(\d+)/g, (position, line, column) => {
      map ??= new SourceMap(JSON.parse(readFileSync(`${file}.map`, 'utf8')));
      const entry = map.findEntry(line - 1, column - 1);
      return 'originalSource' in entry
        ? `${inRepository(entry.originalSource)}:${entry.originalLine + 1}:${entry.originalColumn + 1}`
        : position;
    });
}

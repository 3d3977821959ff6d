/**
 * Runs a page in an installed Chromium or Chrome, without a window, and receives its messages. chrome-launcher finds the browser, gives
 * it a new profile, and ends it with all its processes.
 */
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, statSync } from 'node:fs';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { constants } from 'node:os';
import { extname } from 'node:path';
import { getChromePath, Launcher } from 'chrome-launcher';
import { readNumber } from './numbers.js';

export const CHROMIUM_HINT = 'install Chrome or Chromium, or set CHROME_BIN to its path';

/** What any Chromium gets here. */
export const COMMON_FLAGS = [
  '--no-sandbox', // without it Chromium refuses to run as root, as it does in containers
  '--ignore-gpu-blocklist',
  '--disable-dev-shm-usage',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--disable-quic',
  '--no-first-run',
];

/** No window, and WebGL without a GPU. Karma's own ChromeHeadless switches WebGL off. */
export const CHROMIUM_FLAGS = [
  ...COMMON_FLAGS,
  '--headless',
  '--use-angle=swiftshader',
  '--enable-unsafe-swiftshader',
];

/** The path of Chromium or Chrome: what CHROME_BIN says, or else where they are usually installed. */
export function findChromium(): string | undefined {
  try {
    return process.env.CHROME_BIN || getChromePath();
  } catch {
    return undefined; // chrome-launcher throws if it finds none
  }
}

/** A browser that runs. */
export interface Opened {
  process: ChildProcess;
  /** Ends all its processes, and removes its profile. */
  kill(): void;
}

/** Opens a page in Chromium. @throws Error if there is none */
export async function openChromium(url: string, flags = CHROMIUM_FLAGS): Promise<Opened> {
  const chromePath = findChromium();
  if (!chromePath) throw new Error(`No browser was found: ${CHROMIUM_HINT}.`);
  if (!statSync(chromePath, { throwIfNoEntry: false })?.isFile())
    throw new Error(`CHROME_BIN is ${chromePath}, but there is no such program.`);
  // Through a pipe instead of a port, Chromium sees the end of this process, however it ends, and ends too.
  const chromeFlags = [...flags, '--remote-debugging-pipe'];
  const envVars = { ...process.env };
  const launcher = new Launcher({ chromePath, startingUrl: url, chromeFlags, envVars });
  launcher.prepare();
  const profile = launcher.userDataDir!;
  // Chromium makes a folder for a socket, which it leaves behind when it is killed. So it shall be in the profile, if the socket's path,
  // of 104 characters at most, stays short enough.
  if (profile.length <= LONGEST_PROFILE) envVars.TMPDIR = profile;
  await launcher.launch();
  return { process: launcher.chromeProcess!, kill: () => launcher.kill() };
}

const LONGEST_PROFILE = 104 - '/.org.chromium.Chromium.XXXXXX/SingletonSocket'.length;

const TYPES: Record<string, string> = {
  '.js': 'text/javascript',
  '.mjs': 'text/javascript',
  '.css': 'text/css',
  '.json': 'application/json',
  '.wasm': 'application/wasm',
};

/** What a page sends: any number of messages, and at the end `done` or an error. */
export type Message<T> = { message: T } | { done: true } | { error: string };

type FileOf = (path: string) => { file: string } | { text: string } | undefined;

/** A page that this process serves until it is closed. */
export interface Served {
  url: string;
  /** Resolves when the page says that it is done. Rejects with the error that it sends. */
  ended: Promise<void>;
  close(): void;
}

/**
 * Serves a page to this machine.
 * @param html the page. It POSTs each Message as JSON to /message.
 * @param fileOf gives the file for a path that the page asks for, or the text to send
 * @param onMessage called with each message. An error that it throws ends the page.
 * @param headers HTTP headers of all answers
 */
export async function servePage<T>(
  html: string,
  fileOf: FileOf,
  onMessage: (message: T) => void,
  headers: Record<string, string> = {},
): Promise<Served> {
  let done: () => void;
  let fail: (error: Error) => void;
  const ended = new Promise<void>((resolve, reject) => ([done, fail] = [resolve, reject]));
  const receive = (sent: Message<T>) => {
    if ('message' in sent) onMessage(sent.message);
    else if ('error' in sent) fail(new Error(sent.error));
    else done();
  };
  const server = createServer(async (request, response) => {
    if (request.method === 'POST') {
      const sent = JSON.parse(await bodyOf(request), readNumber);
      response.end();
      try {
        receive(sent);
      } catch (error) {
        fail(error as Error);
      }
      return;
    }
    const path = decodeURIComponent(new URL(request.url!, 'http://localhost').pathname);
    const found = path === '/' ? { text: html } : fileOf(path);
    if (!found || ('file' in found && !statSync(found.file, { throwIfNoEntry: false })?.isFile())) {
      response.writeHead(404).end();
      return;
    }
    response.setHeaders(new Map(Object.entries(headers)));
    response.setHeader('Content-Type', path === '/' ? 'text/html' : (TYPES[extname(path)] ?? 'text/plain'));
    response.end('text' in found ? found.text : readFileSync(found.file));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const close = () => {
    server.close();
    server.closeAllConnections();
  };
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`, ended, close };
}

export interface InBrowserOptions {
  headers?: Record<string, string>;
  /** Opens the page. Default: openChromium. */
  open?: (url: string) => Promise<Opened>;
  /** Ends the page early. */
  signal?: AbortSignal;
}

/**
 * Serves a page, and opens it in a browser until it says that it is done. However this ends, the browser and its profile are gone.
 * The parameters are those of `servePage`.
 * @throws Error if no browser is found, if the browser ends early, or if the page sends an error
 */
export async function inBrowser<T>(
  html: string,
  fileOf: FileOf,
  onMessage: (message: T) => void,
  { headers, open = openChromium, signal }: InBrowserOptions = {},
): Promise<void> {
  const page = await servePage(html, fileOf, onMessage, headers);
  try {
    const browser = await open(page.url);
    const forget = killedAtExit(browser);
    try {
      await Promise.race([page.ended, earlyEnd(browser), aborted(signal)]);
    } finally {
      forget();
      browser.kill();
    }
  } finally {
    page.close();
  }
}

/** Signals that end this process: of Ctrl-C, of a program that ends another, of a terminal that is closed. */
const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/** Ends the browser with this process. Returns what takes that back. */
function killedAtExit(browser: Opened): () => void {
  const kill = () => browser.kill();
  const exit = (signal: NodeJS.Signals) => process.exit(128 + constants.signals[signal]);
  process.once('exit', kill);
  for (const signal of SIGNALS) process.once(signal, exit);
  return () => {
    process.off('exit', kill);
    for (const signal of SIGNALS) process.off(signal, exit);
  };
}

async function earlyEnd({ process }: Opened): Promise<never> {
  const [code, signal] = await once(process, 'exit');
  throw new Error(`The browser ended early, with ${signal ? `signal ${signal}` : `exit code ${code}`}.`);
}

/** Rejects when the signal is aborted, with its reason. */
export function aborted(signal: AbortSignal | undefined): Promise<never> {
  return new Promise((_, reject) => {
    signal?.addEventListener('abort', () => reject(signal.reason as Error), { once: true });
  });
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  let body = '';
  for await (const chunk of request) body += chunk;
  return body;
}

/**
 * Part of the page's script: `send` sends a Message, with numbers as numbers.ts writes them. Errors are sent, too. Messages arrive in
 * their order.
 */
export const SENDER = `
  const writeNumber = (_, value) => (typeof value === 'number' && !Number.isFinite(value) ? String(value) : value);
  let last = Promise.resolve();
  const send = (message) => {
    const body = JSON.stringify(message, writeNumber);
    return (last = last.then(() => fetch('/message', { method: 'POST', body })));
  };
  addEventListener('error', (event) => send({ error: event.message }));
  addEventListener('unhandledrejection', (event) => send({ error: String(event.reason?.stack ?? event.reason) }));
`;

/** Runs a page in an installed browser, without a window, and receives its messages. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { delimiter, extname, isAbsolute, join } from 'node:path';

/** Where to look for a browser: an environment variable, names on the PATH, and absolute paths. */
export interface Place {
  variable: string;
  names: string[];
  hint: string;
}

export const CHROMIUM: Place = {
  variable: 'CHROME_BIN',
  names: [
    'chromium',
    'chromium-browser',
    'google-chrome',
    'google-chrome-stable',
    '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
    '/Applications/Chromium.app/Contents/MacOS/Chromium',
    'C:/Program Files/Google/Chrome/Application/chrome.exe',
    'C:/Program Files (x86)/Google/Chrome/Application/chrome.exe',
  ],
  hint: 'install chromium or set CHROME_BIN',
};

/** Flags for WebGL without a GPU, and for running as root, as in a container. */
export const CHROMIUM_FLAGS = [
  '--headless',
  '--no-sandbox', // without it Chromium refuses to run as root, as it does in containers
  '--use-angle=swiftshader', // WebGL without a GPU. Karma's own ChromeHeadless switches WebGL off
  '--enable-unsafe-swiftshader',
  '--ignore-gpu-blocklist',
  '--disable-dev-shm-usage',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--disable-quic',
  '--no-first-run',
];

export function findBrowser({ variable, names }: Place): string | undefined {
  return process.env[variable] || firstOnPath(names);
}

export function firstOnPath(names: string[]): string | undefined {
  const folders = (process.env.PATH ?? '').split(delimiter);
  const paths = names.flatMap((name) =>
    isAbsolute(name) ? name : folders.map((folder) => join(folder, name)),
  );
  return paths.find((path) => existsSync(path));
}

const TYPES: Record<string, string> = {
  '.js': 'text/javascript',
  '.mjs': 'text/javascript',
  '.json': 'application/json',
  '.wasm': 'application/wasm',
};

/** What a page sends: any number of messages, and at the end `done` or an error. */
export type Message<T> = { message: T } | { done: true } | { error: string };

/**
 * Opens a page in Chromium until it says that it is done.
 * @param html the page. It POSTs each Message as JSON to /message.
 * @param fileOf gives the file for a path that the page asks for, or the text to send
 * @param onMessage called with each message
 * @param headers HTTP headers of all answers
 * @throws Error if no browser is found, if the browser ends early, or if the page sends an error
 */
export async function inBrowser<T>(
  html: string,
  fileOf: (path: string) => { file: string } | { text: string } | undefined,
  onMessage: (message: T) => void,
  headers: Record<string, string> = {},
): Promise<void> {
  const browser = findBrowser(CHROMIUM);
  if (!browser) throw new Error(`No browser was found: ${CHROMIUM.hint}.`);
  const profile = mkdtempSync(join(tmpdir(), 'tfjs-convgrad-'));
  let finish: (error?: Error) => void;
  const finished = new Promise<void>((resolve, reject) => {
    finish = (error) => (error ? reject(error) : resolve());
  });
  const server = createServer(async (request, response) => {
    const path = decodeURIComponent(new URL(request.url!, 'http://localhost').pathname);
    if (request.method === 'POST') {
      const sent = JSON.parse(await bodyOf(request)) as Message<T>;
      response.end();
      if ('message' in sent) onMessage(sent.message);
      else finish('error' in sent ? new Error(sent.error) : undefined);
      return;
    }
    const found = path === '/' ? { text: html } : fileOf(path);
    if (!found || ('file' in found && !existsSync(found.file))) {
      response.writeHead(404).end();
      return;
    }
    response.setHeaders(new Map(Object.entries(headers)));
    response.setHeader('Content-Type', path === '/' ? 'text/html' : (TYPES[extname(path)] ?? 'text/plain'));
    response.end('text' in found ? found.text : readFileSync(found.file));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const flags = [...CHROMIUM_FLAGS, `--user-data-dir=${profile}`, `http://127.0.0.1:${port}/`];
  const child = spawn(browser, flags, { stdio: 'ignore' });
  child.once('error', (error) => finish(error));
  child.once('exit', (code) => finish(new Error(`The browser ended early, with exit code ${code}.`)));
  try {
    await finished;
  } finally {
    if (child.exitCode === null && child.kill()) await once(child, 'exit');
    server.close();
    server.closeAllConnections();
    removeFolder(profile);
  }
}

/** Removes a browser's profile. If a process of the browser still writes there, the folder is left to the system. */
export function removeFolder(profile: string): void {
  try {
    rmSync(profile, { recursive: true, force: true, maxRetries: 10 });
  } catch {
    // only the page's messages count, not the files that the browser leaves behind
  }
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  let body = '';
  for await (const chunk of request) body += chunk;
  return body;
}

/** Part of the page's script: `send` sends a Message. Errors are sent, too. Messages arrive in their order. */
export const SENDER = `
  let last = Promise.resolve();
  const send = (message) => (last = last.then(() => fetch('/message', { method: 'POST', body: JSON.stringify(message) })));
  addEventListener('error', (event) => send({ error: event.message }));
  addEventListener('unhandledrejection', (event) => send({ error: String(event.reason?.stack ?? event.reason) }));
`;

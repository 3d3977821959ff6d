/** Runs a page in an installed browser, without a window, and hears what it has to say. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { delimiter, extname, isAbsolute, join } from 'node:path';

/** Where a browser may be: an environment variable, names to look for on the PATH, and absolute paths. */
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

/** For WebGL without a GPU, and as root, as in a container. */
export const CHROMIUM_FLAGS = [
  '--headless',
  '--no-sandbox', // Chromium refuses to run as root without it, which is what containers do
  '--use-angle=swiftshader', // WebGL without a GPU; Karma's own ChromeHeadless switches WebGL off
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

/** What a page sends: any number of messages, then that it is done, or why it is not. */
export type Message<T> = { message: T } | { done: true } | { error: string };

/**
 * Opens a page in Chromium until it says that it is done.
 * @param html the page; it POSTs a Message as JSON to /message
 * @param fileOf the file behind a path that the page asks for, or its text
 * @throws Error if there is no browser, it ends early, or the page fails
 */
export async function inBrowser<T>(
  html: string,
  fileOf: (path: string) => { file: string } | { text: string } | undefined,
  onMessage: (message: T) => void,
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
    response.setHeader('Content-Type', path === '/' ? 'text/html' : (TYPES[extname(path)] ?? 'text/plain'));
    response.end('text' in found ? found.text : readFileSync(found.file));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const flags = [...CHROMIUM_FLAGS, `--user-data-dir=${profile}`, `http://127.0.0.1:${port}/`];
  const child = spawn(browser, flags, { stdio: 'ignore' });
  child.once('error', (error) => finish(error));
  child.once('exit', (code) => finish(new Error(`The browser ended early, with ${code}.`)));
  try {
    await finished;
  } finally {
    if (child.exitCode === null && child.kill()) await once(child, 'exit');
    server.close();
    server.closeAllConnections();
    removeFolder(profile);
  }
}

/** Removes a browser's profile. A process of it may outlive it and still write there: then the folder is left to the system. */
export function removeFolder(profile: string): void {
  try {
    rmSync(profile, { recursive: true, force: true, maxRetries: 10 });
  } catch {
    // what the page said counts, not what the browser leaves behind
  }
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  let body = '';
  for await (const chunk of request) body += chunk;
  return body;
}

/** For the page's own script: sends what it has to say. */
export const SENDER = `
  let last = Promise.resolve();
  const send = (message) => (last = last.then(() => fetch('/message', { method: 'POST', body: JSON.stringify(message) })));
  addEventListener('error', (event) => send({ error: event.message }));
  addEventListener('unhandledrejection', (event) => send({ error: String(event.reason?.stack ?? event.reason) }));
`;

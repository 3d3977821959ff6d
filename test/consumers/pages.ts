/** Pages of consumers, in Chromium. A page sends its result to this process. */
import { once } from 'node:events';
import { existsSync, readFileSync, statSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { extname, join } from 'node:path';
import { text } from 'node:stream/consumers';
import { pathToFileURL } from 'node:url';
import { openChromium } from '../../src/cli/browser.js';

const TYPES: Record<string, string> = {
  '.html': 'text/html',
  '.js': 'text/javascript',
  '.wasm': 'application/wasm',
};

/** Milliseconds. */
const LIMIT = 60_000;

/** A script for pages. It runs the check on each backend, and sends what serves, or the error. */
export const REPORT = `
globalThis.report = async (tf, convgrad, backendNames, workerUrl) => {
  const lines = [];
  try {
    for (const name of backendNames) lines.push(await globalThis.check(tf, convgrad, name, workerUrl));
    globalThis.send(lines.join(', '));
  } catch (error) {
    globalThis.send('FAILED ' + error.stack);
  }
};
/** A worker hands its result to the page. A page has the address in its own. */
globalThis.send = (text) => {
  if (typeof document === 'undefined') return globalThis.postMessage(text);
  const to = new URLSearchParams(location.search).get('report');
  fetch(to, { method: 'POST', mode: 'no-cors', body: text });
};
globalThis.addEventListener('error', (event) => globalThis.send('FAILED ' + event.message));
globalThis.addEventListener('unhandledrejection', (event) => globalThis.send('FAILED ' + event.reason));
`;

export interface PageOptions {
  /** Open the page by file:// instead of http://. */
  fromFile?: boolean;
  headers?: Record<string, string>;
}

/**
 * Opens index.html of a folder in Chromium.
 * @param root the folder that is served: that of the page, or one above it
 * @param page the path of the page in it
 * @returns what the page sends
 * @throws Error if it sends an error, or nothing in a minute
 */
export async function openPage(
  root: string,
  page: string,
  { fromFile, headers = {} }: PageOptions = {},
): Promise<string> {
  let receive: (result: string) => void;
  const received = new Promise<string>((resolve) => (receive = resolve));
  const server = createServer(async (request, response) => {
    if (request.method === 'POST') {
      receive(await text(request));
      response.end();
      return;
    }
    const file = join(root, decodeURIComponent(new URL(request.url!, 'http://localhost').pathname));
    if (!existsSync(file) || !statSync(file).isFile()) return response.writeHead(404).end();
    response.setHeaders(new Map(Object.entries(headers)));
    response.setHeader('Content-Type', TYPES[extname(file)] ?? 'text/plain');
    response.end(readFileSync(file));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const url = fromFile ? pathToFileURL(join(root, page)).href : `${origin}/${page}`;
  const browser = await openChromium(`${url}?report=${encodeURIComponent(`${origin}/result`)}`);
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<string>((resolve) => {
    timer = setTimeout(() => resolve('FAILED It sent nothing in a minute.'), LIMIT);
  });
  const result = await Promise.race([received, late]);
  clearTimeout(timer);
  browser.kill();
  server.close();
  server.closeAllConnections();
  if (result.startsWith('FAILED ')) throw new Error(result.slice('FAILED '.length));
  return result;
}

/**
 * `npm run bench:webgl`: times the plugin's webgl kernels and tfjs's own. Both alternate in one page. Their results are
 * checked before they are timed. The times are medians. `npm run bench:webgl -- --help` lists the browsers. `--serve`
 * only serves the page, which you then open by hand.
 */
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Command } from 'commander';
import { removeFolder } from '../src/cli/browser.js';
import { build } from 'esbuild';
import { locate, openDisplay } from '../test/runner/browsers.js';

const CHROMIUM = ['--no-sandbox', '--ignore-gpu-blocklist', '--no-first-run', '--disable-dev-shm-usage', '--disable-background-networking']; // prettier-ignore
const HEADLESS = ['--headless', '--use-angle=swiftshader', '--enable-unsafe-swiftshader'];

/** How each browser starts, with a new profile in `folder`. All but the first need an X display, or get one. */
const LAUNCHERS: Record<string, (folder: string) => [variable: string, args: string[]]> = {
  swiftshader: (folder) => ['CHROME_BIN', [...CHROMIUM, ...HEADLESS, `--user-data-dir=${folder}`]],
  llvmpipe: (folder) => [
    'CHROME_BIN',
    [...CHROMIUM, '--use-gl=angle', '--use-angle=gl', `--user-data-dir=${folder}`],
  ],
  gpu: (folder) => ['CHROME_BIN', [...CHROMIUM, '--headless', '--use-angle=vulkan', '--enable-features=Vulkan', `--user-data-dir=${folder}`]], // prettier-ignore
  firefox: (folder) => ['FIREFOX_BIN', ['--no-remote', '--new-instance', '--profile', folder]],
};

const FILES: Record<string, string> = {
  '/': 'bench/webgl.html',
  '/webgl_page.js': 'build/bench/webgl_page.js',
};

async function main(browser: string, only: string, serveOnly: boolean): Promise<void> {
  await build({
    entryPoints: ['bench/webgl_page.ts'],
    outdir: 'build/bench',
    bundle: true,
    format: 'iife',
    target: 'es2022',
    ignoreAnnotations: true,
    logLevel: 'warning',
  });
  let end = () => {};
  const ended = new Promise<void>((resolve) => (end = resolve));
  const server = createServer((request, response) => {
    const path = new URL(request.url!, 'http://localhost').pathname;
    if (request.method === 'POST') {
      let body = '';
      request.on('data', (text) => (body += text));
      request.on('end', () => {
        response.end();
        if (path === '/print') console.log(body);
        else end();
      });
    } else if (path in FILES) {
      response.setHeader('content-type', path === '/' ? 'text/html' : 'text/javascript');
      response.end(readFileSync(FILES[path]));
    } else response.writeHead(404).end();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  if (serveOnly) {
    console.log(`${url}  (Ctrl+C stops it)`);
    return;
  }
  await locate('chromium');
  await locate('firefox');
  await openDisplay(['firefox']);
  const folder = mkdtempSync(join(tmpdir(), 'bench-'));
  const [variable, args] = LAUNCHERS[browser](folder);
  const child = spawn(process.env[variable]!, [...args, `${url}?auto=${encodeURIComponent(only)}`], {
    stdio: 'ignore',
  });
  process.once('exit', () => child.kill());
  for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => process.exit(1));
  const stopped = new Promise<never>((_, reject) =>
    child.once('exit', (code) =>
      reject(new Error(`The browser ${browser} ended early, with exit code ${code}.`)),
    ),
  );
  try {
    await Promise.race([ended, stopped]);
  } finally {
    child.removeAllListeners('exit');
    const closed = new Promise((resolve) => child.once('exit', resolve));
    child.kill();
    await closed;
    removeFolder(folder);
  }
}

const program = new Command('npm run bench:webgl --')
  .argument('[text]', 'run only kernels and shapes whose name contains the text', '')
  .option('--browser <name>', `browser to run in: ${Object.keys(LAUNCHERS).join(', ')}`, 'swiftshader')
  .option('--serve', 'only serve the page, to open it by hand')
  .parse();
const { browser, serve = false } = program.opts<{ browser: string; serve?: boolean }>();
if (!(browser in LAUNCHERS))
  program.error(`--browser is ${browser}, but it must be one of ${Object.keys(LAUNCHERS).join(', ')}.`);
await main(browser, program.args[0] ?? '', serve).catch((error: Error) => program.error(error.message));
if (!serve) process.exit();

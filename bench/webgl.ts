/**
 * `npm run bench:webgl`: times the plugin's webgl kernels and tfjs's own. Both alternate in one page. Their results are
 * checked before they are timed. The times are medians. `npm run bench:webgl -- --help` lists the browsers. `--serve`
 * only serves the page, which you then open by hand.
 */
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Command } from 'commander';
import { build } from 'esbuild';
import { COMMON_FLAGS, inBrowser, type Opened, openChromium, SENDER, servePage } from '../src/cli/browser.js';
import { locate, openDisplay } from '../test/runner/browsers.js';

/** How each browser opens the page. All but swiftshader and gpu need an X display, or get one. */
const LAUNCHERS: Record<string, (url: string) => Promise<Opened>> = {
  swiftshader: (url) => openChromium(url),
  llvmpipe: (url) => openChromium(url, [...COMMON_FLAGS, '--use-gl=angle', '--use-angle=gl']),
  gpu: (url) =>
    openChromium(url, [...COMMON_FLAGS, '--headless', '--use-angle=vulkan', '--enable-features=Vulkan']),
  firefox: openFirefox,
};

/** chrome-launcher knows only Chromium. */
async function openFirefox(url: string): Promise<Opened> {
  const profile = mkdtempSync(join(tmpdir(), 'firefox-'));
  const args = ['--no-remote', '--new-instance', '--profile', profile, url];
  const child = spawn(process.env.FIREFOX_BIN!, args, { stdio: 'ignore' });
  const kill = () => {
    child.kill('SIGKILL');
    rmSync(profile, { recursive: true, force: true, maxRetries: 10 });
  };
  return { process: child, kill };
}

async function main(browser: string, only: string, serveOnly: boolean): Promise<void> {
  const script = 'build/bench/webgl_page.js';
  await build({
    entryPoints: ['bench/webgl_page.ts'],
    outfile: script,
    bundle: true,
    format: 'iife',
    target: 'es2022',
    ignoreAnnotations: true,
    logLevel: 'warning',
  });
  const html = readFileSync('bench/webgl.html', 'utf8');
  const fileOf = (path: string) => (path === '/webgl_page.js' ? { file: script } : undefined);
  if (serveOnly) {
    const { url } = await servePage(html, fileOf, () => {});
    console.log(`${url}  (Ctrl+C stops it)`);
    return;
  }
  await locate('chromium');
  await locate('firefox');
  await openDisplay(['firefox']);
  const open = (url: string) => LAUNCHERS[browser](`${url}?auto=${encodeURIComponent(only)}`);
  const sending = html.replace('<script', () => `<script>${SENDER}</script>\n<script`);
  await inBrowser<string>(sending, fileOf, console.log, { open });
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

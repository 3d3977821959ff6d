/**
 * `npm run bench:network`: times training steps and predictions of whole CNNs on cpu and wasm, in Node or, with --browser, in
 * Chromium. With --by-kernel it says where the time goes. See networks.ts.
 */
import { cpus } from 'node:os';
import { version_core } from '@tensorflow/tfjs-core';
import { Command } from 'commander';
import { inBrowser, SENDER } from '../src/cli/browser.js';
import { SMALL_SHARE } from '../src/cli/by-kernel.js';
import { ISOLATING, locate } from '../test/runner/browsers.js';
import { bundlePage, WASM_FOLDER } from '../test/runner/bundle.js';
import { type Breakdown, measureKernels, measureNetworks, type Row } from './networks.js';

interface Options {
  filter: string;
  browser?: boolean;
  byKernel?: boolean;
  threads?: number[];
}

async function main({ filter, browser, byKernel, threads }: Options): Promise<void> {
  if (byKernel) return measureKernels(filter, threads, printBreakdown);
  const where = browser ? 'Chromium' : `Node ${process.version}`;
  console.log(`${cpus()[0].model}, ${where}, tfjs ${version_core}; milliseconds, medians.

| network | batch | backend | plugin | threads | training step | prediction |
| ------- | ----: | ------- | ------ | ------: | ------------: | ---------: |`);
  if (browser) await measureInBrowser(filter, threads);
  else await measureNetworks(filter, threads, print);
}

/** With threads, the page is cross-origin isolated. There tfjs's own wasm has threads, too. */
async function measureInBrowser(filter: string, threads?: number[]): Promise<void> {
  await locate('chromium');
  const script = await bundlePage('bench/network_page.ts');
  const html = `<script>${SENDER}; const filter = ${JSON.stringify(filter)}; const threads = ${JSON.stringify(threads)};</script><script src="/page.js"></script>`;
  const fileOf = (path: string) => ({
    file: path === '/page.js' ? script : path.replace('/wasm', WASM_FOLDER),
  });
  await inBrowser<Row>(html, fileOf, print, threads && { headers: ISOLATING });
}

function print({ network, batch, backend, plugin, threads, step, prediction }: Row): void {
  const milliseconds = (time: number) => time.toFixed(time < 20 ? 1 : 0);
  const cells = [network, batch, `\`${backend}\``, plugin, threads];
  console.log(`| ${[...cells, step ? milliseconds(step) : '-', milliseconds(prediction)].join(' | ')} |`);
}

function printBreakdown({ network, backend, plugin, threads, work, kernels }: Breakdown): void {
  const all = kernels.reduce((sum, { milliseconds }) => sum + milliseconds, 0);
  const large = kernels.filter(({ milliseconds }) => milliseconds >= SMALL_SHARE * all);
  const rest = all - large.reduce((sum, { milliseconds }) => sum + milliseconds, 0);
  const parts = large.map(({ kernelName, milliseconds }) => `${kernelName} ${milliseconds.toFixed(1)}`);
  console.log(
    `${network}, ${backend}, plugin: ${plugin}, threads: ${threads}, ${work}: ${all.toFixed(1)} ms in kernels: ${parts.join(', ')}, others ${rest.toFixed(1)}`,
  );
}

const program = new Command('npm run bench:network --')
  .description(
    'Times training steps and predictions of whole CNNs on cpu and wasm, and prints a Markdown table.',
  )
  .option('--filter <text>', 'only networks whose name contains this', '')
  .option('--browser', 'in Chromium instead of Node')
  .option('--threads <list>', 'compare these numbers of threads, such as 1,2', (list) =>
    list.split(',').map(Number),
  )
  .option('--by-kernel', 'print how long each kernel takes, in one step and one prediction, in Node')
  .action(main);
await program.parseAsync();

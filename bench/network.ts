/**
 * `npm run bench:network`: times training steps and predictions of whole CNNs on cpu and wasm, in Node or, with --browser, in
 * Chromium. See networks.ts.
 */
import { cpus } from 'node:os';
import { version_core } from '@tensorflow/tfjs-core';
import { Command } from 'commander';
import { inBrowser, SENDER } from '../src/cli/browser.js';
import { bundlePage, WASM_FOLDER } from '../test/runner/bundle.js';
import { measureNetworks, type Row } from './networks.js';

interface Options {
  filter: string;
  browser?: boolean;
}

async function main({ filter, browser }: Options): Promise<void> {
  const where = browser ? 'Chromium' : `Node ${process.version}`;
  console.log(`${cpus()[0].model}, ${where}, tfjs ${version_core}; milliseconds, medians.

| network | batch | backend | plugin | training step | prediction |
| ------- | ----: | ------- | ------ | ------------: | ---------: |`);
  if (browser) await measureInBrowser(filter);
  else await measureNetworks(filter, print);
}

async function measureInBrowser(filter: string): Promise<void> {
  const script = await bundlePage('bench/network_page.ts');
  const html = `<script>${SENDER}; const filter = ${JSON.stringify(filter)};</script><script src="/page.js"></script>`;
  const fileOf = (path: string) => ({
    file: path === '/page.js' ? script : path.replace('/wasm', WASM_FOLDER),
  });
  await inBrowser<Row>(html, fileOf, print);
}

function print({ network, batch, backend, plugin, step, prediction }: Row): void {
  const milliseconds = (time: number) => time.toFixed(time < 20 ? 1 : 0);
  const cells = [network, batch, `\`${backend}\``, plugin ? 'yes' : 'no'];
  console.log(
    `| ${[...cells, step ? milliseconds(step) : 'throws', milliseconds(prediction)].join(' | ')} |`,
  );
}

const program = new Command('npm run bench:network --')
  .description(
    'Times training steps and predictions of whole CNNs on cpu and wasm, and prints a Markdown table.',
  )
  .option('--filter <text>', 'only networks whose name contains this', '')
  .option('--browser', 'in Chromium instead of Node')
  .action(main);
await program.parseAsync();

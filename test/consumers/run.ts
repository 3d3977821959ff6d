/**
 * `npm run test:consumers`: packs the plugin as it would be published, and runs projects that have it installed, as users have them.
 * A consumer is skipped, with the reason, where there is no browser or no registry for it.
 */
import { mkdirSync, readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { resolve } from 'node:path';
import { Command } from 'commander';
import { locate } from '../runner/browsers.js';
import { type Consumer, CONSUMERS, LINKED } from './consumers.js';
import { installed, linked, NoNetwork, npm, removeFolders } from './projects.js';

interface Options {
  all: boolean;
  filter: string;
  tarball?: string;
}

/** Packs the plugin, which builds it, and returns the path. */
async function pack(): Promise<string> {
  const folder = resolve('build/consumers');
  mkdirSync(folder, { recursive: true });
  await npm('.', 'pack', '--pack-destination', folder);
  const { name, version } = JSON.parse(readFileSync('package.json', 'utf8'));
  return `${folder}/${name}-${version}.tgz`;
}

function parentWith(packages: Consumer['packages'], tarball: string): Promise<string> {
  if (packages === 'linked') return linked(tarball, LINKED);
  return installed(packages, packages === 'yarn' ? undefined : tarball); // Yarn installs the plugin itself
}

async function main({ all, filter, tarball: given }: Options): Promise<void> {
  const chosen = CONSUMERS.filter(({ name, isSlow }) => name.includes(filter) && (all || !isSlow));
  if (chosen.length === 0) throw new Error(`No consumer's name contains "${filter}".`);
  const noBrowser = await locate('chromium');
  const tarball = given ? resolve(given) : await pack();
  const parents = new Map<Consumer['packages'], Promise<string>>();
  const parentOf = ({ packages }: Consumer) => {
    if (!parents.has(packages)) parents.set(packages, parentWith(packages, tarball));
    return parents.get(packages)!;
  };
  // All packages are installed side by side. If that fails, the consumers that need them say so.
  for (const consumer of chosen) parentOf(consumer).catch(() => undefined);
  const counts = { passed: 0, failed: 0, skipped: 0 };
  const runOne = async (consumer: Consumer) => {
    const begin = Date.now();
    const say = (what: keyof typeof counts, text: string) => {
      counts[what]++;
      const seconds = ((Date.now() - begin) / 1000).toFixed(1).padStart(5);
      console.log(`${what.padEnd(7)} ${seconds} s  ${consumer.name}: ${text}`);
    };
    try {
      if (consumer.needsBrowser && noBrowser) say('skipped', noBrowser);
      else say('passed', await consumer.run(await parentOf(consumer), tarball));
    } catch (error) {
      // Where CI runs, a registry must be reached: what is skipped there would be skipped for good.
      if (error instanceof NoNetwork && !process.env.CI) say('skipped', error.message);
      else say('failed', (error as Error).message);
    }
  };
  const waiting = [...chosen];
  const work = async () => {
    for (let next = waiting.shift(); next; next = waiting.shift()) await runOne(next);
  };
  await Promise.all(Array.from({ length: availableParallelism() }, work));
  removeFolders();
  console.log(`consumers: ${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped`);
  process.exitCode = counts.failed > 0 ? 1 : 0;
}

const program = new Command('npm run test:consumers --')
  .description('Packs the plugin, and runs projects that have it installed.')
  .option('--all', 'run the slow ones, too', false)
  .option('--filter <text>', 'run only those whose name contains the text', '')
  .option('--tarball <file>', 'take this packed plugin, instead of packing it')
  .parse();
await main(program.opts()).catch((error: Error) => program.error(error.message));

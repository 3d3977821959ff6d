/**
 * `tfjs-convgrad compare`: starts a backend, in this process or in a browser, compares kernels, and prints the results.
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { join, relative, resolve, sep } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import * as tf from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-core/dist/register_all_gradients.js';
import type { BackendName } from '../../kernels/registry.js';
import { packageOf, startBackend } from './backend.js';
import { inBrowser, SENDER } from './browser.js';
import type { Comparison } from './comparison.js';
import { printComparisons } from './print.js';
import { type Progress, progress } from './progress.js';
import { pageOf } from './report.js';
import { type Asked, type CompareMessage, runComparisons } from './run-comparisons.js';
import type { UserModule } from './user-kernels.js';

export interface CompareOptions extends Asked {
  backend: BackendName;
  /** Path of a module whose kernels are compared instead of the plugin's: see user-kernels.ts. */
  kernels?: string;
  /** Print JSON on standard output, and nothing else there. */
  json: boolean;
  /** File in which to write an HTML report. */
  html?: string;
}

/** Resolves to true if everything agrees, otherwise to false. */
export async function compareCommand(options: CompareOptions): Promise<boolean> {
  const { backend, kernels, json, html } = options;
  let bar: Progress | undefined;
  const rows: Comparison[] = [];
  const onMessage = (message: CompareMessage) => {
    if ('total' in message) {
      if (message.total === 0)
        throw new Error(
          `No kernel and case on ${backend} match --op '${options.op}' and --case '${options.case}'` +
            (kernels ? `: does ${kernels} export one for ${backend}?` : '.'),
        );
      bar = progress(`Comparing on ${backend}`, message.total, json ? process.stderr : process.stdout);
      return;
    }
    rows.push(message.row);
    bar?.step(`${message.row.op}, ${message.row.case}`);
  };
  await (backend === 'webgl' ? onPage : here)(options, onMessage);
  bar?.done();
  const ok = rows.every((row) => row.ok);
  const facts = {
    machine: `${cpus()[0].model}, ${cpus().length} cores`,
    versions: { Node: process.version, 'TensorFlow.js': tf.version_core, Backend: backend },
    date: new Date().toISOString().slice(0, 10),
  };
  if (json) console.log(JSON.stringify({ ok, ...facts, comparisons: rows }, null, 2));
  else printComparisons(rows);
  if (html) writeFileSync(html, pageOf({ ...facts, ok, comparisons: rows }));
  return ok;
}

/** It throws if nothing is selected. That must end the run. */
type OnMessage = (message: CompareMessage) => void;

async function here({ backend, kernels, ...asked }: CompareOptions, onMessage: OnMessage): Promise<void> {
  tf.enableProdMode(); // no advice to use another backend
  await startBackend(backend);
  await runComparisons(asked, kernels ? await moduleOf(kernels) : undefined, onMessage);
}

async function moduleOf(file: string): Promise<UserModule> {
  try {
    return await import(pathToFileURL(resolve(file)).href);
  } catch (error) {
    throw new Error(`${file}: ${(error as Error).message}`);
  }
}

/** Compares in a browser. The page loads packages as they are installed in the project, and the module as it is. */
async function onPage({ kernels, ...asked }: CompareOptions, onMessage: OnMessage): Promise<void> {
  const single = (name: string, file: string) =>
    join(packageOf(`@tensorflow/${name}`), 'dist', `${file}.fesm.min.js`);
  const packages: Record<string, string> = {
    '@tensorflow/tfjs-core': single('tfjs-core', 'tf-core'),
    '@tensorflow/tfjs-backend-webgl': single('tfjs-backend-webgl', 'tf-backend-webgl'),
    'tfjs-convgrad/compare': fileURLToPath(new URL('./page.js', import.meta.url)),
    'tfjs-convgrad/verify': fileURLToPath(new URL('./verify.js', import.meta.url)),
  };
  const user = kernels && relative(process.cwd(), resolve(kernels)).split(sep).join('/');
  if (user?.startsWith('..'))
    throw new Error(
      `--kernels is ${kernels}, but it must be in ${process.cwd()}: the page can read no other folder.`,
    );
  const imports = Object.fromEntries(Object.keys(packages).map((name) => [name, `/packages/${name}.js`]));
  const page = `<!doctype html><meta charset="utf-8">
<script type="importmap">${JSON.stringify({ imports })}</script>
<script type="module">
  ${SENDER}
  import '@tensorflow/tfjs-backend-webgl';
  import { comparePage } from 'tfjs-convgrad/compare';
  await comparePage(${JSON.stringify(asked)}, 'webgl', ${JSON.stringify(user && `/project/${user}`)}, send);
</script>`;
  const fileOf = (path: string) => {
    const [, kind, ...rest] = path.split('/');
    const name = rest.join('/');
    if (kind === 'packages') return { file: packages[name.replace(/\.js$/, '')] ?? '' };
    const inside = !rest.includes('..');
    return kind === 'project' && inside ? { file: join(process.cwd(), name) } : undefined;
  };
  await inBrowser<CompareMessage>(page, fileOf, onMessage);
}

/** The version of this package. package.json is two folders up from the bundle, or one folder up in the repository. */
export function version(): string {
  const places = ['../../package.json', '../package.json'].map((path) =>
    fileURLToPath(new URL(path, import.meta.url)),
  );
  return JSON.parse(
    readFileSync(
      places.find((path) => existsSync(path))!,
      'utf8',
    ),
  ).version;
}

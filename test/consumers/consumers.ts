/** The consumers: projects as users have them, each with the packed plugin. All run check.js. */
import { readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { gzipSync } from 'node:zlib';
import { build } from 'esbuild';
import entries from '../../scripts/entries.json' with { type: 'json' };
import { EXAMPLES } from './examples.js';
import { openPage, type PageOptions, REPORT } from './pages.js';
import { type Files, node, npm, project } from './projects.js';
import { ISOLATING } from '../runner/browsers.js';

export interface Consumer {
  name: string;
  /** The packages that it needs: links to those of this repository, or those of test/consumers/<name>/package.json, from a registry. */
  packages: 'linked' | 'bundlers' | 'oldest' | 'parcel' | 'yarn';
  needsBrowser?: boolean;
  /** It runs only with --all. */
  isSlow?: boolean;
  /**
   * @param parent the folder of its packages. Its own folder is made below.
   * @returns what it prints, in one line
   */
  run(parent: string, tarball: string): Promise<string>;
}

/** Those of the repository that linked consumers see. */
export const LINKED = ['core', 'layers', 'backend-cpu', 'backend-wasm', 'backend-webgl'].map(
  (name) => `@tensorflow/tfjs-${name}`,
);

const MODULE = { type: 'module', private: true };
const COMMONJS = { type: 'commonjs', private: true };

/** tfjs from its parts, and as one package. */
const PARTS = `
import * as core from '@tensorflow/tfjs-core';
import * as layers from '@tensorflow/tfjs-layers';
import '@tensorflow/tfjs-backend-cpu';
const tf = { ...core, ...layers };`;
const PARTS_ON_PAGE = `${PARTS}
import '@tensorflow/tfjs-backend-webgl';`;
const UNION = `
import * as tf from '@tensorflow/tfjs';`;

const checked = (...backends: string[]) =>
  backends.map((name) => `console.log(await globalThis.check(tf, convgrad, '${name}'));`).join('\n');

const nodeModule = (tfjs: string, entry: string, ...backends: string[]): Files => ({
  'package.json': MODULE,
  'main.js': `import './check.js';${tfjs}
import * as convgrad from '${entry}';
${checked(...backends)}`,
});

/** The wasm backend on memory that threads share, on a machine whose cores tfjs would take for threads of its own. */
const SHARED = `os.cpus = () => Array(16).fill({});
await convgrad.startSharedWasm(wasm);\n${checked('wasm')}`;
const IN_SHARED_MEMORY = /^wasm .*simd, 2 threads in tfjs's memory$/;
const sharedModule = (entry: string): Files => ({
  'package.json': MODULE,
  'main.js': `import './check.js';${PARTS}
import os from 'node:os';
import * as wasm from '@tensorflow/tfjs-backend-wasm';
import * as convgrad from '${entry}';
${SHARED}`,
});

/** The module of a page that a bundler makes. */
const pageModule = (tfjs: string, entry: string, ...backends: string[]): string => `
import './check.js';
import './report.js';${tfjs}
import * as convgrad from '${entry}';
globalThis.report(tf, convgrad, ${JSON.stringify(backends)});`;

const html = (...scripts: string[]) =>
  `<!doctype html><meta charset="utf-8">${scripts.map((src) => `<script src="${src}"></script>`).join('')}`;

const oneLine = (printed: string) => printed.trim().replaceAll('\n', ', ');

function expectMatch(printed: string, pattern: RegExp): string {
  if (!pattern.test(printed)) throw new Error(`It prints '${printed}', which must match ${pattern}.`);
  return printed;
}

/** A consumer that runs main.js in Node. */
function inNode(
  name: string,
  files: Files,
  options: Partial<Consumer> & { args?: string[]; expected?: RegExp } = {},
): Consumer {
  const { args = [], expected = /./, ...others } = options;
  return {
    name,
    packages: 'linked',
    async run(parent) {
      const printed = await node(project(parent, name, files), ...args, 'main.js');
      return expectMatch(oneLine(printed), expected);
    },
    ...others,
  };
}

/** A consumer that bundles main.js, a page's module, and opens index.html. `bundle` writes bundle.js. */
function inPage(
  name: string,
  tfjs: string,
  bundle: (folder: string) => Promise<unknown>,
  options: Partial<Consumer> & { files?: Files; page?: string } = {},
): Consumer {
  const { files = {}, page = 'index.html', ...others } = options;
  return {
    name,
    packages: 'bundlers',
    needsBrowser: true,
    async run(parent) {
      const folder = project(parent, name, {
        'package.json': MODULE,
        'index.html': html('bundle.js'),
        'report.js': REPORT,
        'main.js': pageModule(tfjs, 'tfjs-convgrad', 'cpu', 'webgl'),
        ...files,
      });
      await bundle(folder);
      return openPage(folder, page);
    },
    ...others,
  };
}

/** The scripts of a page without modules. The folder that is served holds node_modules. */
const SCRIPTS = [
  'tfjs-core/dist/tf-core',
  'tfjs-layers/dist/tf-layers',
  'tfjs-backend-cpu/dist/tf-backend-cpu',
].map((path) => `../node_modules/@tensorflow/${path}.min.js`);
const WEBGL = '../node_modules/@tensorflow/tfjs-backend-webgl/dist/tf-backend-webgl.min.js';
const WASM = '../node_modules/@tensorflow/tfjs-backend-wasm/dist/';
const OURS = ['../node_modules/tfjs-convgrad/dist/tfjs-convgrad.min.js', 'check.js', 'report.js'];

/** A page of scripts, as they are. @param main the last of them */
function ofScripts(
  name: string,
  scripts: string[],
  main: string,
  options: PageOptions & Partial<Consumer> & { files?: Files; expected?: RegExp } = {},
): Consumer {
  const { fromFile, headers, files = {}, expected = /./, ...others } = options;
  return {
    name,
    packages: 'linked',
    needsBrowser: true,
    async run(parent) {
      const folder = project(parent, name, {
        'index.html': html(...scripts, 'main.js'),
        'report.js': REPORT,
        'main.js': main,
        ...files,
      });
      const page = `${folder.slice(parent.length + 1)}/index.html`;
      return expectMatch(await openPage(parent, page, { fromFile, headers }), expected);
    },
    ...others,
  };
}

const csp = (...sources: string[]) => ({
  'Content-Security-Policy': `default-src 'self'; script-src 'self' ${sources.join(' ')}`,
});
const reportOn = (...backends: string[]) => `report(tf, convgrad, ${JSON.stringify(backends)});`;

const THREADED = `tf.wasm.setWasmPaths('${WASM}');${reportOn('cpu', 'wasm')}`;
const WITH_FILE = `report(tf, convgrad, ['cpu'], '../node_modules/tfjs-convgrad/dist/worker.js');`;

/** A program that imports each entry. It does not compile if an entry has no types. */
const TYPED = `
import * as tf from '@tensorflow/tfjs-core';
import { type Conv2DOptions, conv2d, type Installation, install } from 'tfjs-convgrad';
import type { GradientMatchers } from 'tfjs-convgrad/verify/jest';
${entries.map(({ name }, i) => `import * as entry${i} from 'tfjs-convgrad${name === 'index' ? '' : `/${name}`}';`).join('\n')}

type IsAny<T> = 0 extends 1 & T ? true : false;
${entries.map((_, i) => `export const isAny${i}: IsAny<typeof entry${i}> = false;`).join('\n')}

export const installation: Installation = install({ backends: ['cpu'] });
const options: Conv2DOptions = { strides: 2, groups: 2 };
export const y: tf.Tensor4D = conv2d(tf.zeros([1, 4, 4, 2]) as tf.Tensor4D, tf.zeros([3, 3, 1, 2]) as tf.Tensor4D, options);
// @ts-expect-error there is no such option
conv2d(y, y, { stride: 2 });
export type Matchers = GradientMatchers;
export type OfJest = jest.Matchers<void, unknown>['toHaveCorrectGradient'];
export type OfJasmine = jasmine.AsyncMatchers<unknown, unknown>['toHaveCorrectGradient'];
declare global {
  namespace jasmine { interface AsyncMatchers<T, U> {} }
}
`;

/** Compiles TYPED. It fails for an error in it or in the plugin's declarations, but not for those in tfjs's. */
function typed(moduleResolution: string, module: string, packageJson: object): Consumer {
  const name = `TypeScript, ${moduleResolution}${packageJson === COMMONJS ? ', CommonJS' : ''}`;
  const tsconfig = {
    compilerOptions: {
      ...{ module, moduleResolution, target: 'es2022', lib: ['es2022', 'dom'], types: [] },
      ...{ strict: true, noEmit: true, skipLibCheck: false },
    },
    files: ['main.ts'],
  };
  return {
    name,
    packages: 'linked',
    async run(parent) {
      const files = { 'package.json': packageJson, 'tsconfig.json': tsconfig, 'main.ts': TYPED };
      const folder = project(parent, name, files);
      const printed = await node(folder, resolve('node_modules/typescript/bin/tsc')).catch(
        (error: Error) => error.message,
      );
      const errors = printed.split('\n').filter((line) => /error TS/.test(line) && !/@tensorflow/.test(line));
      if (errors.length > 0) throw new Error(errors.join('\n'));
      return `${entries.length} entries have types`;
    },
  };
}

/** The files of the package. */
async function contents(parent: string): Promise<string> {
  const folder = join(parent, 'node_modules/tfjs-convgrad');
  const files = readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((file) => file.isFile())
    .map((file) => join(file.parentPath, file.name));
  const text = (file: string) => readFileSync(file, 'utf8');
  const binary = files.find((file) => file.endsWith('.d.ts') && /[A-Za-z0-9+/]{200}/.test(text(file)));
  if (binary) throw new Error(`${binary} holds a binary.`);
  const licences = text(join(folder, 'dist/bin/THIRD-PARTY.txt'));
  for (const name of ['commander', '@observablehq/plot', 'd3-array']) {
    if (!licences.includes(`\n${name} `) && !licences.startsWith(`${name} `))
      throw new Error(`The licence of ${name} is missing.`);
  }
  return `${files.length} files`;
}

/** What a page pays that imports all of an entry. */
async function weigh(parent: string): Promise<string> {
  const weights = await Promise.all(
    entries.map(async ({ name, budget }) => {
      const { outputFiles } = await build({
        stdin: {
          contents: `export * from 'tfjs-convgrad${name === 'index' ? '' : `/${name}`}';`,
          resolveDir: parent,
        },
        bundle: true,
        minify: true,
        format: 'esm',
        external: ['@tensorflow/*'],
        write: false,
      });
      return { name, budget, bytes: gzipSync(outputFiles[0].contents).length };
    }),
  );
  const line = weights.map(({ name, bytes }) => `${name} ${(bytes / 1000).toFixed(1)}`).join(', ');
  const tooLarge = weights.filter(({ bytes, budget }) => bytes > budget);
  if (tooLarge.length > 0) {
    throw new Error(
      `KB gzipped: ${line}. Over the budget in scripts/entries.json: ${tooLarge.map(({ name }) => name).join(', ')}.`,
    );
  }
  return `KB gzipped: ${line}`;
}

const moduleHtml = (src: string) =>
  `<!doctype html><meta charset="utf-8"><script type="module" src="${src}"></script>`;

const esbuild = (folder: string) =>
  build({ entryPoints: [join(folder, 'main.js')], bundle: true, outfile: join(folder, 'bundle.js') });

const vite = (folder: string) =>
  node(folder, join(folder, '../node_modules/vite/bin/vite.js'), 'build', '--base', './');

/** Parcel takes packages for `process` and `buffer`, which tfjs names. They are installed, as it would install them itself. */
const parcel = (folder: string) =>
  node(
    folder,
    join(folder, '../node_modules/parcel/lib/bin.js'),
    'build',
    'index.html',
    '--public-url',
    './',
    '--no-cache',
    '--no-source-maps',
  );

/** A test with the matcher of Jest and Vitest. It writes what serves to a file, as both keep what tests print. */
const TEST = `
expect.extend(matchers);
test('the plugin serves', async () => {
  writeFileSync('serves.txt', await globalThis.check(tf, convgrad, 'cpu'));
});
test('a gradient is right with the plugin alone', async () => {
  const f = (x) => tf.avgPool(x, 3, 1, 'same');
  const x = tf.tensor([1, 2, 3, 4], [1, 2, 2, 1]);
  await expect(f).not.toHaveCorrectGradient([x]);
  const { uninstall } = convgrad.install();
  await expect(f).toHaveCorrectGradient([x]);
  uninstall();
});`;

const SHARED_TEST = `
test('the plugin serves in memory that threads share', async () => {
  await convgrad.startSharedWasm(wasm);
  writeFileSync('serves.txt', await globalThis.check(tf, convgrad, 'wasm'));
});`;

/** A consumer that runs main.test.js by a test runner. */
function inTest(name: string, runner: string, args: string[], files: Files, expected = /./): Consumer {
  return {
    name,
    packages: 'bundlers',
    async run(parent) {
      const folder = project(parent, name, files);
      await node(folder, join(parent, 'node_modules', runner), ...args);
      return expectMatch(readFileSync(join(folder, 'serves.txt'), 'utf8'), expected);
    },
  };
}

/**
 * Yarn's Plug and Play has no node_modules. It lets a package import only what the package declares. The package @tensorflow/tfjs
 * does not load there: it imports `long`, which it does not declare.
 */
async function yarn(parent: string, tarball: string): Promise<string> {
  const setting = async (name: string) => (await npm('.', 'config', 'get', name)).trim();
  const [registry, cafile] = [await setting('registry'), await setting('cafile')];
  const settings = {
    nodeLinker: 'pnp',
    enableTelemetry: false,
    enableImmutableInstalls: false,
    globalFolder: './global',
    npmRegistryServer: registry,
    unsafeHttpWhitelist: [new URL(registry).hostname],
    ...(cafile !== 'null' && { httpsCaFilePath: cafile }),
  };
  const folder = project(parent, 'pnp', {
    ...nodeModule(PARTS, 'tfjs-convgrad', 'cpu'),
    'package.json': {
      ...MODULE,
      dependencies: {
        '@tensorflow/tfjs-backend-cpu': '4.22.0',
        '@tensorflow/tfjs-core': '4.22.0',
        '@tensorflow/tfjs-layers': '4.22.0',
        'tfjs-convgrad': `file:${tarball}`,
      },
    },
    '.yarnrc.yml': settings,
    'yarn.lock': '', // here begins a project of its own
  });
  const bin = join(parent, 'node_modules/@yarnpkg/cli-dist/bin/yarn.js');
  await node(folder, bin, 'install');
  return oneLine(await node(folder, bin, 'node', 'main.js'));
}

export const CONSUMERS: readonly Consumer[] = [
  { name: 'files', packages: 'linked', run: contents },
  { name: 'sizes, by esbuild', packages: 'linked', run: weigh },

  inNode(
    'Node, ES module',
    nodeModule(PARTS + "\nimport '@tensorflow/tfjs-backend-wasm';", 'tfjs-convgrad', 'cpu', 'wasm'),
  ),
  inNode('Node, CommonJS', {
    'package.json': COMMONJS,
    'main.js': `
require('./check.js');
require('@tensorflow/tfjs-backend-cpu');
const tf = { ...require('@tensorflow/tfjs-core'), ...require('@tensorflow/tfjs-layers') };
const convgrad = require('tfjs-convgrad');
globalThis.check(tf, convgrad, 'cpu').then(console.log);`,
  }),
  inNode('Node, tfjs-convgrad/cpu', nodeModule(PARTS, 'tfjs-convgrad/cpu', 'cpu')),
  inNode(
    'Node, tfjs-convgrad/wasm',
    nodeModule(PARTS + "\nimport '@tensorflow/tfjs-backend-wasm';", 'tfjs-convgrad/wasm', 'wasm'),
  ),
  inNode('Node, worker thread', {
    ...nodeModule('', 'tfjs-convgrad'),
    'worker.js': nodeModule(PARTS, 'tfjs-convgrad', 'cpu')['main.js'],
    'main.js':
      "import { Worker } from 'node:worker_threads';\nnew Worker(new URL('worker.js', import.meta.url));",
  }),
  inNode('Node, shared memory, ES module', sharedModule('tfjs-convgrad'), { expected: IN_SHARED_MEMORY }),
  inNode('Node, shared memory, tfjs-convgrad/wasm', sharedModule('tfjs-convgrad/wasm'), {
    expected: IN_SHARED_MEMORY,
  }),
  inNode(
    'Node, shared memory, CommonJS',
    {
      'package.json': COMMONJS,
      'main.js': `
require('./check.js');
const tf = { ...require('@tensorflow/tfjs-core'), ...require('@tensorflow/tfjs-layers') };
const os = require('node:os');
const wasm = require('@tensorflow/tfjs-backend-wasm');
const convgrad = require('tfjs-convgrad');
(async () => {
  ${SHARED}
})();`,
    },
    { expected: IN_SHARED_MEMORY },
  ),
  inNode(
    'Node, shared memory, worker thread',
    {
      'package.json': MODULE,
      'worker.js': sharedModule('tfjs-convgrad')['main.js'],
      'main.js':
        "import { Worker } from 'node:worker_threads';\nnew Worker(new URL('worker.js', import.meta.url));",
    },
    { expected: IN_SHARED_MEMORY },
  ),

  typed('node10', 'commonjs', COMMONJS),
  typed('node16', 'node16', COMMONJS),
  typed('node16', 'node16', MODULE),
  typed('nodenext', 'nodenext', MODULE),
  typed('bundler', 'esnext', MODULE),

  inPage('esbuild', PARTS_ON_PAGE, esbuild, { packages: 'linked' }),

  ofScripts('script tag, file://', [...SCRIPTS, WEBGL, ...OURS], reportOn('cpu', 'webgl'), {
    fromFile: true,
  }),
  ofScripts(
    'script tag, http://',
    [...SCRIPTS, `${WASM}tf-backend-wasm.min.js`, ...OURS],
    `tf.wasm.setWasmPaths('${WASM}');${reportOn('cpu', 'wasm')}`,
  ),
  ofScripts(
    'script tag, tf.min.js',
    ['../node_modules/@tensorflow/tfjs/dist/tf.min.js', ...OURS],
    reportOn('cpu', 'webgl'),
    { packages: 'bundlers', fromFile: true },
  ),
  ofScripts(
    'script tag, worker',
    ['report.js'],
    "new Worker('worker.js').onmessage = ({ data }) => send(data);",
    {
      files: {
        'worker.js': `importScripts(${[...SCRIPTS, ...OURS].map((path) => `'${path}'`)});\n${reportOn('cpu')}`,
      },
    },
  ),
  ofScripts('Content-Security-Policy without WebAssembly', [...SCRIPTS, ...OURS], reportOn('cpu'), {
    headers: csp(),
    expected: /^cpu im2col, memory cannot be shared/,
  }),
  ofScripts("Content-Security-Policy with 'wasm-unsafe-eval'", [...SCRIPTS, ...OURS], reportOn('cpu'), {
    headers: csp("'wasm-unsafe-eval'"),
    expected: /^cpu .*simd, memory cannot be shared/,
  }),
  ofScripts('cross-origin isolated', [...SCRIPTS, `${WASM}tf-backend-wasm.min.js`, ...OURS], THREADED, {
    headers: ISOLATING,
    expected: /^cpu .*simd, 2 threads, wasm .*simd, 2 threads in tfjs's memory$/,
  }),
  ofScripts('cross-origin isolated, without blob:', [...SCRIPTS, ...OURS], reportOn('cpu'), {
    headers: { ...ISOLATING, ...csp("'wasm-unsafe-eval'") },
    expected: /^cpu .*simd, a worker from blob: does not load: a Content-Security-Policy may forbid it/,
  }),
  ofScripts('cross-origin isolated, with a file of the worker', [...SCRIPTS, ...OURS], WITH_FILE, {
    headers: { ...ISOLATING, ...csp("'wasm-unsafe-eval'") },
    expected: /^cpu .*simd, 2 threads$/,
  }),

  {
    name: 'the command',
    packages: 'linked',
    async run(parent) {
      const bin = join(parent, 'node_modules/tfjs-convgrad/dist/bin/tfjs-convgrad.js');
      const printed = await node(parent, bin, 'compare', '--op', 'AvgPoolGrad', '--case', 'same');
      return expectMatch(printed, /\d+ of \d+ right/).match(/\d+ of \d+ right/)![0];
    },
  },

  inPage('rollup', UNION, (folder) => node(folder, 'bundle.mjs'), {
    isSlow: true,
    files: {
      'bundle.mjs': `
import { rollup } from '@rollup/wasm-node';
import commonjs from '@rollup/plugin-commonjs';
import resolve from '@rollup/plugin-node-resolve';
const plugins = [resolve({ browser: true, preferBuiltins: false }), commonjs()];
const bundle = await rollup({ input: 'main.js', plugins, onwarn() {} });
await bundle.write({ file: 'bundle.js', format: 'iife' });`,
    },
  }),
  inPage('webpack', UNION, (folder) => node(folder, 'bundle.mjs'), {
    files: {
      'bundle.mjs': `
import webpack from 'webpack';
const config = { mode: 'production', entry: './main.js', output: { path: process.cwd(), filename: 'bundle.js' } };
const stats = await new Promise((resolve, reject) =>
  webpack(config, (error, stats) => (error ? reject(error) : resolve(stats))),
);
if (stats.hasErrors()) throw new Error(stats.toString());`,
    },
  }),
  inPage('Vite', UNION, vite, { files: { 'index.html': moduleHtml('main.js') }, page: 'dist/index.html' }),
  inPage('Vite, module worker', UNION, vite, {
    files: {
      'index.html': moduleHtml('main.js'),
      'main.js': `
import './report.js';
const worker = new Worker(new URL('./worker.js', import.meta.url), { type: 'module' });
worker.onmessage = ({ data }) => globalThis.send(data);`,
      'worker.js': pageModule(UNION, 'tfjs-convgrad', 'cpu'),
    },
    page: 'dist/index.html',
  }),
  inPage('Parcel', UNION, parcel, {
    packages: 'parcel',
    isSlow: true,
    files: {
      'package.json': { private: true },
      'index.html': moduleHtml('main.js'),
      'main.js': pageModule(UNION, 'tfjs-convgrad/cpu', 'cpu'), // Parcel does not read `exports`
    },
    page: 'dist/index.html',
  }),
  inTest('Jest', 'jest/bin/jest.js', [], {
    'package.json': { ...COMMONJS, jest: { testEnvironment: 'node' } },
    'main.test.js': `
require('./check.js');
const tf = require('@tensorflow/tfjs');
const convgrad = require('tfjs-convgrad');
const { matchers } = require('tfjs-convgrad/verify/jest');
const { writeFileSync } = require('node:fs');
${TEST}`,
  }),
  inTest('Vitest', 'vitest/vitest.mjs', ['run'], {
    'package.json': MODULE,
    'main.test.js': `
import './check.js';
import * as tf from '@tensorflow/tfjs';
import * as convgrad from 'tfjs-convgrad';
import { matchers } from 'tfjs-convgrad/verify/jest';
import { writeFileSync } from 'node:fs';
import { expect, test } from 'vitest';
${TEST}`,
  }),
  inTest(
    'Jest, shared memory',
    'jest/bin/jest.js',
    [],
    {
      'package.json': { ...COMMONJS, jest: { testEnvironment: 'node' } },
      'main.test.js': `
require('./check.js');
const tf = require('@tensorflow/tfjs');
const wasm = require('@tensorflow/tfjs-backend-wasm');
const convgrad = require('tfjs-convgrad');
const { writeFileSync } = require('node:fs');
${SHARED_TEST}`,
    },
    IN_SHARED_MEMORY,
  ),
  inTest(
    'Vitest, shared memory',
    'vitest/vitest.mjs',
    ['run'],
    {
      'package.json': MODULE,
      'main.test.js': `
import './check.js';
import * as tf from '@tensorflow/tfjs';
import * as wasm from '@tensorflow/tfjs-backend-wasm';
import * as convgrad from 'tfjs-convgrad';
import { writeFileSync } from 'node:fs';
import { test } from 'vitest';
${SHARED_TEST}`,
    },
    IN_SHARED_MEMORY,
  ),
  inNode(
    'the oldest tfjs, Node',
    nodeModule(PARTS + "\nimport '@tensorflow/tfjs-backend-wasm';", 'tfjs-convgrad', 'cpu', 'wasm'),
    { packages: 'oldest' },
  ),
  inNode('the oldest tfjs, shared memory', sharedModule('tfjs-convgrad'), {
    packages: 'oldest',
    expected: IN_SHARED_MEMORY,
  }),
  inPage('the oldest tfjs, page', PARTS_ON_PAGE, esbuild, { packages: 'oldest' }),
  ...EXAMPLES,
  { name: 'Yarn, Plug and Play', packages: 'yarn', isSlow: true, run: yarn },
];

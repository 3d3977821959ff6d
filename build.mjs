/**
 * `npm run build` makes, from the list of entries in scripts/entries.json,
 *   - dist/esm/ and dist/cjs/: the library as ES modules and as CommonJS. Each entry is one file with one file of declarations. What
 *     entries share lies in chunks/.
 *   - dist/tfjs-convgrad.min.js: the library for a script tag, as the global `convgrad`;
 *   - dist/worker.js: the worker that the library carries, as a file, for pages that allow no other;
 *   - dist/bin/: the command and the scripts of its thread and its page, bundled with their libraries, and the licences of these;
 *   - <entry>/package.json: sends those to an entry who do not read `exports`: TypeScript's node10, Parcel, older bundlers.
 */
import { appendFileSync, chmodSync, cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { relative, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { rollup } from '@rollup/wasm-node';
import { build } from 'esbuild';
import { licencesOf } from './scripts/licences.mjs';
import { compile, compiled, ENTRIES, extract } from './scripts/library.mjs';

const { version, license } = JSON.parse(readFileSync('package.json', 'utf8'));

rmSync('dist', { recursive: true, force: true });
compile();
await buildLibrary();
rollUpDeclarations();
writeFolders();
await buildScript();
await buildWorker();
await buildCommand();

/** Rollup keeps comments, shares chunks in CommonJS too, and leaves namespaces that bundlers can take apart. esbuild does not. */
async function buildLibrary() {
  const bundle = await rollup({
    input: Object.fromEntries(ENTRIES.map(({ name, source }) => [name, compiled(source, '.js')])),
    external: /^@tensorflow\//,
    onwarn(warning) {
      throw new Error(warning.message);
    },
  });
  for (const format of ['esm', 'cjs']) {
    await bundle.write({
      dir: `dist/${format}`,
      format,
      esModule: true,
      generatedCode: 'es2015',
      hoistTransitiveImports: false,
      chunkFileNames: 'chunks/[name].js',
    });
  }
  writeFileSync('dist/cjs/package.json', '{ "type": "commonjs" }\n');
}

/** An ES module and a CommonJS file must each have declarations beside it: TypeScript takes their kind from package.json. */
function rollUpDeclarations() {
  const file = (format, name) => `dist/${format}/${name}.d.ts`;
  extract(({ name }) => ({ dtsRollup: { enabled: true, untrimmedFilePath: resolve(file('esm', name)) } }), {
    localBuild: true,
    messageCallback: (message) => (message.handled = true),
  });
  for (const { name, source } of ENTRIES) {
    // API Extractor leaves out what a module declares as global: the matchers of Jest and Jasmine.
    const [globals = ''] =
      /^declare global \{[^]*?^\}\n/m.exec(readFileSync(compiled(source, '.d.ts'), 'utf8')) ?? [];
    appendFileSync(file('esm', name), globals);
    cpSync(file('esm', name), file('cjs', name));
  }
}

function writeFolders() {
  for (const { name } of ENTRIES) {
    if (name === 'index') continue;
    mkdirSync(name, { recursive: true });
    const to = (path) => `${relative(name, '.')}/dist/${path}`;
    const fields = {
      main: to(`cjs/${name}.js`),
      module: to(`esm/${name}.js`),
      types: to(`cjs/${name}.d.ts`),
    };
    writeFileSync(`${name}/package.json`, `${JSON.stringify(fields, null, 2)}\n`);
  }
}

/** A page without modules has tfjs as the global `tf`. */
async function buildScript() {
  const contents = `
    if (!globalThis.tf) throw new Error('tfjs-convgrad: there is no global tf. Load tf.min.js, or tf-core.min.js, before this script.');
    module.exports = globalThis.tf;`;
  const globalTf = {
    name: 'global-tf',
    setup({ onResolve, onLoad }) {
      onResolve({ filter: /^@tensorflow\/tfjs-core$/ }, ({ path }) => ({ path, namespace: 'global' }));
      onLoad({ filter: /./, namespace: 'global' }, () => ({ contents }));
    },
  };
  await build({
    bundle: true,
    minify: true,
    format: 'iife',
    target: 'es2021',
    globalName: 'convgrad',
    entryPoints: ['src/index.ts'],
    outfile: 'dist/tfjs-convgrad.min.js',
    plugins: [globalTf],
    banner: { js: `/*! tfjs-convgrad ${version}, ${license} */` },
    logLevel: 'warning',
  });
}

async function buildWorker() {
  const { WORKER } = await import(pathToFileURL(compiled('kernels/runtime/threads/worker.ts', '.js')));
  writeFileSync('dist/worker.js', `/*! tfjs-convgrad ${version}, ${license} */\n${WORKER}`);
}

/** tfjs's packages are the user's. Only files of tfjs-core that its single-file build lacks are bundled. */
async function buildCommand() {
  const common = {
    bundle: true,
    format: 'esm',
    minify: true,
    outdir: 'dist/bin',
    external: [
      '@tensorflow/tfjs-core',
      '@tensorflow/tfjs-backend-*',
      '@tensorflow/tfjs-layers',
      '@tensorflow/tfjs-converter',
    ],
    alias: { '@tensorflow/tfjs-core/dist': './node_modules/@tensorflow/tfjs-core/dist' },
    ignoreAnnotations: true,
    metafile: true,
    logLevel: 'warning',
  };
  const command = await build({
    ...common,
    platform: 'node',
    target: 'node20',
    entryPoints: ['src/cli/tfjs-convgrad.ts', 'src/cli/thread.ts'],
    banner: {
      js: "#!/usr/bin/env node\nimport { createRequire } from 'node:module'; const require = createRequire(import.meta.url);",
    },
  });
  const page = await build({
    ...common,
    platform: 'browser',
    target: 'es2022',
    entryPoints: ['src/cli/page.ts'],
  });
  writeFileSync('dist/bin/THIRD-PARTY.txt', licencesOf([command.metafile, page.metafile]));
  chmodSync('dist/bin/tfjs-convgrad.js', 0o755);
}

import { readdirSync } from 'node:fs';
import { basename } from 'node:path';
import { build, type BuildOptions } from 'esbuild';

/**
 *   'specs'     this project's own specs
 *   'commands'  specs that start processes or read files, for Node only: `*.node.spec.ts`
 *   'upstream'  tfjs-core's specs, which run against the installed plugin
 */
export type Suite = 'specs' | 'commands' | 'upstream';
export type Platform = 'node' | 'browser';

const COMMON: BuildOptions = {
  bundle: true,
  target: 'es2022',
  // The packages of the spec files, tfjs-core too, are declared free of side effects. Without this, esbuild would leave the
  // spec files out.
  ignoreAnnotations: true,
};

/** Both platforms use the ES modules of tfjs. Its CommonJS build beside them would be a second copy of tfjs. */
export const NODE: BuildOptions = {
  ...COMMON,
  platform: 'node',
  format: 'esm',
  mainFields: ['module', 'main'],
  external: ['esbuild', 'expect'],
  // tfjs-core's Node platform and tfjs-backend-wasm use require() and __dirname, which an ES module does not have.
  banner: {
    js:
      "import { createRequire as requireFrom } from 'node:module'; const require = requireFrom(import.meta.url);" +
      "const __dirname = new globalThis.URL('.', import.meta.url).pathname;",
  },
};
export const BROWSER: BuildOptions = {
  ...COMMON,
  platform: 'browser',
  format: 'iife',
  mainFields: ['browser', 'module', 'main'],
};

/** Bundles a whole suite into one file and returns its path. */
export async function bundle(suite: Suite, platform: Platform): Promise<string> {
  const outfile = `build/test/${suite}.${platform}.${platform === 'node' ? 'mjs' : 'js'}`;
  const files = ['setup.ts', ...filesOf(suite)];
  await build({
    ...(platform === 'node' ? NODE : BROWSER),
    stdin: { contents: files.map((file) => `import './test/${file}';`).join('\n'), resolveDir: '.' },
    outfile,
    define: { NEEDS_EXPECTATIONS: String(suite !== 'upstream') },
    sourcemap: true,
    logLevel: 'warning',
  });
  return outfile;
}

/** The folder of the binaries of tfjs's wasm backend. */
export const WASM_FOLDER = 'node_modules/@tensorflow/tfjs-backend-wasm/dist';

/** Bundles the script of a page of its own, and returns its path. */
export async function bundlePage(script: string): Promise<string> {
  const outfile = `build/test/${basename(script, '.ts')}.js`;
  await build({ ...BROWSER, entryPoints: [script], outfile, logLevel: 'warning' });
  return outfile;
}

/** Bundles a program for a process of its own, and returns its path. */
export async function bundleProgram(program: string): Promise<string> {
  const outfile = `build/test/${basename(program, '.ts')}.mjs`;
  await build({ ...NODE, entryPoints: [program], outfile, logLevel: 'warning' });
  return outfile;
}

function filesOf(suite: Suite): string[] {
  if (suite === 'upstream') return ['upstream.ts'];
  const files = readdirSync('test', { recursive: true, encoding: 'utf8' }).map((file) =>
    file.replaceAll('\\', '/'),
  );
  return files
    .filter((file) => file.endsWith('.spec.ts') && !file.startsWith('upstream/'))
    .filter((file) => file.endsWith('.node.spec.ts') === (suite === 'commands'))
    .sort();
}

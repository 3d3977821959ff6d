import { readdirSync } from 'node:fs';
import { build, type BuildOptions } from 'esbuild';

/**
 * 'specs' are this project's own. 'commands' are those of them that start processes or read files (`*.node.spec.ts`), for Node
 * alone. 'upstream' are tfjs-core's, run against the installed plugin.
 */
export type Suite = 'specs' | 'commands' | 'upstream';
export type Platform = 'node' | 'browser';

const COMMON: BuildOptions = {
  bundle: true,
  target: 'es2022',
  // Spec files, tfjs-core's too, lie in packages declared free of side effects and would be left out.
  ignoreAnnotations: true,
};

/** The ES modules on both platforms: a CommonJS build of tfjs beside them would be a second copy of it. */
export const NODE: BuildOptions = {
  ...COMMON,
  platform: 'node',
  format: 'esm',
  mainFields: ['module', 'main'],
  external: ['esbuild', 'expect'],
  // tfjs-core's Node platform calls require(), which an ES module does not have.
  banner: {
    js: "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);",
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

/** The page that the specs of a strict Content-Security-Policy load, see test/support/csp_page.ts. */
export async function bundleCspPage(): Promise<string> {
  const outfile = 'build/test/csp_page.js';
  await build({
    entryPoints: ['test/support/csp_page.ts'],
    outfile,
    bundle: true,
    format: 'iife',
    target: 'es2022',
    mainFields: ['browser', 'module', 'main'],
    ignoreAnnotations: true,
    logLevel: 'warning',
  });
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

/**
 * `npm run build` makes
 *   - the published library, as ES modules and as CommonJS, both with types, not bundled;
 *   - the command, bundled with its libraries;
 *   - the scripts of the page that the command opens in a browser.
 */
import { execFileSync } from 'node:child_process';
import { chmodSync, rmSync, writeFileSync } from 'node:fs';
import { build } from 'esbuild';

const tsc = (...args) =>
  execFileSync(process.execPath, ['node_modules/typescript/bin/tsc', '-p', 'tsconfig.build.json', ...args], {
    stdio: 'inherit',
  });

rmSync('dist', { recursive: true, force: true });
tsc();
tsc(
  '--outDir',
  'dist/cjs',
  '--module',
  'commonjs',
  '--moduleResolution',
  'node10',
  '--verbatimModuleSyntax',
  'false',
);
writeFileSync('dist/cjs/package.json', '{ "type": "commonjs" }\n');

/** tfjs's packages are the user's. Only files of tfjs-core that its single-file build lacks are bundled. */
const common = {
  bundle: true,
  format: 'esm',
  minify: true,
  outdir: 'dist/bin',
  external: ['@tensorflow/tfjs-core', '@tensorflow/tfjs-backend-*'],
  alias: { '@tensorflow/tfjs-core/dist': './node_modules/@tensorflow/tfjs-core/dist' },
  ignoreAnnotations: true,
  logLevel: 'warning',
};
await build({
  ...common,
  platform: 'node',
  target: 'node20',
  entryPoints: ['src/cli/tfjs-convgrad.ts'],
  banner: {
    js: "#!/usr/bin/env node\nimport { createRequire } from 'node:module'; const require = createRequire(import.meta.url);",
  },
});
await build({
  ...common,
  platform: 'browser',
  target: 'es2022',
  entryPoints: { page: 'src/cli/page.ts', verify: 'src/verify/index.ts' },
});
chmodSync('dist/bin/tfjs-convgrad.js', 0o755);

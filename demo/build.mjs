/**
 * `npm run demo:build` writes the page, and the binaries of tfjs's wasm backend beside it, to build/demo, which needs no other
 * file. `npm run demo` also serves it.
 */
import { context } from 'esbuild';
import { writeDocs } from './docs.mjs';

const page = await context({
  entryPoints: [
    'demo/main.ts',
    'demo/style.css',
    'demo/index.html',
    'demo/explorer/explorer.ts',
    'demo/explorer/backend.ts',
    'demo/explorer/explorer.css',
    'demo/explorer/explorer.html',
    'demo/docs.css',
    'node_modules/@tensorflow/tfjs-backend-wasm/dist/*.wasm',
  ],
  loader: { '.html': 'copy', '.wasm': 'copy' },
  outdir: 'build/demo',
  entryNames: '[name]',
  bundle: true,
  minify: true,
  format: 'iife', // a page that is opened from a file may not load modules
  target: 'es2022',
  logLevel: 'warning',
});

writeDocs('build/demo');
if (process.argv.includes('--serve')) {
  // It builds the page again at each load.
  const { port } = await page.serve({ servedir: 'build/demo', host: '127.0.0.1' });
  console.log(`http://localhost:${port}/  (Ctrl+C stops it)`);
} else {
  await page.rebuild();
  await page.dispose();
  console.log('build/demo/index.html');
}

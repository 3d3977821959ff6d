/**
 * `node bench/run.mjs NAME [options]`: bundles bench/NAME.ts and runs it, as the published library would run. tsx would not do: it
 * names every inner function each time it is made, which takes longer than a small convolution.
 */
import { build } from 'esbuild';

const [name] = process.argv.splice(2, 1);
const outfile = `build/bench/${name}.mjs`;
await build({
  entryPoints: [`bench/${name}.ts`],
  outfile,
  bundle: true,
  packages: 'external',
  platform: 'node',
  target: 'node20',
  format: 'esm',
  logLevel: 'warning',
});
await import(`../${outfile}`);

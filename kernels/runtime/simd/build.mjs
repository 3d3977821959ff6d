/**
 * `npm run build:simd`: compiles assembly/ in two builds and embeds both, as base64, in binaries.ts. With --check it
 * writes nothing, and fails where binaries.ts is not what it would write.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import asc from 'assemblyscript/asc';

const here = (name) => fileURLToPath(new URL(name, import.meta.url));

/** The source of binaries.ts as it should be. */
async function embedded() {
  const [simd, relaxed] = [await compile('simd'), await compile('simd', 'relaxed-simd')];
  return `/** assembly/ compiled by \`npm run build:simd\`, in base64; do not edit. */
export const SIMD =
  '${simd}';
export const RELAXED_SIMD =
  '${relaxed}';
`;
}

async function compile(...features) {
  const file = { written: new Uint8Array() };
  const { error, stderr } = await asc.main(
    ['assembly/index.ts', '--baseDir', here('.'), '--outFile', 'module.wasm', '--runtime', 'stub']
      .concat(['--noAssert', '-O3', '--importMemory'])
      .concat(features.flatMap((feature) => ['--enable', feature])),
    {
      readFile: (name) => readOrNull(here(name)),
      writeFile: (_, contents) => (file.written = contents),
      listFiles: () => [],
    },
  );
  if (error) throw new Error(`${error.message}\n${stderr}`);
  return btoa(String.fromCharCode(...file.written));
}

function readOrNull(path) {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return null;
  }
}

if (process.argv[2] !== '--check') writeFileSync(here('binaries.ts'), await embedded());
else if (readFileSync(here('binaries.ts'), 'utf8') !== (await embedded())) {
  throw new Error('binaries.ts is not what assembly/ compiles to: npm run build:simd');
}

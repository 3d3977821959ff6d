/** Specs of tfjs-convgrad/layers as others use it: what a bundle of it imports, the code of docs/layers.md, and the example. */
import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { build } from 'esbuild';

const FOLDER = 'build/test/layers';

/** The code as a bundle of this project alone. */
async function bundled(contents: string): Promise<{ code: string; imports: string[] }> {
  const { outputFiles, metafile } = await build({
    stdin: { contents, resolveDir: '.' },
    bundle: true,
    format: 'esm',
    platform: 'node',
    external: ['@tensorflow/*'],
    alias: { 'tfjs-convgrad/layers': './src/layers/index.ts' },
    write: false,
    metafile: true,
    outfile: 'bundle.js',
  });
  const imports = metafile.outputs['bundle.js'].imports.map(({ path }) => path);
  return { code: outputFiles[0].text, imports: imports.filter((path) => !path.startsWith('node:')) };
}

/** Runs the code in Node, and returns what it prints. tfjs prints a hint on another stream. */
async function run(name: string, contents: string): Promise<string> {
  const { code } = await bundled(contents);
  mkdirSync(FOLDER, { recursive: true });
  const file = join(FOLDER, name.replace('.js', '.mjs'));
  writeFileSync(file, code);
  const { status, stdout, stderr } = spawnSync(process.execPath, [file], { encoding: 'utf8' });
  expect(status).withContext(stderr).toBe(0);
  return stdout;
}

describe('the entry layers', () => {
  it('imports tfjs-core and tfjs-layers, and no backend', async () => {
    const { imports } = await bundled("export * from 'tfjs-convgrad/layers';");
    expect([...new Set(imports)].sort()).toEqual(['@tensorflow/tfjs-core', '@tensorflow/tfjs-layers']);
  });

  it('registers its classes also where only its import is left', async () => {
    const { code } = await bundled("import 'tfjs-convgrad/layers';");
    expect(code).toContain('registerClass');
    expect(code).toContain('ConvgradAveragePooling2D');
  });

  const page = readFileSync('docs/layers.md', 'utf8');
  const blocks = [...page.matchAll(/```js\n(\/\/ (\S+)\n[^]*?)```\n\n {4}\$ node \2\n([^]*?)\n\n/g)];
  it('has code with its output in docs/layers.md', () => {
    expect(blocks.length).toBe(page.match(/```js/g)?.length as number);
  });

  for (const [, code, file, output] of blocks) {
    it(`runs ${file} of docs/layers.md, which prints what the page says`, async () => {
      expect((await run(file, code)).trim()).toBe(output.replace(/^ {4}/gm, ''));
    });
  }

  it('trains, saves and loads the model of examples/layers-groups', async () => {
    const printed = await run('train.js', readFileSync('examples/layers-groups/train.js', 'utf8'));
    expect(printed).toContain('grouped (ConvgradConv2D)');
    expect(printed).toMatch(
      /epoch 8 .*\n.*on 64 other images: \d+\.\d%\nIt predicts what the saved model did\.\n$/,
    );
  });
});

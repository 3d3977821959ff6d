/** Specs of the published package: the packages that it imports, and the parts that a bundler can leave out. */
import { build } from 'esbuild';
import { readFileSync } from 'node:fs';
import { TESTED } from '../src/tfjs_version.js';
import entries from '../scripts/entries.json' with { type: 'json' };

/** The packages that a bundle of `code` imports, and the size of the bundle in bytes. */
async function bundled(code: string): Promise<{ imports: string[]; bytes: number }> {
  const { outputFiles, metafile } = await build({
    stdin: { contents: code, resolveDir: '.' },
    bundle: true,
    minify: true,
    format: 'esm',
    packages: 'external',
    write: false,
    metafile: true,
    outfile: 'bundle.js',
  });
  const { imports } = metafile.outputs['bundle.js'];
  return { imports: [...new Set(imports.map(({ path }) => path))], bytes: outputFiles[0].contents.length };
}

describe('the package', () => {
  it('imports tfjs-core and no backend', async () => {
    const { imports } = await bundled("export * from './src/index.ts';");
    expect(imports).toEqual(['@tensorflow/tfjs-core']);
  });

  it('imports nothing for its numeric functions', async () => {
    const { imports } = await bundled("export * from './src/numeric.ts';");
    expect(imports).toEqual([]);
  });

  it('imports tfjs-core alone, and no test framework, to verify', async () => {
    for (const entry of ['index', 'jasmine', 'jest']) {
      const { imports } = await bundled(`export * from './src/verify/${entry}.ts';`);
      expect(imports).withContext(entry).toEqual(['@tensorflow/tfjs-core']);
    }
  });

  it('exports its entries, and publishes a folder for each that is a sub-path', () => {
    const { exports, files } = JSON.parse(readFileSync('package.json', 'utf8'));
    const expected = entries.map(({ name }) => [
      name === 'index' ? '.' : `./${name}`,
      { import: `./dist/esm/${name}.js`, require: `./dist/cjs/${name}.js` },
    ]);
    expect(exports).toEqual({ ...Object.fromEntries(expected), './package.json': './package.json' });
    const folders = entries.filter(({ name }) => name !== 'index').map(({ name }) => name.split('/')[0]);
    expect(files).toEqual(jasmine.arrayContaining(folders));
  });

  it('can be shaken to what is used', async () => {
    const all = await bundled("export * from './src/numeric.ts';");
    const part = await bundled("export { avgPool } from './src/numeric.ts';");
    expect(part.bytes).toBeLessThan(all.bytes / 4);
  });

  it('exports at most ten values', async () => {
    const names = Object.keys(await import('../src/index.js'));
    expect(names.sort()).toEqual([
      'avgPool',
      'backendInfo',
      'configure',
      'conv2d',
      'install',
      'maxPool',
      'startSharedWasm',
    ]);
  });

  it('depends on nothing but tfjs-core, and for its command on backends that are optional', () => {
    const { dependencies, peerDependencies, peerDependenciesMeta } = JSON.parse(
      readFileSync('package.json', 'utf8'),
    );
    expect(dependencies).toBeUndefined();
    const required = Object.keys(peerDependencies).filter((name) => !peerDependenciesMeta[name]?.optional);
    expect(required).toEqual(['@tensorflow/tfjs-core']);
    expect(Object.keys(peerDependencies).every((name) => name.startsWith('@tensorflow/'))).toBeTrue();
  });

  it('asks for the versions of tfjs that were tested, whose first and last the specs and the consumers have', () => {
    const read = (path: string) => JSON.parse(readFileSync(path, 'utf8'));
    const { peerDependencies, devDependencies } = read('package.json');
    expect(new Set(Object.values(peerDependencies))).toEqual(new Set([`^${TESTED.first}.0`]));
    const { dependencies: oldest } = read('test/consumers/oldest/package.json');
    for (const name of Object.keys(peerDependencies)) {
      expect(devDependencies[name]).withContext(name).toBe(TESTED.last);
      expect(oldest[name]).withContext(name).toBe(`${TESTED.first}.0`);
    }
  });
});

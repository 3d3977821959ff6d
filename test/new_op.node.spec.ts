/** Specs of `npm run new-op`. The op that it makes is registered, and fails its own specs until it is filled in. */
import { execFile } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { resolve } from 'node:path';
import { promisify } from 'node:util';
import { build } from 'esbuild';
import type * as all from '../kernels/all.js';
import type * as registry from '../kernels/registry.js';
import type * as subjects from '../kernels/subjects.js';
import { NODE } from './runner/bundle.js';

const FOLDER = resolve('build/new_op');

/** Runs the script in a copy of kernels/. Returns the text that it prints. */
async function newOp(name: string): Promise<string> {
  const run = promisify(execFile)(process.execPath, [resolve('scripts/new-op.mjs'), name], { cwd: FOLDER });
  return run.then(
    ({ stdout }) => stdout,
    ({ stderr }: { stderr: string }) => stderr,
  );
}

describe('npm run new-op', () => {
  beforeAll(() => {
    rmSync(FOLDER, { recursive: true, force: true });
    mkdirSync(FOLDER, { recursive: true });
    cpSync('kernels', `${FOLDER}/kernels`, { recursive: true });
  });
  afterAll(() => rmSync(FOLDER, { recursive: true, force: true }));

  it('refuses names that are not in snake case, or taken, and writes nothing', async () => {
    const before = readFileSync(`${FOLDER}/kernels/registry.ts`, 'utf8');
    expect(await newOp('MyOp')).toContain('name is MyOp, but it must be in snake case');
    expect(await newOp('conv2d')).toContain('name is conv2d, but kernels/conv2d exists');
    expect(readFileSync(`${FOLDER}/kernels/registry.ts`, 'utf8')).toBe(before);
    expect(existsSync(`${FOLDER}/kernels/MyOp`)).toBe(false);
  });

  it('registers kernels, gradient and subjects, which ask to be filled in', async () => {
    expect(await newOp('soft_clip')).toContain('kernels/soft_clip/definition.ts');
    await build({
      ...NODE,
      stdin: {
        contents:
          "export * from './kernels/all.js'; export * from './kernels/registry.js'; export * from './kernels/subjects.js';",
        resolveDir: FOLDER,
      },
      outfile: `${FOLDER}/made.mjs`,
      external: ['@tensorflow/*'],
    });
    const made = (await import(`${FOLDER}/made.mjs`)) as typeof all & typeof registry & typeof subjects;
    expect(made.KERNEL_NAMES as string[]).toEqual(jasmine.arrayContaining(['SoftClip', 'SoftClipGrad']));
    expect(made.OP_NAMES as string[]).toContain('softClip');
    for (const name of made.BACKENDS) expect(made.kernelNamesOn(name) as string[]).toContain('SoftClipGrad');
    expect(made.gradients('').map(({ kernelName }) => kernelName)).toContain('SoftClip');
    const own = made.subjects().filter(({ kernelName }) => kernelName.startsWith('SoftClip'));
    expect(own.length).toBe(4);
    for (const { inputs, definition } of own) {
      const values = Object.fromEntries(Object.keys(inputs).map((name) => [name, new Float64Array(120)]));
      expect(() => definition(values)).toThrowError(/Fill in kernels\/soft_clip\/definition.ts/);
    }
  });
});

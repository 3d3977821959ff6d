/**
 * Specs of the course in docs/learn. They run its code in a project that has the package as it is published, and compare what it
 * prints, to the digit, with the pages. They also follow its links, to files and to the explorer.
 */
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { PRESETS } from '../demo/explorer/presets.js';
import { fromHash } from '../demo/explorer/state.js';
import { workedExamples } from '../src/cli/worked-examples.js';
import { project, run } from './support/project.js';
import { tf } from './support/tfjs.js';

const FOLDER = 'docs/learn';

const pages = readdirSync(FOLDER)
  .filter((name) => name.endsWith('.md'))
  .map((name) => ({ name, text: readFileSync(join(FOLDER, name), 'utf8') }));

/** A block of code that begins with the name of a file, and the output below it, if there is one. */
interface Block {
  file: string;
  code: string;
  output?: string;
}

function blocksOf(text: string): Block[] {
  const found = text.matchAll(/```js\n(\/\/ (\S+)\n[^]*?)```\n(?:\n {4}\$ node \2\n((?: {4}.*\n)+))?/g);
  return [...found].map(([, code, file, output]) => ({ file, code, output: output?.replace(/^ {4}/gm, '') }));
}

const course = pages.map(({ text }) => text).join('\n');

describe('docs/learn', () => {
  let folder: string;
  beforeAll(() => {
    folder = project(['tfjs-core', 'tfjs-backend-cpu']);
    for (const { text } of pages) {
      for (const { file, code } of blocksOf(text)) writeFileSync(join(folder, file), code);
    }
  }, 120_000);
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it('has an output below all code, except modules that other code imports, and no file twice', () => {
    const blocks = blocksOf(course);
    expect(blocks.length).toBe(course.match(/```js/g)?.length as number);
    expect(new Set(blocks.map(({ file }) => file)).size).toBe(blocks.length);
    const modules = blocks.filter(({ output }) => output === undefined);
    expect(blocks.length - modules.length).toBe(course.match(/\$ node /g)?.length as number);
    for (const { file } of modules) expect(course).toContain(`from './${file}'`);
  });

  for (const { name, text } of pages) {
    for (const { file, output } of blocksOf(text)) {
      if (output === undefined) continue;
      it(`${name}: ${file} prints what the page says`, () => {
        const { status, stdout, stderr } = run(folder, file);
        expect(status).withContext(stderr).toBe(0);
        expect(stdout.replace(/ +$/gm, '')).toBe(output);
      });
    }

    it(`${name}: its links lead to files`, () => {
      const targets = [...text.matchAll(/\]\(([^)#]+)\)/g)].map(([, target]) => target);
      expect(targets.length).toBeGreaterThan(0);
      expect(targets.filter((target) => !existsSync(join(FOLDER, target)))).toEqual([]);
    });
  }

  it('names examples of the explorer, each with its address', () => {
    const places = [...course.matchAll(/\*\*(.+?)\*\*:\s+`explorer\.html(#\S+)`/g)];
    expect(places.length).toBe(course.match(/explorer\.html#/g)?.length as number);
    for (const [, title, hash] of places) {
      const state = PRESETS.find((preset) => preset.title === title)?.state;
      // Which cell is looked at first may differ.
      expect({ ...fromHash(hash), cell: state?.cell })
        .withContext(title)
        .toEqual({ ...state! });
    }
  });

  it('names every worked example', async () => {
    await tf.setBackend('cpu');
    const overview = readFileSync(join(FOLDER, 'README.md'), 'utf8');
    const named = [...overview.matchAll(/\| ([A-D])1 to \1(\d+) /g)].flatMap(([, letter, last]) =>
      Array.from({ length: Number(last) }, (_, i) => `${letter}${i + 1}`),
    );
    expect(named).toEqual([...workedExamples().map(({ id }) => id), 'D5']);
  });
});

/** Specs of toHaveCorrectGradient in Jest's own `expect` and in Vitest's. verify.spec.ts tests it in Jasmine's. */
import { execFileSync } from 'node:child_process';
import { build } from 'esbuild';
import { NODE } from './runner/bundle.js';

/** Each framework's `expect`. Both frameworks keep their matchers on globalThis. So each has its own process. */
const FRAMEWORKS = {
  Jest: "import { expect } from 'expect';",
  Vitest: `
    import { chai, JestAsymmetricMatchers, JestChaiExpect, JestExtend } from '@vitest/expect';
    [JestExtend, JestChaiExpect, JestAsymmetricMatchers].forEach((plugin) => chai.use(plugin));
    const expect = (value) => chai.expect(value);
    expect.not = {};
    expect.extend = (matchers) => chai.expect.extend(expect, matchers);`,
};

for (const [framework, imports] of Object.entries(FRAMEWORKS)) {
  describe(`the matcher of ${framework}`, () => {
    let results: Record<string, string>;

    beforeAll(async () => {
      const outfile = `build/test/${framework}.mjs`;
      const contents = `${imports}
        import { expectations } from './test/verify/expectations.ts';
        console.log('\\n' + JSON.stringify(await expectations(expect)));`;
      await build({ ...NODE, stdin: { contents, resolveDir: '.' }, outfile, logLevel: 'warning' });
      const output = execFileSync(process.execPath, [outfile], { encoding: 'utf8', stdio: 'pipe' });
      results = JSON.parse(output.trim().split('\n').at(-1)!);
    });

    it('accepts a right gradient, and a wrong one where that is expected', () => {
      expect(results['right is right']).toBe('passed');
      expect(results['wrong is not right']).toBe('passed');
    });

    it('fails with the report on a wrong one', () => {
      expect(results['wrong is right']).toMatch(/The gradient is WRONG .*seed 7[^]*0\.5 times/);
      expect(results['right is not right']).toContain('The gradient is right');
    });

    it('fails either way where nothing can be told', () => {
      expect(results['unsure is right']).toContain('The gradient is UNSURE');
      expect(results['unsure is not right']).toContain('The gradient is UNSURE');
    });
  });
}

/**
 * Specs of the published command, as built, in a project that has tfjs installed; they also run the code of
 * docs/custom-ops.md. And specs of `npm start`.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { PassThrough } from 'node:stream';
import { setTimeout } from 'node:timers/promises';
import { CHROMIUM_HINT, findChromium } from '../src/cli/browser.js';
import { progress } from '../src/cli/progress.js';
import { agreement, trainingOf } from '../src/cli/training.js';
import { BIN, project, run, withTfjs } from './support/project.js';

/** The command lines of all processes that name the text, where there is /proc. */
function processesThatName(text: string): string[] {
  if (!existsSync('/proc/self/cmdline')) return [];
  const ids = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  const lines = ids.map((id) => {
    try {
      return readFileSync(`/proc/${id}/cmdline`, 'utf8');
    } catch {
      return ''; // it has ended
    }
  });
  return lines.filter((line) => line.includes(text));
}

/** The row of a case in what compare prints, and what stands below it, each remark on one line. */
function rowOf(stdout: string, op: string, caseName: string): string {
  const [, cases] = stdout.replace(/\n {7}/g, ' ').split(`\n${op}: `);
  const [, mark, rest] = new RegExp(`\n  (ok|NO) (${caseName} [^]*?)(?=\n {0,4}\\S|\n\n)`).exec(cases ?? '') ?? []; // prettier-ignore
  return `${mark} ${rest}`;
}

const tooLong = (text: string) => text.split('\n').filter((line) => line.length > 80);

const compare = (folder: string, ...args: string[]) => run(folder, BIN, 'compare', ...args);

/** Writes each code block of a page that begins with the name of a file to that file. */
function writeCode(page: string, folder: string): void {
  for (const [, code, file] of readFileSync(page, 'utf8').matchAll(/```js\n(\/\/ (\S+)\n[^]*?)```/g)) {
    writeFileSync(join(folder, file), code);
  }
}

describe('tfjs-convgrad compare', () => {
  let folder: string;

  beforeAll(() => {
    folder = project([
      'tfjs-core',
      'tfjs-backend-cpu',
      'tfjs-backend-webgl',
      'tfjs-converter',
      'tfjs-layers',
    ]);
    writeCode('docs/custom-ops.md', folder);
    const endless = `
      const kernelFunc = () => { for (;;); };
      export const kernels = ['cpu', 'webgl'].map((backendName) => ({ kernelName: 'MaxPool', backendName, kernelFunc }));`;
    writeFileSync(join(folder, 'endless.js'), endless);
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it('compares the kernels and cases that are asked for, and exits with 0', () => {
    const { status, stdout } = compare(folder, '--op', 'AvgPoolGrad', '--case', 'same');
    expect(status).toBe(0);
    expect(stdout).toContain('Comparing on cpu: 4 to do');
    expect(rowOf(stdout, 'AvgPoolGrad', '3x3, stride 1, same')).toMatch(
      /^ok .*\n {5}the built-in differs, row 1: divides by the full window at padding/,
    );
    expect(stdout).toContain('4 of 4 right');
    expect(stdout).toContain('\nRows are those of docs/deviations.md');
    expect(tooLong(stdout)).toEqual([]);
  });

  it('takes names in any case of letters', () => {
    const args = ['--backend', 'CPU', '--op', 'avgpoolgrad', '--case', 'SAME', '--json'];
    const { status, stdout } = compare(folder, ...args);
    expect(status).toBe(0);
    expect(JSON.parse(stdout).comparisons.length).toBe(4);
    const depthwise = ['--op', 'depthwise', '--shape', '1x9x8x6,3x3x6x2', '--pad', 'SAME', '--list'];
    expect(compare(folder, ...depthwise).stdout).toContain('DepthwiseConv2dNative\n');
  });

  it('lists kernels and cases, without a browser and without an installed backend', () => {
    const env = process.env.CHROME_BIN;
    process.env.CHROME_BIN = '/nowhere/chrome';
    const webgl = compare(folder, '--list', '--backend', 'webgl');
    process.env.CHROME_BIN = env;
    if (env === undefined) delete process.env.CHROME_BIN;
    expect(webgl.status).withContext(webgl.stderr).toBe(0);
    expect(webgl.stdout).toMatch(/^MaxPoolGrad\n {2}2x2\n/m);
    expect(webgl.stdout).not.toContain('BatchMatMul');
    expect(compare(folder, '--list', '--backend', 'wasm').stdout).toContain('BatchMatMul\n');

    const { status, stdout } = compare(folder, '--list', '--json', '--op', 'AvgPoolGrad', '--case', 'same');
    expect(status).toBe(0);
    const names = JSON.parse(stdout) as { op: string; case: string }[];
    expect(names.length).toBe(4);
    expect(names[0]).toEqual({ op: 'AvgPoolGrad', case: '3x3, stride 1, same' });
  });

  it("lists a module's kernels, cases and ops", () => {
    const { status, stdout } = compare(folder, '--list', '--kernels', 'verified-swish.js');
    expect(status).toBe(0);
    expect(stdout).toBe(
      'Swish\n  2x3x4\nSwishGrad\n  5x7, 5x7\nswish\n  gradient\n\n3 kernels and ops, 3 comparisons on cpu\n',
    );
  });

  it('has a help whose examples work', () => {
    const { status, stdout } = compare(folder, '--help');
    expect(status).toBe(0);
    expect(stdout).toContain('Exit code: 0 if everything is right');
    const [, examples] = /Examples:\n([^]*?)\n\n/.exec(stdout)!;
    const lines = examples.split('\n').filter((line) => !/mine\.js| model /.test(line));
    for (const line of lines) {
      const [, command] = /tfjs-convgrad (compare.*?)( {2}| >)/.exec(line)!;
      const listed = run(folder, BIN, ...command.split(' '), '--list');
      expect(listed.status).withContext(line).toBe(0);
    }
    expect(lines.length).toBe(6);
    expect(run(folder, BIN, '--help').stdout).toContain(examples);
    const nothing = run(folder, BIN);
    expect(nothing.status).toBe(2);
    expect(nothing.stderr).toContain(examples);
    const unknown = run(folder, BIN, 'compere');
    expect(unknown.status).toBe(2);
    expect(unknown.stderr).toBe("tfjs-convgrad: unknown command 'compere'\n(Did you mean compare?)\n");
  });

  it('takes a case of its own, and prints JSON and nothing else', () => {
    const args = ['--shape', '1x9x8x3,3x2x3x4', '--strides', '2', '--pad', 'same', '--json'];
    const { status, stdout } = compare(folder, ...args);
    expect(status).toBe(0);
    const { ok, comparisons } = JSON.parse(stdout);
    expect(ok).toBeTrue();
    expect(comparisons.map(({ op }: { op: string }) => op)).toEqual([
      'Conv2D',
      'Conv2DBackpropInput',
      'Conv2DBackpropFilter',
    ]);
    expect(comparisons[0].case).toBe('1x9x8x3,3x2x3x4, strides 2, pad same');
  });

  it('takes the filter of such a case for a depthwise one if --op says so', () => {
    const args = ['--op', 'Depthwise', '--shape', '1x9x8x6,3x3x6x2', '--pad', 'same', '--json'];
    const { status, stdout } = compare(folder, ...args);
    expect(status).toBe(0);
    const { ok, comparisons } = JSON.parse(stdout);
    expect(ok).toBeTrue();
    expect(comparisons.map(({ op }: { op: string }) => op)).toEqual([
      'DepthwiseConv2dNative',
      'DepthwiseConv2dNativeBackpropInput',
      'DepthwiseConv2dNativeBackpropFilter',
    ]);
    expect(comparisons.map(({ builtin }: { builtin: string }) => builtin)).toEqual([
      'equal',
      'equal',
      'equal',
    ]);
  });

  it('writes a report', () => {
    compare(folder, '--op', 'MaxPoolGrad', '--html', 'report.html');
    const html = readFileSync(join(folder, 'report.html'), 'utf8');
    expect(html).toContain('Everything agrees');
    expect(html).toContain('MaxPoolGrad');
  });

  it('exits with 1 where a kernel is wrong', () => {
    const kernels = `
      import { getKernel } from '@tensorflow/tfjs-core';
      const { kernelFunc } = getKernel('Conv2D', 'cpu');
      const wrong = (args) => {
        const y = kernelFunc(args);
        args.backend.readSync(y.dataId)[0] += 1;
        return y;
      };
      export const kernels = [{ kernelName: 'Conv2D', backendName: 'cpu', kernelFunc: wrong }];`;
    writeFileSync(join(folder, 'wrong.js'), kernels);
    const { status, stdout } = compare(folder, '--kernels', 'wrong.js', '--case', '1x7');
    expect(status).toBe(1);
    expect(rowOf(stdout, 'Conv2D', '1x7')).toMatch(/^NO 1x7 +Infinity /);
    const { comparisons } = JSON.parse(
      compare(folder, '--kernels', 'wrong.js', '--case', '1x7', '--json').stdout,
    );
    expect(comparisons[0].error).toBe('Infinity'); // null would mean that there is no error
    expect(comparisons[0].gradientError).toBeNull();
  });

  it('says which element is wrong, what it is and what it must be: as text, as JSON and in the report', () => {
    const wrong = `
      import { kernels as all } from './swish.js';
      import { cases as right } from './verified-swish.js';
      const wrong = all.find(({ kernelName, backendName }) => kernelName === 'Swish' && backendName === 'cpu');
      const kernelFunc = (args) => {
        const y = wrong.kernelFunc(args);
        args.backend.readSync(y.dataId)[17] = 2;
        return y;
      };
      const grad = all.find(({ kernelName, backendName }) => kernelName === 'SwishGrad' && backendName === 'cpu');
      export const kernels = [grad, { ...wrong, kernelFunc }];
      const [{ kernelName, inputs, definition }, gradCase] = right;
      export const cases = [gradCase, { kernelName, inputs, definition }];`;
    writeFileSync(join(folder, 'wrong-swish.js'), wrong);
    const { status, stdout } = compare(folder, '--kernels', 'wrong-swish.js', '--html', 'wrong.html');
    expect(status).toBe(1);
    const element = String.raw`rounded: element \[1, 1, 1\] is 2, want -?0\.\d+: the error is \S+ times the bound \S+`;
    const advice = 'magnitude was not given: if the terms of a sum cancel';
    expect(rowOf(stdout, 'Swish', '2x3x4')).toMatch(
      new RegExp(`^NO 2x3x4 .*\\n {5}${element}\\n {5}${advice}[^]* the built-in differs`),
    );
    const html = readFileSync(join(folder, 'wrong.html'), 'utf8');
    expect(html).toMatch(new RegExp(`<li><strong>2x3x4</strong> ${element} ${advice}`));
    expect(stdout).toMatch(/\nSwish: 1 of 1 failed\n[^]*\nSwishGrad: 1 of 1 right\n[^]*\n1 of 2 failed\n/);
    expect(tooLong(stdout)).toEqual([]);
    const { failed, comparisons } = JSON.parse(
      compare(folder, '--kernels', 'wrong-swish.js', '--json').stdout,
    );
    expect([failed, comparisons.length, comparisons[0].op]).toEqual([1, 2, 'Swish']);
    const { worst, message } = comparisons[0];
    expect(Object.keys(worst)).toEqual(['proof', 'element', 'got', 'want', 'bound']);
    expect([worst.proof, worst.element, worst.got]).toEqual(['rounded', [1, 1, 1], 2]);
    expect(message).toContain(advice);
  });

  it('names the kernels of which there is no case, and says so where there is no other', () => {
    const kernel = (name: string) => `{ kernelName: '${name}', backendName: 'cpu', kernelFunc: () => {} }`;
    const more = `
      import { kernels as own } from './swish.js';
      export { cases } from './verified-swish.js';
      export const kernels = [...own, ${kernel('Conv2d')}];`;
    writeFileSync(join(folder, 'more.js'), more);
    const { status, stdout } = compare(folder, '--kernels', 'more.js', '--op', 'SwishGrad');
    expect(status).toBe(0);
    expect(stdout).toMatch(/1 of 1 right.*\nNot compared, because no case runs them: Conv2d\.\n/);
    const json = JSON.parse(compare(folder, '--kernels', 'more.js', '--json').stdout);
    expect(json.notCompared).toEqual(['Conv2d']);
    writeFileSync(join(folder, 'none.js'), `export const kernels = [${kernel('Conv2d')}];`);
    expect(compare(folder, '--kernels', 'none.js').stderr).toContain(
      'none.js exports Conv2d, of which there is no case.',
    );
  });

  it('says what the driver says of a shader that does not compile', () => {
    if (!findChromium()) return pending(CHROMIUM_HINT);
    const code = readFileSync(join(folder, 'swish.js'), 'utf8');
    writeFileSync(
      join(folder, 'shader.js'),
      code.replace("{ x }, 'x * sigmoid(x)'", "{ x }, 'x * sigmoit(x)'"),
    );
    const module = readFileSync(join(folder, 'verified-swish.js'), 'utf8');
    writeFileSync(join(folder, 'verified-shader.js'), module.replace('./swish.js', './shader.js'));
    const args = ['--kernels', 'verified-shader.js', '--backend', 'webgl', '--op', 'Swish', '--json'];
    const { status, stdout, stderr } = compare(folder, ...args);
    expect(status).withContext(stderr).toBe(1);
    const rows = JSON.parse(stdout).comparisons as { op: string; message?: string; ok: boolean }[];
    const row = (name: string) => rows.find(({ op }) => op === name)!;
    expect(row('Swish').message).toMatch(
      /^tfjs-convgrad: Swish failed on webgl: A program does not compile or link on this GPU\. The driver says: ERROR: .*sigmoit.*, in the line: .*x \* sigmoit\(x\)/,
    );
    expect(row('SwishGrad').ok).toBeTrue();
  }, 120_000);

  it('says what a page says of an infinite error', () => {
    if (!findChromium()) return pending(CHROMIUM_HINT);
    const kernels = `
      import { getKernel } from '@tensorflow/tfjs-core';
      const kernelFunc = ({ inputs: { x }, backend }) => getKernel('Fill', 'webgl').kernelFunc({ backend, attrs: { shape: [1, 1, 1, 1], value: 7 } });
      export const kernels = [{ kernelName: 'MaxPool', backendName: 'webgl', kernelFunc }];`;
    writeFileSync(join(folder, 'wrong-webgl.js'), kernels);
    const { status, stdout, stderr } = compare(
      folder,
      ...['--backend', 'webgl', '--kernels', 'wrong-webgl.js', '--case', 'global', '--json'],
    );
    expect(status).withContext(stderr).toBe(1);
    const { comparisons, versions } = JSON.parse(stdout);
    expect(comparisons[0].error).toBe('Infinity');
    expect(versions.Browser).toContain('Chrome');
    expect(versions.GPU).toBeTruthy();
  }, 120_000);

  it('prints JSON and nothing else, whatever a module prints', () => {
    writeFileSync(
      join(folder, 'chatty.js'),
      `console.log('hello'); export * from './verified-swish.js'; import './verified-swish.js';`,
    );
    const { stdout, stderr } = compare(folder, '--kernels', 'chatty.js', '--json');
    expect(JSON.parse(stdout).ok).toBeTrue();
    expect(stderr).toContain('hello');
  });

  it('gives up after a while, even where a kernel never ends', () => {
    const { status, stderr } = compare(folder, '--kernels', 'endless.js', '--timeout', '2');
    expect(status).toBe(2);
    expect(stderr).toMatch(
      /^tfjs-convgrad: The run has not ended within 2 s, the limit that --timeout sets: 0 of \d+ comparisons are done\.\n$/,
    );
  });

  it('says so where a kernel ends the process', () => {
    const kernels = `
      const kernelFunc = () => process.exit(0);
      export const kernels = [{ kernelName: 'MaxPool', backendName: 'cpu', kernelFunc }];`;
    writeFileSync(join(folder, 'exiting.js'), kernels);
    const { status, stderr } = compare(folder, '--kernels', 'exiting.js');
    expect(status).toBe(2);
    expect(stderr).toBe(
      'tfjs-convgrad: The run ended early: something ended its thread, with exit code 0.\n',
    );
  });

  it('says what a kernel throws that is no error', () => {
    const kernels = `
      const kernelFunc = () => { throw 'not yet'; };
      export const kernels = [{ kernelName: 'MaxPool', backendName: 'cpu', kernelFunc }];`;
    writeFileSync(join(folder, 'text.js'), kernels);
    const { stdout } = compare(folder, '--kernels', 'text.js', '--case', 'global');
    expect(rowOf(stdout, 'MaxPool', 'global')).toMatch(/^NO global +Infinity .*\n {5}not yet/);
  });

  it('goes on where a kernel throws, and says what it throws', () => {
    const kernels = `
      const kernelFunc = () => { throw new Error('not yet'); };
      export const kernels = [{ kernelName: 'AvgPool', backendName: 'cpu', kernelFunc }];`;
    writeFileSync(join(folder, 'throwing.js'), kernels);
    const { status, stdout } = compare(folder, '--kernels', 'throwing.js', '--case', 'NCHW');
    expect(status).toBe(1);
    expect(stdout.match(/NO .*\n {5}not yet\n/g)?.length).toBe(2);
  });

  it('goes on where an op throws, and takes --op and --case for what the module exports, too', () => {
    const ops = `
      import { square, tensor1d } from '@tensorflow/tfjs-core';
      const inputs = () => [tensor1d([1])];
      export const ops = { broken: { f: () => { throw new Error('not yet'); }, inputs }, square: { f: square, inputs } };`;
    writeFileSync(join(folder, 'ops.js'), ops);
    const all = compare(folder, '--kernels', 'ops.js');
    expect(all.status).toBe(1);
    expect(rowOf(all.stdout, 'broken', 'gradient')).toMatch(/^NO gradient .*\n {5}not yet/);
    expect(rowOf(all.stdout, 'square', 'gradient')).toMatch(/^ok /);
    const one = compare(folder, '--kernels', 'ops.js', '--op', 'squ');
    expect(one.status).toBe(0);
    expect(one.stdout).toContain('1 of 1 right');
    expect(compare(folder, '--kernels', 'ops.js', '--case', '2x2').stderr).toContain(
      'does ops.js export one for cpu?',
    );
  });

  it('exits with 2, and a line that says why, where it cannot compare', () => {
    const modules = {
      'nonsense.js': 'export const (',
      'throwing-early.js': "throw new Error('not now')",
      'lost.js': "import './lib/nowhere.js'",
      'incomplete.js': "export const cases = [{ kernelName: 'Mine', inputs: {} }];",
      'empty.js': '',
      'default.js': 'export default {}',
      'no-list.js': 'export const kernels = {}',
      'no-kernel.js': "export const kernels = [{ kernelName: 'Mine', backendName: 'cpu' }]",
      'no-ops.js': 'export const ops = []',
      'bare-op.js': 'export const ops = { blur: (x) => x }',
      'misspelt.js': `export const kernels = [{ kernelName: 'Blur', backendName: 'cpu', kernelFunc: () => {} }];
        export const cases = [{ kernelName: 'Blurr', inputs: { x: [2] }, definition: ({ x }) => x }];`,
      'typed.ts': '',
    };
    for (const [name, code] of Object.entries(modules)) writeFileSync(join(folder, name), code);
    const reasons: [args: string[], why: string][] = [
      [['--backend', 'wasm'], 'npm install @tensorflow/tfjs-backend-wasm'],
      [['--backend', 'abacus'], "argument 'abacus' is invalid. It must be one of cpu, wasm, webgl"],
      [['--op', 'Nothing'], "No kernel and case on cpu match --op 'Nothing' and --case ''. --list shows"],
      [['--op', 'Nothing', '--list'], "No kernel and case on cpu match --op 'Nothing'"],
      [['--timeout', '0'], 'It must be a whole number from 1 to 86400'],
      [['--timeout', 'soon'], 'It must be a whole number from 1 to 86400'],
      [['--kernel', 'x'], "unknown option '--kernel'"],
      [['--shape', '3'], 'It must be x and a filter'],
      [['--strides', '2'], '--strides and --pad need --shape'],
      [['--pad', '0'], '--strides and --pad need --shape'],
      [['--shape', '1x5x5x1,7x7'], 'must not be larger than the padded input'],
      [
        ['--op', 'Depthwise', '--shape', '1x5x5x4,3x3x1x4'],
        'its third dimension must be the 4 channels of x',
      ],
      [['--pad', 'most'], "It must be 'same', 'valid' or a whole number"],
      [['--kernels', 'nowhere.js'], "argument 'nowhere.js' is invalid. There is no such file in "],
      [['--kernels', 'node_modules'], 'It is a folder, not a file'],
      [['--kernels', 'package.json'], 'It must be JavaScript: .js, .mjs, .cjs.'],
      [['--kernels', 'typed.ts'], 'It must be JavaScript: .js, .mjs, .cjs. Compile TypeScript first'],
      [['--kernels', 'nonsense.js'], 'nonsense.js does not load: SyntaxError: Unexpected token'],
      [['--kernels', 'throwing-early.js'], 'throwing-early.js does not load: Error: not now'],
      [['--kernels', 'lost.js'], 'lost.js does not load: Error [ERR_MODULE_NOT_FOUND]: Cannot find module'],
      [['--kernels', 'incomplete.js'], 'cases[0] of incomplete.js has no definition, but a case must have'],
      [['--kernels', 'empty.js'], 'empty.js exports nothing, but it must export kernels or ops'],
      [['--kernels', 'default.js'], 'default.js exports only default, but it must export kernels or ops'],
      [['--kernels', 'no-list.js'], 'kernels of no-list.js is an object, but it must be an array'],
      [['--kernels', 'no-kernel.js'], 'kernels[0] of no-kernel.js is an object, but it must have kernelName'],
      [['--kernels', 'no-ops.js'], 'ops of no-ops.js is [], but it must be an object: name'],
      [['--kernels', 'bare-op.js'], 'ops.blur of bare-op.js is a function, but it must be { f, inputs }'],
      [
        ['--kernels', 'misspelt.js'],
        "kernelName of cases[0] of misspelt.js is 'Blurr', but only these are supported: Blur. Did you mean 'Blur'?",
      ],
      [['--html', 'nowhere/report.html'], 'Its folder does not exist'],
      [['--html', 'node_modules'], 'It is a folder, not a file'],
    ];
    for (const [args, why] of reasons) {
      const { status, stderr } = compare(folder, ...args);
      expect(status).withContext(args.join(' ')).toBe(2);
      expect(stderr).toContain(why);
      expect(stderr).toMatch(/^tfjs-convgrad: (?!tfjs)/);
      const lines = stderr
        .trim()
        .split('\n')
        .filter((line) => !line.startsWith('(Did you mean '));
      expect(lines.length).withContext(stderr).toBe(1);
    }
  }, 60_000);

  it('says on webgl, too, why it cannot compare', () => {
    if (!findChromium()) return pending(CHROMIUM_HINT);
    const modules = {
      'nonsense.js': 'export const (',
      'lost.js': "import './lib/nowhere.js'",
      'foreign.js': "import 'lodash'",
      'not-installed.js': "import '@tensorflow/tfjs-data'",
      'default.js': 'export default {}',
      'common.cjs': 'exports.kernels = []',
    };
    for (const [name, code] of Object.entries(modules)) writeFileSync(join(folder, name), code);
    const outside = join(tmpdir(), 'tfjs-convgrad-outside.js');
    writeFileSync(outside, 'export const kernels = []');
    const reasons: [file: string, why: string][] = [
      ['nonsense.js', 'nonsense.js does not load: SyntaxError: Unexpected token'],
      ['lost.js', 'lost.js does not load: there is no file lib/nowhere.js.'],
      ['foreign.js', 'foreign.js does not load: it imports lodash. On webgl a module may import'],
      ['not-installed.js', 'npm install @tensorflow/tfjs-data'],
      ['default.js', 'default.js exports only default, but it must export kernels or ops'],
      ['common.cjs', 'common.cjs must be an ES module on webgl'],
      [outside, 'the page can read no other folder'],
    ];
    for (const [file, why] of reasons) {
      const { status, stderr } = compare(folder, '--backend', 'webgl', '--kernels', file);
      expect(status).withContext(file).toBe(2);
      expect(stderr).toContain(why);
      expect(stderr).toMatch(/^tfjs-convgrad: (?!tfjs).*\n$/);
    }
    rmSync(outside);
  }, 240_000);

  it('says so where there is no browser', () => {
    const before = process.env.CHROME_BIN;
    process.env.CHROME_BIN = '/nowhere/chrome';
    const { status, stderr } = compare(folder, '--backend', 'webgl');
    process.env.CHROME_BIN = before;
    if (before === undefined) delete process.env.CHROME_BIN;
    expect(status).toBe(2);
    expect(stderr).toBe('tfjs-convgrad: CHROME_BIN is /nowhere/chrome, but there is no such program.\n');
  });

  it('goes on with a new backend where a WebAssembly kernel traps', () => {
    const other = project(['tfjs-core', 'tfjs-backend-cpu', 'tfjs-backend-wasm']);
    const builtin = `
      import { getKernel } from '@tensorflow/tfjs-core';
      export const kernels = [getKernel('Conv2D', 'wasm')];`;
    writeFileSync(join(other, 'builtin.js'), builtin);
    const args = ['--backend', 'wasm', '--kernels', 'builtin.js', '--case', 'pad'];
    const { status, stdout } = compare(other, ...args);
    rmSync(other, { recursive: true, force: true });
    expect(status).toBe(1);
    expect(rowOf(stdout, 'Conv2D', 'numeric pad, unequal filter')).toMatch(
      /^NO .*\n {5}memory access out of bounds/,
    );
    expect(rowOf(stdout, 'Conv2D', 'explicit pads')).toMatch(/^ok /);
  });

  it('runs on webgl in an installed browser', () => {
    if (!findChromium()) return pending(CHROMIUM_HINT);
    const { status, stdout, stderr } = compare(
      folder,
      '--backend',
      'webgl',
      '--op',
      'MaxPool',
      '--case',
      '2x2',
    );
    expect(status).withContext(stderr).toBe(0);
    expect(rowOf(stdout, 'MaxPoolGrad', '2x2')).toMatch(/^ok /);
  }, 120_000);

  it("gives a module on webgl tfjs's packages and this one by their names", () => {
    if (!findChromium()) return pending(CHROMIUM_HINT);
    const { exports } = JSON.parse(readFileSync('package.json', 'utf8')) as { exports: object };
    const own = Object.keys(exports).filter((path) => !/verify\/|layers|json/.test(path)); // those need jasmine, jest and layers
    const names = [
      ...['tfjs-core', 'tfjs-backend-cpu', 'tfjs-backend-webgl', 'tfjs-converter'].map(
        (name) => `@tensorflow/${name}`,
      ),
      '@tensorflow/tfjs-core/dist/register_all_gradients.js',
      '@tensorflow/tfjs-core/dist/public/chained_ops/register_all_chained_ops',
      ...own.map((path) => `tfjs-convgrad${path.slice(1)}`),
    ];
    const code = `
      ${names.map((name) => `import '${name}';`).join('\n')}
      import { tensor1d } from '@tensorflow/tfjs-core';
      import { convGeometry } from 'tfjs-convgrad/numeric';
      if (typeof convGeometry !== 'function') throw new Error('convGeometry is missing');
      export const ops = { twice: { f: (x) => x.mul(2), inputs: () => [tensor1d([1, 2])] } };`;
    writeFileSync(join(folder, 'bare.js'), code);
    const { status, stdout, stderr } = compare(folder, '--backend', 'webgl', '--kernels', 'bare.js');
    expect(status)
      .withContext(stdout + stderr)
      .toBe(0);
    expect(rowOf(stdout, 'twice', 'gradient')).toMatch(/^ok /);
  }, 120_000);

  describe('leaves no browser and no profile behind', () => {
    let temporary: string;

    beforeEach(() => {
      if (!findChromium()) pending(CHROMIUM_HINT);
      if (process.platform === 'win32') pending('Windows has no TMPDIR and no signals');
      temporary = mkdtempSync(join(tmpdir(), 'compare-'));
    });
    afterEach(() => temporary && rmSync(temporary, { recursive: true }));

    function start(...args: string[]) {
      const child = spawn(process.execPath, [BIN, 'compare', '--backend', 'webgl', ...args], {
        cwd: folder,
        env: { ...process.env, TMPDIR: temporary },
        stdio: ['ignore', 'pipe', 'ignore'],
      });
      return { child, ended: once(child, 'exit') };
    }

    async function expectNothingLeft() {
      expect(readdirSync(temporary)).toEqual([]);
      // A process that was killed may need a moment to end.
      for (let i = 0; i < 100 && processesThatName(temporary).length > 0; i++) await setTimeout(100);
      expect(processesThatName(temporary)).toEqual([]);
    }

    for (const [signal, exitCode] of Object.entries({ SIGINT: 130, SIGTERM: 143, SIGHUP: 129 })) {
      it(`at ${signal}`, async () => {
        const { child, ended } = start();
        const [text] = await once(child.stdout, 'data');
        expect(String(text)).toContain('Comparing on webgl');
        expect(readdirSync(temporary).length).withContext('profiles while it runs').toBe(1);
        child.kill(signal as NodeJS.Signals);
        expect(await ended).toEqual([exitCode, null]);
        await expectNothingLeft();
      }, 120_000);
    }

    it('at the end', async () => {
      const { ended } = start('--op', 'AvgPoolGrad', '--case', '2x2');
      expect(await ended).toEqual([0, null]);
      await expectNothingLeft();
    }, 120_000);

    it('at its time limit', async () => {
      const { ended } = start('--timeout', '8', '--kernels', 'endless.js');
      expect(await ended).toEqual([2, null]);
      await expectNothingLeft();
    }, 120_000);
  });

  describe('in docs/custom-ops.md', () => {
    it('the gradient of the op is right', () => {
      const { status, stdout, stderr } = run(folder, 'check.js');
      expect(status).withContext(stderr).toBe(0);
      const [first, second] = stdout.trim().split('\n').slice(-2);
      const page = readFileSync('docs/custom-ops.md', 'utf8');
      expect(page).toContain(`    ${first}`);
      expect(page).toContain(`    ${second.split(' want ')[0]}`);
    });

    it('its gradient is right behind an op of tfjs, with the import that registers gradients, and not found without', () => {
      const { status, stdout, stderr } = run(folder, 'check-scaled.js');
      expect(status).withContext(stderr).toBe(0);
      expect(stdout).toMatch(/^The gradient is right \(/m);
      const code = readFileSync(join(folder, 'check-scaled.js'), 'utf8');
      const without = code.replace(/import '@tensorflow\/tfjs-layers'.*\n/, '');
      expect(without).not.toBe(code);
      writeFileSync(join(folder, 'check-alone.js'), without);
      expect(run(folder, 'check-alone.js').stderr).toContain('gradient function not found for Multiply.');
    });

    it('its Laplace filter is right with its outShape, and without it the message says so', () => {
      const kernels = `
        import { laplace } from './laplace-case.js';
        const kernelFunc = ({ inputs: { x }, backend }) => {
          const v = backend.readSync(x.dataId);
          // In float32, as a shader does it
          const y = Float32Array.from({ length: 6 }, (_, i) => Math.fround(Math.fround(v[i] + v[i + 2]) - 2 * v[i + 1]));
          return { dataId: backend.write(y, [6], 'float32'), shape: [6], dtype: 'float32' };
        };
        export const kernels = [{ kernelName: 'Laplace', backendName: 'cpu', kernelFunc }];`;
      writeFileSync(join(folder, 'laplace.js'), `${kernels} export const cases = [laplace];`);
      const right = compare(folder, '--kernels', 'laplace.js');
      expect(right.status).withContext(right.stdout).toBe(0);
      writeFileSync(
        join(folder, 'laplace.js'),
        `${kernels} export const cases = [{ ...laplace, outShape: undefined }];`,
      );
      expect(rowOf(compare(folder, '--kernels', 'laplace.js').stdout, 'Laplace', '8')).toContain(
        'tfjs-convgrad: magnitude of cases[0] of laplace.js gives 6 elements, but outShape [8] has 8. outShape was not given',
      );
    });

    for (const backend of ['cpu', 'webgl']) {
      it(`its kernels are right on ${backend}`, () => {
        if (backend === 'webgl' && !findChromium()) return pending(CHROMIUM_HINT);
        const args = ['--kernels', 'verified-swish.js', '--backend', backend];
        const { status, stdout, stderr } = compare(folder, ...args);
        expect(status)
          .withContext(stdout + stderr)
          .toBe(0);
        expect(rowOf(stdout, 'Swish', '2x3x4')).toMatch(/^ok /);
        expect(rowOf(stdout, 'SwishGrad', '5x7, 5x7')).toMatch(/^ok /);
        expect(rowOf(stdout, 'swish', 'gradient')).toMatch(/^ok /);
      }, 120_000);
    }

    it('a wrong gradient is found', () => {
      const code = readFileSync(join(folder, 'swish.js'), 'utf8');
      const wrong = code.replace(
        'sigmoid(x) + x * sigmoid(x) * (1 - sigmoid(x));',
        'sigmoid(x) + sigmoid(x) * (1 - sigmoid(x));',
      );
      expect(wrong).not.toBe(code);
      writeFileSync(join(folder, 'swish.js'), wrong);
      expect(run(folder, 'check.js').stdout).toContain('The gradient is WRONG');
      expect(compare(folder, '--kernels', 'verified-swish.js').status).toBe(1);
      writeFileSync(join(folder, 'swish.js'), code);
    });
  });
});

describe('a progress bar', () => {
  it('keeps to one line of the terminal, and changes none of its settings, which an interrupted run would not restore', () => {
    const terminal = Object.assign(new PassThrough({ encoding: 'utf8' }), { isTTY: true, columns: 60 });
    const bar = progress('Comparing', 3, terminal as unknown as NodeJS.WriteStream);
    bar.step('a case with a name that is much longer than a line of this terminal');
    bar.done();
    bar.stop();
    const text = terminal.read() as string;
    expect(text).toContain('Comparing');
    expect(text).not.toMatch(/\x1b\[\?\d+[hl]/); // eslint-disable-line no-control-regex
    const lines = text.split(/\x1b\[[\d;]*[A-Za-z]|\x1b[78]|[\r\n]/); // eslint-disable-line no-control-regex
    expect(Math.max(...lines.map((line) => line.length))).toBe(60);
    expect(text.match(/\n/g)?.length).toBe(1);
  });
});

describe('npm start', () => {
  /** Runs it in a folder, which may lack wasm, and returns the lines of the training. */
  function start(folder: string, steps: number) {
    const script = [resolve('node_modules/tsx/dist/cli.mjs'), resolve('src/cli/main.ts')];
    const few = ['--op', 'AvgPoolGrad', '--case', 'same', '--steps', String(steps)];
    const { status, stdout, stderr } = run(folder, ...script, ...few, '--report', 'report.html');
    const html = readFileSync(join(folder, 'report.html'), 'utf8');
    rmSync(folder, { recursive: true, force: true });
    return { status, stdout, stderr, html };
  }

  it('trains alike by tfjs on cpu, and with the plugin on cpu and on wasm', () => {
    const { status, stdout, stderr, html } = start(withTfjs(['tfjs-core', 'tfjs-backend-wasm']), 5);
    expect(status).withContext(stderr).toBe(0);
    expect(stdout).toMatch(/^training +tfjs on cpu +plugin on cpu +plugin on wasm$/m);
    expect(stdout).toMatch(/^steps +4 +5 +5$/m);
    expect(stdout).toMatch(/^ms a step, median +\d+ +\d+ +\d+$/m);
    expect(stdout).toMatch(/^loss of step 4( +[1-9]\.\d{6}){3}$/m);
    expect(stdout).toMatch(/^loss of step 5 +-( +[1-9]\.\d{6}){2}$/m);
    expect(stdout).toMatch(/^accuracy on 300 held-out digits +-( +\d+\.\d%){2}$/m);
    expect(stdout).toMatch(/^ok In each step the losses agree to rounding/m);
    expect(stdout).toMatch(
      /^tfjs's own kernels on cpu are slow, so they take 4 steps only\.\nOn wasm tfjs cannot train/m,
    );
    expect(stdout).toMatch(/^ok +AvgPoolGrad +4 of 4 right +[\d.]+ +[\d.]+$/m);
    const spread = String.raw`[\d.]+ \([\d.]+-[\d.]+\)`;
    expect(stdout).toMatch(
      new RegExp(`^conv2d, stride 2 +cpu +1x224x224x3, 7x7x3x64 +${spread} +${spread}$`, 'm'),
    );
    expect(stdout).toMatch(
      new RegExp(`^training step +cpu +CNN of C, 4x28x28x1 +${spread} +${spread}$`, 'm'),
    );
    expect(stdout).toMatch(
      new RegExp(`^training step +wasm +CNN of C, 4x28x28x1 +${spread} +tfjs throws$`, 'm'),
    );
    expect(tooLong(stdout)).toEqual([]);
    expect(html).toContain('<th scope="col">plugin on wasm');
    expect(html).toMatch(/Loss of each step. tfjs&#39;s own kernels take only the first 4 of 5 steps|Loss of each step. tfjs's own kernels take only the first 4 of 5 steps/); // prettier-ignore
    expect(html).toContain('In each step the losses agree to rounding');
  }, 120_000);

  it('trains without wasm where it is not installed', () => {
    const { status, stdout, stderr, html } = start(withTfjs(['tfjs-core']), 1);
    expect(status).withContext(stderr).toBe(0);
    expect(stdout).toMatch(/^steps +1 +1 +not installed$/m);
    expect(stdout).not.toContain('steps only');
    expect(stdout).toMatch(/^accuracy on 300 held-out digits +- +\d+\.\d% +-$/m);
    expect(stdout.match(/^training step .*/gm)?.length).toBe(1);
    expect(html).toContain('not installed');
  }, 120_000);

  it('finds losses that differ by more than rounding, in the steps that two trainings share', () => {
    const verdict = (...losses: number[][]) => trainingOf(losses.map((losses) => ({ title: '', losses })));
    expect(verdict([2], [2 + 1e-6, 1], []).ok).toBeTrue();
    expect(verdict([2], [2, 1], [2, 1.001]).ok).toBeFalse();
    expect(verdict([2], [2.001, 1], [2, 1]).ok).toBeFalse();
    expect(verdict([2], [2, NaN], [2, 1]).ok).toBeFalse();
    expect(agreement(verdict([2], [2.5]))).toContain('disagree: they differ by at most 5.0e-1');
  });
});

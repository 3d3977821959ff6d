/**
 * Specs of the published command, as built, in a project that has tfjs installed; they also run the code of
 * docs/custom-ops.md. And specs of `npm start`.
 */
import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { CHROMIUM, findBrowser } from '../src/cli/browser.js';
import { agreement, trainingOf } from '../src/cli/training.js';

/** Makes a folder that has these packages of this repository installed. */
function withTfjs(packages: string[]): string {
  const folder = mkdtempSync(join(tmpdir(), 'tfjs-convgrad-'));
  writeFileSync(join(folder, 'package.json'), '{ "type": "module" }');
  const modules = join(folder, 'node_modules');
  mkdirSync(join(modules, '@tensorflow'), { recursive: true });
  for (const name of packages) {
    symlinkSync(resolve('node_modules/@tensorflow', name), join(modules, '@tensorflow', name), 'junction');
  }
  return folder;
}

/** The same, with this package as it is published. */
function project(packages: string[]): string {
  const folder = withTfjs(packages);
  const modules = join(folder, 'node_modules');
  mkdirSync(join(modules, 'tfjs-convgrad'));
  cpSync('package.json', join(modules, 'tfjs-convgrad/package.json'));
  cpSync('dist', join(modules, 'tfjs-convgrad/dist'), { recursive: true });
  return folder;
}

const BIN = 'node_modules/tfjs-convgrad/dist/bin/tfjs-convgrad.js';

function run(folder: string, ...args: string[]) {
  const { status, stdout, stderr } = spawnSync(process.execPath, args, { cwd: folder, encoding: 'utf8' });
  return { status, stdout, stderr };
}

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
    const { status, stderr } = run('.', 'build.mjs');
    if (status !== 0) throw new Error(stderr);
    folder = project(['tfjs-core', 'tfjs-backend-cpu', 'tfjs-backend-webgl']);
    writeCode('docs/custom-ops.md', folder);
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it('compares the kernels and cases that are asked for, and exits with 0', () => {
    const { status, stdout } = compare(folder, '--op', 'AvgPoolGrad', '--case', 'same');
    expect(status).toBe(0);
    expect(stdout).toContain('Comparing on cpu: 4 to do');
    expect(stdout).toMatch(
      /ok AvgPoolGrad +3x3, stride 1, same .*row 1: divides by the full window at padding/,
    );
    expect(stdout).toContain('4 of 4 right');
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
    expect(stdout).toMatch(/NO Conv2D +1x7 /);
  });

  it('goes on where a kernel throws, and says what it throws', () => {
    const kernels = `
      const kernelFunc = () => { throw new Error('not yet'); };
      export const kernels = [{ kernelName: 'AvgPool', backendName: 'cpu', kernelFunc }];`;
    writeFileSync(join(folder, 'throwing.js'), kernels);
    const { status, stdout } = compare(folder, '--kernels', 'throwing.js', '--case', 'NCHW');
    expect(status).toBe(1);
    expect(stdout.match(/NO AvgPool .* not yet/g)?.length).toBe(2);
  });

  it('goes on where an op throws, and takes --op and --case for what the module exports, too', () => {
    const ops = `
      import { square, tensor1d } from '@tensorflow/tfjs-core';
      const inputs = () => [tensor1d([1])];
      export const ops = { broken: { f: () => { throw new Error('not yet'); }, inputs }, square: { f: square, inputs } };`;
    writeFileSync(join(folder, 'ops.js'), ops);
    const all = compare(folder, '--kernels', 'ops.js');
    expect(all.status).toBe(1);
    expect(all.stdout).toMatch(/NO broken .* not yet\nok square /);
    const one = compare(folder, '--kernels', 'ops.js', '--op', 'squ');
    expect(one.status).toBe(0);
    expect(one.stdout).toContain('1 of 1 right');
    expect(compare(folder, '--kernels', 'ops.js', '--case', '2x2').stderr).toContain(
      'does ops.js export one for cpu?',
    );
  });

  it('exits with 2, and a line that says why, where it cannot compare', () => {
    writeFileSync(join(folder, 'nonsense.js'), 'export const (');
    writeFileSync(
      join(folder, 'incomplete.js'),
      "export const cases = [{ kernelName: 'Mine', inputs: {} }];",
    );
    const reasons: [args: string[], why: string][] = [
      [['--backend', 'wasm'], 'npm install @tensorflow/tfjs-backend-wasm'],
      [['--backend', 'abacus'], 'Allowed choices are cpu, wasm, webgl'],
      [['--op', 'Nothing'], "No kernel and case on cpu match --op 'Nothing'"],
      [['--shape', '3'], 'It must be x and a filter'],
      [['--strides', '2'], '--strides and --pad need --shape'],
      [['--pad', '0'], '--strides and --pad need --shape'],
      [['--shape', '1x5x5x1,7x7'], 'must not be larger than the padded input'],
      [
        ['--op', 'Depthwise', '--shape', '1x5x5x4,3x3x1x4'],
        'its third dimension must be the 4 channels of x',
      ],
      [['--pad', 'most'], "It must be 'same', 'valid' or a whole number"],
      [['--kernels', 'nowhere.js'], 'There is no such file'],
      [['--kernels', 'nonsense.js'], 'nonsense.js: '],
      [['--kernels', 'incomplete.js'], 'a case of Mine has no definition'],
      [['--html', 'nowhere/report.html'], 'Its folder does not exist'],
    ];
    for (const [args, why] of reasons) {
      const { status, stderr } = compare(folder, ...args);
      expect(status).withContext(args.join(' ')).toBe(2);
      expect(stderr).toContain(why);
      expect(stderr).toMatch(/^(tfjs-convgrad: (?!tfjs)|error: )/);
      expect(stderr.trim().split('\n').length).withContext(stderr).toBe(1);
    }
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
    expect(stdout).toMatch(/NO Conv2D +numeric pad, unequal filter .*memory access out of bounds/);
    expect(stdout).toMatch(/ok Conv2D +explicit pads /);
  });

  it('runs on webgl in an installed browser', () => {
    if (!findBrowser(CHROMIUM)) return pending(CHROMIUM.hint);
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
    expect(stdout).toMatch(/ok MaxPoolGrad +2x2 /);
  }, 120_000);

  describe('in docs/custom-ops.md', () => {
    it('the gradient of the op is right', () => {
      const { status, stdout, stderr } = run(folder, 'check.js');
      expect(status).withContext(stderr).toBe(0);
      const [first, second] = stdout.trim().split('\n').slice(-2);
      const page = readFileSync('docs/custom-ops.md', 'utf8');
      expect(page).toContain(`    ${first}`);
      expect(page).toContain(`    ${second.split(' want ')[0]}`);
    });

    for (const backend of ['cpu', 'webgl']) {
      it(`its kernels are right on ${backend}`, () => {
        if (backend === 'webgl' && !findBrowser(CHROMIUM)) return pending(CHROMIUM.hint);
        const args = ['--kernels', 'verified-swish.js', '--backend', backend];
        const { status, stdout, stderr } = compare(folder, ...args);
        expect(status)
          .withContext(stdout + stderr)
          .toBe(0);
        expect(stdout).toMatch(/ok Swish +2x3x4/);
        expect(stdout).toMatch(/ok SwishGrad +5x7, 5x7/);
        expect(stdout).toMatch(/ok swish +gradient/);
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
    expect(stdout).toMatch(/^ +tfjs on cpu +plugin on cpu +plugin on wasm$/m);
    expect(stdout).toMatch(/^steps +4 +5 +5$/m);
    expect(stdout).toMatch(/^ms a step, median +\d+ +\d+ +\d+$/m);
    expect(stdout).toMatch(/^loss of step 4( +[1-9]\.\d{6}){3}$/m);
    expect(stdout).toMatch(/^loss of step 5 +-( +[1-9]\.\d{6}){2}$/m);
    expect(stdout).toMatch(/^accuracy on 300 held-out digits +-( +\d+\.\d%){2}$/m);
    expect(stdout).toMatch(/^ok In each step the losses agree to rounding/m);
    expect(stdout).toMatch(
      /^tfjs's own kernels on cpu are slow, so they take 4 steps only\.\nOn wasm tfjs cannot train/m,
    );
    expect(html).toContain('<th scope="col">plugin on wasm');
    expect(html).toContain('In each step the losses agree to rounding');
  }, 120_000);

  it('trains without wasm where it is not installed', () => {
    const { status, stdout, stderr, html } = start(withTfjs(['tfjs-core']), 1);
    expect(status).withContext(stderr).toBe(0);
    expect(stdout).toMatch(/^steps +1 +1 +not installed$/m);
    expect(stdout).not.toContain('steps only');
    expect(stdout).toMatch(/^accuracy on 300 held-out digits +- +\d+\.\d% +-$/m);
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

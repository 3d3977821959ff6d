/** Specs of `tfjs-convgrad model`, as built, on real models that npm packages ship and on small ones with known faults. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { dirname, join, resolve } from 'node:path';
import { CHROMIUM_HINT, findChromium } from '../src/cli/browser.js';
import { readNumber } from '../src/cli/numbers.js';
import type { ModelRun } from '../src/cli/model/command.js';
import type { ModelResult, PlainReport, Side } from '../src/cli/model/task.js';
import { BIN, project, run } from './support/project.js';

const UPSCALER = resolve('node_modules/@upscalerjs/default-model/models/model.json');
const PITCH = resolve('node_modules/@spotify/basic-pitch/model/model.json');
const PATIENCE = 180_000;

/** Average pooling at padding, whose gradient tfjs has wrong. */
const POOLING = `
  import * as tf from '@tensorflow/tfjs-layers';
  const { conv2d, averagePooling2d, flatten, dense } = tf.layers;
  export const model = tf.sequential({ layers: [
    conv2d({ inputShape: [6, 6, 2], filters: 4, kernelSize: 3, activation: 'tanh', name: 'conv' }),
    averagePooling2d({ poolSize: 3, strides: 1, padding: 'same', name: 'pool' }),
    flatten(),
    dense({ units: 3 }),
  ] });`;

describe('tfjs-convgrad model', () => {
  let folder: string;

  beforeAll(() => {
    folder = project(['tfjs-core', 'tfjs-backend-cpu', 'tfjs-backend-wasm', 'tfjs-backend-webgl', 'tfjs-converter', 'tfjs-layers']); // prettier-ignore
    writeFileSync(join(folder, 'pooling.js'), POOLING);
  }, PATIENCE);
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  const model = (...args: string[]) => run(folder, BIN, 'model', ...args);

  /** What `--json` prints. */
  function resultsOf(...args: string[]): ModelResult[] {
    const { status, stdout, stderr } = model(...args, '--json', '--repeat', '2', '--elements', '200');
    expect(status).withContext(stderr).toBe(0);
    return (JSON.parse(stdout, readNumber) as ModelRun).results;
  }

  function reportOf(side: Side): PlainReport {
    if ('error' in side) throw new Error(side.error);
    return side.report;
  }

  it(
    'finds a real layers model right on wasm, forward and backward, where tfjs cannot train',
    () => {
      const [result] = resultsOf(UPSCALER, '--shape', '1x8x8x3', '--gradients');
      expect(result.inputs).toEqual([{ name: 'LR', shape: [1, 8, 8, 3] }]);
      expect(result.tfjs).toEqual({ error: jasmine.stringContaining('Conv2DBackpropFilter') });
      const { verdict, ops, parameters, slopes } = reportOf(result.plugin);
      expect(verdict).toBe('right');
      expect(ops.filter(({ kernel }) => kernel === 'Conv2DBackpropFilter').length).toBe(12);
      expect(parameters!.length).toBe(24);
      expect(slopes!.map(({ state }) => state)).not.toContain('wrong');
      expect(result.ours).toContain('FusedConv2D');
      const row = result.kernels.find(({ kernel }) => kernel === 'FusedConv2D')!;
      expect(row.calls).toBe(12);
      expect(row.tfjs).toBeNull();
      expect(row.plugin).toBeGreaterThan(0);
      expect(result.whole.tfjs).toBeNull();
      expect(result.whole.plugin).toBeGreaterThan(0);
    },
    PATIENCE,
  );

  it(
    'finds a real graph model right on wasm, with both sets of kernels',
    () => {
      const [result] = resultsOf(PITCH);
      expect(result.inputs).toEqual([{ name: 'input_2', shape: [1, 43844, 1] }]);
      for (const side of [result.tfjs, result.plugin]) {
        const { verdict, ops } = reportOf(side);
        expect(verdict).toBe('right');
        expect(ops.length).toBeGreaterThan(200);
      }
      expect(result.whole.tfjs).toBeGreaterThan(0);
    },
    PATIENCE,
  );

  it(
    "finds what is wrong with tfjs's kernels in a module's model, and prints both",
    () => {
      const html = join(folder, 'report.html');
      const { status, stdout, stderr } = model('pooling.js', '--backend', 'cpu,WASM', '--gradients', '--ops', '--html', html); // prettier-ignore
      expect(status).withContext(stderr).toBe(0);
      expect(stdout).toMatch(/== cpu: .* 1x6x6x2\nWith tfjs's kernels: The model is WRONG on cpu/);
      expect(stdout).toMatch(/WRONG: #\d+ AvgPoolGrad of layer pool, backward, .* times the bound/);
      expect(stdout).toContain("With the plugin's: The model is right on cpu");
      expect(stdout).toMatch(/AvgPoolGrad +1 +plugin +WRONG/);
      expect(stdout).toMatch(/^Of the model's \d+ kernels the plugin has \d+ of its own: \d+% of the time/m);
      expect(stdout).toMatch(/^cpu +WRONG +right +\S+ +\S+ +[\d.]+x +[\d.]+x$/m);
      expect(stdout).toMatch(/^wasm +throws +right +- +\S+ +- +-$/m);
      expect(stdout).toMatch(/^#0 FusedConv2D +conv +1x6x6x2 3x3x2x4 4 +right +- +0\.\d+/m); // the backward passes differ
      const page = readFileSync(html, 'utf8');
      expect(page.match(/<svg/g)!.length).toBe(6); // two for each report; tfjs's kernels throw on wasm
      expect(page).toContain('With the plugin no op is wrong');
      expect(page).toContain('✗ The model is WRONG on cpu');
    },
    PATIENCE,
  );

  it(
    'runs it on webgl',
    () => {
      if (!findChromium()) return pending(CHROMIUM_HINT);
      for (const args of [
        ['pooling.js', '--gradients'],
        [UPSCALER, '--shape', 'LR=1x6x6x3'],
      ]) {
        const [result] = resultsOf(...args, '--backend', 'webgl');
        expect(reportOf(result.plugin).verdict).withContext(reportOf(result.plugin).text).toBe('right');
        expect(reportOf(result.tfjs).verdict).toBe(args.length === 2 ? 'wrong' : 'right');
        expect(result.kernels).toEqual([]);
        expect(result.ours).toContain('Conv2D');
      }
    },
    PATIENCE,
  );

  it(
    'takes the inputs and the loss of a module, and a function as a model',
    () => {
      writeFileSync(
        join(folder, 'function.js'),
        `import * as tf from '@tensorflow/tfjs-core';
      export const load = async () => (x, w) => tf.conv2d(x, w, 1, 'same');
      export const inputs = () => [tf.ones([1, 5, 5, 2]), tf.fill([3, 3, 2, 3], 0.5)];
      export const loss = (y) => tf.sum(tf.square(y));`,
      );
      const [result] = resultsOf('function.js', '--gradients', '--backend', 'cpu');
      expect(result.inputs.map(({ shape }) => shape)).toEqual([[1, 5, 5, 2], [3, 3, 2, 3]]); // prettier-ignore
      const { verdict, ops } = reportOf(result.plugin);
      expect(verdict).toBe('right');
      expect(ops.map(({ kernel }) => kernel)).toEqual(jasmine.arrayContaining(['Square', 'Conv2DBackpropFilter'])); // prettier-ignore
    },
    PATIENCE,
  );

  it(
    "loads a model that has this package's own layers",
    () => {
      const save = `
        import * as tf from '@tensorflow/tfjs-layers';
        import '@tensorflow/tfjs-backend-cpu';
        import { mkdirSync, writeFileSync } from 'node:fs';
        import { conv2d } from 'tfjs-convgrad/layers';
        const conv = conv2d({ inputShape: [6, 6, 4], filters: 8, kernelSize: 3, groups: 2 });
        const model = tf.sequential({ layers: [conv, tf.layers.flatten(), tf.layers.dense({ units: 2 })] });
        await model.save({ save: async ({ modelTopology, weightSpecs, weightData }) => {
          mkdirSync('grouped');
          const weightsManifest = [{ paths: ['weights.bin'], weights: weightSpecs }];
          writeFileSync('grouped/model.json', JSON.stringify({ modelTopology, weightsManifest }));
          writeFileSync('grouped/weights.bin', new Uint8Array(weightData));
          return {};
        } });`;
      writeFileSync(join(folder, 'save.js'), save);
      const saved = run(folder, 'save.js');
      expect(saved.status).withContext(saved.stderr).toBe(0);
      for (const backend of findChromium() ? ['wasm', 'webgl'] : ['wasm']) {
        const [result] = resultsOf('grouped/model.json', '--backend', backend);
        expect(reportOf(result.plugin).verdict).withContext(reportOf(result.plugin).text).toBe('right');
      }
    },
    PATIENCE,
  );

  it(
    'loads a model from a server, and leaves no copy behind',
    async () => {
      const server = createServer((request, response) => {
        const file = join(dirname(UPSCALER), request.url!.replace('/models', ''));
        if (existsSync(file)) response.end(readFileSync(file));
        else response.writeHead(404).end();
      });
      server.listen(0, '127.0.0.1');
      await once(server, 'listening');
      const temporary = join(folder, 'tmp');
      run(folder, '-e', `require('fs').mkdirSync(${JSON.stringify(temporary)})`);
      const at = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
      const given = [BIN, 'model', `${at}/models/model.json`, '--shape', '1x6x6x3', '--repeat', '1', '--backend', 'cpu']; // prettier-ignore
      const start = (...args: string[]) => {
        const child = spawn(process.execPath, args, {
          cwd: folder,
          env: { ...process.env, TMPDIR: temporary },
        });
        let text = '';
        for (const stream of [child.stdout, child.stderr]) stream.on('data', (data) => (text += data));
        return once(child, 'exit').then(([code]) => ({ code: code as number, text }));
      };
      const { code, text } = await start(...given);
      expect(code).withContext(text).toBe(0);
      expect(text).toContain("With the plugin's: The model is");
      const missing = await start(BIN, 'model', `${at}/nothing.json`);
      expect(missing.code).toBe(2);
      expect(missing.text).toContain(`${at}/nothing.json does not load: 404`);
      if (process.platform !== 'win32')
      expect(run(folder, '-p', `require('fs').readdirSync(${JSON.stringify(temporary)}).length`).stdout).toBe('0\n'); // prettier-ignore
      server.close();
    },
    PATIENCE,
  );

  it(
    'says what is wrong with what it is given',
    () => {
      writeFileSync(join(folder, 'nothing.js'), 'export const models = 1;');
      const load = 'export const load = () => (x) => x;';
      writeFileSync(join(folder, 'open.js'), load);
      writeFileSync(join(folder, 'shaped.js'), `${load} export const inputs = () => [];`);
      writeFileSync(join(folder, 'text.json'), 'no JSON');
      writeFileSync(join(folder, 'data.json'), '{}');
      const cases: [args: string[], message: string][] = [
        [['nowhere.json'], 'There is no file nowhere.json.'],
        [['node_modules'], `node_modules is a folder, but it must be a file such as ${join('node_modules', 'model.json')}.`], // prettier-ignore
        [['package.txt'], 'There is no file package.txt.'],
        [['text.json'], 'text.json is no JSON: '],
        [['data.json'], 'data.json is no model: it has no modelTopology or no weightsManifest.'],
        [['nothing.js'], 'nothing.js exports models, but it must export model or load, a function that returns the model.'], // prettier-ignore
        [['open.js'], 'The model does not say what its inputs are: give their shapes in order, such as --shape 1x224x224x3, or let'], // prettier-ignore
        [['open.js', '--shape', 'x=2x2'], 'The model does not say what its inputs are: give their shapes in order'], // prettier-ignore
        [['shaped.js', '--shape', '2x2'], '--shape is given, but the module exports inputs, which have shapes: leave one of the two out.'], // prettier-ignore
        [[UPSCALER], 'The model takes LR in any size of ?x?x?x3: give one, such as --shape LR=1x64x64x3.'],
        [[UPSCALER, '--shape', 'HR=1x8x8x3'], 'A shape is given for the input HR, but the inputs are LR.'],
        [
          [UPSCALER, '--shape', '1x8x8x4'],
          'The shape of LR is given as 1x8x8x4, but the model wants ?x?x?x3.',
        ],
        [[UPSCALER, '--shape', '1x8x8x3,2x2'], '2 shapes are given, but the model has 1 inputs: LR.'],
        [[UPSCALER, '--shape', '1xax8'], 'It must be shapes, such as 1x224x224x3'],
        [[UPSCALER, '--backend', 'cpu,gpu'], 'It must be one of cpu, wasm, webgl.'],
      ];
      for (const [args, message] of cases) {
        const { status, stdout, stderr } = model(...args);
        expect(status).withContext(args.join(' ')).toBe(2);
        expect(stderr).withContext(stdout).toContain(message);
        expect(stderr).toMatch(/^tfjs-convgrad: /);
      }
    },
    PATIENCE,
  );
});

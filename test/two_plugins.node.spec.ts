/** Specs of two copies of the plugin in one program, as a page has that loads it from two bundles. They need no order. */
import { readFileSync, writeFileSync } from 'node:fs';
import { execFileSync } from 'node:child_process';
import { buildSync } from 'esbuild';
import { plan } from './support/plan.js';

const FOLDER = 'build/test/two_plugins';

/** The program walks through installs and uninstalls of two copies, and prints what is wrong with the registry. */
const PROGRAM = `
const STEPS = ${plan.all ? 1000 : 200};
import * as tf from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-layers';
import '@tensorflow/tfjs-backend-cpu';
import * as a from './first.mjs';
import * as b from './second.mjs';
await tf.setBackend('cpu');
const NAMES = ['Conv2D', 'MaxPool', 'AvgPoolGrad', 'BatchMatMul', 'BatchNormSums'];
const GRADIENTS = ['Conv2D', 'AvgPool', 'MaxPoolGrad'];
const kernels = () => tf.getKernelsForBackend('cpu').map((kernel) => [kernel.kernelName, kernel]);
const before = new Map(kernels());
const gradientsBefore = GRADIENTS.map((name) => tf.getGradient(name));
const dilated = () => tf.grads((x, w) => tf.conv2d(x, w, 1, 'same', 'NHWC', 2))([tf.ones([1, 5, 5, 1]), tf.ones([3, 3, 1, 1])]);
const works = () => { try { dilated(); return true; } catch { return false; } };
let state = 12345;
const random = (n) => { state = (state * 69069 + 1) % 4294967296; return (state >>> 16) % n; };
const live = [];
const wrong = [];
const factory = tf.findBackendFactory('cpu');
const expectWorks = (step, what, wanted = live.length > 0) => {
  if (works() !== wanted) wrong.push(step + ' ' + what + ': ' + live.length + ' installations, works: ' + works());
};
const actions = {
  install: () => live.push((random(2) ? a : b).install({ backends: ['cpu'] })),
  uninstall: () => live.splice(random(live.length), 1).forEach(({ uninstall }) => uninstall()),
  setBackend: () => tf.setBackend('cpu'),
  removeBackend: async () => {
    tf.removeBackend('cpu');
    tf.registerBackend('cpu', factory);
    await tf.setBackend('cpu');
  },
  async foreignKernel(step) {
    const [there, builtin] = [tf.getKernel('Conv2D', 'cpu'), before.get('Conv2D')];
    tf.unregisterKernel('Conv2D', 'cpu');
    tf.registerKernel({ ...builtin, kernelFunc: (args) => builtin.kernelFunc(args) });
    expectWorks(step, 'with a foreign kernel', false);
    if (live.some(({ active }) => active.some(({ kernelName }) => kernelName === 'Conv2D'))) wrong.push(step + ': Conv2D is called active');
    tf.unregisterKernel('Conv2D', 'cpu');
    tf.registerKernel(there);
  },
  secondCopy: () => {
    if (live.length) [...before.values()].forEach((kernel) => tf.registerKernel({ ...kernel }));
  },
};
console.warn = () => {};
for (let step = 0; step < STEPS; step++) {
  const names = Object.keys(actions);
  const name = names[random(2) ? random(2) : random(names.length)];
  await actions[name](step);
  expectWorks(step, name);
  if (live.length === 0) {
    const now = new Map(kernels());
    for (const [name, { kernelFunc }] of now) if (before.get(name)?.kernelFunc !== kernelFunc) wrong.push(step + ': ' + name + ' is left');
    for (const name of before.keys()) if (!now.has(name)) wrong.push(step + ': ' + name + ' is lost');
    GRADIENTS.forEach((name, i) => { if (tf.getGradient(name) !== gradientsBefore[i]) wrong.push(step + ': gradient of ' + name); });
  }
}
live.forEach(({ uninstall }) => uninstall());
if (works()) wrong.push('at the end: works');
console.log(JSON.stringify({ wrong: wrong.slice(0, 5) }));
process.exit(0);
`;

describe('two copies of the plugin', () => {
  it('install and uninstall in any order: the registry is as it was when both are gone', () => {
    for (const name of ['first', 'second']) {
      const outfile = `${FOLDER}/${name}.mjs`;
      const common = { bundle: true, packages: 'external', platform: 'node', format: 'esm' } as const;
      buildSync({ ...common, entryPoints: ['src/index.ts'], outfile });
    }
    expect(readFileSync(`${FOLDER}/first.mjs`, 'utf8')).toBe(readFileSync(`${FOLDER}/second.mjs`, 'utf8'));
    writeFileSync(`${FOLDER}/program.mjs`, PROGRAM);
    const printed = execFileSync(process.execPath, [`${FOLDER}/program.mjs`], { encoding: 'utf8' });
    expect(JSON.parse(printed.trim().split('\n').at(-1)!)).toEqual({ wrong: [] });
  });
});

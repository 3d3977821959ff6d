/** Specs of engines that refuse WebAssembly. The plugin asks an engine once, so each fault has a process of its own. */
import { execFileSync } from 'node:child_process';
import { buildSync } from 'esbuild';

const FILE = 'build/test/faults.mjs';

/** The k-th call of a constructor is refused, for each k of a list. Prints which path serves, why others do not, what is wrong, and
 * the errors. A step that fails is tried again. */
const PROGRAM = `
import * as tf from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-layers'; // registers all gradients
import '@tensorflow/tfjs-backend-cpu';
import '@tensorflow/tfjs-backend-wasm';
const [name, list] = process.argv.slice(2);
const constructor = WebAssembly[name];
let calls = 0;
WebAssembly[name] = function (...args) {
  if (list.split(',').includes(String(++calls))) throw new RangeError('no room for ' + name);
  return Reflect.construct(constructor, args);
};
WebAssembly[name].prototype = constructor.prototype;
const { backendInfo, install } = await import('./src/index.js');
const whole = (seed, ...shape) => tf.tensor(Array.from({ length: tf.util.sizeFromShape(shape) }, (_, i) => ((i * seed) % 7) - 3), shape);
const step = () => {
  const gradients = tf.valueAndGrads((x, w) => tf.sum(tf.square(tf.maxPool(tf.conv2d(x, w, 1, 'same'), 2, 2, 'same'))));
  const { value, grads } = gradients([whole(5, 2, 12, 12, 8), whole(3, 3, 3, 8, 8)]);
  return [value, ...grads].map((t) => Array.from(t.dataSync()));
};
await tf.setBackend('cpu');
const want = JSON.stringify(step());
install();
const [wrong, said] = [[], []];
const tried = () => {
  try {
    return step();
  } catch (error) {
    said.push(String(error));
    return step();
  }
};
for (const backend of ['cpu', 'wasm']) {
  await tf.setBackend(backend);
  for (let i = 0; i < 2; i++) if (JSON.stringify(tried()) !== want) wrong.push(backend);
}
const { serving, unavailable } = backendInfo().cpu;
console.log(JSON.stringify({ serving, unavailable, wrong, said }));
process.exit(0);
`;

interface Printed {
  serving: string;
  unavailable: Record<string, string>;
  wrong: string[];
  said: string[];
}

function run(...args: string[]): Printed {
  const out = execFileSync(process.execPath, [FILE, ...args], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }); // prettier-ignore
  return JSON.parse(out.trim().split('\n').at(-1)!) as Printed;
}

describe('an engine that refuses', () => {
  let levels: string[];
  beforeAll(() => {
    const stdin = { contents: PROGRAM, resolveDir: '.' };
    buildSync({ stdin, outfile: FILE, bundle: true, packages: 'external', platform: 'node', format: 'esm' });
    const { unavailable } = run('Module', '');
    levels = ['relaxed-simd', 'simd'].filter((level) => !(level in unavailable));
  });

  const faults: [name: string, calls: string][] = [
    ['Module', '1'],
    ['Module', '1,2'],
    ['Instance', '2'],
    ['Memory', '1,2,3,4,5,6,7,8'],
    ['Memory', '2'],
  ];
  for (const [name, list] of faults) {
    it(`the ${name} number ${list} has right results`, () => {
      const { serving, unavailable, wrong, said } = run(name, list);
      expect(wrong).withContext('backends whose results are wrong').toEqual([]);
      expect(serving).toBe(levels.find((level) => !(level in unavailable)) ?? 'im2col');
      // A path that serves at first is asked for another instance when it runs.
      expect(said.length).toBe(name !== 'Module' && list === '2' ? 1 : 0);
      for (const message of said) {
        expect(message).toBe(
          `Error: tfjs-convgrad: the ${serving} kernels cannot run here: no room for ${name}`,
        );
      }
      if (list.length > 3) expect(Object.keys(unavailable)).toEqual(['relaxed-simd', 'simd']);
    });
  }
});

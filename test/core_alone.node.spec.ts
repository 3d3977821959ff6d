/** Specs of programs that import tfjs-core and a backend alone, as bundles do: tfjs-core registers no gradients. */
import { execFileSync } from 'node:child_process';
import { build } from 'esbuild';

/** Runs the program, which imports what it needs, and returns what it prints. */
async function run(name: string, program: string): Promise<string> {
  const outfile = `build/test/${name}.mjs`;
  await build({
    stdin: { contents: program, resolveDir: '.' },
    outfile,
    bundle: true,
    packages: 'external',
    platform: 'node',
    format: 'esm',
  });
  return execFileSync(process.execPath, [outfile], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
}

const IMPORTS = `
import * as tf from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-backend-cpu';
import { avgPool, conv2d, install, maxPool } from './src/cpu.js';
import { gradCheck } from './src/verify/index.js';
const values = (seed, ...shape) => tf.tensor(Array.from({ length: shape.reduce((a, b) => a * b) }, (_, i) => (((i * seed) % 7) - 2.6) / 4), shape);
const [x3, x4, filter, bias] = [values(5, 4, 4, 2), values(3, 2, 4, 4, 2), values(4, 2, 2, 2, 3), values(2, 3)];
await tf.setBackend('cpu');
`;

describe('with tfjs-core and a backend alone', () => {
  it('our own ops have gradients of both orders, with a bias, each activation, and images without a batch', async () => {
    const program = `${IMPORTS}
      const said = [String(tf.getGradient('Relu'))];
      const check = async (name, f, inputs) => {
        for (const order of [1, 2]) said.push(name + ' ' + order + ': ' + (await gradCheck(f, inputs, { order })).verdict);
      };
      for (const [rank, x] of Object.entries({ 3: x3, 4: x4 })) {
        for (const activation of ['linear', 'relu', 'relu6', 'elu', 'leakyrelu', 'prelu', 'sigmoid', 'tanh']) {
          const options = { activation, pad: 'same', ...(activation === 'prelu' && { preluActivationWeights: bias }) };
          await check(rank + ' ' + activation, (x, w, b) => conv2d(x, w, { bias: b, ...options }), [x, filter, bias]);
        }
        await check(rank + ' maxPool', (x) => maxPool(x, 2, { pad: 'same' }), [x]);
        await check(rank + ' avgPool', (x) => avgPool(x, 2, { pad: 'same' }), [x]);
      }
      console.log(JSON.stringify(said));`;
    const [before, ...said] = JSON.parse(await run('core_alone', program)) as string[];
    expect(before).toBe('undefined');
    expect(said.length).toBe(40);
    for (const line of said) expect(line).toMatch(/: (right|unsure)$/); // the slopes of relu are 0 or 1: some are too small to tell
    expect(said.filter((line) => line.endsWith('right')).length).toBeGreaterThan(30);
  });

  it('gradCheck of order 2 needs no gradient that the function itself does not need', async () => {
    const program = `${IMPORTS}
      const square = tf.customGrad((x, save) => {
        save([x]);
        return { value: tf.mul(x, x), gradFunc: (dy, [x]) => double(x, dy) };
      });
      const double = tf.customGrad((x, dy, save) => {
        save([x, dy]);
        return { value: tf.mul(tf.mul(x, dy), 2), gradFunc: (d, [x, dy]) => [tf.mul(tf.mul(d, dy), 2), tf.mul(tf.mul(d, x), 2)] };
      });
      const { verdict } = await gradCheck((x) => [square(x), square(x)], [bias], { order: 2 });
      console.log(verdict, tf.getGradient('Add'), tf.getGradient('AddN'));`;
    expect(await run('core_alone_check', program)).toBe('right undefined undefined\n');
  });
});

/** Specs of errors of tfjs that get an advice, in programs of their own: here all gradients are registered. */
import { spawnSync } from 'node:child_process';
import { buildSync } from 'esbuild';
import { withAdvice } from '../src/verify/advice.js';

/** What a program prints that imports this, takes a gradient of tf.mul, and has an advice for the error. */
function printed(...imports: string[]): string {
  const program = `
    ${imports.map((name) => `import '${name}';`).join('\n')}
    import * as tf from '@tensorflow/tfjs-core';
    import '@tensorflow/tfjs-backend-cpu';
    import { withAdvice } from './src/verify/advice.js';
    try {
      console.log(String(tf.grad((x) => tf.mul(x, 2))(tf.tensor1d([1]))));
    } catch (error) {
      console.log(withAdvice(error).message);
    }`;
  const { outputFiles } = buildSync({ stdin: { contents: program, resolveDir: '.' }, bundle: true, platform: 'node', mainFields: ['module', 'main'], format: 'cjs', write: false }); // prettier-ignore
  const { stdout, stderr } = spawnSync(process.execPath, { input: outputFiles[0].text, encoding: 'utf8' });
  return stdout + stderr;
}

describe('an advice', () => {
  it('names the imports that register gradients where there are none', () => {
    const text = printed();
    expect(text).toContain(
      'tfjs-convgrad: Cannot compute gradient: gradient function not found for Multiply.',
    );
    const names = Array.from(text.matchAll(/'(@tensorflow\/[^']+)'/g), ([, name]) => name);
    expect(names).toEqual(['@tensorflow/tfjs-layers', '@tensorflow/tfjs', '@tensorflow/tfjs-core/dist/register_all_gradients']); // prettier-ignore
  });

  for (const name of ['@tensorflow/tfjs-layers', '@tensorflow/tfjs-core/dist/register_all_gradients'])
    it(`is not needed with ${name}`, () => expect(printed(name)).toContain('[2]'));

  it('leaves all other errors as they are', async () => {
    await import('@tensorflow/tfjs-core/dist/register_all_gradients.js');
    for (const error of [new Error('not yet'), 'text', undefined]) expect(withAdvice(error)).toBe(error);
    const second = new Error('Cannot compute gradient: gradient function not found for EluGrad.');
    expect(withAdvice(second)).toBe(second);
  });
});

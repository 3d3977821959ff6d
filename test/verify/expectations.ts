/** Outcomes of expectations of gradients, for test/verify_matchers.node.spec.ts. Each is 'passed' or the error message. */
import { type GradientMatchers, matchers } from '../../src/verify/jest.js';
import { tf } from '../support/tfjs.js';

interface Expect {
  (f: (x: tf.Tensor) => tf.Tensor): GradientMatchers & { not: GradientMatchers };
  extend(matchers: object): void;
}

const right = (x: tf.Tensor) => tf.sin(x);
const kink = (x: tf.Tensor) => tf.abs(x);
const halved = tf.customGrad((...inputs) => {
  const [x] = inputs as tf.Tensor[];
  return { value: tf.sin(x), gradFunc: (dy: tf.Tensor) => tf.mul(dy, tf.div(tf.cos(x), 2)) };
});

export async function expectations(expect: Expect): Promise<Record<string, string>> {
  await tf.setBackend('cpu');
  expect.extend(matchers);
  const [x, zero] = [tf.tensor1d([0.5, 1]), tf.zeros([1])];
  const attempts: Record<string, () => Promise<void>> = {
    'right is right': () => expect(right).toHaveCorrectGradient([x]),
    'right is not right': () => expect(right).not.toHaveCorrectGradient([x]),
    'wrong is right': () => expect(halved).toHaveCorrectGradient([x], { seed: 7 }),
    'wrong is not right': () => expect(halved).not.toHaveCorrectGradient([x]),
    'unsure is right': () => expect(kink).toHaveCorrectGradient([zero]),
    'unsure is not right': () => expect(kink).not.toHaveCorrectGradient([zero]),
  };
  const results: Record<string, string> = {};
  for (const [name, attempt] of Object.entries(attempts)) {
    try {
      await attempt();
      results[name] = 'passed';
    } catch (error) {
      results[name] = (error as Error).message;
    }
  }
  return results;
}

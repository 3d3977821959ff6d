/** The teaching texts' worked examples, to the digit. */
import { workedExamples } from '../src/cli/worked-examples.js';
import { tf } from './support/tfjs.js';

describe('worked example', () => {
  beforeAll(() => tf.setBackend('cpu'));

  for (const { id, title, got, want } of workedExamples()) {
    it(`${id}: ${title}`, () => expect(got).toBe(want));
  }
});

/** Specs of the worked examples in the teaching texts. Every digit must be right. */
import { workedExamples } from '../src/cli/worked-examples.js';
import { tf } from './support/tfjs.js';

describe('worked example', () => {
  beforeAll(() => tf.setBackend('cpu'));

  for (const { id, title, got, want, ok } of workedExamples()) {
    it(`${id}: ${title}`, () => expect(ok).withContext(`${got}, want ${want}`).toBeTrue());
  }
});

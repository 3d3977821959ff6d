/** Specs of the worked examples in the teaching texts. Every digit must be right. */
import { attempt, workedExamples } from '../src/cli/worked-examples.js';
import { tf } from './support/tfjs.js';

describe('worked example', () => {
  beforeAll(() => tf.setBackend('cpu'));

  for (const { id, title, got, want, ok } of workedExamples()) {
    it(`${id}: ${title}`, () => expect(ok).withContext(`${got}, want ${want}`).toBeTrue());
  }

  it('that is wrong says where', () => {
    const want = [[1, 2], [3, 4]]; // prettier-ignore
    expect(attempt(() => [[[1, 2], [3, 5]], want])).toEqual({
      got: '[[1,2],[3,5]]',
      want: '[[1,2],[3,4]]',
      remark: 'element [1, 1] is 5, want 4: they must be equal',
      ok: false,
    }); // prettier-ignore
    expect(attempt(() => [[1], want]).remark).toBeUndefined();
    expect(attempt(() => [want, want])).toEqual({ got: '[[1,2],[3,4]]', want: '[[1,2],[3,4]]', ok: true });
  });
});

/** Specs of a comparison, as the command line, `npm start` and the demo page make it. */
import { chosen, compareSubject } from '../src/cli/comparison.js';
import { tf } from './support/tfjs.js';

describe('a comparison', () => {
  const [subject] = chosen({ op: 'avgpool', case: '2X2' }, 'cpu');

  beforeEach(() => tf.setBackend('cpu'));

  it('has a speed', async () => {
    let now = 0;
    spyOn(performance, 'now').and.callFake(() => now++);
    expect((await compareSubject(subject, 1, 0)).timeRatio).toBe(1);
  });

  it('has no speed where the clock stands still', async () => {
    spyOn(performance, 'now').and.returnValue(1);
    const { ok, timeRatio } = await compareSubject(subject, 1, 0);
    expect(ok).toBeTrue();
    expect(timeRatio).toBeNull();
  });
});

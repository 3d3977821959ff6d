/** Specs of the warning that a version of tfjs was never tested. */
import { version_core } from '@tensorflow/tfjs-core';
import { isTested, warnIfUntested } from '../src/tfjs_version.js';

describe('a version of tfjs', () => {
  for (const version of ['4.0.0', '4.9.0', '4.10.0', '4.22.0', '4.22.7', version_core]) {
    it(`was tested if it is ${version}`, () => expect(isTested(version)).toBeTrue());
  }

  for (const version of ['4.23.0-rc.0', '3.21.0', '3.99.0', '5.0.0', '0.0.0', '', 'next']) {
    it(`was not tested if it is '${version}'`, () => expect(isTested(version)).toBeFalse());
  }

  it('is named once if it was not tested, and otherwise never', () => {
    const warn = spyOn(console, 'warn');
    warnIfUntested('4.22.0');
    expect(warn).not.toHaveBeenCalled();
    warnIfUntested('4.23.0');
    expect(warn).toHaveBeenCalledOnceWith(jasmine.stringContaining('tfjs 4.23.0'));
    warnIfUntested('5.0.0');
    expect(warn).toHaveBeenCalledTimes(1);
  });
});

/** What the Identity kernel has to prove on each case of cases.ts. */
import { sizeOf } from '../geometry.js';
import { filling, type Subject } from '../proof.js';
import type { IdentityCase } from './cases.js';
import { identity } from './definition.js';

export function identitySubject({ name, x }: IdentityCase): Subject {
  const make = filling(sizeOf(x));
  return {
    kernelName: 'Identity',
    caseName: name,
    inputs: { x },
    attrs: {},
    output: 0,
    outShape: x,
    exact: true,
    terms: 0,
    magnitude: ({ x }) => x.map(() => 0),
    definition: (v) => make((y) => identity(v.x, y)),
  };
}

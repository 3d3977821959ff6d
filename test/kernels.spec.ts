/**
 * Specs generated from registry x backends x cases. They compare every kernel with its float64 definition and the built-in,
 * and every gradient with its loss.
 */
import { CPU_PATHS, isSimd } from '../kernels/runtime/options.js';
import { type BackendName, KERNEL_NAMES, OWN } from '../kernels/registry.js';
import { whyNot } from '../kernels/runtime/simd/modules.js';
import { configure } from '../src/index.js';
import { registerOwn } from '../src/ops.js';
import { integers } from '../src/verify/data.js';
import { boundOf, inputsOf, untiedInputs, type Values } from '../src/verify/compare-kernels.js';
import { compare, describeWorst, type Worst } from '../src/verify/exact.js';
import { canAskBuiltin, type Subject, TFJS_OFF_BY, whyTfjsDiffers } from '../kernels/proof.js';
import { subjects, subjectsOn } from '../kernels/subjects.js';
import { prove, runSubject } from '../src/verify/prove.js';

import { shareOf } from './support/share.js';
import { describeWhereAvailable, tf } from './support/tfjs.js';

const SEED = 20261121;

function expectRight(worst: Worst): void {
  expect(worst.error).withContext(describeWorst(worst)).toBeLessThanOrEqual(1);
}

describeWhereAvailable('kernels', (backendName) => {
  beforeAll(async () => {
    await tf.setBackend(backendName);
    registerOwn();
  });

  it('all have cases', () => {
    const proven = new Set(subjects().map((subject) => subject.kernelName));
    expect(KERNEL_NAMES.filter((name) => !proven.has(name))).toEqual([]);
  });

  specsOf(subjectsOn(backendName), backendName);
});

for (const path of CPU_PATHS) {
  describe(`the ${path} path of the cpu kernels`, () => {
    const reason = isSimd(path) && whyNot(path);
    if (reason) {
      it('is skipped', () => pending(reason));
      return;
    }
    beforeAll(async () => {
      await tf.setBackend('cpu');
      registerOwn();
      configure({ cpu: { path } });
    });
    afterAll(() => configure({ cpu: { path: 'auto' } }));

    const all = subjectsOn('cpu');
    const products = all.filter(({ kernelName }) => /conv2d|MatMul/i.test(kernelName));
    specsOf(isSimd(path) ? all : shareOf(products, 3), 'cpu');
  });
}

/** Specs of each subject on the active backend: the four proofs, the comparison with the built-in, the unchanged inputs. */
function specsOf(chosen: readonly Subject[], backendName: BackendName): void {
  for (const subject of chosen) {
    describe(`${subject.kernelName}, ${subject.caseName}`, () => {
      it(`is right by ${subject.loss ? 'its definition, as an adjoint and by differences' : 'its definition'}`, async () => {
        const proof = await prove(subject, OWN, SEED);
        expect(proof.verdict).withContext(String(proof)).toBe('right');
      });

      const differs = whyTfjsDiffers(subject, backendName);
      if (canAskBuiltin(subject, backendName)) {
        it(differs ? `differs from the built-in (${differs})` : 'equals the built-in', () =>
          againstBuiltin(subject, backendName, differs),
        );
      }

      it('leaves its inputs alone', () => untouched(subject));
    });
  }
}

/** The inputs are whole numbers or eighths. So if every step is exact, the results must be equal. */
async function againstBuiltin(subject: Subject, backendName: BackendName, differs?: string): Promise<void> {
  const values = untiedInputs(subject, SEED, integers);
  const ours = await runSubject(subject, OWN, values);
  const builtin = await runSubject(subject, '', values).catch((e: Error) => e);
  const bound = boundOf(subject, values);
  const off = TFJS_OFF_BY[backendName]?.[subject.kernelName];
  const exactly = off === undefined ? undefined : () => off;
  const worst = compare(
    ours,
    builtin instanceof Error ? [] : builtin,
    subject.exact ? exactly : (i) => 2 * bound(i),
  );
  if (differs === undefined) expectRight(worst);
  else if (ours.length > 0) expect(worst.error).withContext('the deviation is gone').toBeGreaterThan(1);
  else expect(ours.length).toBe(0);
}

async function untouched(subject: Subject): Promise<void> {
  const shapes = Object.entries(subject.inputs);
  const before: Values = inputsOf(subject, (size, i) => integers(size, SEED + i));
  const tensors = Object.fromEntries(
    shapes.map(([name, shape]) => [name, tf.tensor(Float32Array.from(before[name]), [...shape])]),
  );
  const outputs = [tf.engine().runKernel(OWN + subject.kernelName, tensors, subject.attrs)].flat();
  for (const [name] of shapes) {
    expect(compare(await tensors[name].data(), before[name]).error).toBe(0);
  }
  tf.dispose([tensors, outputs]);
}

/** Generated from registry x backends x cases: every kernel against its float64 definition, the built-in and its gradient. */
import { CPU_PATHS, isSimd } from '../kernels/cpu_options.js';
import { type BackendName, KERNEL_NAMES, OWN } from '../kernels/registry.js';
import { whyNot } from '../kernels/simd/runtime.js';
import { configure } from '../src/index.js';
import { registerOwn } from '../src/ops.js';
import { integers } from '../src/verify/data.js';
import { compare, describeWorst, inner, type Worst } from '../src/verify/proofs.js';
import { boundOf, inputsOf, prove, runSubject, untiedInputs } from '../src/verify/prove.js';
import { type Subject, subjects, type Values, whyTfjsDiffers } from '../src/verify/subjects.js';

import { describeWhereAvailable, tf } from './support/tfjs.js';

const SEED = 20261121;
const all = subjects();

function expectRight(worst: Worst): void {
  expect(worst.error).withContext(describeWorst(worst)).toBeLessThanOrEqual(1);
}

describeWhereAvailable('kernels', (backendName) => {
  beforeAll(async () => {
    await tf.setBackend(backendName);
    registerOwn();
  });

  it('all have cases', () => {
    const proven = new Set(all.map((subject) => subject.kernelName));
    expect(KERNEL_NAMES.filter((name) => !proven.has(name))).toEqual([]);
  });

  specsOf(all, backendName);
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

    const served = isSimd(path) ? all : all.filter(({ kernelName }) => kernelName.includes('Conv2D'));
    specsOf(served, 'cpu');
  });
}

/** The four proofs, on the active backend. */
function specsOf(chosen: readonly Subject[], backendName: BackendName): void {
  for (const subject of chosen) {
    describe(`${subject.kernelName}, ${subject.caseName}`, () => {
      it('is right by its definition and by differences', async () => {
        const { exact, rounded, gradient } = await prove(subject, OWN, SEED);
        if (exact) expect(exact.error).withContext(describeWorst(exact)).toBe(0);
        expectRight(rounded);
        if (gradient) expectRight(gradient);
      });

      const differs = whyTfjsDiffers(subject, backendName);
      it(differs ? `differs from the built-in (${differs})` : 'equals the built-in', () =>
        againstBuiltin(subject, differs),
      );

      it('leaves its inputs alone', () => untouched(subject));
    });
  }

  for (const caseName of new Set(chosen.map((subject) => subject.caseName))) {
    adjointSpec('Conv2D', 'Conv2DBackpropInput', 'x', caseName);
    adjointSpec('Conv2D', 'Conv2DBackpropFilter', 'filter', caseName);
    adjointSpec('AvgPool', 'AvgPoolGrad', 'x', caseName);
  }
}

/** Whole numbers, or eighths, so where every step is exact the results must be equal. */
async function againstBuiltin(subject: Subject, differs?: string): Promise<void> {
  const values = untiedInputs(subject, SEED, integers);
  const ours = await runSubject(subject, OWN, values);
  const builtin = await runSubject(subject, '', values).catch((e: Error) => e);
  const bound = boundOf(subject, values);
  const worst = compare(
    ours,
    builtin instanceof Error ? [] : builtin,
    subject.exact ? undefined : (i) => 2 * bound(i),
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

/** <A x, y> = <x, A^T y>: forward and gradient are each other's transpose, on whole numbers exactly. */
function adjointSpec(forwardName: string, gradientName: string, input: string, caseName: string): void {
  const find = (name: string) => all.find((s) => s.kernelName === name && s.caseName === caseName);
  const forward = find(forwardName);
  const gradient = find(gradientName);
  if (!forward || !gradient) return;
  it(`${gradientName} is the adjoint of ${forwardName} in ${input}, ${caseName}`, async () => {
    const values = {
      ...inputsOf(gradient, (size, i) => integers(size, SEED + 10 + i)),
      ...inputsOf(forward, (size, i) => integers(size, SEED + i)),
    };
    const y = await runSubject(forward, OWN, values);
    const result = await runSubject(gradient, OWN, { ...values, input: values.x });
    const left = inner(y, values.dy);
    const right = inner(values[input], result);
    if (forward.exact) {
      expect(left).toBe(right);
    } else {
      const boundY = boundOf(forward, values);
      const boundX = boundOf(gradient, { ...values, input: values.x });
      const room =
        inner(
          values.dy.map(Math.abs),
          values.dy.map((_, i) => boundY(i)),
        ) +
        inner(
          values[input].map(Math.abs),
          values[input].map((_, i) => boundX(i)),
        );
      expect(Math.abs(left - right)).toBeLessThanOrEqual(room);
    }
  });
}

/** Judges one kernel call by its proofs. */
import { engine, env, getBackend, getKernel } from '@tensorflow/tfjs-core';
import { compared, type Compared, coordinates, isHalfOverflow, sampleOf } from './compare.js';
import { type Circumstances, proofsOf } from './definitions.js';
import type { FirstNonFinite, ModelOp } from './model-report.js';
import type { Operand, Operation, Precision, Proof } from './operation.js';
import { RANDOM, referenceOf } from './reference.js';
import type { Kept } from './sequence.js';

export interface Judged {
  op: ModelOp;
  nonFinite?: FirstNonFinite;
  /** The right values of the outputs, for the ops with the largest errors. */
  right?: { values: ArrayLike<number>; shape: readonly number[]; dtype: Operand['dtype'] }[];
  /** The largest error in units of the largest value. */
  relative: number;
}

export interface JudgeSettings {
  seed: number;
  maxElements: number;
}

/** Number of elements that are named if they are not finite. */
const NAMED = 5;

/** What holds for all kernels of the active backend. */
export function precisionOf(): Precision & { backend: string } {
  const backend = getBackend();
  const isGpu = backend !== 'cpu' && backend !== 'wasm' && backend !== 'tensorflow';
  // Only a webgl backend has this flag's textures, whatever its name is.
  const isHalf = 'gpgpu' in engine().backend && !env().getBool('WEBGL_RENDER_FLOAT32_ENABLED');
  return { backend, isGpu, isHalf };
}

/** install() leaves a note of this name on the kernels that it registers; those of the plugin's own ops have its prefix. */
const NOTE = Symbol.for('tfjs-convgrad');

function isOurs(kernel: string, backend: string): boolean {
  return kernel.startsWith('Convgrad') || NOTE in (getKernel(kernel, backend) ?? {});
}

export function judged(kept: Kept, where: Precision & { backend: string }, settings: JudgeSettings): Judged {
  const { operation, index, kernel, layer, phase, of, milliseconds, unreadable } = kept;
  const op: ModelOp = {
    index,
    kernel,
    ...(layer !== undefined && { layer }),
    phase,
    ...(of !== undefined && { of }),
    inputs: Object.fromEntries(operation.inputs.map(({ name, shape }) => [name, shape])),
    outputs: operation.outputs.map(({ shape }) => shape),
    state: 'not judged',
    milliseconds,
  };
  const whyNot = whyNotJudged(kept, unreadable);
  const found = whyNot
    ? { reason: whyNot }
    : provenBy(operation, { ...where, ...settings, isOurs: isOurs(kernel, where.backend) });
  const nonFinite = nonFiniteOf(op, operation);
  if ('reason' in found)
    return { op: { ...op, reason: found.reason }, relative: 0, ...(nonFinite && { nonFinite }) };
  const results = found.proofs.map((proof) =>
    resultOf(operation.outputs[proof.output], proof, where, settings),
  );
  const worst = results.reduce((a, b) => (b.error > a.error ? b : a));
  const isWrong = worst.error > 1;
  const sampled = results.some((result) => result.isSample)
    ? results.reduce((sum, { count }) => sum + count, 0)
    : undefined;
  return {
    op: {
      ...op,
      state: isWrong ? 'wrong' : found.by === 'definition' ? 'right' : 'compared',
      by: found.by,
      error: worst.error,
      ...(worst.worst && { worst: worst.worst }),
      ...(isWrong && worst.reason !== undefined && { reason: worst.reason }),
      ...(sampled !== undefined && { sampled }),
    },
    relative: Math.max(...results.map(({ relative }) => relative)),
    right: rightValues(operation, found.proofs),
    ...(nonFinite && { nonFinite }),
  };
}

/** Undefined if not all are known, or if the outputs are of other shapes. */
function rightValues({ outputs }: Operation, proofs: readonly Proof[]): Judged['right'] {
  const isKnown = proofs.every((p) => !p.sample && p.shape.join() === outputs[p.output].shape.join());
  if (!isKnown) return undefined;
  return proofs.map(({ want, output }) => ({ values: want, shape: outputs[output].shape, dtype: outputs[output].dtype })); // prettier-ignore
}

function whyNotJudged({ kernel, operation }: Kept, unreadable: readonly string[]): string | undefined {
  if (unreadable.length > 0) return 'it has tensors of strings or complex numbers';
  if (RANDOM.has(kernel)) return 'it draws random numbers';
  if (operation.inputs.some(({ values }) => firstNonFinite(values) >= 0)) return 'its inputs are not finite';
  return undefined;
}

type Proven = { proofs: Proof[]; by: 'definition' | 'cpu' } | { reason: string };

function provenBy(operation: Operation, where: Circumstances): Proven {
  try {
    const proofs = proofsOf(operation, where);
    if (proofs) return { proofs, by: 'definition' };
  } catch (error) {
    return { reason: `its definition does not take these arguments: ${(error as Error).message}` };
  }
  const reference = referenceOf(operation, where, where.seed);
  return 'reason' in reference ? reference : { proofs: reference, by: 'cpu' };
}

type Result = Compared & { isSample: boolean; reason?: string };

function resultOf(
  got: Operand,
  proof: Proof,
  where: Precision,
  { seed, maxElements }: JudgeSettings,
): Result {
  if (got.shape.join() !== proof.shape.join()) {
    const reason = `the result is of shape [${got.shape}], but it must be [${proof.shape}]`;
    return { error: Infinity, relative: 0, count: 0, isSample: false, reason };
  }
  const isSample = got.values.length > maxElements;
  const result = compared(
    got,
    proof,
    where,
    isSample ? (proof.sample ?? sampleOf(got.values.length, maxElements, seed)) : undefined,
  );
  const overflows = result.worst && isHalfOverflow(where, result.worst);
  return { ...result, isSample, ...(overflows && { reason: 'half floats hold at most 65504' }) };
}

function firstNonFinite(values: ArrayLike<number>): number {
  if (!(values instanceof Float32Array)) return -1;
  for (let i = 0; i < values.length; i++) if (!Number.isFinite(values[i])) return i;
  return -1;
}

/** Where the call makes values that are not finite, of inputs and attributes that are. */
function nonFiniteOf(
  { index, kernel, layer }: ModelOp,
  { inputs, attrs, outputs }: Operation,
): FirstNonFinite | undefined {
  const isMeant = Object.values(attrs).some((value) => typeof value === 'number' && !Number.isFinite(value));
  if (isMeant || inputs.some(({ values }) => firstNonFinite(values) >= 0)) return undefined;
  let count = 0;
  const elements: FirstNonFinite['elements'] = [];
  outputs.forEach(({ values, shape }, output) => {
    if (firstNonFinite(values) < 0) return;
    values.forEach((value: number, i: number) => {
      if (Number.isFinite(value)) return;
      count++;
      if (elements.length < NAMED) elements.push({ output, index: coordinates(i, shape), value });
    });
  });
  return count > 0 ? { index, kernel, ...(layer !== undefined && { layer }), count, elements } : undefined;
}

/**
 * The sequence of a model's kernel calls, and their tensors in windows: only as many tensors are held at one time as memory is
 * allowed, and all of them are read asynchronously, after the run.
 */
import { keep, type Tensor } from '@tensorflow/tfjs-core';
import type { Numbers } from '../../../kernels/arrays.js';
import type { Operand, Operation } from './operation.js';
import type { Seen, Watcher } from './record.js';

/** Runs the model. Whoever calls it owns the tensors that it returns. */
export type Run = (watch: Watcher) => Promise<readonly (Tensor | null)[]>;

interface Note {
  /** Kernel, shapes, dtypes and attributes in words. */
  call: string;
  /** The bytes of each tensor of the call, by the data that it shares with others. */
  bytes: Map<object, number>;
}

/** Calls from `start` on, before `end`. */
interface Window {
  start: number;
  end: number;
}

/** A call with its values, without its tensors. */
export interface Kept extends Omit<Seen, 'inputs' | 'outputs'> {
  operation: Operation;
  /** Names of the tensors of strings or of complex numbers, which cannot be judged. */
  unreadable: string[];
}

/** Runs the model, and notes its kernel calls. */
export async function noted(run: Run): Promise<Note[]> {
  const notes: Note[] = [];
  const results = await run((seen) => {
    const tensors = [...seen.inputs.map(([, t]) => t), ...seen.outputs];
    notes.push({ call: callOf(seen), bytes: new Map(tensors.map((t) => [t.dataId, 4 * t.size])) });
  });
  results.forEach((t) => t?.dispose());
  return notes;
}

function callOf({ kernel, inputs, outputs, attrs }: Seen): string {
  const kindOf = ({ dtype, shape }: Tensor) => `${dtype} [${shape}]`;
  const from = inputs.map(([name, t]) => `${name} ${kindOf(t)}`);
  return `${kernel}, ${from.join(', ')}, to ${outputs.map(kindOf).join(', ')}, attributes ${JSON.stringify(attrs)}`;
}

/** Each window has as many calls as fit into `most` bytes, and at least one. */
export function windowsOf(notes: readonly Note[], most: number): Window[] {
  const windows: Window[] = [];
  let held = new Map<object, number>();
  let bytes = 0;
  notes.forEach((note, index) => {
    const added = [...note.bytes].filter(([data]) => !held.has(data));
    const more = added.reduce((sum, [, size]) => sum + size, 0);
    if (windows.length > 0 && bytes + more <= most) {
      bytes += more;
      for (const [data, size] of added) held.set(data, size);
      windows[windows.length - 1].end = index + 1;
    } else {
      held = new Map(note.bytes);
      bytes = [...held.values()].reduce((sum, size) => sum + size, 0);
      windows.push({ start: index, end: index + 1 });
    }
  });
  return windows;
}

/**
 * Runs the model again, and reads the tensors of the window's calls.
 * @throws Error if the sequence of calls is not as it was noted
 */
export async function captured(run: Run, notes: readonly Note[], { start, end }: Window): Promise<Kept[]> {
  const held = new Map<object, Tensor>();
  const calls: Seen[] = [];
  let count = 0;
  const hold = (t: Tensor): Tensor => {
    if (!isReadable(t)) return t;
    if (!held.has(t.dataId)) held.set(t.dataId, keep(t.clone()));
    return t;
  };
  const watch: Watcher = (seen) => {
    checkCall(seen, notes);
    count++;
    if (seen.index < start || seen.index >= end) return;
    [...seen.inputs.map(([, t]) => t), ...seen.outputs].forEach(hold);
    calls.push(seen);
  };
  try {
    const results = await run(watch);
    results.forEach((t) => t?.dispose());
    if (count < notes.length) differs(count, notes[count].call, 'nothing');
    const read = [...held].map(async ([data, t]) => [data, (await t.data()) as Numbers] as const);
    const values = new Map(await Promise.all(read));
    return calls.map((seen) => keptOf(seen, values));
  } finally {
    held.forEach((t) => t.dispose());
  }
}

function checkCall(seen: Seen, notes: readonly Note[]): void {
  const now = callOf(seen);
  const before = notes[seen.index]?.call ?? 'nothing';
  if (now !== before) differs(seen.index, before, now);
}

function differs(index: number, before: string, now: string): never {
  throw new Error(
    `tfjs-convgrad: model is one that runs other kernels in one run than in another, but it must be deterministic, because it runs ` +
      `several times (no other program may run on tfjs meanwhile): call ${index} was ${before}, and then ${now}.`,
  );
}

const isReadable = ({ dtype }: Tensor) => dtype !== 'string' && dtype !== 'complex64';

function keptOf({ inputs, outputs, ...seen }: Seen, values: ReadonlyMap<object, Numbers>): Kept {
  const operand = ([name, { shape, dtype, dataId }]: [string, Tensor]): Operand => ({
    name,
    shape,
    dtype,
    values: values.get(dataId) ?? new Float32Array(0),
  });
  const named = outputs.map((t, i): [string, Tensor] => [`output ${i}`, t]);
  const given = Object.entries(seen.attrs).filter(([, value]) => value !== null && value !== undefined);
  return {
    ...seen,
    operation: {
      kernel: seen.kernel,
      inputs: inputs.map(operand),
      isList: seen.isList,
      attrs: Object.fromEntries(given),
      outputs: named.map(operand),
    },
    unreadable: [...inputs, ...named].filter(([, t]) => !isReadable(t)).map(([name]) => name),
  };
}

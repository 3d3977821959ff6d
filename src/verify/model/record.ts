/**
 * Sees every kernel call of a run: while the run goes on, `engine().runKernel` is a property of the engine's own that calls the one
 * of before. Nothing is registered, and all is put back at the end.
 *
 * What another program runs on the same engine at the same time is seen, too.
 */
import { engine, type NamedAttrMap, type Tensor } from '@tensorflow/tfjs-core';

/** The model itself, the loss of its outputs, and the gradients of both. */
export type Phase = 'forward' | 'loss' | 'backward';

/** A kernel call. Its tensors are the model's own: they may be disposed of as soon as the watcher returns. */
export interface Seen {
  /** Its place in the sequence of calls, from 0. */
  index: number;
  kernel: string;
  /** As the kernel got them: by name, or in a list. Those that are absent are left out. */
  inputs: [name: string, tensor: Tensor][];
  isList: boolean;
  attrs: NamedAttrMap;
  outputs: Tensor[];
  milliseconds: number;
  phase: Phase;
  /** Name of the layer that ran it. In the backward pass: that ran the call whose gradient it belongs to. */
  layer?: string;
  /** In the backward pass: the forward call whose gradient it belongs to. */
  of?: number;
}

/** Returns the tensors to give to the model in place of the outputs, or nothing. */
export type Watcher = (seen: Seen) => Tensor[] | void;

/** What a run says about itself while it goes on. */
export interface Stage {
  phase: Phase;
  layer?: string;
  of?: number;
}

type RunKernel = (kernelName: string, inputs: object, attrs?: NamedAttrMap) => Tensor | Tensor[];

/**
 * Runs `run`, and shows each kernel call to `watch`. What a kernel runs inside, and what `watch` runs, is not shown.
 * @throws what `run` and `watch` throw
 */
export async function recorded<T>(stage: Stage, watch: Watcher, run: () => T | Promise<T>): Promise<T> {
  const target = engine() as unknown as { runKernel: RunKernel };
  const before = Object.getOwnPropertyDescriptor(target, 'runKernel');
  const original = target.runKernel;
  let index = 0;
  let isInside = false;
  const runKernel: RunKernel = (kernelName, inputs, attrs = {}) => {
    if (isInside) return original.call(target, kernelName, inputs, attrs);
    isInside = true;
    try {
      const start = performance.now();
      const result = original.call(target, kernelName, inputs, attrs);
      const milliseconds = performance.now() - start;
      const outputs = [result].flat();
      const given = Object.entries(inputs as Record<string, Tensor | undefined>);
      const present = given.filter(
        (entry): entry is [string, Tensor] => entry[1] !== undefined && entry[1] !== null,
      );
      const { phase, layer, of } = stage;
      const replaced = watch({ index: index++, kernel: kernelName, inputs: present, isList: Array.isArray(inputs), attrs, outputs, milliseconds, phase, layer, of }); // prettier-ignore
      if (!replaced) return result;
      return Array.isArray(result) ? replaced : replaced[0];
    } finally {
      isInside = false;
    }
  };
  Object.defineProperty(target, 'runKernel', { value: runKernel, configurable: true, writable: true });
  try {
    return await run();
  } finally {
    if (before) Object.defineProperty(target, 'runKernel', before);
    else delete (target as Partial<typeof target>).runKernel; // that of the class shows again
  }
}

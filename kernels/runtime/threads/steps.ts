/** Calls of micro-kernels that follow each other. */
import { type MicroKernels, NR } from '../simd/calls.js';
import type { Call, Items, Step, StepBy } from './cuts.js';

export interface Sequences {
  /** How many threads share the work. */
  readonly threads: number;
  /** Into how many parts it is cut, at most. */
  readonly parts: number;
  /**
   * Runs the steps one after the other. They are cut by `count` items, and the parts run at the same time: of what the steps before it
   * write, a part reads only what the same part has written.
   * @param meanwhile runs on the calling thread, while workers begin. It must not call micro-kernels.
   */
  sequence<I extends Items>(by: I, count: number, steps: readonly StepBy<I>[], meanwhile?: () => void): void;
}

export function onOneThread(kernels: MicroKernels): Sequences {
  return {
    threads: 1,
    parts: 1,
    sequence(_by, _count, steps, meanwhile) {
      runSteps(kernels, steps);
      meanwhile?.();
    },
  };
}

/** Returns whether one of them has returned true. */
export function runSteps(kernels: MicroKernels, steps: readonly Step[]): boolean {
  let isTrue = false;
  for (const [name, call] of steps) {
    if ((kernels[name] as (call: Call) => boolean | void)(call)) isTrue = true;
  }
  return isTrue;
}

/** Packs panels, and multiplies by them. Each part takes some columns of the panels, or some of the tiles or taps that meet them. */
export function multiplyPacked<I extends 'tiles' | 'taps'>(
  simd: Sequences,
  panelCount: number,
  packs: readonly StepBy<'panels'>[],
  by: I,
  count: number,
  products: readonly StepBy<'panels'>[] & readonly StepBy<I>[],
  meanwhile: () => void,
): void {
  if (areMore(panelCount, count)) {
    simd.sequence('panels', panelCount, [...packs, ...products], meanwhile);
  } else {
    simd.sequence('panels', panelCount, packs);
    simd.sequence(by, count, products, meanwhile);
  }
}

/**
 * Whether the panels have more columns than there are tiles, pixels or taps that meet them. Then parts take panels: each part reads all
 * of the other operand, so the smaller one is to be read by all.
 */
export function areMore(panelCount: number, count: number): boolean {
  return NR * panelCount > count;
}

/** The order for one run of a bundle of specs. test/run.ts writes it. test/setup.ts and test/support/share.ts read it. */
export interface Plan {
  /** Only specs whose full name contains this text. */
  filter: string;
  /**
   * Only specs on webgl, or only the others. In one run, the specs on webgl compile each program that they share only once.
   * 'shared wasm': only specs of the wasm backend, which starts on memory that threads share.
   */
  on?: 'webgl' | 'others' | 'shared wasm';
  /** This run takes every `parts`-th of those specs, from number `part` on. */
  part: number;
  parts: number;
  /** true: specs take all of an enumerated geometry, as always in Node. false: they take a share of it. */
  all: boolean;
  /** Chooses the share. */
  seed: number;
}

/** Whether the spec is in the plan's run, or in another part of the same choice. */
export function isIncluded({ filter, on }: Plan, fullName: string): boolean {
  if (!fullName.includes(filter)) return false;
  if (on === 'shared wasm') return /\bwasm\b/.test(fullName);
  return on === undefined || fullName.includes('webgl') === (on === 'webgl');
}

/** What one run of a bundle of specs is asked to do: test/run.ts writes it, test/setup.ts and test/support/share.ts read it. */
export interface Plan {
  /** Only specs whose full name contains this text. */
  filter: string;
  /** Only specs on webgl, or only the others: in one run the specs on webgl compile a program that they share once. */
  on?: 'webgl' | 'others';
  /** Of those specs this run takes every `parts`-th, from number `part` on. */
  part: number;
  parts: number;
  /** Enumerated geometry is taken whole, as always in Node; otherwise a share of it. */
  all: boolean;
  /** Chooses the share. */
  seed: number;
}

/** Whether the plan's run or another part of the same choice has this spec. */
export function isIncluded({ filter, on }: Plan, fullName: string): boolean {
  return fullName.includes(filter) && (on === undefined || fullName.includes('webgl') === (on === 'webgl'));
}

/** What one run of a bundle of specs is asked to do: test/run.ts writes it, test/setup.ts and test/support/share.ts read it. */
export interface Plan {
  /** Only specs whose full name contains this text. */
  filter: string;
  /** This run takes every `parts`-th of those specs, from number `part` on. */
  part: number;
  parts: number;
  /** Enumerated geometry is taken whole, as always in Node; otherwise a share of it. */
  all: boolean;
  /** Chooses the share. */
  seed: number;
}

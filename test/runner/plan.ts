/** What one run of a bundle of specs is asked to do: test/run.ts writes it, test/setup.ts and test/support/share.ts read it. */
export interface Plan {
  /** Only specs whose full name contains this text. */
  filter: string;
  /** This run takes every `parts`-th of those specs, from number `part` on. */
  part: number;
  parts: number;
  /** Browsers take 1 of so many enumerated geometries; Node takes all of them. */
  share: number;
  /** Chooses which of them. */
  seed: number;
}

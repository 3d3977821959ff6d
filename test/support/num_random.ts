/** A cheap stream of numbers that is the same on every platform (a linear congruential generator). */
export class Random {
  constructor(private state: number) {}

  /** An integer in [0, n); from the upper bits, the lower ones having short periods. */
  below(n: number): number {
    this.state = (Math.imul(this.state, 1664525) + 1013904223) >>> 0;
    return Math.floor((this.state / 2 ** 32) * n);
  }

  pick<T>(choices: readonly T[]): T {
    return choices[this.below(choices.length)];
  }

  /** Integers in [-max, max]: sums of their products stay exact in float32. */
  integers(size: number, max = 4): Float64Array {
    return new Float64Array(size).map(() => this.below(2 * max + 1) - max);
  }

  /** In [-1, 1), and exact in float32. */
  floats(size: number): Float64Array {
    return new Float64Array(size).map(() => Math.fround(this.below(2 ** 24) / 2 ** 23 - 1));
  }

  /** 0, step, 2 * step ... in random order: no ties, and all gaps known. */
  shuffledSteps(size: number, step: number): Float64Array {
    const values = new Float64Array(size).map((_, i) => i * step);
    for (let i = size - 1; i > 0; i--) {
      const j = this.below(i + 1);
      [values[i], values[j]] = [values[j], values[i]];
    }
    return values;
  }
}

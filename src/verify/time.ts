/** Speed as a ratio. Both sides alternate in one run, so that the machine's other work slows both of them down. */

export interface Timing {
  /** Median of a, in milliseconds. */
  a: number;
  /** Median of b, in milliseconds. */
  b: number;
}

/**
 * Median milliseconds of a and of b. After a warm-up call of each, a and b are called in turn. There is at least one
 * round, and there are more until `forMs` milliseconds have passed or 50 rounds were made.
 */
export async function alternate(
  a: () => Promise<unknown>,
  b: () => Promise<unknown>,
  forMs: number,
): Promise<Timing> {
  const times = { a: [] as number[], b: [] as number[] };
  await a();
  await b();
  const start = performance.now();
  do {
    times.a.push(await elapsed(a));
    times.b.push(await elapsed(b));
  } while (performance.now() - start < forMs && times.a.length < 50);
  return { a: median(times.a), b: median(times.b) };
}

async function elapsed(f: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  await f();
  return performance.now() - start;
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((p, q) => p - q);
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

export function geometricMean(values: readonly number[]): number {
  return Math.exp(values.reduce((sum, value) => sum + Math.log(value), 0) / values.length);
}

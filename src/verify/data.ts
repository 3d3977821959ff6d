/** Seeded inputs for proofs. They are the same on every machine and backend. */

/** A stream of numbers in [0, 1). Source: mulberry32, Tommy Ettinger, public domain. */
export function random(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** A seed, or a stream of random numbers to continue. */
export type Source = number | (() => number);

const streamOf = (source: Source) => (typeof source === 'number' ? random(source) : source);

/** Whole numbers in [-max, max]. Sums of their products are exact in float32 while they stay below 2^24. */
export function integers(size: number, source: Source, max = 4): Float64Array {
  const next = streamOf(source);
  return Float64Array.from({ length: size }, () => Math.floor(next() * (2 * max + 1)) - max);
}

/** Numbers in [-1, 1) that float32 holds exactly. */
export function floats(size: number, source: Source): Float64Array {
  const next = streamOf(source);
  return Float64Array.from({ length: size }, () => Math.fround(next() * 2 - 1));
}

/** The numbers (i - size / 2) / 8 in random order: no two are closer than 1/8, so no maximum is tied. */
export function distinct(size: number, source: Source): Float64Array {
  const next = streamOf(source);
  const values = Float64Array.from({ length: size }, (_, i) => (i - Math.floor(size / 2)) / 8);
  for (let i = size - 1; i > 0; i--) {
    const j = Math.floor(next() * (i + 1));
    [values[i], values[j]] = [values[j], values[i]];
  }
  return values;
}

/** Numbers with a random sign, exact in float32. Magnitudes: 0.5 to 1 or, if `whole`, whole numbers from 1 to 3. */
export function signed(size: number, source: Source, whole = false): Float64Array {
  const next = streamOf(source);
  return new Float64Array(size).map(() => {
    const magnitude = whole ? 1 + Math.floor(3 * next()) : Math.fround(0.5 + next() / 2);
    return next() < 0.5 ? -magnitude : magnitude;
  });
}

/** `count` random indexes below `size`. If size <= count: all indexes. */
export function drawn(size: number, count: number, source: Source): number[] {
  if (size <= count) return Array.from({ length: size }, (_, i) => i);
  const next = streamOf(source);
  return Array.from({ length: count }, () => Math.floor(next() * size));
}

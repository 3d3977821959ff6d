/** Seeded inputs for proofs: the same on every machine and backend. */

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

/** Whole numbers in [-max, max]: sums of their products are exact in float32 as long as they stay below 2^24. */
export function integers(size: number, seed: number, max = 4): Float64Array {
  const next = random(seed);
  return Float64Array.from({ length: size }, () => Math.floor(next() * (2 * max + 1)) - max);
}

/** Numbers in [-1, 1) that float32 holds exactly. */
export function floats(size: number, seed: number): Float64Array {
  const next = random(seed);
  return Float64Array.from({ length: size }, () => Math.fround(next() * 2 - 1));
}

/** The numbers (i - size / 2) / 8 in random order: no two are closer than 1/8, so no maximum is tied. */
export function distinct(size: number, seed: number): Float64Array {
  const next = random(seed);
  const values = Float64Array.from({ length: size }, (_, i) => (i - Math.floor(size / 2)) / 8);
  for (let i = size - 1; i > 0; i--) {
    const j = Math.floor(next() * (i + 1));
    [values[i], values[j]] = [values[j], values[i]];
  }
  return values;
}

/** The last step of a product before it is stored: min(max(sum + bias, lowest), highest). */
import type { Data, Simd } from './instance.js';

export interface Epilogue<Bias = Data> extends Bounds {
  /** A value for each target channel, or column. Without it 0 is added. */
  readonly bias?: Bias;
}

export interface Bounds {
  readonly lowest: number;
  readonly highest: number;
}

export const PLAIN: Bounds = { lowest: -Infinity, highest: Infinity };

/** at[width] = the bias of the target's channels, then 0. */
export function writeBias(
  { f32 }: Simd,
  at: number,
  channels: number,
  width: number,
  { bias }: Epilogue,
): void {
  f32.fill(0, at / 4, at / 4 + width);
  if (bias) f32.set((bias.array ?? f32).subarray(bias.start, bias.start + channels), at / 4);
}

export function isClamped({ lowest, highest }: Bounds): boolean {
  return lowest !== -Infinity || highest !== Infinity;
}

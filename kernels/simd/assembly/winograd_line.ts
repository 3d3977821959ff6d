/**
 * Transforms of Winograd's minimal filtering F(2, 3) along a line: two neighbouring outputs from four inputs and three taps,
 * with four multiplications a channel instead of six.
 *
 *   U = G g   V = transpose(B) d   M = sum over channels and triples of taps of U * V, cell by cell   y += transpose(A) M
 *
 * The matrices are those of winograd_2x2.ts; the sum is the matrix product of multiply.ts, once for each of the four cells. U, V
 * and M are planes, one for each cell, `plane` bytes apart: V [patches][source channels], M [tiles][target channels], U in the
 * order of the taps. Channels come in whole groups of four. Addresses and steps are in bytes.
 */
import { filterRow, inputRow, outputRow } from './winograd_2x2';

/** U from `size` bytes of each of three taps, tapStep apart. */
export function lineFilter(g: usize, tapStep: usize, size: usize, to: usize, plane: usize): void {
  for (const end = g + size; g < end; g += 16) {
    filterRow(v128.load(g), v128.load(g + tapStep), v128.load(g + 2 * tapStep), to, plane);
    to += 16;
  }
}

/** V from the patches of the image a, whose cells are `step` apart. */
export function lineInput(
  patches: usize,
  patchCount: u32,
  a: usize,
  step: usize,
  channels: u32,
  to: usize,
  plane: usize,
): void {
  for (let p: u32 = 0; p < patchCount; p++) {
    let d = a + load<u32>(patches + (p << 2));
    for (const end = d + (channels << 2); d < end; d += 16) {
      inputRow(
        v128.load(d),
        v128.load(d + step),
        v128.load(d + 2 * step),
        v128.load(d + 3 * step),
        to,
        plane,
      );
      to += 16;
    }
  }
}

/**
 * y from M, within bounds, on top of the bias or, where `continued`, of what is there; tile t's first cell is at c + tiles[t],
 * its second `step` from there.
 */
export function lineOutput(
  from: usize,
  plane: usize,
  tiles: usize,
  tileCount: u32,
  c: usize,
  step: usize,
  channels: u32,
  bias: usize,
  continued: bool,
  lowest: f32,
  highest: f32,
): void {
  const size = channels << 2;
  const low = f32x4.splat(lowest);
  const high = f32x4.splat(highest);
  for (let t: u32 = 0; t < tileCount; t++) {
    const tile = c + load<u32>(tiles + (t << 2));
    for (let at: usize = 0; at < size; at += 16) {
      const to = tile + at;
      outputRow(
        v128.load(from),
        v128.load(from + plane),
        v128.load(from + 2 * plane),
        v128.load(from + 3 * plane),
        to,
        step,
        v128.load(continued ? to : bias + at),
        v128.load(continued ? to + step : bias + at),
        low,
        high,
      );
      from += 16;
    }
  }
}

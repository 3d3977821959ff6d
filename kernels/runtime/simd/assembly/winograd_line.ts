/**
 * The transforms of Winograd's minimal filtering along a line. It computes m = 3 or 4 neighbouring outputs. The taps of the line
 * are cut into pieces. For each channel, a piece of r = 7 - m taps takes seven multiplications instead of m r, and a piece of
 * r - 1 taps takes six instead of m (r - 1).
 *
 *   U = G g   V = transpose(B) d   M = sum over channels and pieces of U * V, cell by cell   y = transpose(A) M
 *
 * - winograd_7.ts has the matrices.
 * - The sum M is the matrix product of multiply.ts, once for each of the seven cells.
 * - U, V and M each have a plane for each cell. Planes lie `plane` bytes apart: V [patches][pieces][source channels],
 *   M [tiles][target channels], U in the order of the taps.
 * - The last plane of U and V holds only the pieces of r taps.
 * - The number of target channels is a multiple of 4. Addresses and steps are in bytes.
 */
import { filter7, input7, lastInput7, output7 } from './winograd_7';

/** U without its last plane, which holds the last taps themselves. The r taps lie tapStep apart; each is `size` bytes. */
export function lineFilter(r: u32, taps: usize, tapStep: usize, size: usize, to: usize, plane: usize): void {
  for (const end = taps + size; taps < end; taps += 16) {
    if (r == 3) filter7(3, taps, tapStep, to, plane);
    else filter7(4, taps, tapStep, to, plane);
    to += 16;
  }
}

/**
 * V from the patches of the image a. Piece i of patch p starts at a + patches[p] + pieces[i], and its cells lie `step` apart. The
 * first `whole` pieces are those of r taps: their last plane starts at `last`. Up to three floats are read past the image. scratch holds
 * six vectors.
 */
export function lineInput(
  patches: usize,
  patchCount: u32,
  pieces: usize,
  whole: u32,
  pieceCount: u32,
  a: usize,
  step: usize,
  channels: u32,
  to: usize,
  last: usize,
  plane: usize,
  scratch: usize,
): void {
  const size = channels << 2;
  const wholeEnd = pieces + (whole << 2);
  const piecesEnd = pieces + (pieceCount << 2);
  const end = to + patchCount * pieceCount * size;
  const lastEnd = last + patchCount * whole * size;
  for (let p: u32 = 0; p < patchCount; p++) {
    const patch = a + load<u32>(patches + (p << 2));
    for (let piece = pieces; piece < piecesEnd; piece += 4) {
      const d = patch + load<u32>(piece);
      const isWhole = piece < wholeEnd;
      // What is written past a piece is written again with the next one. After the end another thread may have written.
      for (let at: usize = 0; at < size; at += 16) {
        if (to + at + 16 <= end) {
          input7(d + at, step, to + at, plane);
        } else {
          input7(d + at, step, scratch, 16);
          for (let cell: usize = 0; cell < 6; cell++) copy(scratch + (cell << 4), to + at + cell * plane, size - at);
        }
        if (!isWhole) continue;
        if (last + at + 16 <= lastEnd) {
          lastInput7(d + at, step, last + at);
        } else {
          lastInput7(d + at, step, scratch);
          copy(scratch, last + at, size - at);
        }
      }
      to += size;
      if (isWhole) last += size;
    }
  }
}

// @ts-ignore: decorator
@inline
function copy(from: usize, to: usize, size: usize): void {
  for (let at: usize = 0; at < min<usize>(size, 16); at += 4) store<f32>(to + at, load<f32>(from + at));
}

/** y from M, with the bias added, between the bounds. The first cell of tile t lies at c + tiles[t], the others `step` apart. */
export function lineOutput(
  m: u32,
  from: usize,
  plane: usize,
  tiles: usize,
  tileCount: u32,
  c: usize,
  step: usize,
  channels: u32,
  bias: usize,
  lowest: f32,
  highest: f32,
): void {
  const size = channels << 2;
  const low = f32x4.splat(lowest);
  const high = f32x4.splat(highest);
  for (let t: u32 = 0; t < tileCount; t++) {
    const tile = c + load<u32>(tiles + (t << 2));
    for (let at: usize = 0; at < size; at += 16) {
      const add = v128.load(bias + at);
      if (m == 3) output7(3, from, plane, tile + at, step, true, add, low, high);
      else output7(4, from, plane, tile + at, step, true, add, low, high);
      from += 16;
    }
  }
}

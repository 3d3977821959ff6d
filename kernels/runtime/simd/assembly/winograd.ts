/**
 * The transforms of Winograd's minimal filtering F(m x m, 3 x 3), m = 2 or 4. It computes a tile of m x m outputs from a patch of
 * (m + 2) x (m + 2) inputs. Each channel takes n x n multiplications instead of 9 m m: n = 4 for m = 2, n = 6 or 7 for m = 4.
 *
 *   U = G g transpose(G)   V = transpose(B) d B   M = sum over channels of U * V, cell by cell   y = transpose(A) M A
 *
 * The sum over channels, M, is the matrix product of multiply.ts, once for each of the n x n cells. This file computes U, V and y,
 * over all tiles and channels. winograd_2x2.ts (n = 4), winograd_4x4.ts (n = 6) and winograd_7.ts (n = 7) transform one tile of
 * four channels: first its columns, then its rows.
 *
 * - U, V and M each have a plane for each cell. Planes lie `plane` bytes apart:
 *   U [panels][source channels][8], V [tiles][source channels], M [tiles][target channels].
 * - The caller pads: memory holds the whole of each patch and tile, also of those that reach over the edge of the image.
 * - The number of channels is a multiple of 4.
 * - scratch holds n x n x 16 bytes. Addresses and steps are in bytes.
 *
 * Source: Lavin & Gray, "Fast algorithms for convolutional neural networks", 2015, section 4.
 */
import { filter2x2, input2x2, output2x2 } from './winograd_2x2';
import { filter4x4, input4x4, output4x4 } from './winograd_4x4';
import { filter7x7, input7x7, output7x7 } from './winograd_7';

/** U from 3 x 3 taps that lie tapStep apart. Each is `size` bytes in panels: [panels][source channels][8]. */
export function winogradFilter(
  n: u32,
  taps: usize,
  tapStep: usize,
  size: usize,
  to: usize,
  plane: usize,
  scratch: usize,
): void {
  for (const end = taps + size; taps < end; taps += 16) {
    if (n == 4) filter2x2(taps, tapStep, to, plane);
    else if (n == 6) filter4x4(taps, tapStep, to, plane, scratch);
    else filter7x7(3, taps, 3 * tapStep, tapStep, to, plane, scratch);
    to += 16;
  }
}

/** V from the patches of the image a. Its rows lie rowStep apart, its columns 4 * channels. */
export function winogradInput(
  n: u32,
  patches: usize,
  patchCount: u32,
  a: usize,
  rowStep: usize,
  channels: u32,
  to: usize,
  plane: usize,
  scratch: usize,
): void {
  const colStep = channels << 2;
  for (let p: u32 = 0; p < patchCount; p++) {
    let patch = a + load<u32>(patches + (p << 2));
    for (const end = patch + colStep; patch < end; patch += 16) {
      if (n == 4) input2x2(patch, rowStep, colStep, to, plane);
      else if (n == 6) input4x4(patch, rowStep, colStep, to, plane, scratch);
      else input7x7(patch, rowStep, colStep, to, plane, scratch);
      to += 16;
    }
  }
}

/**
 * y from M, with the bias added, between the bounds. The first cell of tile t lies at c + tiles[t], its rows rowStep apart and its
 * columns colStep. M has `channels` target channels.
 */
export function winogradOutput(
  n: u32,
  from: usize,
  plane: usize,
  tiles: usize,
  tileCount: u32,
  c: usize,
  rowStep: usize,
  colStep: usize,
  channels: u32,
  bias: usize,
  lowest: f32,
  highest: f32,
  scratch: usize,
): void {
  const size = channels << 2;
  const low = f32x4.splat(lowest);
  const high = f32x4.splat(highest);
  for (let t: u32 = 0; t < tileCount; t++) {
    const tile = c + load<u32>(tiles + (t << 2));
    for (let at: usize = 0; at < size; at += 16) {
      const add = v128.load(bias + at);
      if (n == 4) output2x2(from, plane, tile + at, rowStep, colStep, add, low, high);
      else if (n == 6) output4x4(from, plane, tile + at, rowStep, colStep, add, low, high, scratch);
      else output7x7(4, from, plane, tile + at, rowStep, colStep, true, add, low, high, scratch);
      from += 16;
    }
  }
}

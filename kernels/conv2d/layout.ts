/**
 * Filters in the layouts of other frameworks.
 *
 *   HWIO  [height, width, inChannels, outChannels]  tfjs
 *   OIHW  [outChannels, inChannels, height, width]  PyTorch, and texts that write (F, C, HH, WW)
 */
import type { Floats } from '../arrays.js';

/** @param shape [outChannels, inChannels, height, width] of `filter` */
export function oihwToHwio(filter: Floats, [O, I, H, W]: readonly number[]): Floats {
  const hwio = filter.slice();
  let i = 0;
  for (let o = 0; o < O; o++) {
    for (let c = 0; c < I; c++) {
      for (let p = 0; p < H * W; p++) hwio[(p * I + c) * O + o] = filter[i++];
    }
  }
  return hwio;
}

/** @param shape [height, width, inChannels, outChannels] of `filter` */
export function hwioToOihw(filter: Floats, [H, W, I, O]: readonly number[]): Floats {
  const oihw = filter.slice();
  let i = 0;
  for (let p = 0; p < H * W; p++) {
    for (let c = 0; c < I; c++) {
      for (let o = 0; o < O; o++) oihw[(o * I + c) * H * W + p] = filter[i++];
    }
  }
  return oihw;
}

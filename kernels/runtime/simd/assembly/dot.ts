/**
 * Micro-kernel of the forward pass and of the gradient of the input for few target channels. It has the arguments and the meaning
 * of `multiply`, except for B and C:
 *
 *   C[p, n] = bias[n] + sum over s, i of A[pixel p, segment s, i] * B[n, s * segmentLength + i],  then clamped
 *
 * - The sums run along the segments, four products at a time, instead of along the target channels. A panel of NR channels would
 *   be mostly empty. segmentLength is a multiple of 4.
 * - B has a row for each target channel, of segmentCount * segmentLength floats. panelCount is the number of target channels.
 * - C is written one float at a time, at c + outs[p] + 4 n.
 */
import { bounded } from './bounded';
import { madd } from './madd';

export function dot(
  pixels: usize,
  outs: usize,
  pixelCount: u32,
  segments: usize,
  segmentCount: u32,
  segmentLength: u32,
  a: usize,
  panels: usize,
  panelCount: u32,
  bias: usize,
  c: usize,
  continued: bool,
  clamped: bool,
  lowest: f32,
  highest: f32,
): void {
  const segmentsEnd = segments + (segmentCount << 2);
  const low = f32x4.splat(lowest);
  const high = f32x4.splat(highest);
  for (let m: u32 = 0; m < pixelCount; m += 4) {
    const pixel = pixels + (m << 2);
    const out = outs + (m << 2);
    const row0 = a + load<u32>(pixel);
    const row1 = a + load<u32>(pixel, 4);
    const row2 = a + load<u32>(pixel, 8);
    const row3 = a + load<u32>(pixel, 12);
    let b = panels;
    for (let n: u32 = 0; n < panelCount; n++) {
      let c0 = f32x4.splat(0);
      let c1 = c0;
      let c2 = c0;
      let c3 = c0;
      for (let segment = segments; segment < segmentsEnd; segment += 4) {
        const run = load<u32>(segment);
        let a0 = row0 + run;
        let a1 = row1 + run;
        let a2 = row2 + run;
        let a3 = row3 + run;
        const end = a0 + (segmentLength << 2);
        while (a0 < end) {
          const values = v128.load(b);
          c0 = madd(v128.load(a0), values, c0);
          c1 = madd(v128.load(a1), values, c1);
          c2 = madd(v128.load(a2), values, c2);
          c3 = madd(v128.load(a3), values, c3);
          a0 += 16;
          a1 += 16;
          a2 += 16;
          a3 += 16;
          b += 16;
        }
      }
      const c01 = f32x4.add(v128.shuffle<f32>(c0, c1, 0, 4, 2, 6), v128.shuffle<f32>(c0, c1, 1, 5, 3, 7));
      const c23 = f32x4.add(v128.shuffle<f32>(c2, c3, 0, 4, 2, 6), v128.shuffle<f32>(c2, c3, 1, 5, 3, 7));
      const sums = f32x4.add(
        v128.shuffle<f32>(c01, c23, 0, 1, 4, 5),
        v128.shuffle<f32>(c01, c23, 2, 3, 6, 7),
      );
      const to = c + (n << 2);
      const to0 = to + load<u32>(out);
      const to1 = to + load<u32>(out, 4);
      const to2 = to + load<u32>(out, 8);
      const to3 = to + load<u32>(out, 12);
      let result = v128.load32_splat(bias + (n << 2));
      if (continued) {
        result = f32x4.splat(load<f32>(to0));
        result = f32x4.replace_lane(result, 1, load<f32>(to1));
        result = f32x4.replace_lane(result, 2, load<f32>(to2));
        result = f32x4.replace_lane(result, 3, load<f32>(to3));
      }
      result = f32x4.add(result, sums);
      if (clamped) result = bounded(result, low, high);
      store<f32>(to0, f32x4.extract_lane(result, 0));
      store<f32>(to1, f32x4.extract_lane(result, 1));
      store<f32>(to2, f32x4.extract_lane(result, 2));
      store<f32>(to3, f32x4.extract_lane(result, 3));
    }
  }
}

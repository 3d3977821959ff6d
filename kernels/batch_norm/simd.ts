/**
 * Batch normalization and the sums of its gradient by WebAssembly SIMD. The results are those of definition.ts, to rounding, in
 * float32.
 *
 * - Tensors are read and written where they lie. Arrays that do not lie in the instance's memory are copied, in strips.
 * - A view of the instance's memory may be stale after `place`. So nothing of the arguments is read after it.
 * - The micro-kernels take rows of whole vectors. So the parameters are repeated until they fill one: with three channels, eight
 *   pixels make a row of six vectors.
 */
import type { Floats } from '../arrays.js';
import { addressOf, dataOf, type Simd, stripOf } from '../runtime/simd/instance.js';
import { type BatchNormParameters, multipliers } from './definition.js';

/** Numbers in a vector, and in the vectors that the micro-kernels handle together. */
const VECTOR = 4;
const UNROLLED = 16;

export function batchNorm(simd: Simd, x: Float32Array, p: BatchNormParameters, y: Float32Array): void {
  const size = x.length;
  const [source, target] = [dataOf(simd, x), dataOf(simd, y)];
  const rows = [p.mean, multipliers(p), p.offset].map(rowOf);
  const period = rows[0].byteLength;
  const strip = stripOf([source, target], size, rows[0].length);
  const [means, factors, offsets, scratch] = simd.place(period, period, period, 4 * strip);
  [means, factors, offsets].forEach((at, i) => simd.f32.set(rows[i], at / 4));
  for (let start = 0; start < size; start += strip) {
    const end = Math.min(start + strip, size);
    const from = addressOf(simd, source, start, end - start, scratch);
    const to = target.array ? scratch : 4 * (target.start + start);
    const length = 4 * (end - start);
    simd.normalize({ x: from, y: to, length, means, multipliers: factors, offsets, period });
    target.array?.set(simd.f32.subarray(to / 4, to / 4 + end - start), start);
  }
}

/** sums: [2, channels]. It does not lie in the instance's memory. */
export function batchNormSums(
  simd: Simd,
  dy: Float32Array,
  x: Float32Array,
  mean: Floats,
  sums: Float32Array,
): void {
  const [size, channels] = [x.length, mean.length];
  const [dyData, xData] = [dataOf(simd, dy), dataOf(simd, x)];
  const row = rowOf(mean);
  const period = row.byteLength;
  const strip = stripOf([dyData, xData], size, row.length);
  const [means, s1, s2, dyScratch, xScratch] = simd.place(period, period, period, 4 * strip, 4 * strip);
  simd.f32.set(row, means / 4);
  for (const at of [s1, s2]) simd.f32.fill(0, at / 4, (at + period) / 4);
  for (let start = 0; start < size; start += strip) {
    const end = Math.min(start + strip, size);
    const dyAddress = addressOf(simd, dyData, start, end - start, dyScratch);
    const xAddress = addressOf(simd, xData, start, end - start, xScratch);
    simd.sumRows({ dy: dyAddress, x: xAddress, length: 4 * (end - start), means, period, s1, s2 });
  }
  [s1, s2].forEach((at, i) => {
    const columns = simd.f32.subarray(at / 4, at / 4 + row.length);
    addPixels(columns, sums.subarray(i * channels, (i + 1) * channels));
  });
}

/** The values again and again, as often as it takes to fill a row of vectors. */
function rowOf(values: Floats): Float32Array {
  let length = values.length;
  while (length % VECTOR !== 0 || length < UNROLLED) length += values.length;
  const row = new Float32Array(length);
  for (let i = 0; i < length; i += values.length) row.set(values, i);
  return row;
}

/** The sum over the pixels of a row, for each channel. */
function addPixels(row: Float32Array, sums: Float32Array): void {
  for (let c = 0; c < sums.length; c++) {
    let sum = 0;
    for (let i = c; i < row.length; i += sums.length) sum += row[i];
    sums[c] = sum;
  }
}

/**
 * The gradients of the activations by WebAssembly SIMD. The results are those of definition.ts, to the bit.
 *
 * Tensors are read and written where they lie. Arrays that do not lie in the instance's memory are copied, in strips.
 */
import { addressOf, dataOf, type Simd, stripOf } from '../runtime/simd/instance.js';
import type { ElementwiseAttrs, WithGradient } from './definition.js';

/** dx[i] = dy[i] * op'(x[i]). dy, x, dx: of one size. Every cell of dx is written. */
export function activationGradient(
  simd: Simd,
  name: WithGradient,
  dy: Float32Array,
  x: Float32Array,
  dx: Float32Array,
  { clipValueMin: lowest = -Infinity, clipValueMax: highest = Infinity }: ElementwiseAttrs,
): void {
  const all = x.length;
  const data = [dy, x, dx].map((values) => dataOf(simd, values));
  const strip = stripOf(data, all);
  const scratch = simd.place(...data.map(({ array }) => (array ? 4 * strip : 0)));
  const target = data[2];
  for (let start = 0; start < all; start += strip) {
    const count = Math.min(strip, all - start);
    const [dyAt, xAt] = [0, 1].map((i) => addressOf(simd, data[i], start, count, scratch[i]));
    const dxAt = target.array ? scratch[2] : 4 * (target.start + start);
    const call = { dy: dyAt, x: xAt, dx: dxAt, size: 4 * count };
    if (name === 'ClipByValue') simd.clipGrad({ ...call, lowest, highest });
    else simd.reluGrad({ ...call, highest: name === 'Relu6' ? 6 : Infinity });
    target.array?.set(simd.f32.subarray(dxAt / 4, dxAt / 4 + count), start);
  }
}

/**
 * Gradients of activations, four numbers at a time. `size` is that of x, dy and dx, in bytes.
 *
 *   reluGrad   dx[i] = dy[i] * (1 if 0 < x[i] <= highest, NaN if x[i] is NaN, 0 otherwise)
 *   clipGrad   dx[i] = dy[i] if lowest <= x[i] <= highest, 0 otherwise
 */

export function reluGrad(dy: usize, x: usize, dx: usize, size: usize, highest: f32): void {
  const bound = f32x4.splat(highest);
  let i: usize = 0;
  for (; i + 16 <= size; i += 16) v128.store(dx + i, reluGradFour(v128.load(dy + i), v128.load(x + i), bound));
  for (; i < size; i += 4) {
    const four = reluGradFour(v128.load32_zero(dy + i), v128.load32_zero(x + i), bound);
    store<f32>(dx + i, f32x4.extract_lane(four, 0));
  }
}

// @ts-ignore: decorator
@inline
function reluGradFour(dy: v128, x: v128, highest: v128): v128 {
  const isInside = v128.and(f32x4.gt(x, f32x4.splat(0)), f32x4.le(x, highest));
  const isNaN = f32x4.ne(x, x); // all bits of it are set, which is a NaN
  return f32x4.mul(dy, v128.or(v128.and(isInside, f32x4.splat(1)), isNaN));
}

export function clipGrad(dy: usize, x: usize, dx: usize, size: usize, lowest: f32, highest: f32): void {
  const least = f32x4.splat(lowest);
  const most = f32x4.splat(highest);
  let i: usize = 0;
  for (; i + 16 <= size; i += 16) v128.store(dx + i, clipGradFour(v128.load(dy + i), v128.load(x + i), least, most));
  for (; i < size; i += 4) {
    const four = clipGradFour(v128.load32_zero(dy + i), v128.load32_zero(x + i), least, most);
    store<f32>(dx + i, f32x4.extract_lane(four, 0));
  }
}

// @ts-ignore: decorator
@inline
function clipGradFour(dy: v128, x: v128, lowest: v128, highest: v128): v128 {
  return v128.and(dy, v128.and(f32x4.ge(x, lowest), f32x4.le(x, highest)));
}

/**
 * Pooling and its gradients, four channels at a time. Windows may overlap.
 *
 *   maxPool      y[p] = max over taps of x[p + tap]            maxPoolGrad   dx[p + first tap of the maximum] += dy[p]
 *   avgPool      y[p] = sum over taps of x[p + tap] / n[p]      avgPoolGrad   dx[p + tap] += dy[p] / n[p] for all taps
 *
 * x and dx are images in memory. The caller pads them; for maxima it pads with -Infinity. The first cell of pixel p's window
 * lies at x + pixels[p], and tap t lies taps[t] bytes after it. y and dy are dense: [pixelCount, channels].
 *
 * - Addresses are in bytes. The number of channels is a multiple of 4.
 * - A maximum skips NaN. If a window holds only padding, -Infinity or NaN, its maximum is -Infinity, and it is unknown which
 *   cell it came from. maxPool and maxPoolGrad then return true, and the caller must not use the result.
 * - The four functions repeat the loops over pixels and channels: AssemblyScript has no closures, so a shared loop could not
 *   take their bodies.
 */
export function maxPool(
  pixels: usize,
  pixelCount: u32,
  taps: usize,
  tapCount: u32,
  channels: u32,
  x: usize,
  y: usize,
): bool {
  const tapsEnd = taps + (tapCount << 2);
  const nothing = f32x4.splat(-f32.MAX_VALUE);
  let empty = i32x4.splat(0);
  for (let p: u32 = 0; p < pixelCount; p++) {
    let cell = x + load<u32>(pixels + (p << 2));
    for (const end = cell + (channels << 2); cell < end; cell += 16) {
      const max = maximum(cell, taps, tapsEnd);
      empty = v128.or(empty, f32x4.lt(max, nothing));
      v128.store(y, max);
      y += 16;
    }
  }
  return v128.any_true(empty);
}

export function maxPoolGrad(
  pixels: usize,
  pixelCount: u32,
  taps: usize,
  tapCount: u32,
  channels: u32,
  x: usize,
  dy: usize,
  dx: usize,
): bool {
  const tapsEnd = taps + (tapCount << 2);
  const nothing = f32x4.splat(-f32.MAX_VALUE);
  let empty = i32x4.splat(0);
  for (let p: u32 = 0; p < pixelCount; p++) {
    let cell = x + load<u32>(pixels + (p << 2));
    for (const end = cell + (channels << 2); cell < end; cell += 16) {
      const max = maximum(cell, taps, tapsEnd);
      empty = v128.or(empty, f32x4.lt(max, nothing));
      let rest = v128.load(dy);
      for (let tap = taps; tap < tapsEnd; tap += 4) {
        const at = cell + load<u32>(tap);
        const found = f32x4.eq(v128.load(at), max);
        const to = at - x + dx;
        v128.store(to, f32x4.add(v128.load(to), v128.and(rest, found)));
        rest = v128.andnot(rest, found);
      }
      dy += 16;
    }
  }
  return v128.any_true(empty);
}

/** The largest value of the window that is not NaN; -Infinity if there is none. */
// @ts-ignore: decorator
@inline
function maximum(cell: usize, taps: usize, tapsEnd: usize): v128 {
  let max = f32x4.splat(f32.NEGATIVE_INFINITY);
  for (let tap = taps; tap < tapsEnd; tap += 4) {
    max = f32x4.pmax(max, v128.load(cell + load<u32>(tap)));
  }
  return max;
}

export function avgPool(
  pixels: usize,
  counts: usize,
  pixelCount: u32,
  taps: usize,
  tapCount: u32,
  channels: u32,
  x: usize,
  y: usize,
): void {
  const tapsEnd = taps + (tapCount << 2);
  for (let p: u32 = 0; p < pixelCount; p++) {
    let cell = x + load<u32>(pixels + (p << 2));
    const n = v128.load32_splat(counts + (p << 2));
    for (const end = cell + (channels << 2); cell < end; cell += 16) {
      let sum = f32x4.splat(0);
      for (let tap = taps; tap < tapsEnd; tap += 4) {
        sum = f32x4.add(sum, v128.load(cell + load<u32>(tap)));
      }
      v128.store(y, f32x4.div(sum, n));
      y += 16;
    }
  }
}

export function avgPoolGrad(
  pixels: usize,
  counts: usize,
  pixelCount: u32,
  taps: usize,
  tapCount: u32,
  channels: u32,
  dy: usize,
  dx: usize,
): void {
  const tapsEnd = taps + (tapCount << 2);
  for (let p: u32 = 0; p < pixelCount; p++) {
    let cell = dx + load<u32>(pixels + (p << 2));
    const n = v128.load32_splat(counts + (p << 2));
    for (const end = cell + (channels << 2); cell < end; cell += 16) {
      const share = f32x4.div(v128.load(dy), n);
      for (let tap = taps; tap < tapsEnd; tap += 4) {
        const to = cell + load<u32>(tap);
        v128.store(to, f32x4.add(v128.load(to), share));
      }
      dy += 16;
    }
  }
}

/**
 * Pooling and its gradients, four channels at a time. Windows may overlap.
 *
 *   maxPool      y[p] = max over taps of x[p + tap]            maxPoolGrad   dx[p + first tap of the maximum] += dy[p]
 *   avgPool      y[p] = sum over taps of x[p + tap] / n[p]      avgPoolGrad   dx[p + tap] += dy[p] / n[p] for all taps
 *
 * x and dx are images in memory. The caller pads them; for maxima it pads with -Infinity. The first cell of pixel p's window
 * lies at x + pixels[p], and tap t lies taps[t] bytes after it. The output of pixel p lies at y + outs[p], its gradient at
 * dy + outs[p].
 *
 * - Any number of channels will do. Where it is no multiple of 4, pooling computes some of the last four channels twice, and the
 *   gradients take the last ones one at a time.
 * - Addresses are in bytes. Sixteen channels share the reading of the table of taps.
 * - A maximum skips NaN. If a window holds only padding, -Infinity or NaN, its maximum is -Infinity, and it is unknown which
 *   cell it came from. maxPool and maxPoolGrad then return true, and the caller must not use the result.
 * - The four functions repeat the loops over pixels and channels: AssemblyScript has no closures, so a shared loop could not
 *   take their bodies.
 */
export function maxPool(
  pixels: usize,
  outs: usize,
  pixelCount: u32,
  taps: usize,
  tapCount: u32,
  channels: u32,
  x: usize,
  y: usize,
): bool {
  const tapsEnd = taps + (tapCount << 2);
  const lowest = f32x4.splat(f32.NEGATIVE_INFINITY);
  let least = f32x4.splat(f32.POSITIVE_INFINITY);
  for (let p: usize = 0; p < <usize>pixelCount << 2; p += 4) {
    let cell = x + load<u32>(pixels + p);
    let to = y + load<u32>(outs + p);
    const end = cell + (channels << 2);
    for (const last = end - 64; cell <= last; cell += 64) {
      let max0 = lowest;
      let max1 = lowest;
      let max2 = lowest;
      let max3 = lowest;
      for (let tap = taps; tap < tapsEnd; tap += 4) {
        const at = cell + load<u32>(tap);
        max0 = f32x4.pmax(max0, v128.load(at));
        max1 = f32x4.pmax(max1, v128.load(at, 16));
        max2 = f32x4.pmax(max2, v128.load(at, 32));
        max3 = f32x4.pmax(max3, v128.load(at, 48));
      }
      v128.store(to, max0);
      v128.store(to, max1, 16);
      v128.store(to, max2, 32);
      v128.store(to, max3, 48);
      least = f32x4.pmin(least, f32x4.pmin(f32x4.pmin(max0, max1), f32x4.pmin(max2, max3)));
      to += 64;
    }
    while (cell < end && channels >= 4) {
      const back = excess(cell, end);
      cell -= back;
      to -= back;
      const max = maximum(cell, taps, tapsEnd);
      v128.store(to, max);
      least = f32x4.pmin(least, max);
      cell += 16;
      to += 16;
    }
    for (; cell < end; cell += 4) {
      const max = maximumOfOne(cell, taps, tapsEnd);
      store<f32>(to, max);
      least = f32x4.pmin(least, f32x4.splat(max));
      to += 4;
    }
  }
  return v128.any_true(f32x4.eq(least, lowest));
}

/** How far four channels from `cell` on reach past the end of their pixel: so far back they start. */
// @ts-ignore: decorator
@inline
function excess(cell: usize, end: usize): usize {
  return cell + 16 > end ? cell + 16 - end : 0;
}

export function maxPoolGrad(
  pixels: usize,
  outs: usize,
  pixelCount: u32,
  taps: usize,
  tapCount: u32,
  channels: u32,
  x: usize,
  dy: usize,
  dx: usize,
): bool {
  const tapsEnd = taps + (tapCount << 2);
  const lowest = f32x4.splat(f32.NEGATIVE_INFINITY);
  let least = f32x4.splat(f32.POSITIVE_INFINITY);
  for (let p: usize = 0; p < <usize>pixelCount << 2; p += 4) {
    let cell = x + load<u32>(pixels + p);
    let from = dy + load<u32>(outs + p);
    const end = cell + (channels << 2);
    for (const last = end - 16; cell <= last; cell += 16) {
      const max = maximum(cell, taps, tapsEnd);
      least = f32x4.pmin(least, max);
      let rest = v128.load(from);
      for (let tap = taps; tap < tapsEnd; tap += 4) {
        const at = cell + load<u32>(tap);
        const found = f32x4.eq(v128.load(at), max);
        const to = at - x + dx;
        v128.store(to, f32x4.add(v128.load(to), v128.and(rest, found)));
        rest = v128.andnot(rest, found);
      }
      from += 16;
    }
    for (; cell < end; cell += 4) {
      const max = maximumOfOne(cell, taps, tapsEnd);
      least = f32x4.pmin(least, f32x4.splat(max));
      let tap = taps;
      while (tap < tapsEnd && load<f32>(cell + load<u32>(tap)) != max) tap += 4;
      if (tap < tapsEnd) {
        const to = cell + load<u32>(tap) - x + dx;
        store<f32>(to, load<f32>(to) + load<f32>(from));
      }
      from += 4;
    }
  }
  return v128.any_true(f32x4.eq(least, lowest));
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

// @ts-ignore: decorator
@inline
function maximumOfOne(cell: usize, taps: usize, tapsEnd: usize): f32 {
  let max = f32.NEGATIVE_INFINITY;
  for (let tap = taps; tap < tapsEnd; tap += 4) {
    const value = load<f32>(cell + load<u32>(tap));
    if (value > max) max = value;
  }
  return max;
}

export function avgPool(
  pixels: usize,
  outs: usize,
  counts: usize,
  pixelCount: u32,
  taps: usize,
  tapCount: u32,
  channels: u32,
  x: usize,
  y: usize,
): void {
  const tapsEnd = taps + (tapCount << 2);
  for (let p: usize = 0; p < <usize>pixelCount << 2; p += 4) {
    let cell = x + load<u32>(pixels + p);
    let to = y + load<u32>(outs + p);
    const n = v128.load32_splat(counts + p);
    const end = cell + (channels << 2);
    for (const last = end - 64; cell <= last; cell += 64) {
      let sum0 = f32x4.splat(0);
      let sum1 = sum0;
      let sum2 = sum0;
      let sum3 = sum0;
      for (let tap = taps; tap < tapsEnd; tap += 4) {
        const at = cell + load<u32>(tap);
        sum0 = f32x4.add(sum0, v128.load(at));
        sum1 = f32x4.add(sum1, v128.load(at, 16));
        sum2 = f32x4.add(sum2, v128.load(at, 32));
        sum3 = f32x4.add(sum3, v128.load(at, 48));
      }
      v128.store(to, f32x4.div(sum0, n));
      v128.store(to, f32x4.div(sum1, n), 16);
      v128.store(to, f32x4.div(sum2, n), 32);
      v128.store(to, f32x4.div(sum3, n), 48);
      to += 64;
    }
    while (cell < end && channels >= 4) {
      const back = excess(cell, end);
      cell -= back;
      to -= back;
      let sum = f32x4.splat(0);
      for (let tap = taps; tap < tapsEnd; tap += 4) {
        sum = f32x4.add(sum, v128.load(cell + load<u32>(tap)));
      }
      v128.store(to, f32x4.div(sum, n));
      cell += 16;
      to += 16;
    }
    for (; cell < end; cell += 4) {
      let sum: f32 = 0;
      for (let tap = taps; tap < tapsEnd; tap += 4) sum += load<f32>(cell + load<u32>(tap));
      store<f32>(to, sum / load<f32>(counts + p));
      to += 4;
    }
  }
}

export function avgPoolGrad(
  pixels: usize,
  outs: usize,
  counts: usize,
  pixelCount: u32,
  taps: usize,
  tapCount: u32,
  channels: u32,
  dy: usize,
  dx: usize,
): void {
  const tapsEnd = taps + (tapCount << 2);
  for (let p: usize = 0; p < <usize>pixelCount << 2; p += 4) {
    let cell = dx + load<u32>(pixels + p);
    let from = dy + load<u32>(outs + p);
    const n = v128.load32_splat(counts + p);
    const end = cell + (channels << 2);
    for (const last = end - 16; cell <= last; cell += 16) {
      const share = f32x4.div(v128.load(from), n);
      for (let tap = taps; tap < tapsEnd; tap += 4) {
        const to = cell + load<u32>(tap);
        v128.store(to, f32x4.add(v128.load(to), share));
      }
      from += 16;
    }
    for (; cell < end; cell += 4) {
      const share = load<f32>(from) / load<f32>(counts + p);
      for (let tap = taps; tap < tapsEnd; tap += 4) {
        const to = cell + load<u32>(tap);
        store<f32>(to, load<f32>(to) + share);
      }
      from += 4;
    }
  }
}

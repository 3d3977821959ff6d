/** The arrays that numeric functions read and write: flat, in row-major order. Their type decides the precision. */
export type Floats = Float32Array | Float64Array;
/** The arrays whose values max pooling passes on unchanged. Bool tensors are Uint8Array. */
export type Numbers = Floats | Int32Array | Uint8Array;

/** The Buffer class of Node. */
const { Buffer } = globalThis as {
  Buffer?: { allocUnsafeSlow?: (bytes: number) => Uint8Array<ArrayBuffer> };
};

/** From this many floats on, clearing an array takes longer than making it through Buffer. */
const LARGE = 1 << 12;

/**
 * An array for a result whose every value will be written. It has a buffer of its own. In Node it is not cleared
 * first: clearing takes a fifth of the time of MobileNet's 1x1 convolutions.
 * @throws RangeError if the engine has no memory for it
 */
export function unwritten(length: number): Float32Array {
  const bytes = length >= LARGE && Buffer?.allocUnsafeSlow?.(4 * length);
  return bytes ? new Float32Array(bytes.buffer, bytes.byteOffset, length) : new Float32Array(length);
}

/** <a, b> in float64. */
export function inner(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i] * b[i];
  return sum;
}

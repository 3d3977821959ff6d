/** The arrays that numeric functions read and write, row-major and flat. Which of them it is decides the precision. */
export type Floats = Float32Array | Float64Array;
/** What pooling passes through unchanged; bool tensors are Uint8Array. */
export type Numbers = Floats | Int32Array | Uint8Array;

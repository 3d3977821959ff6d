/** The memory in which WebAssembly instances work. */

/** Where an instance's memory comes from. */
export interface Heap {
  readonly memory: WebAssembly.Memory;
  /**
   * The address of a block, aligned to 8, whose contents are undefined. The memory may grow, which detaches older views of it.
   * @throws Error if there is not enough memory
   */
  allocate(bytes: number): number;
  release(address: number): void;
}

export function outOfMemory(bytes: number, { buffer }: WebAssembly.Memory): Error {
  return new Error(
    `tfjs-convgrad: out of memory: ${Math.ceil(bytes / 2 ** 20)} MiB of WebAssembly memory are needed, ` +
      `and the engine gives no more than ${Math.floor(buffer.byteLength / 2 ** 20)} MiB in all.`,
  );
}

/** All parts of the page run on one tfjs, whose backend and kernels they change. So their work waits for its turn. */
let last: Promise<unknown> = Promise.resolve();

export function inTurn<T>(work: () => Promise<T>): Promise<T> {
  const next = last.then(work);
  last = next.catch(() => {});
  return next;
}

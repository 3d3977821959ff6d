/**
 * Broadcasting: arrays of different shapes side by side. Shapes are aligned at the last dimension, and an array repeats along those in
 * which its size is 1.
 *
 *   broadcastShape   [3, 1] and [4] -> [3, 4]
 *   broadcastIndex   cell by cell: the place of a cell of the whole in an array that repeats. Definitions use it.
 *   forEachRun       the same for whole runs of cells. The fast loops use it.
 *
 * A sum is the same thing backward: where an array would repeat, the cells of the whole are added up.
 */

/**
 * The shape to which both are broadcast.
 * @param refusal what the error says if a size is neither equal in both nor 1 in one. By default it names the shapes.
 * @throws Error if a size is neither
 */
export function broadcastShape(
  a: readonly number[],
  b: readonly number[],
  refusal = `a is of shape [${a}] and b of shape [${b}], but their sizes must be equal or 1, from the last dimension on.`,
): number[] {
  const rank = Math.max(a.length, b.length);
  return Array.from({ length: rank }, (_, d) => {
    const sizeA = a[d - rank + a.length] ?? 1;
    const sizeB = b[d - rank + b.length] ?? 1;
    if (sizeA !== sizeB && sizeA !== 1 && sizeB !== 1) {
      throw new Error(`tfjs-convgrad: ${refusal}`);
    }
    return sizeA === 1 ? sizeB : sizeA;
  });
}

/** Index in an array of this shape, which repeats, of cell i of the whole. */
export function broadcastIndex(i: number, whole: readonly number[], shape: readonly number[]): number {
  let index = 0;
  let step = 1;
  for (let d = 1; d <= whole.length; d++) {
    const size = shape[shape.length - d] ?? 1;
    const position = i % whole[whole.length - d];
    if (size !== 1) index += position * step;
    i = (i - position) / whole[whole.length - d];
    step *= size;
  }
  return index;
}

/** One dimension of the loop: its size, and the step of each array. */
interface Dimension {
  size: number;
  steps: readonly number[];
}

/**
 * Goes through the whole, an array of the given sizes, and through arrays that repeat, in runs. Neighbouring dimensions along which
 * every array steps evenly are merged first. So most loops have a single run, or one for each pixel.
 *
 * Calls visit(at, starts, count, steps) for each run along the last merged dimension: `count` cells of the whole from `at` on,
 * and of array k from starts[k] on in steps of steps[k]. `starts` is the same array in each call.
 * @param arrays the steps of each array: see broadcastSteps
 */
export function forEachRun(
  sizes: readonly number[],
  arrays: readonly (readonly number[])[],
  visit: (at: number, starts: readonly number[], count: number, steps: readonly number[]) => void,
): void {
  if (sizes.includes(0)) return;
  const dimensions = merged(sizes, arrays);
  const { size: count, steps } = dimensions.pop() ?? { size: 1, steps: arrays.map(() => 0) };
  const position = dimensions.map(() => 0);
  const starts = arrays.map(() => 0);
  const runs = dimensions.reduce((product, { size }) => product * size, 1);
  for (let run = 0; run < runs; run++) {
    visit(run * count, starts, count, steps);
    for (let d = dimensions.length - 1; d >= 0; d--) {
      const { size, steps } = dimensions[d];
      const wraps = ++position[d] === size;
      for (let k = 0; k < starts.length; k++) starts[k] += wraps ? (1 - size) * steps[k] : steps[k];
      if (!wraps) break;
      position[d] = 0;
    }
  }
}

function merged(sizes: readonly number[], arrays: readonly (readonly number[])[]): Dimension[] {
  const dimensions: Dimension[] = [];
  sizes.forEach((size, d) => {
    if (size === 1) return;
    const steps = arrays.map((array) => array[d]);
    const outer = dimensions[dimensions.length - 1] as Dimension | undefined;
    if (outer?.steps.every((step, k) => step === steps[k] * size)) {
      dimensions[dimensions.length - 1] = { size: outer.size * size, steps };
    } else dimensions.push({ size, steps });
  });
  return dimensions;
}

/**
 * Steps through a dense array of this shape, along the dimensions of one of `rank` dimensions. It is aligned at the last dimension,
 * and repeats along those in which its size is 1.
 */
export function broadcastSteps(shape: readonly number[], rank: number): number[] {
  const steps = new Array<number>(rank).fill(0);
  let step = 1;
  for (let d = 1; d <= shape.length; d++) {
    const size = shape[shape.length - d];
    if (size !== 1) steps[rank - d] = step;
    step *= size;
  }
  return steps;
}

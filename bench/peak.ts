/**
 * The peak of one core in WebAssembly, in GFLOP/s: multiply-adds of four lanes that use registers only. The faster of
 * two loops counts:
 *
 *   chains    chains of multiply-adds
 *   products  sums of products, like those of the micro-kernels; here a product waits for no sum, if both are separate
 *             instructions
 */
import asc from 'assemblyscript/asc';

const CHAINS = 12;
const [ROWS, COLS] = [4, 2];
const ROUNDS = 1_000_000;

const each = (count: number, text: (i: number) => string, separator = ' ') =>
  Array.from({ length: count }, (_, i) => text(i)).join(separator);

const loop = (name: string, sums: number, before: string, body: string) => `
export function ${name}(rounds: i32, factor: f32): f32 {
  const f = f32x4.splat(factor);
  let ${each(sums, (i) => `c${i} = f32x4.splat(${i})`, ', ')};
  ${before}
  for (let i = 0; i < rounds; i++) { ${body} }
  let sum = c0;
  ${each(sums, (i) => `sum = f32x4.add(sum, c${i});`)}
  return f32x4.extract_lane(sum, 0);
}`;

/** a0 to a3 change places in each round, so that no product is equal to that of the round before. */
const source = (madd: (a: string, b: string, c: string) => string) => `
${loop(
  'chains',
  CHAINS,
  '',
  each(CHAINS, (i) => `c${i} = ${madd('f', `c${i}`, `c${i}`)};`),
)}
${loop(
  'products',
  ROWS * COLS,
  `const b0 = f; const b1 = f32x4.add(f, f); let ${each(ROWS, (i) => `a${i} = f32x4.splat(${i})`, ', ')};`,
  `${each(ROWS * COLS, (i) => `c${i} = ${madd(`a${i >> 1}`, `b${i % COLS}`, `c${i}`)};`)}
   const first = a0; ${each(ROWS - 1, (i) => `a${i} = a${i + 1};`)} a${ROWS - 1} = first;`,
)}`;

const BUILDS = {
  'relaxed-simd': {
    features: ['simd', 'relaxed-simd'],
    madd: (a: string, b: string, c: string) => `f32x4.relaxed_madd(${a}, ${b}, ${c})`,
  },
  simd: {
    features: ['simd'],
    madd: (a: string, b: string, c: string) => `f32x4.add(f32x4.mul(${a}, ${b}), ${c})`,
  },
};

/**
 * GFLOP/s of the faster loop.
 * @throws Error with the compiler's messages if the loops do not compile
 */
export async function peak(level: keyof typeof BUILDS): Promise<number> {
  const { features, madd } = BUILDS[level];
  let binary = new Uint8Array();
  const { error, stderr } = await asc.main(
    ['peak.ts', '--outFile', 'peak.wasm', '--runtime', 'stub', '-O3'].concat(
      features.flatMap((feature) => ['--enable', feature]),
    ),
    {
      readFile: (name) => (name === 'peak.ts' ? source(madd) : null),
      writeFile: (_, contents) => void (binary = contents as Uint8Array<ArrayBuffer>),
      listFiles: () => [],
    },
  );
  if (error) throw new Error(`${error.message}\n${stderr}`);
  const { instance } = await WebAssembly.instantiate(binary);
  const { chains, products } = instance.exports as Record<string, (rounds: number, factor: number) => number>;
  return Math.max(rate(chains, CHAINS), rate(products, ROWS * COLS));
}

/** GFLOP/s of a loop of `count` multiply-adds. */
function rate(run: (rounds: number, factor: number) => number, count: number): number {
  let best = Infinity;
  for (let i = 0; i < 40; i++) {
    const start = performance.now();
    run(ROUNDS, 1e-3);
    best = Math.min(best, performance.now() - start);
  }
  return (2 * 4 * count * ROUNDS) / best / 1e6;
}

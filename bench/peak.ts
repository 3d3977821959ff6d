/**
 * What one core does at most in WebAssembly: GFLOP/s of multiply-adds that depend on nothing but registers, chains of
 * four lanes, with the fused instruction where the engine has it.
 */
import asc from 'assemblyscript/asc';

const CHAINS = 12;
const ROUNDS = 1_000_000;

const chains = (text: (i: number) => string, separator: string) =>
  Array.from({ length: CHAINS }, (_, i) => text(i)).join(separator);

const source = (madd: string) => `
export function run(rounds: i32, factor: f32): f32 {
  const f = f32x4.splat(factor);
  let ${chains((i) => `c${i} = f32x4.splat(${i})`, ', ')};
  for (let i = 0; i < rounds; i++) { ${chains((i) => `c${i} = ${madd.replaceAll('C', `c${i}`)};`, ' ')} }
  let sum = c0;
  ${chains((i) => `sum = f32x4.add(sum, c${i});`, ' ')}
  return f32x4.extract_lane(sum, 0);
}`;

const BUILDS = {
  'relaxed-simd': { features: ['simd', 'relaxed-simd'], madd: 'f32x4.relaxed_madd(f, f, C)' },
  simd: { features: ['simd'], madd: 'f32x4.add(f32x4.mul(C, f), C)' },
};

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
  const run = instance.exports.run as (rounds: number, factor: number) => number;
  let best = Infinity;
  for (let i = 0; i < 40; i++) {
    const start = performance.now();
    run(ROUNDS, 1e-3);
    best = Math.min(best, performance.now() - start);
  }
  return (2 * 4 * CHAINS * ROUNDS) / best / 1e6;
}

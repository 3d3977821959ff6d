import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { type MicroKernels, named, type Positional } from '../kernels/runtime/simd/calls.js';

const ASSEMBLY = 'kernels/runtime/simd/assembly';

describe('kernels/runtime/simd/binaries.ts', () => {
  it('is what assembly/ compiles to', () => {
    expect(() =>
      execFileSync('node', ['kernels/runtime/simd/build.mjs', '--check'], { stdio: 'pipe' }),
    ).not.toThrow();
  });
});

describe('kernels/runtime/simd/calls.ts', () => {
  it('hands arguments over in the order of their declarations', () => {
    const sources = readdirSync(ASSEMBLY).map((file) => readFileSync(`${ASSEMBLY}/${file}`, 'utf8'));
    const lists = readFileSync(`${ASSEMBLY}/index.ts`, 'utf8').matchAll(/\{ (.*) \}/g);
    const names = [...lists].flatMap(([, list]) => list.split(', ')) as (keyof MicroKernels)[];
    const given: unknown[][] = [];
    const recording = names.map((name) => [name, (...values: unknown[]) => given.push(values)]);
    const kernels = named(Object.fromEntries(recording) as Positional);
    expect(Object.keys(kernels).sort()).toEqual([...names].sort());
    for (const name of names) {
      const declaration = new RegExp(`^export function ${name}\\(([^)]*)\\)`, 'm');
      const list = sources.map((source) => declaration.exec(source)?.[1]).find(Boolean)!;
      const declared: string[] = list.match(/\w+(?=:)/g)!;
      const call = Object.fromEntries(declared.map((argument) => [argument, argument]));
      (kernels[name] as (call: object) => void)(call);
      expect(given.pop()).withContext(name).toEqual(declared);
    }
  });
});

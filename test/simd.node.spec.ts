import { execFileSync } from 'node:child_process';

describe('kernels/runtime/simd/binaries.ts', () => {
  it('is what assembly/ compiles to', () => {
    expect(() =>
      execFileSync('node', ['kernels/runtime/simd/build.mjs', '--check'], { stdio: 'pipe' }),
    ).not.toThrow();
  });
});

import { execFileSync } from 'node:child_process';

describe('kernels/simd/binaries.ts', () => {
  it('is what assembly/ compiles to', () => {
    expect(() =>
      execFileSync('node', ['kernels/simd/build.mjs', '--check'], { stdio: 'pipe' }),
    ).not.toThrow();
  });
});

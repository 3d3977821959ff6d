/** Makes docs/compatibility.md from the results of the generated kernel specs in each environment. */
import { writeFileSync } from 'node:fs';

export interface EnvironmentResults {
  /** Environment and version, such as 'Firefox 128.0 (Linux x86_64)'. */
  label: string;
  /** Full name of each spec that ran -> whether it passed. */
  specs: ReadonlyMap<string, boolean>;
}

/** Matches the names that test/kernels.spec.ts gives: 'kernels on webgl MaxPoolGrad, 2x2 equals the built-in'. */
const KERNEL_SPEC = /^kernels on (\w+) (\w+),/;

/** Writes a table of kernel x environment x backend. Each cell is the number of passed specs and of all specs that ran. */
export function writeCompatibility(file: string, results: readonly EnvironmentResults[]): void {
  const columns = results.flatMap(({ label, specs }) => {
    const counts = countByBackend(specs);
    return [...counts].sort().map(([backend, kernels]) => ({ title: `${label}, ${backend}`, kernels }));
  });
  const names = [...new Set(columns.flatMap(({ kernels }) => [...kernels.keys()]))].sort();
  const row = (cells: string[]) => `| ${cells.join(' | ')} |`;
  const lines = [
    '# Compatibility',
    '',
    'Made by `npm test -- --compatibility docs/compatibility.md`: specs passed, of those that ran, for each kernel on every',
    'case: against its float64 definition, the built-in and its gradient.',
    '',
    row(['kernel', ...columns.map(({ title }) => title)]),
    row(['---', ...columns.map(() => '---:')]),
    ...names.map((name) => row([name, ...columns.map(({ kernels }) => kernels.get(name)?.join('/') ?? '-')])),
  ];
  writeFileSync(file, `${lines.join('\n')}\n`);
}

/** backend -> kernel -> [passed, run] */
function countByBackend(specs: ReadonlyMap<string, boolean>): Map<string, Map<string, [number, number]>> {
  const counts = new Map<string, Map<string, [number, number]>>();
  for (const [name, passed] of specs) {
    const [, backend, kernel] = KERNEL_SPEC.exec(name) ?? [];
    if (!kernel) continue;
    const kernels = counts.get(backend) ?? new Map<string, [number, number]>();
    const [right, all] = kernels.get(kernel) ?? [0, 0];
    counts.set(backend, kernels.set(kernel, [right + Number(passed), all + 1]));
  }
  return counts;
}

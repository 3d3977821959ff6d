/** Projects as users have them, for specs of the command. */
import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

/** Makes a folder that has these packages of this repository installed. */
export function withTfjs(packages: string[]): string {
  const folder = mkdtempSync(join(tmpdir(), 'tfjs-convgrad-'));
  writeFileSync(join(folder, 'package.json'), '{ "type": "module" }');
  const modules = join(folder, 'node_modules');
  mkdirSync(join(modules, '@tensorflow'), { recursive: true });
  for (const name of packages) {
    symlinkSync(resolve('node_modules/@tensorflow', name), join(modules, '@tensorflow', name), 'junction');
  }
  return folder;
}

let isBuilt = false;

/** The same, with this package as it is published. It is built first, once for all specs. */
export function project(packages: string[]): string {
  if (!isBuilt) {
    const { status, stderr } = run('.', 'build.mjs');
    if (status !== 0) throw new Error(stderr);
    isBuilt = true;
  }
  const folder = withTfjs(packages);
  const modules = join(folder, 'node_modules');
  mkdirSync(join(modules, 'tfjs-convgrad'));
  cpSync('package.json', join(modules, 'tfjs-convgrad/package.json'));
  cpSync('dist', join(modules, 'tfjs-convgrad/dist'), { recursive: true });
  return folder;
}

export const BIN = 'node_modules/tfjs-convgrad/dist/bin/tfjs-convgrad.js';

export function run(folder: string, ...args: string[]) {
  const { status, stdout, stderr } = spawnSync(process.execPath, args, { cwd: folder, encoding: 'utf8' });
  return { status, stdout, stderr };
}

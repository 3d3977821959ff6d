/** The projects of consumers: folders outside of this repository, with the packed plugin and other packages installed. */
import { execFile } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { promisify } from 'node:util';

/** name of a file -> its text, or, for package.json and other JSON, an object */
export type Files = Record<string, string | object>;

const NETWORK = /ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ETIMEDOUT|ENETUNREACH|ENOTCACHED/;

/** Packages cannot be had from a registry. */
export class NoNetwork extends Error {}

const folders: string[] = [];

/** A new folder. It is removed at the end. */
export function newFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'tfjs-convgrad-'));
  folders.push(folder);
  return folder;
}

export function removeFolders(): void {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
}

/** Runs a program in a folder, and returns what it prints. @throws Error with all that it has printed if it fails */
export async function run(folder: string, program: string, ...args: string[]): Promise<string> {
  try {
    const options = { cwd: folder, maxBuffer: 2 ** 26, env: { ...process.env, NO_COLOR: '1' } };
    return (await promisify(execFile)(program, args, options)).stdout;
  } catch (error) {
    const { stdout = '', stderr = '', message } = error as Error & { stdout?: string; stderr?: string };
    const printed = `${stdout}\n${stderr}`.trim();
    throw new Error(`${[program, ...args].join(' ')}\n${printed || message}`);
  }
}

export const node = (folder: string, ...args: string[]) => run(folder, process.execPath, ...args);

/** Runs npm. @throws NoNetwork if the registry is not reached */
export async function npm(folder: string, ...args: string[]): Promise<string> {
  try {
    return await run(folder, 'npm', ...args);
  } catch (error) {
    if (NETWORK.test((error as Error).message)) throw new NoNetwork('the registry is not reached');
    throw error;
  }
}

/**
 * A folder with the plugin, and with packages of this repository by links. Nothing else can be imported there: what the plugin needs
 * and does not declare is missing.
 */
export async function linked(tarball: string, packages: readonly string[]): Promise<string> {
  const folder = newFolder();
  const plugin = join(folder, 'node_modules/tfjs-convgrad');
  mkdirSync(plugin, { recursive: true });
  await run(folder, 'tar', '-xzf', tarball, '-C', plugin, '--strip-components', '1');
  for (const name of packages) {
    const link = join(folder, 'node_modules', name);
    mkdirSync(dirname(link), { recursive: true });
    symlinkSync(resolve('node_modules', name), link, 'junction');
  }
  return folder;
}

/** A folder with the packages of test/consumers/<name>/package.json and its lock file, and then the plugin, as a user installs it. */
export async function installed(name: string, tarball?: string): Promise<string> {
  const folder = newFolder();
  cpSync(`test/consumers/${name}`, folder, { recursive: true });
  const install = (...args: string[]) => npm(folder, ...args, '--ignore-scripts', '--no-audit', '--no-fund');
  await install('ci', '--prefer-offline');
  if (tarball) await install('install', tarball, '--prefer-offline', '--no-save', '--no-package-lock');
  return folder;
}

/** A project in a folder of its own below `parent`, whose packages it finds. Its check.js is the check of all consumers. */
export function project(parent: string, name: string, files: Files): string {
  const folder = join(parent, name.replace(/\W+/g, '-'));
  if (existsSync(folder)) throw new Error(`There are two consumers named ${name}.`);
  for (const [file, contents] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, file)), { recursive: true });
    writeFileSync(
      join(folder, file),
      typeof contents === 'string' ? contents : JSON.stringify(contents, null, 2),
    );
  }
  cpSync('test/consumers/check.js', join(folder, 'check.js'));
  return folder;
}

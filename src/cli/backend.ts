/** Finds tfjs's packages where the user has installed them, and starts their backends in Node. */
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { setBackend } from '@tensorflow/tfjs-core';

/** Resolves packages from the user's project. */
const project = createRequire(join(process.cwd(), 'package.json'));

/** The folder of this package: two folders up from the bundle of the command, and from this file. */
export const ROOT = fileURLToPath(new URL('../..', import.meta.url));

/** The folder of a package, if it is installed. */
export function folderOf(name: string): string | undefined {
  try {
    return dirname(project.resolve(`${name}/package.json`));
  } catch {
    return undefined;
  }
}

/** @throws Error if the package is not installed. It says how to install it. */
export function checkInstalled(name: string): void {
  if (folderOf(name) === undefined)
    throw new Error(`${name} is not installed in ${process.cwd()}: npm install ${name}`);
}

/** Imports a package of the user's project. @throws Error if it is not installed */
export async function importFromProject(name: string): Promise<object> {
  checkInstalled(name);
  return import(pathToFileURL(project.resolve(name)).href) as Promise<object>;
}

/** Loads the backend's package, and makes the backend active. */
export async function startBackend(backendName: string): Promise<void> {
  await importFromProject(packageOfBackend(backendName));
  if (!(await setBackend(backendName).catch(() => false)))
    throw new Error(`Backend ${backendName} does not start in this Node.`);
}

export function isInstalled(backendName: string): boolean {
  return folderOf(packageOfBackend(backendName)) !== undefined;
}

const packageOfBackend = (backendName: string) => `@tensorflow/tfjs-backend-${backendName}`;

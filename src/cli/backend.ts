/** Finds tfjs's packages where the user has installed them, and starts their backends in Node. */
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { setBackend } from '@tensorflow/tfjs-core';

/** Resolves packages from the user's project. */
const project = createRequire(join(process.cwd(), 'package.json'));

/** The folder of a package. Throws an error that says how to install it. */
export function packageOf(name: string): string {
  try {
    return dirname(project.resolve(`${name}/package.json`));
  } catch {
    throw new Error(`${name} is not installed in ${process.cwd()}: npm install ${name}`);
  }
}

/** Loads the backend's package, and makes the backend active. */
export async function startBackend(backendName: string): Promise<void> {
  const name = packageOfBackend(backendName);
  packageOf(name);
  await import(pathToFileURL(project.resolve(name)).href);
  if (!(await setBackend(backendName).catch(() => false)))
    throw new Error(`Backend ${backendName} does not start in this Node.`);
}

export function isInstalled(backendName: string): boolean {
  try {
    return packageOf(packageOfBackend(backendName)) !== '';
  } catch {
    return false;
  }
}

const packageOfBackend = (backendName: string) => `@tensorflow/tfjs-backend-${backendName}`;

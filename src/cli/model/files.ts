/** The files of a model on this machine. A model on a server is copied into a folder first, so that a thread and a page read it alike. */
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { mkdir, readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, dirname, extname, join } from 'node:path';
import { handlerOf, parseModel, storedFormat, weightFilesOf } from './artifacts.js';

/** How a model is stored. A module exports it. */
export type Format = 'layers-model' | 'graph-model' | 'module';

const MODULES = ['.js', '.mjs'];

/** @throws Error if there is no such model, or it is of no kind that can be loaded */
export function formatOf(path: string): Format {
  if (!existsSync(path)) throw new Error(`There is no file ${path}.`);
  if (statSync(path).isDirectory()) throw new Error(`${path} is a folder, but it must be a file such as ${join(path, 'model.json')}.`); // prettier-ignore
  if (MODULES.includes(extname(path))) return 'module';
  if (extname(path) !== '.json') throw new Error(`${path} must be a model.json, or a module: ${MODULES.join(', ')}.`); // prettier-ignore
  return storedFormat(read(path));
}

const read = (path: string) => parseModel(readFileSync(path, 'utf8'), path);

/** What loadLayersModel and loadGraphModel take for a model.json on this machine. */
export const localHandler = (path: string) =>
  handlerOf(read(path), async (name) => new Uint8Array(await readFile(join(dirname(path), name))).buffer);

/** A file on this machine, and what removes it again if it was copied from a server. */
export interface Local {
  path: string;
  remove(): void;
}

/** @param place a path, or the URL of a model.json */
export async function localCopyOf(place: string): Promise<Local> {
  if (!/^https?:\/\//.test(place)) return { path: place, remove: () => {} };
  const folder = mkdtempSync(join(tmpdir(), 'tfjs-convgrad-'));
  const remove = () => rmSync(folder, { recursive: true, force: true });
  try {
    const path = join(folder, basename(new URL(place).pathname) || 'model.json');
    writeFileSync(path, await fetched(place));
    for (const name of weightFilesOf(read(path))) {
      const file = join(folder, name);
      if (!file.startsWith(join(folder, '/'))) throw new Error(`${place} names weights outside of its folder: ${name}.`); // prettier-ignore
      await mkdir(dirname(file), { recursive: true });
      writeFileSync(file, await fetched(new URL(name, place).href));
    }
    return { path, remove };
  } catch (error) {
    remove();
    throw error;
  }
}

async function fetched(url: string): Promise<Uint8Array> {
  const response = await fetch(url).catch((error: unknown) => {
    throw new Error(`${url} does not load: ${(error as Error).cause ?? error}`);
  });
  if (!response.ok) throw new Error(`${url} does not load: ${response.status} ${response.statusText}.`);
  return new Uint8Array(await response.arrayBuffer());
}

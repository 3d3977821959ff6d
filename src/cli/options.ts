/** Parsers for options of the command line. They throw an error that says what is allowed. */
import { existsSync, statSync } from 'node:fs';
import { dirname, extname, resolve } from 'node:path';
import { InvalidArgumentError } from 'commander';
import type { OwnCase } from './comparison.js';
import { SHAPES_ALLOWED, type Shapes, shapesIn } from './model/shapes.js';

/** A whole number from 1 to `largest`. */
export function whole(largest: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (Number.isInteger(value) && value >= 1 && value <= largest) return value;
    throw new InvalidArgumentError(`It must be a whole number from 1 to ${largest}.`);
  };
}

/** One of the names, in any case of letters. */
export function oneOf<Name extends string>(names: readonly Name[]): (text: string) => Name {
  return (text) => {
    const name = names.find((name) => name.toLowerCase() === text.toLowerCase());
    if (name !== undefined) return name;
    throw new InvalidArgumentError(`It must be one of ${names.join(', ')}.`);
  };
}

/** Some of the names, each once, separated by commas, in any case of letters. */
export function listOf<Name extends string>(names: readonly Name[]): (text: string) => Name[] {
  const one = oneOf(names);
  return (text) => [...new Set(text.split(',').map((name) => one(name.trim())))];
}

/** Shapes of a model's inputs, in order or by name. */
export function inputShapes(text: string): Shapes {
  const shapes = shapesIn(text);
  if (shapes) return shapes;
  throw new InvalidArgumentError(`It must be ${SHAPES_ALLOWED}.`);
}

/** A file whose folder exists, or ''. */
export function writable(file: string): string {
  if (file !== '' && !existsSync(dirname(resolve(file))))
    throw new InvalidArgumentError('Its folder does not exist.');
  if (file !== '' && isFolder(file)) throw new InvalidArgumentError('It is a folder, not a file.');
  return file;
}

/** What Node can import. */
const SUFFIXES = ['.js', '.mjs', '.cjs'];

/** A file of JavaScript that exists. */
export function script(file: string): string {
  if (!existsSync(file)) throw new InvalidArgumentError(`There is no such file in ${process.cwd()}.`);
  if (isFolder(file)) throw new InvalidArgumentError('It is a folder, not a file.');
  if (SUFFIXES.includes(extname(file))) return file;
  const hint = /^\.[cm]?ts$/.test(extname(file)) ? ' Compile TypeScript first.' : '';
  throw new InvalidArgumentError(`It must be JavaScript: ${SUFFIXES.join(', ')}.${hint}`);
}

function isFolder(file: string): boolean {
  return statSync(file, { throwIfNoEntry: false })?.isDirectory() ?? false;
}

/** The shapes of x and a filter, such as '1x28x28x1,3x3x1x32', or of x and a window, such as '1x28x28x3,2x2'. */
export function shapes(text: string): Pick<OwnCase, 'x' | 'window'> {
  const [x, window, ...more] = text.split(',').map((shape) => shape.split('x').map(Number));
  const areSizes = [x, window ?? []].flat().every((size) => Number.isInteger(size) && size > 0);
  if (more.length === 0 && areSizes && x.length === 4 && [2, 4].includes(window?.length))
    return { x, window };
  throw new InvalidArgumentError(
    'It must be x and a filter, such as 1x28x28x1,3x3x1x32, or x and a window, such as 1x28x28x3,2x2.',
  );
}

/** 'same', 'valid' or a whole number from 0. */
export function padding(text: string): OwnCase['pad'] {
  const name = text.toLowerCase();
  if (name === 'same' || name === 'valid') return name;
  const value = Number(text);
  if (text !== '' && Number.isInteger(value) && value >= 0) return value;
  throw new InvalidArgumentError("It must be 'same', 'valid' or a whole number, at least 0.");
}

/** Parsers for options of the command line. They throw an error that says what is allowed. */
import { existsSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { InvalidArgumentError } from 'commander';
import type { OwnCase } from './comparison.js';

/** A whole number from 1 to `largest`. */
export function whole(largest: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (Number.isInteger(value) && value >= 1 && value <= largest) return value;
    throw new InvalidArgumentError(`It must be a whole number from 1 to ${largest}.`);
  };
}

/** A file whose folder exists, or ''. */
export function writable(file: string): string {
  if (file === '' || existsSync(dirname(resolve(file)))) return file;
  throw new InvalidArgumentError('Its folder does not exist.');
}

/** A file that exists. */
export function readable(file: string): string {
  if (existsSync(file)) return file;
  throw new InvalidArgumentError('There is no such file.');
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
  if (text === 'same' || text === 'valid') return text;
  const value = Number(text);
  if (text !== '' && Number.isInteger(value) && value >= 0) return value;
  throw new InvalidArgumentError("It must be 'same', 'valid' or a whole number, at least 0.");
}

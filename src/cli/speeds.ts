/** What `npm start` says about the speeds that it has measured, on the terminal and in the report. */
import { spread } from './cells.js';

/** Each round times both sides, one after the other. */
export const ROUNDS = 5;

export interface Speed {
  /** What is timed. */
  name: string;
  backend: string;
  shapes: string;
  /** Milliseconds with the plugin, of each round. */
  milliseconds: number[];
  /** tfjs's time divided by the plugin's, of each round; null if tfjs's own kernels throw. */
  ratios: number[] | null;
}

/** The rows of a table, with its head. */
export function speedTable(speeds: readonly Speed[]): string[][] {
  return [
    ['timed', 'on', 'shapes', 'ms, plugin', 'times faster'],
    ...speeds.map(({ name, backend, shapes, milliseconds, ratios }) => {
      return [name, backend, shapes, spread(milliseconds), ratios ? spread(ratios) : 'tfjs throws'];
    }),
  ];
}

/** A sentence about the table. */
export const HOW_TIMED = `Both sides ran in turn, ${ROUNDS} times: the median, and in brackets the least and the largest.`;

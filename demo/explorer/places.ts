/** Where a cell of x or y stands, and which cell stands somewhere. */
import type { Geometry } from '../../src/numeric.js';

export interface Place {
  b: number;
  row: number;
  col: number;
  channel: number;
}

/** Where a cell of y or dy stands. */
export function placeInY(g: Geometry, index: number): Place {
  return placeIn(index, g.y, g.outHeight, g.outWidth, g.outChannels);
}

/** Where a cell of x or dx stands. */
export function placeInX(g: Geometry, index: number): Place {
  return placeIn(index, g.x, g.inHeight, g.inWidth, g.inChannels);
}

export function placeIn(
  index: number,
  steps: Geometry['x'],
  height: number,
  width: number,
  channels: number,
): Place {
  const along = (step: number, size: number) => Math.floor(index / step) % size;
  return {
    b: Math.floor(index / steps.batch),
    row: along(steps.row, height),
    col: along(steps.col, width),
    channel: along(steps.channel, channels),
  };
}

export const indexIn = (steps: Geometry['x'], { b, row, col, channel }: Place) =>
  b * steps.batch + row * steps.row + col * steps.col + channel * steps.channel;

/** The channel of a cell of y. */
export const channelOf = (g: Geometry, yi: number) => placeInY(g, yi).channel;

export const stepsOf = ({ height, width }: { height: number; width: number }, channels: number) => ({
  batch: height * width * channels,
  row: width * channels,
  col: channels,
  channel: 1,
});

/** Where the cell [pixel, channel] of the matrix [pixels, outChannels] lies in y. */
export function matrixIndexInY(g: Geometry, index: number): number {
  return indexIn(g.y, placeIn(index, stepsOf({ height: g.outHeight, width: g.outWidth }, g.outChannels), g.outHeight, g.outWidth, g.outChannels)); // prettier-ignore
}

/**
 * The elementwise ops that stand between convolutions, formula by formula.
 *
 *   y[i] = op(x[i])             x, y: of one shape
 *   y[i] = op(a[i'], b[i''])    a and b are broadcast to y: aligned at the last dimension, repeated where their size is 1
 *
 * NaN stays NaN in all of them. Source: tfjs's own kernels of these names.
 */

import type { Floats } from '../arrays.js';
import { broadcastIndex, broadcastShape } from '../broadcast.js';

/** What some of them need beside x, by the names of tfjs's attributes. */
export interface ElementwiseAttrs {
  /** Of Step: its value where x is not above 0. */
  alpha?: number;
  clipValueMin?: number;
  clipValueMax?: number;
}

export const unary = {
  Relu: (x) => Math.max(0, x),
  Relu6: (x) => Math.min(Math.max(0, x), 6),
  ClipByValue: (x, { clipValueMin: least = -Infinity, clipValueMax: most = Infinity }) =>
    x > most ? most : x < least ? least : x,
  Step: (x, { alpha = 0 }) => (x > 0 ? 1 : x <= 0 ? alpha : NaN),
} satisfies Record<string, (x: number, attrs: ElementwiseAttrs) => number>;
export type UnaryName = keyof typeof unary;

export const binary = {
  Add: (a, b) => a + b,
  Sub: (a, b) => a - b,
  Multiply: (a, b) => a * b,
  RealDiv: (a, b) => a / b,
} satisfies Record<string, (a: number, b: number) => number>;
export type BinaryName = keyof typeof binary;

/** y[i] = op(x[i]). Every cell of y is written. */
export function applyUnary(name: UnaryName, x: Floats, attrs: ElementwiseAttrs, y: Floats): void {
  const op: (x: number, attrs: ElementwiseAttrs) => number = unary[name];
  for (let i = 0; i < y.length; i++) y[i] = op(x[i], attrs);
}

/** y = op(a, b). y is of the shape to which both are broadcast. Every cell of y is written. */
export function applyBinary(
  name: BinaryName,
  a: Floats,
  aShape: readonly number[],
  b: Floats,
  bShape: readonly number[],
  y: Floats,
): void {
  const shape = broadcastShape(aShape, bShape);
  for (let i = 0; i < y.length; i++) {
    y[i] = binary[name](a[broadcastIndex(i, shape, aShape)], b[broadcastIndex(i, shape, bShape)]);
  }
}

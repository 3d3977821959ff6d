/**
 * The elementwise ops that stand between convolutions, formula by formula.
 *
 *   y[i] = op(x[i])             x, y: of one shape
 *   dx[i] = dy[i] * op'(x[i])
 *   y[i] = op(a[i'], b[i''])    a and b are broadcast to y: aligned at the last dimension, repeated where their size is 1
 *
 * NaN stays NaN in all of them, but ClipByValue's gradient is 0 there. Source: tfjs's own kernels and gradients of these names.
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

/**
 * The gradients in one pass. At a kink they are 0, but ClipByValue's is 1 at both of its kinks. Its bounds are those that a float32 tensor
 * can have.
 */
export const unaryGradients = {
  Relu: (dy, x) => dy * (x > 0 ? 1 : x <= 0 ? 0 : NaN),
  Relu6: (dy, x) => dy * (x > 0 && x <= 6 ? 1 : x <= 0 || x > 6 ? 0 : NaN),
  ClipByValue: (dy, x, { clipValueMin: least = -Infinity, clipValueMax: most = Infinity }) =>
    x >= Math.fround(least) && x <= Math.fround(most) ? dy : 0,
} satisfies { [name in UnaryName]?: (dy: number, x: number, attrs: ElementwiseAttrs) => number };
export type WithGradient = keyof typeof unaryGradients;

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

/** dx[i] = dy[i] * op'(x[i]). Every cell of dx is written. */
export function applyGradient(
  name: WithGradient,
  dy: Floats,
  x: Floats,
  attrs: ElementwiseAttrs,
  dx: Floats,
): void {
  const gradient: (dy: number, x: number, attrs: ElementwiseAttrs) => number = unaryGradients[name];
  for (let i = 0; i < dx.length; i++) dx[i] = gradient(dy[i], x[i], attrs);
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

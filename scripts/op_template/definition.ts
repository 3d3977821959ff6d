/**
 * Say in one line what templateOp computes.
 *
 *   y[i]  = ...            the formula
 *   dx[i] = dy[i] * ...    its gradient
 *
 * x: [...], y: [...]: say the shapes.
 *
 * Source: say where the formula comes from.
 */
import type { Floats } from '../../kernels/arrays.js';

/** y = templateOp(x). Every cell of y is written. */
export function templateOp(x: Floats, y: Floats): void {
  throw new Error(`Fill in kernels/template_op/definition.ts: ${y.length} values of ${x.length}.`);
}

/** dx = sum over all y of dy * d y / d x. Every cell of dx is written. */
export function templateOpGrad(dy: Floats, x: Floats, dx: Floats): void {
  throw new Error(
    `Fill in kernels/template_op/definition.ts: ${dx.length} values of ${dy.length}, ${x.length}.`,
  );
}

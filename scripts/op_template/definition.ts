/**
 * In one line, say what templateOp computes.
 *
 *   y[i]  = ...            the formula
 *   dx[i] = dy[i] * ...    its gradient
 *
 * x: [...], y: [...]    the shapes
 *
 * Source: say where the formula comes from.
 */
import type { Floats } from '../../kernels/arrays.js';

/** y = templateOp(x). It writes every cell of y. */
export function templateOp(x: Floats, y: Floats): void {
  throw new Error(`Fill in kernels/template_op/definition.ts: x has ${x.length} values, y has ${y.length}.`);
}

/** dx = sum over all y of dy * d y / d x. It writes every cell of dx. */
export function templateOpGrad(dy: Floats, x: Floats, dx: Floats): void {
  throw new Error(
    `Fill in kernels/template_op/definition.ts: dy has ${dy.length} values, x has ${x.length}, dx has ${dx.length}.`,
  );
}

/** The yardsticks of the four proofs. */
export * from './exact.js';
export * from './rounded.js';
export { inner } from './adjoint.js';
export { difference } from './differences.js';

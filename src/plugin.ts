/** What each entry exports, for the backends that it serves. */

/** An activation's name. */
export type { ActivationName } from '../kernels/conv2d/activation.js';
export type { DataFormat, DimRoundingMode, ExplicitPadding, Padding } from '../kernels/geometry.js';
export { install, type Installation, type InstallOptions, type Replaced } from './install.js';
export {
  avgPool,
  type AvgPoolOptions,
  conv2d,
  type Conv2DOptions,
  maxPool,
  type MaxPoolOptions,
} from './ops.js';

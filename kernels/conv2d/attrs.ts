/** The attributes of the convolution kernels: tfjs's own, and what our geometry knows besides. */
import type { ConvOptions } from '../geometry.js';
import type { ActivationName } from './activation.js';

export type ConvAttrs = ConvOptions & { inputShape: number[]; filterShape: number[] };
export type FusedAttrs = ConvAttrs & { activation?: ActivationName; leakyreluAlpha?: number };

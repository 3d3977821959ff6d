/** The attributes of the convolution kernels: those of tfjs, and the other options that our geometry knows. */
import type { ConvOptions } from '../geometry.js';
import { type ActivationName, checkActivation } from './activation.js';

export type ConvAttrs = ConvOptions & { inputShape: number[]; filterShape: number[] };
export type FusedAttrs = ConvAttrs & { activation?: ActivationName; leakyreluAlpha?: number };

/**
 * FusedConv2D's own attributes with their defaults, and the options of its geometry.
 * @param weights preluActivationWeights, if they were given
 * @throws Error for an activation that does not exist, or prelu without weights
 */
export function readFusedAttrs(attrs: object, weights: unknown) {
  const given = attrs as FusedAttrs;
  const [activation, leakyreluAlpha] = [given.activation ?? 'linear', given.leakyreluAlpha ?? 0.2];
  checkActivation(activation, weights, leakyreluAlpha);
  return { activation, leakyreluAlpha, options: attrs as ConvOptions };
}

/**
 * Poolings for tf.layers. The classes extend tf.layers' own. What is new is the window, and that our maxPool and avgPool compute.
 */
import type { serialization, Tensor, Tensor4D } from '@tensorflow/tfjs-core';
import { layers, type Shape } from '@tensorflow/tfjs-layers';
import { avgPool, maxPool } from '../index.js';
import {
  checkBoolean,
  type LayerClass,
  onlyShape,
  opOptions,
  outputShape,
  type Padding,
  type Padding2D,
  paddingConfig,
  parentClassOf,
  readConfig,
  readPadding,
  readSizes,
  type Window,
} from './window.js';

type TfPooling = ReturnType<typeof layers.maxPooling2d>;
type TfPoolingArgs = Parameters<typeof layers.maxPooling2d>[0];

/** The config of maxPooling2d: that of tf.layers.maxPooling2d, with more paddings and with dilationRate. */
export interface MaxPooling2DArgs extends Omit<TfPoolingArgs, 'padding'> {
  /** Default: 'valid'. */
  padding?: Padding2D;
  /** Distance between two cells of the window: a number or [height, width]. Default: 1. */
  dilationRate?: number | [number, number];
}

/** The config of averagePooling2d: that of maxPooling2d, and countIncludePad. */
export interface AveragePooling2DArgs extends MaxPooling2DArgs {
  /** Whether a sum is divided by the number of all cells of its window, not of those alone that lie in the input. Default: false. */
  countIncludePad?: boolean;
}

const KEYS = [
  'poolSize',
  'strides',
  'padding',
  'dilationRate',
  'dataFormat',
] as const satisfies readonly (keyof MaxPooling2DArgs)[];

/** What tf.layers' 2-D poolings extend. */
const TfPooling: LayerClass<[args: TfPoolingArgs], TfPooling> = parentClassOf(
  layers.maxPooling2d({ name: 'any' }),
);

abstract class Pooling2D extends TfPooling {
  // tf.layers' field `padding` knows only modes.
  private readonly pads: Padding;
  private readonly dilationRate: number[];

  constructor(args: MaxPooling2DArgs) {
    const { padding, dilationRate, ...config } = readPoolConfig(args);
    super(config);
    this.pads = padding;
    this.dilationRate = dilationRate;
  }

  /** tf.layers calls it with the only input. */
  protected override poolingFunction(x: Tensor): Tensor {
    this.computeOutputShape(x.shape); // tf.layers checks only what is known when the model is made
    return this.pool(x as Tensor4D);
  }

  protected abstract pool(x: Tensor4D): Tensor;

  override computeOutputShape(inputShape: Shape | Shape[]): Shape {
    return outputShape(this.name, this.window, onlyShape(inputShape));
  }

  override getConfig(): serialization.ConfigDict {
    const { dilationRate } = this;
    return { ...super.getConfig(), padding: paddingConfig(this.pads), dilationRate };
  }

  protected get window(): Window {
    const { poolSize: size, strides, dilationRate, dataFormat } = this;
    return { sizeName: 'poolSize', size, strides, dilationRate, padding: this.pads, dataFormat };
  }
}

/** 2-D max pooling. Its name in saved models is ConvgradMaxPooling2D: tf.layers' own is MaxPooling2D. */
export class MaxPooling2D extends Pooling2D {
  static className = 'ConvgradMaxPooling2D';
  constructor(args: MaxPooling2DArgs = {}) {
    super(readConfig('layers.maxPooling2d', args, KEYS));
  }

  protected override pool(x: Tensor4D): Tensor {
    return maxPool(x, this.poolSize, opOptions(this.window));
  }
}

/** 2-D average pooling. Its name in saved models is ConvgradAveragePooling2D: tf.layers' own is AveragePooling2D. */
export class AveragePooling2D extends Pooling2D {
  static className = 'ConvgradAveragePooling2D';
  private readonly countIncludePad: boolean;

  constructor(args: AveragePooling2DArgs = {}) {
    const { countIncludePad, ...config } = readConfig('layers.averagePooling2d', args, [
      ...KEYS,
      'countIncludePad',
    ]);
    checkBoolean('countIncludePad', countIncludePad);
    super(config);
    this.countIncludePad = countIncludePad ?? false;
  }

  protected override pool(x: Tensor4D): Tensor {
    const { countIncludePad } = this;
    return avgPool(x, this.poolSize, { ...opOptions(this.window), countIncludePad });
  }

  override getConfig(): serialization.ConfigDict {
    return { ...super.getConfig(), countIncludePad: this.countIncludePad };
  }
}

function readPoolConfig(config: MaxPooling2DArgs) {
  const poolSize = readSizes('poolSize', config.poolSize ?? 2, 2) as [number, number];
  return {
    ...config,
    poolSize,
    strides: readSizes('strides', config.strides ?? poolSize, 2) as [number, number],
    dilationRate: readSizes('dilationRate', config.dilationRate ?? 1, 2),
    padding: readPadding(config.padding, 2),
  };
}

/**
 * A layer of 2-D max pooling for tf.layers, with what tf.layers.maxPooling2d lacks: paddings in numbers and dilationRate.
 *
 *   maxPooling2d({ poolSize: 3, strides: 2, padding: 1 })
 *
 * If maxima are equal, the first in row-major order gets the gradient, on every backend.
 * @throws Error that names the argument, its value and what is allowed
 */
export function maxPooling2d(args?: MaxPooling2DArgs): MaxPooling2D {
  return new MaxPooling2D(args);
}

/**
 * A layer of 2-D average pooling for tf.layers, with what tf.layers.averagePooling2d lacks: paddings in numbers, dilationRate and
 * countIncludePad. Its gradient is right at padding.
 *
 *   averagePooling2d({ poolSize: 3, strides: 1, padding: 1, countIncludePad: true })
 * @throws Error that names the argument, its value and what is allowed
 */
export function averagePooling2d(args?: AveragePooling2DArgs): AveragePooling2D {
  return new AveragePooling2D(args);
}

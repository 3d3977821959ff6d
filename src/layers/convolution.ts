/**
 * Convolutions for tf.layers. The classes extend tf.layers' own, which read the config and make the weights. What is new are the
 * groups and the window, and that our conv2d computes.
 */
import {
  expandDims,
  type serialization,
  squeeze,
  type Tensor,
  type Tensor4D,
  tidy,
} from '@tensorflow/tfjs-core';
import { layers, type Shape } from '@tensorflow/tfjs-layers';
import { conv2d as conv2dOp } from '../index.js';
import {
  channelAxis,
  checkBoolean,
  checkPositive,
  fail,
  type LayerClass,
  only,
  onlyShape,
  opOptions,
  outputShape,
  type Padding,
  type Padding1D,
  type Padding2D,
  paddingConfig,
  parentClassOf,
  readConfig,
  readPadding,
  readSizes,
  type Window,
  windowAxis,
} from './window.js';

type TfConv = ReturnType<typeof layers.conv2d>;
type TfConvArgs = Parameters<typeof layers.conv2d>[0];

interface ConvArgs extends Omit<TfConvArgs, 'padding'> {
  padding?: unknown;
  /** Number of groups of channels. Each group is convolved on its own. It divides filters and input channels. Default: 1. */
  groups?: number;
}

/** The config of conv2d: that of tf.layers.conv2d, with more paddings and with groups. Strides and dilationRate go together. */
export interface Conv2DArgs extends ConvArgs {
  /** Default: 'valid'. */
  padding?: Padding2D;
}

/** The config of conv1d: that of tf.layers.conv1d, with more paddings and with groups. Strides and dilationRate go together. */
export interface Conv1DArgs extends ConvArgs {
  /** Default: 'valid'. */
  padding?: Padding1D;
}

const KEYS = [
  'filters',
  'kernelSize',
  'strides',
  'padding',
  'dilationRate',
  'groups',
  'dataFormat',
  'activation',
  'useBias',
  'kernelInitializer',
  'biasInitializer',
  'kernelRegularizer',
  'biasRegularizer',
  'activityRegularizer',
  'kernelConstraint',
  'biasConstraint',
] as const satisfies readonly (keyof ConvArgs)[];

/** Activations that are part of the convolution. tf.layers fuses the same. It applies the others to the result. */
const FUSED = ['linear', 'relu', 'elu'] as const;

/** What tf.layers' convolutions of all ranks extend. */
const TfConv: LayerClass<[rank: number, args: TfConvArgs], TfConv> = parentClassOf(
  layers.conv2d({ filters: 1, kernelSize: 1, name: 'any' }),
);

abstract class Conv extends TfConv {
  protected readonly groups: number;
  // tf.layers' field `padding` knows only modes.
  private readonly pads: Padding;

  constructor(where: string, rank: number, args: ConvArgs) {
    const { padding, groups, ...config } = readConvConfig(where, rank, args);
    super(rank, config);
    this.pads = padding;
    this.groups = groups;
    this.inputSpec = [{ ndim: rank + 2 }];
  }

  override build(inputShape: Shape | Shape[]): void {
    const shape = onlyShape(inputShape);
    const axis = channelAxis(this.window);
    const channels = shape[axis];
    if (channels != null && channels % this.groups !== 0) {
      fail(
        `groups of layer '${this.name}'`,
        this.groups,
        `it must divide the ${channels} channels of the input`,
      );
    }
    this.computeOutputShape(shape); // before there are weights
    // The kernel meets the channels of one group. tf.layers refuses channels that are not known.
    super.build(shape.map((size, i) => (i === axis && size != null ? size / this.groups : size)));
    this.inputSpec = [{ ndim: shape.length, axes: { [axis]: channels as number } }];
  }

  override call(inputs: Tensor | Tensor[]): Tensor {
    return tidy(() => {
      const fused = FUSED.find((name) => name === this.activation.getClassName());
      const x = only(inputs);
      this.computeOutputShape(x.shape); // tf.layers checks only what is known when the model is made
      const y = this.convolve(x, fused);
      return fused ? y : this.activation.apply(y);
    });
  }

  /** A convolution of rank 1 is one of images of height 1. */
  private convolve(x: Tensor, activation: (typeof FUSED)[number] | undefined): Tensor {
    const kernel = this.kernel.read();
    const bias = this.bias?.read();
    const options = { ...opOptions(this.window), groups: this.groups, bias, activation };
    if (this.rank === 2) return conv2dOp(x as Tensor4D, kernel as Tensor4D, options);
    const axis = windowAxis(this.window);
    const y = conv2dOp(expandDims<Tensor4D>(x, axis), expandDims<Tensor4D>(kernel, 0), options);
    return squeeze(y, [axis]);
  }

  override computeOutputShape(inputShape: Shape | Shape[]): Shape {
    return outputShape(this.name, this.window, onlyShape(inputShape), this.filters);
  }

  override getConfig(): serialization.ConfigDict {
    return { ...super.getConfig(), padding: paddingConfig(this.pads), groups: this.groups };
  }

  private get window(): Window {
    const { kernelSize: size, strides, dilationRate, dataFormat } = this;
    return { sizeName: 'kernelSize', size, strides, dilationRate, padding: this.pads, dataFormat };
  }
}

/** 2-D convolution. Its name in saved models is ConvgradConv2D: tf.layers' own is Conv2D. */
export class Conv2D extends Conv {
  static className = 'ConvgradConv2D';
  constructor(args: Conv2DArgs) {
    super('layers.conv2d', 2, args);
  }
}

/** 1-D convolution. Its name in saved models is ConvgradConv1D: tf.layers' own is Conv1D. */
export class Conv1D extends Conv {
  static className = 'ConvgradConv1D';
  constructor(args: Conv1DArgs) {
    super('layers.conv1d', 1, args);
  }
}

function readConvConfig(where: string, rank: number, args: ConvArgs) {
  const config = readConfig(where, args, KEYS);
  const { filters, useBias } = config;
  const groups = config.groups ?? 1;
  checkPositive('filters', filters);
  checkPositive('groups', groups);
  if (filters % groups !== 0) fail('groups', groups, `it must divide the ${filters} filters`);
  checkBoolean('useBias', useBias);
  return {
    ...config,
    groups,
    kernelSize: readSizes('kernelSize', config.kernelSize, rank),
    strides: readSizes('strides', config.strides ?? 1, rank),
    dilationRate: readSizes('dilationRate', config.dilationRate ?? 1, rank) as [number, number],
    padding: readPadding(config.padding, rank),
  };
}

/**
 * A layer of 2-D convolution for tf.layers, with what tf.layers.conv2d lacks: groups, paddings in numbers, and strides together
 * with dilationRate. Its gradients are right for all of them, on every backend of the plugin.
 *
 *   conv2d({ filters: 32, kernelSize: 3, groups: 4, padding: [[1, 2], [1, 2]], activation: 'relu' })
 *
 * The kernel's shape is [height, width, inChannels / groups, filters].
 * @throws Error that names the argument, its value and what is allowed
 */
export function conv2d(args: Conv2DArgs): Conv2D {
  return new Conv2D(args);
}

/**
 * A layer of 1-D convolution for tf.layers, with what tf.layers.conv1d lacks: padding 'causal' and paddings in numbers, groups,
 * strides together with dilationRate, and dataFormat 'channelsFirst'.
 *
 *   conv1d({ filters: 32, kernelSize: 2, padding: 'causal', dilationRate: 8, activation: 'relu' })
 *
 * With padding 'causal', (kernelSize - 1) * dilationRate zeros precede the input. So no output depends on later inputs.
 * The kernel's shape is [width, inChannels / groups, filters].
 * @throws Error that names the argument, its value and what is allowed
 */
export function conv1d(args: Conv1DArgs): Conv1D {
  return new Conv1D(args);
}

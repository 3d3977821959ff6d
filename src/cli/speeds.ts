/** A short benchmark of kernels on shapes of real networks, with tfjs's own kernels and with the plugin's, on the active backend. */
import { conv2d, depthwiseConv2d, type Tensor, tensor4d, tidy } from '@tensorflow/tfjs-core';
import { sizeOf } from '../../kernels/geometry.js';
import { install } from '../index.js';
import { floats } from '../verify/data.js';
import { median } from '../verify/time.js';

export interface Speed {
  /** What is timed. */
  name: string;
  shapes: string;
  /** Milliseconds with the plugin, median. */
  milliseconds: number;
  /** tfjs's time divided by the plugin's: of each round, from the least to the largest. */
  ratios: number[];
}

type Shape4D = [number, number, number, number];

interface Case {
  name: string;
  x: Shape4D;
  filter: Shape4D;
  run: (x: Tensor, filter: Tensor) => Tensor;
}

const strided =
  (op: typeof conv2d | typeof depthwiseConv2d, strides: number) => (x: Tensor, filter: Tensor) =>
    op(x as Tensor<never>, filter as Tensor<never>, strides, 'same') as Tensor;

/** Of ResNet, whose first layer has large windows, and of MobileNet. */
const CASES: readonly Case[] = [
  { name: 'conv2d', x: [1, 56, 56, 64], filter: [3, 3, 64, 64], run: strided(conv2d, 1) },
  { name: 'conv2d, stride 2', x: [1, 224, 224, 3], filter: [7, 7, 3, 64], run: strided(conv2d, 2) },
  { name: 'depthwiseConv2d', x: [1, 112, 112, 64], filter: [3, 3, 64, 1], run: strided(depthwiseConv2d, 1) },
];

export const SPEED_STEPS = CASES.length;
/** Each round times both sides, one after the other. */
const ROUNDS = 5;
/** After install() the first runs make what later ones use again. */
const WARM_RUNS = 5;

/** @param onStep called after each case */
export async function measureSpeeds(onStep: (name: string) => void): Promise<Speed[]> {
  const speeds: Speed[] = [];
  for (const { name, x, filter, run } of CASES) {
    const inputs = [x, filter].map((shape, i) =>
      tensor4d(Float32Array.from(floats(sizeOf(shape), i + 1)), shape),
    );
    const once = async () => {
      const start = performance.now();
      const y = tidy(() => run(inputs[0], inputs[1]));
      await y.data();
      const milliseconds = performance.now() - start;
      y.dispose();
      return milliseconds;
    };
    const withPlugin = async () => {
      const installation = install();
      for (let i = 0; i < WARM_RUNS; i++) await once();
      return once().finally(() => installation.uninstall());
    };
    const [ratios, times]: [number[], number[]] = [[], []];
    await once();
    await withPlugin();
    for (let round = 0; round < ROUNDS; round++) {
      const [theirs, ours] = [await once(), await withPlugin()];
      ratios.push(theirs / ours);
      times.push(ours);
    }
    const shapes = `${x.join('x')}, ${filter.join('x')}`;
    speeds.push({ name, shapes, milliseconds: median(times), ratios: ratios.sort((a, b) => a - b) });
    inputs.forEach((t) => t.dispose());
    onStep(name);
  }
  return speeds;
}

/** The rows of a table, with its head. A ratio has no more digits than its spread allows. */
export function speedTable(speeds: readonly Speed[]): string[][] {
  return [
    ['', 'shapes', 'ms with the plugin', 'times faster', 'from', 'to'],
    ...speeds.map(({ name, shapes, milliseconds, ratios }) => {
      const [least, most] = [ratios[0], ratios[ratios.length - 1]];
      const digits = most - least < 0.02 * least ? 3 : most - least < 0.5 * least ? 2 : 1;
      const shown = (value: number) => String(Number(value.toPrecision(digits)));
      return [name, shapes, milliseconds.toPrecision(2), shown(median(ratios)), shown(least), shown(most)];
    }),
  ];
}

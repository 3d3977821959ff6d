/**
 * A short benchmark: kernels on shapes of real networks and a training step, with tfjs's own kernels and with the plugin's, on the
 * active backend.
 */
import { conv2d, depthwiseConv2d, getBackend, type Tensor, tensor4d, tidy } from '@tensorflow/tfjs-core';
import { sizeOf } from '../../kernels/geometry.js';
import { install } from '../index.js';
import { floats } from '../verify/data.js';
import { type Digits, SIDE } from './mnist.js';
import { ROUNDS, type Speed } from './speeds.js';
import { trainerOf } from './train.js';

interface Case {
  name: string;
  shapes: string;
  start(): Work;
}

/** What is timed, and what removes it. */
interface Work {
  run(): Promise<unknown>;
  dispose(): void;
}

type Shape4D = [number, number, number, number];

/** @param run a convolution with padding 'same' */
const convolution = (
  name: string,
  x: Shape4D,
  filter: Shape4D,
  run: (x: Tensor, filter: Tensor) => Tensor,
): Case => ({
  name,
  shapes: `${x.join('x')}, ${filter.join('x')}`,
  start() {
    const inputs = [x, filter].map((shape, i) =>
      tensor4d(Float32Array.from(floats(sizeOf(shape), i + 1)), shape),
    );
    return {
      async run() {
        const y = tidy(() => run(inputs[0], inputs[1]));
        await y.data();
        y.dispose();
      },
      dispose: () => inputs.forEach((t) => t.dispose()),
    };
  },
});

const strided =
  (op: typeof conv2d | typeof depthwiseConv2d, strides: number) => (x: Tensor, filter: Tensor) =>
    op(x as Tensor<never>, filter as Tensor<never>, strides, 'same') as Tensor;

/** Of ResNet, whose first layer has large windows, and of MobileNet. */
export const CONVOLUTIONS: readonly Case[] = [
  convolution('conv2d', [1, 56, 56, 64], [3, 3, 64, 64], strided(conv2d, 1)),
  convolution('conv2d, stride 2', [1, 224, 224, 3], [7, 7, 3, 64], strided(conv2d, 2)),
  convolution('depthwiseConv2d', [1, 112, 112, 64], [3, 3, 64, 1], strided(depthwiseConv2d, 1)),
];

/** Small, because tfjs's own kernels are slow on cpu. */
const BATCH = 4;

/** A step of the CNN of worked example C. */
export const trainingStep = (digits: Digits): Case => ({
  name: 'training step',
  shapes: `CNN of C, ${BATCH}x${SIDE}x${SIDE}x1`,
  start() {
    const { step, dispose } = trainerOf(digits, BATCH, 1);
    return { run: () => step(0), dispose };
  },
});

/** After install() the first runs make what later ones use again. */
const WARM_RUNS = 5;

/** @param onStep called after each case */
export async function measureSpeeds(
  cases: readonly Case[],
  onStep: (name: string) => void,
): Promise<Speed[]> {
  const speeds: Speed[] = [];
  for (const { name, shapes, start } of cases) {
    const work = start();
    speeds.push({ name, backend: getBackend(), shapes, ...(await inTurn(work)) });
    work.dispose();
    onStep(name);
  }
  return speeds;
}

async function inTurn({ run }: Work): Promise<Pick<Speed, 'milliseconds' | 'ratios'>> {
  const once = async () => {
    const start = performance.now();
    await run();
    return performance.now() - start;
  };
  const withPlugin = async () => {
    const installation = install();
    try {
      for (let i = 0; i < WARM_RUNS; i++) await run();
      return await once();
    } finally {
      installation.uninstall();
    }
  };
  const tfjsThrows = await run().then(
    () => false,
    () => true,
  );
  await withPlugin();
  const [milliseconds, ratios]: [number[], number[]] = [[], []];
  for (let round = 0; round < ROUNDS; round++) {
    const theirs = tfjsThrows ? NaN : await once();
    const ours = await withPlugin();
    ratios.push(theirs / ours);
    milliseconds.push(ours);
  }
  return { milliseconds, ratios: tfjsThrows ? null : ratios };
}

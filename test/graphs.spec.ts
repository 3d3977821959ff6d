/**
 * Whole graphs with the plugin installed, node by node: every result is what tfjs's own kernels on cpu give.
 *
 * Inputs and weights are whole numbers, and few weights are not 0. So every sum is exact, in whatever order it is added up, and the
 * results must be equal.
 */
import { floats } from '../src/verify/data.js';
import { sizeOf } from '../kernels/geometry.js';
import { type Graph, GRAPHS, type MakeWeight, prepared } from './support/graphs.js';
import { describeOnBackends, expectExactly, installed, integers, tf } from './support/tfjs.js';
import { PATIENCE } from './support/webgl.js';

interface Plan {
  /** So small that tfjs's cpu kernels take a second. In MobileNet the average is over 4 pixels. */
  input: tf.Tensor4D['shape'];
  /** In the mean so many terms of a sum have a weight that is not 0. */
  hits: number;
  /**
   * No result may be larger if all weights, biases and inputs are positive. Then it is the sum of the magnitudes, unless relu6 hides
   * that: a sum of at most 1280 results, which 2^24 bounds too.
   */
  largest: number;
}
const WITH_RELU6 = 2 ** 13;
const PLANS: Record<string, Plan> = {
  MobileNetV1: { input: [1, 64, 64, 3], hits: 3, largest: WITH_RELU6 },
  MobileNetV2: { input: [1, 64, 64, 3], hits: 3, largest: WITH_RELU6 },
  'BlazeFace-like': { input: [2, 64, 64, 3], hits: 1.3, largest: 2 ** 24 },
  'PoseNet-like': { input: [1, 65, 65, 3], hits: 3, largest: WITH_RELU6 },
};

/** Weights of 1 and -1 among zeros, and biases from -2 to 2. */
const wholes =
  (hits: number): MakeWeight =>
  (shape, terms, index) =>
    Float32Array.from(floats(sizeOf(shape), 1 + index), (value) => {
      if (shape.length === 1) return Math.round(2 * value);
      return Math.abs(value) * terms < hits ? Math.sign(value) : 0;
    });

const magnitudes =
  (make: MakeWeight): MakeWeight =>
  (...args) =>
    make(...args).map(Math.abs);

/** tfjs's own kernels compute these, with or without the plugin, and round. They are the last nodes of a graph. */
const INEXACT = ['Softmax', 'Sigmoid'];

type Node = [kernelName: string, values: Float32Array];

/** The results of all kernels that the graph runs, in order. */
function traced(graph: Graph, make: MakeWeight, makeX: () => tf.Tensor4D): Node[] {
  const engine = tf.engine();
  const nodes: Node[] = [];
  const runKernel = engine.runKernel.bind(engine);
  engine.runKernel = (...args) => {
    const result = runKernel(...args);
    nodes.push([args[0], (result as unknown as tf.Tensor).dataSync().slice() as Float32Array]);
    return result as never;
  };
  const { weights, predict } = prepared(graph, make);
  try {
    tf.tidy(() => void predict(makeX()));
    return nodes;
  } finally {
    tf.dispose(weights);
    delete (engine as { runKernel?: unknown }).runKernel; // that of the class shows again
  }
}

/** The results without those of the last nodes that are not exact. */
const exact = (nodes: Node[]) => nodes.filter(([kernelName]) => !INEXACT.includes(kernelName));

describeOnBackends('a graph', (backendName) => {
  for (const graph of GRAPHS) {
    const name = graph.name.split(/[ ,]/)[0];
    const { input, hits, largest } = PLANS[name];

    it(
      `gives what tfjs gives on cpu, node by node, and leaks nothing: ${name}`,
      () => {
        const run = () => traced(graph, wholes(hits), () => integers(input, 5));
        const want = onCpu(run);
        const before = [tf.memory().numTensors, tf.engine().backend.numDataIds()];
        const got = installed(run);
        expect([tf.memory().numTensors, tf.engine().backend.numDataIds()]).toEqual(before);
        expect(got.map(([kernelName]) => kernelName)).toEqual(want.map(([kernelName]) => kernelName));
        exact(want).forEach(([, values], i) => expectExactly(exact(got)[i][1], values));
      },
      PATIENCE,
    );

    if (backendName !== 'cpu') continue;
    it(`has no sum that float32 rounds: ${name}`, () => {
      const run = () => traced(graph, magnitudes(wholes(hits)), () => tf.abs(integers(input, 5)));
      for (const [kernelName, values] of installed(run)) {
        const most = values.reduce((most, value) => Math.max(most, value));
        expect(most).withContext(kernelName).toBeLessThan(largest);
      }
    });
  }

  function onCpu<T>(f: () => T): T {
    // A backend that is ready is set at once. The promise only reports it.
    void tf.setBackend('cpu');
    try {
      return f();
    } finally {
      void tf.setBackend(backendName);
    }
  }
});

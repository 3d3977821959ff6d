import { MathBackendCPU } from '@tensorflow/tfjs-backend-cpu';
// @ts-expect-error A second copy of tfjs-core. A page has two copies if it loads both the ES modules and the CommonJS.
import * as untypedCopy from '@tensorflow/tfjs-core/dist/tf-core.fesm.min.js';
import { kernelNamesOn } from '../kernels/all.js';
import { BACKENDS, type BackendName, OP_NAMES, type OpName } from '../kernels/registry.js';
import { conv2d, type Installation, install, type InstallOptions } from '../src/index.js';
import {
  describeOnBackends,
  distinct,
  expectExactly,
  expectNoLeak,
  expectRegistries,
  integers,
  type Registered,
  readRegistries,
  tf,
} from './support/tfjs.js';

const tfCopy: typeof tf = untypedCopy;

type Op = (x: tf.Tensor4D, filter: tf.Tensor4D) => tf.Tensor;
const FUSED = { strides: 1, pad: 'same' } as const;

/** Ops that have a gradient in tfjs too. */
const BUILTIN: Record<string, Op> = {
  'tf.conv2d': (x, filter) => tf.conv2d(x, filter, 2, 'same'),
  'tf.conv2dTranspose': (x, filter) => tf.conv2dTranspose(x, filter, [2, 8, 8, 2], 2, 'same'),
  'tf.fused.conv2d': (x, filter) => tf.fused.conv2d({ x, filter, ...FUSED }),
  'tf.depthwiseConv2d': (x, filter) => tf.depthwiseConv2d(x, filter, 2, 'same'),
  'tf.fused.depthwiseConv2d': (x, filter) => tf.fused.depthwiseConv2d({ x, filter, ...FUSED }),
  'tf.maxPool': (x) => tf.maxPool(x, 2, 2, 'valid'),
  'tf.avgPool': (x) => tf.avgPool(x, 2, 2, 'valid'),
};

/** Ops whose gradient tfjs refuses. */
const DILATED: Record<string, Op> = {
  'a dilated tf.conv2d': (x, filter) => tf.conv2d(x, filter, 1, 'same', 'NHWC', 2),
  'a dilated tf.fused.conv2d': (x, filter) => tf.fused.conv2d({ x, filter, ...FUSED, dilations: 2 }),
  'a dilated tf.depthwiseConv2d': (x, filter) => tf.depthwiseConv2d(x, filter, 1, 'same', 'NHWC', 2),
  'a dilated tf.fused.depthwiseConv2d': (x, filter) =>
    tf.fused.depthwiseConv2d({ x, filter, ...FUSED, dilations: 2 }),
};
const REFUSAL = /dilation rates greater than 1 are not yet supported/;

/** The gradients by x, and by the filter if the op has one. `betweenPasses` runs between the forward and backward pass. */
function gradientsOf(op: Op, betweenPasses = () => {}): tf.Tensor[] {
  const inputs = [distinct([2, 4, 4, 2]), integers([3, 3, 2, 2])].slice(0, op.length);
  return tf.grads((x, filter) => {
    const y = op(x as tf.Tensor4D, filter as tf.Tensor4D);
    betweenPasses();
    return y;
  })(inputs);
}

function expectDilatedGradients(): void {
  for (const op of Object.values(DILATED)) {
    const shapes = gradientsOf(op).map((gradient) => gradient.shape);
    expect(shapes).toEqual([
      [2, 4, 4, 2],
      [3, 3, 2, 2],
    ]);
  }
}

describeOnBackends('install()', (backendName) => {
  const all = kernelNamesOn(backendName).map((kernelName) => ({ kernelName, backendName }));
  let before: Registered;
  let installations: Installation[];

  beforeEach(() => {
    before = readRegistries();
    installations = [];
    spyOn(console, 'warn');
  });

  afterEach(() => {
    installations.forEach(({ uninstall }) => uninstall());
    expect(console.warn).not.toHaveBeenCalled();
  });

  const start = (options: InstallOptions = { backends: [backendName] }): Installation => {
    const installation = install(options);
    installations.push(installation);
    return installation;
  };

  const builtin = (kernelName: string) => before.get(`${backendName} ${kernelName}`) as tf.KernelConfig;
  const changed = () =>
    all.filter(({ kernelName }) => tf.getKernel(kernelName, backendName) !== builtin(kernelName));

  it('replaces all kernels of the plugin, silently, and tells which', () => {
    const { replaced } = start();
    expect(replaced).toEqual(all);
    expect(changed()).toEqual(all);
  });

  it('is undone by uninstall(), which restores exactly what was there', () => {
    start().uninstall();
    expectRegistries(before);
  });

  it('keeps what else a kernel is registered with', () => {
    const setUp = { ...builtin('Conv2D'), setupFunc: () => {} };
    swapKernel(setUp);
    const { uninstall } = start();
    expect(tf.getKernel('Conv2D', backendName).setupFunc).toBe(setUp.setupFunc);
    uninstall();
    expect(tf.getKernel('Conv2D', backendName)).toBe(setUp);
    swapKernel(builtin('Conv2D'));
  });

  for (const order of [
    [0, 1],
    [1, 0],
  ]) {
    it(`twice lasts until both are undone, in the order ${order}`, () => {
      const both = [start(), start()];
      expect(both[1].replaced).toEqual([]);
      const during = readRegistries();
      both[order[0]].uninstall();
      expectRegistries(during);
      expectDilatedGradients();
      both[order[1]].uninstall();
      expectRegistries(before);
    });
  }

  it('can be undone twice without undoing another', () => {
    const [first] = [start(), start()];
    first.uninstall();
    first.uninstall();
    expect(changed()).toEqual(all);
  });

  it('can be undone and done again', () => {
    start().uninstall();
    expect(start().replaced).toEqual(all);
    expectDilatedGradients();
  });

  it('serves all backends, or those that are named', () => {
    expect(start({ backends: [] }).replaced).toEqual([]);
    expect(changed()).toEqual([]);
    expect(start({ backends: [backendName, backendName] }).replaced).toEqual(all);
    const others = BACKENDS.filter((name) => name !== backendName && tf.findBackendFactory(name));
    expect(start({}).replaced.length).toBe(others.flatMap((name) => kernelNamesOn(name)).length);
  });

  it('serves all ops, or those that are named', () => {
    const named = (...ops: OpName[]) =>
      kernelNamesOn(backendName, ops).map((kernelName) => ({ kernelName, backendName }));
    const pools = start({ backends: [backendName], ops: ['maxPool', 'avgPool'] });
    expect(pools.replaced).toEqual(named('maxPool', 'avgPool'));
    expect(changed()).toEqual(named('maxPool', 'avgPool'));
    expect(() => gradientsOf(DILATED['a dilated tf.conv2d'])).toThrowError(REFUSAL);
    const some = start({ backends: [backendName], ops: ['conv2d', 'depthwiseConv2d', 'maxPool'] });
    expect(some.replaced).toEqual(named('conv2d', 'depthwiseConv2d'));
    expectDilatedGradients();
    pools.uninstall();
    expect(changed()).toEqual(named('conv2d', 'depthwiseConv2d', 'maxPool'));
    expect(tf.getGradient('AvgPool')).toBe(before.get('gradient of AvgPool') as tf.GradConfig);
    some.uninstall();
    expectRegistries(before);
  });

  it('replaces nothing if no op is named', () => {
    expect(start({ backends: [backendName], ops: [] }).replaced).toEqual([]);
    expect(changed()).toEqual([]);
  });

  it('refuses an op that it does not know, and changes nothing', () => {
    const refusal = `tfjs-convgrad: ops names 'pool', but only these are supported: ${OP_NAMES.join(', ')}. Did you mean 'maxPool'?`;
    expect(() => install({ ops: ['conv2d', 'pool'] })).toThrowError(refusal);
    expectRegistries(before);
  });

  it('refuses a backend that it does not know, and changes nothing', () => {
    const refusal = `tfjs-convgrad: backends names 'abacus', but only these are supported: ${BACKENDS.join(', ')}.`;
    expect(() => install({ backends: [backendName, 'abacus'] })).toThrowError(refusal);
    expectRegistries(before);
  });

  it('serves a backend that is registered but was never set', async () => {
    renew(backendName);
    expect(start().replaced).toEqual(all);
    await tf.setBackend(backendName);
    expectDilatedGradients();
  });

  const firstOpWithoutWasm = () => {
    const attach = detach('wasm');
    integers([1]);
    attach();
  };
  const choices: [string, () => unknown][] = [
    ['set', () => tf.setBackend(backendName)],
    // Of several backends, tfjs chooses the one of the highest priority.
    ...(backendName === 'cpu' && !tf.findBackendFactory('webgl')
      ? [['chosen by the first op', firstOpWithoutWasm] as [string, () => unknown]]
      : []),
  ];
  for (const [how, choose] of choices) {
    it(`serves a backend that is registered later and ${how}`, async () => {
      const attach = detach(backendName);
      const { replaced, uninstall } = start();
      expect(replaced).toEqual([]);
      attach();
      await choose();
      expect(replaced).toEqual(all);
      expectDilatedGradients();
      uninstall();
      expectRegistries(before);
    });
  }

  it('can be undone before the backend comes', () => {
    const attach = detach(backendName);
    start().uninstall();
    attach();
    expectRegistries(before);
  });

  it('can be undone when the backend has gone, with all its kernels', () => {
    const kernels = tf.getKernelsForBackend(backendName);
    const { uninstall } = start();
    const attach = detach(backendName, kernels);
    expect(uninstall).not.toThrow();
    attach();
    expectRegistries(before);
  });

  it('outlasts the backend', async () => {
    start();
    renew(backendName);
    await tf.setBackend(backendName);
    expect(changed()).toEqual(all);
    expectDilatedGradients();
  });

  it('works again when another has put a kernel over ours and ours back', () => {
    start();
    const ours = tf.getKernel('Conv2D', backendName);
    const theirs = jasmine.createSpy('kernelFunc', ours.kernelFunc).and.callThrough();
    swapKernel({ ...ours, kernelFunc: theirs });
    gradientsOf(BUILTIN['tf.conv2d']);
    expect(theirs).toHaveBeenCalledTimes(1);
    swapKernel(ours);
    expectDilatedGradients();
  });

  it("computes tfjs's own gradient when another has put the built-in kernel back", () => {
    start();
    swapKernel(builtin('Conv2D'));
    expect(() => gradientsOf(DILATED['a dilated tf.conv2d'])).toThrowError(REFUSAL);
    expect(start().replaced).toEqual([all[0]]);
    expectDilatedGradients();
  });

  for (const setAgain of [false, true]) {
    it(`leaves another's kernel alone${setAgain ? ', also when the backend is set again' : ''}`, async () => {
      const { uninstall } = start();
      const theirs = { ...tf.getKernel('Conv2D', backendName), kernelFunc: () => [] };
      swapKernel(theirs);
      if (setAgain) await tf.setBackend(backendName);
      expect(tf.getKernel('Conv2D', backendName)).toBe(theirs);
      uninstall();
      expect(tf.getKernel('Conv2D', backendName)).toBe(theirs);
      swapKernel(builtin('Conv2D'));
      expectRegistries(before);
    });
  }

  it('outlasts a later registration of all built-in gradients, as by an import of tfjs-layers', () => {
    const { uninstall } = start();
    for (const op of Object.values(DILATED)) {
      registerGradientsOf(before);
      expect(() => gradientsOf(op)).not.toThrow();
    }
    registerGradientsOf(before);
    const avgGradient = tf.grad((x) => tf.avgPool(x as tf.Tensor4D, 2, 2, 'same'));
    expectExactly(avgGradient(tf.ones([1, 3, 3, 1])), [0.25, 0.25, 0.5, 0.25, 0.25, 0.5, 0.5, 0.5, 1]);
    uninstall();
    expectRegistries(before);
  });

  const malformed: [unknown, RegExp][] = [
    ['cpu', /the options of install\(\) are 'cpu', but they must be an object/],
    [['cpu'], /the options of install\(\) are \['cpu'\], but they must be an object/],
    [null, /the options of install\(\) are null/],
    [{ backend: 'webgl' }, /name 'backend'.*backends, ops. Did you mean 'backends'\?/],
    [{ backends: ['wbgl'] }, /backends names 'wbgl'.*Did you mean 'webgl'\?/],
    [{ backends: [undefined] }, /backends names undefined/],
    [{ ops: 'conv2d' }, /ops is 'conv2d', but it must be an array/],
  ];
  for (const [options, refusal] of malformed) {
    it(`refuses ${JSON.stringify(options)}, and changes nothing`, () => {
      expect(() => install(options as InstallOptions)).toThrowError(refusal);
      expectRegistries(before);
    });
  }

  describe('when a second copy of the package of the backend is loaded', () => {
    const loadAgain = () => {
      const kernels = tf
        .getKernelsForBackend(backendName)
        .map((kernel) => before.get(`${backendName} ${kernel.kernelName}`));
      const copies = kernels.flatMap((kernel) => (kernel ? [{ ...(kernel as tf.KernelConfig) }] : []));
      copies.forEach((kernel) => tf.registerKernel(kernel));
      (console.warn as jasmine.Spy).calls.reset(); // tfjs warns of each
      return copies;
    };

    const restore = (copies: tf.KernelConfig[]) =>
      copies.forEach(({ kernelName }) => swapKernel(builtin(kernelName)));

    it('stays active, at once', () => {
      const { active, replaced, uninstall } = start();
      const copies = loadAgain();
      expectDilatedGradients();
      expect(active).toEqual(all);
      expect(replaced).toEqual(all);
      uninstall();
      restore(copies);
      expectRegistries(before);
    });

    it('gives the kernels of the second copy back', () => {
      const { uninstall } = start();
      const copies = loadAgain();
      uninstall();
      for (const copy of copies) expect(tf.getKernel(copy.kernelName, backendName)).toBe(copy);
      restore(copies);
    });

    it('changes nothing once it is undone', () => {
      start().uninstall();
      const copies = loadAgain();
      for (const copy of copies) expect(tf.getKernel(copy.kernelName, backendName)).toBe(copy);
      restore(copies);
    });
  });

  it("lists what is active: not a kernel over which another's is registered", async () => {
    const installation = start();
    const theirs = { ...builtin('Conv2D') };
    tf.registerKernel(theirs);
    await Promise.resolve();
    tf.registerKernel({ ...builtin('MaxPool') });
    (console.warn as jasmine.Spy).calls.reset();
    expect(tf.getKernel('Conv2D', backendName)).toBe(theirs);
    expect(installation.replaced).toEqual(all);
    expect(installation.active).toEqual(
      all.filter(({ kernelName }) => kernelName !== 'Conv2D' && kernelName !== 'MaxPool'),
    );
    swapKernel(builtin('Conv2D'));
    swapKernel(builtin('MaxPool'));
  });

  it('refuses backends that are no list', () => {
    expect(() => install({ backends: 'cpu' as unknown as string[] })).toThrowError(
      /backends is 'cpu', but it must be an array of these: cpu, wasm, webgl/,
    );
  });

  for (const [scopeName, convolve] of Object.entries({
    fusedConv2d__op: tf.fused.conv2d,
    fusedDepthwiseConv2d__op: tf.fused.depthwiseConv2d,
  })) {
    it(`leaves no gradient behind after ${scopeName} inside a custom gradient`, () => {
      start();
      const filter = integers([3, 3, 1, 1]);
      const op = tf.customGrad((x) => ({
        value: convolve({ x: x as tf.Tensor4D, filter, ...FUSED }),
        gradFunc: (dy) => dy as tf.Tensor,
      }));
      const ones = new Float32Array(16).fill(1);
      expectExactly(tf.grad(op)(integers([1, 4, 4, 1]), tf.ones([1, 4, 4, 1])), ones);
      expect(tf.getGradient(scopeName)).toBeUndefined();
    });
  }

  it('is undone cleanly right after such a registration', () => {
    const { uninstall } = start();
    registerGradientsOf(before);
    uninstall();
    expectRegistries(before);
  });

  it('serves the ops of a second copy of tfjs-core', () => {
    const conv = tfCopy.grads((x, filter) =>
      tfCopy.conv2d(x as tf.Tensor4D, filter as tf.Tensor4D, 1, 'same', 'NHWC', 2),
    );
    const gradients = () => conv([distinct([2, 4, 4, 2]), integers([3, 3, 2, 2])]);
    expect(gradients).toThrowError(REFUSAL);
    start();
    const expected = gradientsOf(DILATED['a dilated tf.conv2d']);
    gradients().forEach((gradient, i) => expectExactly(gradient, expected[i]));
  });

  it('works in debug mode', async () => {
    const profile = spyOn(console, 'log');
    // tfjs's profiler reads every result. On webgl, the check of IS_TEST takes such a read for a leak; on wasm, it takes clones.
    tf.env().set('IS_TEST', backendName === 'cpu');
    tf.env().set('DEBUG', true);
    (console.warn as jasmine.Spy).calls.reset(); // "debug mode is slow"
    try {
      start();
      expectDilatedGradients();
      await tf.nextFrame();
      expect(profile).toHaveBeenCalled();
    } finally {
      tf.env().set('DEBUG', false);
    }
  });

  for (const [name, op] of Object.entries({ ...BUILTIN, ...DILATED })) {
    it(`leaks nothing in the gradients of ${name}`, () => {
      start();
      expectNoLeak(() => gradientsOf(op));
    });
  }

  describe('beside a backend without the plugin', () => {
    const other = 'other';

    beforeEach(() => {
      const backend = new MathBackendCPU();
      backend.disposeData(backend.write(new Float32Array(1), [1], 'float32')); // the first write advises tfjs-node in Node
      (console.warn as jasmine.Spy).calls.reset();
      tf.registerBackend(other, () => backend);
      tf.copyRegisteredKernels('cpu', other);
    });

    afterEach(async () => {
      removeKernels(other);
      tf.removeBackend(other);
      await tf.setBackend(backendName);
    });

    for (const [name, op] of Object.entries(BUILTIN)) {
      it(`leaves it its gradients of ${name}`, async () => {
        await tf.setBackend(other);
        const expected = gradientsOf(op);
        start();
        gradientsOf(op).forEach((gradient, i) => expectExactly(gradient, expected[i]));
      });
    }

    for (const [name, op] of Object.entries(DILATED)) {
      it(`leaves it the refusal of ${name}, to and fro`, async () => {
        start();
        for (let i = 0; i < 2; i++) {
          await tf.setBackend(backendName);
          expect(() => gradientsOf(op)).not.toThrow();
          await tf.setBackend(other);
          expect(() => gradientsOf(op)).toThrowError(REFUSAL);
        }
      });

      it(`lets it refuse to go backward through ${name} of ours`, () => {
        start();
        // A backend that is ready is set at once. The promise only reports it.
        expect(() => gradientsOf(op, () => void tf.setBackend(other))).toThrowError(REFUSAL);
      });
    }

    it('serves it with copies of our kernels', async () => {
      const { uninstall } = start({ backends: ['cpu'] });
      removeKernels(other);
      tf.copyRegisteredKernels('cpu', other);
      await tf.setBackend(other);
      expectDilatedGradients();
      uninstall();
      await tf.setBackend(other);
      expect(() => gradientsOf(BUILTIN['tf.conv2d'])).not.toThrow();
    });

    it('serves such a copy if no backend is named, and gives it its kernels back', async () => {
      const here = readRegistries();
      const { replaced, uninstall } = start({});
      expect(replaced).toContain({ kernelName: 'Conv2D', backendName: other });
      await tf.setBackend(other);
      expectDilatedGradients();
      uninstall();
      expectRegistries(here);
      expect(() => gradientsOf(DILATED['a dilated tf.conv2d'])).toThrowError(REFUSAL);
    });

    it('serves such a copy if it is named', async () => {
      const { replaced } = start({ backends: [other] });
      expect(replaced.every(({ backendName }) => backendName === other)).toBeTrue();
      expect(changed()).toEqual([]);
      await tf.setBackend(other);
      expectDilatedGradients();
    });

    it('serves a copy that comes after the installation, with kernels that were copied before', async () => {
      const kernels = tf.getKernelsForBackend(other);
      removeKernels(other);
      start({});
      kernels.forEach((kernel) => tf.registerKernel(kernel));
      await tf.setBackend(other);
      expectDilatedGradients();
    });

    it('serves our own ops on a copy, whose kernels may be missing', async () => {
      removeKernels(other);
      await tf.setBackend(other);
      const [x, filter] = [distinct([1, 4, 4, 2]), integers([2, 2, 2, 3])];
      const y = conv2d(x as tf.Tensor4D, filter as tf.Tensor4D, { pad: 'same' });
      await tf.setBackend('cpu');
      expectExactly(y, conv2d(x as tf.Tensor4D, filter as tf.Tensor4D, { pad: 'same' }));
      tf.getKernelsForBackend(other).forEach(({ kernelName }) => tf.unregisterKernel(kernelName, other));
    });

    it('says where a gradient is missing that only the plugin has', async () => {
      start();
      await tf.setBackend(other);
      const second = tf.grad((x) => tf.grad((t) => tf.maxPool(t as tf.Tensor4D, 2, 2, 'same'))(x));
      expect(() => second(distinct([1, 4, 4, 1]))).toThrowError(/no gradient on backend 'other'/);
    });
  });
});

function removeKernels(backendName: string): void {
  tf.getKernelsForBackend(backendName).forEach(({ kernelName }) =>
    tf.unregisterKernel(kernelName, backendName),
  );
}

/** Replaces the registered kernel of the same name, without tfjs's warning. */
function swapKernel(config: tf.KernelConfig): void {
  tf.unregisterKernel(config.kernelName, config.backendName);
  tf.registerKernel(config);
}

function registerGradientsOf(registered: Registered): void {
  for (const config of registered.values()) {
    if ('gradFunc' in config) tf.registerGradient(config);
  }
}

/** Registers the backend again, as if it had never been used. */
function renew(backendName: BackendName): void {
  const factory = tf.findBackendFactory(backendName);
  tf.removeBackend(backendName);
  tf.registerBackend(backendName, factory);
}

/** Removes a backend and its kernels. The returned function registers it with `kernels`, as an import of its package does. */
function detach(backendName: BackendName, kernels = tf.getKernelsForBackend(backendName)): () => void {
  const factory = tf.findBackendFactory(backendName);
  tf.removeBackend(backendName);
  removeKernels(backendName);
  return () => {
    tf.registerBackend(backendName, factory);
    kernels.forEach((kernel) => tf.registerKernel(kernel));
  };
}

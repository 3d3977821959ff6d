// This file is evaluated before tfjs-core's spec files. They define their specs for the environments known by then.
import { env, getBackend, getKernel } from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-core/dist/register_all_gradients.js';
import '@tensorflow/tfjs-core/dist/public/chained_ops/register_all_chained_ops.js';
import { setTestEnvs } from '@tensorflow/tfjs-core/dist/jasmine_util.js';
import '@tensorflow/tfjs-backend-cpu';
import '@tensorflow/tfjs-backend-webgl';
import { install, type Replaced } from '../../src/index.js';
import '../support/wasm.js';

const BACKENDS = ['cpu', 'wasm', ...(env().getBool('HAS_WEBGL') ? ['webgl'] : [])];
/** tfjs runs its own specs on webgl with these flags. */
const WEBGL_FLAGS = { WEBGL_VERSION: 2, WEBGL_CPU_FORWARD: false, WEBGL_SIZE_UPLOAD_UNIFORM: 0 };

/** Upstream specs that expect a wrong value. Each of them must fail, and its message must show the right value. */
const DEVIATIONS = [
  {
    spec: 'gradient x=[3,3,1] f=[3,3] s=1 p=explicit',
    right: 'Actual:   0,1.75,1.75,0,4,4,0,9.25,9.25.',
    reason:
      "deviates: tfjs's avgPool gradient divides by the full window, its forward by the cells in bounds",
  },
];

/** Failures of tfjs's own on wasm, which lacks depthwise kernels. */
const NOT_OURS = [
  /Kernel 'DepthwiseConv2dNative\w+' not registered for backend 'wasm'/,
  /FusedDepthwiseConv2D only supports rank-1 bias/,
];
/** On wasm a clone is a copy, and the engine takes the copies that ops save for their gradients for leaks. */
beforeEach(() => env().set('IS_TEST', getBackend() !== 'wasm'));

/** The spec files that are evaluated after this call define their specs for these backends. */
export function testOn(backends: readonly string[]): void {
  setTestEnvs(
    backends.map((name) => ({
      name,
      backendName: name,
      isDataSync: true,
      flags: name === 'webgl' ? WEBGL_FLAGS : {},
    })),
  );
}
testOn(BACKENDS);

const { replaced } = install({ backends: BACKENDS });
const kernelOf = ({ kernelName, backendName }: Replaced) => getKernel(kernelName, backendName)?.kernelFunc;
const installed = new Map(replaced.map((kernel) => [kernel, kernelOf(kernel)]));

async function pendingIfNotOurs(run: () => Promise<void>): Promise<void> {
  try {
    await run();
  } catch (error) {
    const reason = NOT_OURS.find((message) => message.test((error as Error).message));
    if (!reason) throw error;
    pending(`tfjs on wasm: ${(error as Error).message}`);
  }
}

const defineSpec = it;
const deviating: string[] = [];
const defineUpstreamSpec: typeof it = (name, run, timeout) => {
  const deviation = DEVIATIONS.find(({ spec }) => spec === name);
  if (!deviation) return defineSpec(name, () => pendingIfNotOurs(run as () => Promise<void>), timeout);
  deviating.push(name);
  defineSpec(`${name} (${deviation.reason})`, async () => {
    const outcome = await (run as () => Promise<void>)().then(
      () => 'it passed',
      (error: Error) => error.message,
    );
    if (!outcome.includes(deviation.right)) throw new Error(`Listed as a deviation, but: ${outcome}`);
    pending();
  });
};
Object.assign(globalThis, { it: defineUpstreamSpec });

/** Call this after tfjs-core's spec files are loaded. Jasmine keeps the order. */
export function defineClosingSpecs(): void {
  describe('the plugin', () => {
    it("is installed while upstream's specs run", () => {
      expect(installed.size).toBeGreaterThan(0);
      for (const [kernel, kernelFunc] of installed)
        expect(kernelOf(kernel)).withContext(kernel.kernelName).toBe(kernelFunc);
    });
    it('deviates from upstream only in specs that exist', () => {
      expect(deviating).toEqual(BACKENDS.flatMap(() => DEVIATIONS.map(({ spec }) => spec)));
    });
  });
}

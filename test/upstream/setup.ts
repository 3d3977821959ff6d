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

/** Upstream specs that expect what the plugin does not do. Each of them must fail, and its message must show what is right. */
const DEVIATIONS = [
  {
    spec: 'input=1x5x5x1,f=3,s=1,d=2,p=explicit,chMul=1',
    right: 'with [0, 0] for batch and channels',
    reason: 'deviates: pads of channels are refused',
  },
  {
    spec: 'throws error on dilations > 1',
    right: 'Expected function to throw an Error.',
    reason: 'deviates: a dilated depthwise convolution has a gradient',
  },
  {
    spec: 'gradient x=[3,3,1] f=[3,3] s=1 p=explicit',
    right: 'Actual:   0,1.75,1.75,0,4,4,0,9.25,9.25.',
    reason:
      "deviates: tfjs's avgPool gradient divides by the full window, its forward by the cells in bounds",
  },
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

/** The message of the error that the spec throws. Its expectations that functions throw fail with an error too. */
async function outcomeOf(run: () => Promise<void> | void): Promise<string> {
  const { expect } = globalThis;
  const throwing = (f: () => void) =>
    Object.assign(expect(f), {
      toThrowError() {
        f();
        throw new Error('Expected function to throw an Error.');
      },
    });
  Object.assign(globalThis, { expect: throwing });
  try {
    await run();
    return 'it passed';
  } catch (error) {
    return (error as Error).message;
  } finally {
    Object.assign(globalThis, { expect });
  }
}

const defineSpec = it;
const deviating: string[] = [];
const defineUpstreamSpec: typeof it = (name, run, timeout) => {
  const deviation = DEVIATIONS.find(({ spec }) => spec === name);
  if (!deviation) return defineSpec(name, run, timeout);
  deviating.push(name);
  defineSpec(`${name} (${deviation.reason})`, async () => {
    const outcome = await outcomeOf(run as () => Promise<void> | void);
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
      expect(deviating).toEqual(DEVIATIONS.flatMap(({ spec }) => BACKENDS.map(() => spec)));
    });
  });
}

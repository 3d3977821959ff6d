/**
 * Specs of what fails in a training step. Each thing that may fail fails once, at its k-th call, for every k that the step reaches. If a
 * kernel of the plugin was running, the error says what failed. The plugin leaves nothing behind, and the next step is right.
 */
import type { NamedAttrMap } from '@tensorflow/tfjs-core';
import { kernelNamesOn, KERNELS } from '../kernels/all.js';
import { type BackendName, type KernelName, leftToBuiltin } from '../kernels/registry.js';
import { bestSimd } from '../kernels/runtime/options.js';
import { withSimd } from '../kernels/runtime/simd/instance.js';
import { backendInfo, configure, install, type Installation } from '../src/index.js';
import { type Fault, type Method, methodOf, NO_PROGRAM, NO_ROOM, withFault, withMethods } from './support/faults.js'; // prettier-ignore
import { shareOf } from './support/share.js';
import { describeWhereAvailable, expectRegistries, integers, readRegistries, tf } from './support/tfjs.js';
import { insideWasm, onSharedMemory, remakeWasm, type WatchedHeap, watchHeap } from './support/wasm.js';
import { expectEqual, forgetPrograms, type Inside, inside, onNewContext, PATIENCE, type Result, resultsOf } from './support/webgl.js'; // prettier-ignore

type T4 = tf.Tensor4D;

/** A step of a small LeNet on whole numbers: its loss and its gradients are exact on every path of every backend. */
function step(size: number, channels: number): Result[] {
  return resultsOf(() => {
    const pixels = (size / 4) ** 2;
    const shapes = [[3, 3, 2, channels], [3, 3, channels, 8], [8], [8 * pixels, 4]]; // prettier-ignore
    const weights = shapes.map((shape, i) => integers(shape, i + 1));
    const [x, slopes] = [integers([2, size, size, 2], 5), integers([2, 4], 6)];
    const loss = (...[first, second, bias, dense]: tf.Tensor[]) => {
      const y = tf.maxPool(tf.relu(tf.conv2d(x, first as T4, 1, 'same')), 2, 2, 'same');
      const fused = tf.fused.conv2d({ x: y, filter: second as T4, strides: 1, pad: 'same', bias });
      const flat = tf.reshape(tf.avgPool(tf.relu(fused), 2, 2, 'same'), [2, -1]) as tf.Tensor2D;
      return tf.sum(tf.mul(tf.matMul(flat, dense as tf.Tensor2D), slopes)) as tf.Scalar;
    };
    const { value, grads } = tf.valueAndGrads(loss)(weights);
    return [value, ...grads];
  });
}

/** What fails, and where. */
interface Place extends Fault {
  /** The object whose method it is. */
  on: () => object;
  /** Only the calls of the plugin's kernels count: tfjs's own write to address 0 if there is no memory. */
  oursOnly?: boolean;
  /** The error is of another than the plugin, which lets it through. */
  isForeign?: boolean;
  /** Before a step, so that it makes these calls. */
  prepare?: () => void | Promise<void>;
  /** Only the first step of a context makes these calls. */
  onNewContext?: boolean;
  /** The context does not survive. The next step is one of another backend. */
  isFatal?: boolean;
}

const refuse = () => {
  throw new RangeError('no room');
};

/** The next kernel on cpu makes a new instance with a new memory: one that has grown as large as this is given up. */
const dropInstance = () => void withSimd(bestSimd()!, (simd) => simd.place(2 ** 26 + 1));
const cannotRun = /the (relaxed-)?simd kernels cannot run here: no room/;
const outOfMemory = /out of memory: (a result of shape|1 MiB of WebAssembly memory are needed)/;

let heap: WatchedHeap | undefined;
async function newHeap(): Promise<void> {
  await remakeWasm();
  heap = watchHeap();
}

const gl = () => inside().gpgpu.gl;
const losingContext: Place = {
  on: tf.engine,
  method: 'runKernel',
  fails: (runKernel, ...args) => {
    gl().getExtension('WEBGL_lose_context')!.loseContext();
    return runKernel(...args);
  },
  says: /cannot run: the WebGL context of this backend is lost/,
  onNewContext: true,
  isFatal: true,
};

const PLACES: Record<BackendName, Record<string, Place>> = {
  cpu: {
    'without an instance': { on: () => WebAssembly, method: 'Instance', fails: refuse, says: cannotRun, prepare: dropInstance },
    'without a memory': { on: () => WebAssembly, method: 'Memory', fails: refuse, says: cannotRun, prepare: dropInstance },
    'without more memory': { on: () => WebAssembly.Memory.prototype, method: 'grow', fails: refuse, says: outOfMemory, prepare: dropInstance },
    'without the values of a tensor': { on: tf.backend, method: 'readSync', fails: refuse, says: /no room/, oursOnly: true, isForeign: true },
  },
  wasm: {
    'without an instance': { on: () => WebAssembly, method: 'Instance', fails: refuse, says: cannotRun, prepare: newHeap },
    'without a block of memory': { on: () => insideWasm().wasm, method: '_malloc', fails: () => 0, says: outOfMemory, oursOnly: true },
  },
  webgl: {
    'without a texture': { on: gl, ...NO_ROOM['a texture'] },
    'without a framebuffer': { on: gl, ...NO_ROOM['a framebuffer'], onNewContext: true },
    'without a framebuffer that is complete': { on: gl, ...NO_ROOM['a framebuffer that is complete'], onNewContext: true },
    'without a shader that compiles': { on: gl, ...NO_PROGRAM['a shader that compiles'], says: /compile.*The driver says: .*(ERROR|Vertex shader)/i, prepare: forgetPrograms },
    'without a program that links': { on: gl, ...NO_PROGRAM['a program that links'], prepare: forgetPrograms },
    'without the values of a result': { on: gl, method: 'readPixels', fails: refuse, says: /no room/, isForeign: true },
    'without a context': losingContext,
  },
}; // prettier-ignore

/** In browsers `npm test` takes one in so many of a place's calls, and of the places on webgl. */
const PARTS = { calls: 30, places: 8 };

/** What is held: by the engine, the backend and the plugin. */
function counts() {
  const { numTensors, numDataBuffers, numBytes, ...others } = tf.memory();
  const { textureManager } = inside() as Partial<Inside>;
  return {
    numTensors,
    numDataBuffers,
    numBytes,
    numDataIds: tf.engine().backend.numDataIds(),
    blocks: heap?.held.size,
    wasmBytes: backendInfo().cpu.wasmBytes,
    textures: textureManager?.getNumUsedTextures(),
    textureBytes: (others as { numBytesInGPU?: number }).numBytesInGPU,
  };
}

/** tfjs keeps what a failed step has saved for its gradients. */
function forgetTape(): void {
  const { state } = tf.engine() as unknown as { state: { activeTape: { saved: tf.Tensor[] }[] | null } };
  state.activeTape?.forEach(({ saved }) => tf.dispose(saved));
  state.activeTape = null;
}

interface Strike {
  /** How many calls there were. */
  calls: number;
  /** The kernel of the plugin that was running when the call failed. */
  kernel?: KernelName;
  error?: unknown;
}

/** Runs f. The k-th call of the place fails. What tfjs's kernels leave behind is disposed of. Ours must leave nothing. */
function strike(backendName: BackendName, place: Place, k: number, f: () => void): Strike {
  const ours = kernelNamesOn(backendName);
  const running: unknown[] = [];
  const kernel = () => ours.find((name) => name === running.at(-1));
  const made: { dataId: object; by?: KernelName }[] = [];
  const result: Strike = { calls: 0 };

  const attempt = () => {
    const runKernel = methodOf(tf.engine(), 'runKernel');
    const watched: Method = (...args) => {
      const [name, inputs, attrs] = args as [KernelName, Record<string, tf.Tensor>, NamedAttrMap];
      const isLeft = leftToBuiltin(KERNELS[backendName], name)?.(inputs, attrs ?? {});
      running.push(isLeft ? undefined : name);
      try {
        return runKernel(...args);
      } finally {
        running.pop();
      }
    };
    try {
      withMethods(tf.engine(), { runKernel: watched }, f);
    } catch (error) {
      result.error = error;
      forgetTape();
    }
  };
  const fails: Fault['fails'] = (...args) => {
    result.kernel = kernel();
    return place.fails(...args);
  };
  const strikeNow = () => {
    const isCounted = () => !place.oursOnly || kernel() !== undefined;
    result.calls = withFault(place.on(), { ...place, fails }, k, attempt, isCounted);
  };

  const { texData } = inside() as Partial<Inside>;
  if (!texData) strikeNow();
  else {
    const set = methodOf(texData, 'set');
    const noting: Method = (dataId, data) => {
      made.push({ dataId: dataId as object, by: kernel() });
      return set(dataId, data);
    };
    withMethods(texData, { set: noting }, strikeNow);
  }
  const left = made.filter(({ dataId }) => texData!.has(dataId));
  const byUs = left.filter(({ by }) => by).map(({ by }) => by);
  expect(byUs).withContext(`kernels whose data were left after call ${k}`).toEqual([]);
  left.forEach(({ dataId }) => tf.engine().backend.disposeData(dataId, true));
  return result;
}

/** Walks over all calls of a place, or over a share of them. */
async function walk(backendName: BackendName, place: Place): Promise<void> {
  const run = backendName === 'webgl' ? () => step(12, 4) : () => step(24, 16);
  const around = async (f: () => Promise<void>) => {
    if (place.onNewContext) {
      return onNewContext(() => {
        resultsOf(() => [tf.maxPool(tf.ones<tf.Rank.R4>([1, 2, 2, 1]), 2, 2, 'valid')]); // evaluates tfjs's flags
        return f();
      });
    }
    await place.prepare?.();
    await f();
  };
  const want = run();
  const settled = backendInfo().cpu.wasmBytes;
  let calls = 0;
  await around(async () => {
    calls = strike(backendName, place, 0, run).calls;
  });
  expect(calls).toBeGreaterThan(0);
  const all = Array.from({ length: calls }, (_, i) => i + 1);
  for (const k of shareOf(all, PARTS.calls)) {
    await around(async () => {
      const before = counts();
      let got: typeof want | undefined;
      const { calls: reached, kernel, error } = strike(backendName, place, k, () => (got = run()));
      const where = `call ${k} of ${calls}, in ${kernel ?? "a kernel of tfjs's"}`;
      expect(reached).withContext(where).toBeGreaterThanOrEqual(k);
      // What threads cannot do, the calling one tries again.
      if (got && onSharedMemory) expectEqual(got, want, where);
      else if (kernel) {
        const message = String(error).replace(/\s+/g, ' ');
        expect(message).withContext(where).toMatch(place.says);
        if (!place.isForeign)
          expect(message)
            .withContext(where)
            .toMatch(/^Error: tfjs-convgrad: /);
      }
      // The next step disposes of the positions of maxima that this one kept, and uses the instance that this one made.
      const { textures, textureBytes, wasmBytes, numDataBuffers } = before;
      if (kernel)
        expect({ ...counts(), textures, textureBytes, wasmBytes })
          .withContext(where)
          .toEqual(before);
      if (place.isFatal) await tf.setBackend('webgl');
      expectEqual(run(), want, `the step after ${where}`);
      if (place.isFatal) return;
      // Of what its kernels leave behind, tfjs goes on counting these.
      const after = kernel ? counts() : { ...counts(), numDataBuffers, textureBytes };
      // An instance that was made anew has no more memory than the one before, which may have served larger calls.
      expect(after.wasmBytes).withContext(`memory after ${where}`).toBeLessThanOrEqual(settled);
      expect({ ...after, wasmBytes })
        .withContext(`after ${where}`)
        .toEqual(before);
    });
  }
}

describeWhereAvailable('faults of a training step', (backendName) => {
  let installation: Installation;
  beforeEach(async () => {
    await tf.setBackend(backendName);
    installation = install();
    configure({ cpu: { path: bestSimd() ?? 'auto' } });
    if (backendName === 'wasm') await newHeap();
  });
  afterEach(async () => {
    configure({ cpu: { path: 'auto' } });
    if (backendName === 'wasm') await remakeWasm();
    installation.uninstall();
    heap = undefined;
  });

  const places = Object.entries(PLACES[backendName]);
  for (const [title, place] of backendName === 'webgl' ? shareOf(places, PARTS.places) : places) {
    it(
      title,
      async () => {
        spyOn(console, 'log'); // tfjs prints the sources of programs
        const registered = readRegistries();
        const check = () => walk(backendName, place);
        // Without a pool of textures each tensor needs a new one.
        const flags = { WEBGL_DELETE_TEXTURE_THRESHOLD: 0 };
        if (backendName === 'webgl' && !place.onNewContext) await onNewContext(check, flags);
        else await check();
        expectRegistries(registered);
      },
      2 * PATIENCE,
    );
  }
});

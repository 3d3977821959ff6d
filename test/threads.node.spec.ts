/**
 * Specs of threads in Node: workers that die, hang or do not start, at every point of a call. The result must be right, and the same to
 * the bit. `test/simd.spec.ts` runs its specs of the WebAssembly kernels on threads, too.
 */
import { EventEmitter } from 'node:events';
import { Worker } from 'node:worker_threads';
import * as definition from '../kernels/conv2d/definition.js';
import * as paths from '../kernels/conv2d/paths.js';
import { type ConvGeometry, convGeometry, sizeOf } from '../kernels/geometry.js';
import { bestSimd } from '../kernels/runtime/options.js';
import { type Asked, poolFor, setThreads, threadsInfo } from '../kernels/runtime/threads/threads.js';
import { backendInfo, configure } from '../src/index.js';
import { integers } from '../src/verify/data.js';

const level = bestSimd()!;

/** Forward and both gradients, of whole numbers, in strips. Winograd's algorithm serves. */
const g: ConvGeometry = convGeometry([2, 40, 42, 16], [3, 3, 16, 24], { pad: 'same' });
const whole = (size: number, seed: number) => Float32Array.from(integers(size, seed));
const [x, filter, dy] = [sizeOf(g.inShape), sizeOf(g.filterShape), sizeOf(g.outShape)].map(whole);

interface Results {
  y: Float32Array;
  dx: Float32Array;
  dFilter: Float32Array;
}

function computed(): Results {
  const [y, dx, dFilter] = [dy, x, filter].map(({ length }) => new Float32Array(length).fill(NaN));
  paths.conv2d(level, x, filter, g, y);
  paths.conv2dBackpropInput(level, dy, filter, g, dx);
  paths.conv2dBackpropFilter(level, x, dy, g, dFilter);
  return { y, dx, dFilter };
}

function defined(): Results {
  const [y, dx, dFilter] = [dy, x, filter].map(({ length }) => new Float64Array(length));
  definition.conv2d(x, filter, g, y);
  definition.conv2dBackpropInput(dy, filter, g, dx);
  definition.conv2dBackpropFilter(x, dy, g, dFilter);
  const [a, b, c] = [y, dx, dFilter].map((values) => Float32Array.from(values));
  return { y: a, dx: b, dFilter: c };
}

const start = (threads: number, more: Partial<Asked> = {}) => setThreads({ threads, leastWork: 1, ...more });

/** Waits, with the event loop free, until so many threads serve. */
async function serving(count: number): Promise<void> {
  for (let i = 0; threadsInfo().serving !== count; i++) {
    if (i > 500) throw new Error(`${JSON.stringify(threadsInfo())}, but ${count} are to serve`);
    await new Promise((done) => setTimeout(done, 20));
  }
}

/** The pool's workers, as they are made. `source` changes what a worker runs. */
function spyOnWorkers(source = (text: string) => text): Worker[] {
  const workers: Worker[] = [];
  const original = process.getBuiltinModule;
  spyOn(process, 'getBuiltinModule').and.callFake(((name: string) => {
    if (name !== 'node:worker_threads') return original(name);
    class Spied extends Worker {
      constructor(text: string, options: object) {
        super(source(text), options);
        workers.push(this);
      }
    }
    return { Worker: Spied };
  }) as typeof original);
  return workers;
}

/** The source of a worker, with another expression in place of its call of a micro-kernel. */
function replaced(source: string, expression: string): string {
  const [before, after, ...others] = source.split('kernels[table[at]](...args)');
  if (after === undefined || others.length) throw new Error('A worker has not one call of a micro-kernel.');
  return before + expression + after;
}

describe('threads in Node', () => {
  let want: Results;
  beforeAll(() => {
    want = defined();
  });
  afterEach(() => setThreads({ threads: 1 }));

  for (const threads of [1, 2, 3, 5, 16]) {
    it(`have the same results, of ${threads}`, async () => {
      await start(threads);
      expect(threadsInfo()).toEqual({ asked: threads, serving: threads });
      for (let i = 0; i < 3; i++) expect(computed()).toEqual(want);
    });
  }

  it('are as many as there are cores, at most eight, if there may be any number', async () => {
    await configure({ threads: 'auto' });
    const cores = Math.min(8, (await import('node:os')).availableParallelism());
    expect(backendInfo().threads).toEqual({ asked: 'auto', serving: cores });
  });

  it('are changed in the midst of a start, and leave no worker behind', async () => {
    const workers = spyOnWorkers();
    const all = [3, 2, 4, 1, 2].map((threads) => start(threads));
    const ends = workers.map(
      (worker) => new Promise<boolean>((done) => worker.once('exit', () => done(true))),
    );
    expect(workers.length).toBe(2 + 1 + 3 + 1);
    expect(computed()).toEqual(want);
    await Promise.all(all);
    expect(threadsInfo()).toEqual({ asked: 2, serving: 2 });
    await Promise.all(ends.slice(0, -1));
    expect(computed()).toEqual(want);
    await setThreads({ threads: 1 });
    await ends.at(-1);
  });

  it('are given up, if a micro-kernel fails, and not left at its job', async () => {
    const workers = spyOnWorkers();
    await start(2);
    const pool = poolFor(undefined)!;
    const call = { x: 2 ** 31, y: 0, length: 16, means: 0, multipliers: 0, offsets: 0, period: 16 };
    const task = [['normalize', call]] as const;
    const normalize = () => {
      throw new Error('out of bounds');
    };
    const trap = { normalize } as unknown as Parameters<typeof pool.run>[1];
    expect(() => pool.run(level, trap, [task, task])).toThrowError(/out of bounds|a worker has failed/);
    expect(poolFor(undefined)).not.toBe(pool);
    await serving(2);
    expect(workers.length).toBe(2);
    expect(computed()).toEqual(want);
  });

  it('leave what they do not gain by to the calling thread', async () => {
    await configure({ threads: 2 });
    const run = spyOn(poolFor(undefined, { products: 1e9, values: 1 })!, 'run').and.callThrough();
    const small = convGeometry([1, 8, 8, 2], [3, 3, 2, 4], { pad: 'same' });
    paths.conv2d(level, x.subarray(0, 128), filter.subarray(0, 72), small, new Float32Array(256));
    expect(run).not.toHaveBeenCalled();
  });

  it('are refused where their number is not allowed, before anything changes', () => {
    for (const threads of [0, -1, 1.5, NaN, 65, '2', null]) {
      expect(() => configure({ threads, cpu: { winograd: 0 } } as never)).toThrowError(
        /tfjs-convgrad: threads is .*, but it must be 'auto' or a whole number from 1 to 64\./,
      );
    }
    expect(backendInfo().cpu.winograd).toBe(2);
    expect(threadsInfo()).toEqual({ asked: 1, serving: 1 });
  });

  it('do not serve where memory cannot be shared, and say why', async () => {
    const { SharedArrayBuffer: original } = globalThis;
    try {
      delete (globalThis as Partial<typeof globalThis>).SharedArrayBuffer;
      await configure({ threads: 2 });
    } finally {
      globalThis.SharedArrayBuffer = original;
    }
    expect(threadsInfo()).toEqual({
      asked: 2,
      serving: 1,
      reason: 'memory cannot be shared: the page is not cross-origin isolated',
    });
    expect(computed()).toEqual(want);
  });

  it('do not serve where there are no workers, and say why', async () => {
    spyOn(process, 'getBuiltinModule').and.returnValue(undefined as never);
    await start(2);
    expect(threadsInfo().reason).toBe('there are no workers: Node 20.16 or later has them');
    expect(computed()).toEqual(want);
  });

  it('do not serve where a worker is refused, and say why', async () => {
    spyOn(process, 'getBuiltinModule').and.returnValue({
      Worker: class {
        constructor() {
          throw new Error('no more workers');
        }
      },
    } as never);
    await start(2);
    expect(threadsInfo()).toEqual({ asked: 2, serving: 1, reason: 'no more workers' });
    expect(computed()).toEqual(want);
  });

  it('do not serve where a worker does not start, and say why', async () => {
    spyOnWorkers(() => 'throw new Error("bad luck")');
    await start(3);
    expect(threadsInfo()).toEqual({ asked: 3, serving: 1, reason: 'bad luck' });
    expect(computed()).toEqual(want);
  });

  it('do not serve while a worker takes its time to start', async () => {
    class Silent extends EventEmitter {
      terminate = () => Promise.resolve(0);
    }
    spyOn(process, 'getBuiltinModule').and.returnValue({ Worker: Silent } as never);
    void start(2);
    await new Promise((done) => setTimeout(done, 50));
    expect(threadsInfo()).toEqual({ asked: 2, serving: 1, reason: 'the workers have not started yet' });
    expect(computed()).toEqual(want);
  });

  it('are replaced, if one ends between two calls', async () => {
    const workers = spyOnWorkers();
    await start(3);
    expect(computed()).toEqual(want);
    await workers[0].terminate();
    await serving(1);
    expect(computed()).toEqual(want);
    await serving(3);
    expect(computed()).toEqual(want);
    expect(workers.length).toBe(4);
  });

  it('are given up, if they end again and again', async () => {
    const workers = spyOnWorkers();
    await start(2);
    for (let i = 0; i < 4; i++) {
      await serving(2);
      await workers[i].terminate();
      await serving(1);
      expect(computed()).toEqual(want);
    }
    await new Promise((done) => setTimeout(done, 200));
    expect(workers.length).toBe(4);
    expect(threadsInfo()).toEqual({ asked: 2, serving: 1, reason: 'a worker has ended, with code 1' });
  });

  it('have right results, if a worker is killed at any job of a call', async () => {
    const workers = spyOnWorkers();
    for (let k = 0, isReached = true; isReached; k += 1 + Math.floor(k / 4)) {
      await start(3);
      const pool = poolFor(undefined)!;
      const { run } = pool;
      let jobs = 0;
      pool.run = (...args) => {
        if (jobs++ === k) void workers.at(-1)!.terminate();
        return run(...args);
      };
      expect(computed()).toEqual(want);
      isReached = jobs > k;
    }
  }, 120_000);

  // The worker takes a part, and fails at it or never ends it. So does that of each new pool, until none takes its place.
  const faults = {
    'a worker has failed': (text: string) => replaced(text, 'kernels.none(...args)'),
    'a worker was late': (text: string) => replaced(text, '(() => { for (;;); })()'),
  };
  for (const [reason, source] of Object.entries(faults)) {
    it(`have right results where ${reason}, and say so`, async () => {
      spyOnWorkers(source);
      await start(2);
      while (threadsInfo().serving === 2) {
        expect(computed()).toEqual(want);
        await new Promise((done) => setTimeout(done, 200));
      }
      expect(threadsInfo()).toEqual({ asked: 2, serving: 1, reason });
      expect(computed()).toEqual(want);
    }, 60_000);
  }
});

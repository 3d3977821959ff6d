/**
 * The threads that the kernels use: how many were asked for, and the pools that serve.
 *
 * - One pool has a memory of its own, to which inputs are copied. If tfjs's wasm backend has a memory that is shared, one works there.
 * - A pool starts while the calling thread goes on. Until then, and where no pool can serve, the calling thread computes alone.
 * - A pool that has lost a worker is closed, and another one takes its place, a few times.
 */
import { shown } from '../../known.js';
import type { Heap } from '../heap.js';
import { isShared, SIMD_LEVELS, whyNot } from '../simd/modules.js';
import { openPool, type Pool } from './pool.js';
import { coreCount, whyNoWorkers } from './workers.js';

/** The threads that share the work of the kernels on cpu and on wasm. */
export interface ThreadsInfo {
  /** How many were asked for. */
  asked: number | 'auto';
  /** How many serve now, with the calling one. */
  serving: number;
  /** Why fewer serve than were asked for. */
  reason?: string;
}

/** 'auto' takes no more: the kernels would wait for memory. */
const MOST_BY_ITSELF = 8;
const MOST_THREADS = 64;
/** In pages of 64 KiB: 1 GiB. Work that needs more is done by the calling thread. */
const MOST_PAGES = 1 << 14;
/** Pools that may take the place of one that has lost a worker. */
const RESTARTS = 3;
/**
 * In products, of which a core computes about 20 in a nanosecond: to share less out would take longer than it saves. Half of it is the
 * least for a part. While workers sleep it must be more: they take some 50 microseconds to wake up.
 */
const LEAST_WORK = { awake: 400_000, asleep: 2_000_000 };
/**
 * In products for each value of the inputs and the result: with fewer of them, copies to a shared memory take longer than threads save.
 * On tfjs's memory, where one thread works without copies, they must be more.
 */
const PRODUCTS_PER_VALUE = { copied: 8, inPlace: 12 };

/** How much work there is. */
export interface Size {
  readonly products: number;
  /** Of the inputs and the result. */
  readonly values: number;
}

export interface Asked {
  readonly threads: number | 'auto';
  /** Of a file with the source of a worker. */
  readonly workerUrl?: string;
  /** For tests: all work of so many products is shared out. */
  readonly leastWork?: number;
}

/** A pool's place, where others may follow it. */
interface Place {
  /** The pool that serves. */
  pool?: Pool;
  reason?: string;
  /** Resolves when a pool serves, or when it is clear that none will. */
  readonly up: Promise<void>;
  close(): void;
}

let current: Asked = { threads: 1 };
let own: Place | undefined;
let onHeaps = new Map<WebAssembly.Memory, Place>();
let reason: string | undefined;

/** @throws Error naming the option, if its value is not allowed */
export function checkThreads(threads: Asked['threads']): void {
  const isCount = Number.isInteger(threads) && Number(threads) >= 1 && Number(threads) <= MOST_THREADS;
  if (threads === 'auto' || isCount) return;
  throw new Error(
    `tfjs-convgrad: threads is ${shown(threads)}, but it must be 'auto' or a whole number from 1 to ${MOST_THREADS}.`,
  );
}

/**
 * Closes all pools and, if more than one thread is asked for, opens new ones. Resolves when they serve, or cannot.
 * @param heap that of tfjs's wasm backend, if it has started
 */
export async function setThreads(next: Asked, heap?: Heap): Promise<void> {
  for (const place of places()) place.close();
  [current, own, onHeaps, reason] = [next, undefined, new Map(), undefined];
  if (countOf(next) < 2) return;
  reason = whyNoWorkers() ?? SIMD_LEVELS.map(whyNot).find((why, _, all) => all.every(Boolean) && why);
  if (reason) return;
  own = open(() => new WebAssembly.Memory({ initial: 1, maximum: MOST_PAGES, shared: true }));
  await Promise.all([own.up, heap && placeOn(heap)?.up]);
}

export function chosenThreads(): Asked {
  return current;
}

export function threadsInfo(): ThreadsInfo {
  const serving = own?.pool?.threads() ?? 1;
  const why =
    serving < countOf(current) ? (reason ?? own?.reason ?? 'the workers have not started yet') : undefined;
  return { asked: current.threads, serving, ...(why && { reason: why }) };
}

/** Bytes of the memory of its own that the pool holds. */
export function sharedBytes(): number {
  return own?.pool?.memory.buffer.byteLength ?? 0;
}

/** The pool that is to do the work. If it does not work on the heap, it works on copies. Undefined: this thread does it. */
export function poolFor(heap: Heap | undefined, size?: Size): Pool | undefined {
  if (!own) return undefined;
  const pool = heap && isShared(heap.memory) ? placeOn(heap)?.pool : own.pool;
  return pool && isWorthwhile(pool, heap, size) ? pool : undefined;
}

function isWorthwhile(pool: Pool, heap: Heap | undefined, size: Size | undefined): boolean {
  const isHere = pool.memory === heap?.memory;
  if (current.leastWork !== undefined) return isHere || !heap || size !== undefined;
  if (!size) return isHere; // without copies: each micro-kernel is looked at by itself
  const least = LEAST_WORK[pool.isAsleep() ? 'asleep' : 'awake'];
  const perValue = isHere ? 0 : PRODUCTS_PER_VALUE[heap ? 'inPlace' : 'copied'];
  return size.products >= Math.max(least, perValue * size.values);
}

/** Opens a pool on the heap, if its memory is shared and has none. */
function placeOn({ memory }: Heap): Place | undefined {
  if (!isShared(memory)) return undefined;
  const place = onHeaps.get(memory) ?? open(() => memory);
  onHeaps.set(memory, place);
  return place;
}

export function leastWork(): number {
  return current.leastWork ?? LEAST_WORK.awake;
}

function places(): Place[] {
  return own ? [own, ...onHeaps.values()] : [];
}

function countOf({ threads }: Asked): number {
  return threads === 'auto' ? Math.min(coreCount(), MOST_BY_ITSELF) : threads;
}

function open(memoryOf: () => WebAssembly.Memory): Place {
  let restarts = RESTARTS;
  let latest: Pool | undefined;
  let resolve: () => void;
  const place: Place = {
    up: new Promise((done) => (resolve = done)),
    close() {
      latest?.close();
      resolve();
    },
  };
  const onEnd = (why: string) => {
    const served = place.pool !== undefined;
    [place.pool, place.reason] = [undefined, why];
    if (served && restarts-- > 0) start();
    else resolve();
  };
  const onStart = (pool: Pool) => {
    place.pool = pool;
    resolve();
  };
  const start = () => {
    try {
      latest = openPool(memoryOf(), countOf(current), current.workerUrl, onStart, onEnd);
    } catch (error) {
      place.reason = (error as Error).message;
      resolve();
    }
  };
  start();
  return place;
}

/**
 * Specs of startSharedWasm(): tfjs's wasm backend on memory that threads share, in Node. Each scene has a process of its own, which must
 * end by itself: see test/support/shared_wasm_process.ts.
 */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { version_core } from '@tensorflow/tfjs-core';
import { bundleProgram } from './runner/bundle.js';
import type { Scenes } from './support/shared_wasm_process.js';

const NOT_SHARED = `tfjs-convgrad: tfjs ${version_core}'s wasm backend does not start on shared memory here. With setBackend('wasm') it may start without.`;
const TOO_LATE =
  'tfjs-convgrad: the wasm backend has started already, on memory that is not shared. Call startSharedWasm() before setBackend().';

/** On the backend cpu, with no global Worker, as a program begins. */
const BEGIN = { worker: 'none', flag: false, backend: 'cpu', sum: 3 };

describe('startSharedWasm() in Node', () => {
  let program: string;
  beforeAll(async () => {
    program = await bundleProgram('test/support/shared_wasm_process.ts');
  });

  /** What the scene prints. It fails if the process does not end, or waits for the deadline of a start, 30 seconds. */
  async function play<Name extends keyof Scenes>(scene: Name, ...where: 'worker'[]): Promise<Scenes[Name]> {
    const options = { timeout: 25_000, maxBuffer: 2 ** 26 };
    const { stdout } = await promisify(execFile)(process.execPath, [program, scene, ...where], options);
    return JSON.parse(stdout.trim().split('\n').at(-1)!);
  }

  for (const where of [[], ['worker']] as 'worker'[][]) {
    it(`has tfjs's results and the plugin's, by three threads on tfjs's memory, ${where[0] ? 'in a worker' : 'as the main thread'}`, async () => {
      const [plain, shared] = await Promise.all([play('plain', ...where), play('shared', ...where)]);
      expect([plain.isShared, shared.isShared]).toEqual([false, true]);
      expect(shared.info.threads).toEqual({ asked: 3, serving: 3 });
      expect(shared.info.wasm).toEqual({ serving: shared.info.cpu.serving, inPlace: true });
      expect(shared.ofTfjs).withContext("tfjs's own threads").toBe(1);
      expect(shared.pool).toEqual({ threads: 3, isHere: true });
      const names = Object.keys(plain.results);
      expect(names.length).toBeGreaterThan(15);
      for (const name of names) {
        expect(shared.configured[name]).withContext(name).toEqual(plain.results[name]);
        expect(shared.results[name]).withContext(name).toEqual(plain.results[name]);
      }
      expect(shared.jobs).toBeGreaterThanOrEqual(names.length / 2);
      const [before, after] = shared.memory;
      expect(after).toEqual(before);
      expect(shared.leaks).toBe(0);
    });
  }

  it('leaves the global Worker and the flag as they were', async () => {
    const scenes = ['start', 'workerBefore', 'getterBefore', 'flagBefore'] as const;
    const changes = [{}, { worker: 'mine' }, { worker: 'a getter' }, { flag: true }];
    for (const [i, { before, after, error, isShared }] of (
      await Promise.all(scenes.map((s) => play(s)))
    ).entries()) {
      expect(error).toBeUndefined();
      expect(isShared).toBeTrue();
      expect(before).toEqual({ ...BEGIN, ...changes[i] });
      expect(after).toEqual({ ...before, backend: 'wasm' });
    }
  });

  it('may be called again, and side by side', async () => {
    const { first, second, same } = await play('twice');
    expect([first.after, second.after]).toEqual(Array(2).fill({ ...BEGIN, backend: 'wasm' }));
    expect([first.error, second.error]).toEqual([undefined, undefined]);
    expect(same).toBeTrue();
    const all = await play('sideBySide');
    expect(all.error).toBeUndefined();
    expect(all.after).toEqual({ ...BEGIN, backend: 'wasm' });
    expect(all.isShared).toBeTrue();
  });

  it('takes the place of a setBackend() that is under way', async () => {
    expect(await play('amidStart')).toEqual({ other: false, isShared: true, sum: 3 });
  });

  it('lets threads start at the same time', async () => {
    expect(await play('threadsAmidStart')).toEqual({ isThere: true, asked: 2, serving: 2 });
  });

  it('refuses what is not the package, and says what it got', async () => {
    const needs =
      'tfjs-convgrad: startSharedWasm() needs the package @tensorflow/tfjs-backend-wasm, but it got ';
    const got = ['undefined', 'null', 'an object', "'wasm'", 'a function', '[1]'];
    const none =
      'tfjs-convgrad: there is no wasm backend. The package that startSharedWasm() got may use another copy of @tensorflow/tfjs-core.';
    expect(await play('refused')).toEqual([...got.map((what) => `${needs}${what}.`), none]);
  });

  it('refuses a backend that has started on memory that is not shared', async () => {
    const { error, before, after } = await play('tooLate');
    expect(error).toBe(TOO_LATE);
    expect(after).toEqual(before);
    expect(before).toEqual(BEGIN);
  });

  const failures = {
    noSimd: NOT_SHARED,
    factoryFails: NOT_SHARED,
    neverStarts: NOT_SHARED,
    setupThrows: 'bad luck',
  };
  for (const [scene, message] of Object.entries(failures)) {
    it(`leaves all as it was where it fails: ${scene}`, async () => {
      const { error, before, after, started, later, sum } = await play(scene as keyof typeof failures);
      expect(error).toBe(message);
      expect(before).toEqual(BEGIN);
      expect(after).toEqual(BEGIN);
      expect(started).withContext('a wasm backend is left').toBeFalse();
      expect({ later, sum }).toEqual({ later: true, sum: 3 });
    });
  }

  it('fails the same way again, with the same words', async () => {
    const { first, ...second } = await play('noSimd');
    expect([first.error, second.error]).toEqual([NOT_SHARED, NOT_SHARED]);
    expect(second.after).toEqual(first.after);
  });

  it('leaves no backend current if none was', async () => {
    const { error, after, later, sum } = await play('noBackendBefore');
    expect(error).toBe(NOT_SHARED);
    expect(after.backend).toBeNull();
    expect({ later, sum }).toEqual({ later: true, sum: 3 });
  });

  it('says so where there is no file to start from', async () => {
    const { error, after } = await play('noFile');
    expect(error).toBe(NOT_SHARED);
    expect(after).toEqual(BEGIN);
  });

  it("is setBackend('wasm') outside of Node", async () => {
    const { error, after, isShared } = await play('elsewhere');
    expect(error).toBeUndefined();
    expect(after).toEqual({ ...BEGIN, backend: 'wasm' });
    expect(isShared).toBeFalse();
    const failed = await play('failsElsewhere');
    expect(failed.error).toBe("tfjs-convgrad: tfjs's wasm backend does not start here.");
  });
});
